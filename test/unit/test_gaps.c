// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* util/lib/gaps.c, and the program smi that uses it. */

#include "../../util/lib/gaps.h"
#include "unit.h"

static void common__is_what_both_have(void)
{
	static const struct gap a[] = { { 10, 20 }, { 30, 60 }, { 100, 110 } };
	static const struct gap b[] = { { 5, 12 }, { 15, 40 }, { 50, 70 }, { 104, 200 } };
	struct gap out[7];

	EXPECT_EQ(gaps_common(a, 3, b, 4, 1, out), 5);
	EXPECT(out[0].start == 10 && out[0].end == 12);
	EXPECT(out[1].start == 15 && out[1].end == 20);
	EXPECT(out[2].start == 30 && out[2].end == 40);
	EXPECT(out[3].start == 50 && out[3].end == 60);
	EXPECT(out[4].start == 104 && out[4].end == 110);
	EXPECT_EQ(gaps_total(out, 5), 2 + 5 + 10 + 10 + 6);
}

static void common__leaves_short_ones_out(void)
{
	static const struct gap a[] = { { 0, 100 } }, b[] = { { 10, 15 }, { 20, 50 } };
	struct gap out[3];

	EXPECT_EQ(gaps_common(a, 1, b, 2, 6, out), 1);
	EXPECT(out[0].start == 20 && out[0].end == 50);
	EXPECT_EQ(gaps_common(a, 1, b, 0, 1, out), 0);
	EXPECT_EQ(gaps_common(a, 1, b, 2, 31, out), 0);
}

static void similar__is_within_a_fifth(void)
{
	static const struct gap gaps[] = {
		{ 100, 200 }, { 1000, 1050 }, { 2000, 2079 }, { 3000, 3081 }, { 4000, 4120 },
	};

	EXPECT_EQ(gaps_similar(gaps, 0), 0);
	EXPECT_EQ(gaps_similar(gaps, 1), 0);
	EXPECT_EQ(gaps_similar(gaps, 2), 0);
	EXPECT_EQ(gaps_similar(gaps, 3), 2000);
	EXPECT_EQ(gaps_similar(gaps, 4), 100);
}

static const struct unit_case cases[] = {
	UNIT_CASE(common__is_what_both_have),
	UNIT_CASE(common__leaves_short_ones_out),
	UNIT_CASE(similar__is_within_a_fifth),
};

UNIT_MAIN(cases)
