// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/tomb.c: what is remembered, for how long, and how much of it. */

#include <linux/delay.h>

#include "host.h"

/* Ids of different tombstones. */
#define FAR(i) (1024ULL * (i) + 1)

/* Remembers request @id of 10.0.0.@last, port @port. */
static void tomb_add(struct kunit *test, u8 last, u16 port, u64 id)
{
	struct homa_rpc *rpc = host_rpc(test, id);

	ipv6_addr_set_v4mapped(htonl(0x0a000000 + last), &rpc->key.addr);
	rpc->dport = htons(port);
	KUNIT_ASSERT_EQ(test, homa_tomb_enter(rpc), 0);
	homa_tomb_leave(rpc, true);
	kunit_kfree(test, rpc);
}

static bool tomb_find(struct kunit *test, u8 last, u16 port, u64 id)
{
	struct homa_peer_key key = {};

	ipv6_addr_set_v4mapped(htonl(0x0a000000 + last), &key.addr);
	return homa_tomb_find(test->priv, &key, htons(port), id);
}

struct find_case {
	const char *desc;
	u8 last;
	u16 port;
	u64 id;
	bool found;
};

/* There are tombstones of (1, 100, 7), (1, 101, 9) and (2, 100, 9). */
static const struct find_case find_cases[] = {
	{ "first", 1, 100, 7, true },
	{ "second", 1, 101, 9, true },
	{ "third", 2, 100, 9, true },
	{ "other id", 1, 100, 5, false },
	{ "other port", 1, 102, 7, false },
	{ "other address", 3, 100, 7, false },
	{ "port of another", 1, 101, 7, false },
	{ "address of another", 2, 100, 7, false },
	{ "next tombstone", 1, 100, 7 + 1024, false },
	{ "next bit", 1, 100, 11, false },
	{ "high bits of the id", 1, 100, 7 + (1ULL << 32), false },
};

