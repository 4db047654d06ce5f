// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include "../../util/lib/seen.h"
#include "unit.h"

static void before__knows_what_it_was_told(void)
{
	struct seen s;
	uint64_t i;

	seen_init(&s, 100000);
	for (i = 0; i < 50000; i++)
		EXPECT(!seen_before(&s, i * 0x1000001));
	for (i = 0; i < 50000; i++)
		EXPECT(seen_before(&s, i * 0x1000001));
	EXPECT(!seen_before(&s, 50000 * 0x1000001ULL));
	seen_free(&s);
}

static void before__remembers_the_last_limit(void)
{
	const uint64_t limit = 1000;
	struct seen s;
	uint64_t i;

	seen_init(&s, limit);
	for (i = 2; i < 100 * limit; i++) {
		EXPECT(!seen_before(&s, i));
		if (i > limit + 2)
			EXPECT(seen_before(&s, i - limit + 1));
	}
	seen_free(&s);
}

static void before__is_bounded(void)
{
	const uint64_t limit = 1000;
	struct seen s;
	uint64_t i;

	seen_init(&s, limit);
	for (i = 1; i < 100 * limit; i++) {
		seen_before(&s, i);
		EXPECT(s.young.size <= 4 * limit && s.old.size <= 4 * limit);
	}
	EXPECT(!seen_before(&s, 5));
	seen_free(&s);
}

static void before__takes_zero_as_a_key(void)
{
	struct seen s;

	seen_init(&s, 10);
	EXPECT(!seen_before(&s, 0));
	EXPECT(seen_before(&s, 0));
	seen_free(&s);
}

static const struct unit_case cases[] = {
	UNIT_CASE(before__knows_what_it_was_told),
	UNIT_CASE(before__remembers_the_last_limit),
	UNIT_CASE(before__is_bounded),
	UNIT_CASE(before__takes_zero_as_a_key),
};

UNIT_MAIN(cases)
