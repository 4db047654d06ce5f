// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include "../../util/lib/clock.h"
#include "unit.h"

static void sleep_until__is_not_early(void)
{
	uint64_t start = clock_ns();

	clock_sleep_until(start + 5000000);
	EXPECT(clock_ns() >= start + 5000000);
	clock_sleep_until(start);		/* the past: returns at once */
	EXPECT(clock_ns() < start + 5 * NS_PER_SEC);
}

static void from_wall__agrees_with_both_clocks(void)
{
	uint64_t wall = clock_wall_ns(), now = clock_ns();
	uint64_t then = clock_from_wall(wall + NS_PER_SEC);

	EXPECT(then >= now + NS_PER_SEC - 100000000 && then <= now + NS_PER_SEC + 100000000);
	EXPECT_EQ(clock_from_wall(0), 0);
}

static void timespec__splits(void)
{
	struct timespec ts = clock_timespec(1700000000123456789ULL);

	EXPECT_EQ(ts.tv_sec, 1700000000);
	EXPECT_EQ(ts.tv_nsec, 123456789);
}

static const struct unit_case cases[] = {
	UNIT_CASE(sleep_until__is_not_early),
	UNIT_CASE(from_wall__agrees_with_both_clocks),
	UNIT_CASE(timespec__splits),
};

UNIT_MAIN(cases)
