// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Grants: which incoming messages may send more, and how much.
 *
 *	tree   = messages not fully granted, fewest missing bytes first (SRPT)
 *	active = the first max_overcommit of them
 *	window = sysctl window, or max_incoming / (number of active + 1)
 *	granted(message) = received + window, for active messages only
 *	incoming = bytes granted and not received, of all messages that need
 *		   grants; not what the sender chose to send without
 *
 * Each arriving packet of such a message moves it forward in the tree and
 * then gives every active message what it is due, if that is worth a packet
 * and incoming stays within max_incoming. So a short message overtakes long
 * ones at once, and no number of senders can overrun this host by grants.
 *
 * Nothing waits for ever: if a grant is not given for want of room, then there
 * are bytes on their way; when they arrive, or when their RPC ends since they
 * do not, all active messages are looked at again.
 */
#include <kunit/visibility.h>

#include "grant.h"
#include "output.h"
#include "prio.h"
#include "rpc.h"

/* A grant for less than this waits, unless it completes the message. Small
 * against any window, and saves six grants of seven at an MTU of 1500.
 */
#define GRANT_MIN_INCREMENT 10000

static bool grant_before(struct rb_node *a, const struct rb_node *b)
{
	const struct homa_rpc *x = rb_entry(a, struct homa_rpc, grant_node);
	const struct homa_rpc *y = rb_entry(b, struct homa_rpc, grant_node);

	if (x->grant_left != y->grant_left)
		return x->grant_left < y->grant_left;
	return x->created < y->created;
}

static void grant_erase(struct homa_net *hn, struct homa_rpc *rpc)
{
	lockdep_assert_held(&hn->grants.lock);
	rb_erase_cached(&rpc->grant_node, &hn->grants.tree);
	RB_CLEAR_NODE(&rpc->grant_node);
	hn->grants.count--;
}

static void grant_insert(struct homa_net *hn, struct homa_rpc *rpc)
{
	lockdep_assert_held(&hn->grants.lock);
	rb_add_cached(&rpc->grant_node, &hn->grants.tree, grant_before);
	hn->grants.count++;
	if (hn->grants.count > READ_ONCE(hn->sysctl.max_grantable_rpcs))
		WRITE_ONCE(hn->sysctl.max_grantable_rpcs, hn->grants.count);
}

static u32 grant_window(const struct homa_net *hn, int active)
{
	u32 window = READ_ONCE(hn->sysctl.window);

	if (!window)
		window = READ_ONCE(hn->sysctl.max_incoming) / (active + 1);
	return max(window, 1u);
}

/* Brings a message's share of the incoming bytes up to date. */
static void grant_account(struct homa_net *hn, struct homa_rpc *rpc)
{
	u32 received = max(rpc->in.length - rpc->grant_left, rpc->in.unsched);
	u32 incoming = 0;

	lockdep_assert_held(&hn->grants.lock);
	if (rpc->in.granted > received)
		incoming = rpc->in.granted - received;
	hn->grants.incoming += (s64)incoming - rpc->grant_incoming;
	rpc->grant_incoming = incoming;
}

/* Raises what one active message is granted; false if it is not worth it. */
static bool grant_raise(struct homa_net *hn, struct homa_rpc *rpc, u32 window,
			struct homa_grant *grant)
{
	s64 max_incoming = READ_ONCE(hn->sysctl.max_incoming);
	s64 room = max_incoming - hn->grants.incoming;
	struct homa_msgin *in = &rpc->in;
	s64 offset, worth;

	offset = (s64)in->length - rpc->grant_left + window;
	offset = min3(offset, (s64)in->length, in->granted + room);
	worth = min3((s64)window, max_incoming, (s64)GRANT_MIN_INCREMENT);
	if (offset <= in->granted ||
	    (offset < in->length && offset - in->granted < worth))
		return false;
	grant->rpc = rpc;
	grant->increment = offset - in->granted;
	grant->offset = offset;
	WRITE_ONCE(in->granted, offset);
	grant_account(hn, rpc);
	return true;
}

/* Gives all active messages what they are due. A message that gets its last
 * grant makes room for the next one.
 */
static void grant_pass(struct homa_net *hn, struct homa_grant_batch *batch)
{
	int active = min3(hn->grants.count, HOMA_MAX_GRANTS,
			  READ_ONCE(hn->sysctl.max_overcommit));
	struct rb_node *node = rb_first_cached(&hn->grants.tree);
	u32 window = grant_window(hn, active);
	int rank = 0;

	lockdep_assert_held(&hn->grants.lock);
	homa_metric_inc(hn, grant_check_calls);
	while (node && rank < active) {
		struct homa_rpc *rpc = rb_entry(node, struct homa_rpc,
						grant_node);

		if (batch->count == HOMA_MAX_GRANTS) {
			tasklet_schedule(&hn->grants.tasklet);
			break;
		}
		node = rb_next(node);
		if (grant_raise(hn, rpc, window,
				&batch->grants[batch->count])) {
			batch->grants[batch->count++].prio =
				homa_prio_sched(hn, rank, active);
			homa_rpc_get(rpc);
		}
		if (rpc->in.granted == rpc->in.length)
			grant_erase(hn, rpc);
		else
			rank++;
	}
}

