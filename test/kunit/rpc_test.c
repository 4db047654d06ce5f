// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/rpc.c: ids, finding, and how RPCs end. */

#include "host.h"

static void end(struct homa_rpc *rpc)
{
	spin_lock_bh(&rpc->lock);
	homa_rpc_end(rpc);
	spin_unlock_bh(&rpc->lock);
}

static void set_state(struct homa_rpc *rpc, enum homa_rpc_state state)
{
	spin_lock_bh(&rpc->lock);
	homa_rpc_set_state(rpc, state);
	spin_unlock_bh(&rpc->lock);
}

static bool is_ready(struct homa_rpc *rpc)
{
	bool ready;

	spin_lock_bh(&rpc->lock);
	ready = homa_rpc_is_ready(rpc);
	spin_unlock_bh(&rpc->lock);
	return ready;
}

/* Looks an RPC up, gives the reference back, and says which one it was. */
static struct homa_rpc *find(struct kunit *test, u8 last, u16 port, u64 id)
{
	struct homa_peer_key key = live_peer(last);
	struct live *live = test->priv;
	struct homa_rpc *rpc;

	rpc = homa_rpc_find(live->hsk, &key, htons(port), id);
	if (rpc)
		homa_rpc_put(rpc);
	return rpc;
}

static struct homa_rpc *find_any_port(struct kunit *test, u8 last, u64 id)
{
	struct homa_peer_key key = live_peer(last);
	struct live *live = test->priv;
	struct homa_rpc *rpc;

	rpc = homa_rpc_find_any_port(live->hsk, &key, id);
	if (rpc)
		homa_rpc_put(rpc);
	return rpc;
}

static struct homa_rpc *find_client(struct homa_sock *hsk, u64 id)
{
	struct homa_rpc *rpc = homa_rpc_find_client(hsk, id);

	if (rpc)
		homa_rpc_put(rpc);
	return rpc;
}

static void homa_rpc_alloc__client_ids(struct kunit *test)
{
	struct live *live = test->priv;
	struct homa_rpc *rpc;
	u64 id;

	atomic64_set(&live->hn->next_id, -4);
	for (id = -4; id != 8; id += 2) {
		if (!id)	/* is no id */
			id += 2;
		rpc = live_rpc(test, 0);
		KUNIT_EXPECT_EQ(test, rpc->key.id, id);
		KUNIT_EXPECT_TRUE(test, homa_is_client(rpc));
		KUNIT_EXPECT_EQ(test, rpc->state, HOMA_OUTGOING);
	}
	rpc = live_rpc(test, 7);
	KUNIT_EXPECT_EQ(test, rpc->key.id, 7ULL);
	KUNIT_EXPECT_FALSE(test, homa_is_client(rpc));
	KUNIT_EXPECT_EQ(test, rpc->state, HOMA_INCOMING);
}

struct find_case {
	const char *desc;
	u8 last;	/* byte of the address */
	u16 port;
	u64 id;
	int found;	/* which one, or -1 */
};

/* Server RPCs: 7 of (1, 100), 7 of (1, 101), 7 of (2, 100), 9 of (1, 100). */
static const struct find_case find_cases[] = {
	{ "first", 1, 100, 7, 0 },
	{ "same id, other port", 1, 101, 7, 1 },
	{ "same id, other address", 2, 100, 7, 2 },
	{ "other id", 1, 100, 9, 3 },
	{ "unknown id", 1, 100, 11, -1 },
	{ "unknown port", 1, 102, 7, -1 },
	{ "unknown address", 3, 100, 7, -1 },
	{ "combination", 2, 101, 7, -1 },
	{ "client's id", 1, 100, 6, -1 },
};

