// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* What the module does with each packet type, in each state of an RPC.
 *
 * desc: reactions to each packet type, timers, ICMP
 * lab: --no-topology
 * flavor: fast@quick debug
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hsock.h"
#include "ktap.h"
#include "ns.h"
#include "wire.h"

#define PORT 77
#define PEER_CLIENT 0x9001

static struct wpkt p, q;
static char buf[HOMA_MAX_MESSAGE_LENGTH];

/* A server of the host that has received request @id of 10 bytes. */
static struct hsock server_with_request(int family, uint64_t id, struct hmsg *m)
{
	struct hsock server = hsock_server(wnet.host, family, PORT);

	w_drain();
	w_send_message(family, PEER_CLIENT, PORT, id, 10, 1, 1000);
	ASSERT_RC(hsock_recv_within(&server, m, 0, 1000), 10);
	return server;
}

/* A client of the host that has sent a request of @len bytes to the peer. */
static struct hsock client_with_request(int family, int len, uint64_t *id)
{
	struct hsock hs = hsock_open(wnet.host, family);
	union haddr to = wnet_peer_addr(family, PORT);

	payload_fill(buf, len, len);
	w_drain();
	ASSERT_RC(hsock_request(&hs, &to, buf, len, id), 0);
	return hs;
}

static void respond(int family, const struct hsock *hs, uint64_t id, int len)
{
	w_send_message(family, PORT, hsock_port(hs), id ^ 1, len, len, 1000);
}

static void request_is_executed_once(void)
{
	FOR_FAMILIES(family) {
		uint64_t id = w_new_id();
		struct hmsg m, again;
		struct hsock server = server_with_request(family, id, &m);

		for (int state = 0; state < 3; state++) {
			ktap_label("family %d, state %d", family, state);
			if (state == 1)
				EXPECT_RC(hsock_reply(&server, &m.from,
						      m.args.id, "yes", 3), 0);
			if (state == 2)
				w_send_control(family, W_ACK, PEER_CLIENT,
					       PORT, id);
			for (int i = 0; i < 5; i++)
				w_send_message(family, PEER_CLIENT, PORT, id,
					       10, 1, 1000);
			EXPECT_RC(hsock_recv_within(&server, &again, 0, 20),
				  -EAGAIN);
		}
		EXPECT(WAIT_FOR(hsock_num_rpcs(&server) == 0, 100),
		       "%d RPCs", hsock_num_rpcs(&server));
		hsock_close(&server);
	}
}

/* The same id from another port or address is another RPC. */
static void ids_belong_to_address_and_port(void)
{
	FOR_FAMILIES(family) {
		uint64_t id = w_new_id();
		struct hmsg m[3];
		struct hsock server = server_with_request(family, id, &m[0]);

		w_send_message(family, PEER_CLIENT + 1, PORT, id, 10, 1, 1000);
		EXPECT_RC(hsock_recv_within(&server, &m[1], 0, 1000), 10);
		EXPECT_EQ(haddr_port(&m[1].from), PEER_CLIENT + 1);
		w_data(&p, family, PEER_CLIENT, PORT, id, 10, 0, 10, 1);
		inet_pton(family, family == AF_INET ? "10.9.0.3" : "fd09::3",
			  p.src);
		w_send(&p);
		EXPECT_RC(hsock_recv_within(&server, &m[2], 0, 1000), 10);
		EXPECT_EQ(hsock_num_rpcs(&server), 3);
		w_drain();
		EXPECT_RC(hsock_reply(&server, &m[2].from, m[2].args.id, "3",
				      1), 0);
		w_expect(&q, W_DATA, 1000);
		EXPECT(!memcmp(q.dst, p.src, 16), "reply to the wrong host");
		hsock_close(&server);
	}
}

