// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* The pacer: keeps the queue before the device short, so that the order of
 * messages is decided here and not there.
 *
 *	outstanding = bytes given to IP that no device has finished with
 *	a packet of a long message may go if outstanding < limit
 *	otherwise its message waits in a tree, fewest bytes left first (SRPT)
 *
 * Completions (sk_buff destructors) drive it: when there is room again a
 * tasklet sends from the message with the fewest bytes left. Messages below
 * defer_min_bytes, and control packets, never wait.
 *
 * There is one tree for all devices of a host. Packets may be held back where
 * nobody completes them for seconds, for instance until a neighbour answers;
 * when nothing has been completed for a while, what is outstanding counts no
 * more, so that one dead neighbour does not stop all other messages.
 */
#include <kunit/visibility.h>

#include "output.h"
#include "pacer.h"
#include "rpc.h"

/* Limit where the speed of the device is unknown: 10 us at 25 Gb/s, and
 * room for a few packets at any MTU.
 */
#define PACER_DEFAULT_BYTES 32768

/* Time without a completion after which packets count as stuck. */
#define PACER_STALL_JIFFIES (1 + HZ / 500)

/* Messages that are served before other softirqs have a turn. */
#define PACER_BUDGET 16

static int pacer_limit(const struct homa_net *hn)
{
	int mbps = READ_ONCE(hn->sysctl.link_mbps);
	int usecs = READ_ONCE(hn->sysctl.max_nic_queue_usecs);

	if (!mbps)
		return PACER_DEFAULT_BYTES;
	return clamp_t(s64, (s64)mbps * usecs / 8, PACER_DEFAULT_BYTES, INT_MAX / 2);
}

static bool pacer_full(const struct homa_net *hn)
{
	return atomic_read(&hn->pacer.outstanding) -
	       READ_ONCE(hn->pacer.forgiven) >= pacer_limit(hn);
}

static bool pacer_before(struct rb_node *a, const struct rb_node *b)
{
	const struct homa_rpc *x = rb_entry(a, struct homa_rpc, pacer_node);
	const struct homa_rpc *y = rb_entry(b, struct homa_rpc, pacer_node);

	if (x->pacer_left != y->pacer_left)
		return x->pacer_left < y->pacer_left;
	return x->created < y->created;
}

/* Puts a message in the tree, or where it belongs by now. */
static void pacer_add(struct homa_rpc *rpc)
{
	struct homa_pacer *pacer = &rpc->hn->pacer;
	u32 left = homa_msgout_left(&rpc->out);

	spin_lock(&pacer->lock);
	if (RB_EMPTY_NODE(&rpc->pacer_node) || rpc->pacer_left != left) {
		if (!RB_EMPTY_NODE(&rpc->pacer_node))
			rb_erase_cached(&rpc->pacer_node, &pacer->tree);
		rpc->pacer_left = left;
		rb_add_cached(&rpc->pacer_node, &pacer->tree, pacer_before);
	}
	if (!timer_pending(&pacer->timer))
		mod_timer(&pacer->timer, jiffies + PACER_STALL_JIFFIES);
	spin_unlock(&pacer->lock);
}

/**
 * homa_pacer_remove() - a message does not wait any more
 * @rpc: RPC
 *
 * Context: rpc->lock held.
 */
void homa_pacer_remove(struct homa_rpc *rpc)
{
	struct homa_pacer *pacer = &rpc->hn->pacer;

	lockdep_assert_held(&rpc->lock);
	if (RB_EMPTY_NODE(&rpc->pacer_node))
		return;
	spin_lock(&pacer->lock);
	rb_erase_cached(&rpc->pacer_node, &pacer->tree);
	RB_CLEAR_NODE(&rpc->pacer_node);
	spin_unlock(&pacer->lock);
}
EXPORT_SYMBOL_IF_KUNIT(homa_pacer_remove);

/**
 * homa_pacer_defer() - must a message's next packet wait?
 * @rpc: RPC with an outgoing message
 * @paced: it is this message's turn
 *
 * Context: rpc->lock held.
 * Return: true if it must; the pacer will call homa_msgout_pump()
 */
