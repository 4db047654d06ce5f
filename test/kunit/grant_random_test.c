// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/grant.c: invariants under random messages, packets and settings. */

#include "grant_host.h"

/* Random messages come and go, and data arrives in random order. */
struct run {
	struct kunit *test;
	struct rnd_state rnd;
	struct homa_rpc *rpcs[MAX_MESSAGES];
	struct homa_peer *senders[MAX_SENDERS];
	int total;
	bool ended[MAX_MESSAGES];
};

static u32 outstanding(const struct run *run)
{
	u32 sum = 0;
	int i;

	for (i = 0; i < run->total; i++) {
		const struct homa_rpc *rpc = run->rpcs[i];

		if (rpc && !run->ended[i] && rpc->in.granted > received(rpc))
			sum += rpc->in.granted - received(rpc);
	}
	return sum;
}

/* A message that may send something, or -1. */
static int run_pick(struct run *run)
{
	int i, n = prandom_u32_state(&run->rnd) % run->total;

	for (i = 0; i < run->total; i++) {
		const struct homa_rpc *rpc = run->rpcs[(n + i) % run->total];

		if (rpc && rpc->in.left && rpc->in.granted > received(rpc))
			return (n + i) % run->total;
	}
	return -1;
}

/* What one pass decided makes sense. */
static void run_check_batch(struct run *run,
			    const struct homa_grant_batch *batch)
{
	int i;

	KUNIT_EXPECT_LE(run->test, batch->count, HOMA_MAX_GRANTS);
	for (i = 0; i < batch->count; i++) {
		const struct homa_grant *g = &batch->grants[i];

		KUNIT_EXPECT_GT(run->test, g->increment, 0U);
		KUNIT_EXPECT_EQ(run->test, g->offset, g->rpc->in.granted);
		KUNIT_EXPECT_LE(run->test, g->offset, (u32)g->rpc->in.length);
	}
	check_scheduler(run->test, run->rpcs, run->total);
}

static void run_deliver(struct run *run, int i)
{
	struct homa_rpc *rpc = run->rpcs[i];
	u32 n = min_t(u32, 1 + prandom_u32_state(&run->rnd) % 9000,
		      rpc->in.granted - received(rpc));
	struct homa_grant_batch batch;

	update(rpc, n, &batch);
	run_check_batch(run, &batch);
	if (!rpc->in.left) {
		remove(rpc);
		run->ended[i] = true;
	}
}

static struct run *run_start(struct kunit *test, u64 seed, int total)
{
	struct run *run = kunit_kzalloc(test, sizeof(*run), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, run);
	for (i = 0; i < MAX_SENDERS; i++)
		run->senders[i] = sender(test);
	run->test = test;
	run->total = total;
	prandom_seed_state(&run->rnd, seed);
	return run;
}

static void run_begin_message(struct run *run, int i)
{
	u32 length = 2 + prandom_u32_state(&run->rnd) % 300000;
	u32 unscheduled = prandom_u32_state(&run->rnd) % min(length, 60000u);
	u32 from = prandom_u32_state(&run->rnd) % MAX_SENDERS;
	struct homa_grant_batch batch;

	run->rpcs[i] = message_of(run->test, run->senders[from], i + 1, length,
				  unscheduled);
	update(run->rpcs[i], 0, &batch);
	run_check_batch(run, &batch);
}

struct run_case {
	int overcommit;
	int messages;
	int window;
};

static const struct run_case run_cases[] = {
	{ 1, 1, 0 }, { 1, 2, 0 }, { 1, 20, 0 }, { 2, 3, 0 }, { 2, 20, 0 },
	{ 8, 8, 0 }, { 8, 20, 0 }, { 1, 20, 10000 }, { 2, 20, 1000000 },
	{ 8, 20, 10000 }, { 8, 20, 1000000 },
};

static void run_desc(const struct run_case *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%d of %d messages, window %d",
		 param->overcommit, param->messages, param->window);
}

KUNIT_ARRAY_PARAM(run, run_cases, run_desc);