static void resend_of_a_response(void)
{
	static const struct {
		uint32_t start;
		uint32_t len;
	} rows[] = {
		{ 0, W_ALL }, { 0, 1 }, { 1500, 10 }, { 2900, 5000 },
		{ 1000, 1500 },
	};

	FOR_FAMILIES(family) {
		int seg = family == AF_INET ? 1424 : 1404;
		uint64_t id = w_new_id();
		struct hmsg m;
		struct hsock server = server_with_request(family, id, &m);

		payload_fill(buf, 3000, 3);
		EXPECT_RC(hsock_reply(&server, &m.from, m.args.id, buf, 3000),
			  0);
		for (int i = 0; i < ARRAY_LEN(rows); i++) {
			uint32_t from = rows[i].start, end = 3000;

			if (rows[i].len < end - from)
				end = from + rows[i].len;

			w_drain();
			w_resend(&p, family, PEER_CLIENT, PORT, id,
				 rows[i].start, rows[i].len, 4);
			w_send(&p);
			ktap_label("family %d, row %d", family, i);
			/* All of it, and no more than whole segments. */
			while (from < end) {
				w_expect(&q, W_DATA, 100);
				EXPECT(get32(&q, AT_OFFSET) <= from &&
				       get32(&q, AT_OFFSET) + seg > from,
				       "got %u for %u", get32(&q, AT_OFFSET),
				       from);
				EXPECT_EQ(q.b[AT_RETRANSMIT], 1);
				EXPECT_EQ(q.tos, 4 << 5);
				EXPECT(w_payload_ok(&q, 3), "wrong data");
				from = get32(&q, AT_OFFSET) + q.len - AT_DATA;
				if (ktap_failed())
					return;
			}
			EXPECT(!w_find(&q, W_DATA, 1), "too much");
		}
		hsock_close(&server);
	}
}

static void resend_beyond_what_was_sent(void)
{
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_with_request(family, 100000, &id);

		w_drain();
		w_resend(&p, family, PORT, hsock_port(&hs), id ^ 1, 60000,
			 100, 7);
		w_send(&p);
		w_expect(&q, W_BUSY, 100);
		EXPECT_EQ(get64(&q, AT_ID), id);
		hsock_close(&hs);
	}
}

/* A RESEND for more than was granted is a grant, too. */
struct order_case {
	const char *desc;
	const char *levels;	/* of packets of 1000 bytes; "-": lost */
	const char *reorder_usecs;
	bool retransmit;
	int lost;		/* packets that are asked for before silence is long */
};

#define LOSS_TRIES 4		/* of each, if nothing comes */

static const struct order_case order_cases[] = {
	{ "two came later, and time has passed", "44-44", "25", false, 1 },
	{ "two came later, no time has passed", "44-44", "1000", false, 0 },
	{ "three came later", "44-444", "25", false, 1 },
	{ "many came later", "44-4444444", "25", false, 1 },
	{ "two losses", "4-444-444", "25", false, 2 },
	{ "less urgent ones came later", "44-111", "25", false, 1 },
	{ "more urgent ones may overtake", "44-7777777", "25", false, 0 },
	{ "one more urgent proves nothing", "44-474", "1000", false, 0 },
	{ "the first packets", "--4444", "25", false, 1 },
	{ "sent again", "44-444", "25", true, 0 },
	{ "too soon to tell", "44-4444", "1000000", false, 0 },
};

/* Sends the packets of a message; the rest of it never comes. */
static void send_in_order(int family, uint64_t id, const struct order_case *c)
{
	for (int i = 0; c->levels[i]; i++) {
		if (c->levels[i] == '-')
			continue;
		w_data(&p, family, PEER_CLIENT, PORT, id, 20000, 1000 * i,
		       1000, 1);
		p.tos = (c->levels[i] - '0') << 5;
		p.b[AT_RETRANSMIT] = c->retransmit;
		w_send(&p);
		usleep(50);
	}
}

static void order_proves_losses(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = hsock_server(wnet.host, family, PORT);

		for (size_t i = 0; i < ARRAY_LEN(order_cases); i++) {
			const struct order_case *c = &order_cases[i];
			const char *lost = strchr(c->levels, '-');
			uint64_t id = w_new_id();
			int resends = 0, asked = 0;

			ktap_label("family %d, %s", family, c->desc);
			ASSERT_RC(ns_sysctl(wnet.host, "reorder_usecs",
					    c->reorder_usecs), 0);
			w_drain();
			send_in_order(family, id, c);
			while (w_find(&q, W_RESEND, 2)) {
				uint32_t offset = get32(&q, AT_RESEND_OFFSET);

				if (!resends++)
					EXPECT_EQ(offset,
						  1000 * (lost - c->levels));
				asked |= 1 << offset / 1000;
			}
			EXPECT_EQ(__builtin_popcount(asked), c->lost);
			EXPECT_EQ(resends, LOSS_TRIES * c->lost);
			w_send_control(family, W_UNKNOWN, PEER_CLIENT, PORT,
				       id);
		}
		hsock_close(&server);
	}
	ASSERT_RC(ns_sysctl(wnet.host, "reorder_usecs", "25"), 0);
}