static void find_desc(const struct find_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(find, find_cases, find_desc);

static void homa_rpc_find__server(struct kunit *test)
{
	const struct find_case *param = test->param_value;
	struct homa_rpc *found;
	int i;

	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_NOT_NULL(test, live_rpc_at(test,
							find_cases[i].last,
							find_cases[i].port,
							find_cases[i].id));
	found = find(test, param->last, param->port, param->id);
	if (param->found < 0)
		KUNIT_EXPECT_NULL(test, found);
	else
		KUNIT_EXPECT_PTR_EQ(test, found, ((struct live *)test->priv)->
							 rpcs[param->found]);
}

static void homa_rpc_find__client(struct kunit *test)
{
	struct homa_rpc *rpc = live_rpc_at(test, 1, 100, 0);
	struct live *live = test->priv;
	u64 id;

	KUNIT_ASSERT_NOT_NULL(test, rpc);
	id = rpc->key.id;
	KUNIT_EXPECT_PTR_EQ(test, find(test, 1, 100, id), rpc);

	/* A packet must come from the server that was asked. */
	KUNIT_EXPECT_NULL(test, find(test, 2, 100, id));
	KUNIT_EXPECT_NULL(test, find(test, 1, 101, id));
	KUNIT_EXPECT_NULL(test, find(test, 1, 100, id + 2));
	KUNIT_EXPECT_NULL(test, find(test, 1, 100, id ^ 1));
	KUNIT_EXPECT_PTR_EQ(test, find_client(live->hsk, id), rpc);
	KUNIT_EXPECT_NULL(test, find_client(live->hsk, id + 2));
	KUNIT_EXPECT_EQ(test, refcount_read(&rpc->refs), 2U);
}

static void homa_rpc_find_client__other_socket(struct kunit *test)
{
	struct homa_rpc *rpc = live_rpc(test, 0);
	struct socket *other;

	KUNIT_ASSERT_EQ(test, sock_create_kern(&init_net, AF_INET, SOCK_DGRAM,
					       IPPROTO_HOMA, &other), 0);
	KUNIT_EXPECT_NULL(test, find_client(homa_sk(other->sk), rpc->key.id));
	sock_release(other);
}

static void homa_rpc_find_client__server_id(struct kunit *test)
{
	struct live *live = test->priv;

	live_rpc(test, 7);
	KUNIT_EXPECT_NULL(test, find_client(live->hsk, 7));
}

static void homa_rpc_find_any_port__ambiguous(struct kunit *test)
{
	struct homa_rpc *a = live_rpc_at(test, 1, 100, 7);
	struct homa_rpc *b;

	KUNIT_EXPECT_PTR_EQ(test, find_any_port(test, 1, 7), a);
	KUNIT_EXPECT_NULL(test, find_any_port(test, 2, 7));
	KUNIT_EXPECT_NULL(test, find_any_port(test, 1, 9));
	b = live_rpc_at(test, 1, 101, 7);
	KUNIT_ASSERT_NOT_NULL(test, b);
	KUNIT_EXPECT_NULL(test, find_any_port(test, 1, 7));
	end(a);
	KUNIT_EXPECT_PTR_EQ(test, find_any_port(test, 1, 7), b);
}

static void homa_rpc_publish__errors(struct kunit *test)
{
	struct homa_peer_key key = live_peer(1);
	struct live *live = test->priv;
	struct homa_rpc *twin, *client;

	KUNIT_EXPECT_NOT_NULL(test, live_rpc_at(test, 1, 100, 7));
	twin = homa_rpc_alloc(live->hsk, &key, htons(100), 7, homa_now(), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, twin);
	KUNIT_EXPECT_EQ(test, homa_rpc_publish(twin), -EEXIST);
	KUNIT_EXPECT_EQ(test, live->hsk->num_server_rpcs, 1);

	live->hn->sysctl.max_server_rpcs = 1;
	twin->key.id = 9;
	KUNIT_EXPECT_EQ(test, homa_rpc_publish(twin), -ENOBUFS);
	live->hn->sysctl.max_server_rpcs = 2;
	client = live_rpc(test, 0);	/* does not count */
	KUNIT_EXPECT_EQ(test, homa_rpc_publish(twin), 0);
	KUNIT_EXPECT_EQ(test, live->hsk->num_server_rpcs, 2);
	end(twin);
	KUNIT_EXPECT_EQ(test, live->hsk->num_server_rpcs, 1);
	end(client);
	KUNIT_EXPECT_EQ(test, live->hsk->num_server_rpcs, 1);
	homa_rpc_put(twin);

	twin = homa_rpc_alloc(live->hsk, &key, htons(100), 11, homa_now(), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, twin);
	homa_sock_shutdown(live->hsk);
	KUNIT_EXPECT_EQ(test, homa_rpc_publish(twin), -ESHUTDOWN);
	homa_rpc_put(twin);
}

static void homa_rpc_end__lets_go(struct kunit *test)
{
	struct homa_rpc *rpc = live_rpc_at(test, 1, 100, 7);
	struct live *live = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, rpc);
	spin_lock_bh(&rpc->lock);
	rpc->in.length = 10;
	rpc->in.left = 0;
	homa_rpc_ready(rpc, 0);
	spin_unlock_bh(&rpc->lock);
	KUNIT_EXPECT_FALSE(test, list_empty(&live->hsk->ready));
	end(rpc);
	KUNIT_EXPECT_NULL(test, find(test, 1, 100, 7));
	KUNIT_EXPECT_TRUE(test, list_empty(&live->hsk->ready));
	KUNIT_EXPECT_TRUE(test, list_empty(&live->hsk->rpcs));
	KUNIT_EXPECT_EQ(test, rpc->state, HOMA_DEAD);
	KUNIT_EXPECT_EQ(test, refcount_read(&rpc->refs), 1U);
	end(rpc);
	KUNIT_EXPECT_EQ(test, refcount_read(&rpc->refs), 1U);
	KUNIT_EXPECT_EQ(test, live->hsk->num_server_rpcs, 0);
}

