// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/pacer.c: who must wait, and in which order. */

#include "host.h"

#define FULL 100000000

/* A message of which @left bytes have not been sent. Nothing of it may be
 * sent now, so the pacer only forgets it when its turn comes.
 */
static struct homa_rpc *message(struct kunit *test, u64 number, int length,
				u32 left)
{
	struct homa_rpc *rpc = host_rpc(test, 2 * number);

	rpc->out.length = length;
	rpc->out.next = length - left;
	rpc->out.granted = rpc->out.next;
	return rpc;
}

static bool defer(struct homa_rpc *rpc, bool paced)
{
	bool result;

	spin_lock_bh(&rpc->lock);
	result = homa_pacer_defer(rpc, paced);
	spin_unlock_bh(&rpc->lock);
	return result;
}

static void forget(struct homa_rpc *rpc)
{
	spin_lock_bh(&rpc->lock);
	homa_pacer_remove(rpc);
	spin_unlock_bh(&rpc->lock);
}

struct defer_case {
	const char *desc;
	int length;
	int outstanding;
	int mbps;	/* of the link; 0: not known */
	int usecs;	/* max_nic_queue_usecs */
	bool deferred;
};

static const struct defer_case defer_cases[] = {
	{ "idle device", 100000, 0, 0, 40, false },
	{ "below the default", 100000, 32767, 0, 40, false },
	{ "at the default", 100000, 32768, 0, 40, true },
	{ "25 Gb/s, below", 100000, 124999, 25000, 40, false },
	{ "25 Gb/s, at", 100000, 125000, 25000, 40, true },
	{ "100 Gb/s, below", 100000, 499999, 100000, 40, false },
	{ "slow link has the default", 100000, 32767, 100, 40, false },
	{ "slow link, at", 100000, 32768, 100, 40, true },
	{ "no queue has the default", 100000, 32767, 25000, 0, false },
	{ "just long enough", 1000, FULL, 0, 40, true },
	{ "short", 999, FULL, 0, 40, false },
	{ "limit above 2 GB", 100000, 1000000, 10000000, 2000, false },
	{ "limit above 4 GB", 100000, 1000000, 10000000, 4000, false },
};

static void defer_desc(const struct defer_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(defer, defer_cases, defer_desc);

static void homa_pacer_defer__limit(struct kunit *test)
{
	const struct defer_case *param = test->param_value;
	struct homa_rpc *rpc = message(test, 1, param->length, 500);
	struct homa_net *hn = test->priv;

	hn->sysctl.link_mbps = param->mbps;
	hn->sysctl.max_nic_queue_usecs = param->usecs;
	homa_pacer_charge(hn, param->outstanding);
	KUNIT_EXPECT_EQ(test, defer(rpc, false), param->deferred);
	KUNIT_EXPECT_EQ(test, !RB_EMPTY_NODE(&rpc->pacer_node),
			param->deferred);
	KUNIT_EXPECT_EQ(test, defer(rpc, true), param->deferred);

	hn->sysctl.flags = HOMA_FLAG_DONT_THROTTLE;
	KUNIT_EXPECT_FALSE(test, defer(rpc, false));
	forget(rpc);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&hn->pacer.tree.rb_root));
}

/* While somebody waits nobody else may push in, but short messages. */
static void homa_pacer_defer__behind_others(struct kunit *test)
{
	struct homa_rpc *first = message(test, 1, 100000, 50000);
	struct homa_rpc *other = message(test, 2, 100000, 60000);
	struct homa_rpc *small = message(test, 3, 999, 999);
	struct homa_net *hn = test->priv;

	homa_pacer_charge(hn, FULL);
	KUNIT_EXPECT_TRUE(test, defer(first, false));

	/* Room, but nobody has told the pacer. */
	atomic_sub(FULL, &hn->pacer.outstanding);
	KUNIT_EXPECT_FALSE(test, defer(small, false));
	KUNIT_EXPECT_FALSE(test, defer(first, true));
	KUNIT_EXPECT_TRUE(test, defer(other, false));

	/* That sent both on their way: the tasklet has run. */
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_NODE(&first->pacer_node));
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_NODE(&other->pacer_node));
	KUNIT_EXPECT_EQ(test, refcount_read(&first->refs), 1U);
}

static void homa_pacer_completed__wakes(struct kunit *test)
{
	struct homa_rpc *rpc = message(test, 1, 100000, 50000);
	struct homa_net *hn = test->priv;

	homa_pacer_charge(hn, 32768 + 1000);
	KUNIT_EXPECT_TRUE(test, defer(rpc, false));
	local_bh_disable();
	homa_pacer_completed(hn, 1000);
	local_bh_enable();
	KUNIT_EXPECT_FALSE(test, RB_EMPTY_NODE(&rpc->pacer_node));
	local_bh_disable();
	homa_pacer_completed(hn, 1);
	local_bh_enable();
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_NODE(&rpc->pacer_node));
	KUNIT_EXPECT_EQ(test, atomic_read(&hn->pacer.outstanding), 32767);
}