static void resend_raises_the_grant(void)
{
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_with_request(family, 100000, &id);
		uint32_t end = 0;

		w_drain();
		w_resend(&p, family, PORT, hsock_port(&hs), id ^ 1, 39000,
			 21000, 7);
		w_send(&p);
		while (end < 60000 && w_find(&q, W_DATA, 50))
			if (get32(&q, AT_OFFSET) + q.len - AT_DATA > end)
				end = get32(&q, AT_OFFSET) + q.len - AT_DATA;
		EXPECT_GE(end, 60000);
		EXPECT(end < 60000 + 1500, "sent up to %u", end);
		hsock_close(&hs);
	}
}

static void busy_while_a_request_is_incomplete(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = hsock_server(wnet.host, family, PORT);
		uint64_t id = w_new_id();

		w_data(&p, family, PEER_CLIENT, PORT, id, 100, 0, 50, 1);
		w_send(&p);
		w_resend(&p, family, PEER_CLIENT, PORT, id, 0, W_ALL, 7);
		w_send(&p);
		w_expect(&q, W_BUSY, 100);
		EXPECT_EQ(get64(&q, AT_ID), id ^ 1);
		hsock_close(&server);
	}
}

/* The second time at the highest level: the first one may never pass. */
static void unknown_restarts_a_request(void)
{
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_with_request(family, 2000, &id);
		struct counters before;

		counters_read(wnet.host, &before);
		w_drain();
		for (uint32_t times = 0, start; times < 3; times++) {
			w_send_control(family, W_UNKNOWN, PORT,
				       hsock_port(&hs), id ^ 1);
			for (start = 0; start < 2000; start += q.len - AT_DATA) {
				w_expect(&q, W_DATA, 100);
				EXPECT_EQ(get64(&q, AT_ID), id);
				EXPECT_EQ(get32(&q, AT_OFFSET), start);
				EXPECT_EQ(q.b[AT_RETRANSMIT], 1);
				EXPECT_EQ(q.tos, (times ? 7 : 6) << 5);
				if (ktap_failed())
					return;
			}
		}
		EXPECT_GE(counters_grew(wnet.host, &before, "resent_packets"),
			  6);
		hsock_close(&hs);
	}
}

static void unknown_in_the_middle_of_a_response_is_ignored(void)
{
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_with_request(family, 100, &id);
		struct hmsg m;

		w_data(&p, family, PORT, hsock_port(&hs), id ^ 1, 2000, 0,
		       1000, 2);
		w_send(&p);
		w_drain();
		w_send_control(family, W_UNKNOWN, PORT, hsock_port(&hs),
			       id ^ 1);
		EXPECT(!w_find(&q, W_DATA, 3), "request sent again");
		w_data(&p, family, PORT, hsock_port(&hs), id ^ 1, 2000, 1000,
		       1000, 2);
		w_send(&p);
		EXPECT_RC(hsock_recv_within(&hs, &m, 0, 100), 2000);
		EXPECT(payload_ok(&hs, &m, 2), "wrong bytes");
		hsock_close(&hs);
	}
}

static void unknown_ends_a_response(void)
{
	FOR_FAMILIES(family) {
		uint64_t id = w_new_id();
		struct hmsg m;
		struct hsock server = server_with_request(family, id, &m);
		struct counters before;

		EXPECT_RC(hsock_reply(&server, &m.from, m.args.id, "yes", 3),
			  0);
		counters_read(wnet.host, &before);
		w_send_control(family, W_UNKNOWN, PEER_CLIENT, PORT, id);
		EXPECT(WAIT_FOR(hsock_num_rpcs(&server) == 0, 100), "alive");
		EXPECT_EQ(counters_grew(wnet.host, &before,
					"server_rpcs_unknown"), 1);
		hsock_close(&server);
	}
}

