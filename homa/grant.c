// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Grants: which incoming messages may send more, and how much. */
#include <kunit/visibility.h>
#include <linux/math64.h>
#include <linux/netdevice.h>

#include "dev.h"
#include "grant.h"
#include "output.h"
#include "prio.h"
#include "rpc.h"
#include "trace.h"

/**
 * DOC: Grants
 *
 * Each network device has a scheduler, since its link is what is shared. It
 * knows the messages that come in there and are longer than what their senders
 * send unasked. One message outranks another if fewer of its bytes are missing,
 * or as many and it is older.
 *
 *	active	(slots, at most max_overcommit)	are granted to
 *	waiting	(trees, one for each sender)	for a slot
 *	stalled	(nowhere)			until their senders are heard
 *	full	(nowhere)			granted to their end
 *
 * Who has a slot: when a message comes, the worst of it and the active ones
 * waits. Worst is whose sender holds most slots, then who is outranked by the
 * others. When a slot is free it goes to the sender that holds fewest, to its
 * best message. So no sender has two slots while another has none and needs
 * one, and several if nobody else does. Bytes that arrive move a message up at
 * once, active or waiting.
 *
 * How much: an active message is granted up to
 *
 *	received + window;  window = sysctl window, or max_incoming / (active + 1)
 *
 * in steps that are worth a packet, best message first, as long as what may be
 * on its way to us, incoming + unsched, stays within max_incoming. Who gets less
 * than that is needy and is served as soon as there is room. Unscheduled bytes
 * take room, too, since they will fill the link; but not more than half, or a
 * sender could stop all grants by announcing them. A ninth of max_incoming is
 * always kept for them.
 *
 * Tails: a message that needs no more than its sender sends unasked is as urgent
 * as a new message of that length. So the rest of its bytes is granted in spite
 * of what comes unscheduled, its own beginning above all; the ninth is there
 * for it. And it goes at the level of that beginning, or at a higher one if it
 * has that by rank: else it would queue behind the beginnings of much longer
 * messages.
 *
 * FIFO share: of all bytes granted, grant_fifo_fraction thousandths are for
 * messages that wait for a slot, and would for ever while the link is full: one
 * turn in four for the oldest, the others for the longest, and for the oldest of
 * equals. For whom rank is hopeless a share goes a long way: it need not bring all
 * bytes, only so many that rank brings the rest. If nobody waits, the share is for
 * the oldest message, and what it gets by rank is a part of it. The share comes in
 * steps of fifo_grant_increment, beyond window and max_incoming, at the highest
 * level of scheduled packets: above all who compete for the link, below messages
 * that are short.
 *
 * Silent senders: they may be busy, or dead. If bytes for less urgent messages
 * arrive, twice max_incoming of them, then what an active message was granted is
 * not queued behind others in the network: its sender does not send it. Such
 * a message is stalled if somebody can use its slot, or its room. So is one
 * whose sender was silent until the timer asked for its bytes. Its sender still
 * counts as holding a slot. It is back in the race with its next packet.
 *
 * Invariants, whenever the lock is free:
 *	- active <= max_overcommit, unless that has just been lowered
 *	- slots are in order of rank
 *	- if there is a free slot, nobody waits
 *	- incoming is the sum over active, waiting and full messages of bytes
 *	  granted and not received; unsched likewise
 *	- incoming <= max_incoming when a grant is made, but for the FIFO share
 *	- stalled <= max_incoming, but for those that the timer stalls
 *	- a needy message has less than it is due only while others have bytes
 *	  on their way
 *
 * The last one is why nothing waits for ever: bytes on their way arrive, or the
 * timer finds their senders silent, or their RPCs end. Each of these frees room
 * and serves the needy again.
 *
 * Cost: most packets of an active message touch its slot and those before it;
 * a grant looks at all slots, which are few. A message pays for trees when it
 * comes, waits or leaves. Packets of a message that is fully granted pay for a
 * comparison.
 */

/* A grant for less than this waits, unless it completes the message. Small
 * against any window, and saves six grants of seven at an MTU of 1500.
 */
#define GRANT_MIN_INCREMENT 10000

/* Part of max_incoming, one in so many, that only tails are granted: what a
 * message more than all slots would get as its window.
 */
#define GRANT_RESERVE (HOMA_MAX_GRANTS + 1)

