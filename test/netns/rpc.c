// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Round trips of all sizes over lo and veth, IPv4, IPv6 and mapped addresses.
 *
 * desc: RPCs of 1 byte to 1 MB both ways, over lo and veth, v4 and v6
 * lab: --no-topology
 * flavor: fast@quick debug smp
 * timeout: 200
 */

#define _GNU_SOURCE
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counters.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99

static struct {
	int a;		/* 10.9.0.1 fd09::1 */
	int b;		/* 10.9.0.2 fd09::2 */
} env;

static const int sizes[] = {
	1, 2, 3, 15, 16, 100, 1403, 1404, 1405, 1423, 1424, 1425, 2848, 2849,
	10000, 39999, 40000, 40001, 65535, 65536, 65537, 131072, 200000,
	500000, 999999, 1000000,
};

static void all_sizes(int server_ns, int server_family, const char *to_text,
		      int client_ns, int client_family)
{
	struct hsock hs = hsock_open(client_ns, client_family);
	union haddr to = haddr_of(client_family, to_text, PORT);
	struct echoer e;

	echoer_start(&e, server_ns, server_family, PORT);
	for (int i = 0; i < ARRAY_LEN(sizes); i++) {
		ktap_label("%d bytes", sizes[i]);
		EXPECT_RC(round_trip(&hs, &to, sizes[i], i, 60000), 0);
	}
	EXPECT_EQ(e.served, ARRAY_LEN(sizes));
	EXPECT_EQ(hsock_num_rpcs(&hs), 0);
	echoer_stop(&e);
}

static void over_lo_v4(void)
{
	all_sizes(env.a, AF_INET, "127.0.0.1", env.a, AF_INET);
}

static void over_lo_v6(void)
{
	all_sizes(env.a, AF_INET6, "::1", env.a, AF_INET6);
}

static void over_veth_v4(void)
{
	all_sizes(env.b, AF_INET, "10.9.0.2", env.a, AF_INET);
}

static void over_veth_v6(void)
{
	all_sizes(env.b, AF_INET6, "fd09::2", env.a, AF_INET6);
}

static void own_address_of_a_device(void)
{
	all_sizes(env.a, AF_INET, "10.9.0.1", env.a, AF_INET);
}

/* An IPv6 socket reaches an IPv4 host by a mapped address, and back. */
static void mapped_addresses(void)
{
	all_sizes(env.b, AF_INET6, "10.9.0.2", env.a, AF_INET6);
}

static void mapped_client_of_an_ipv4_server(void)
{
	all_sizes(env.b, AF_INET, "10.9.0.2", env.a, AF_INET6);
}

static void features(const char *words)
{
	ns_run(env.a, "ethtool -K v0 %s >/dev/null", words);
	ns_run(env.b, "ethtool -K v0 %s >/dev/null", words);
}

static void without_offloads(void)
{
	features("tx off sg off tso off gso off gro off");
	over_veth_v4();
	features("tx on sg on tso on gso on gro off");
}

static void without_offloads_v6(void)
{
	features("tx off sg off tso off gso off gro off");
	over_veth_v6();
	features("tx on sg on tso on gso on gro off");
}

static void with_gro(void)
{
	features("tso off gro on");
	over_veth_v4();
	over_veth_v6();
	features("tso on gro off");
}

static void gso_without_tso(void)
{
	features("tso off gso on");
	over_veth_v4();
	over_veth_v6();
	features("tso on");
}

static void other_mtus(void)
{
	static const int mtus[] = { 1280, 9000, 65535, 1501 };

	for (int i = 0; i < ARRAY_LEN(mtus); i++) {
		ns_run(env.a, "ip link set v0 mtu %d", mtus[i]);
		ns_run(env.b, "ip link set v0 mtu %d", mtus[i]);
		over_veth_v4();
		over_veth_v6();
	}
	ns_run(env.a, "ip link set v0 mtu 1500");
	ns_run(env.b, "ip link set v0 mtu 1500");
}