/* Whatever arrives when, all messages are granted to their end. */
static void homa_grant__nobody_starves(struct kunit *test)
{
	const struct run_case *param = test->param_value;
	struct homa_net *hn = test->priv;
	struct run *run;
	int i, seed, stuck;

	hn->sysctl.max_overcommit = param->overcommit;
	hn->sysctl.window = param->window;
	for (seed = 1; seed <= 5; seed++) {
		run = run_start(test, seed, param->messages);
		for (i = 0; i < param->messages; i++)
			run_begin_message(run, i);
		while ((i = run_pick(run)) >= 0)
			run_deliver(run, i);
		for (stuck = i = 0; i < param->messages; i++) {
			stuck += run->rpcs[i]->in.left > 0;
			remove(run->rpcs[i]);
			KUNIT_EXPECT_EQ(test,
					refcount_read(&run->rpcs[i]->refs), 1U);
		}
		KUNIT_EXPECT_EQ(test, stuck, 0);
		KUNIT_EXPECT_EQ(test, grants->count, 0);
	}
}

/* With a dynamic window, what is granted and has not arrived is not more than
 * max_incoming; messages come one by one, each shorter than those before, so
 * that each takes the place of one that has its grants already.
 */
static void homa_grant__max_incoming_bounds_all(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct run *run = run_start(test, 1, MAX_MESSAGES);
	struct homa_grant_batch batch;
	int overcommit, i;
	u32 most;

	for (overcommit = 1; overcommit <= 8; overcommit *= 2) {
		hn->sysctl.max_overcommit = overcommit;
		for (most = i = 0; i < MAX_MESSAGES; i++) {
			run->rpcs[i] = message_of(test, run->senders[i % MAX_SENDERS],
						  i + 1, 900000 - 1000 * i, 0);
			update(run->rpcs[i], 0, &batch);
			run_check_batch(run, &batch);
			most = max(most, outstanding(run));
		}
		KUNIT_EXPECT_LE(test, most, (u32)hn->sysctl.max_incoming);
		for (i = 0; i < MAX_MESSAGES; i++) {
			remove(run->rpcs[i]);
			run->rpcs[i] = NULL;
		}
	}
}

struct extreme_case {
	int window;
	int max_incoming;
	int overcommit;
	int increment;
};

static const struct extreme_case extreme_cases[] = {
	{ 0, 1, 8, 50000 }, { 1, 1, 1, 1 }, { 0, 1000000000, 8, 1000000000 },
	{ 1000000000, 1000000000, 8, 1000000000 }, { 1000000000, 1, 8, 0 },
	{ 1, 1000000000, 1, 1000000000 },
};

static void extreme_desc(const struct extreme_case *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%d, %d, %d, %d", param->window,
		 param->max_incoming, param->overcommit, param->increment);
}

KUNIT_ARRAY_PARAM(extreme, extreme_cases, extreme_desc);

/* With the extremes of its settings the scheduler stays sane. */
static void homa_grant__extreme_settings(struct kunit *test)
{
	const struct extreme_case *param = test->param_value;
	struct homa_net *hn = test->priv;
	struct run *run = run_start(test, 7, 3);
	int i, n;

	hn->sysctl.window = param->window;
	hn->sysctl.max_incoming = param->max_incoming;
	hn->sysctl.max_overcommit = param->overcommit;
	hn->sysctl.fifo_grant_increment = param->increment;
	hn->sysctl.grant_fifo_fraction = 500;
	for (i = 0; i < 3; i++)
		run_begin_message(run, i);
	for (n = 0; n < 200 && (i = run_pick(run)) >= 0; n++)
		run_deliver(run, i);
	KUNIT_EXPECT_TRUE(test, n == 200 || !grants->count);
	for (i = 0; i < 3; i++)
		remove(run->rpcs[i]);
	KUNIT_EXPECT_EQ(test, grants->incoming, 0);
	KUNIT_EXPECT_EQ(test, grants->count, 0);
}

static struct kunit_case grant_random_cases[] = {
	KUNIT_CASE_PARAM(homa_grant__nobody_starves, run_gen_params),
	KUNIT_CASE(homa_grant__max_incoming_bounds_all),
	KUNIT_CASE_PARAM(homa_grant__extreme_settings, extreme_gen_params),
	{}
};

static struct kunit_suite grant_random_suite = {
	.name = "homa_grant_random",
	.init = grant_init,
	.exit = grant_exit,
	.test_cases = grant_random_cases,
};

kunit_test_suites(&grant_random_suite);
