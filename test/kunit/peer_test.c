// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/peer.c: the table of other hosts, and acknowledgments for them. */

#include <linux/delay.h>
#include <linux/inet.h>

#include "host.h"

static struct homa_peer_key key_of(u32 number)
{
	struct homa_peer_key key = {};

	ipv6_addr_set_v4mapped(htonl(0x0a000000 + number), &key.addr);
	return key;
}

static struct homa_peer *peer_get(struct kunit *test, u32 number)
{
	struct homa_peer_key key = key_of(number);

	return homa_peer_get(test->priv, &key);
}

/* Makes a peer that no RPC uses. */
static void peer_touch(struct kunit *test, u32 number)
{
	struct homa_peer *peer = peer_get(test, number);

	KUNIT_EXPECT_NOT_NULL(test, peer);
	if (peer)
		homa_peer_put(peer);
}

static bool peer_known(struct kunit *test, u32 number)
{
	struct homa_peer_key key = key_of(number);
	struct homa_peer *peer = homa_peer_find(test->priv, &key);

	if (peer)
		homa_peer_put(peer);
	return peer;
}

struct key_case {
	const char *desc;
	const char *addr;
	u32 scope;
	bool found;
};

/* The table holds 10.0.0.1, fd00::1 and fe80::1 on interface 5. */
static const struct key_case key_cases[] = {
	{ "v4", "::ffff:10.0.0.1", 0, true },
	{ "v6", "fd00::1", 0, true },
	{ "link-local", "fe80::1", 5, true },
	{ "other v4", "::ffff:10.0.0.2", 0, false },
	{ "other v6", "fd00::2", 0, false },
	{ "other prefix", "fd01::1", 0, false },
	{ "v4 compatible", "::10.0.0.1", 0, false },
	{ "other interface", "fe80::1", 6, false },
	{ "no interface", "fe80::1", 0, false },
};

static void key_desc(const struct key_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(key, key_cases, key_desc);

static struct homa_peer_key key_parse(struct kunit *test, const char *text,
				      u32 scope)
{
	struct homa_peer_key key = { .scope = scope };

	KUNIT_EXPECT_EQ(test, in6_pton(text, -1, key.addr.s6_addr, -1, NULL),
			1);
	return key;
}

static void homa_peer_find__key(struct kunit *test)
{
	const struct key_case *param = test->param_value;
	struct homa_peer *peer;
	struct homa_peer_key key;
	int i;

	key = key_parse(test, param->addr, param->scope);
	KUNIT_EXPECT_NULL(test, homa_peer_find(test->priv, &key));
	for (i = 0; i < 3; i++) {	/* the cases that are found */
		key = key_parse(test, key_cases[i].addr, key_cases[i].scope);
		peer = homa_peer_get(test->priv, &key);
		KUNIT_ASSERT_NOT_NULL(test, peer);
		homa_peer_put(peer);
	}
	key = key_parse(test, param->addr, param->scope);
	peer = homa_peer_find(test->priv, &key);
	KUNIT_EXPECT_EQ(test, !!peer, param->found);
	if (!peer)
		return;
	KUNIT_EXPECT_EQ(test, memcmp(&peer->key, &key, sizeof(key)), 0);
	homa_peer_put(peer);
}

static void homa_peer_get__references(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_peer *a, *b;

	a = peer_get(test, 1);
	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_EXPECT_EQ(test, refcount_read(&a->refs), 2U);
	b = peer_get(test, 1);
	KUNIT_EXPECT_PTR_EQ(test, a, b);
	KUNIT_EXPECT_EQ(test, refcount_read(&a->refs), 3U);
	homa_peer_put(a);
	homa_peer_put(b);
	KUNIT_EXPECT_EQ(test, refcount_read(&a->refs), 1U);
	KUNIT_EXPECT_EQ(test, hn->peers.count, 1);
	KUNIT_EXPECT_EQ(test, host_counter(hn, peer_allocs), 1ULL);
}

static void homa_peer_get__new_peer(struct kunit *test)
{
	struct homa_peer *peer = peer_get(test, 1);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, peer);
	KUNIT_EXPECT_EQ(test, peer->cutoff_version, 0);
	KUNIT_EXPECT_EQ(test, peer->num_acks, 0);
	for (i = 0; i < HOMA_MAX_PRIORITIES; i++)
		KUNIT_EXPECT_EQ(test, peer->cutoffs[i],
				i == HOMA_MAX_PRIORITIES - 2 ? INT_MAX : 0U);

	/* Its first CUTOFFS need not wait. */
	KUNIT_EXPECT_TRUE(test, time_after_eq(jiffies,
					      peer->cutoffs_sent + HZ));
	homa_peer_put(peer);
}