/* Nothing is lost on such a link: nothing may be sent twice or wait. */
static void no_resends_without_loss(void)
{
	static const char *const names[] = {
		"resent_packets", "rpc_timeouts", "packets_sent_RPC_UNKNOWN",
		"short_packets", "packet_discards", "unknown_rpcs",
	};
	struct counters before[2];

	counters_read(env.a, &before[0]);
	counters_read(env.b, &before[1]);
	over_veth_v4();
	over_veth_v6();
	for (int i = 0; i < ARRAY_LEN(names); i++) {
		ktap_label("%s", names[i]);
		EXPECT_EQ(counters_grew(env.a, &before[0], names[i]), 0);
		EXPECT_EQ(counters_grew(env.b, &before[1], names[i]), 0);
	}
}

static void many_outstanding(void)
{
	enum { NUM = 500 };
	struct hsock hs = hsock_open(env.a, ktap_family);
	union haddr to = haddr_of(ktap_family, ktap_family == AF_INET ?
				  "10.9.0.2" : "fd09::2", PORT);
	struct echoer e;
	char buf[2000];
	struct hmsg m;
	uint64_t id;

	echoer_start(&e, env.b, ktap_family, PORT);
	for (int i = 0; i < NUM; i++) {
		payload_fill(buf, 1 + i * 4, i * 4 + 1);
		ASSERT_RC(hsock_request(&hs, &to, buf, 1 + i * 4, &id), 0);
	}
	memset(&m, 0, sizeof(m));
	for (int i = 0; i < NUM; i++) {
		m.args.id = 0;
		if (!EXPECT(hsock_recvmsg(&hs, &m, 0) > 0, "got %zd", m.rc))
			return;
		EXPECT(payload_ok(&hs, &m, m.rc), "wrong bytes of %zd", m.rc);
	}
	EXPECT_EQ(e.served, NUM);
	echoer_stop(&e);
}

/* Nobody waits in between, so tables get no time to grow. */
/* Tables grow for 260 at once; 40 before them, as softirqs take 64 packets at a time and
 * let kernel threads grow tables in between: 64, 128, ... would always be in time.
 */
static void hundreds_of_peers_at_once(void)
{
	enum { NUM = 300, BEFORE = 40 };
	struct hsock server = hsock_server(env.a, AF_INET, PORT);
	static struct hsock clients[NUM];
	static struct hmsg m[NUM];
	char text[20];
	uint64_t id;

	for (int i = 0; i < NUM; i++)
		clients[i] = hsock_open(env.a, AF_INET);
	for (int sent = 0, got = 0; got < NUM; got++) {
		for (; sent < (got < BEFORE ? BEFORE : NUM); sent++) {
			snprintf(text, sizeof(text), "127.0.%d.%d", sent / 200, 1 + sent % 200);
			union haddr to = haddr_of(AF_INET, text, PORT);

			ASSERT_RC(hsock_request(&clients[sent], &to, text, sizeof(text), &id), 0);
		}
		ASSERT_RC(hsock_recvmsg(&server, &m[got], 0), sizeof(text));
	}
	for (int i = 0; i < NUM; i++)
		ASSERT_RC(hsock_reply(&server, &m[i].from, m[i].args.id, "ok", 2), 0);
	memset(m, 0, sizeof(m));
	for (int i = 0; i < NUM; i++) {
		EXPECT_RC(hsock_recv_within(&clients[i], &m[i], 0, 5000), 2);
		hsock_close(&clients[i]);
	}
	hsock_close(&server);
}

static void link_local_with_a_scope(void)
{
	struct hsock server = hsock_server(env.b, AF_INET6, PORT);
	struct hsock hs = hsock_open(env.a, AF_INET6);
	union haddr to = haddr_of(AF_INET6, "fe80::9:2", PORT);
	char path[40];
	struct hmsg m;
	uint64_t id;
	FILE *f;

	ns_run(env.a, "ip addr replace fe80::9:1/64 dev v0 nodad && "
	       "ip neigh replace fe80::9:2 lladdr 02:09:00:00:00:02 dev v0 && "
	       "ip -o link show v0 | cut -d: -f1 >/run/scope.%d", getpid());
	ns_run(env.b, "ip addr replace fe80::9:2/64 dev v0 nodad && "
	       "ip neigh replace fe80::9:1 lladdr 02:09:00:00:00:01 dev v0");
	snprintf(path, sizeof(path), "/run/scope.%d", getpid());
	f = fopen(path, "r");
	ASSERT(f && fscanf(f, "%u", &to.in6.sin6_scope_id) == 1, "no scope");
	fclose(f);
	unlink(path);
	ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
	ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 1);
	EXPECT(m.from.in6.sin6_scope_id, "no scope id in the sender's address");
	ASSERT_RC(hsock_reply(&server, &m.from, m.args.id, "yes", 3), 0);
	EXPECT_RC(hsock_recv_within(&hs, &m, 0, 1000), 3);
}

