/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* The only clock of the module, and what is counted by it. */
#ifndef _HOMA_CLOCK_H
#define _HOMA_CLOCK_H

#include <linux/atomic.h>
#include <linux/ktime.h>

/**
 * homa_now() - current time in nanoseconds since boot
 *
 * Monotonic, the same on all cores, and right in virtual time, where a cycle
 * counter stands still.
 *
 * Context: any.
 */
static inline u64 homa_now(void)
{
	return ktime_get_ns();
}

/**
 * struct homa_rate - so many events in a millisecond, and no more
 * @msec: the millisecond that @count is for
 * @count: events in it
 */
struct homa_rate {
	u32 msec;
	atomic_t count;
};

/**
 * homa_rate_allow() - may it happen once more?
 * @rate: what happens; all zeros in the beginning
 * @now: homa_now()
 * @limit: events in a millisecond
 *
 * Two cores that begin a millisecond together may allow a few more.
 *
 * Context: any.
 */
static inline bool homa_rate_allow(struct homa_rate *rate, u64 now, int limit)
{
	u32 msec = div_u64(now, NSEC_PER_MSEC);

	if (READ_ONCE(rate->msec) != msec) {
		WRITE_ONCE(rate->msec, msec);
		atomic_set(&rate->count, 0);
	}
	return atomic_inc_return(&rate->count) <= limit;
}

#endif /* _HOMA_CLOCK_H */