static void homa_peer_get__full_table_evicts_idle_longest(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	u32 i;

	hn->sysctl.max_peers = 3;
	for (i = 1; i <= 3; i++) {
		peer_touch(test, i);
		msleep(20);
	}
	peer_touch(test, 1);	/* so 2 is idle longest */
	peer_touch(test, 4);
	KUNIT_EXPECT_EQ(test, hn->peers.count, 3);
	KUNIT_EXPECT_TRUE(test, peer_known(test, 1));
	KUNIT_EXPECT_FALSE(test, peer_known(test, 2));
	KUNIT_EXPECT_TRUE(test, peer_known(test, 3));
	KUNIT_EXPECT_TRUE(test, peer_known(test, 4));
}

static void homa_peer_get__full_of_used_peers(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_peer *peers[3];
	u32 i;

	hn->sysctl.max_peers = 3;
	for (i = 0; i < 3; i++) {
		peers[i] = peer_get(test, i + 1);
		KUNIT_ASSERT_NOT_NULL(test, peers[i]);
	}
	KUNIT_EXPECT_NULL(test, peer_get(test, 4));
	KUNIT_EXPECT_EQ(test, hn->peers.count, 3);

	/* Those who are known still are. */
	KUNIT_EXPECT_PTR_EQ(test, peer_get(test, 2), peers[1]);
	homa_peer_put(peers[1]);
	homa_peer_put(peers[1]);
	peer_touch(test, 4);
	KUNIT_EXPECT_FALSE(test, peer_known(test, 2));
	homa_peer_put(peers[0]);
	homa_peer_put(peers[2]);
}

/* One idle peer among many: each attempt looks at a few, and goes on where
 * the one before ended.
 */
static void homa_peer_get__search_goes_on(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_peer *peers[40], *peer = NULL;
	int i, tries;

	hn->sysctl.max_peers = ARRAY_SIZE(peers);
	for (i = 0; i < ARRAY_SIZE(peers); i++) {
		peers[i] = peer_get(test, i);
		KUNIT_ASSERT_NOT_NULL(test, peers[i]);
	}
	homa_peer_put(peers[39]);
	for (tries = 0; !peer && tries < 10; tries++)
		peer = peer_get(test, 100);
	KUNIT_EXPECT_NOT_NULL(test, peer);
	KUNIT_EXPECT_FALSE(test, peer_known(test, 39));
	KUNIT_EXPECT_EQ(test, hn->peers.count, (int)ARRAY_SIZE(peers));
	if (peer)
		homa_peer_put(peer);
	for (i = 0; i < ARRAY_SIZE(peers) - 1; i++)
		homa_peer_put(peers[i]);
}

/* An evicted peer that comes back is a new one. */
static void homa_peer_get__comes_back(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_ack ack = { .client_id = cpu_to_be64(2) };
	struct homa_peer *peer = peer_get(test, 1);

	KUNIT_ASSERT_NOT_NULL(test, peer);
	homa_peer_push_ack(peer, &ack);
	homa_peer_put(peer);
	hn->sysctl.max_peers = 1;
	peer_touch(test, 2);
	peer = peer_get(test, 1);
	KUNIT_ASSERT_NOT_NULL(test, peer);
	KUNIT_EXPECT_FALSE(test, homa_peer_pop_ack(peer, &ack));
	homa_peer_put(peer);
	KUNIT_EXPECT_EQ(test, host_counter(hn, peer_allocs), 3ULL);
}

static void homa_peer_get__many(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	u32 i, known = 0;

	for (i = 0; i < 2000; i++)
		peer_touch(test, i);
	KUNIT_EXPECT_EQ(test, hn->peers.count, 2000);
	hn->sysctl.max_peers = 2000;
	for (; i < 3000; i++)
		peer_touch(test, i);
	KUNIT_EXPECT_EQ(test, hn->peers.count, 2000);
	for (i = 0; i < 3000; i++)
		known += peer_known(test, i);
	KUNIT_EXPECT_EQ(test, known, 2000U);
}

