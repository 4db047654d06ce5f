// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Storms of hostile packets, while a well-behaved client goes on.
 *
 * desc: storms of hostile packets: bounded memory, no RPC of others lost, no log, and all is well afterwards
 * lab: --no-topology
 * flavor: fast debug@full
 * timeout: 300
 *
 *	attacker ---- v0 ---- host ---- c0 ---- client
 *
 * The attacker, the peer of wire.h, sends ATTACK_PACKETS packets of a kind (an
 * environment variable, at first 20,000) at a million a second, half as many of
 * IPv6. The host's limits are low, so that they are reached.
 */

#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attack.h"
#include "counters.h"
#include "hsock.h"
#include "klog.h"
#include "ktap.h"
#include "ns.h"
#include "wire.h"

#define CHUNKS 20	/* looks at the host during a storm */
#define KNOB_RPCS 4000	/* more than twice max_strangers */
#define KNOB_PEERS 3000
#define KNOB_RX_KB 16384
#define SPARE_KB 32768	/* what RPCs, peers and caches may take besides */
#define HEALTHY_MS 50	/* a round trip of a fresh client, at most */

static int client_ns, packets = 20000;

/* A client whose RPCs must all succeed. */
static struct victim {
	struct echoer server;
	struct hsock hs;
	union haddr to;
	pthread_t thread;
	bool stop;
	int done, failed;
	int64_t slowest;
} victim;

static void *client_run(void *arg)
{
	static const int lengths[] = { 100, 1400, 20000, 3, 100000, 5000 };
	struct victim *v = arg;

	for (int i = 0; !__atomic_load_n(&v->stop, __ATOMIC_RELAXED); i++) {
		int64_t start = now_ns();

		if (round_trip(&v->hs, &v->to, lengths[i % ARRAY_LEN(lengths)],
			       i, 5000))
			v->failed++;
		v->done++;
		if (now_ns() - start > v->slowest)
			v->slowest = now_ns() - start;
		usleep(200);
	}
	return NULL;
}

static void victim_start(struct victim *v)
{
	echoer_start(&v->server, wnet.host, ktap_family, ATTACK_PORT);
	v->hs = hsock_open(client_ns, ktap_family);
	v->to = haddr_of(ktap_family, ktap_family == AF_INET ? "10.200.0.1" :
			 "fd0a::1", ATTACK_PORT);
	EXPECT_RC(round_trip(&v->hs, &v->to, 100, 1, 1000), 0);
	ASSERT_EQ(pthread_create(&v->thread, NULL, client_run, v), 0);
}

static void victim_stop(struct victim *v)
{
	__atomic_store_n(&v->stop, true, __ATOMIC_RELAXED);
	pthread_join(v->thread, NULL);
	printf("# client: %d RPCs, %d failed, the slowest took %.2f ms\n", v->done,
	       v->failed, v->slowest / 1e6);
	EXPECT_EQ(v->failed, 0);
	EXPECT_GE(v->done, 10);
}

/* The first number that a shell command prints in the host. */
static long long ask(const char *command)
{
	char line[64] = "0";
	FILE *out;

	ns_enter(wnet.host);
	out = popen(command, "r");
	ASSERT(out, "cannot run %s", command);
	if (!fgets(line, sizeof(line), out))
		line[0] = '\0';
	pclose(out);
	return atoll(line);
}

static long long rx_mem(void)
{
	return ask("awk '$3 == 77 { print $10 }' /proc/net/homa/socks");
}

static long long free_kb(void)
{
	return ask("awk '$1 == \"MemAvailable:\" { print $2 }' /proc/meminfo");
}

/* What the host may hold for others is within what its settings say. */
static void check_bounds(long long free_before)
{
	EXPECT_GE(KNOB_RPCS, hsock_num_rpcs(&victim.server.hs));
	EXPECT_GE((KNOB_RX_KB + 64) * 1024LL, rx_mem());
	EXPECT_GE(KNOB_PEERS, ask("wc -l </proc/net/homa/peers") - 1);
	EXPECT_GE(KNOB_RX_KB + SPARE_KB, free_before - free_kb());
}

/* Everything that was held for the attacker is free again, and a client that was
 * never heard of is served.
 */
static void check_recovery(void)
{
	struct hsock fresh = hsock_open(client_ns, ktap_family);
	int64_t start = now_ns();

	EXPECT_RC(round_trip(&fresh, &victim.to, 50000, 5, 5000), 0);
	EXPECT_GE(HEALTHY_MS * 1000000LL, now_ns() - start);
	victim_stop(&victim);
	EXPECT(WAIT_FOR(hsock_num_rpcs(&victim.server.hs) == 0 && !rx_mem(), 3000),
	       "%d RPCs, %lld bytes stay", hsock_num_rpcs(&victim.server.hs),
	       rx_mem());
	start = now_ns();
	EXPECT_RC(round_trip(&fresh, &victim.to, 50000, 6, 5000), 0);
	EXPECT_GE(5000000LL, now_ns() - start);
	hsock_close(&fresh);
}

