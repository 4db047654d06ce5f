// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Requests whose senders are silent, or unknown: what they may occupy.
 *
 * desc: room of silent requests is bounded and goes to who needs it; strangers have their own share
 * lab: --no-topology
 * flavor: fast debug
 */

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"
#include "wire.h"

#define PORT 77
#define PEER_CLIENT 0x9001
#define MB (1 << 20)
#define LENGTH 1000000	/* of a message: 16 bpages, 1024 kB */

static struct wpkt p;

static void knob(const char *name, const char *value)
{
	ASSERT_RC(ns_sysctl(wnet.host, name, value), 0);
}

/* The first packet of a message of 10.9.0.@host. */
static uint64_t first_packet(int host, uint32_t total, int bytes)
{
	uint64_t id = w_new_id();

	w_data(&p, AF_INET, PEER_CLIENT, PORT, id, total, 0, bytes, 1);
	p.src[3] = host;
	w_send(&p);
	return id;
}

/* Two messages hold all room, and nothing more comes of them. A shorter one of another
 * host has to wait for no more than two questions.
 */
static void silent_messages_make_room(void)
{
	struct hsock server = hsock_sized(wnet.host, AF_INET, 2 * MB);
	struct counters before;
	struct hmsg m;
	int64_t start;
	uint64_t id;

	ASSERT_RC(hsock_bind(&server, PORT), 0);
	counters_read(wnet.host, &before);
	first_packet(2, LENGTH, 1000);
	first_packet(2, LENGTH, 1000);
	EXPECT_GE(100000, hsock_avail(&server));
	start = now_ms();
	id = first_packet(3, 100000, 1000);
	EXPECT_EQ(counters_grew(wnet.host, &before, "rx_no_buffers"), 1);
	do {
		w_expect(&p, W_RESEND, 1000);
	} while (get64(&p, AT_ID) != (id ^ 1));
	EXPECT_GE(20, now_ms() - start);
	EXPECT_GE(counters_grew(wnet.host, &before, "silent_discards"), 1);
	for (int at = 0; at < 100000; at += 1000) {
		w_data(&p, AF_INET, PEER_CLIENT, PORT, id, 100000, at, 1000, 1);
		p.src[3] = 3;
		w_send(&p);
	}
	EXPECT_RC(hsock_recv_within(&server, &m, 0, 100), 100000);
	hsock_close(&server);
}

/* Without need nobody is forgotten for being late. */
static void late_messages_are_waited_for(void)
{
	struct hsock server = hsock_server(wnet.host, AF_INET, PORT);
	uint64_t id = first_packet(2, 2000, 1000);
	struct counters before;
	struct hmsg m;

	counters_read(wnet.host, &before);
	sleep_ms(50);
	w_data(&p, AF_INET, PEER_CLIENT, PORT, id, 2000, 1000, 1000, 1);
	w_send(&p);
	EXPECT_RC(hsock_recv_within(&server, &m, 0, 100), 2000);
	EXPECT(payload_ok(&server, &m, 1), "wrong bytes");
	EXPECT_EQ(counters_grew(wnet.host, &before, "silent_discards"), 0);
	hsock_close(&server);
}

/* Of five messages that fall silent one may stay. */
static void silent_room_is_bounded(void)
{
	static const struct {
		const char *name, *value, *usual;
		bool one_peer;
	} rows[] = {
		{ "max_silent_kbytes", "1024", "65536", false },
		{ "max_silent_percent", "10", "50", false },
		{ "max_peer_silent_kbytes", "1024", "16384", true },
	};

	knob("timeout_ticks", "1000");
	for (int i = 0; i < ARRAY_LEN(rows); i++) {
		struct hsock server = hsock_server(wnet.host, AF_INET, PORT);
		struct counters before;

		ktap_label("%s", rows[i].name);
		knob(rows[i].name, rows[i].value);
		counters_read(wnet.host, &before);
		for (int j = 0; j < 5; j++)
			first_packet(rows[i].one_peer ? 2 : 2 + j, LENGTH, 1000);
		EXPECT_EQ(hsock_num_rpcs(&server), 5);
		EXPECT(WAIT_FOR(hsock_num_rpcs(&server) == 1, 50), "%d are left",
		       hsock_num_rpcs(&server));
		EXPECT_EQ(counters_grew(wnet.host, &before, "silent_discards"), 4);
		if (rows[i].one_peer) {
			/* Until that one is over the peer sends what fits a packet. */
			first_packet(2, 2000, 1000);
			EXPECT_EQ(counters_grew(wnet.host, &before,
						"rx_silent_limits"), 1);
			first_packet(2, 1000, 1000);
			EXPECT_EQ(hsock_num_rpcs(&server), 2);
		}
		knob(rows[i].name, rows[i].usual);
		hsock_close(&server);
	}
	knob("timeout_ticks", "100");
}

static void strangers_have_a_share(void)
{
	struct hsock server = hsock_server(wnet.host, AF_INET, PORT);
	struct counters before;
	struct hmsg m;

	knob("max_strangers", "10");
	first_packet(200, 100, 100);		/* this one is known then */
	EXPECT_RC(hsock_recv_within(&server, &m, 0, 100), 100);
	counters_read(wnet.host, &before);
	for (int i = 0; i < 30; i++)
		first_packet(100 + i, 2000, 1000);
	EXPECT_EQ(counters_grew(wnet.host, &before, "rx_silent_limits"), 20);
	EXPECT_EQ(hsock_num_rpcs(&server), 11);
	first_packet(200, 2000, 1000);
	first_packet(150, 100, 100);
	EXPECT_EQ(hsock_num_rpcs(&server), 13);

	/* Half of them have to go soon, so that others get in. */
	EXPECT(WAIT_FOR(hsock_num_rpcs(&server) <= 8, 60), "%d are left",
	       hsock_num_rpcs(&server));
	EXPECT_EQ(counters_grew(wnet.host, &before, "silent_discards"), 5);
	knob("max_strangers", "256");
	hsock_close(&server);
}

/* A known host may fill one half of what a socket takes with unfinished requests. */
static void one_peer_leaves_room_for_others(void)
{
	struct hsock server = hsock_server(wnet.host, AF_INET, PORT);
	struct counters before;

	w_probe(&server, AF_INET);
	EXPECT(WAIT_FOR(hsock_num_rpcs(&server) == 0, 1000), "not acknowledged");
	knob("max_server_rpcs", "20");
	counters_read(wnet.host, &before);
	for (int i = 0; i < 30; i++)
		first_packet(2, 2000, 1000);
	EXPECT_GE(11, hsock_num_rpcs(&server));
	EXPECT_GE(counters_grew(wnet.host, &before, "rx_peer_limits"), 19);
	for (int i = 0; i < 5; i++)
		first_packet(3, 2000, 1000);
	EXPECT_GE(hsock_num_rpcs(&server), 14);
	knob("max_server_rpcs", "10000");
	hsock_close(&server);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(silent_messages_make_room),
		KTAP_CASE(late_messages_are_waited_for),
		KTAP_CASE(silent_room_is_bounded),
		KTAP_CASE(strangers_have_a_share),
		KTAP_CASE(one_peer_leaves_room_for_others),
	};

	wnet_init();
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