bool homa_pacer_defer(struct homa_rpc *rpc, bool paced)
{
	struct homa_net *hn = rpc->hn;

	lockdep_assert_held(&rpc->lock);
	if (rpc->out.length < READ_ONCE(hn->sysctl.defer_min_bytes) ||
	    READ_ONCE(hn->sysctl.flags) & HOMA_FLAG_DONT_THROTTLE)
		return false;
	if (!pacer_full(hn) &&
	    (paced || RB_EMPTY_ROOT(&hn->pacer.tree.rb_root)))
		return false;
	pacer_add(rpc);

	/* The device may have finished before the message was in the tree. */
	smp_mb();	/* pairs with homa_pacer_completed() */
	if (!pacer_full(hn))
		tasklet_schedule(&hn->pacer.tasklet);
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(homa_pacer_defer);

/**
 * homa_pacer_completed() - a device has finished with a packet
 * @hn: host
 * @bytes: as charged
 *
 * Context: any but hard interrupts; locks of the network stack may be held.
 */
void homa_pacer_completed(struct homa_net *hn, u32 bytes)
{
	int outstanding = atomic_sub_return(bytes, &hn->pacer.outstanding);

	if (READ_ONCE(hn->pacer.last_completed) != jiffies)
		WRITE_ONCE(hn->pacer.last_completed, jiffies);
	if (READ_ONCE(hn->pacer.forgiven) > outstanding)
		WRITE_ONCE(hn->pacer.forgiven, max(outstanding, 0));
	smp_mb();	/* pairs with homa_pacer_defer() */
	if (!RB_EMPTY_ROOT(&hn->pacer.tree.rb_root) && !pacer_full(hn))
		tasklet_schedule(&hn->pacer.tasklet);
}
EXPORT_SYMBOL_IF_KUNIT(homa_pacer_completed);

/* The message whose turn it is, with a reference. */
static struct homa_rpc *pacer_first(struct homa_net *hn)
{
	struct homa_rpc *rpc = NULL;
	struct rb_node *node;

	spin_lock(&hn->pacer.lock);
	node = rb_first_cached(&hn->pacer.tree);
	if (node) {
		rpc = rb_entry(node, struct homa_rpc, pacer_node);
		homa_rpc_get(rpc);
	}
	spin_unlock(&hn->pacer.lock);
	return rpc;
}

static void pacer_run(struct tasklet_struct *t)
{
	struct homa_net *hn = from_tasklet(hn, t, pacer.tasklet);
	struct sk_buff_head txq;
	struct homa_rpc *rpc;
	int budget = PACER_BUDGET;

	__skb_queue_head_init(&txq);
	while (!pacer_full(hn) && (rpc = pacer_first(hn))) {
		spin_lock(&rpc->lock);
		if (rpc->state != HOMA_DEAD && !rpc->error)
			homa_msgout_pump(rpc, true, &txq);
		else
			homa_pacer_remove(rpc);
		spin_unlock(&rpc->lock);
		homa_metric_add(hn, pacer_homa_packets, skb_queue_len(&txq));
		homa_output_flush(&txq);
		homa_rpc_put(rpc);
		if (!--budget) {
			tasklet_schedule(t);
			break;
		}
	}
}

/* Looks after messages that wait; runs only while there are some. */
static void pacer_timer(struct timer_list *t)
{
	struct homa_net *hn = timer_container_of(hn, t, pacer.timer);
	struct homa_pacer *pacer = &hn->pacer;

	spin_lock(&pacer->lock);
	if (!RB_EMPTY_ROOT(&pacer->tree.rb_root)) {
		if (time_after_eq(jiffies, READ_ONCE(pacer->last_completed) +
					   PACER_STALL_JIFFIES)) {
			WRITE_ONCE(pacer->forgiven,
				   max(atomic_read(&pacer->outstanding), 0));
			tasklet_schedule(&pacer->tasklet);
		}
		mod_timer(&pacer->timer, jiffies + PACER_STALL_JIFFIES);
	}
	spin_unlock(&pacer->lock);
}

/**
 * homa_pacer_net_init() - prepare a host's pacer
 * @hn: host
 *
 * Context: process.
 */
void homa_pacer_net_init(struct homa_net *hn)
{
	spin_lock_init(&hn->pacer.lock);
	hn->pacer.tree = RB_ROOT_CACHED;
	timer_setup(&hn->pacer.timer, pacer_timer, 0);
	tasklet_setup(&hn->pacer.tasklet, pacer_run);
}
EXPORT_SYMBOL_IF_KUNIT(homa_pacer_net_init);

/**
 * homa_pacer_net_exit() - stop a host's pacer
 * @hn: host; it has no sockets left, so no packets
 *
 * Context: process, sleeps.
 */
void homa_pacer_net_exit(struct homa_net *hn)
{
	timer_delete_sync(&hn->pacer.timer);
	tasklet_kill(&hn->pacer.tasklet);
}
EXPORT_SYMBOL_IF_KUNIT(homa_pacer_net_exit);
