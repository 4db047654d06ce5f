// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* The pacer: keeps the queue before a device short, so that the order of
 * messages is decided here and not there.
 *
 *	in the device = bytes given to IP that the device has not finished with
 *	a packet of a long message may go if in the device < limit
 *				   and modelled backlog <= max_nic_est_backlog_usecs
 *	otherwise its message waits: fewest bytes left first (SRPT), and of each
 *	1000 bytes pacer_fifo_fraction go to the oldest message
 *
 * Completions (sk_buff destructors) drive it: when there is room again a
 * tasklet sends from the message whose turn it is, packet by packet. They also
 * tell what the limit is (inflight.c). The backlog is modelled only where the
 * speed of the link is known (dev.c), for devices that say to be done with
 * packets before they are; its end comes with a timer. Bytes are those on the
 * wire. Messages below defer_min_bytes, and control packets, never wait, but they
 * count.
 *
 * Packets may be held back where nobody completes them for seconds, for instance
 * until a neighbour answers. When nothing has been completed for a while, what is
 * in the device counts no more, and for some time the device may have much more
 * than it needs, so that one dead neighbour does not stop all other messages.
 *
 * Each device of a host has a pacer of its own.
 */
#include <kunit/visibility.h>
#include <linux/netdevice.h>

#include "dev.h"
#include "output.h"
#include "rpc.h"
#include "trace.h"

/* Highest limit where the speed of the device is unknown: what a device of 100
 * Gb/s needs that reports completions every 10 us, twice.
 */
#define PACER_MAX_BYTES (1 << 18)

/* Time without a completion after which packets count as stuck; the limit from
 * then on, and for how long. It is room for some packets to hosts that do not
 * answer, and not so much that short messages wait for long.
 */
#define PACER_STALL_JIFFIES (1 + HZ / 500)
#define PACER_RELAXED_BYTES 32768
#define PACER_RELAXED_JIFFIES HZ

/* Packets that are sent before other softirqs have a turn. */
#define PACER_BUDGET 32

/* Packets that were passed on, less those that were not, of which at most so many
 * are remembered; and how many make us believe that a device passes all on. Not
 * all are even then: a neighbour may not answer.
 */
#define PACER_PASSES 64
#define PACER_PASSES_BELIEVED 4

/* Messages of a device that are listed when somebody asks. */
#define PACER_LOGGED 20

/* What a link's modelled backlog is at most: its speed may have been set to
 * something wrong for a moment.
 */
#define PACER_MAX_BACKLOG_NS NSEC_PER_SEC

/* Bytes in the device that count. Completions are read first, or they could be
 * of packets that are not counted as queued.
 */
static s64 pacer_outstanding(const struct homa_pacer *pacer)
{
	s64 completed = atomic64_read(&pacer->completed);

	smp_rmb();	/* pairs with a packet's way through the device */
	return atomic64_read(&pacer->queued) - completed -
	       READ_ONCE(pacer->forgiven);
}

/**
 * homa_link_wait() - time until a link's modelled backlog is short enough
 * @dev: device
 * @idle_ns: time when the link will have sent what was charged, see homa_link_charge()
 *
 * Context: any.
 * Return: ns; 0: it is short enough, or the speed of the link is not known
 */
u64 homa_link_wait(const struct homa_dev *dev, const atomic64_t *idle_ns)
{
	const struct homa_net *hn = dev->hn;
	u64 allowed, now;

	if (!homa_dev_mbps(dev) || READ_ONCE(dev->gone))
		return 0;
	now = homa_now();
	allowed = now + NSEC_PER_USEC *
			(u64)READ_ONCE(hn->sysctl.max_nic_est_backlog_usecs);
	return max_t(s64, atomic64_read(idle_ns) - allowed, 0);
}

static u64 pacer_backlog_wait(const struct homa_dev *dev)
{
	if (READ_ONCE(dev->pacer.behind_homa))
		return 0;	/* the qdisc has a model of its own */
	return homa_link_wait(dev, &dev->pacer.idle_ns);
}

/* Bytes of the longest packet, on the wire. */
static u32 pacer_packet(const struct homa_dev *dev)
{
	return READ_ONCE(dev->mtu) + HOMA_FRAME_OVERHEAD;
}