/**
 * homa_grant_update() - part of a message has arrived
 * @rpc: RPC with an incoming message that has buffer space
 * @batch: empty; result: grants for homa_grant_flush()
 *
 * Context: rpc->lock held.
 */
void homa_grant_update(struct homa_rpc *rpc, struct homa_grant_batch *batch)
{
	struct homa_net *hn = rpc->hn;

	lockdep_assert_held(&rpc->lock);
	if (!rpc->in.scheduled)
		return;
	spin_lock(&hn->grants.lock);
	if (!RB_EMPTY_NODE(&rpc->grant_node))
		grant_erase(hn, rpc);
	rpc->grant_left = rpc->in.left;
	if (rpc->in.left && rpc->in.granted < rpc->in.length)
		grant_insert(hn, rpc);
	grant_account(hn, rpc);
	grant_pass(hn, batch);
	spin_unlock(&hn->grants.lock);
}
EXPORT_SYMBOL_IF_KUNIT(homa_grant_update);

/**
 * homa_grant_remove() - an RPC needs no more grants
 * @rpc: RPC
 *
 * Context: rpc->lock held.
 */
void homa_grant_remove(struct homa_rpc *rpc)
{
	struct homa_net *hn = rpc->hn;

	lockdep_assert_held(&rpc->lock);
	if (!rpc->in.scheduled)
		return;
	spin_lock(&hn->grants.lock);
	if (!RB_EMPTY_NODE(&rpc->grant_node))
		grant_erase(hn, rpc);
	hn->grants.incoming -= rpc->grant_incoming;
	rpc->grant_incoming = 0;
	if (hn->grants.count)
		tasklet_schedule(&hn->grants.tasklet);
	spin_unlock(&hn->grants.lock);
}
EXPORT_SYMBOL_IF_KUNIT(homa_grant_remove);

/**
 * homa_grant_flush() - send the grants that were decided upon
 * @batch: from homa_grant_update(); empty afterwards
 *
 * Context: bottom halves off, no locks held.
 */
void homa_grant_flush(struct homa_grant_batch *batch)
{
	struct sk_buff_head txq;
	int i;

	__skb_queue_head_init(&txq);
	for (i = 0; i < batch->count; i++) {
		struct homa_grant *g = &batch->grants[i];
		struct homa_grant_hdr h = {
			.offset = htonl(g->offset),
			.priority = g->prio,
		};

		spin_lock(&g->rpc->lock);
		homa_msgin_granted(&g->rpc->in, g->offset,
				   homa_prio_tclass(g->rpc->hn, g->prio) >> 5);
		if (g->rpc->state == HOMA_INCOMING)
			homa_output_control(g->rpc, HOMA_GRANT, &h, sizeof(h),
					    &txq);
		spin_unlock(&g->rpc->lock);
		tt_event(g->rpc->hn, GRANT_SENT, homa_trace_id(g->rpc),
			 g->offset, g->prio, g->increment);
	}
	homa_output_flush(&txq);
	while (batch->count)
		homa_rpc_put(batch->grants[--batch->count].rpc);
}
EXPORT_SYMBOL_IF_KUNIT(homa_grant_flush);

static void grant_tasklet(struct tasklet_struct *t)
{
	struct homa_net *hn = from_tasklet(hn, t, grants.tasklet);
	struct homa_grant_batch batch = {};

	spin_lock(&hn->grants.lock);
	grant_pass(hn, &batch);
	spin_unlock(&hn->grants.lock);
	homa_grant_flush(&batch);
}

/**
 * homa_grant_net_init() - prepare a host's grants
 * @hn: host
 *
 * Context: process.
 */
void homa_grant_net_init(struct homa_net *hn)
{
	spin_lock_init(&hn->grants.lock);
	hn->grants.tree = RB_ROOT_CACHED;
	tasklet_setup(&hn->grants.tasklet, grant_tasklet);
}
EXPORT_SYMBOL_IF_KUNIT(homa_grant_net_init);

/**
 * homa_grant_net_exit() - stop granting
 * @hn: host; it has no sockets left
 *
 * Context: process, sleeps.
 */
void homa_grant_net_exit(struct homa_net *hn)
{
	tasklet_kill(&hn->grants.tasklet);
}
EXPORT_SYMBOL_IF_KUNIT(homa_grant_net_exit);
