// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Losses: which bytes will not come any more, found long before silence tells.
 *
 * To wait for silence costs milliseconds. But a network that keeps the order of
 * packets of one priority lets packets be overtaken only by more urgent ones. So
 * when packets have come after a gap and were not more urgent than the gap's
 * bytes may be, these bytes are lost. Hosts and networks with several paths do
 * not quite keep the order, so some time must have passed: reorder_usecs if
 * there were several such packets, a few times that if there was only one.
 *
 * What was asked for may be lost again: it is asked for some more times, at
 * intervals that double. Then the timer of the RPC takes over (timer.c).
 *
 * A message has a timer of high resolution for that, which runs only while there
 * are gaps. A pending timer holds a reference.
 */
#include <kunit/visibility.h>

#include "freeze.h"
#include "loss.h"
#include "output.h"
#include "prio.h"
#include "rpc.h"

/* Packets after a gap that prove it to be a loss: two could have changed places
 * on one path. Fewer do if so many times reorder_usecs have passed.
 */
#define LOSS_PACKETS 3
#define LOSS_PATIENCE 4

/* Times that a gap is asked for, and what the first interval is at least. */
#define LOSS_TRIES 4
#define LOSS_RETRY_NSECS 250000ull

/* Time of the next request for a gap; U64_MAX: nothing shows that it is lost. */
static u64 gap_due(const struct homa_rpc *rpc, const struct homa_gap *gap)
{
	u64 reorder = NSEC_PER_USEC *
		      (u64)READ_ONCE(rpc->hn->sysctl.reorder_usecs);
	u32 later = rpc->in.later - gap->seen;

	if (gap->asked >= LOSS_TRIES)
		return U64_MAX;
	if (gap->asked)
		return gap->since + (LOSS_RETRY_NSECS << (gap->asked - 1));
	if (!later)
		return U64_MAX;
	return gap->since + (later >= LOSS_PACKETS ? reorder :
						     LOSS_PATIENCE * reorder);
}

/* Asks for what is lost. Returns when to look again; U64_MAX: when more comes. */
static u64 loss_look(struct homa_rpc *rpc, u64 now, struct sk_buff_head *txq)
{
	struct homa_gap *gap;
	u64 next = U64_MAX;

	list_for_each_entry(gap, &rpc->in.gaps, links) {
		if (gap_due(rpc, gap) <= now) {
			gap->asked++;
			gap->since = now;
			homa_metric_inc(rpc->hn, early_resends);
			homa_freeze_on(rpc, HOMA_FREEZE_PACKET_LOST);
			homa_output_resend(rpc, gap->start,
					   gap->end - gap->start,
					   homa_prio_highest(rpc->hn), txq);
		}
		next = min(next, gap_due(rpc, gap));
	}
	return next;
}

static enum hrtimer_restart loss_fired(struct hrtimer *t);

/* Lets the timer fire, if it does not run. Most RPCs never need it. */
static void loss_arm(struct homa_rpc *rpc, u64 delay)
{
	lockdep_assert_held(&rpc->lock);
	if (rpc->loss_timer_set && hrtimer_is_queued(&rpc->loss_timer))
		return;
	if (!rpc->loss_timer_set)
		hrtimer_setup(&rpc->loss_timer, loss_fired, CLOCK_MONOTONIC,
			      HRTIMER_MODE_REL_SOFT);
	rpc->loss_timer_set = true;
	homa_rpc_get(rpc);
	hrtimer_start(&rpc->loss_timer, ns_to_ktime(delay),
		      HRTIMER_MODE_REL_SOFT);
}

static enum hrtimer_restart loss_fired(struct hrtimer *t)
{
	struct homa_rpc *rpc = container_of(t, struct homa_rpc, loss_timer);
	struct sk_buff_head txq;
	u64 now = homa_now();

	__skb_queue_head_init(&txq);
	spin_lock(&rpc->lock);
	if (rpc->state == HOMA_INCOMING && !rpc->error) {
		u64 next = loss_look(rpc, now, &txq);

		/* In time for gaps that appear meanwhile. */
		if (next != U64_MAX)
			loss_arm(rpc, min(next - now, LOSS_RETRY_NSECS));
	}
	spin_unlock(&rpc->lock);
	homa_output_flush(&txq);
	homa_rpc_put(rpc);
	return HRTIMER_NORESTART;
}

/**
 * homa_loss_arrived() - packets have been added to the end of a message
 * @rpc: RPC; the packets were not sent again
 * @level: their priority, as in IP headers
 * @packets: how many
 *
 * Context: rpc->lock held.
 */
void homa_loss_arrived(struct homa_rpc *rpc, u8 level, u32 packets)
{
	struct homa_msgin *in = &rpc->in;

	lockdep_assert_held(&rpc->lock);
	if (level < in->level)
		in->level = level;
	if (level > in->level)
		return;
	in->later += packets;
	if (list_empty(&in->gaps))
		homa_msgin_next_level(in);
	else
		loss_arm(rpc, NSEC_PER_USEC *
			 (u64)READ_ONCE(rpc->hn->sysctl.reorder_usecs));
}
EXPORT_SYMBOL_IF_KUNIT(homa_loss_arrived);

/**
 * homa_loss_cancel() - nothing of a message is missing, or nobody cares
 * @rpc: RPC
 *
 * Context: rpc->lock held; the caller has a reference.
 */
void homa_loss_cancel(struct homa_rpc *rpc)
{
	lockdep_assert_held(&rpc->lock);
	if (rpc->loss_timer_set && hrtimer_is_queued(&rpc->loss_timer) &&
	    hrtimer_try_to_cancel(&rpc->loss_timer) == 1)
		refcount_dec(&rpc->refs);	/* never the last one */
}