static void find_desc(const struct find_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(find, find_cases, find_desc);

static void homa_tomb_find__key(struct kunit *test)
{
	const struct find_case *param = test->param_value;

	KUNIT_EXPECT_FALSE(test, tomb_find(test, param->last, param->port,
					   param->id));
	tomb_add(test, 1, 100, 7);
	tomb_add(test, 1, 101, 9);
	tomb_add(test, 2, 100, 9);
	KUNIT_EXPECT_EQ(test, tomb_find(test, param->last, param->port,
					param->id), param->found);
}

static void homa_tomb_find__expires(struct kunit *test)
{
	struct homa_net *hn = test->priv;

	hn->sysctl.timeout_ticks = 1;
	hn->sysctl.tombstone_msecs = 200;
	tomb_add(test, 1, 100, FAR(0));
	KUNIT_EXPECT_TRUE(test, tomb_find(test, 1, 100, FAR(0)));
	msleep(100);
	hn->sysctl.tombstone_msecs = 60000;
	tomb_add(test, 1, 100, FAR(1));
	msleep(110);
	KUNIT_EXPECT_FALSE(test, tomb_find(test, 1, 100, FAR(0)));
	KUNIT_EXPECT_TRUE(test, tomb_find(test, 1, 100, FAR(1)));

	/* What is forgotten may be executed; its neighbours are forgotten, too. */
	tomb_add(test, 1, 100, FAR(0) + 2);
	KUNIT_EXPECT_FALSE(test, tomb_find(test, 1, 100, FAR(0)));
	KUNIT_EXPECT_TRUE(test, tomb_find(test, 1, 100, FAR(0) + 2));
}

static void homa_tomb_find__outlives_a_patient_client(struct kunit *test)
{
	struct homa_net *hn = test->priv;

	hn->sysctl.tombstone_msecs = 1;
	hn->sysctl.timeout_ticks = 100;
	tomb_add(test, 1, 100, 7);
	msleep(200);
	KUNIT_EXPECT_TRUE(test, tomb_find(test, 1, 100, 7));
	msleep(450);
	KUNIT_EXPECT_FALSE(test, tomb_find(test, 1, 100, 7));
}

/* A question in the second half of its life gives it a new one. */
static void homa_tomb_find__prolongs(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	int i;

	hn->sysctl.timeout_ticks = 1;
	hn->sysctl.tombstone_msecs = 200;
	tomb_add(test, 1, 100, FAR(0));
	tomb_add(test, 1, 100, FAR(1));
	for (i = 0; i < 4; i++) {
		msleep(150);
		KUNIT_EXPECT_TRUE(test, tomb_find(test, 1, 100, FAR(0)));
	}
	KUNIT_EXPECT_FALSE(test, tomb_find(test, 1, 100, FAR(1)));
}

static void homa_tomb_enter__while_others_live(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_rpc *rpc = host_rpc(test, 9);
	struct homa_rpc *again = host_rpc(test, 7);

	ipv6_addr_set_v4mapped(htonl(0x0a000001), &rpc->key.addr);
	rpc->dport = htons(100);
	again->key.addr = rpc->key.addr;
	again->dport = rpc->dport;
	hn->sysctl.timeout_ticks = 1;
	hn->sysctl.tombstone_msecs = 5;
	hn->sysctl.max_tombstones = 1;

	/* One that an RPC uses neither expires nor gives way. */
	tomb_add(test, 1, 100, 7);
	KUNIT_ASSERT_EQ(test, homa_tomb_enter(rpc), 0);
	msleep(20);
	tomb_add(test, 2, 100, 7);
	KUNIT_EXPECT_TRUE(test, tomb_find(test, 1, 100, 7));
	KUNIT_EXPECT_FALSE(test, tomb_find(test, 1, 100, 9));
	KUNIT_EXPECT_EQ(test, homa_tomb_enter(again), -EALREADY);
	homa_tomb_leave(again, true);	/* does nothing */
	homa_tomb_leave(rpc, false);
	KUNIT_EXPECT_FALSE(test, tomb_find(test, 1, 100, 9));
	KUNIT_EXPECT_EQ(test, host_counter(hn, tombstone_evictions), 0ULL);
}

static void homa_tomb_add__removes_what_is_old(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	int i;

	hn->sysctl.timeout_ticks = 1;
	hn->sysctl.tombstone_msecs = 5;
	for (i = 0; i < 10; i++)
		tomb_add(test, 1, 100, FAR(i));
	KUNIT_EXPECT_EQ(test, hn->tombs.count, 10);
	cancel_delayed_work_sync(&hn->tombs.expiry);
	msleep(10);

	/* Two go for each that comes; an old one is no early death. */
	hn->sysctl.tombstone_msecs = 60000;
	for (i = 1; i <= 10; i++) {
		tomb_add(test, 2, 100, FAR(i));
		KUNIT_EXPECT_EQ(test, hn->tombs.count, max(10 - i, i));
	}
	KUNIT_EXPECT_EQ(test, host_counter(hn, tombstone_evictions), 0ULL);
	for (i = 1; i <= 10; i++)
		KUNIT_EXPECT_TRUE(test, tomb_find(test, 2, 100, FAR(i)));
}

struct limit_case {
	int limit;
	int added;
};

static const struct limit_case limit_cases[] = {
	{ 1, 1 }, { 1, 5 }, { 10, 9 }, { 10, 10 }, { 10, 11 }, { 10, 35 },
};

static void limit_desc(const struct limit_case *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%d of at most %d", param->added,
		 param->limit);
}

KUNIT_ARRAY_PARAM(limit, limit_cases, limit_desc);

static void homa_tomb_add__limit(struct kunit *test)
{
	const struct limit_case *param = test->param_value;
	int kept = min(param->limit, param->added);
	struct homa_net *hn = test->priv;
	int i;

	hn->sysctl.max_tombstones = param->limit;
	for (i = 0; i < param->added; i++) {
		tomb_add(test, 1, 100, FAR(i));
		KUNIT_EXPECT_LE(test, hn->tombs.count, param->limit);
	}
	KUNIT_EXPECT_EQ(test, hn->tombs.count, kept);
	KUNIT_EXPECT_EQ(test, host_counter(hn, tombstone_evictions),
			(u64)(param->added - kept));

	/* The oldest went first. */
	for (i = 0; i < param->added; i++)
		KUNIT_EXPECT_EQ(test, tomb_find(test, 1, 100, FAR(i)),
				i >= param->added - kept);
}

