// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Memory of packets that nobody receives: bounded, charged, and free again.
 *
 * desc: received packets are charged to cgroup and host, whose limit holds and recovers
 * lab: --no-topology
 * flavor: fast debug@full
 */

#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "counters.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99
#define MB (1 << 20)
#define RECOVERY_MS 200	/* until messages that memory lacked for have come */

static struct {
	int ns, other;
	char *buf;
} env;

static struct hsock big_server(void)
{
	struct hsock server = hsock_sized(env.other, AF_INET, 100 * MB);

	ASSERT_RC(hsock_bind(&server, PORT), 0);
	return server;
}

/* Sends the server @n requests of 1 MB. */
static struct hsock flood(int n)
{
	union haddr to = haddr_of(AF_INET, "10.9.0.2", PORT);
	struct hsock hs = hsock_open(env.ns, AF_INET);
	uint64_t id;

	for (int i = 0; i < n; i++)
		ASSERT_RC(hsock_request(&hs, &to, env.buf,
					HOMA_MAX_MESSAGE_LENGTH, &id), 0);
	return hs;
}

/* Receives and answers all requests, and checks their contents. */
static void drain(struct hsock *server, struct hsock *hs, int n)
{
	struct hmsg m;

	for (int i = 0; i < n; i++) {
		ktap_label("request %d of %d", i, n);
		ASSERT_RC(hsock_recv_within(server, &m, 0, 20000),
			  HOMA_MAX_MESSAGE_LENGTH);
		EXPECT(payload_ok(server, &m, 5), "wrong contents");
		hsock_return(server, &m);
		hsock_reply(server, &m.from, m.args.id, "yes", 3);
		ASSERT_RC(hsock_recv_within(hs, &m, 0, 1000), 3);
		hsock_return(hs, &m);
	}
}

/* A column of /proc/net/homa/socks, such as "$10", for the server. */
static long long socks_column(const char *column)
{
	char line[64] = "0", command[100];
	FILE *out;

	ns_enter(env.other);
	snprintf(command, sizeof(command),
		 "awk '$3 == 99 { print %s }' /proc/net/homa/socks", column);
	out = popen(command, "r");
	ASSERT(out, "no /proc/net/homa/socks");
	if (!fgets(line, sizeof(line), out))
		line[0] = '\0';
	pclose(out);
	return atoll(line);
}

static long long rx_mem(void)
{
	return socks_column("$10");
}

/* Floods the server until @counter says that it refuses packets, and receives all. */
static void fill_and_drain(int n, const char *counter)
{
	struct hsock server = big_server(), hs;
	struct counters before;
	int64_t start;

	ASSERT_RC(ns_sysctl(env.ns, "timeout_ticks", "5000"), 0);
	counters_read(env.other, &before);
	hs = flood(n);
	EXPECT(WAIT_FOR(counters_grew(env.other, &before, counter) > 0, 5000),
	       "the limit was never reached");
	EXPECT_GE(rx_mem(), 12 * MB);
	start = now_ms();
	drain(&server, &hs, n);
	printf("# %d messages of 1 MB received in %lld ms\n", n,
	       (long long)(now_ms() - start));
	EXPECT_GE(RECOVERY_MS, now_ms() - start);
	EXPECT_EQ(rx_mem(), 0);
}

static void host_limit_holds_and_recovers(void)
{
	ASSERT_RC(ns_sysctl(env.other, "max_rx_kbytes", "16384"), 0);
	fill_and_drain(40, "rx_host_limits");
	ASSERT_RC(ns_sysctl(env.other, "max_rx_kbytes", "2000000"), 0);
}

/* Needs a machine with little memory: see limits_machine.sh. */
static void machine_limit_holds_and_recovers(void)
{
	fill_and_drain(60, "rx_memory_limits");
}

/* Column 8 of /proc/net/homa/socks, for the server: complete requests. */
static long long ready(void)
{
	return socks_column("$8");
}

/* Messages of 1 MB to 220 kB arrive where there is memory for less than all. Nobody
 * receives, so that what is complete after a while is what was preferred: the reserve
 * of 2 MB goes to the 5 shortest, though they came last.
 */
