/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* The only clock of the module. */
#ifndef _HOMA_CLOCK_H
#define _HOMA_CLOCK_H

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

#endif /* _HOMA_CLOCK_H */