static void homa_tomb_add__lower_limit_takes_effect(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	int i;

	for (i = 0; i < 100; i++)
		tomb_add(test, 1, 100, FAR(i));
	hn->sysctl.max_tombstones = 10;
	for (; i < 200; i++)
		tomb_add(test, 1, 100, FAR(i));
	KUNIT_EXPECT_EQ(test, hn->tombs.count, 10);
	KUNIT_EXPECT_EQ(test, host_counter(hn, tombstone_evictions), 190ULL);
	KUNIT_EXPECT_FALSE(test, tomb_find(test, 1, 100, FAR(189)));
	KUNIT_EXPECT_TRUE(test, tomb_find(test, 1, 100, FAR(190)));
}

/* The table grows. */
#define MANY 4096

static void homa_tomb_find__many(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	int i, found = 0;

	for (i = 0; i < MANY; i++)
		tomb_add(test, i % 200, 100 + i % 3, 2 * i + 1);
	for (i = 0; i < MANY; i++) {
		found += tomb_find(test, i % 200, 100 + i % 3, 2 * i + 1);
		found += tomb_find(test, i % 200, 101 + i % 3, 2 * i + 1);
	}
	KUNIT_EXPECT_EQ(test, found, MANY);

	/* Neighbours share: 200 clients of 3 ports, 8192 / 1024 ids. */
	KUNIT_EXPECT_LE(test, hn->tombs.count, 200 * 3 * 8);
}

/* A host that gets no more requests forgets nevertheless. */
static void homa_tombs_expire__without_new_ones(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	int i, tries;

	hn->sysctl.timeout_ticks = 1;
	hn->sysctl.tombstone_msecs = 300;
	for (i = 0; i < 200; i++)
		tomb_add(test, 1, 100, FAR(i));
	KUNIT_EXPECT_EQ(test, hn->tombs.count, 200);
	for (tries = 0; tries < 100 && READ_ONCE(hn->tombs.count); tries++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, hn->tombs.count, 0);
	KUNIT_EXPECT_GE(test, tries, 10);
}

static void homa_tomb_find__hosts_are_apart(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_net *other;

	KUNIT_ASSERT_EQ(test, host_init(test), 0);
	other = test->priv;
	tomb_add(test, 1, 100, 7);
	KUNIT_EXPECT_TRUE(test, tomb_find(test, 1, 100, 7));
	test->priv = hn;
	KUNIT_EXPECT_FALSE(test, tomb_find(test, 1, 100, 7));
	test->priv = other;
	host_exit(test);
	test->priv = hn;
}

static struct kunit_case tomb_cases[] = {
	KUNIT_CASE_PARAM(homa_tomb_find__key, find_gen_params),
	KUNIT_CASE(homa_tomb_find__expires),
	KUNIT_CASE(homa_tomb_find__outlives_a_patient_client),
	KUNIT_CASE(homa_tomb_find__prolongs),
	KUNIT_CASE(homa_tomb_enter__while_others_live),
	KUNIT_CASE(homa_tomb_add__removes_what_is_old),
	KUNIT_CASE_PARAM(homa_tomb_add__limit, limit_gen_params),
	KUNIT_CASE(homa_tomb_add__lower_limit_takes_effect),
	KUNIT_CASE(homa_tomb_find__many),
	KUNIT_CASE(homa_tombs_expire__without_new_ones),
	KUNIT_CASE(homa_tomb_find__hosts_are_apart),
	{}
};

static struct kunit_suite tomb_suite = {
	.name = "homa_tomb",
	.init = host_init,
	.exit = host_exit,
	.test_cases = tomb_cases,
};

kunit_test_suites(&tomb_suite);