/* A silent server: RESENDs at 5, 10, ... ms, then ETIMEDOUT. */
static void silence_ends_a_request(void)
{
	FOR_FAMILIES(family) {
		int64_t start = now_ms();
		uint64_t id;
		struct hsock hs = client_with_request(family, 100, &id);
		struct counters before;
		struct hmsg m;
		int resends = 0;

		counters_read(wnet.host, &before);
		EXPECT_RC(hsock_recv_within(&hs, &m, 0, 2000), -ETIMEDOUT);
		EXPECT_GE(now_ms() - start, 95);
		while (w_find(&p, W_RESEND, 0))
			resends++;
		EXPECT(resends >= 15 && resends <= 21, "%d RESENDs", resends);
		EXPECT_EQ(counters_grew(wnet.host, &before, "rpc_timeouts"), 1);
		hsock_close(&hs);
	}
}

static void timer_settings_are_obeyed(void)
{
	int64_t start, at[4];
	uint64_t id;
	struct hsock hs;
	struct hmsg m;

	ASSERT_RC(ns_sysctl(wnet.host, "resend_ticks", "20"), 0);
	ASSERT_RC(ns_sysctl(wnet.host, "resend_interval", "10"), 0);
	ASSERT_RC(ns_sysctl(wnet.host, "timeout_ticks", "60"), 0);
	start = now_ms();
	hs = client_with_request(AF_INET, 100, &id);
	for (int i = 0; i < 4; i++) {
		w_expect(&p, W_RESEND, 200);
		at[i] = now_ms() - start;
	}
	EXPECT_RC(hsock_recv_within(&hs, &m, 0, 2000), -ETIMEDOUT);
	EXPECT(now_ms() - start >= 58 && now_ms() - start < 90, "%lld ms",
	       (long long)(now_ms() - start));
	for (int i = 0; i < 4; i++)
		EXPECT(at[i] >= 18 + 10 * i && at[i] <= 26 + 10 * i,
		       "RESEND %d after %lld ms", i, (long long)at[i]);
	ASSERT_RC(ns_sysctl(wnet.host, "resend_ticks", "5"), 0);
	ASSERT_RC(ns_sysctl(wnet.host, "resend_interval", "5"), 0);
	ASSERT_RC(ns_sysctl(wnet.host, "timeout_ticks", "100"), 0);
}

static void busy_keeps_a_request_alive(void)
{
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_with_request(family, 100, &id);
		int64_t end = now_ms() + 400;
		struct hmsg m;

		while (now_ms() < end) {
			w_expect(&p, W_RESEND, 50);
			w_send_control(family, W_BUSY, PORT, hsock_port(&hs),
				       id ^ 1);
		}
		respond(family, &hs, id, 10);
		EXPECT_RC(hsock_recv_within(&hs, &m, 0, 100), 10);
		hsock_close(&hs);
	}
}

static void need_ack_before_the_response(void)
{
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_with_request(family, 100, &id);

		w_data(&p, family, PORT, hsock_port(&hs), id ^ 1, 2000, 0,
		       1000, 2);
		w_send(&p);
		w_drain();
		w_send_control(family, W_NEED_ACK, PORT, hsock_port(&hs),
			       id ^ 1);
		EXPECT(w_recv(&q, 3), "no reaction to NEED_ACK");
		EXPECT(q.b[AT_TYPE] == W_RESEND, "got %s",
		       w_type_name(q.b[AT_TYPE]));
		EXPECT_EQ(get32(&q, AT_RESEND_OFFSET), 1000);
		hsock_close(&hs);
	}
}

static void need_ack_for_an_unknown_rpc(void)
{
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_open(wnet.host, family);
		uint64_t id = 0x123456789abcULL;

		w_drain();
		w_send_control(family, W_NEED_ACK, PORT, hsock_port(&hs),
			       id ^ 1);
		w_expect(&q, W_ACK, 100);
		EXPECT_EQ(get64(&q, AT_ID), id);
		EXPECT_EQ(get16(&q, AT_DPORT), PORT);
		hsock_close(&hs);
	}
}

/* A client that is gone may not keep the server busy for ever. */
static void need_acks_end(void)
{
	uint64_t id = w_new_id();
	struct hmsg m;
	struct hsock server = server_with_request(AF_INET, id, &m);
	int asked = 0;

	EXPECT_RC(hsock_reply(&server, &m.from, m.args.id, "yes", 3), 0);
	for (int i = 0; i < 600 && hsock_num_rpcs(&server); i++) {
		sleep_ms(100);
		while (w_find(&p, W_NEED_ACK, 0))
			asked++;
	}
	EXPECT_EQ(hsock_num_rpcs(&server), 0);
	EXPECT_GE(asked, 2);
	EXPECT(asked < 200, "asked %d times", asked);
}

