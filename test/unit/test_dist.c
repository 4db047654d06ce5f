// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <stdlib.h>
#include <unistd.h>

#include "../../util/lib/dist.h"
#include "unit.h"

static void init__thinned_tables_are_the_field_s(void)
{
	/* Points, mean and overhead at MTU 1500, as the reference's sampler has them. */
	static const struct {
		const char *name;
		int points;
		double mean, overhead;
	} want[] = {
		{ "w1", 156, 192.806393, 0.586551 },
		{ "w2", 95, 440.80743, 0.28229 },
		{ "w3", 113, 2567.710629, 0.11431 },
		{ "w4", 225, 61008.14719, 0.084718 },
		{ "w5", 109, 386161.44777, 0.085276 },
		{ "starve", 10, 526315.789474, 0.085138 },
	};
	struct dist d;
	size_t i;

	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		EXPECT_EQ(dist_init(&d, want[i].name), 0);
		EXPECT_EQ(d.num_points, want[i].points);
		EXPECT_NEAR(d.mean, want[i].mean, 1e-8);
		EXPECT_NEAR(dist_overhead(&d, 1500), want[i].overhead, 1e-5);
		EXPECT(d.points[d.num_points - 1].cum == 1);
		EXPECT(d.points[d.num_points - 1].size <= DIST_MAX_SIZE);
		dist_free(&d);
	}
}

static void sample__means_agree(void)
{
	static const char *const names[] = { "w1", "w3", "w4", "w5", "1-1000000", "777" };
	double sum, squares, mean, error;
	const int n = 200000;
	struct dist d;
	struct rng r;
	uint32_t size;
	size_t i;
	int j;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		EXPECT_EQ(dist_init(&d, names[i]), 0);
		rng_init(&r, 7, i, 0);
		for (sum = squares = 0, j = 0; j < n; j++) {
			size = dist_sample(&d, &r);
			EXPECT(size >= 1 && size <= DIST_MAX_SIZE);
			sum += size;
			squares += (double)size * size;
		}
		mean = sum / n;
		error = sqrt(fabs(squares / n - mean * mean) / n);
		EXPECT(fabs(mean - d.mean) <= 4 * error);
		dist_free(&d);
	}
}

static void sample__gives_sizes_of_the_table_as_often_as_it_says(void)
{
	int below = 0, i;
	struct dist d;
	struct rng r;

	dist_init(&d, "w1");
	rng_init(&r, 1, 1, 1);
	for (i = 0; i < 100000; i++)
		below += dist_sample(&d, &r) <= 27;
	EXPECT_NEAR(below / 1e5, 0.500587629389, .01);
	dist_free(&d);
}

static void sample__log_uniform_octaves_are_alike(void)
{
	int count[20] = { 0 }, i;
	struct dist d;
	struct rng r;

	dist_init(&d, "1-1000000");
	rng_init(&r, 1, 1, 1);
	for (i = 0; i < 200000; i++)
		count[31 - __builtin_clz(dist_sample(&d, &r))]++;
	for (i = 0; i < 19; i++)
		EXPECT_NEAR(count[i], 200000 * log(2) / log(1e6), .05);
	dist_free(&d);
}

static void init__refuses_nonsense(void)
{
	static const char *const bad[] = {
		"", "w6", "0", "1000001", "-1", "12x", "5-", "9-5", "1-1000001", "1-2-3",
		"/nonexistent/x.cdf", "99999999999999999999",
	};
	struct dist d;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_EQ(dist_init(&d, bad[i]), -1);
		dist_free(&d);
	}
}

static int init_from(const char *text, struct dist *d)
{
	static char name[] = "/tmp/test_dist.XXXXXX.cdf";
	FILE *f;
	int rc;

	strcpy(name, "/tmp/test_dist.XXXXXX.cdf");
	f = fdopen(mkstemps(name, 4), "w");
	fputs(text, f);
	fclose(f);
	rc = dist_init(d, name);
	unlink(name);
	return rc;
}

static void init__reads_files(void)
{
	struct dist d;

	EXPECT_EQ(init_from("# a comment\n\n10 0.5\n1000 0.75\n2000000 1\n", &d), 0);
	EXPECT_EQ(d.num_points, 3);
	EXPECT_EQ(d.points[2].size, DIST_MAX_SIZE);
	EXPECT_NEAR(d.mean, 5 + 250 + 250000, 1e-12);
	dist_free(&d);
	EXPECT_EQ(init_from("10 0.5\n9 1\n", &d), -1);
	EXPECT_EQ(init_from("10 0.5\n11 0.4\n", &d), -1);
	EXPECT_EQ(init_from("10 half\n", &d), -1);
	EXPECT_EQ(init_from("10 1.5\n", &d), -1);
	EXPECT_EQ(init_from("# nothing\n", &d), -1);
}

static void init__drops_points_that_add_little(void)
{
	struct dist d;

	/* 101 adds 0.001 and 102 is within 1.2 of 100, so it goes; 102 has the mass. */
	EXPECT_EQ(init_from("100 0.5\n101 0.501\n102 0.6\n103 1\n", &d), 0);
	EXPECT_EQ(d.num_points, 3);
	EXPECT_EQ(d.points[1].size, 102);
	EXPECT(d.points[1].cum == 0.6);
	dist_free(&d);
	/* 101 adds as little, but without it the next size would be 1.3 times larger. */
	EXPECT_EQ(init_from("100 0.5\n101 0.501\n130 0.6\n131 1\n", &d), 0);
	EXPECT_EQ(d.num_points, 4);
	dist_free(&d);
}

static const struct unit_case cases[] = {
	UNIT_CASE(init__thinned_tables_are_the_field_s),
	UNIT_CASE(sample__means_agree),
	UNIT_CASE(sample__gives_sizes_of_the_table_as_often_as_it_says),
	UNIT_CASE(sample__log_uniform_octaves_are_alike),
	UNIT_CASE(init__refuses_nonsense),
	UNIT_CASE(init__reads_files),
	UNIT_CASE(init__drops_points_that_add_little),
};

UNIT_MAIN(cases)