/* A message is silent if it was overtaken by so many times max_incoming: once
 * for what was under way before its grants, once for good measure.
 */
#define GRANT_SILENT_FACTOR 2

/* One turn in so many of the FIFO share is for the oldest message. If all were,
 * the longest ones would wait hardly less than without a share, since those that
 * are shorter wait, too, and there are more of them (perf/perf.txt, 4).
 */
#define GRANT_FIFO_TURNS 4

/* One lock in so many is timed, and stands for the others. */
#define GRANT_LOCK_SAMPLE 16

static void grants_lock(struct homa_grants *g)
	__acquires(&g->lock)
{
	if (!spin_trylock(&g->lock)) {
		u64 start = homa_now();

		tt_event(g->hn, LOCK_MISSED, HOMA_LOCK_GRANTS);
		spin_lock(&g->lock);
		start = homa_now() - start;
		tt_event(g->hn, LOCK_TAKEN, HOMA_LOCK_GRANTS, start);
		homa_metric_inc(g->hn, grant_lock_misses);
		homa_metric_add(g->hn, grant_lock_miss_cycles, start);
	}
	homa_metric_inc(g->hn, grant_locks);
	g->locked_at = ++g->locks % GRANT_LOCK_SAMPLE ? 0 : homa_now();
}

/* Counts how long so many granted bytes were on their way; in kilobytes, since
 * byte-nanoseconds fill 64 bits in half a day.
 */
static void grants_integrate(struct homa_grants *g)
{
	u64 now;

	if (g->incoming == g->integrated)
		return;
	now = homa_now();
	homa_metric_add(g->hn, granted_kb_integral,
			div_u64(g->integrated * (now - g->integrated_at),
				1000));
	g->integrated_at = now;
	g->integrated = g->incoming;
}

static void grants_unlock(struct homa_grants *g)
	__releases(&g->lock)
{
	grants_integrate(g);
	if (g->locked_at)
		homa_metric_add(g->hn, grant_lock_cycles,
				GRANT_LOCK_SAMPLE *
				(homa_now() - g->locked_at));
	spin_unlock(&g->lock);
}

static int max_active(const struct homa_grants *g)
{
	return clamp(READ_ONCE(g->hn->sysctl.max_overcommit), 1,
		     HOMA_MAX_GRANTS);
}

static s64 max_incoming(const struct homa_grants *g)
{
	return max(READ_ONCE(g->hn->sysctl.max_incoming), 1);
}

static s64 grant_window(const struct homa_grants *g)
{
	int window = READ_ONCE(g->hn->sysctl.window);

	if (window <= 0)
		window = (int)max_incoming(g) / (g->active + 1);
	return max(window, 1);
}

/* Bytes that may still be granted; @tail: to a tail. */
static s64 grant_room(const struct homa_grants *g, bool tail)
{
	s64 limit = max_incoming(g), room = limit - g->incoming;

	if (tail)
		return room;
	return room - clamp(g->unsched, limit / GRANT_RESERVE, limit / 2);
}

/* Is all that is still to be granted no more than came unasked? */
static bool grant_is_tail(const struct homa_rpc *rpc)
{
	return rpc->in.length - rpc->in.granted <= rpc->in.unsched;
}

static u32 received(const struct homa_rpc *rpc)
{
	return rpc->in.length - rpc->grant.left;
}

/* Bytes that the sender may send, unasked or not, and that are not here. */
static u32 outstanding(const struct homa_rpc *rpc)
{
	u32 here = received(rpc);

	return rpc->in.granted > here ? rpc->in.granted - here : 0;
}

static bool outranks(u32 left_a, const struct homa_rpc *a,
		     u32 left_b, const struct homa_rpc *b)
{
	if (left_a != left_b)
		return left_a < left_b;
	return a->created < b->created;
}

static bool grant_wait_less(struct rb_node *a, const struct rb_node *b)
{
	const struct homa_rpc *x = rb_entry(a, struct homa_rpc,
					    grant.wait_node);
	const struct homa_rpc *y = rb_entry(b, struct homa_rpc,
					    grant.wait_node);

	return outranks(x->grant.left, x, y->grant.left, y);
}

