// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* How many bytes a device may have at a time.
 *
 * A byte that the device has cannot be overtaken any more by a shorter message,
 * so the fewer the better, as long as the device is not slower for it. Nothing
 * is asked of it but that it frees what it has sent, some time.
 *
 *	kind of device						what it needs
 *	frees packets when their transmission begins (shapers)	one packet
 *	when it ends						two
 *	later, or several at a time (interrupts are rare)	what it sends
 *								until then
 *
 * Dynamic queue limits tell by whether a device runs empty, so they leave two
 * packets to the first kind, and too little to a device that frees packets late
 * but one by one, since that never looks empty. Here it is tried out: now and then
 * the limit is halved or doubled for a few completions. Half of it is kept if
 * the device is as fast, twice as much if it is faster. Where it did not help a
 * trial is repeated ever more rarely, unless the device's speed changes.
 *
 * It begins with some packets, since one at a time costs most devices an interrupt
 * for each, and is halved first: less than 150 packets later, if messages wait all
 * the time, a shaper has no more than one.
 *
 * Speed is measured while messages wait, in rounds: from one completion to that
 * of everything that the device had then. So patterns that repeat with what is
 * in the device, such as batches, are measured as a whole.
 */
#include <kunit/visibility.h>
#include <linux/limits.h>
#include <linux/minmax.h>

#include "inflight.h"

/* Rounds that make a speed; and completions, unless it is clearly another. */
#define INFLIGHT_ROUNDS 4
#define INFLIGHT_EVENTS 16

/* Differences of speed: one part in so many. A new limit is judged by the
 * first; the second is clear after a few rounds, the third is another device.
 */
#define INFLIGHT_TOLERANCE 64
#define INFLIGHT_CLEAR 8
#define INFLIGHT_CHANGED 2

/* Rounds after which older ones count half, and what one counts at most, in
 * bytes and ns, so that the product of both speeds fits into 64 bits.
 */
#define INFLIGHT_MEMORY 64
#define INFLIGHT_MAX_ROUND (1 << 24)

/* Completions between trials in one direction, at first and at most. */
#define INFLIGHT_MIN_PATIENCE 64
#define INFLIGHT_MAX_PATIENCE 4096

/**
 * homa_inflight_init() - nothing is known of a device
 * @f: to be initialised
 *
 * Context: any.
 */
void homa_inflight_init(struct homa_inflight *f)
{
	*f = (struct homa_inflight){
		.limit = HOMA_INFLIGHT_START,
		.keep = HOMA_INFLIGHT_START,
		.patience = { INFLIGHT_MIN_PATIENCE, INFLIGHT_MIN_PATIENCE },
	};
}
EXPORT_SYMBOL_IF_KUNIT(homa_inflight_init);

/* True if a is slower than b by more than one part in so many of a's. */
static bool speed_slower(const struct homa_speed *a, const struct homa_speed *b,
			 u32 part)
{
	u64 x = a->bytes * b->ns;

	return x + x / part < b->bytes * a->ns;
}

static void speed_add(struct homa_speed *speed, const struct homa_speed *round)
{
	if (speed->rounds >= INFLIGHT_MEMORY) {
		speed->bytes /= 2;
		speed->ns /= 2;
		speed->events /= 2;
		speed->rounds /= 2;
	}
	speed->bytes += min_t(u64, round->bytes, INFLIGHT_MAX_ROUND);
	speed->ns += min_t(u64, round->ns, INFLIGHT_MAX_ROUND);
	speed->events += round->events;
	speed->rounds++;
}

/* A round with the kept limit is over. If the device is another by now, what is
 * known of it means nothing.
 */
static void round_kept(struct homa_inflight *f)
{
	if (f->kept.rounds >= INFLIGHT_ROUNDS &&
	    speed_slower(&f->round, &f->kept, INFLIGHT_CHANGED - 1)) {
		f->kept = (struct homa_speed){};
		f->patience[0] = INFLIGHT_MIN_PATIENCE;
		f->patience[1] = INFLIGHT_MIN_PATIENCE;
		f->next[1] = f->events;
	}
	speed_add(&f->kept, &f->round);
}