/* 200 us for each RPC, so that the client can acknowledge along with a request; but no
 * longer than usual if new RPCs need the room.
 */
static void need_acks_wait_for_busy_clients(void)
{
	static const struct {
		const char *limit;
		bool waits;
	} cases[] = { { "10000", true }, { "100", false } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hsock server;
		struct hmsg m;

		ktap_label("max_server_rpcs %s", cases[i].limit);
		ASSERT_RC(ns_sysctl(wnet.host, "max_server_rpcs", cases[i].limit), 0);
		server = server_with_request(AF_INET, w_new_id(), &m);
		for (int n = 1; n < 100; n++) {
			w_send_message(AF_INET, PEER_CLIENT, PORT, w_new_id(), 10, 1, 1000);
			ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 10);
		}
		w_drain();
		EXPECT_RC(hsock_reply(&server, &m.from, m.args.id, "yes", 3), 0);
		EXPECT_EQ(w_find(&p, W_NEED_ACK, 12), !cases[i].waits);
		EXPECT(w_find(&p, W_NEED_ACK, 30), "never asked");
		hsock_close(&server);
	}
	ASSERT_RC(ns_sysctl(wnet.host, "max_server_rpcs", "10000"), 0);
}

static void piggybacked_ack_ends_an_rpc(void)
{
	FOR_FAMILIES(family) {
		uint64_t id = w_new_id(), next = w_new_id();
		struct hmsg m;
		struct hsock server = server_with_request(family, id, &m);

		EXPECT_RC(hsock_reply(&server, &m.from, m.args.id, "yes", 3),
			  0);
		EXPECT_EQ(hsock_num_rpcs(&server), 1);
		w_data(&p, family, PEER_CLIENT, PORT, next, 10, 0, 10, 1);
		put64(&p, AT_ACK_ID, id);
		put16(&p, AT_ACK_PORT, PORT);
		w_send(&p);
		EXPECT_RC(hsock_recv_within(&server, &m, 0, 100), 10);
		EXPECT_EQ(hsock_num_rpcs(&server), 1);
		hsock_close(&server);
	}
}

static void ack_records_end_rpcs_of_other_sockets(void)
{
	FOR_FAMILIES(family) {
		struct hsock a = hsock_server(wnet.host, family, PORT);
		struct hsock b = hsock_server(wnet.host, family, PORT + 1);
		uint64_t id[4];
		struct hmsg m;

		for (int i = 0; i < 4; i++) {
			struct hsock *s = i & 1 ? &b : &a;

			id[i] = w_new_id();
			w_send_message(family, PEER_CLIENT, PORT + (i & 1),
				       id[i], 10, 1, 1000);
			ASSERT_RC(hsock_recv_within(s, &m, 0, 100), 10);
			hsock_reply(s, &m.from, m.args.id, "yes", 3);
		}
		w_make(&p, family, W_ACK, PEER_CLIENT, PORT, id[0]);
		put16(&p, AT_NUM_ACKS, 3);
		for (int i = 0; i < 3; i++) {
			put64(&p, AT_ACKS + 10 * i, id[i + 1]);
			put16(&p, AT_ACKS + 10 * i + 8, PORT + !(i & 1));
		}
		w_send(&p);
		EXPECT(WAIT_FOR(hsock_num_rpcs(&a) == 0 &&
				hsock_num_rpcs(&b) == 0, 100), "%d and %d RPCs",
		       hsock_num_rpcs(&a), hsock_num_rpcs(&b));
		hsock_close(&a);
		hsock_close(&b);
	}
}

static void old_grants_change_nothing(void)
{
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_with_request(family, 100000, &id);
		int port = hsock_port(&hs);

		w_drain();
		w_grant(&p, family, PORT, port, id ^ 1, 30000, 7);
		w_send(&p);
		w_grant(&p, family, PORT, port, id ^ 1, 0, 7);
		w_send(&p);
		w_grant(&p, family, PORT, port, id ^ 1, 40000, 7);
		w_send(&p);
		EXPECT(!w_find(&q, W_DATA, 3), "sent beyond the grant");
		hsock_close(&hs);
	}
}