struct tomb_case {
	const char *desc;
	u64 id;
	enum homa_rpc_state state;
	bool remembered;
};

static const struct tomb_case tomb_cases[] = {
	{ "server, not executed", 1001, HOMA_INCOMING, false },
	{ "server, being executed", 1003, HOMA_IN_SERVICE, true },
	{ "server, answered", 1005, HOMA_OUTGOING, true },
	{ "client", 0, HOMA_OUTGOING, false },
	{ "client with a response", 0, HOMA_INCOMING, false },
};

static void tomb_desc(const struct tomb_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(tomb, tomb_cases, tomb_desc);

static void homa_rpc_end__remembers_what_was_executed(struct kunit *test)
{
	const struct tomb_case *param = test->param_value;
	struct homa_rpc *rpc = live_rpc(test, param->id);
	struct homa_peer_key peer = { rpc->daddr };
	struct live *live = test->priv;

	set_state(rpc, param->state);
	KUNIT_EXPECT_FALSE(test, homa_tomb_find(live->hn, &peer, rpc->dport,
						rpc->key.id));
	end(rpc);
	KUNIT_EXPECT_EQ(test, homa_tomb_find(live->hn, &peer, rpc->dport,
					     rpc->key.id), param->remembered);
}

struct fail_case {
	const char *desc;
	int errors[2];
	bool complete;	/* the response is there already */
	bool private;
	int error;	/* what the application will see */
	bool queued;
};

static const struct fail_case fail_cases[] = {
	{ "once", { -ETIMEDOUT }, false, false, -ETIMEDOUT, true },
	{ "the first counts", { -ECONNREFUSED, -ETIMEDOUT }, false, false,
	  -ECONNREFUSED, true },
	{ "too late", { -ETIMEDOUT }, true, false, 0, false },
	{ "private", { -ETIMEDOUT }, false, true, -ETIMEDOUT, false },
};

static void fail_desc(const struct fail_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(fail, fail_cases, fail_desc);

static void homa_rpc_fail__client(struct kunit *test)
{
	const struct fail_case *param = test->param_value;
	struct homa_rpc *rpc = live_rpc(test, 0);
	struct live *live = test->priv;
	int i;

	rpc->private = param->private;
	if (param->complete) {
		set_state(rpc, HOMA_INCOMING);
		rpc->in.length = 10;
	}
	KUNIT_EXPECT_EQ(test, is_ready(rpc), param->complete);
	spin_lock_bh(&rpc->lock);
	for (i = 0; i < 2 && param->errors[i]; i++)
		homa_rpc_abort(rpc, param->errors[i]);
	spin_unlock_bh(&rpc->lock);
	KUNIT_EXPECT_EQ(test, rpc->error, param->error);
	KUNIT_EXPECT_TRUE(test, is_ready(rpc));
	KUNIT_EXPECT_EQ(test, !list_empty(&live->hsk->ready), param->queued);
	KUNIT_EXPECT_NE(test, rpc->state, HOMA_DEAD);
}

static void homa_rpc_abort__server(struct kunit *test)
{
	struct homa_rpc *rpc = live_rpc(test, 7);
	struct live *live = test->priv;
	u64 before = host_counter(live->hn, server_rpc_discards);
	int i;

	for (i = 0; i < 2; i++) {
		spin_lock_bh(&rpc->lock);
		homa_rpc_abort(rpc, -ETIMEDOUT);
		spin_unlock_bh(&rpc->lock);
		KUNIT_EXPECT_EQ(test, rpc->state, HOMA_DEAD);
		KUNIT_EXPECT_EQ(test, rpc->error, 0);
		KUNIT_EXPECT_EQ(test, host_counter(live->hn,
						   server_rpc_discards),
				before + 1);
	}
}

static void homa_rpc_ready__in_order_and_once(struct kunit *test)
{
	struct live *live = test->priv;
	struct homa_rpc *rpcs[3], *rpc;
	int i;

	for (i = 0; i < 3; i++)
		rpcs[i] = live_rpc(test, 2 * i + 1);
	for (i = 0; i < 6; i++) {
		spin_lock_bh(&rpcs[i % 3]->lock);
		homa_rpc_ready(rpcs[i % 3], 0);
		spin_unlock_bh(&rpcs[i % 3]->lock);
	}
	i = 0;
	list_for_each_entry(rpc, &live->hsk->ready, ready_links)
		KUNIT_EXPECT_PTR_EQ(test, rpc, rpcs[i++]);
	KUNIT_EXPECT_EQ(test, i, 3);
}

/* The peer and the socket are held by RPCs only as long as they are there. */
static void homa_rpc_put__frees(struct kunit *test)
{
	struct homa_peer_key key = live_peer(77);
	struct live *live = test->priv;
	struct sock *sk = homa_sock_sk(live->hsk);
	int before = refcount_read(&sk->sk_refcnt);
	struct homa_peer *peer;
	struct homa_rpc *rpc;

	rpc = homa_rpc_alloc(live->hsk, &key, htons(99), 0, homa_now(), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rpc);
	peer = rpc->peer;
	KUNIT_EXPECT_EQ(test, refcount_read(&peer->refs), 2U);
	KUNIT_EXPECT_EQ(test, (int)refcount_read(&sk->sk_refcnt), before + 1);
	homa_rpc_put(rpc);
	KUNIT_EXPECT_EQ(test, refcount_read(&peer->refs), 1U);
	KUNIT_EXPECT_EQ(test, (int)refcount_read(&sk->sk_refcnt), before);
}

/* RPCs with one host take its last route, while that is good for them. */
static void homa_output_route__remembered(struct kunit *test)
{
	struct live *live = test->priv;
	struct homa_rpc *a = live_rpc(test, 0), *b, *c, *d;
	struct homa_route *route = &a->peer->route;
	struct sock *sk = homa_sock_sk(live->hsk);
	unsigned long since;

	KUNIT_EXPECT_EQ(test, homa_output_route(a), 0);
	KUNIT_ASSERT_PTR_EQ(test, route->dst, a->dst);
	route->since--;		/* to be told from what is looked up now */
	since = route->since;
	b = live_rpc(test, 0);
	KUNIT_EXPECT_EQ(test, homa_output_route(b), 0);
	KUNIT_EXPECT_PTR_EQ(test, b->dst, a->dst);
	KUNIT_EXPECT_TRUE(test, ipv6_addr_equal(&b->saddr, &a->saddr));
	KUNIT_EXPECT_EQ(test, route->since, since);

	/* Another flow. */
	sk->sk_mark = 7;
	c = live_rpc(test, 0);
	KUNIT_EXPECT_EQ(test, homa_output_route(c), 0);
	sk->sk_mark = 0;
	KUNIT_EXPECT_NE(test, route->since, since);
	KUNIT_EXPECT_EQ(test, route->flow.mark, 7u);

	/* Routes have changed. */
	route->since--;
	since = route->since;
	rt_genid_bump_ipv4(&init_net);
	sk->sk_mark = 7;
	d = live_rpc(test, 0);
	KUNIT_EXPECT_EQ(test, homa_output_route(d), 0);
	sk->sk_mark = 0;
	KUNIT_EXPECT_NE(test, route->since, since);
	KUNIT_EXPECT_NOT_NULL(test, dst_check(d->dst, 0));
	KUNIT_EXPECT_NULL(test, dst_check(c->dst, 0));
}

/* What is asked for too late is looked up again. */
static void homa_peer_route__too_old(struct kunit *test)
{
	struct homa_rpc *a = live_rpc(test, 0), *b;
	struct homa_route *route = &a->peer->route;

	KUNIT_EXPECT_EQ(test, homa_output_route(a), 0);
	route->since = jiffies - HZ;
	b = live_rpc(test, 0);
	KUNIT_EXPECT_EQ(test, homa_output_route(b), 0);
	KUNIT_EXPECT_LT(test, jiffies - route->since, (unsigned long)HZ / 2);
}

/* Freed memory may become another RPC at once: a search must not take it for what it
 * was. Each new RPC here is likely to be where an old one was.
 */
static void homa_rpc_find__used_again(struct kunit *test)
{
	struct homa_peer_key key = live_peer(1);
	struct live *live = test->priv;
	struct homa_rpc *rpc, *other;
	int i, again = 0;

	rpc = homa_rpc_alloc(live->hsk, &key, htons(99), 1, homa_now(), GFP_KERNEL);
	for (i = 0; i < 100; i++) {
		struct homa_rpc *old = rpc;
		u64 id = 2 * i + 1;

		KUNIT_ASSERT_NOT_NULL(test, rpc);
		KUNIT_EXPECT_NULL(test, find(test, 1, 99, id));
		KUNIT_ASSERT_EQ(test, homa_rpc_publish(rpc), 0);
		KUNIT_EXPECT_PTR_EQ(test, find(test, 1, 99, id), rpc);
		end(rpc);
		homa_rpc_put(rpc);

		rcu_read_lock();
		KUNIT_EXPECT_FALSE(test, homa_rpc_get_live(old));
		other = homa_rpc_alloc(live->hsk, &key, htons(99), id + 2,
				       homa_now(), GFP_ATOMIC);
		if (other == old) {
			KUNIT_EXPECT_TRUE(test, homa_rpc_get_live(old));
			homa_rpc_put(old);
			again++;
		}
		rcu_read_unlock();
		KUNIT_EXPECT_NULL(test, find(test, 1, 99, id));
		rpc = other;
	}
	homa_rpc_put(rpc);
	KUNIT_EXPECT_GT(test, again, 50);
}

static struct kunit_case rpc_cases[] = {
	KUNIT_CASE(homa_output_route__remembered),
	KUNIT_CASE(homa_peer_route__too_old),
	KUNIT_CASE(homa_rpc_find__used_again),
	KUNIT_CASE(homa_rpc_alloc__client_ids),
	KUNIT_CASE_PARAM(homa_rpc_find__server, find_gen_params),
	KUNIT_CASE(homa_rpc_find__client),
	KUNIT_CASE(homa_rpc_find_client__other_socket),
	KUNIT_CASE(homa_rpc_find_client__server_id),
	KUNIT_CASE(homa_rpc_find_any_port__ambiguous),
	KUNIT_CASE(homa_rpc_publish__errors),
	KUNIT_CASE(homa_rpc_end__lets_go),
	KUNIT_CASE_PARAM(homa_rpc_end__remembers_what_was_executed,
			 tomb_gen_params),
	KUNIT_CASE_PARAM(homa_rpc_fail__client, fail_gen_params),
	KUNIT_CASE(homa_rpc_abort__server),
	KUNIT_CASE(homa_rpc_ready__in_order_and_once),
	KUNIT_CASE(homa_rpc_put__frees),
	{}
};

static struct kunit_suite rpc_suite = {
	.name = "homa_rpc",
	.init = live_init,
	.exit = live_exit,
	.test_cases = rpc_cases,
};

kunit_test_suites(&rpc_suite);
