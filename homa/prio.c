// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Priorities: which of the network's levels a packet uses.
 *
 * Levels are 0 to num_priorities - 1, the highest is the most urgent. The
 * upper ones are for unscheduled packets, by message length: the receiver of a
 * message says with its cutoffs where one level ends and the next begins. The
 * lower ones are for scheduled packets; each grant names one. Control packets
 * use the highest.
 *
 *	cutoffs  [7] 200  [6] 2800  [5] 15000  [4] 1000000 | [3] ... [0]
 *		  shortest messages -> longest             | scheduled
 *
 * Unless the user sets them, a host computes its cutoffs from the messages that
 * it has received (SIGCOMM'18, section 3.4):
 *
 *	unscheduled levels = num_priorities * unscheduled bytes / all bytes,
 *			     rounded; at least half of all, and at least one
 *			     is left for scheduled packets
 *	cutoffs: each of these levels gets the same number of unscheduled bytes
 *
 * The paper has no such half: most bytes of W4 and W5 are scheduled, so all
 * unscheduled ones share a level. But there a message begins with 10 kB, here with
 * unsched_bytes, 40 kB, and short messages must not queue behind several of
 * those. The tail of W5 is a third shorter for it, and scheduled messages do as
 * well with half of the levels (perf/perf.txt, 3).
 *
 * The end of a message that is granted has at least the level that its beginning
 * had, see grant.c.
 *
 * Each core counts for itself. From time to time, and only while messages come
 * in, a work item adds up; what is old counts less and less. New cutoffs replace
 * the old ones only where that matters, for each change must be told to
 * all peers.
 *
 * In a packet a level is three bits: the upper three of the DSCP.
 */
#include <kunit/visibility.h>
#include <linux/bitops.h>
#include <linux/math64.h>
#include <linux/percpu.h>

#include "prio.h"
#include "rpc.h"
#include "wire.h"

/* Messages that must have come before anything is concluded from them. */
#define PRIO_MIN_MESSAGES 100

/* When the weights say this many messages, or when that many ms have passed,
 * the past is made half as heavy. The number is what it takes to see one
 * message in a thousand often enough; the time lets a quiet host adapt, too.
 */
#define PRIO_MEMORY 65536
#define PRIO_MAX_AGE_MS 10000

/* Time between two looks, which doubles each time: a new host learns quickly,
 * and one with hundreds of cores does not add up counters all the time.
 */
#define PRIO_MIN_INTERVAL_MS 8
#define PRIO_MAX_INTERVAL_MS 256

/* The number of unscheduled levels changes if another one is better by more
 * than rounding alone: hundredths of a level.
 */
#define PRIO_LEVELS_SLACK 75

/* Cutoffs change if the busiest level gets this many percent of what it would
 * get with new ones.
 */
#define PRIO_MAX_IMBALANCE 125

/* Cutoffs until enough messages have come, for four unscheduled levels. */
static const int prio_ladder[] = { 200, 2800, 15000, HOMA_MAX_MESSAGE_LENGTH };

/* Lengths below 16 have a bucket each, then 8 buckets each power of 2. */
static int prio_bucket(u32 length)
{
	int shift = max(fls(length) - 4, 0);

	return (shift << 3) + (length >> shift);
}

/* The longest message of a bucket. */
static int prio_bucket_max(int bucket)
{
	int shift = max(bucket / 8 - 1, 0);

	return ((bucket - (shift << 3) + 1) << shift) - 1;
}

/**
 * homa_prio_observe() - a message has arrived
 * @hn: host
 * @length: bytes in the message, at least 1; for cutoffs all large ones are alike
 * @unsched: how many of them came without grants
 *
 * Context: bottom halves off.
 */
void homa_prio_observe(struct homa_net *hn, u32 length, u32 unsched)
{
	struct homa_prio *p = &hn->prio;

	this_cpu_inc(p->counts->messages);
	this_cpu_add(p->counts->scheduled, (u64)length - unsched);
	length = min_t(u32, length, HOMA_MAX_MESSAGE_LENGTH);
	this_cpu_add(p->counts->unsched[prio_bucket(length)], (u64)unsched);
	if (time_before(jiffies, READ_ONCE(p->next)) ||
	    !READ_ONCE(hn->sysctl.auto_cutoffs))
		return;
	WRITE_ONCE(p->next, jiffies + READ_ONCE(p->interval));
	schedule_work(&p->work);
}
EXPORT_SYMBOL_IF_KUNIT(homa_prio_observe);

#define PRIO_NUM_COUNTS (sizeof(struct homa_prio_counts) / sizeof(u64))

static void prio_halve(struct homa_prio_counts *weights)
{
	u64 *w = (u64 *)weights;
	int i;

	for (i = 0; i < PRIO_NUM_COUNTS; i++)
		w[i] /= 2;
}

/* Adds to the weights what has been counted since the last time. */
static void prio_add_up(struct homa_prio *p)
{
	u64 *weights = (u64 *)&p->weights;
	u64 *seen = (u64 *)&p->seen;
	int i, cpu;

	for (i = 0; i < PRIO_NUM_COUNTS; i++) {
		u64 sum = 0;

		for_each_possible_cpu(cpu)
			sum += READ_ONCE(((u64 *)per_cpu_ptr(p->counts, cpu))[i]);
		weights[i] += sum - seen[i];
		seen[i] = sum;
	}
	if (time_after(jiffies, p->halved + msecs_to_jiffies(PRIO_MAX_AGE_MS)) &&
	    p->weights.messages >= 2 * PRIO_MIN_MESSAGES) {
		prio_halve(&p->weights);
		p->halved = jiffies;
	}
	while (p->weights.messages >= PRIO_MEMORY) {
		prio_halve(&p->weights);
		p->halved = jiffies;
	}
}

static u64 prio_unsched_bytes(const struct homa_prio_counts *w)
{
	u64 sum = 0;
	int i;

	for (i = 0; i < HOMA_PRIO_BUCKETS; i++)
		sum += w->unsched[i];
	return sum;
}

/* How many of @num levels unscheduled packets should have, if possible; @old is
 * kept if it is nearly right.
 */
static int prio_num_levels(const struct homa_prio_counts *w, int num, int old)
{
	u64 unsched = prio_unsched_bytes(w);
	u64 total = max(unsched + w->scheduled, 1ULL);
	int percent = div64_u64(unsched * num * 100, total);

	if (!old || abs(percent - 100 * old) > PRIO_LEVELS_SLACK)
		old = DIV_ROUND_CLOSEST(percent, 100);
	return clamp(old, max(num / 2, 1), max(num - 1, 1));
}

/* The first bucket at or after @from with which a level has had its share. If
 * it would then have more too much than it lacks now, the one before it.
 */
static int prio_level_end(const struct homa_prio_counts *w, int from, u64 share)
{
	u64 bytes = 0;
	int i;

	for (i = from; i < HOMA_PRIO_BUCKETS - 1; i++) {
		u64 more = w->unsched[i];

		if (bytes && bytes + more > share &&
		    share - bytes < bytes + more - share)
			return i - 1;
		bytes += more;
		if (bytes >= share)
			break;
	}
	return i;
}

/* Shares unscheduled bytes out among the upper @levels of @num. Levels that no
 * message would use are left to scheduled packets, but for one for messages
 * that are longer than any so far.
 */
static void prio_split(const struct homa_prio_counts *w, int num, int levels,
		       int *cutoffs)
{
	u64 left = prio_unsched_bytes(w);
	int i = num - 1, bucket = 0;

	memset(cutoffs, 0, HOMA_MAX_PRIORITIES * sizeof(*cutoffs));
	for (; levels > 1 && left; levels--) {
		int end = prio_level_end(w, bucket,
					 DIV_ROUND_UP_ULL(left, levels));

		if (prio_bucket_max(end) >= HOMA_MAX_MESSAGE_LENGTH)
			break;
		cutoffs[i--] = prio_bucket_max(end);
		while (bucket <= end)
			left -= w->unsched[bucket++];
	}
	cutoffs[i] = HOMA_MAX_MESSAGE_LENGTH;
}

/* Unscheduled bytes of the level that has most of them. */
static u64 prio_busiest(const struct homa_prio_counts *w, int num,
			const int *cutoffs)
{
	u64 bytes = 0, most = 0;
	int i = num - 1, bucket;

	for (bucket = 0; bucket < HOMA_PRIO_BUCKETS; bucket++) {
		int length = min(prio_bucket_max(bucket),
				 HOMA_MAX_MESSAGE_LENGTH);

		while (i > 0 && READ_ONCE(cutoffs[i]) < length) {
			i--;
			bytes = 0;
		}
		bytes += w->unsched[bucket];
		most = max(most, bytes);
	}
	return most;
}

/* Cutoffs of a host that has received little so far: half of the levels. */
static void prio_split_blindly(int num, int *cutoffs)
{
	int steps = ARRAY_SIZE(prio_ladder);
	int levels = clamp(num / 2, 1, steps);
	int i;

	memset(cutoffs, 0, HOMA_MAX_PRIORITIES * sizeof(*cutoffs));
	for (i = 1; i <= levels; i++)
		cutoffs[num - i] = prio_ladder[i * steps / levels - 1];
}

/* Derives what depends on cutoffs and number of levels. */
static void prio_update(struct homa_net *hn)
{
	struct homa_sysctls *s = &hn->sysctl;
	int i, lowest = 0;

	lockdep_assert_held(&s->lock);
	for (i = s->num_priorities; i < HOMA_MAX_PRIORITIES; i++)
		WRITE_ONCE(s->unsched_cutoffs[i], 0);
	WRITE_ONCE(s->unsched_cutoffs[0], INT_MAX);
	for (i = s->num_priorities - 1; i >= 0; i--) {
		if (s->unsched_cutoffs[i] >= HOMA_MAX_MESSAGE_LENGTH) {
			lowest = i;
			break;
		}
	}
	WRITE_ONCE(s->max_sched_prio, max(lowest - 1, 0));

	/* 0 stands for "no cutoffs yet" in packets. Who sees the new version
	 * sees the new cutoffs, see homa_prio_fill_cutoffs().
	 */
	smp_store_release(&s->cutoff_version,
			  (s->cutoff_version & 0xffff) == 0xffff ?
			  1 : s->cutoff_version + 1);
}

/* Chooses cutoffs, and uses them if they are much better than the present ones,
 * or with @force.
 */
static void prio_choose(struct homa_net *hn, bool force)
{
	struct homa_prio_counts *w = &hn->prio.weights;
	struct homa_sysctls *s = &hn->sysctl;
	int num = s->num_priorities, levels = 0;
	int cutoffs[HOMA_MAX_PRIORITIES];
	int i;

	lockdep_assert_held(&s->lock);
	if (w->messages >= PRIO_MIN_MESSAGES) {
		levels = prio_num_levels(w, num, force ? 0 : hn->prio.levels);
		prio_split(w, num, levels, cutoffs);
		if (!force && levels == hn->prio.levels &&
		    100 * prio_busiest(w, num, s->unsched_cutoffs) <=
		    PRIO_MAX_IMBALANCE * prio_busiest(w, num, cutoffs))
			return;
	} else if (force) {
		prio_split_blindly(num, cutoffs);
	} else {
		return;
	}
	hn->prio.levels = levels;
	for (i = 0; i < HOMA_MAX_PRIORITIES; i++)
		WRITE_ONCE(s->unsched_cutoffs[i], cutoffs[i]);
	prio_update(hn);
	homa_metric_inc(hn, cutoff_changes);
	tt_event(hn, CUTOFFS_NEW, levels, s->cutoff_version);
}

static void prio_work(struct work_struct *work)
{
	struct homa_net *hn = container_of(work, struct homa_net, prio.work);
	struct homa_prio *p = &hn->prio;

	mutex_lock(&hn->sysctl.lock);
	prio_add_up(p);
	if (p->weights.messages >= PRIO_MIN_MESSAGES)
		WRITE_ONCE(p->interval,
			   min(2 * p->interval,
			       msecs_to_jiffies(PRIO_MAX_INTERVAL_MS)));
	if (hn->sysctl.auto_cutoffs)
		prio_choose(hn, false);
	mutex_unlock(&hn->sysctl.lock);
}

/**
 * homa_prio_net_init() - prepare a host's statistics of message sizes
 * @hn: host
 *
 * Context: process.
 * Return: 0 or -ENOMEM
 */
int homa_prio_net_init(struct homa_net *hn)
{
	struct homa_prio *p = &hn->prio;

	p->counts = alloc_percpu_gfp(struct homa_prio_counts,
				     GFP_KERNEL_ACCOUNT);
	if (!p->counts)
		return -ENOMEM;
	INIT_WORK(&p->work, prio_work);
	p->interval = msecs_to_jiffies(PRIO_MIN_INTERVAL_MS);
	p->next = jiffies + p->interval;
	p->halved = jiffies;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(homa_prio_net_init);

/**
 * homa_prio_net_exit() - stop computing cutoffs
 * @hn: host; it gets no packets any more
 *
 * Context: process, sleeps.
 */
void homa_prio_net_exit(struct homa_net *hn)
{
	cancel_work_sync(&hn->prio.work);
	free_percpu(hn->prio.counts);
}
EXPORT_SYMBOL_IF_KUNIT(homa_prio_net_exit);

/**
 * homa_prio_auto_written() - the user has set auto_cutoffs
 * @hn: host
 *
 * Context: hn->sysctl.lock held.
 */
void homa_prio_auto_written(struct homa_net *hn)
{
	if (hn->sysctl.auto_cutoffs)
		prio_choose(hn, true);
}
EXPORT_SYMBOL_IF_KUNIT(homa_prio_auto_written);

/**
 * homa_prio_cutoffs_written() - the user has set unsched_cutoffs
 * @hn: host
 *
 * They stay as they are then, until auto_cutoffs is set again.
 *
 * Context: hn->sysctl.lock held.
 */
void homa_prio_cutoffs_written(struct homa_net *hn)
{
	WRITE_ONCE(hn->sysctl.auto_cutoffs, 0);
	prio_update(hn);
}
EXPORT_SYMBOL_IF_KUNIT(homa_prio_cutoffs_written);

/**
 * homa_prio_num_written() - the user has set num_priorities
 * @hn: host
 *
 * Context: hn->sysctl.lock held.
 */
void homa_prio_num_written(struct homa_net *hn)
{
	if (hn->sysctl.auto_cutoffs)
		prio_choose(hn, true);
	else
		prio_update(hn);
}
EXPORT_SYMBOL_IF_KUNIT(homa_prio_num_written);

/**
 * homa_prio_clamp() - make a level from the network harmless
 * @hn: host
 * @prio: level from a packet
 *
 * Context: any.
 * Return: a level that this host uses
 */
u8 homa_prio_clamp(const struct homa_net *hn, u8 prio)
{
	return min(prio, homa_prio_highest(hn));
}
EXPORT_SYMBOL_IF_KUNIT(homa_prio_clamp);

/* The highest level whose cutoff a message does not exceed; large messages are like
 * the longest that every host knows, which is what cutoffs are made for.
 */
static u8 prio_of_length(const int *cutoffs, u32 length, int highest)
{
	int i;

	length = min_t(u32, length, HOMA_MAX_MESSAGE_LENGTH);
	for (i = highest; i > 0; i--)
		if (READ_ONCE(cutoffs[i]) >= length)
			break;
	return i;
}

/**
 * homa_prio_unsched() - level of a message's unscheduled packets
 * @rpc: RPC with an outgoing message
 *
 * Context: any.
 * Return: the highest level whose cutoff, as the receiver has told it, the
 * message does not exceed
 */
u8 homa_prio_unsched(const struct homa_rpc *rpc)
{
	return prio_of_length(rpc->peer->cutoffs, rpc->out.length,
			      homa_prio_highest(rpc->hn));
}
EXPORT_SYMBOL_IF_KUNIT(homa_prio_unsched);

/**
 * homa_prio_incoming() - level that the unscheduled packets of a message have
 * @hn: host that receives it
 * @length: bytes in the message
 *
 * Context: any.
 * Return: the level, if its sender knows the present cutoffs
 */
u8 homa_prio_incoming(const struct homa_net *hn, u32 length)
{
	return prio_of_length(hn->sysctl.unsched_cutoffs, length,
			      homa_prio_highest(hn));
}
EXPORT_SYMBOL_IF_KUNIT(homa_prio_incoming);

/**
 * homa_prio_sched() - level for a grant
 * @hn: host
 * @rank: number of granted messages that are more urgent
 * @active: number of granted messages
 *
 * Messages use the lowest levels that keep them apart, so that a new and
 * shorter one finds a higher level free (SIGCOMM'18, section 3.4).
 *
 * Context: any.
 * Return: level
 */
u8 homa_prio_sched(const struct homa_net *hn, int rank, int active)
{
	int top = READ_ONCE(hn->sysctl.max_sched_prio);
	int prio = top - rank;
	int spare = top + 1 - active;

	if (spare > 0)
		prio -= spare;
	return clamp(prio, 0, (int)homa_prio_highest(hn));
}
EXPORT_SYMBOL_IF_KUNIT(homa_prio_sched);

/**
 * homa_prio_tclass() - level as it appears in IP headers
 * @hn: host
 * @prio: level, below HOMA_MAX_PRIORITIES
 *
 * Context: any.
 * Return: TOS byte or traffic class
 */
u8 homa_prio_tclass(const struct homa_net *hn, u8 prio)
{
	return READ_ONCE(hn->sysctl.priority_map[prio]) << 5;
}
EXPORT_SYMBOL_IF_KUNIT(homa_prio_tclass);

/**
 * homa_prio_fill_cutoffs() - tell a peer which levels to use
 * @hn: host
 * @h: header to fill in
 *
 * Context: any.
 */
void homa_prio_fill_cutoffs(struct homa_net *hn, struct homa_cutoffs_hdr *h)
{
	int i;

	/* Cutoffs may change meanwhile. New ones under an old version do no
	 * harm, since they will be sent again; old ones under a new version
	 * would stay for ever.
	 */
	h->version = htons(smp_load_acquire(&hn->sysctl.cutoff_version));
	h->cutoffs[0] = htonl(INT_MAX);
	for (i = 1; i < HOMA_MAX_PRIORITIES; i++)
		h->cutoffs[i] =
			htonl(READ_ONCE(hn->sysctl.unsched_cutoffs[i]));
}
EXPORT_SYMBOL_IF_KUNIT(homa_prio_fill_cutoffs);