static void response_before_the_request_is_sent(void)
{
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_with_request(family, 500000, &id);
		struct hmsg m;

		respond(family, &hs, id, 3000);
		EXPECT_RC(hsock_recv_within(&hs, &m, 0, 100), 3000);
		EXPECT(payload_ok(&hs, &m, 3000), "wrong bytes");
		EXPECT_EQ(hsock_num_rpcs(&hs), 0);
		hsock_close(&hs);
	}
}

static void cutoffs_come_once_a_jiffy(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = hsock_server(wnet.host, family, PORT);
		int num = 0;

		sleep_ms(5);
		w_drain();
		for (int i = 0; i < 20; i++) {
			w_data(&p, family, PEER_CLIENT, PORT, w_new_id(), 10,
			       0, 10, 1);
			put16(&p, AT_VERSION, 0xfff0);
			w_send(&p);
		}
		while (w_find(&q, W_CUTOFFS, 2))
			num++;
		EXPECT(num >= 1 && num <= 5, "%d CUTOFFS for 20 packets", num);
		hsock_close(&server);
	}
}

/* Checksums are looked at if the administrator wants that. In UDP always: wire/udp. */
static void wrong_checksums_are_refused(void)
{
	if (wnet.proto == IPPROTO_UDP)
		return;
	ASSERT_RC(ns_sysctl(wnet.host, "verify_checksum", "1"), 0);
	FOR_FAMILIES(family) {
		struct hsock server = hsock_server(wnet.host, family, PORT);
		struct counters before;
		struct hmsg m;

		counters_read(wnet.host, &before);
		w_data(&p, family, PEER_CLIENT, PORT, w_new_id(), 101, 0, 101,
		       1);
		w_send(&p);
		w_fill_checksum(&p);
		p.b[AT_DATA + 100] ^= 1;
		w_send(&p);
		EXPECT_RC(hsock_recv_within(&server, &m, 0, 5), -EAGAIN);
		EXPECT_EQ(counters_grew(wnet.host, &before, "rx_bad_checksum"),
			  2);
		p.b[AT_DATA + 100] ^= 1;
		w_send(&p);
		EXPECT_RC(hsock_recv_within(&server, &m, 0, 100), 101);
		hsock_close(&server);
	}
	ASSERT_RC(ns_sysctl(wnet.host, "verify_checksum", "0"), 0);
}

/* Sends an ICMP error that quotes a packet of the host. */
static void send_icmp(int type, int code, const struct wpkt *quoted)
{
	w_icmp(&p, type, code, quoted, 28);
	w_send(&p);
}

/* A smaller MTU on the way is learned, and what is sent again obeys it. */
static void smaller_mtu_is_obeyed(void)
{
	FOR_FAMILIES(family) {
		bool ipv4 = family == AF_INET;
		int ip = w_lower_len(family), end = 0;
		uint64_t id;
		struct hsock hs = client_with_request(family, 5000, &id);
		struct hmsg m;

		w_expect(&q, W_DATA, 100);
		EXPECT_EQ(ip + q.len, W_MTU);
		send_icmp(ipv4 ? 3 : 2, ipv4 ? 4 : 0, &q);
		w_drain();
		w_resend(&p, family, PORT, hsock_port(&hs), id ^ 1, 0, W_ALL, 7);
		w_send(&p);
		while (end < 5000 && !ktap_failed()) {
			w_expect(&q, W_DATA, 100);
			EXPECT(ip + q.len <= 1400, "%d bytes", ip + q.len);
			EXPECT_EQ(get32(&q, AT_OFFSET), end);
			EXPECT(w_payload_ok(&q, 5000), "wrong data");
			end += q.len - AT_DATA;
		}
		respond(family, &hs, id, 10);
		EXPECT_RC(hsock_recv_within(&hs, &m, 0, 100), 10);
		hsock_close(&hs);
	}
	ns_run(wnet.host, "ip route flush cache; ip -6 route flush cache");
}