static bool age_less(struct rb_node *a, const struct rb_node *b)
{
	const struct homa_rpc *x = rb_entry(a, struct homa_rpc,
					    grant.age_node);
	const struct homa_rpc *y = rb_entry(b, struct homa_rpc,
					    grant.age_node);

	return x->created < y->created;
}

static bool length_more(struct rb_node *a, const struct rb_node *b)
{
	const struct homa_rpc *x = rb_entry(a, struct homa_rpc,
					    grant.length_node);
	const struct homa_rpc *y = rb_entry(b, struct homa_rpc,
					    grant.length_node);

	if (x->in.length != y->in.length)
		return x->in.length > y->in.length;
	return x->created < y->created;
}

/* The best of a sender's messages that wait; there is one. */
static struct homa_rpc *peer_best(const struct homa_grant_peer *peer)
{
	return rb_entry(rb_first_cached(&peer->waiting), struct homa_rpc,
			grant.wait_node);
}

static bool peer_less(struct rb_node *a, const struct rb_node *b)
{
	const struct homa_grant_peer *x =
		rb_entry(a, struct homa_grant_peer, node);
	const struct homa_grant_peer *y =
		rb_entry(b, struct homa_grant_peer, node);
	const struct homa_rpc *best_x, *best_y;

	if (x->held != y->held)
		return x->held < y->held;
	best_x = peer_best(x);
	best_y = peer_best(y);
	return outranks(best_x->grant.left, best_x,
			best_y->grant.left, best_y);
}

/* Takes a sender out of the order; what it is sorted by may change then. */
static void peer_detach(struct homa_grants *g, struct homa_grant_peer *peer)
{
	if (!RB_EMPTY_ROOT(&peer->waiting.rb_root))
		rb_erase_cached(&peer->node, &g->peers);
}

static void peer_attach(struct homa_grants *g, struct homa_grant_peer *peer)
{
	if (!RB_EMPTY_ROOT(&peer->waiting.rb_root))
		rb_add_cached(&peer->node, &g->peers, peer_less);
}

static void peer_hold(struct homa_grants *g, struct homa_peer *peer, int slots)
{
	peer_detach(g, &peer->grant);
	peer->grant.held += slots;
	peer_attach(g, &peer->grant);
}

static void wait_insert(struct homa_grants *g, struct homa_rpc *rpc)
{
	struct homa_grant_peer *peer = &rpc->peer->grant;

	peer_detach(g, peer);
	rb_add_cached(&rpc->grant.wait_node, &peer->waiting, grant_wait_less);
	rpc->grant.state = HOMA_GRANT_WAITING;
	peer_attach(g, peer);
}

static void wait_erase(struct homa_grants *g, struct homa_rpc *rpc)
{
	struct homa_grant_peer *peer = &rpc->peer->grant;

	peer_detach(g, peer);
	rb_erase_cached(&rpc->grant.wait_node, &peer->waiting);
	rpc->grant.state = HOMA_GRANT_NONE;
	peer_attach(g, peer);
}

static int slot_of(const struct homa_grants *g, const struct homa_rpc *rpc)
{
	int i = 0;

	while (g->slots[i].rpc != rpc)
		i++;
	return i;
}

/* Brings a slot that may be too low in the order to where it belongs. */
static int slot_rise(struct homa_grants *g, int i)
{
	struct homa_grant_slot slot = g->slots[i];

	for (; i > 0; i--) {
		const struct homa_grant_slot *other = &g->slots[i - 1];

		if (!outranks(slot.left, slot.rpc, other->left, other->rpc))
			break;
		g->slots[i] = *other;
	}
	g->slots[i] = slot;
	return i;
}

static void slot_insert(struct homa_grants *g, struct homa_rpc *rpc)
{
	g->slots[g->active] = (struct homa_grant_slot){
		.rpc = rpc,
		.peer = rpc->peer,
		.left = rpc->grant.left,
		.due = HOMA_GRANT_DUE,
	};
	slot_rise(g, g->active++);
	rpc->grant.state = HOMA_GRANT_ACTIVE;
	peer_hold(g, rpc->peer, 1);
}

static void slot_remove(struct homa_grants *g, int i)
{
	struct homa_grant_slot *slot = &g->slots[i];

	slot->rpc->grant.state = HOMA_GRANT_NONE;
	peer_hold(g, slot->peer, -1);
	g->active--;
	memmove(slot, slot + 1, (g->active - i) * sizeof(*slot));
}