static void be_patient(int ns)
{
	if (!ns_real_time())
		return;
	ns_sysctl(ns, "timeout_ticks", "5000");
	ns_sysctl(ns, "resend_ticks", "500");
}

static unsigned int scope_of(int ns, const char *dev)
{
	ns_enter(ns);
	return if_nametoindex(dev);
}

/* A host at a link of its own to @hub. All of them have the same address, and one
 * client's socket, whose port and first id are the same, too.
 */
static int neighbour(int hub, int link)
{
	int ns = ns_new();

	be_patient(ns);
	ns_run(hub, "ip link add e%d type veth peer name f%d && "
	       "ip link set f%d netns /proc/%d/fd/%d && "
	       "ip addr add fe80::7:1/64 dev e%d nodad && ip link set e%d up",
	       link, link, link, getpid(), ns, link, link);
	ns_run(ns, "ip link set f%d name e0 && "
	       "ip addr add fe80::7:7/64 dev e0 nodad && ip link set e0 up", link);
	ns_sysctl(ns, "next_id", "1000");
	return ns;
}

/* Requests of both neighbours differ in nothing but where they come from. */
static void serve_neighbours(struct hsock *server, struct hsock *clients,
			     const int *ns)
{
	union haddr to = haddr_of(AF_INET6, "fe80::7:1", PORT);
	struct hmsg m[2];
	uint64_t id[2];

	for (int i = 0; i < 2; i++) {
		to.in6.sin6_scope_id = scope_of(ns[i], "e0");
		ASSERT_RC(hsock_request(&clients[i], &to, &"ab"[i], 1, &id[i]), 0);
		ASSERT_RC(hsock_recv_within(server, &m[i], 0, 5000), 1);
		EXPECT_EQ(server->region[m[i].args.bpage_offsets[0]], "ab"[i]);
	}
	EXPECT_EQ(id[0], id[1]);
	EXPECT_EQ(m[0].args.id, m[1].args.id);
	EXPECT_EQ(haddr_port(&m[0].from), haddr_port(&m[1].from));
	EXPECT(m[0].from.in6.sin6_scope_id != m[1].from.in6.sin6_scope_id,
	       "same scope");
	for (int i = 1; i >= 0; i--)
		ASSERT_RC(hsock_reply(server, &m[i].from, m[i].args.id, "hello",
				      1 + i), 0);
	for (int i = 0; i < 2; i++)
		EXPECT_RC(hsock_recv_within(&clients[i], &m[i], 0, 5000), 1 + i);
}

static void neighbours_share_an_address(void)
{
	union haddr to = haddr_of(AF_INET6, "fe80::7:7", PORT);
	struct hsock clients[2], servers[2], hs;
	int hub = ns_new(), ns[2];
	struct hmsg m[2];
	uint64_t id[2];

	be_patient(hub);
	for (int i = 0; i < 2; i++) {
		ns[i] = neighbour(hub, i);
		clients[i] = hsock_open(ns[i], AF_INET6);
		servers[i] = hsock_server(ns[i], AF_INET6, PORT);
	}
	hs = hsock_server(hub, AF_INET6, PORT);
	for (int i = 0; i < 2; i++) {
		to.in6.sin6_scope_id = scope_of(hub, i ? "e1" : "e0");
		ASSERT_RC(hsock_request(&hs, &to, "hello", 3 + i, &id[i]), 0);
		ASSERT_RC(hsock_recv_within(&servers[i], &m[i], 0, 5000), 3 + i);
	}
	for (int i = 0; i < 2; i++) {
		ASSERT_RC(hsock_reply(&servers[i], &m[i].from, m[i].args.id, "yes",
				      1 + i), 0);
		EXPECT_RC(hsock_recv_within(&hs, &m[i], 0, 5000), 1 + i);
		EXPECT_EQ(m[i].args.id, id[i]);
	}
	serve_neighbours(&hs, clients, ns);
	serve_neighbours(&hs, clients, ns);
}

