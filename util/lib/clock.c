// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <errno.h>
#include <sys/prctl.h>

#include "clock.h"

static uint64_t read_clock(clockid_t which)
{
	struct timespec ts;

	clock_gettime(which, &ts);
	return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

uint64_t clock_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

uint64_t clock_from_wall(uint64_t wall_ns)
{
	uint64_t wall = clock_wall_ns();
	uint64_t now = clock_ns();

	if (wall_ns < wall && wall - wall_ns > now)
		return 0;
	return now + wall_ns - wall;
}

struct timespec clock_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = ns / NS_PER_SEC,
				  .tv_nsec = ns % NS_PER_SEC };
}

void clock_sleep_until(uint64_t ns)
{
	struct timespec ts = clock_timespec(ns);

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

void clock_precise(void)
{
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
}