/* Who of the active messages and @rpc, which is neither active nor waiting, has
 * the least claim to a slot? Returns its slot, or -1: @rpc. Without @rpc there
 * is an active message.
 */
static int slot_worst(const struct homa_grants *g, const struct homa_rpc *rpc)
{
	const struct homa_peer *peer = rpc ? rpc->peer : NULL;
	u32 most = rpc ? peer->grant.held + 1 : 0;
	u32 left = rpc ? rpc->grant.left : 0;
	const struct homa_rpc *worst = rpc;
	int i, found = -1;

	for (i = 0; i < g->active; i++) {
		const struct homa_grant_slot *slot = &g->slots[i];
		u32 held = slot->peer->grant.held + (slot->peer == peer);

		if (held < most)
			continue;
		if (held == most && worst &&
		    !outranks(left, worst, slot->left, slot->rpc))
			continue;
		most = held;
		left = slot->left;
		worst = slot->rpc;
		found = i;
	}
	return found;
}

static void slot_evict(struct homa_grants *g, int i)
{
	struct homa_rpc *rpc = g->slots[i].rpc;

	slot_remove(g, i);
	wait_insert(g, rpc);
}

/* Gives a message that is neither active nor waiting its place. */
static void grant_contend(struct homa_grants *g, struct homa_rpc *rpc)
{
	if (g->active >= max_active(g)) {
		int i = slot_worst(g, rpc);

		if (i < 0) {
			wait_insert(g, rpc);
			return;
		}
		slot_evict(g, i);
	}
	slot_insert(g, rpc);
}

/* Gives free slots to messages that wait. */
static void grant_promote(struct homa_grants *g)
{
	int most = max_active(g);

	while (g->active > most)
		slot_evict(g, slot_worst(g, NULL));
	while (g->active < most && !RB_EMPTY_ROOT(&g->peers.rb_root)) {
		struct homa_rpc *rpc;

		rpc = peer_best(rb_entry(rb_first_cached(&g->peers),
					 struct homa_grant_peer, node));
		wait_erase(g, rpc);
		slot_insert(g, rpc);
	}
}

/* One more message needs grants, or one less. */
static void grant_count(struct homa_grants *g, int change)
{
	u64 now = homa_now();

	homa_metric_add(g->hn, grantable_rpcs_integral,
			(u64)g->count * (now - g->counted_at));
	g->counted_at = now;
	g->count += change;
	if (g->count > READ_ONCE(g->hn->sysctl.max_grantable_rpcs))
		WRITE_ONCE(g->hn->sysctl.max_grantable_rpcs, g->count);
}

/* Takes a message's bytes out of the sums. */
static void grant_uncount(struct homa_grants *g, struct homa_rpc *rpc)
{
	g->incoming -= rpc->grant.incoming;
	g->unsched -= rpc->grant.unsched;
	g->stalled -= rpc->grant.stalled;
	rpc->grant.incoming = 0;
	rpc->grant.unsched = 0;
	rpc->grant.stalled = 0;
}

/* Brings a message's share of the sums up to date. */
static void grant_account(struct homa_grants *g, struct homa_rpc *rpc)
{
	u32 all = outstanding(rpc);

	grant_uncount(g, rpc);
	if (rpc->in.unsched > received(rpc))
		rpc->grant.unsched = min(all, rpc->in.unsched - received(rpc));
	rpc->grant.incoming = all - rpc->grant.unsched;
	g->incoming += rpc->grant.incoming;
	g->unsched += rpc->grant.unsched;
}

/* A message begins to need grants, or does so again. */
static void grant_enter(struct homa_grants *g, struct homa_rpc *rpc)
{
	rb_add_cached(&rpc->grant.age_node, &g->ages, age_less);
	rb_add_cached(&rpc->grant.length_node, &g->lengths, length_more);
	grant_contend(g, rpc);
}

