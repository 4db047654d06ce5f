// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* What freezes timetraces: each value of freeze_type, and FREEZE packets; and what
 * the trace has then.
 *
 * desc: each freeze_type freezes this host and its peers, once, with the state of RPCs
 * lab: --no-topology
 * flavor: fast debug
 */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counters.h"
#include "hsock.h"
#include "klog.h"
#include "ktap.h"
#include "ns.h"
#include "wire.h"

#define PORT 77
#define PEER_CLIENT 0x9001

static struct wpkt p, q;
static char trace[2 << 20];

/* Reads the host's trace, which begins anew then. */
static void read_trace(void)
{
	ns_read_trace(wnet.host, trace, sizeof(trace));
}

static int traced(const char *text)
{
	int times = 0;

	for (char *at = trace; (at = strstr(at, text)); at++)
		times++;
	return times;
}

static int freeze_type(void)
{
	int type = -1;
	FILE *f;

	ns_enter(wnet.host);
	f = fopen("/proc/sys/net/homa/freeze_type", "r");
	if (f) {
		EXPECT_EQ(fscanf(f, "%d", &type), 1);
		fclose(f);
	}
	return type;
}

/* A client of the host that has sent a request of so many bytes to the peer. */
static struct hsock client_waits(int family, int length, uint64_t *id)
{
	struct hsock hs = hsock_open(wnet.host, family);
	union haddr to = wnet_peer_addr(family, PORT);
	char request[3000] = "";

	EXPECT_RC(hsock_request(&hs, &to, request, length, id), 0);
	w_drain();
	return hs;
}

/* Lets the host wait for something, with a trace that is empty and records. */
static void wait_for(const char *type)
{
	read_trace();
	EXPECT_RC(ns_sysctl(wnet.host, "freeze_type", type), 0);
}

/* The host is frozen because of this, and has told the peer. */
static void expect_frozen(int type, uint64_t id, const char *dump)
{
	char reason[80], state[80];

	EXPECT(w_find(&q, W_FREEZE, 200), "no FREEZE to the peer");
	sleep_ms(5);
	w_drain();
	EXPECT_EQ(freeze_type(), 0);
	read_trace();
	snprintf(reason, sizeof(reason), "freeze wanted, type %d id %u peer",
		 type, (unsigned int)id & ~1u);
	snprintf(state, sizeof(state), "dump of %s: id %u length", dump,
		 (unsigned int)id & ~1u);
	EXPECT_EQ(traced(reason), 1);
	EXPECT_EQ(traced(state), 1);
	EXPECT_EQ(traced("Freezing timetrace"), 1);
	EXPECT_GE(traced("FREEZE to IP, peer"), 1);
}

static void restarted_rpc(void)
{
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_waits(family, 2000, &id);

		wait_for("1");
		w_send_control(family, W_UNKNOWN, PORT, hsock_port(&hs), id ^ 1);
		expect_frozen(1, id, "outgoing");
		EXPECT_EQ(traced("RPC starts over"), 1);

		/* It happens once. */
		w_send_control(family, W_UNKNOWN, PORT, hsock_port(&hs), id ^ 1);
		EXPECT(!w_find(&q, W_FREEZE, 5), "frozen again");
		hsock_close(&hs);
	}
}

static void silent_peer(void)
{
	FOR_FAMILIES(family) {
		uint64_t id, other;
		struct hsock hs = client_waits(family, 100, &id);
		union haddr to = wnet_peer_addr(family, PORT);

		wait_for("2");
		sleep_ms(60);
		EXPECT_EQ(freeze_type(), 2);

		/* One more, that is younger and lives when the first is given up. */
		EXPECT_RC(hsock_request(&hs, &to, "x", 1, &other), 0);
		EXPECT(w_find(&q, W_FREEZE, 500), "no FREEZE to the peer");
		sleep_ms(5);
		read_trace();
		EXPECT_EQ(traced("freeze wanted, type 2"), 1);
		EXPECT_GE(traced("RPC timed out"), 1);
		EXPECT_GE(traced("dump of outgoing"), 1);
		hsock_close(&hs);
	}
}

static void slow_response(void)
{
	EXPECT_RC(ns_sysctl(wnet.host, "temp", "0 1000000000 100 200"), 0);
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_waits(family, 10, &id);

		wait_for("3");
		w_send_message(family, PORT, hsock_port(&hs), id ^ 1, 200, 1, 1000);
		EXPECT(!w_find(&q, W_FREEZE, 5), "200 bytes are not below 200");
		hsock_close(&hs);
		hs = client_waits(family, 10, &id);
		w_send_message(family, PORT, hsock_port(&hs), id ^ 1, 100, 1, 1000);
		expect_frozen(3, id, "incoming");
		EXPECT_EQ(traced("long round trip, usecs"), 1);
		hsock_close(&hs);
	}
	EXPECT_RC(ns_sysctl(wnet.host, "temp", "1000000 1000000000 0 1000000"), 0);
	wait_for("3");
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_waits(family, 10, &id);

		w_send_message(family, PORT, hsock_port(&hs), id ^ 1, 100, 1, 1000);
		EXPECT(!w_find(&q, W_FREEZE, 5), "it did not take a second");
		hsock_close(&hs);
	}
	EXPECT_RC(ns_sysctl(wnet.host, "freeze_type", "0"), 0);
}

static void lost_packet(void)
{
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_waits(family, 10, &id);

		wait_for("4");
		w_data(&p, family, PORT, hsock_port(&hs), id ^ 1, 2000, 1000, 1000, 2);
		w_send(&p);
		expect_frozen(4, id, "incoming");
		hsock_close(&hs);
	}
}

