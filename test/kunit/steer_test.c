// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/steer.c: which core each policy chooses. */

#include <kunit/test.h>
#include <linux/kernel.h>

#include "host.h"
#include "steer.h"

#define CORES 8
#define ME 2
#define USEC NSEC_PER_USEC

/* When it is in these tests. */
#define NOW (1000 * USEC)

static const int no_gen3[HOMA_SYSCTL_GEN3_TARGETS] = { -1, -1, -1 };
static const u16 all[CORES] = { 0, 1, 2, 3, 4, 5, 6, 7 };

/* A host with CORES cores that have done nothing for long. */
static int steer_test_init(struct kunit *test)
{
	struct homa_net *hn;
	int i, err = host_init(test);

	if (err)
		return err;
	hn = test->priv;
	hn->cores = kunit_kcalloc(test, CORES, sizeof(*hn->cores), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, hn->cores);
	hn->sysctl.busy_usecs = 100;
	for (i = 0; i < CORES; i++) {
		hn->cores[i].gro = homa_steer_time(NOW - 500 * USEC);
		hn->cores[i].steered = homa_steer_time(NOW - 700 * USEC);
		hn->cores[i].softirq = homa_steer_time(NOW - 600 * USEC);
		hn->cores[i].app = homa_steer_time(NOW - 500 * USEC);
	}
	return 0;
}

/* The core that core ME chooses, or -1. */
static int choose(struct homa_net *hn, int policy, const u16 *cpus,
		  unsigned int len, const int *gen3)
{
	int index;

	hn->sysctl.gro_policy = policy;
	index = homa_steer_choose(hn, cpus, len, ME, gen3, NOW);
	return index < 0 ? -1 : cpus[index];
}

static void homa_steer_choose__none(struct kunit *test)
{
	static const u16 alone[] = { ME };
	struct homa_net *hn = test->priv;
	int policy;

	KUNIT_EXPECT_EQ(test, choose(hn, 0, all, CORES, no_gen3), -1);
	KUNIT_EXPECT_EQ(test, choose(hn, HOMA_GRO_SAME_CORE |
				     HOMA_GRO_FAST_GRANTS |
				     HOMA_GRO_SHORT_BYPASS, all, CORES,
				     no_gen3), -1);
	for (policy = 0; policy < 256; policy++)
		KUNIT_EXPECT_EQ(test, choose(hn, policy, alone, 1, no_gen3), -1);
}

static void homa_steer_choose__next(struct kunit *test)
{
	static const u16 few[] = { 0, 2, 5 }, low[] = { 0, 1 }, high[] = { 6, 7 };
	struct homa_net *hn = test->priv;

	KUNIT_EXPECT_EQ(test, choose(hn, HOMA_GRO_NEXT, all, CORES, no_gen3), 3);
	KUNIT_EXPECT_EQ(test, choose(hn, HOMA_GRO_NEXT, few, 3, no_gen3), 5);
	KUNIT_EXPECT_EQ(test, choose(hn, HOMA_GRO_NEXT, few, 2, no_gen3), 0);
	KUNIT_EXPECT_EQ(test, choose(hn, HOMA_GRO_NEXT, low, 2, no_gen3), 0);
	KUNIT_EXPECT_EQ(test, choose(hn, HOMA_GRO_NEXT, high, 2, no_gen3), 6);
}

static void homa_steer_choose__idle(struct kunit *test)
{
	struct homa_net *hn = test->priv;

	hn->cores[4].gro = homa_steer_time(NOW - 900 * USEC);
	hn->cores[5].gro = homa_steer_time(NOW - 990 * USEC);
	hn->cores[5].softirq = homa_steer_time(NOW - 990 * USEC);
	KUNIT_EXPECT_EQ(test, choose(hn, HOMA_GRO_IDLE, all, CORES, no_gen3), 5);

	/* Of the next four: the last one is beyond them. */
	hn->cores[7].gro = homa_steer_time(0);
	hn->cores[7].softirq = homa_steer_time(0);
	KUNIT_EXPECT_EQ(test, choose(hn, HOMA_GRO_IDLE, all, CORES, no_gen3), 5);
	hn->cores[5].softirq = homa_steer_time(NOW);
	KUNIT_EXPECT_EQ(test, choose(hn, HOMA_GRO_IDLE, all, CORES, no_gen3), 4);
}

