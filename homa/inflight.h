/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* How many bytes a device may have at a time, learned from its completions. */
#ifndef _HOMA_INFLIGHT_H
#define _HOMA_INFLIGHT_H

#include <linux/types.h>

/* Bytes that a device may have before anything is known of it. */
#define HOMA_INFLIGHT_START 15000

/**
 * struct homa_speed - what a device completed, and how long that took
 * @bytes: bytes
 * @ns: time
 * @events: completions
 * @rounds: rounds that they belong to
 */
struct homa_speed {
	u64 bytes;
	u64 ns;
	u32 events;
	u32 rounds;
};

/**
 * struct homa_inflight - what was learned of one device, see inflight.c
 * @limit: the result: a device with so many bytes has enough
 * @blocked: set by the caller: messages wait because of @limit
 * @keep: the best limit so far; @limit is another during a trial
 * @trial: there is one
 * @up: @limit is higher than @keep
 * @settled: the device has finished with all it had when @limit changed
 * @last_ns: time of the last completion that was looked at
 * @last_completed: bytes completed until then
 * @round_end: bytes completed when the present round is over
 * @round: the present round so far
 * @kept: speed with @keep
 * @tried: speed in the trial
 * @events: completions so far; wraps
 * @next: its value from which a trial of a lower [0] or higher [1] limit is due
 * @patience: completions between such trials
 */
struct homa_inflight {
	u32 limit;
	bool blocked;
	u32 keep;
	bool trial;
	bool up;
	bool settled;
	u64 last_ns;
	u64 last_completed;
	u64 round_end;
	struct homa_speed round;
	struct homa_speed kept;
	struct homa_speed tried;
	u32 events;
	u32 next[2];
	u32 patience[2];
};

void homa_inflight_init(struct homa_inflight *f);
void homa_inflight_completed(struct homa_inflight *f, u64 now, u64 queued,
			     u64 completed, u32 packet, u32 max);

#endif /* _HOMA_INFLIGHT_H */