static void early_need_ack(void)
{
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_waits(family, 10, &id);

		w_data(&p, family, PORT, hsock_port(&hs), id ^ 1, 2000, 0, 1000, 2);
		w_send(&p);
		wait_for("5");
		w_send_control(family, W_NEED_ACK, PORT, hsock_port(&hs), id ^ 1);
		expect_frozen(5, id, "incoming");
		hsock_close(&hs);
	}
}

/* Another host's wish: for any port and RPC; the state is recorded, nobody told. */
static void freeze_packet(void)
{
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_waits(family, 10, &id);

		read_trace();
		w_send_control(family, W_FREEZE, PEER_CLIENT, 4242, 0);
		w_send_control(family, W_FREEZE, PEER_CLIENT, 4243, 0);
		EXPECT(!w_find(&q, W_FREEZE, 5), "FREEZE is answered");
		read_trace();
		EXPECT_GE(traced("FREEZE accepted, peer"), 1);
		EXPECT_EQ(traced("dump of outgoing"), 1);
		EXPECT_EQ(traced("Freezing timetrace"), 1);

		/* Whoever is frozen keeps what it has. */
		w_send_control(family, W_FREEZE, PEER_CLIENT, 4242, 0);
		sleep_ms(5);
		w_send_control(family, W_FREEZE, PEER_CLIENT, 4242, 0);
		sleep_ms(5);
		read_trace();
		EXPECT_EQ(traced("FREEZE accepted, peer"), 1);
		hsock_close(&hs);
	}
}

/* An action of net.homa.action writes a text to the kernel log so many times. */
static void expect_logged(const char *action, const char *text, int times)
{
	int fd = klog_open();

	EXPECT_RC(ns_sysctl(wnet.host, "action", action), 0);
	EXPECT_EQ(klog_having(fd, text), times);
	close(fd);
}

/* By hand: what net.homa.action writes to the log and to the trace. */
static void all_rpcs_are_dumped(void)
{
	enum { RPCS = 5 };
	uint64_t id[RPCS];
	char text[80];

	FOR_FAMILIES(family) {
		struct hsock hs = client_waits(family, 100, &id[0]);
		union haddr to = wnet_peer_addr(family, PORT);

		for (int i = 1; i < RPCS; i++)
			EXPECT_RC(hsock_request(&hs, &to, "request", 7, &id[i]), 0);
		read_trace();
		EXPECT_RC(ns_sysctl(wnet.host, "action", "6"), 0);
		read_trace();
		EXPECT_EQ(traced("dump of outgoing: id "), RPCS);
		EXPECT_EQ(traced("dump of incoming: id "), 0);
		for (int i = 0; i < RPCS; i++) {
			snprintf(text, sizeof(text), "dump of outgoing: id %u length %d",
				 (unsigned int)id[i] & ~1u, i ? 7 : 100);
			EXPECT_EQ(traced(text), 1);
		}
		for (int i = 0; i < RPCS; i++) {
			snprintf(text, sizeof(text), "RPC %llu state",
				 (unsigned long long)id[i]);
			expect_logged("2", text, 1);
		}
		expect_logged("9", "client_request", 1);
		hsock_close(&hs);
	}
}

static void one_rpc_is_logged(void)
{
	FOR_FAMILIES(family) {
		uint64_t id, other;
		struct hsock hs = client_waits(family, 100, &id);
		union haddr to = wnet_peer_addr(family, PORT);
		char text[40];

		EXPECT_RC(hsock_request(&hs, &to, "request", 7, &other), 0);
		snprintf(text, sizeof(text), "%llu", (unsigned long long)id);
		expect_logged(text, "RPC ", 1);
		snprintf(text, sizeof(text), "RPC %llu state", (unsigned long long)id);
		expect_logged("0", text, 1);
		expect_logged("1", "RPC ", 0);
		hsock_close(&hs);
	}
}

/* What one GRANT has allowed and nobody has sent. */
static void granted_bytes_are_logged(void)
{
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_waits(family, 10, &id);
		char text[80];

		w_data(&p, family, PORT, hsock_port(&hs), id ^ 1, 50000, 0, 1000, 2);
		put32(&p, AT_INCOMING, 1000);
		w_send(&p);
		EXPECT(w_find(&q, W_GRANT, 5), "no GRANT");
		snprintf(text, sizeof(text), ": %u bytes are granted",
			 get32(&q, AT_GRANT_OFFSET) - 1000);
		expect_logged("8", text, 1);
		hsock_close(&hs);
	}
}

/* A link so slow that all but the first packet of a message has to wait. */
static void waiting_messages_are_logged(void)
{
	EXPECT_RC(ns_sysctl(wnet.host, "link_mbps", "1"), 0);
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_waits(family, 3000, &id);
		char text[80];

		snprintf(text, sizeof(text), "RPC %llu has", (unsigned long long)id);
		expect_logged("4", text, 1);
		hsock_close(&hs);
	}
	EXPECT_RC(ns_sysctl(wnet.host, "link_mbps", "0"), 0);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(restarted_rpc),
		KTAP_CASE(silent_peer),
		KTAP_CASE(slow_response),
		KTAP_CASE(lost_packet),
		KTAP_CASE(early_need_ack),
		KTAP_CASE(freeze_packet),
		KTAP_CASE(all_rpcs_are_dumped),
		KTAP_CASE(one_rpc_is_logged),
		KTAP_CASE(granted_bytes_are_logged),
		KTAP_CASE(waiting_messages_are_logged),
	};

	wnet_init();
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