/* Takes a message out of all structures; its state is NONE or FULL then. */
static void grant_withdraw(struct homa_grants *g, struct homa_rpc *rpc)
{
	switch (rpc->grant.state) {
	case HOMA_GRANT_NONE:
	case HOMA_GRANT_FULL:
		return;
	case HOMA_GRANT_STALLED:
		peer_hold(g, rpc->peer, -1);
		rpc->grant.state = HOMA_GRANT_NONE;
		return;
	case HOMA_GRANT_WAITING:
		wait_erase(g, rpc);
		break;
	case HOMA_GRANT_ACTIVE:
		slot_remove(g, slot_of(g, rpc));
		break;
	}
	rb_erase_cached(&rpc->grant.age_node, &g->ages);
	rb_erase_cached(&rpc->grant.length_node, &g->lengths);
}

/* A message that waits or is active does not use what it was granted. */
static void grant_stall(struct homa_grants *g, struct homa_rpc *rpc)
{
	u32 unused = outstanding(rpc);

	grant_withdraw(g, rpc);
	grant_uncount(g, rpc);
	rpc->grant.state = HOMA_GRANT_STALLED;
	rpc->grant.stalled = unused;
	g->stalled += unused;
	peer_hold(g, rpc->peer, 1);
	homa_metric_inc(g->hn, grant_stalls);
	tt_event(g->hn, GRANT_STALLED, homa_trace_id(rpc),
		 homa_trace_peer(rpc), unused);
}

/* A message has its last grant. */
static void grant_filled(struct homa_grants *g, struct homa_rpc *rpc)
{
	grant_withdraw(g, rpc);
	rpc->grant.state = HOMA_GRANT_FULL;
	grant_count(g, -1);
}

/* Sees to it that a packet is looked at as soon as it matters. */
static void grant_set_look(struct homa_rpc *rpc)
{
	u32 look = U32_MAX;

	if (rpc->grant.state == HOMA_GRANT_FULL)
		look = rpc->grant.left - min_t(u32, rpc->grant.left,
					       GRANT_MIN_INCREMENT);
	WRITE_ONCE(rpc->grant.look, look);
}

/* The oldest message that its rank gives nothing, or else the oldest, so that no
 * share is spent on what comes anyway. Looks past active ones only.
 */
static struct homa_rpc *grant_oldest(const struct homa_grants *g)
{
	struct rb_node *first = rb_first_cached(&g->ages), *node;

	for (node = first; node; node = rb_next(node)) {
		struct homa_rpc *rpc = rb_entry(node, struct homa_rpc,
						grant.age_node);

		if (rpc->grant.state == HOMA_GRANT_WAITING)
			return rpc;
	}
	return rb_entry_safe(first, struct homa_rpc, grant.age_node);
}

/* The oldest of the longest messages that wait, or else the oldest of all. */
static struct homa_rpc *grant_longest(const struct homa_grants *g)
{
	struct rb_node *node;

	for (node = rb_first_cached(&g->lengths); node; node = rb_next(node)) {
		struct homa_rpc *rpc = rb_entry(node, struct homa_rpc,
						grant.length_node);

		if (rpc->grant.state == HOMA_GRANT_WAITING)
			return rpc;
	}
	return grant_oldest(g);
}

/* Whose turn it is to get the FIFO share. */
static struct homa_rpc *grant_fifo_next(const struct homa_grants *g)
{
	return g->fifo_turn ? grant_longest(g) : grant_oldest(g);
}

/* Grants a message that is active, or the oldest, up to @offset. */
static void grant_give(struct homa_grants *g, struct homa_rpc *rpc, u32 offset,
		       u8 prio, struct homa_grant_batch *batch)
{
	struct homa_grant *grant = &batch->grants[batch->count++];
	u64 fraction = READ_ONCE(g->hn->sysctl.grant_fifo_fraction);
	u32 increment = offset - rpc->in.granted;
	u64 paid = rpc == grant_fifo_next(g) ? 1000ull * increment : 0;

	homa_rpc_get(rpc);
	*grant = (struct homa_grant){ rpc, offset, increment, prio };
	WRITE_ONCE(rpc->in.granted, offset);
	grant_account(g, rpc);
	g->fifo_debt += increment * fraction;
	g->fifo_debt -= min(g->fifo_debt, paid);
	if (offset == rpc->in.length) {
		grant_filled(g, rpc);
		grant_set_look(rpc);
	}
}

