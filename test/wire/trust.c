// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* What strangers cannot make a host do, and whom its answers come from.
 *
 * desc: strangers make no peers, fill no log, stop no trace; answers come from the address asked
 * lab: --no-topology
 * flavor: fast@quick debug
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
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

/* The @number-th address of those that nobody has, or the second of the host. */
static void set_addr(uint8_t *to, int family, int number)
{
	char text[40];

	snprintf(text, sizeof(text), family == AF_INET ? "10.9.0.%d" : "fd09::%d",
		 number);
	inet_pton(family, text, to);
}

/* Whatever is sent about no RPC, by hosts that are not known. */
static void strangers_make_no_peers(void)
{
	static const int types[] = {
		W_GRANT, W_UNKNOWN, W_BUSY, W_CUTOFFS, W_ACK,
	};

	FOR_FAMILIES(family) {
		struct hsock server = hsock_server(wnet.host, family, PORT);
		struct counters before;

		w_probe(&server, family);
		counters_read(wnet.host, &before);
		for (int i = 0; i < 100; i++) {
			w_make(&p, family, types[i % ARRAY_LEN(types)],
			       PEER_CLIENT, PORT, w_new_id());
			memset(p.b + AT_CUTOFFS, 0x5a + i, 8);
			set_addr(p.src, family, 100 + i);
			w_send(&p);
		}
		w_probe(&server, family);
		EXPECT_EQ(counters_grew(wnet.host, &before, "peer_allocs"), 0);
		hsock_close(&server);
	}
}

/* Packets of each type, for RPCs in each state and for none, that make no sense. */
static void nothing_is_logged(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = hsock_server(wnet.host, family, PORT);
		struct hsock hs = hsock_open(wnet.host, family);
		union haddr to = wnet_peer_addr(family, PORT);
		uint64_t ids[3] = { w_new_id(), 0, w_new_id() };
		int fd = klog_open();
		struct hmsg m;

		w_send_message(family, PEER_CLIENT, PORT, ids[0], 10, 1, 1000);
		ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 10);
		ASSERT_RC(hsock_request(&hs, &to, "x", 1, &ids[1]), 0);
		for (int type = W_DATA; type <= W_ACK + 1; type++) {
			for (int i = 0; i < 3; i++) {
				w_make(&p, family, type > W_ACK ? W_UNKNOWN : type,
				       i == 1 ? PORT : PEER_CLIENT,
				       i == 1 ? hsock_port(&hs) : PORT,
				       i == 1 ? ids[i] ^ 1 : ids[i]);
				w_send(&p);
				p.len = AT_ID;
				w_send(&p);
			}
		}
		sleep_ms(20);
		EXPECT_EQ(klog_records(fd), 0);
		EXPECT_EQ(write(open("/dev/kmsg", O_WRONLY), "trust\n", 6), 6);
		EXPECT_EQ(klog_records(fd), 1);	/* it would have been seen */
		close(fd);
		hsock_close(&hs);
		hsock_close(&server);
	}
}

/* True if the trace of the host shows what happens now. */
static bool trace_runs(const struct hsock *server, int family)
{
	char line[300];
	int replies = 0;
	FILE *f;

	w_probe(server, family);
	f = fopen("/proc/net/timetrace", "r");
	while (f && fgets(line, sizeof(line), f))
		replies += !!strstr(line, "sendmsg response");
	if (f)
		fclose(f);
	return replies;
}

static void freeze_can_be_refused(void)
{
	struct hsock server = hsock_server(wnet.host, AF_INET, PORT);

	ns_enter(wnet.host);
	EXPECT(trace_runs(&server, AF_INET), "no events at all");
	w_send_control(AF_INET, W_FREEZE, PEER_CLIENT, PORT, 0);
	sleep_ms(5);
	EXPECT(!trace_runs(&server, AF_INET), "FREEZE does not work");
	ASSERT_RC(ns_sysctl(wnet.host, "accept_freeze", "0"), 0);
	w_send_control(AF_INET, W_FREEZE, PEER_CLIENT, PORT, 0);
	sleep_ms(5);
	EXPECT(trace_runs(&server, AF_INET), "a refused FREEZE stops the trace");
	ASSERT_RC(ns_sysctl(wnet.host, "accept_freeze", "1"), 0);
}

static void answers_come_from_the_address_asked(void)
{
	ns_run(wnet.host, "ip addr add 10.9.0.77/24 dev v0");
	ns_run(wnet.host, "ip addr add fd09::77/64 dev v0 nodad preferred_lft 0");
	FOR_FAMILIES(family) {
		struct hsock server = hsock_server(wnet.host, family, PORT);
		struct hmsg m;

		w_drain();
		w_data(&p, family, PEER_CLIENT, PORT, w_new_id(), 10, 0, 10, 1);
		set_addr(p.dst, family, 77);
		w_send(&p);
		ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 10);
		w_resend(&q, family, PEER_CLIENT, PORT, get64(&p, AT_ID), 0, 10, 7);
		memcpy(q.dst, p.dst, sizeof(q.dst));
		w_send(&q);
		w_expect(&q, W_BUSY, 100);
		EXPECT(!memcmp(q.src, p.dst, family == AF_INET ? 4 : 16),
		       "BUSY from another address");
		ASSERT_RC(hsock_reply(&server, &m.from, m.args.id, "0123456789", 10), 0);
		w_expect(&q, W_DATA, 100);
		EXPECT(!memcmp(q.src, p.dst, family == AF_INET ? 4 : 16),
		       "response from another address");
		w_expect(&q, W_NEED_ACK, 1000);
		EXPECT(!memcmp(q.src, p.dst, family == AF_INET ? 4 : 16),
		       "NEED_ACK from another address");
		hsock_close(&server);
	}
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(strangers_make_no_peers),
		KTAP_CASE(nothing_is_logged),
		KTAP_CASE(freeze_can_be_refused),
		KTAP_CASE(answers_come_from_the_address_asked),
	};

	wnet_init();
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
