// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include "../../util/lib/arrivals.h"
#include "unit.h"

static bool same(const struct arrival *a, const struct arrival *b)
{
	return a->number == b->number && a->ns == b->ns && a->size == b->size &&
	       a->server == b->server && a->draw == b->draw;
}

static void next__is_a_function_of_seed_and_host(void)
{
	struct arrivals a, again, seed, host;
	int i, seed_same = 0, host_same = 0;
	struct arrival x, y;
	struct dist d;

	dist_init(&d, "w4");
	arrivals_init(&a, 1, 2, &d, 5, 7);
	arrivals_init(&again, 1, 2, &d, 5, 7);
	arrivals_init(&seed, 2, 2, &d, 5, 7);
	arrivals_init(&host, 1, 3, &d, 5, 7);
	for (i = 0; i < 1000; i++) {
		x = arrivals_next(&a);
		y = arrivals_next(&again);
		EXPECT(same(&x, &y));
		EXPECT_EQ(x.number, i);
		y = arrivals_next(&seed);
		seed_same += x.ns == y.ns || x.draw == y.draw;
		y = arrivals_next(&host);
		host_same += x.ns == y.ns || x.draw == y.draw;
	}
	EXPECT_EQ(seed_same, 0);
	EXPECT_EQ(host_same, 0);
	dist_free(&d);
}

/* Results of different versions are compared: the list must stay what it is. */
static void next__stays_the_same_over_versions(void)
{
	uint64_t sum = 0;
	struct arrivals a;
	struct arrival x;
	struct dist d;
	int i;

	dist_init(&d, "w4");
	arrivals_init(&a, 1, 1, &d, 10, 7);
	for (i = 0; i < 10000; i++) {
		x = arrivals_next(&a);
		sum = rng_mix(sum ^ x.ns) ^ rng_mix((uint64_t)x.size << 32 | x.server) ^ x.draw;
	}
	EXPECT_EQ(sum, 6223607824837041070LL);
	dist_free(&d);
}

static void next__another_rate_keeps_sizes_and_servers(void)
{
	struct arrivals slow, fast;
	struct arrival x, y;
	struct dist d;
	int i;

	dist_init(&d, "w3");
	arrivals_init(&slow, 1, 1, &d, 1, 7);
	arrivals_init(&fast, 1, 1, &d, 4, 7);
	for (i = 0; i < 1000; i++) {
		x = arrivals_next(&slow);
		y = arrivals_next(&fast);
		EXPECT(x.size == y.size && x.server == y.server && x.draw == y.draw);
		EXPECT(fabs(x.ns - 4.0 * y.ns) <= 4);
	}
	dist_free(&d);
}

static void next__is_poisson_at_the_rate(void)
{
	double sum = 0, squares = 0, gap;
	uint64_t last = 0, bytes = 0;
	int servers[5] = { 0 }, i;
	const int n = 200000;
	struct arrivals a;
	struct arrival x;
	struct dist d;

	dist_init(&d, "1000");
	arrivals_init(&a, 3, 1, &d, 8, 5);	/* 1000 bytes each us */
	for (i = 0; i < n; i++) {
		x = arrivals_next(&a);
		EXPECT(x.ns >= last);
		gap = x.ns - last;
		last = x.ns;
		sum += gap;
		squares += gap * gap;
		bytes += x.size;
		servers[x.server]++;
	}
	EXPECT_NEAR(bytes * 8.0 / last, 8, .01);
	/* The deviation of an exponential distribution is its mean. */
	EXPECT_NEAR(sqrt(squares / n - sum / n * sum / n), sum / n, .01);
	for (i = 0; i < 5; i++)
		EXPECT_NEAR(servers[i], n / 5.0, .02);
	dist_free(&d);
}

static void next__without_a_rate_all_are_due_at_once(void)
{
	struct arrivals a;
	struct dist d;
	int i;

	dist_init(&d, "w1");
	arrivals_init(&a, 1, 1, &d, 0, 1);
	for (i = 0; i < 100; i++)
		EXPECT_EQ(arrivals_next(&a).ns, 0);
	dist_free(&d);
}

static const struct unit_case cases[] = {
	UNIT_CASE(next__is_a_function_of_seed_and_host),
	UNIT_CASE(next__stays_the_same_over_versions),
	UNIT_CASE(next__another_rate_keeps_sizes_and_servers),
	UNIT_CASE(next__is_poisson_at_the_rate),
	UNIT_CASE(next__without_a_rate_all_are_due_at_once),
};

UNIT_MAIN(cases)
