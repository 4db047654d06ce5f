// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/sock.c: ports, who is found there, shutdown. */

#include <linux/vmalloc.h>

#include "host.h"

static struct socket *open_socket(struct kunit *test, int family)
{
	struct socket *sock = NULL;

	KUNIT_ASSERT_EQ(test, sock_create_kern(&init_net, family, SOCK_DGRAM,
					       IPPROTO_HOMA, &sock), 0);
	return sock;
}

static struct homa_sock *find(struct homa_net *hn, u16 port, bool ipv4)
{
	struct homa_sock *hsk;

	rcu_read_lock();
	hsk = homa_sock_find(hn, port, ipv4);
	rcu_read_unlock();
	return hsk;
}

struct default_case {
	const char *desc;
	u16 next;	/* next_default before */
	u16 ports[3];	/* of three sockets */
};

/* 0x9000 and 0x9001 are taken. */
static const struct default_case default_cases[] = {
	{ "free", 0xa000, { 0xa000, 0xa001, 0xa002 } },
	{ "wraps", 0xfffe, { 0xfffe, 0xffff, 0x8000 } },
	{ "first one taken", 0x9000, { 0x9002, 0x9003, 0x9004 } },
	{ "taken in between", 0x8fff, { 0x8fff, 0x9002, 0x9003 } },
};