/* Grants an active message what it is due, or what there is room for. */
static void grant_raise(struct homa_grants *g, int rank,
			struct homa_grant_batch *batch)
{
	struct homa_grant_slot *slot = &g->slots[rank];
	bool needy = slot->due == HOMA_GRANT_NEEDY;
	struct homa_rpc *rpc = slot->rpc;
	bool tail = grant_is_tail(rpc);
	s64 window = grant_window(g), room = grant_room(g, tail);
	s64 end, due, worth;
	u8 prio;

	end = min_t(s64, received(rpc) + window, rpc->in.length);
	due = end - rpc->in.granted;
	worth = min3(window, max(max_incoming(g) / 2, 1ll),
		     (s64)GRANT_MIN_INCREMENT);
	slot->due = HOMA_GRANT_IDLE;
	if (due <= 0 || (due < worth && end < rpc->in.length))
		return;
	if (room < due) {
		slot->due = HOMA_GRANT_NEEDY;
		g->short_of_room = true;
		if (room < worth)
			return;
	}
	homa_metric_add(g->hn, needy_grants, needy);
	prio = homa_prio_sched(g->hn, rank, g->active);
	if (tail)
		prio = max(prio, homa_prio_incoming(g->hn, rpc->in.length));
	grant_give(g, rpc, rpc->in.granted + min(due, room), prio, batch);
}

/* Gives active messages what they are due, best one first. A message that has
 * all its grants makes room for another, which may be better than the rest.
 */
static void grant_serve(struct homa_grants *g, struct homa_grant_batch *batch)
{
	int i = 0;

	g->short_of_room = false;
	homa_metric_inc(g->hn, grant_check_calls);
	grant_promote(g);
	while (i < g->active && !g->short_of_room) {
		const struct homa_rpc *rpc = g->slots[i].rpc;

		if (g->slots[i].due == HOMA_GRANT_IDLE) {
			i++;
			continue;
		}
		if (batch->count == HOMA_MAX_GRANTS) {
			tasklet_schedule(&g->tasklet);
			return;
		}
		grant_raise(g, i, batch);
		if (rpc->grant.state == HOMA_GRANT_FULL) {
			grant_promote(g);
			i = 0;
		}
	}
}

/* Pays the oldest message its share, if that is large enough, and used. What
 * could not be paid is forgotten, but for what a pass may add.
 */
static void grant_fifo(struct homa_grants *g, struct homa_grant_batch *batch)
{
	u32 step = READ_ONCE(g->hn->sysctl.fifo_grant_increment);
	u64 fraction = READ_ONCE(g->hn->sysctl.grant_fifo_fraction);
	u64 worth = 1000ull * step;
	struct homa_rpc *rpc;
	u32 offset;

	if (!step || !fraction)
		g->fifo_debt = 0;
	if (!g->fifo_debt || g->fifo_debt < worth ||
	    batch->count == HOMA_MAX_GRANTS)
		return;
	g->fifo_debt = min(g->fifo_debt, worth + fraction * max_incoming(g));
	while ((rpc = grant_fifo_next(g)) != NULL &&
	       outstanding(rpc) >= grant_window(g) + 2ull * step)
		grant_stall(g, rpc);
	if (!rpc)
		return;
	offset = min_t(u64, (u64)rpc->in.granted + step, rpc->in.length);
	homa_metric_add(g->hn, fifo_grant_bytes, offset - rpc->in.granted);
	tt_event(g->hn, GRANT_FIFO, homa_trace_id(rpc), offset);
	grant_give(g, rpc, offset,
		   homa_prio_sched(g->hn, 0, HOMA_MAX_PRIORITIES), batch);
	g->fifo_turn = (g->fifo_turn + 1) % GRANT_FIFO_TURNS;
}

/* Looks for active messages, outranking slot @end, that are silent though they
 * have grants; each has been overtaken by @bytes more.
 */
static void grant_overtake(struct homa_grants *g, int end, u32 bytes)
{
	s64 limit = max_incoming(g);
	int i;

	for (i = end - 1; i >= 0; i--) {
		struct homa_grant_slot *slot = &g->slots[i];
		u32 unused;

		slot->overtaken += bytes;
		if (slot->overtaken < GRANT_SILENT_FACTOR * limit)
			continue;
		slot->overtaken = 0;
		unused = outstanding(slot->rpc);
		if (unused && g->stalled + unused <= limit &&
		    (g->short_of_room || !RB_EMPTY_ROOT(&g->peers.rb_root)))
			grant_stall(g, slot->rpc);
	}
}