/* Random gets and puts: the count is right, and who is used stays. */
static void homa_peer_get__random(struct kunit *test)
{
	struct homa_peer *held[40] = {};
	struct homa_net *hn = test->priv;
	struct rnd_state rnd;
	int i, in_use = 0;

	prandom_seed_state(&rnd, 1);
	hn->sysctl.max_peers = 16;
	for (i = 0; i < 5000; i++) {
		u32 n = prandom_u32_state(&rnd) % ARRAY_SIZE(held);
		struct homa_peer *peer = peer_get(test, n);

		if (held[n]) {
			KUNIT_EXPECT_PTR_EQ(test, peer, held[n]);
			homa_peer_put(peer);
			if (prandom_u32_state(&rnd) % 2) {
				homa_peer_put(held[n]);
				held[n] = NULL;
				in_use--;
			}
		} else {
			KUNIT_EXPECT_EQ(test, !peer, in_use == 16);
			held[n] = peer;
			in_use += !!peer;
		}
		KUNIT_EXPECT_LE(test, hn->peers.count, 16);
	}
	for (i = 0; i < ARRAY_SIZE(held); i++) {
		if (held[i])
			homa_peer_put(held[i]);
	}
}

static struct homa_ack ack_of(u64 id)
{
	return (struct homa_ack){
		.client_id = cpu_to_be64(id),
		.server_port = htons(id + 1),
	};
}

static void homa_peer_pop_ack__newest_first(struct kunit *test)
{
	struct homa_peer *peer = peer_get(test, 1);
	struct homa_ack ack = ack_of(999);
	u64 id;

	KUNIT_ASSERT_NOT_NULL(test, peer);
	KUNIT_EXPECT_FALSE(test, homa_peer_pop_ack(peer, &ack));
	KUNIT_EXPECT_EQ(test, be64_to_cpu(ack.client_id), 999ULL);
	for (id = 1; id <= 3; id++) {
		ack = ack_of(id);
		KUNIT_EXPECT_TRUE(test, homa_peer_push_ack(peer, &ack));
	}
	for (id = 3; id >= 1; id--) {
		KUNIT_EXPECT_TRUE(test, homa_peer_pop_ack(peer, &ack));
		KUNIT_EXPECT_EQ(test, be64_to_cpu(ack.client_id), id);
		KUNIT_EXPECT_EQ(test, ntohs(ack.server_port), id + 1);
	}
	KUNIT_EXPECT_FALSE(test, homa_peer_pop_ack(peer, &ack));
	homa_peer_put(peer);
}

static void homa_peer_push_ack__no_room(struct kunit *test)
{
	struct homa_peer *peer = peer_get(test, 1);
	struct homa_ack acks[HOMA_MAX_ACKS], ack;
	u64 id;

	KUNIT_ASSERT_NOT_NULL(test, peer);
	for (id = 1; id <= HOMA_MAX_ACKS + 2; id++) {
		ack = ack_of(id);
		KUNIT_EXPECT_EQ(test, homa_peer_push_ack(peer, &ack),
				id <= HOMA_MAX_ACKS);
	}
	KUNIT_EXPECT_EQ(test, homa_peer_pop_acks(peer, acks), HOMA_MAX_ACKS);
	for (id = 1; id <= HOMA_MAX_ACKS; id++)
		KUNIT_EXPECT_EQ(test, be64_to_cpu(acks[id - 1].client_id), id);
	KUNIT_EXPECT_EQ(test, homa_peer_pop_acks(peer, acks), 0);
	KUNIT_EXPECT_TRUE(test, homa_peer_push_ack(peer, &ack));
	homa_peer_put(peer);
}

#define PEER_ASKS 5

static void homa_peer_may_ask__limit(struct kunit *test)
{
	struct homa_peer *peer = peer_get(test, 1);
	struct homa_net *hn = test->priv;
	u64 now = 7 * NSEC_PER_MSEC;
	int i, msec;

	KUNIT_ASSERT_NOT_NULL(test, peer);
	hn->sysctl.max_resends = PEER_ASKS;
	hn->sysctl.resend_interval = 1;
	for (msec = 0; msec < 3; msec++, now += NSEC_PER_MSEC)
		for (i = 0; i < 2 * PEER_ASKS; i++)
			KUNIT_EXPECT_EQ(test, homa_peer_may_ask(peer, now + i),
					i < PEER_ASKS);
	KUNIT_EXPECT_EQ(test, atomic_read(&peer->asked), 3);
	KUNIT_EXPECT_EQ(test, host_counter(hn, resend_limits),
			3ULL * PEER_ASKS);
	homa_peer_put(peer);
}