static void default_desc(const struct default_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(default, default_cases, default_desc);

static void homa_sock_init__default_port(struct kunit *test)
{
	const struct default_case *param = test->param_value;
	struct live *live = test->priv;
	struct socket *taken[2], *socks[3];
	int i;

	/* Not this case's own socket in the way. */
	KUNIT_EXPECT_EQ(test, homa_sock_bind(live->hsk, 4999), 0);
	live->hn->ports.next_default = 0x9000;
	for (i = 0; i < 2; i++)
		taken[i] = open_socket(test, AF_INET);
	live->hn->ports.next_default = param->next;
	for (i = 0; i < 3; i++) {
		socks[i] = open_socket(test, AF_INET);
		KUNIT_EXPECT_EQ(test, homa_sk(socks[i]->sk)->port,
				param->ports[i]);
		KUNIT_EXPECT_EQ(test, ntohs(inet_sk(socks[i]->sk)->inet_sport),
				param->ports[i]);
		KUNIT_EXPECT_FALSE(test, homa_sk(socks[i]->sk)->is_server);
	}
	for (i = 0; i < 3; i++)
		sock_release(socks[i]);
	for (i = 0; i < 2; i++)
		sock_release(taken[i]);
}

static void nobody_to_tell(struct sock *sk)
{
}

#define DEFAULT_PORTS (0x10000 - HOMA_MIN_DEFAULT_PORT)

/* As many sockets as there are default ports; then one goes, and one fits. */
static void homa_sock_init__all_ports_in_use(struct kunit *test)
{
	struct live *live = test->priv;
	struct homa_sock *hsks;
	int i, failed = 0;
	struct sock *sk;
	u16 port;

	hsks = vzalloc(array_size(DEFAULT_PORTS + 1, sizeof(*hsks)));
	KUNIT_ASSERT_NOT_NULL(test, hsks);
	KUNIT_EXPECT_EQ(test, homa_sock_bind(live->hsk, 4999), 0);
	for (i = 0; i <= DEFAULT_PORTS; i++) {
		sk = homa_sock_sk(&hsks[i]);
		sock_net_set(sk, &init_net);
		sk->sk_state_change = nobody_to_tell;
		if (i < DEFAULT_PORTS)
			failed += homa_sock_init(&hsks[i]) != 0;
	}
	KUNIT_EXPECT_EQ(test, failed, 0);
	KUNIT_EXPECT_EQ(test, homa_sock_init(&hsks[DEFAULT_PORTS]),
			-EADDRNOTAVAIL);
	KUNIT_EXPECT_FALSE(test, hsks[DEFAULT_PORTS].hashed);

	port = hsks[1234].port;
	homa_sock_shutdown(&hsks[1234]);
	KUNIT_EXPECT_EQ(test, homa_sock_init(&hsks[DEFAULT_PORTS]), 0);
	KUNIT_EXPECT_EQ(test, hsks[DEFAULT_PORTS].port, port);
	for (i = 0; i <= DEFAULT_PORTS; i++)
		homa_sock_shutdown(&hsks[i]);
	synchronize_rcu();	/* lookups are over */
	vfree(hsks);
}

static void homa_sock_bind__moves(struct kunit *test)
{
	struct live *live = test->priv;
	struct socket *other = open_socket(test, AF_INET);
	struct homa_sock *hsk = live->hsk;
	u16 old = hsk->port;

	KUNIT_EXPECT_PTR_EQ(test, find(live->hn, old, true), hsk);
	KUNIT_EXPECT_EQ(test, homa_sock_bind(hsk, 500), 0);
	KUNIT_EXPECT_TRUE(test, hsk->is_server);
	KUNIT_EXPECT_EQ(test, hsk->port, 500);
	KUNIT_EXPECT_EQ(test, ntohs(hsk->inet.inet_sport), 500);
	KUNIT_EXPECT_PTR_EQ(test, find(live->hn, 500, true), hsk);
	KUNIT_EXPECT_NULL(test, find(live->hn, old, true));

	/* Again: the same one changes nothing, another one moves it. */
	KUNIT_EXPECT_EQ(test, homa_sock_bind(hsk, 500), 0);
	KUNIT_EXPECT_EQ(test, homa_sock_bind(homa_sk(other->sk), 500),
			-EADDRINUSE);
	KUNIT_EXPECT_STREQ(test, homa_sk(other->sk)->error_msg,
			   "port is in use");
	KUNIT_EXPECT_FALSE(test, homa_sk(other->sk)->is_server);
	KUNIT_EXPECT_EQ(test, homa_sock_bind(hsk, 501), 0);
	KUNIT_EXPECT_EQ(test, homa_sock_bind(homa_sk(other->sk), 500), 0);
	KUNIT_EXPECT_PTR_EQ(test, find(live->hn, 500, true),
			    homa_sk(other->sk));
	KUNIT_EXPECT_PTR_EQ(test, find(live->hn, 501, true), hsk);
	sock_release(other);
	KUNIT_EXPECT_NULL(test, find(live->hn, 500, true));
}

/* Ports that fall into one bucket of the table. */
static void homa_sock_bind__same_bucket(struct kunit *test)
{
	struct live *live = test->priv;
	struct socket *socks[5];
	int i;

	for (i = 0; i < 5; i++) {
		socks[i] = open_socket(test, AF_INET);
		KUNIT_EXPECT_EQ(test, homa_sock_bind(homa_sk(socks[i]->sk), 7 +
						     i * HOMA_PORT_BUCKETS), 0);
	}
	for (i = 0; i < 5; i++)
		KUNIT_EXPECT_PTR_EQ(test, find(live->hn, 7 +
					       i * HOMA_PORT_BUCKETS, true),
				    homa_sk(socks[i]->sk));
	KUNIT_EXPECT_NULL(test, find(live->hn, 7 + 5 * HOMA_PORT_BUCKETS,
				     true));
	for (i = 0; i < 5; i++)
		sock_release(socks[i]);
}

struct family_case {
	const char *desc;
	int family;
	bool v6only;
	bool ipv4;	/* the packet */
	bool found;
};

static const struct family_case family_cases[] = {
	{ "v4 packet, v4 socket", AF_INET, false, true, true },
	{ "v6 packet, v4 socket", AF_INET, false, false, false },
	{ "v4 packet, v6 socket", AF_INET6, false, true, true },
	{ "v6 packet, v6 socket", AF_INET6, false, false, true },
	{ "v4 packet, v6-only socket", AF_INET6, true, true, false },
	{ "v6 packet, v6-only socket", AF_INET6, true, false, true },
};

static void family_desc(const struct family_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(family, family_cases, family_desc);

static void homa_sock_find__family(struct kunit *test)
{
	const struct family_case *param = test->param_value;
	struct live *live = test->priv;
	struct socket *sock = open_socket(test, param->family);
	struct homa_sock *hsk = homa_sk(sock->sk);

	sock->sk->sk_ipv6only = param->v6only;
	KUNIT_EXPECT_PTR_EQ(test, find(live->hn, hsk->port, param->ipv4),
			    param->found ? hsk : NULL);
	sock_release(sock);
}

static void homa_sock_shutdown__is_final(struct kunit *test)
{
	struct live *live = test->priv;
	struct homa_rpc *client = live_rpc(test, 0);
	struct homa_rpc *server = live_rpc(test, 7);
	u16 port = live->hsk->port;
	int i;

	for (i = 0; i < 2; i++) {
		homa_sock_shutdown(live->hsk);
		KUNIT_EXPECT_TRUE(test, live->hsk->shutdown);
		KUNIT_EXPECT_FALSE(test, live->hsk->hashed);
		KUNIT_EXPECT_NULL(test, find(live->hn, port, true));
		KUNIT_EXPECT_TRUE(test, list_empty(&live->hsk->rpcs));
		KUNIT_EXPECT_EQ(test, client->state, HOMA_DEAD);
		KUNIT_EXPECT_EQ(test, server->state, HOMA_DEAD);
		KUNIT_EXPECT_EQ(test, refcount_read(&client->refs), 1U);
		KUNIT_EXPECT_EQ(test, homa_sock_bind(live->hsk, 500),
				-ESHUTDOWN);
	}
}

struct visits {
	struct homa_rpc *rpcs[3];
	unsigned int refs[3];
	int count;
};

static void visit(struct homa_rpc *rpc, void *arg)
{
	struct visits *v = arg;

	v->rpcs[v->count] = rpc;
	v->refs[v->count++] = refcount_read(&rpc->refs);
}

static void homa_sock_visit_rpcs__references(struct kunit *test)
{
	struct live *live = test->priv;
	struct homa_rpc *mine[3];
	struct visits v = {};
	int i;

	KUNIT_EXPECT_EQ(test, homa_sock_visit_rpcs(live->hsk, visit, &v), 0);
	KUNIT_EXPECT_EQ(test, v.count, 0);
	for (i = 0; i < 3; i++)
		mine[i] = live_rpc(test, 2 * i + 1);
	KUNIT_EXPECT_EQ(test, homa_sock_visit_rpcs(live->hsk, visit, &v), 3);
	KUNIT_ASSERT_EQ(test, v.count, 3);
	for (i = 0; i < 3; i++) {
		KUNIT_EXPECT_PTR_EQ(test, v.rpcs[i], mine[i]);
		KUNIT_EXPECT_EQ(test, v.refs[i], 3U);
		KUNIT_EXPECT_EQ(test, refcount_read(&mine[i]->refs), 2U);
	}
}

#define WALK_RPCS 50

/* A walk that ends RPCs; it takes 16 at a time. */
struct walk_case {
	const char *desc;
	int at;		/* when it visits this one, or -1: each */
	int first;	/* these end: so many after the visited one */
	int last;
	int visited;
};

static const struct walk_case walk_cases[] = {
	{ "nothing ends", WALK_RPCS, 0, 0, WALK_RPCS },
	{ "each ends", -1, 0, 0, WALK_RPCS },
	{ "where it goes on", 0, 16, 17, WALK_RPCS - 2 },
	{ "before it goes on", 8, -8, 3, WALK_RPCS },
	{ "all the rest", 0, 16, WALK_RPCS - 1, 16 },
};

static void walk_desc(const struct walk_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(walk, walk_cases, walk_desc);

struct walk {
	const struct walk_case *param;
	struct live *live;
	int visits[WALK_RPCS];
};

static void walk_visit(struct homa_rpc *rpc, void *arg)
{
	struct walk *w = arg;
	int i = rpc->key.id / 2, j;

	w->visits[i]++;
	if (w->param->at != i && w->param->at != -1)
		return;
	for (j = i + w->param->first; j <= i + w->param->last; j++) {
		struct homa_rpc *other = w->live->rpcs[j];

		spin_lock_bh(&other->lock);
		homa_rpc_end(other);
		spin_unlock_bh(&other->lock);
	}
}

static void homa_sock_visit_rpcs__while_rpcs_end(struct kunit *test)
{
	struct walk *w = kunit_kzalloc(test, sizeof(*w), GFP_KERNEL);
	struct live *live = test->priv;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, w);
	w->param = test->param_value;
	w->live = live;
	for (i = 0; i < WALK_RPCS; i++)
		live_rpc(test, 2 * i + 1);
	KUNIT_EXPECT_EQ(test, homa_sock_visit_rpcs(live->hsk, walk_visit, w),
			w->param->visited);
	for (i = 0; i < WALK_RPCS; i++)
		KUNIT_EXPECT_LE(test, w->visits[i], 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&live->hsk->walks));
}

static struct kunit_case sock_cases[] = {
	KUNIT_CASE_PARAM(homa_sock_init__default_port, default_gen_params),
	KUNIT_CASE(homa_sock_init__all_ports_in_use),
	KUNIT_CASE(homa_sock_bind__moves),
	KUNIT_CASE(homa_sock_bind__same_bucket),
	KUNIT_CASE_PARAM(homa_sock_find__family, family_gen_params),
	KUNIT_CASE(homa_sock_shutdown__is_final),
	KUNIT_CASE(homa_sock_visit_rpcs__references),
	KUNIT_CASE_PARAM(homa_sock_visit_rpcs__while_rpcs_end, walk_gen_params),
	{}
};

static struct kunit_suite sock_suite = {
	.name = "homa_sock",
	.init = live_init,
	.exit = live_exit,
	.test_cases = sock_cases,
};

kunit_test_suites(&sock_suite);