/* Bytes have arrived for an active message. */
static void slot_arrived(struct homa_grants *g, struct homa_rpc *rpc, u32 fresh)
{
	int i = slot_of(g, rpc);
	struct homa_grant_slot *slot = &g->slots[i];

	slot->left = rpc->grant.left;
	slot->overtaken = 0;
	slot->due = max(slot->due, HOMA_GRANT_DUE);
	i = slot_rise(g, i);
	grant_overtake(g, i, fresh);
}

/* Bytes have arrived; rpc->grant is brought up to date. */
static void grant_arrived(struct homa_grants *g, struct homa_rpc *rpc)
{
	u32 left = rpc->in.left, fresh = rpc->grant.left - left;

	switch (rpc->grant.state) {
	case HOMA_GRANT_NONE:
		rpc->grant.left = left;
		grant_count(g, 1);
		grant_enter(g, rpc);
		break;
	case HOMA_GRANT_WAITING:
		wait_erase(g, rpc);
		rpc->grant.left = left;
		grant_contend(g, rpc);
		break;
	case HOMA_GRANT_ACTIVE:
		rpc->grant.left = left;
		slot_arrived(g, rpc, fresh);
		break;
	case HOMA_GRANT_STALLED:
		grant_withdraw(g, rpc);
		rpc->grant.left = left;
		grant_enter(g, rpc);
		break;
	case HOMA_GRANT_FULL:
		rpc->grant.left = left;
		break;
	}
	grant_account(g, rpc);
	grant_set_look(rpc);
}

/* A message needs this file no more. */
static void grant_leave(struct homa_grants *g, struct homa_rpc *rpc)
{
	if (rpc->grant.state != HOMA_GRANT_NONE &&
	    rpc->grant.state != HOMA_GRANT_FULL)
		grant_count(g, -1);
	grant_withdraw(g, rpc);
	grant_uncount(g, rpc);
	rpc->grant.state = HOMA_GRANT_NONE;
}

static struct homa_grants *grants_of(const struct homa_rpc *rpc)
{
	return rpc->grant.dev ? &rpc->grant.dev->grants : NULL;
}

/* Ends what homa_grant_start() began. */
static void grant_end(struct homa_rpc *rpc)
{
	struct homa_dev *dev = rpc->grant.dev;

	spin_lock(&rpc->peer->lock);
	rpc->peer->grant.users--;
	rpc->grant.dev = NULL;
	spin_unlock(&rpc->peer->lock);
	homa_dev_put(dev);
}

/**
 * homa_grant_start() - an incoming message that needs grants begins
 * @rpc: RPC whose incoming message has started
 * @dev: device that it comes in by
 *
 * All messages of a sender are scheduled together, even if some come in by
 * another device.
 *
 * Context: rpc->lock held.
 */
void homa_grant_start(struct homa_rpc *rpc, struct homa_dev *dev)
{
	struct homa_grant_peer *peer = &rpc->peer->grant;

	lockdep_assert_held(&rpc->lock);
	rpc->grant.left = rpc->in.length;
	rpc->grant.look = U32_MAX;
	spin_lock(&rpc->peer->lock);
	if (!peer->users++)
		peer->dev = dev;
	rpc->grant.dev = peer->dev;
	homa_dev_hold(rpc->grant.dev);
	spin_unlock(&rpc->peer->lock);
}
EXPORT_SYMBOL_IF_KUNIT(homa_grant_start);

/**
 * homa_grant_update() - part of a message has arrived
 * @rpc: RPC with an incoming message that has buffer space
 * @batch: empty; result: grants for homa_grant_flush()
 *
 * Context: rpc->lock held.
 */
void homa_grant_update(struct homa_rpc *rpc, struct homa_grant_batch *batch)
{
	struct homa_grants *g = grants_of(rpc);
	bool done = !rpc->in.left;

	lockdep_assert_held(&rpc->lock);
	if (!g || rpc->in.left > READ_ONCE(rpc->grant.look))
		return;
	grants_lock(g);
	tt_event(g->hn, GRANT_CHECK_START, homa_trace_id(rpc), g->incoming);
	if (done)
		grant_leave(g, rpc);
	else
		grant_arrived(g, rpc);
	grant_fifo(g, batch);
	grant_serve(g, batch);
	tt_event(g->hn, GRANT_CHECK_DONE, batch->count, g->incoming);
	grants_unlock(g);
	if (done)
		grant_end(rpc);
}
EXPORT_SYMBOL_IF_KUNIT(homa_grant_update);