static void homa_steer_choose__gen2(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	int i;

	KUNIT_EXPECT_EQ(test, choose(hn, HOMA_GRO_GEN2, all, CORES, no_gen3), 3);

	/* What it was chosen for is waiting there now. */
	KUNIT_EXPECT_EQ(test, choose(hn, HOMA_GRO_GEN2, all, CORES, no_gen3), 4);
	hn->cores[3].softirq = homa_steer_time(NOW + USEC);
	KUNIT_EXPECT_EQ(test, choose(hn, HOMA_GRO_GEN2, all, CORES, no_gen3), 3);

	/* It collects packets itself. */
	hn->cores[3].softirq = homa_steer_time(NOW + USEC);
	hn->cores[3].gro = homa_steer_time(NOW - 99 * USEC);
	KUNIT_EXPECT_EQ(test, choose(hn, HOMA_GRO_GEN2, all, CORES, no_gen3), 5);

	/* One after the other if all four are busy. */
	for (i = 3; i < 7; i++)
		hn->cores[i].gro = homa_steer_time(NOW);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_EQ(test, choose(hn, HOMA_GRO_GEN2, all, CORES,
					     no_gen3), 3 + i % 4);
}

/* A packet that was lost on its way does not make a core look busy for ever. */
static void homa_steer_choose__lost(struct kunit *test)
{
	struct homa_net *hn = test->priv;

	hn->cores[3].steered = homa_steer_time(NOW - 99 * USEC);
	KUNIT_EXPECT_EQ(test, choose(hn, HOMA_GRO_GEN2, all, CORES, no_gen3), 4);
	hn->cores[3].steered = homa_steer_time(NOW - 101 * USEC);
	KUNIT_EXPECT_EQ(test, choose(hn, HOMA_GRO_GEN2, all, CORES, no_gen3), 3);
}

static void homa_steer_choose__gen3(struct kunit *test)
{
	static const int targets[] = { 6, -1, 1 }, gone[] = { 99, -1, 1 };
	static const u16 few[] = { 0, 1, 2 };
	struct homa_net *hn = test->priv;
	int policy = HOMA_GRO_GEN3 | HOMA_GRO_GEN2 | HOMA_GRO_NEXT;

	KUNIT_EXPECT_EQ(test, choose(hn, policy, all, CORES, targets), 6);
	KUNIT_EXPECT_EQ(test, host_counter(hn, gen3_handoffs), 1ULL);
	KUNIT_EXPECT_EQ(test, host_counter(hn, gen3_alt_handoffs), 0ULL);
	hn->cores[6].app = homa_steer_time(NOW - 50 * USEC);
	KUNIT_EXPECT_EQ(test, choose(hn, policy, all, CORES, targets), 1);
	KUNIT_EXPECT_EQ(test, host_counter(hn, gen3_alt_handoffs), 1ULL);
	hn->cores[1].app = homa_steer_time(NOW - 50 * USEC);
	KUNIT_EXPECT_EQ(test, choose(hn, policy, all, CORES, targets), 6);
	KUNIT_EXPECT_EQ(test, host_counter(hn, gen3_handoffs), 3ULL);
	KUNIT_EXPECT_EQ(test, host_counter(hn, gen3_alt_handoffs), 1ULL);

	/* Where RPS cannot go. */
	KUNIT_EXPECT_EQ(test, choose(hn, policy, few, 3, targets), 1);
	KUNIT_EXPECT_EQ(test, choose(hn, policy, all, CORES, gone), 1);
	KUNIT_EXPECT_EQ(test, choose(hn, policy, all, CORES, no_gen3), -1);
}

/* RPS takes the core at reciprocal_scale(hash, len). */
static void homa_steer_hash__finds_each(struct kunit *test)
{
	unsigned int len, i;

	for (len = 1; len < 600; len++) {
		for (i = 0; i < len; i++) {
			u32 hash = homa_steer_hash(i, len);

			if (hash && reciprocal_scale(hash, len) == i)
				continue;
			KUNIT_FAIL(test, "%u of %u: hash %u", i, len, hash);
			return;
		}
	}
}

static struct kunit_case steer_cases[] = {
	KUNIT_CASE(homa_steer_choose__none),
	KUNIT_CASE(homa_steer_choose__next),
	KUNIT_CASE(homa_steer_choose__idle),
	KUNIT_CASE(homa_steer_choose__gen2),
	KUNIT_CASE(homa_steer_choose__lost),
	KUNIT_CASE(homa_steer_choose__gen3),
	KUNIT_CASE(homa_steer_hash__finds_each),
	{}
};

static struct kunit_suite steer_suite = {
	.name = "homa_steer",
	.init = steer_test_init,
	.exit = host_exit,
	.test_cases = steer_cases,
};

kunit_test_suites(&steer_suite);