/* Measures; true when a round is over. */
static bool inflight_measure(struct homa_inflight *f, u64 done, u64 ns,
			     u64 queued, u64 completed)
{
	bool counts = f->settled;

	if (!f->round.events)
		f->round_end = queued;
	f->events++;
	f->round.events++;
	f->round.bytes += done;
	f->round.ns += ns;
	if ((s64)(completed - f->round_end) < 0)
		return false;
	f->settled = true;
	if (counts && f->trial)
		speed_add(&f->tried, &f->round);
	else if (counts)
		round_kept(f);
	f->round = (struct homa_speed){};
	return counts;
}

static void trial_begin(struct homa_inflight *f, bool up, u32 packet, u32 max)
{
	if (up)
		f->limit = min(max(2 * f->keep, packet + 1), max);
	else
		f->limit = f->keep / 2 < packet ? 1 : f->keep / 2;
	f->up = up;
	f->trial = true;
	f->settled = false;
	f->tried = (struct homa_speed){};
}

static void trial_end(struct homa_inflight *f, bool good)
{
	bool up = f->up;

	f->trial = false;
	if (good) {
		f->keep = f->limit;
		f->kept = f->tried;
		f->patience[up] = INFLIGHT_MIN_PATIENCE;
		f->next[up] = f->events;
		f->next[!up] = f->events + f->patience[!up];
	} else {
		f->limit = f->keep;
		f->settled = false;
		f->next[up] = f->events + f->patience[up];
		f->patience[up] = min_t(u32, 2 * f->patience[up],
					INFLIGHT_MAX_PATIENCE);
	}
}

/* Ends a trial when enough is known. */
static void trial_judge(struct homa_inflight *f)
{
	const struct homa_speed *kept = &f->kept, *tried = &f->tried;

	if (tried->rounds < INFLIGHT_ROUNDS ||
	    (tried->events < INFLIGHT_EVENTS &&
	     !speed_slower(tried, kept, INFLIGHT_CLEAR) &&
	     !speed_slower(kept, tried, INFLIGHT_CLEAR)))
		return;
	if (f->up)
		trial_end(f, speed_slower(kept, tried, INFLIGHT_TOLERANCE));
	else
		trial_end(f, !speed_slower(tried, kept, INFLIGHT_TOLERANCE));
}

static bool trial_due(const struct homa_inflight *f, bool up)
{
	return f->kept.rounds >= INFLIGHT_ROUNDS &&
	       (s32)(f->events - f->next[up]) >= 0;
}

static void inflight_decide(struct homa_inflight *f, u32 packet, u32 max)
{
	if (f->trial)
		trial_judge(f);
	if (f->trial)
		return;
	if (trial_due(f, false) && f->keep > 1)
		trial_begin(f, false, packet, max);
	else if (trial_due(f, true) && f->keep < max)
		trial_begin(f, true, packet, max);
}

/**
 * homa_inflight_completed() - a device has finished with packets
 * @f: what is known of the device
 * @now: time
 * @queued: bytes that it was given so far
 * @completed: bytes that it has finished with so far
 * @packet: size of the longest packet
 * @max: highest limit, at least 1
 *
 * The caller fills the device up to the new limit at once, and sets @f->blocked
 * if messages wait then because of it.
 *
 * Context: any; one call at a time.
 */
void homa_inflight_completed(struct homa_inflight *f, u64 now, u64 queued,
			     u64 completed, u32 packet, u32 max)
{
	u64 done = completed - f->last_completed;

	if (!done)
		return;
	if (!f->blocked)
		f->round = (struct homa_speed){};
	else if (inflight_measure(f, done, now - f->last_ns, queued, completed))
		inflight_decide(f, packet, max);
	f->blocked = false;
	f->last_ns = now;
	f->last_completed = completed;
	f->keep = min(f->keep, max);
	f->limit = min(f->limit, max);
}
EXPORT_SYMBOL_IF_KUNIT(homa_inflight_completed);