/**
 * homa_grant_silent() - a sender did not send what it may send
 * @rpc: RPC with an incoming message
 *
 * Context: rpc->lock held.
 * Return: true if what it was granted is less urgent than the best message, so
 * that its packets may just wait behind the other's
 */
bool homa_grant_silent(struct homa_rpc *rpc)
{
	struct homa_grants *g = grants_of(rpc);
	bool outranked;

	lockdep_assert_held(&rpc->lock);
	if (!g)
		return false;
	grants_lock(g);
	outranked = g->active && g->slots[0].rpc != rpc &&
		    outranks(g->slots[0].left, g->slots[0].rpc,
			     rpc->grant.left, rpc);
	if (rpc->grant.state == HOMA_GRANT_FULL)
		grant_uncount(g, rpc);
	else if ((rpc->grant.state == HOMA_GRANT_ACTIVE ||
		  rpc->grant.state == HOMA_GRANT_WAITING) && outstanding(rpc))
		grant_stall(g, rpc);
	if (g->count)
		tasklet_schedule(&g->tasklet);
	grants_unlock(g);
	return outranked;
}
EXPORT_SYMBOL_IF_KUNIT(homa_grant_silent);

/**
 * homa_grant_remove() - an RPC needs no more grants
 * @rpc: RPC
 *
 * Context: rpc->lock held.
 */
void homa_grant_remove(struct homa_rpc *rpc)
{
	struct homa_grants *g = grants_of(rpc);

	lockdep_assert_held(&rpc->lock);
	if (!g)
		return;
	grants_lock(g);
	grant_leave(g, rpc);
	if (g->count)
		tasklet_schedule(&g->tasklet);
	grants_unlock(g);
	grant_end(rpc);
}
EXPORT_SYMBOL_IF_KUNIT(homa_grant_remove);

/**
 * homa_grant_send() - send the grants that were decided upon; use homa_grant_flush()
 * @batch: from homa_grant_update(); empty afterwards
 *
 * Context: bottom halves off, no locks held.
 */
void homa_grant_send(struct homa_grant_batch *batch)
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
		trace_homa_grant_sent(g->rpc, g->offset, g->increment, g->prio);
	}
	homa_output_flush(&txq);
	while (batch->count)
		homa_rpc_put(batch->grants[--batch->count].rpc);
}
EXPORT_SYMBOL_IF_KUNIT(homa_grant_send);

static void grant_tasklet(struct tasklet_struct *t)
{
	struct homa_grants *g = from_tasklet(g, t, tasklet);
	struct homa_grant_batch batch = {};

	grants_lock(g);
	grant_fifo(g, &batch);
	grant_serve(g, &batch);
	grants_unlock(g);
	homa_grant_flush(&batch);
}

/**
 * homa_grant_init() - prepare a scheduler
 * @g: scheduler, all zeros
 * @hn: host
 *
 * Context: any.
 */
void homa_grant_init(struct homa_grants *g, struct homa_net *hn)
{
	g->hn = hn;
	spin_lock_init(&g->lock);
	tasklet_setup(&g->tasklet, grant_tasklet);
}
EXPORT_SYMBOL_IF_KUNIT(homa_grant_init);

/**
 * homa_grant_exit() - stop a scheduler that no message uses any more
 * @g: scheduler
 *
 * Context: process, sleeps.
 */
void homa_grant_exit(struct homa_grants *g)
{
	tasklet_kill(&g->tasklet);
}
EXPORT_SYMBOL_IF_KUNIT(homa_grant_exit);

/**
 * homa_grant_log() - write to the kernel log what has been granted
 * @dev: device; its net_device is there, too
 *
 * Context: process.
 */
void homa_grant_log(struct homa_dev *dev)
{
	struct homa_grants *g = &dev->grants;
	s64 incoming;

	spin_lock_bh(&g->lock);
	incoming = g->incoming;
	spin_unlock_bh(&g->lock);
	pr_info("%s: %lld bytes are granted that have not arrived\n",
		dev->ndev->name, incoming);
}