static void icmp_errors_end_requests(void)
{
	static const struct {
		int family;
		int type;
		int code;
		int err;	/* 0: the request goes on */
	} rows[] = {
		{ AF_INET, 3, 3, ENOTCONN },
		{ AF_INET, 3, 2, EPROTONOSUPPORT },
		{ AF_INET, 3, 1, EHOSTUNREACH },
		{ AF_INET, 3, 4, 0 },
		{ AF_INET, 11, 0, 0 },
		{ AF_INET6, 1, 4, ENOTCONN },
		{ AF_INET6, 1, 3, EHOSTUNREACH },
		{ AF_INET6, 4, 1, EPROTONOSUPPORT },
		{ AF_INET6, 2, 0, 0 },
	};

	for (int i = 0; i < ARRAY_LEN(rows); i++) {
		int family = rows[i].family;
		uint64_t id;
		struct hsock hs = client_with_request(family, 100, &id);
		struct hmsg m;

		ktap_label("family %d type %d code %d", family, rows[i].type,
			   rows[i].code);
		w_expect(&q, W_DATA, 100);
		send_icmp(rows[i].type, rows[i].code, &q);
		if (rows[i].err) {
			/* Host unreachable may pass: it counts at timeout. */
			EXPECT_RC(hsock_recv_within(&hs, &m, 0, 1000),
				  -rows[i].err);
			EXPECT_EQ(m.args.id, id);
		} else {
			respond(family, &hs, id, 10);
			EXPECT_RC(hsock_recv_within(&hs, &m, 0, 50), 10);
		}
		hsock_close(&hs);
	}
}

/* Port unreachable ends the RPCs with that port of that host, no others; and
 * not even those if what it quotes was never sent.
 */
static void icmp_for_another_port_changes_nothing(void)
{
	FOR_FAMILIES(family) {
		union haddr to = wnet_peer_addr(family, PORT + 1);
		int type = family == AF_INET ? 3 : 1;
		int code = family == AF_INET ? 3 : 4;
		uint64_t id, other;
		struct hsock hs = client_with_request(family, 100, &id);
		struct hmsg m;

		w_expect(&q, W_DATA, 100);
		put16(&q, AT_DPORT, PORT + 1);
		send_icmp(type, code, &q);
		EXPECT_RC(hsock_recv_within(&hs, &m, 0, 3), -EAGAIN);
		ASSERT_RC(hsock_request(&hs, &to, "x", 1, &other), 0);
		do {
			w_expect(&q, W_DATA, 100);
		} while (get64(&q, AT_ID) != other);
		send_icmp(type, code, &q);
		EXPECT_RC(hsock_recv_within(&hs, &m, 0, 50), -ENOTCONN);
		EXPECT_EQ(m.args.id, other);
		respond(family, &hs, id, 10);
		EXPECT_RC(hsock_recv_within(&hs, &m, 0, 50), 10);
		hsock_close(&hs);
	}
}

static void closed_ports_are_reported(void)
{
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_open(wnet.host, family);
		int ports[] = { 4321, hsock_port(&hs) };

		/* ICMP errors are rate-limited: start with a full bucket. */
		sleep_ms(3000);
		for (int i = 0; i < 2; i++) {
			w_drain();
			ktap_label("family %d port %d", family, ports[i]);
			w_send_message(family, PEER_CLIENT, ports[i],
				       w_new_id(), 10, 1, 1000);
			if (!EXPECT(w_find_icmp(&q, 100), "no ICMP error"))
				continue;
			EXPECT_EQ(q.b[0], family == AF_INET ? 3 : 1);
			EXPECT_EQ(q.b[1], family == AF_INET ? 3 : 4);
			sleep_ms(1100);
		}
		EXPECT_EQ(hsock_num_rpcs(&hs), 0);
		hsock_close(&hs);
	}
}

/* Whoever asks for RPCs that do not exist may have forged its address. */
static void replies_without_an_rpc_are_limited(void)
{
	static const int types[][3] = {	/* whose sender is client, server */
		{ W_RESEND, W_UNKNOWN, 0 }, { W_NEED_ACK, W_ACK, 1 },
	};

	ASSERT_RC(ns_sysctl(wnet.host, "max_replies", "3"), 0);
	FOR_FAMILIES(family) {
		struct hsock server = hsock_server(wnet.host, family, PORT);

		for (int t = 0; t < 2; t++) {
			struct counters before;
			int64_t refused;
			int replies = 0;

			ktap_label("family %d type %#x", family, types[t][0]);
			counters_read(wnet.host, &before);
			w_drain();
			for (int i = 0; i < 500; i++)
				w_send_control(family, types[t][0],
					       PEER_CLIENT, PORT,
					       w_new_id() ^ types[t][2]);
			while (w_find(&p, types[t][1], 5))
				replies++;
			refused = counters_grew(wnet.host, &before,
						"reply_limits");
			EXPECT_GE(replies, 3);
			EXPECT_GE(refused, 100);
			EXPECT_EQ(replies + refused, 500);
		}
		hsock_close(&server);
	}
	ASSERT_RC(ns_sysctl(wnet.host, "max_replies", "50"), 0);
}

