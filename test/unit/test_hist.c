// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <stdlib.h>

#include "../../util/lib/hist.h"
#include "../../util/lib/rng.h"
#include "unit.h"

static void index__buckets_cover_all_values_in_order(void)
{
	int i;

	for (i = 0; i < HIST_BUCKETS - 1; i++) {
		EXPECT_EQ(hist_index(hist_lower(i)), i);
		EXPECT_EQ(hist_index(hist_lower(i + 1) - 1), i);
	}
	EXPECT_EQ(hist_lower(HIST_BUCKETS - 1), 1ULL << HIST_MAX_LOG);
	EXPECT_EQ(hist_index(UINT64_MAX), HIST_BUCKETS - 1);
}

static void index__small_values_are_exact_and_large_within_a_percent(void)
{
	int i;

	for (i = 0; i < 256; i++)
		EXPECT_EQ(hist_lower(hist_index(i)), i);
	for (i = 256; i < HIST_BUCKETS - 1; i++)
		EXPECT((hist_lower(i + 1) - hist_lower(i)) <= hist_lower(i) / 128.0);
}

static void quantile__follows_the_ranks(void)
{
	struct hist *h = calloc(1, sizeof(*h));
	int i;

	EXPECT_EQ(hist_quantile(h, .5), 0);
	for (i = 1; i <= 100000; i++)
		hist_add(h, i * 1000);
	EXPECT_NEAR(hist_quantile(h, .5), 50000000, .008);
	EXPECT_NEAR(hist_quantile(h, .99), 99000000, .008);
	EXPECT_NEAR(hist_quantile(h, .999), 99900000, .008);
	EXPECT_EQ(hist_quantile(h, 0), 1000);
	EXPECT_EQ(hist_quantile(h, 1), 100000000);
	EXPECT_EQ(h->min, 1000);
	EXPECT_EQ(h->max, 100000000);
	EXPECT_EQ(h->sum, 100000ULL * 100001 / 2 * 1000);
	free(h);
}

static void quantile__one_value_is_itself(void)
{
	struct hist *h = calloc(1, sizeof(*h));

	hist_add(h, 123457);
	EXPECT_EQ(hist_quantile(h, 0), 123457);
	EXPECT_EQ(hist_quantile(h, .5), 123457);
	EXPECT_EQ(hist_quantile(h, 1), 123457);
	hist_clear(h);
	hist_add(h, UINT64_MAX);
	EXPECT(hist_quantile(h, .5) == UINT64_MAX);
	free(h);
}

static void merge__is_as_if_added_to_one(void)
{
	struct hist *all = calloc(1, sizeof(*all)), *sum = calloc(1, sizeof(*sum));
	struct hist *part[3];
	struct rng r;
	uint64_t v;
	int i;

	rng_init(&r, 1, 2, 3);
	for (i = 0; i < 3; i++)
		part[i] = calloc(1, sizeof(**part));
	for (i = 0; i < 30000; i++) {
		v = rng_next(&r) >> (rng_next(&r) % 64);
		hist_add(all, v);
		hist_add(part[i % 2], v);		/* part[2] stays empty */
	}
	for (i = 0; i < 3; i++) {
		hist_merge(sum, part[i]);
		free(part[i]);
	}
	EXPECT(!memcmp(all, sum, sizeof(*all)));
	free(all);
	free(sum);
}

static const struct unit_case cases[] = {
	UNIT_CASE(index__buckets_cover_all_values_in_order),
	UNIT_CASE(index__small_values_are_exact_and_large_within_a_percent),
	UNIT_CASE(quantile__follows_the_ranks),
	UNIT_CASE(quantile__one_value_is_itself),
	UNIT_CASE(merge__is_as_if_added_to_one),
};

UNIT_MAIN(cases)