static void homa_peer_heard__forgets_what_was_asked(struct kunit *test)
{
	struct homa_peer *peer = peer_get(test, 1);
	u64 then = 1000 * NSEC_PER_SEC;

	KUNIT_ASSERT_NOT_NULL(test, peer);
	KUNIT_EXPECT_TRUE(test, homa_peer_may_ask(peer, then));
	KUNIT_EXPECT_TRUE(test, homa_peer_may_ask(peer, then + NSEC_PER_MSEC));
	KUNIT_EXPECT_EQ(test, atomic_read(&peer->asked), 1);
	KUNIT_EXPECT_TRUE(test, homa_peer_may_ask(peer, then + 6 * NSEC_PER_MSEC));
	KUNIT_EXPECT_EQ(test, atomic_read(&peer->asked), 2);
	KUNIT_EXPECT_EQ(test, peer->asked_since, then);
	homa_peer_heard(peer, peer->last_heard + 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&peer->asked), 0);
	KUNIT_EXPECT_TRUE(test, homa_peer_may_ask(peer, then + 9));
	KUNIT_EXPECT_EQ(test, peer->asked_since, then + 9);
	homa_peer_put(peer);
}

/* Waits until the collector has left no more than @count peers. */
static bool peers_shrink_to(struct homa_net *hn, int count)
{
	int tries;

	for (tries = 0; tries < 300 && READ_ONCE(hn->peers.count) > count; tries++)
		msleep(20);
	return READ_ONCE(hn->peers.count) == count;
}

static void homa_peers_gc__idle_ones_go(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_peer *used;
	u32 i;

	hn->sysctl.peer_idle_secs_max = 1;
	hn->sysctl.peer_idle_secs_min = 1;
	used = peer_get(test, 1);
	KUNIT_ASSERT_NOT_NULL(test, used);
	for (i = 2; i <= 300; i++)
		peer_touch(test, i);
	KUNIT_EXPECT_EQ(test, hn->peers.count, 300);
	KUNIT_EXPECT_TRUE(test, peers_shrink_to(hn, 1));
	KUNIT_EXPECT_TRUE(test, peer_known(test, 1));
	homa_peer_put(used);
	KUNIT_EXPECT_TRUE(test, peers_shrink_to(hn, 0));
}

struct gc_case {
	const char *desc;
	int peers;
	bool kept;
};

/* Above 10 peers they may be idle for less than 1000 s; above 20 for none. */
static const struct gc_case gc_cases[] = {
	{ "below the threshold", 10, true },
	{ "above the threshold", 11, true },
	{ "too many", 21, false },
};

static void gc_desc(const struct gc_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(gc, gc_cases, gc_desc);

static void homa_peers_gc__threshold(struct kunit *test)
{
	const struct gc_case *param = test->param_value;
	struct homa_net *hn = test->priv;
	int i;

	hn->sysctl.peer_idle_secs_max = 1000;
	hn->sysctl.peer_idle_secs_min = 0;
	hn->sysctl.peer_gc_threshold = 10;
	hn->sysctl.peer_net_max = 20;
	for (i = 1; i <= param->peers; i++)
		peer_touch(test, i);
	msleep(1500);
	if (param->kept) {
		KUNIT_EXPECT_EQ(test, hn->peers.count, param->peers);
		return;
	}
	/* As many as make the rest young enough, and those that came first. */
	KUNIT_EXPECT_LE(test, hn->peers.count, 20);
	KUNIT_EXPECT_GE(test, hn->peers.count, 10);
	KUNIT_EXPECT_FALSE(test, peer_known(test, 1));
	KUNIT_EXPECT_TRUE(test, peer_known(test, param->peers));
}

static struct kunit_case peer_cases[] = {
	KUNIT_CASE_PARAM(homa_peer_find__key, key_gen_params),
	KUNIT_CASE(homa_peer_get__references),
	KUNIT_CASE(homa_peer_get__new_peer),
	KUNIT_CASE(homa_peer_get__full_table_evicts_idle_longest),
	KUNIT_CASE(homa_peer_get__full_of_used_peers),
	KUNIT_CASE(homa_peer_get__search_goes_on),
	KUNIT_CASE(homa_peer_get__comes_back),
	KUNIT_CASE(homa_peer_get__many),
	KUNIT_CASE(homa_peer_get__random),
	KUNIT_CASE(homa_peer_pop_ack__newest_first),
	KUNIT_CASE(homa_peer_push_ack__no_room),
	KUNIT_CASE(homa_peer_may_ask__limit),
	KUNIT_CASE(homa_peer_heard__forgets_what_was_asked),
	KUNIT_CASE(homa_peers_gc__idle_ones_go),
	KUNIT_CASE_PARAM(homa_peers_gc__threshold, gc_gen_params),
	{}
};

static struct kunit_suite peer_suite = {
	.name = "homa_peer",
	.init = host_init,
	.exit = host_exit,
	.test_cases = peer_cases,
};

kunit_test_suites(&peer_suite);