/* Highest limit for bytes in the device; never less than for two packets. */
static u32 pacer_max(const struct homa_dev *dev)
{
	u64 usecs = READ_ONCE(dev->hn->sysctl.max_nic_queue_usecs);
	u64 mbps = homa_dev_mbps(dev);

	if (!mbps)
		return PACER_MAX_BYTES;
	return clamp_t(u64, mbps * usecs / 8, pacer_packet(dev) + 1,
		       INT_MAX / 2);
}

/* Bytes that a device may have. One without a queue that only passes on what it
 * gets, to a host on the same machine, makes nothing wait. What waits in our qdisc
 * is in order there, and must be enough for Homa's share.
 */
static u32 pacer_limit(const struct homa_dev *dev)
{
	const struct homa_pacer *pacer = &dev->pacer;

	if (READ_ONCE(pacer->behind_homa) && homa_dev_mbps(dev))
		return pacer_max(dev);
	if (READ_ONCE(pacer->passes) >= PACER_PASSES_BELIEVED &&
	    !READ_ONCE(pacer->behind_queue))
		return PACER_MAX_BYTES;
	return min(READ_ONCE(pacer->inflight.limit), pacer_max(dev));
}

static bool pacer_full(const struct homa_dev *dev)
{
	const struct homa_pacer *pacer = &dev->pacer;
	u32 limit = pacer_limit(dev);

	if (READ_ONCE(dev->gone))
		return false;
	if (READ_ONCE(pacer->relaxed))
		limit = max_t(u32, limit, PACER_RELAXED_BYTES);
	return pacer_outstanding(pacer) >= limit;
}

/**
 * homa_pacer_frame() - how long a frame of several packets may be
 * @dev: device
 *
 * A frame cannot be overtaken by shorter messages, so it must not be longer than
 * what the device may have anyway.
 *
 * Context: any.
 * Return: bytes
 */
u32 homa_pacer_frame(const struct homa_dev *dev)
{
	const struct homa_net *hn = dev->hn;
	u32 mbps = homa_dev_mbps(dev);

	if (READ_ONCE(hn->sysctl.flags) & HOMA_FLAG_DONT_THROTTLE)
		return U32_MAX;
	if (!mbps)
		return pacer_limit(dev);
	return min_t(u64, U32_MAX,
		     (u64)mbps * READ_ONCE(hn->sysctl.max_nic_est_backlog_usecs) / 8);
}

/**
 * homa_pacer_queue() - a packet is about to be given to IP
 * @dev: its device
 * @queue: the device has a queue, where packets may wait
 * @homa: it is our own, see qdisc.c
 *
 * Context: any.
 */
void homa_pacer_queue(struct homa_dev *dev, bool queue, bool homa)
{
	if (READ_ONCE(dev->pacer.behind_queue) != queue)
		WRITE_ONCE(dev->pacer.behind_queue, queue);
	if (READ_ONCE(dev->pacer.behind_homa) != homa)
		WRITE_ONCE(dev->pacer.behind_homa, homa);
}

/**
 * homa_link_charge() - a packet is on its way to a link whose backlog is modelled
 * @dev: device
 * @idle_ns: moves on by the time that the packet takes
 * @bytes: on the wire
 *
 * Context: any.
 */
void homa_link_charge(struct homa_dev *dev, atomic64_t *idle_ns, u32 bytes)
{
	struct homa_net *hn = dev->hn;
	u32 mbps = homa_dev_mbps(dev);
	s64 now, cost, idle, new;

	if (!mbps)
		return;
	now = homa_now();
	cost = div_u64(bytes * 8ULL * 1000 * 100,
		       mbps * (u32)READ_ONCE(hn->sysctl.max_link_usage));
	idle = atomic64_read(idle_ns);
	for (;;) {
		new = min_t(s64, max(idle, now) + cost,
			    now + PACER_MAX_BACKLOG_NS);
		if (atomic64_try_cmpxchg(idle_ns, &idle, new))
			return;
		homa_metric_inc(hn, idle_time_conflicts);
	}
}

/**
 * homa_pacer_charge() - a packet is on its way to a device
 * @dev: device
 * @bytes: on the wire
 *
 * Context: any.
 */