/* @counter: of refusals, which must grow; NULL: there is nothing to refuse. */
static void storm(enum attack_kind kind, const char *counter)
{
	int count = packets / CHUNKS / (ktap_family == AF_INET ? 1 : 2);
	int fd = klog_open();
	struct counters before;
	long long avail, kb;

	victim_start(&victim);
	avail = hsock_avail(&victim.server.hs);
	kb = free_kb();
	counters_read(wnet.host, &before);
	for (int i = 0; i < CHUNKS; i++) {
		check_bounds(kb);
		attack_send(wnet.fd, ktap_family, kind, count, ATTACK_BATCH);
	}
	if (counter)
		EXPECT_GE(counters_grew(wnet.host, &before, counter), 1);
	check_recovery();
	EXPECT_GE(hsock_avail(&victim.server.hs) + 65536, avail);
	EXPECT_EQ(klog_records(fd), 0);
	echoer_stop(&victim.server);
}

static void first_packets(void)
{
	storm(ATTACK_FIRST, "rx_silent_limits");
}

static void first_packets_of_short_messages(void)
{
	storm(ATTACK_FIRST_SHORT, "rx_silent_limits");
}

static void first_packets_from_forged_addresses(void)
{
	storm(ATTACK_FIRST_FORGED, "rx_silent_limits");
}

/* Who has had an answer is no stranger, but may not take what is for others. */
static void first_packets_of_a_known_host(void)
{
	static struct wpkt p;

	echoer_start(&victim.server, wnet.host, ktap_family, ATTACK_PORT);
	w_data(&p, ktap_family, 0x9001, ATTACK_PORT, w_new_id(), 10, 0, 10, 1);
	w_send(&p);
	EXPECT(WAIT_FOR(victim.server.served == 1, 1000), "not served");
	echoer_stop(&victim.server);
	storm(ATTACK_FIRST, "rx_peer_limits");
}

static void data_without_data(void)
{
	storm(ATTACK_ZERO, "rx_bad_length");
}

static void far_gaps(void)
{
	storm(ATTACK_GAPS, "rx_limits");
}

static void forged_acks(void)
{
	storm(ATTACK_ACK, NULL);
}

static void forged_unknowns(void)
{
	storm(ATTACK_UNKNOWN, "unknown_rpcs");
}

static void forged_resends(void)
{
	storm(ATTACK_RESEND, "reply_limits");
}

static void forged_cutoffs(void)
{
	storm(ATTACK_CUTOFFS, NULL);
}

static void forged_freezes(void)
{
	storm(ATTACK_FREEZE, NULL);
}

static void forged_grants(void)
{
	storm(ATTACK_GRANT, "unknown_rpcs");
}

static void forged_busys(void)
{
	storm(ATTACK_BUSY, "unknown_rpcs");
}

static void forged_need_acks(void)
{
	storm(ATTACK_NEED_ACK, "reply_limits");
}

static void set_limit(const char *name, int value)
{
	char text[20];

	snprintf(text, sizeof(text), "%d", value);
	ASSERT_RC(ns_sysctl(wnet.host, name, text), 0);
}

static void network(void)
{
	wnet_init();
	client_ns = ns_new();
	ns_run(wnet.host, "ip link add c0 type veth peer name c1 && "
	       "ip link set c1 netns /proc/%d/fd/%d && ip link set c0 up && "
	       "ip addr add 10.200.0.1/24 dev c0 && "
	       "ip addr add fd0a::1/64 dev c0 nodad && "
	       "ip route add default via 10.9.0.2 && "
	       "ip route add default via fd09::2", getpid(), client_ns);
	ns_run(client_ns, "ip link set c1 up && ip addr add 10.200.0.2/24 dev c1 && "
	       "ip addr add fd0a::2/64 dev c1 nodad");
	set_limit("max_server_rpcs", KNOB_RPCS);
	set_limit("max_peers", KNOB_PEERS);
	set_limit("max_rx_kbytes", KNOB_RX_KB);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_SLOW_EACH(first_packets, 250),
		KTAP_SLOW_EACH(first_packets_of_short_messages, 250),
		KTAP_SLOW_EACH(first_packets_from_forged_addresses, 250),
		KTAP_SLOW_EACH(first_packets_of_a_known_host, 250),
		KTAP_SLOW_EACH(data_without_data, 250),
		KTAP_SLOW_EACH(far_gaps, 250),
		KTAP_SLOW_EACH(forged_acks, 250),
		KTAP_SLOW_EACH(forged_unknowns, 250),
		KTAP_SLOW_EACH(forged_resends, 250),
		KTAP_SLOW_EACH(forged_cutoffs, 250),
		KTAP_SLOW_EACH(forged_freezes, 250),
		KTAP_SLOW_EACH(forged_grants, 250),
		KTAP_SLOW_EACH(forged_busys, 250),
		KTAP_SLOW_EACH(forged_need_acks, 250),
	};

	if (getenv("ATTACK_PACKETS"))
		packets = atoi(getenv("ATTACK_PACKETS"));
	network();
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