/* A second way between the hosts, with its own neighbours. */
static void second_way(int ns, int me, int other)
{
	ns_run(ns, "ip link set w0 address 02:09:00:00:01:%02x up && "
	       "ip addr replace 10.9.5.%d/32 dev lo && "
	       "ip addr replace 10.9.1.%d/24 dev w0 && "
	       "ip neigh replace 10.9.1.%d lladdr 02:09:00:00:01:%02x dev w0",
	       me, me, me, other, other);
}

static int sent_over(const char *dev)
{
	char path[40], line[40] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/run/sent.%d", getpid());
	ns_run(env.a, "ip -s -o link show %s | sed 's/.*TX:[^0-9]*//' | "
	       "cut -d' ' -f1 >%s", dev, path);
	f = fopen(path, "r");
	if (f && !fgets(line, sizeof(line), f))
		line[0] = 0;
	if (f)
		fclose(f);
	unlink(path);
	return atoi(line);
}

/* RPCs that have begun go on by the new route, and new ones take it. */
static void route_change_is_picked_up(void)
{
	struct hsock server = hsock_server(env.b, AF_INET, PORT);
	struct hsock hs = hsock_open(env.a, AF_INET);
	union haddr to = haddr_of(AF_INET, "10.9.5.2", PORT);
	static char buf[100000];
	struct counters before;
	struct hmsg m;
	uint64_t id;
	int start;

	ns_run(env.a, "ip link add w0 type veth peer name w1 && "
	       "ip link set w1 netns /proc/%d/fd/%d", getpid(), env.b);
	ns_run(env.b, "ip link set w1 name w0");
	second_way(env.a, 1, 2);
	second_way(env.b, 2, 1);
	ns_run(env.a, "ip route replace 10.9.5.2 via 10.9.0.2 src 10.9.5.1");
	ns_run(env.b, "ip route replace 10.9.5.1 via 10.9.0.1 src 10.9.5.2");
	payload_fill(buf, sizeof(buf), 1);
	ASSERT_RC(hsock_request(&hs, &to, buf, sizeof(buf), &id), 0);
	ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), sizeof(buf));

	ns_run(env.a, "ip route replace 10.9.5.2 via 10.9.1.2 src 10.9.5.1");
	ns_run(env.b, "ip route replace 10.9.5.1 via 10.9.1.1 src 10.9.5.2 && "
	       "ip link set v0 down");
	counters_read(env.b, &before);
	start = sent_over("w0");
	ASSERT_RC(hsock_reply(&server, &m.from, m.args.id, buf, sizeof(buf)),
		  0);
	EXPECT_RC(hsock_recv_within(&hs, &m, 0, 1000), sizeof(buf));
	EXPECT_GE(counters_grew(env.b, &before, "peer_dst_refreshes"), 1);
	ASSERT_RC(hsock_request(&hs, &to, buf, sizeof(buf), &id), 0);
	EXPECT_RC(hsock_recv_within(&server, &m, 0, 1000), sizeof(buf));
	EXPECT_GE(sent_over("w0") - start, (int)sizeof(buf));
	ns_run(env.b, "ip link set v0 up");
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_SLOW(over_lo_v4, 300),
		KTAP_SLOW(over_lo_v6, 300),
		KTAP_SLOW(over_veth_v4, 300),
		KTAP_SLOW(over_veth_v6, 300),
		KTAP_SLOW(own_address_of_a_device, 300),
		KTAP_SLOW(mapped_addresses, 300),
		KTAP_SLOW(mapped_client_of_an_ipv4_server, 300),
		KTAP_SLOW(without_offloads, 300),
		KTAP_SLOW(without_offloads_v6, 300),
		KTAP_SLOW(with_gro, 300),
		KTAP_SLOW(gso_without_tso, 300),
		KTAP_SLOW(other_mtus, 300),
		KTAP_SLOW(no_resends_without_loss, 300),
		KTAP_SLOW_EACH(many_outstanding, 300),
		KTAP_SLOW(hundreds_of_peers_at_once, 300),
		KTAP_SLOW(link_local_with_a_scope, 300),
		KTAP_SLOW(neighbours_share_an_address, 300),
		KTAP_SLOW(route_change_is_picked_up, 300),
	};

	env.a = ns_new();
	env.b = ns_new();
	ns_join(env.a, env.b, 1500);
	be_patient(env.a);
	be_patient(env.b);
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