void homa_pacer_charge(struct homa_dev *dev, u32 bytes)
{
	atomic64_add(bytes, &dev->pacer.queued);
	homa_link_charge(dev, &dev->pacer.idle_ns, bytes);
}
EXPORT_SYMBOL_IF_KUNIT(homa_pacer_charge);

static void pacer_lock(struct homa_dev *dev) __acquires(&dev->pacer.lock)
{
	u64 start;

	if (spin_trylock(&dev->pacer.lock))
		return;
	start = homa_now();
	tt_event(dev->hn, LOCK_MISSED, HOMA_LOCK_PACER);
	spin_lock(&dev->pacer.lock);
	start = homa_now() - start;
	tt_event(dev->hn, LOCK_TAKEN, HOMA_LOCK_PACER, start);
	homa_metric_inc(dev->hn, throttle_lock_misses);
	homa_metric_add(dev->hn, throttle_lock_miss_cycles, start);
}

static void pacer_unlock(struct homa_dev *dev) __releases(&dev->pacer.lock)
{
	spin_unlock(&dev->pacer.lock);
}

static bool pacer_older(struct rb_node *a, const struct rb_node *b)
{
	const struct homa_rpc *x = rb_entry(a, struct homa_rpc, pacer_age);
	const struct homa_rpc *y = rb_entry(b, struct homa_rpc, pacer_age);

	return x->created < y->created;
}

static bool pacer_before(struct rb_node *a, const struct rb_node *b)
{
	const struct homa_rpc *x = rb_entry(a, struct homa_rpc, pacer_node);
	const struct homa_rpc *y = rb_entry(b, struct homa_rpc, pacer_node);

	homa_metric_inc(x->hn, throttle_list_checks);
	if (x->pacer_left != y->pacer_left)
		return x->pacer_left < y->pacer_left;
	return x->created < y->created;
}

static void pacer_first_waits(struct homa_pacer *pacer)
{
	pacer->backlog_ns = homa_now();
	if (!timer_pending(&pacer->timer))
		mod_timer(&pacer->timer, jiffies + PACER_STALL_JIFFIES);
}

/* Puts a message in the tree, or where it belongs by now. */
static void pacer_add(struct homa_rpc *rpc)
{
	struct homa_pacer *pacer = &rpc->dev->pacer;
	bool new = RB_EMPTY_NODE(&rpc->pacer_node);
	u32 left = homa_msgout_left(&rpc->out);

	if (!new && rpc->pacer_left == left)
		return;
	pacer_lock(rpc->dev);
	if (!new)
		rb_erase_cached(&rpc->pacer_node, &pacer->tree);
	else if (RB_EMPTY_ROOT(&pacer->tree.rb_root))
		pacer_first_waits(pacer);
	rpc->pacer_left = left;
	rb_add_cached(&rpc->pacer_node, &pacer->tree, pacer_before);
	if (new)
		rb_add_cached(&rpc->pacer_age, &pacer->ages, pacer_older);
	pacer_unlock(rpc->dev);
	if (!new)
		return;
	homa_metric_inc(rpc->hn, throttle_list_adds);
	tt_event(rpc->hn, PACER_DEFER, homa_trace_id(rpc), rpc->out.next,
		 pacer_outstanding(pacer), READ_ONCE(pacer->inflight.limit));
	trace_homa_pacer_wait(rpc, pacer_outstanding(pacer));
}

/**
 * homa_pacer_remove() - a message does not wait any more
 * @rpc: RPC
 *
 * Context: rpc->lock held.
 */
void homa_pacer_remove(struct homa_rpc *rpc)
{
	struct homa_pacer *pacer;

	lockdep_assert_held(&rpc->lock);
	if (RB_EMPTY_NODE(&rpc->pacer_node))
		return;
	pacer = &rpc->dev->pacer;
	pacer_lock(rpc->dev);
	rb_erase_cached(&rpc->pacer_node, &pacer->tree);
	RB_CLEAR_NODE(&rpc->pacer_node);
	rb_erase_cached(&rpc->pacer_age, &pacer->ages);
	if (RB_EMPTY_ROOT(&pacer->tree.rb_root))
		homa_metric_add(rpc->hn, nic_backlog_cycles,
				homa_now() - pacer->backlog_ns);
	pacer_unlock(rpc->dev);
	trace_homa_pacer_done(rpc, pacer_outstanding(pacer));
}
EXPORT_SYMBOL_IF_KUNIT(homa_pacer_remove);