#define MAX_WAITING 8

struct order_case {
	const char *desc;
	u32 left[MAX_WAITING];
	int order[MAX_WAITING];
};

static const struct order_case order_cases[] = {
	{ "ascending", { 1, 2, 3 }, { 0, 1, 2 } },
	{ "descending", { 3, 2, 1 }, { 2, 1, 0 } },
	{ "mixed", { 500, 100, 900, 300 }, { 1, 3, 0, 2 } },
	{ "older first", { 7, 7, 7, 5 }, { 3, 0, 1, 2 } },
	{ "huge and small", { 100, 0x80000, 99 }, { 2, 0, 1 } },
};

static void order_desc(const struct order_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(order, order_cases, order_desc);

static void check_order(struct kunit *test, struct homa_rpc **rpcs,
			const int *order, int n)
{
	struct homa_net *hn = test->priv;
	struct rb_node *node = rb_first_cached(&hn->pacer.tree);
	int i;

	for (i = 0; i < n && node; i++, node = rb_next(node))
		KUNIT_EXPECT_PTR_EQ(test, rb_entry(node, struct homa_rpc,
						   pacer_node),
				    rpcs[order[i]]);
	KUNIT_EXPECT_EQ(test, i, n);
	KUNIT_EXPECT_NULL(test, node);
}

/* Fewest bytes left first, whatever the length. */
static void homa_pacer_defer__order(struct kunit *test)
{
	const struct order_case *param = test->param_value;
	struct homa_rpc *rpcs[MAX_WAITING];
	struct homa_net *hn = test->priv;
	int i, n;

	homa_pacer_charge(hn, FULL);
	for (n = 0; n < MAX_WAITING && param->left[n]; n++) {
		rpcs[n] = message(test, n + 1, 0x80000, param->left[n]);
		KUNIT_EXPECT_TRUE(test, defer(rpcs[n], false));
	}
	check_order(test, rpcs, param->order, n);

	/* Asking again changes nothing. */
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_TRUE(test, defer(rpcs[i], false));
	check_order(test, rpcs, param->order, n);
	for (i = 0; i < n; i++)
		forget(rpcs[param->order[i]]);
	KUNIT_EXPECT_NULL(test, rb_first_cached(&hn->pacer.tree));
}

static void homa_pacer_defer__moves_up(struct kunit *test)
{
	static const int before[] = { 1, 0, 2 }, after[] = { 2, 1, 0 };
	struct homa_rpc *rpcs[3];
	struct homa_net *hn = test->priv;
	int i;

	homa_pacer_charge(hn, FULL);
	rpcs[0] = message(test, 1, 100000, 2000);
	rpcs[1] = message(test, 2, 100000, 1000);
	rpcs[2] = message(test, 3, 100000, 3000);
	for (i = 0; i < 3; i++)
		defer(rpcs[i], false);
	check_order(test, rpcs, before, 3);
	rpcs[2]->out.next += 2500;
	defer(rpcs[2], true);
	check_order(test, rpcs, after, 3);
	for (i = 0; i < 3; i++)
		forget(rpcs[i]);
}

static void homa_pacer_remove__twice(struct kunit *test)
{
	struct homa_rpc *rpc = message(test, 1, 100000, 50000);
	struct homa_net *hn = test->priv;

	forget(rpc);
	homa_pacer_charge(hn, FULL);
	defer(rpc, false);
	forget(rpc);
	forget(rpc);
	KUNIT_EXPECT_NULL(test, rb_first_cached(&hn->pacer.tree));
	KUNIT_EXPECT_EQ(test, refcount_read(&rpc->refs), 1U);
}

static struct kunit_case pacer_cases[] = {
	KUNIT_CASE_PARAM(homa_pacer_defer__limit, defer_gen_params),
	KUNIT_CASE(homa_pacer_defer__behind_others),
	KUNIT_CASE(homa_pacer_completed__wakes),
	KUNIT_CASE_PARAM(homa_pacer_defer__order, order_gen_params),
	KUNIT_CASE(homa_pacer_defer__moves_up),
	KUNIT_CASE(homa_pacer_remove__twice),
	{}
};

static struct kunit_suite pacer_suite = {
	.name = "homa_pacer",
	.init = host_init,
	.exit = host_exit,
	.test_cases = pacer_cases,
};

kunit_test_suites(&pacer_suite);