static void what_needs_least_is_completed(void)
{
	union haddr to = haddr_of(AF_INET, "10.9.0.2", PORT);
	struct hsock server = big_server(), hs = hsock_open(env.ns, AF_INET);
	long long limit = 16 * MB + 65536, complete;
	int short_ones = 0;
	struct hmsg m;
	uint64_t id;

	ASSERT_RC(ns_sysctl(env.other, "max_rx_kbytes", "16384"), 0);
	ASSERT_RC(ns_sysctl(env.ns, "timeout_ticks", "5000"), 0);
	for (int i = 0; i < 40; i++)
		ASSERT_RC(hsock_request(&hs, &to, env.buf, 1000000 - i * 20000,
					&id), 0);
	for (int i = 0; i < 20; i++) {
		sleep_ms(5);
		EXPECT_GE(limit, rx_mem());
	}
	complete = ready();
	printf("# %lld messages complete, %lld bytes\n", complete, rx_mem());
	for (int i = 0; i < 40; i++) {
		ASSERT(hsock_recv_within(&server, &m, 0, 1000) > 0, "%d: %s", i,
		       ktap_errno_name(m.rc));
		short_ones += i < complete && m.rc <= 300000;
		hsock_return(&server, &m);
	}
	EXPECT_EQ(short_ones, 5);
	ASSERT_RC(ns_sysctl(env.other, "max_rx_kbytes", "2000000"), 0);
}

/* An application that neither answers nor dies keeps nobody longer than he wants to
 * wait, and nothing of the RPC is left when both have gone on.
 */
static void hung_server_can_be_left(void)
{
	union haddr to = haddr_of(AF_INET, "10.9.0.2", PORT);
	struct hsock server = big_server(), hs = hsock_open(env.ns, AF_INET);
	struct timeval tv = { .tv_usec = 500000 };
	struct hmsg m, n;
	uint64_t id;

	ASSERT_RC(ns_sysctl(env.ns, "timeout_ticks", "100"), 0);
	ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
	ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 1);
	ASSERT_EQ(setsockopt(hs.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	EXPECT_RC(hsock_recv(&hs, &n, 0, 0), -EAGAIN);	/* BUSY, five timeouts long */
	EXPECT_EQ(hsock_num_rpcs(&hs), 1);
	EXPECT_RC(hsock_abort(&hs, id, 0), 0);
	EXPECT_EQ(hsock_num_rpcs(&hs), 0);
	EXPECT_EQ(hsock_num_rpcs(&server), 1);
	EXPECT_RC(hsock_reply(&server, &m.from, m.args.id, "late", 4), 0);
	EXPECT(WAIT_FOR(hsock_num_rpcs(&server) == 0, 5000), "its RPC stays");
}

/* A socket belongs to the cgroup of who made it, wherever that one goes then: so
 * nothing but the server's packets is charged to it.
 */
static struct hsock server_in_cgroup(void)
{
	struct hsock server;

	cgroup_enter();
	server = big_server();
	cgroup_leave();
	return server;
}

static void cgroup_pays(void)
{
	struct hsock server = server_in_cgroup(), hs = flood(10);

	EXPECT(WAIT_FOR(rx_mem() > 9 * MB, 5000), "only %lld arrived",
	       rx_mem());
	EXPECT_GE(cgroup_get("memory.stat", "sock "), 9 * MB);
	drain(&server, &hs, 10);
	EXPECT(WAIT_FOR(cgroup_get("memory.stat", "sock ") < MB, 5000),
	       "%lld bytes stay", cgroup_get("memory.stat", "sock "));
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_SLOW(host_limit_holds_and_recovers, 120),
		KTAP_SLOW(what_needs_least_is_completed, 120),
		KTAP_CASE(hung_server_can_be_left),
		KTAP_SLOW(cgroup_pays, 120),
	};
	static const struct ktap_case machine[] = {
		KTAP_SLOW(machine_limit_holds_and_recovers, 120),
	};

	env.ns = ns_new();
	env.other = ns_new();
	ns_join(env.ns, env.other, 9000);
	env.buf = malloc(HOMA_MAX_MESSAGE_LENGTH);
	payload_fill(env.buf, HOMA_MAX_MESSAGE_LENGTH, 5);
	if (getenv("LIMITS_MACHINE"))
		return ktap_main(argc, argv, machine, ARRAY_LEN(machine));
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