/* However many RPCs wait for a peer that is silent: it gets a few RESENDs in
 * each millisecond, and all of them end hardly later than one alone would.
 */
static void a_silent_peer_is_not_flooded(void)
{
	enum { RPCS = 500, LIMIT = 2 };

	ASSERT_RC(ns_sysctl(wnet.host, "max_resends", "2"), 0);
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_open(wnet.host, family);
		union haddr to = wnet_peer_addr(family, PORT);
		int64_t start = now_ms();
		struct counters before;
		struct hmsg m;
		int resends = 0;
		uint64_t id;

		counters_read(wnet.host, &before);
		w_drain();
		for (int i = 0; i < RPCS; i++)
			ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
		for (int i = 0; i < RPCS; i++)
			EXPECT_RC(hsock_recv_within(&hs, &m, 0, 2000),
				  -ETIMEDOUT);
		EXPECT(now_ms() - start <= 150, "%d ms",
		       (int)(now_ms() - start));
		while (w_find(&p, W_RESEND, 0))
			resends++;
		EXPECT(resends >= 15 && resends <= 150 * LIMIT, "%d RESENDs",
		       resends);
		EXPECT_GE(counters_grew(wnet.host, &before, "resend_limits"),
			  RPCS);
		hsock_close(&hs);
	}
	ASSERT_RC(ns_sysctl(wnet.host, "max_resends", "20"), 0);
}

static void freeze_is_consumed_silently(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = hsock_server(wnet.host, family, PORT);

		w_drain();
		w_send_control(family, W_FREEZE, PEER_CLIENT, PORT, 0);
		w_send_control(family, W_FREEZE, PEER_CLIENT, 0, 0);
		EXPECT(w_quiet(3), "an answer to FREEZE");
		w_probe(&server, family);
		hsock_close(&server);
	}
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(request_is_executed_once),
		KTAP_CASE(ids_belong_to_address_and_port),
		KTAP_CASE(resend_of_a_response),
		KTAP_CASE(resend_beyond_what_was_sent),
		KTAP_CASE(order_proves_losses),
		KTAP_CASE(resend_raises_the_grant),
		KTAP_CASE(busy_while_a_request_is_incomplete),
		KTAP_CASE(unknown_restarts_a_request),
		KTAP_CASE(unknown_in_the_middle_of_a_response_is_ignored),
		KTAP_CASE(unknown_ends_a_response),
		KTAP_CASE(silence_ends_a_request),
		KTAP_CASE(timer_settings_are_obeyed),
		KTAP_CASE(busy_keeps_a_request_alive),
		KTAP_CASE(need_ack_before_the_response),
		KTAP_CASE(need_ack_for_an_unknown_rpc),
		KTAP_SLOW(need_acks_end, 300),
		KTAP_CASE(need_acks_wait_for_busy_clients),
		KTAP_CASE(piggybacked_ack_ends_an_rpc),
		KTAP_CASE(ack_records_end_rpcs_of_other_sockets),
		KTAP_CASE(old_grants_change_nothing),
		KTAP_CASE(response_before_the_request_is_sent),
		KTAP_CASE(cutoffs_come_once_a_jiffy),
		KTAP_CASE(smaller_mtu_is_obeyed),
		KTAP_CASE(icmp_errors_end_requests),
		KTAP_CASE(icmp_for_another_port_changes_nothing),
		KTAP_CASE(closed_ports_are_reported),
		KTAP_CASE(replies_without_an_rpc_are_limited),
		KTAP_CASE(a_silent_peer_is_not_flooded),
		KTAP_CASE(freeze_is_consumed_silently),
		KTAP_CASE(wrong_checksums_are_refused),
	};

	wnet_init();
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
