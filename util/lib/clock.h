/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* The clocks of the programs here.
 *
 * Latencies and deadlines use CLOCK_MONOTONIC, in nanoseconds; CLOCK_REALTIME
 * only agrees with other hosts on when to start and stamps log lines. Nothing
 * spins: a thread that waits for a time sleeps, because on a simulated cluster
 * time advances only while everybody sleeps.
 */
#ifndef UTIL_CLOCK_H
#define UTIL_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_SEC 1000000000ULL

/* Now, CLOCK_MONOTONIC. */
uint64_t clock_ns(void);

/* Now, CLOCK_REALTIME. */
uint64_t clock_wall_ns(void);

/* CLOCK_MONOTONIC equivalent of the CLOCK_REALTIME instant @wall_ns. */
uint64_t clock_from_wall(uint64_t wall_ns);

struct timespec clock_timespec(uint64_t ns);

void clock_sleep_until(uint64_t ns);

/* Make sleeps of this thread, and of threads that it starts, end on time:
 * the kernel delays them by up to 50 us otherwise.
 */
void clock_precise(void);

#endif