/* Looks after messages that wait though the device is not full. */
static void pacer_wake(struct homa_dev *dev)
{
	u64 wait = pacer_backlog_wait(dev);

	if (!wait)
		tasklet_schedule(&dev->pacer.tasklet);
	else if (!hrtimer_is_queued(&dev->pacer.hrtimer))
		hrtimer_start(&dev->pacer.hrtimer, ns_to_ktime(wait),
			      HRTIMER_MODE_REL);
}

/**
 * homa_pacer_defer() - must a message's next packet wait?
 * @rpc: RPC with an outgoing message and a valid route
 * @paced: it is this message's turn
 *
 * Context: rpc->lock held.
 * Return: true if it must; the pacer will call homa_msgout_pump()
 */
bool homa_pacer_defer(struct homa_rpc *rpc, bool paced)
{
	struct homa_net *hn = rpc->hn;
	struct homa_dev *dev = rpc->dev;

	lockdep_assert_held(&rpc->lock);
	if (rpc->out.length < READ_ONCE(hn->sysctl.defer_min_bytes) ||
	    READ_ONCE(hn->sysctl.flags) & HOMA_FLAG_DONT_THROTTLE)
		return false;
	if ((paced || RB_EMPTY_ROOT(&dev->pacer.tree.rb_root)) &&
	    !pacer_full(dev) && !pacer_backlog_wait(dev))
		return false;
	pacer_add(rpc);

	/* The device may have finished before the message was in the tree. */
	smp_mb();	/* pairs with homa_pacer_completed() */
	if (!pacer_full(dev))
		pacer_wake(dev);
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(homa_pacer_defer);

/* Several cores may count at a time: it is no more than a hint. */
static void pacer_note_pass(struct homa_pacer *pacer, bool passed)
{
	int passes = READ_ONCE(pacer->passes);

	if (passed && passes < PACER_PASSES)
		WRITE_ONCE(pacer->passes, passes + 1);
	else if (!passed && passes)
		WRITE_ONCE(pacer->passes, passes - 1);
}

/**
 * homa_pacer_completed() - a device has finished with a packet
 * @dev: device
 * @bytes: as charged
 * @passed: it was passed on to a host on the same machine
 *
 * Context: any but hard interrupts; locks of the network stack may be held.
 */
void homa_pacer_completed(struct homa_dev *dev, u32 bytes, bool passed)
{
	struct homa_pacer *pacer = &dev->pacer;
	s64 excess;

	pacer_note_pass(pacer, passed);

	atomic64_add(bytes, &pacer->completed);
	if (READ_ONCE(pacer->last_completed) != jiffies)
		WRITE_ONCE(pacer->last_completed, jiffies);
	if (unlikely(READ_ONCE(pacer->forgiven))) {
		excess = -pacer_outstanding(pacer);
		if (excess > 0)
			WRITE_ONCE(pacer->forgiven,
				   max(READ_ONCE(pacer->forgiven) - excess, 0LL));
	}
	smp_mb();	/* pairs with homa_pacer_defer() */
	if (!RB_EMPTY_ROOT(&pacer->tree.rb_root) && !pacer_full(dev))
		tasklet_schedule(&pacer->tasklet);
}
EXPORT_SYMBOL_IF_KUNIT(homa_pacer_completed);

/* The message whose turn it is, with a reference, or NULL. */
static struct homa_rpc *pacer_next(struct homa_dev *dev, bool fifo)
{
	struct homa_pacer *pacer = &dev->pacer;
	struct homa_rpc *rpc = NULL;
	struct rb_node *node;

	pacer_lock(dev);
	node = rb_first_cached(fifo ? &pacer->ages : &pacer->tree);
	if (node) {
		if (fifo)
			rpc = rb_entry(node, struct homa_rpc, pacer_age);
		else
			rpc = rb_entry(node, struct homa_rpc, pacer_node);
		homa_rpc_get(rpc);
	}
	pacer_unlock(dev);
	return rpc;
}

/* Is it the turn of the oldest message? */
static bool pacer_fifo_turn(struct homa_dev *dev)
{
	return dev->pacer.srpt_budget <= 0 &&
	       READ_ONCE(dev->hn->sysctl.pacer_fifo_fraction);
}

/* Counts what was sent in one turn. */
static void pacer_account(struct homa_dev *dev, struct sk_buff_head *txq,
			  bool fifo)
{
	int fraction = READ_ONCE(dev->hn->sysctl.pacer_fifo_fraction);
	struct homa_pacer *pacer = &dev->pacer;
	struct homa_net *hn = dev->hn;
	struct sk_buff *skb;
	s64 bytes = 0;

	skb_queue_walk(txq, skb)
		bytes += skb->len;
	homa_metric_add(hn, pacer_homa_packets, skb_queue_len(txq));
	homa_metric_add(hn, pacer_homa_bytes, bytes);
	if (fifo)
		homa_metric_add(hn, pacer_fifo_bytes, bytes);
	if (!fraction)
		pacer->srpt_budget = 0;
	else if (fifo)
		pacer->srpt_budget += div_s64(bytes * (1000 - fraction),
					      fraction);
	else
		pacer->srpt_budget -= bytes;
}

/* Sends a packet of the message whose turn it is; false if none waits. */
static bool pacer_turn(struct homa_dev *dev)
{
	bool fifo = pacer_fifo_turn(dev);
	struct homa_rpc *rpc = pacer_next(dev, fifo);
	struct sk_buff_head txq;
	u64 start;

	if (!rpc)
		return false;
	__skb_queue_head_init(&txq);
	spin_lock(&rpc->lock);
	if (rpc->state == HOMA_DEAD || rpc->error)
		homa_pacer_remove(rpc);
	else if (rpc->dev == dev)	/* it may have moved to another */
		homa_msgout_pump(rpc, true, &txq);
	tt_event(rpc->hn, PACER_XMIT, homa_trace_id(rpc), rpc->out.next,
		 homa_msgout_left(&rpc->out), fifo);
	spin_unlock(&rpc->lock);
	pacer_account(dev, &txq, fifo);
	start = homa_now();
	homa_output_flush(&txq);
	homa_metric_add(dev->hn, pacer_xmit_cycles, homa_now() - start);
	homa_rpc_put(rpc);
	return true;
}

/* Learns from what was completed since the last time. */
static void pacer_learn(struct homa_dev *dev, u64 now)
{
	struct homa_pacer *pacer = &dev->pacer;
	u64 completed = atomic64_read(&pacer->completed);

	smp_rmb();	/* see pacer_outstanding() */
	homa_inflight_completed(&pacer->inflight, now,
				atomic64_read(&pacer->queued), completed,
				pacer_packet(dev), pacer_max(dev));
}

static void pacer_run(struct tasklet_struct *t)
{
	struct homa_dev *dev = from_tasklet(dev, t, pacer.tasklet);
	struct homa_pacer *pacer = &dev->pacer;
	int budget = PACER_BUDGET;
	u64 start = homa_now();
	bool full;

	pacer_learn(dev, start);
	do {
		full = pacer_full(dev);
	} while (!full && !pacer_backlog_wait(dev) && budget-- &&
		 pacer_turn(dev));
	if (!RB_EMPTY_ROOT(&pacer->tree.rb_root)) {
		if (!full)
			pacer_wake(dev);
		pacer->inflight.blocked = full && !READ_ONCE(pacer->forgiven) &&
					  !READ_ONCE(pacer->relaxed);
	}
	homa_metric_add(dev->hn, pacer_cycles, homa_now() - start);
}

static enum hrtimer_restart pacer_hrtimer(struct hrtimer *t)
{
	struct homa_pacer *pacer = container_of(t, struct homa_pacer, hrtimer);

	tasklet_schedule(&pacer->tasklet);
	return HRTIMER_NORESTART;
}

/* Nothing was completed for a while though messages wait. */
static void pacer_stalled(struct homa_dev *dev)
{
	struct homa_pacer *pacer = &dev->pacer;
	s64 forgiven = READ_ONCE(pacer->forgiven) + pacer_outstanding(pacer);

	WRITE_ONCE(pacer->forgiven, max(forgiven, 0LL));
	pacer->relaxed_until = jiffies + PACER_RELAXED_JIFFIES;
	WRITE_ONCE(pacer->relaxed, true);
	homa_metric_inc(dev->hn, pacer_stalls);
	tasklet_schedule(&pacer->tasklet);
}

/* Looks after messages that wait; runs only while there are some. */
static void pacer_timer(struct timer_list *t)
{
	struct homa_dev *dev = timer_container_of(dev, t, pacer.timer);
	struct homa_pacer *pacer = &dev->pacer;

	if (pacer->relaxed && time_after_eq(jiffies, pacer->relaxed_until))
		WRITE_ONCE(pacer->relaxed, false);
	pacer_lock(dev);
	if (!RB_EMPTY_ROOT(&pacer->tree.rb_root)) {
		if (time_after_eq(jiffies, READ_ONCE(pacer->last_completed) +
					   PACER_STALL_JIFFIES))
			pacer_stalled(dev);
		mod_timer(&pacer->timer, jiffies + PACER_STALL_JIFFIES);
	}
	pacer_unlock(dev);
}

/**
 * homa_pacer_dev_init() - prepare a device's pacer
 * @dev: device
 *
 * Context: any.
 */
void homa_pacer_dev_init(struct homa_dev *dev)
{
	struct homa_pacer *pacer = &dev->pacer;

	spin_lock_init(&pacer->lock);
	pacer->tree = RB_ROOT_CACHED;
	pacer->ages = RB_ROOT_CACHED;
	pacer->last_completed = jiffies;
	homa_inflight_init(&pacer->inflight);
	timer_setup(&pacer->timer, pacer_timer, 0);
	hrtimer_setup(&pacer->hrtimer, pacer_hrtimer, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL);
	tasklet_setup(&pacer->tasklet, pacer_run);
}
EXPORT_SYMBOL_IF_KUNIT(homa_pacer_dev_init);

/**
 * homa_pacer_dev_gone() - a device has left the host
 * @dev: device; gone
 *
 * Nothing waits for it any more: who did looks for another route.
 *
 * Context: any; the caller has a reference to @dev.
 */
void homa_pacer_dev_gone(struct homa_dev *dev)
{
	tasklet_schedule(&dev->pacer.tasklet);
}
EXPORT_SYMBOL_IF_KUNIT(homa_pacer_dev_gone);

/**
 * homa_pacer_dev_exit() - stop a device's pacer
 * @dev: device; neither packets nor RPCs refer to it
 *
 * Context: process, sleeps.
 */
void homa_pacer_dev_exit(struct homa_dev *dev)
{
	timer_delete_sync(&dev->pacer.timer);
	hrtimer_cancel(&dev->pacer.hrtimer);
	tasklet_kill(&dev->pacer.tasklet);
}
EXPORT_SYMBOL_IF_KUNIT(homa_pacer_dev_exit);

/**
 * homa_pacer_log() - write to the kernel log what waits for a device
 * @dev: device; its net_device is there, too
 *
 * Context: process.
 */
void homa_pacer_log(struct homa_dev *dev)
{
	u64 ids[PACER_LOGGED], bytes = 0;
	struct homa_pacer *pacer = &dev->pacer;
	u32 left[PACER_LOGGED], count = 0, i;
	struct rb_node *node;
	struct homa_rpc *rpc;

	spin_lock_bh(&pacer->lock);
	for (node = rb_first_cached(&pacer->tree); node; node = rb_next(node)) {
		rpc = rb_entry(node, struct homa_rpc, pacer_node);
		if (count < PACER_LOGGED) {
			ids[count] = rpc->key.id;
			left[count] = rpc->pacer_left;
		}
		bytes += rpc->pacer_left;
		count++;
	}
	spin_unlock_bh(&pacer->lock);
	pr_info("%s: %u messages wait, with %llu bytes\n", dev->ndev->name,
		count, bytes);
	for (i = 0; i < min_t(u32, count, PACER_LOGGED); i++)
		pr_info("RPC %llu has %u bytes that wait\n", ids[i], left[i]);
}
