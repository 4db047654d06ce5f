// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Packets that no honest peer sends: dropped, counted, and nothing else.
 *
 * desc: truncated, impossible and forged packets do no harm
 * lab: --no-topology
 * flavor: fast@quick debug
 * timeout: 300
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

static const uint32_t extremes[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff };
static struct wpkt p;

/* What must not change while hostile packets arrive. */
struct watch {
	const struct hsock *hs;
	int rpcs;
	int64_t avail;
	struct counters before;
};

static void watch_start(struct watch *w, const struct hsock *hs)
{
	w->hs = hs;
	w->rpcs = hsock_num_rpcs(hs);
	w->avail = hsock_avail(hs);
	counters_read(wnet.host, &w->before);
}

static bool is_drop(const char *name)
{
	static const char *const names[] = {
		"short_packets", "unknown_rpcs", "packet_discards",
		"resent_discards", "server_cant_create_rpcs",
		"dropped_data_no_bufs", "unknown_packet_types",
		"ignored_need_acks", "resend_overflows",
	};

	if (!strncmp(name, "rx_", 3))
		return true;
	for (int i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

/* Number of packets that any drop counter has noted since the start. */
static int64_t watch_drops(struct watch *w)
{
	static struct counters now;
	int64_t sum = 0;

	counters_read(wnet.host, &now);
	for (int i = 0; i < now.num; i++) {
		int64_t old = counters_get(&w->before, now.c[i].name);

		if (is_drop(now.c[i].name))
			sum += now.c[i].value - (old < 0 ? 0 : old);
	}
	return sum;
}

static void watch_end(struct watch *w, int64_t least_drops)
{
	EXPECT_EQ(hsock_num_rpcs(w->hs), w->rpcs);
	EXPECT_EQ(hsock_avail(w->hs), w->avail);
	EXPECT_GE(watch_drops(w), least_drops);
}

static void truncated_at_every_length(void)
{
	/* What is too short for the marks of a packet that travels as TCP is TCP's. */
	int least = wnet.proto == IPPROTO_TCP ? AT_LENGTH : 1;

	FOR_FAMILIES(family) {
		struct hsock server = hsock_server(wnet.host, family, PORT);
		struct watch w;
		int sent = 0;

		watch_start(&w, &server);
		for (int type = W_DATA; type <= W_ACK; type++) {
			for (int len = least; len < w_header_len(type); len++) {
				w_make(&p, family, type, PEER_CLIENT, PORT,
				       w_new_id());
				put32(&p, AT_LENGTH, 100);
				p.len = len;
				w_send(&p);
				sent++;
			}
		}
		EXPECT_EQ(counters_grew(wnet.host, &w.before, "short_packets"),
			  sent);
		watch_end(&w, sent);
		EXPECT(w_quiet(2), "an answer to a short packet");
		w_probe(&server, family);
		hsock_close(&server);
	}
}

static void empty_ip_payload(void)
{
	struct hsock server = hsock_server(wnet.host, AF_INET, PORT);

	FOR_FAMILIES(family) {
		w_make(&p, family, W_DATA, PEER_CLIENT, PORT, 2);
		p.len = 0;
		w_send(&p);
	}
	w_probe(&server, AF_INET);
}

static void unknown_types(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = hsock_server(wnet.host, family, PORT);
		struct watch w;
		int sent = 0;

		watch_start(&w, &server);
		for (int type = 0; type < 256; type++) {
			if (w_header_len(type))
				continue;
			w_make(&p, family, W_ACK, PEER_CLIENT, PORT,
			       w_new_id());
			p.b[AT_TYPE] = type;
			w_send(&p);
			sent++;
		}
		EXPECT_EQ(counters_grew(wnet.host, &w.before, "short_packets"),
			  sent);
		watch_end(&w, sent);
		EXPECT(w_quiet(2), "an answer to an unknown type");
		w_probe(&server, family);
		hsock_close(&server);
	}
}

/* Trailing bytes behind a control header are harmless. */
static void control_packets_with_trailing_bytes(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = hsock_server(wnet.host, family, PORT);

		for (int type = W_GRANT; type <= W_ACK; type++) {
			w_make(&p, family, type, PEER_CLIENT, PORT,
			       w_new_id());
			p.len = 1400;
			w_send(&p);
		}
		EXPECT_EQ(hsock_num_rpcs(&server), 0);
		w_probe(&server, family);
		hsock_close(&server);
	}
}

/* First packets of messages that cannot be. */
static const struct bad_data {
	const char *what;
	uint32_t total;
	uint32_t start;
	int len;
} bad_data[] = {
	{ "length 0", 0, 0, 10 },
	{ "length 0, no data", 0, 0, 0 },
	{ "length 1000001", 1000001, 0, 10 },
	{ "length with the sign bit", 0x80000000, 0, 10 },
	{ "length 0xffffffff", 0xffffffff, 0, 10 },
	{ "no data", 10, 0, 0 },
	{ "no data at the end", 10, 10, 0 },
	{ "starts at the end", 10, 10, 1 },
	{ "starts beyond the end", 10, 11, 1 },
	{ "longer than the message", 10, 0, 11 },
	{ "ends beyond the end", 1000, 995, 6 },
	{ "offset with the sign bit", 10, 0x80000000, 4 },
	{ "offset and length wrap", 100, 0xfffffff8, 16 },
	{ "offset 0xfffffffe", 100, 0xfffffffe, 2 },
};

static void make_bad_data(int family, const struct bad_data *bad, bool in_seq,
			  int port, uint64_t id)
{
	w_data(&p, family, PEER_CLIENT, port, id, bad->total, 0, bad->len, 1);
	put32(&p, AT_SEQUENCE, bad->start);
	put32(&p, AT_OFFSET, in_seq ? W_IN_SEQUENCE : bad->start);
}

static void impossible_first_packets(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = hsock_server(wnet.host, family, PORT);
		struct watch w;

		for (int i = 0; i < 2 * ARRAY_LEN(bad_data); i++) {
			const struct bad_data *bad = &bad_data[i / 2];

			ktap_label("family %d, %s, form %d", family, bad->what,
				   i & 1);
			watch_start(&w, &server);
			make_bad_data(family, bad, i & 1, PORT, w_new_id());
			w_send(&p);
			watch_end(&w, 1);
			w_probe(&server, family);
		}
		EXPECT_EQ(hsock_num_rpcs(&server), 0);
		hsock_close(&server);
	}
}

/* The same packets for a message that is half there already. */
static void impossible_later_packets(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = hsock_server(wnet.host, family, PORT);
		struct hmsg m;
		struct watch w;

		for (int i = 0; i < 2 * ARRAY_LEN(bad_data); i++) {
			const struct bad_data *bad = &bad_data[i / 2];
			uint64_t id = w_new_id();

			if (bad->total == 1000)
				continue;
			ktap_label("family %d, %s, form %d", family, bad->what,
				   i & 1);
			w_data(&p, family, PEER_CLIENT, PORT, id, 10, 0, 5, 7);
			w_send(&p);
			watch_start(&w, &server);
			make_bad_data(family, bad, i & 1, PORT, id);
			w_send(&p);
			watch_end(&w, 1);
			w_data(&p, family, PEER_CLIENT, PORT, id, 10, 5, 5, 7);
			w_send(&p);
			EXPECT_RC(hsock_recv_within(&server, &m, 0, 1000), 10);
			EXPECT(payload_ok(&server, &m, 7), "wrong bytes");
			hsock_return(&server, &m);
		}
		hsock_close(&server);
	}
}

/* Later packets may not change what the first one said of the message. */
static void message_length_that_changes(void)
{
	static const uint32_t lens[] = { 9, 11, 100, 999999, 1 };

	FOR_FAMILIES(family) {
		struct hsock server = hsock_server(wnet.host, family, PORT);
		struct hmsg m;

		for (int i = 0; i < ARRAY_LEN(lens); i++) {
			uint64_t id = w_new_id();

			w_data(&p, family, PEER_CLIENT, PORT, id, 10, 0, 5, 7);
			w_send(&p);
			w_data(&p, family, PEER_CLIENT, PORT, id, lens[i], 8,
			       1, 9);
			w_send(&p);
			w_data(&p, family, PEER_CLIENT, PORT, id, 10, 5, 5, 7);
			w_send(&p);
			EXPECT_RC(hsock_recv_within(&server, &m, 0, 1000), 10);
			if (lens[i] <= 8)
				EXPECT(payload_ok(&server, &m, 7), "bytes");
			hsock_return(&server, &m);
		}
		w_probe(&server, family);
		hsock_close(&server);
	}
}

static void impossible_responses_do_not_wedge_the_client(void)
{
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_open(wnet.host, family);
		union haddr to = wnet_peer_addr(family, PORT);
		int port = hsock_port(&hs);
		struct hmsg m;

		for (int i = 0; i < ARRAY_LEN(bad_data); i++) {
			struct watch w;
			uint64_t id;

			ktap_label("family %d, %s", family, bad_data[i].what);
			ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
			watch_start(&w, &hs);
			make_bad_data(family, &bad_data[i], i & 1, port,
				      id ^ 1);
			put16(&p, AT_SPORT, PORT);
			w_send(&p);
			watch_end(&w, 1);
			w_data(&p, family, PORT, port, id ^ 1, 10, 0, 10, 3);
			w_send(&p);
			EXPECT_RC(hsock_recv_within(&hs, &m, 0, 1000), 10);
			EXPECT(payload_ok(&hs, &m, 3), "wrong bytes");
			hsock_return(&hs, &m);
		}
		hsock_close(&hs);
	}
}

/* Fields, for the sweep: what they are, where, how long. */
static const struct field {
	int type;	/* of packets that have it; 0: all */
	int at;
	int bytes;
} fields[] = {
	{ 0, AT_SPORT, 2 }, { 0, AT_DPORT, 2 }, { 0, AT_SEQUENCE, 4 },
	{ 0, 8, 3 }, { 0, AT_TYPE, 1 }, { 0, AT_DOFF, 1 }, { 0, AT_FLAGS, 1 },
	{ 0, AT_WINDOW, 2 }, { 0, AT_CHECKSUM, 2 }, { 0, AT_URGENT, 2 },
	{ 0, AT_ID, 4 }, { 0, AT_ID + 4, 4 },
	{ W_DATA, AT_LENGTH, 4 }, { W_DATA, AT_INCOMING, 4 },
	{ W_DATA, AT_ACK_ID, 4 }, { W_DATA, AT_ACK_ID + 4, 4 },
	{ W_DATA, AT_ACK_PORT, 2 }, { W_DATA, AT_VERSION, 2 },
	{ W_DATA, AT_RETRANSMIT, 1 }, { W_DATA, AT_PAD, 3 },
	{ W_DATA, AT_OFFSET, 4 },
	{ W_GRANT, AT_GRANT_OFFSET, 4 }, { W_GRANT, AT_GRANT_PRIO, 1 },
	{ W_RESEND, AT_RESEND_OFFSET, 4 }, { W_RESEND, AT_RESEND_LENGTH, 4 },
	{ W_RESEND, AT_RESEND_PRIO, 1 },
	{ W_CUTOFFS, AT_CUTOFFS, 4 }, { W_CUTOFFS, AT_CUTOFFS + 28, 4 },
	{ W_CUTOFFS, AT_CUTOFFS_VERSION, 2 },
	{ W_ACK, AT_NUM_ACKS, 2 }, { W_ACK, AT_ACKS, 4 },
	{ W_ACK, AT_ACKS + 4, 4 }, { W_ACK, AT_ACKS + 8, 2 },
	{ W_ACK, AT_ACKS + 40, 4 },
};

/* Sets a field to the @k-th extreme: 0, 1, largest positive, sign, all ones. */
static void set_extreme(const struct field *f, int k)
{
	uint32_t v = extremes[k];

	if (k == 2)
		v >>= 32 - 8 * f->bytes;
	else if (k == 3)
		v = 1u << (8 * f->bytes - 1);
	for (int i = f->bytes - 1; i >= 0; i--, v >>= 8)
		p.b[f->at + i] = v;
}

/* Sends every type with every field at every extreme. */
static int sweep(int family, int sport, int dport, uint64_t id)
{
	int sent = 0;

	for (int type = W_DATA; type <= W_ACK; type++) {
		for (int f = 0; f < ARRAY_LEN(fields); f++) {
			if (fields[f].type && fields[f].type != type)
				continue;
			for (int k = 0; k < ARRAY_LEN(extremes); k++) {
				if (type == W_DATA)
					w_data(&p, family, sport, dport, id,
					       100, 0, 50, 1);
				else
					w_make(&p, family, type, sport, dport,
					       id);
				set_extreme(&fields[f], k);
				w_send(&p);
				sent++;
			}
		}
		w_drain();
	}
	return sent;
}

/* Every packet is accounted for, as received or as dropped. */
static int64_t accounted(struct watch *w)
{
	static const char *const names[] = {
		"packets_rcvd_DATA", "packets_rcvd_GRANT",
		"packets_rcvd_RESEND", "packets_rcvd_RPC_UNKNOWN",
		"packets_rcvd_BUSY", "packets_rcvd_CUTOFFS",
		"packets_rcvd_NEED_ACK", "packets_rcvd_ACK",
		"packets_rcvd_FREEZE",
	};
	int64_t sum = watch_drops(w);

	for (int i = 0; i < ARRAY_LEN(names); i++)
		sum += counters_grew(wnet.host, &w->before, names[i]);
	return sum;
}

static void fields_at_extremes_without_an_rpc(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = hsock_server(wnet.host, family, PORT);
		struct watch w;
		int sent;

		watch_start(&w, &server);
		sent = sweep(family, PEER_CLIENT, PORT, w_new_id());
		sent += sweep(family, PEER_CLIENT, PORT, w_new_id() ^ 1);
		/* FREEZE packets come first and may be counted nowhere. */
		EXPECT_GE(accounted(&w), sent - 2 * 12 * 5);
		w_probe(&server, family);
		hsock_close(&server);
	}
}

static void fields_at_extremes_for_a_server_rpc(void)
{
	FOR_FAMILIES(family) {
		for (int state = 0; state < 3; state++) {
			struct hsock server = hsock_server(wnet.host, family,
							   PORT);
			uint64_t id = w_new_id();
			struct hmsg m;

			ktap_label("family %d, state %d", family, state);
			w_data(&p, family, PEER_CLIENT, PORT, id, 10, 0,
			       state ? 10 : 5, 1);
			w_send(&p);
			if (state)
				ASSERT_RC(hsock_recv_within(&server, &m, 0,
							    1000), 10);
			if (state == 2)
				hsock_reply(&server, &m.from, m.args.id,
					    "yes", 3);
			sweep(family, PEER_CLIENT, PORT, id);
			w_probe(&server, family);
			hsock_close(&server);
		}
	}
}

static void fields_at_extremes_for_a_client_rpc(void)
{
	FOR_FAMILIES(family) {
		for (int half = 0; half < 2; half++) {
			struct hsock server = hsock_server(wnet.host, family,
							   PORT);
			struct hsock hs = hsock_open(wnet.host, family);
			union haddr to = wnet_peer_addr(family, PORT);
			int port = hsock_port(&hs);
			uint64_t id;

			ktap_label("family %d, half %d", family, half);
			ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
			if (half) {
				w_data(&p, family, PORT, port, id ^ 1, 100, 50,
				       50, 1);
				w_send(&p);
			}
			sweep(family, PORT, port, id ^ 1);
			w_probe(&server, family);
			hsock_close(&hs);
			hsock_close(&server);
		}
	}
}

/* Whatever a peer asks for, packets stay within 8 priority levels. */
static void priorities_beyond_the_table(void)
{
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_open(wnet.host, family);
		union haddr to = wnet_peer_addr(family, PORT);
		char buf[60000] = { 0 };
		int port = hsock_port(&hs);
		uint64_t id;

		for (int prio = 8; prio < 256; prio += prio < 10 ? 1 : 35) {
			ASSERT_RC(hsock_request(&hs, &to, buf, sizeof(buf),
						&id), 0);
			w_grant(&p, family, PORT, port, id ^ 1, 60000, prio);
			w_send(&p);
			w_drain();
			w_resend(&p, family, PORT, port, id ^ 1, 0, 1000, prio);
			w_send(&p);
			EXPECT(w_find(&p, W_DATA, 100), "nothing resent");
			EXPECT_EQ(p.tos, 0xe0);
			hsock_abort(&hs, id, 0);
		}
		hsock_close(&hs);
	}
}

static void ipv6_packets_to_an_ipv4_socket(void)
{
	for (int back = 0; back < 2; back++) {
		int mine = back ? AF_INET6 : AF_INET;
		int other = back ? AF_INET : AF_INET6;
		struct hsock server = hsock_server(wnet.host, mine, PORT);

		ktap_label("socket family %d", mine);
		for (int type = W_DATA; type <= W_ACK; type++) {
			w_make(&p, other, type, PEER_CLIENT, PORT, w_new_id());
			if (type == W_DATA)
				w_data(&p, other, PEER_CLIENT, PORT,
				       w_new_id(), 10, 0, 10, 1);
			w_send(&p);
		}
		sweep(other, PEER_CLIENT, PORT, w_new_id());
		w_drain();
		if (!back)
			EXPECT_EQ(hsock_num_rpcs(&server), 0);
		else
			hsock_close(&server);
		if (back)
			server = hsock_server(wnet.host, mine, PORT);
		w_probe(&server, mine);
		hsock_close(&server);
	}
}

/* Packets about a client's RPC that do not come from its server. */
static void forged_packets_for_a_client_rpc(void)
{
	static const char *const liars[][2] = {
		{ "10.9.0.3", "fd09::3" }, { "10.9.0.2", "fd09::2" },
	};

	FOR_FAMILIES(family) {
		for (int type = W_DATA; type <= W_ACK * 2 - W_DATA + 1; type++) {
			/* First from another address, then another port. */
			int t = type > W_ACK ? type - W_ACK - 1 + W_DATA : type;
			bool by_port = type > W_ACK;
			struct hsock hs = hsock_open(wnet.host, family);
			union haddr to = wnet_peer_addr(family, PORT);
			int port = hsock_port(&hs);
			struct hmsg m;
			uint64_t id;

			if (t == W_CUTOFFS || t == W_FREEZE)
				continue;
			ktap_label("family %d, %s, other %s", family,
				   w_type_name(t), by_port ? "port" : "address");
			ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
			w_drain();
			w_make(&p, family, t, by_port ? PORT + 1 : PORT, port,
			       id ^ 1);
			if (t == W_DATA)
				w_data(&p, family, by_port ? PORT + 1 : PORT,
				       port, id ^ 1, 4, 0, 4, 66);
			if (t == W_RESEND)
				put32(&p, AT_RESEND_LENGTH, W_ALL);
			inet_pton(family, liars[by_port][family == AF_INET6],
				  p.src);
			w_send(&p);
			EXPECT(!w_find(&p, W_DATA, 2), "sent DATA again");
			EXPECT_RC(hsock_recv(&hs, &m, 0, MSG_DONTWAIT),
				  -EAGAIN);
			EXPECT_EQ(hsock_num_rpcs(&hs), 1);
			w_data(&p, family, PORT, port, id ^ 1, 10, 0, 10, 3);
			w_send(&p);
			EXPECT_RC(hsock_recv_within(&hs, &m, 0, 1000), 10);
			EXPECT(payload_ok(&hs, &m, 3), "wrong bytes");
			hsock_close(&hs);
		}
	}
}

/* ACK and UNKNOWN may not end what is not theirs to end. */
static void acks_that_make_no_sense(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = hsock_server(wnet.host, family, PORT);
		struct hsock hs = hsock_open(wnet.host, family);
		union haddr to = wnet_peer_addr(family, PORT);
		uint64_t id, sid = w_new_id();
		struct hmsg m;

		ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
		w_send_control(family, W_ACK, PORT, hsock_port(&hs), id ^ 1);
		EXPECT_EQ(hsock_num_rpcs(&hs), 1);
		w_make(&p, family, W_ACK, PEER_CLIENT, PORT, w_new_id());
		put16(&p, AT_NUM_ACKS, 1);
		put64(&p, AT_ACKS, id ^ 1);
		put16(&p, AT_ACKS + 8, hsock_port(&hs));
		w_send(&p);
		EXPECT_EQ(hsock_num_rpcs(&hs), 1);
		w_data(&p, family, PEER_CLIENT, PORT, sid, 10, 0, 10, 1);
		w_send(&p);
		ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 10);
		w_send_control(family, W_ACK, PEER_CLIENT, PORT, sid);
		w_send_control(family, W_UNKNOWN, PEER_CLIENT, PORT, sid);
		w_make(&p, family, W_ACK, PEER_CLIENT, PORT, w_new_id());
		put16(&p, AT_NUM_ACKS, 0xffff);
		for (int i = 0; i < 5; i++) {
			put64(&p, AT_ACKS + 10 * i, sid);
			put16(&p, AT_ACKS + 10 * i + 8, PORT);
		}
		w_send(&p);
		EXPECT_EQ(hsock_num_rpcs(&server), 1);
		w_drain();
		EXPECT_RC(hsock_reply(&server, &m.from, m.args.id, "yes", 3),
			  0);
		w_expect(&p, W_DATA, 1000);
		EXPECT_EQ(get64(&p, AT_ID), sid ^ 1);
		hsock_close(&hs);
		hsock_close(&server);
	}
}

/* ... and an ACK from another address ends nothing at all. */
static void acks_from_another_address(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = hsock_server(wnet.host, family, PORT);
		uint64_t id = w_new_id();
		struct hmsg m;

		w_data(&p, family, PEER_CLIENT, PORT, id, 10, 0, 10, 1);
		w_send(&p);
		ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 10);
		hsock_return(&server, &m);
		ASSERT_RC(hsock_reply(&server, &m.from, m.args.id, "yes", 3),
			  0);
		for (int type = W_UNKNOWN; type <= W_ACK; type++) {
			w_make(&p, family, type, PEER_CLIENT, PORT, id);
			inet_pton(family, family == AF_INET ? "10.9.0.3" :
				  "fd09::3", p.src);
			put16(&p, AT_NUM_ACKS, type == W_ACK ? 1 : 0);
			put64(&p, AT_ACKS, id);
			put16(&p, AT_ACKS + 8, PORT);
			p.len = w_header_len(type);
			w_send(&p);
			EXPECT(hsock_num_rpcs(&server) == 1, "%s ended it",
			       w_type_name(type));
		}
		w_send_control(family, W_ACK, PEER_CLIENT, PORT, id);
		EXPECT(WAIT_FOR(hsock_num_rpcs(&server) == 0, 100),
		       "the right ACK did not end it");
		hsock_close(&server);
	}
}

/* Requests from ever more RPCs and hosts: some are served, the others counted. */
static void what_peers_occupy_is_limited(void)
{
	static const struct {
		const char *knob, *usual, *counter;
		bool hosts;
	} rows[] = {
		{ "max_server_rpcs", "10000", "rx_limits", false },
		{ "max_peer_rpcs", "10000", "rx_peer_limits", false },
		{ "max_host_rpcs", "100000", "rx_host_limits", false },
		{ "max_peers", "20000", "server_cant_create_rpcs", true },
	};

	for (int i = 0; i < ARRAY_LEN(rows); i++) {
		struct hsock server = hsock_server(wnet.host, AF_INET, PORT);
		struct counters before;
		int64_t refused;

		ktap_label("%s", rows[i].knob);
		ASSERT_RC(ns_sysctl(wnet.host, rows[i].knob, "20"), 0);
		counters_read(wnet.host, &before);
		for (int j = 0; j < 50; j++) {
			w_data(&p, AF_INET, PEER_CLIENT, PORT, w_new_id(), 10,
			       0, 10, 1);
			p.src[3] = rows[i].hosts ? 100 + j : 2;
			w_send(&p);
		}
		refused = counters_grew(wnet.host, &before, rows[i].counter);
		EXPECT_GE(refused, 30);
		EXPECT_EQ(hsock_num_rpcs(&server), 50 - refused);
		ASSERT_RC(ns_sysctl(wnet.host, rows[i].knob, rows[i].usual), 0);
		hsock_close(&server);
	}
}

static void no_amplification(void)
{
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_open(wnet.host, family);
		union haddr to = wnet_peer_addr(family, PORT);
		char buf[1000] = { 0 };
		int64_t out = 0;
		uint64_t id;

		ASSERT_RC(hsock_request(&hs, &to, buf, sizeof(buf), &id), 0);
		w_drain();
		for (int i = 0; i < 50; i++) {
			w_resend(&p, family, PORT + 1, hsock_port(&hs),
				 id ^ 1, 0, W_ALL, 7);
			w_send(&p);
		}
		while (w_recv(&p, 2))
			out += w_is_homa(&p) ? p.len : 0;
		EXPECT(out <= 50 * 37, "50 forged RESENDs caused %lld bytes",
		       (long long)out);
		hsock_close(&hs);
	}
}

static void resends_that_overflow(void)
{
	static const uint32_t ranges[][2] = {
		{ 0xfffffff0, 0x20 }, { 0x7fffffff, 0x7fffffff },
		{ 0x80000000, 0x80000000 }, { 100, 0xfffffffe },
		{ 0xffffffff, 0xffffffff }, { 0, 0 }, { 1000, 0 },
		{ 999, 0xfffffc18 },
	};

	FOR_FAMILIES(family) {
		struct hsock hs = hsock_open(wnet.host, family);
		union haddr to = wnet_peer_addr(family, PORT);
		char buf[1000] = { 0 };
		int port = hsock_port(&hs);
		struct hmsg m;
		uint64_t id;

		ASSERT_RC(hsock_request(&hs, &to, buf, sizeof(buf), &id), 0);
		for (int i = 0; i < ARRAY_LEN(ranges); i++) {
			w_resend(&p, family, PORT, port, id ^ 1, ranges[i][0],
				 ranges[i][1], 7);
			w_send(&p);
			while (w_recv(&p, 1))
				if (p.b[AT_TYPE] == W_DATA)
					EXPECT(p.len <= AT_DATA + 1000,
					       "%d bytes", p.len);
		}
		w_data(&p, family, PORT, port, id ^ 1, 10, 0, 10, 3);
		w_send(&p);
		EXPECT_RC(hsock_recv_within(&hs, &m, 0, 1000), 10);
		hsock_close(&hs);
	}
}

static void odd_addresses_and_ports(void)
{
	struct hsock server = hsock_server(wnet.host, AF_INET, PORT);
	static const char *const to[] = {
		"10.9.0.255", "255.255.255.255", "224.0.0.1",
	};
	static const char *const from[] = {
		"0.0.0.0", "255.255.255.255", "224.0.0.1", "127.0.0.1",
	};

	for (int i = 0; i < ARRAY_LEN(to); i++) {
		w_data(&p, AF_INET, PEER_CLIENT, PORT, w_new_id(), 10, 0, 10,
		       1);
		inet_pton(AF_INET, to[i], p.dst);
		w_send(&p);
		ktap_label("to %s", to[i]);
		EXPECT_EQ(hsock_num_rpcs(&server), 0);
	}
	for (int i = 0; i < ARRAY_LEN(from); i++) {
		w_data(&p, AF_INET, PEER_CLIENT, PORT, w_new_id(), 10, 0, 10,
		       1);
		inet_pton(AF_INET, from[i], p.src);
		w_send(&p);
		ktap_label("from %s", from[i]);
		EXPECT_EQ(hsock_num_rpcs(&server), 0);
	}
	ktap_label("port 0");
	w_data(&p, AF_INET, 0, PORT, w_new_id(), 10, 0, 10, 1);
	w_send(&p);
	EXPECT_EQ(hsock_num_rpcs(&server), 0);
	w_data(&p, AF_INET, PEER_CLIENT, 0, w_new_id(), 10, 0, 10, 1);
	w_send(&p);
	w_probe(&server, AF_INET);
}

/* Requests that stop half-way must not fill the region or stay for ever. */
static void half_requests_go_away(void)
{
	struct hsock server = hsock_server(wnet.host, AF_INET, PORT);
	int64_t before = hsock_avail(&server);

	for (int i = 0; i < 10; i++) {
		w_data(&p, AF_INET, PEER_CLIENT, PORT, w_new_id(), 1000, 0,
		       10, 1);
		w_send(&p);
	}
	EXPECT_EQ(hsock_num_rpcs(&server), 10);
	EXPECT(WAIT_FOR(hsock_num_rpcs(&server) == 0, 3000),
	       "%d RPCs are left", hsock_num_rpcs(&server));
	EXPECT_GE(hsock_avail(&server), before - 65536);
	w_probe(&server, AF_INET);
}

static void random_packets(void)
{
	struct hsock server = hsock_server(wnet.host, AF_INET, PORT);
	struct hsock hs = hsock_open(wnet.host, AF_INET);
	union haddr to = wnet_peer_addr(AF_INET, PORT);
	struct hmsg m;
	uint64_t id;

	srandom(12345);
	for (int i = 0; i < 3000; i++) {
		if (i % 100 == 0)
			hsock_request(&hs, &to, "x", 1, &id);
		w_make(&p, AF_INET, W_DATA + random() % 9,
		       random() % 2 ? PORT : PEER_CLIENT,
		       random() % 2 ? PORT : hsock_port(&hs), id ^ 1);
		for (int j = random() % 6; j > 0; j--)
			p.b[random() % 90] = random();
		p.len = 28 + random() % 100;
		w_send(&p);
		if (i % 50 == 49) {
			w_drain();
			while (hsock_recv(&server, &m, 0, MSG_DONTWAIT) >= 0)
				hsock_return(&server, &m);
			hsock_recv(&hs, &m, 0, MSG_DONTWAIT);
		}
	}
	hsock_close(&server);
	server = hsock_server(wnet.host, AF_INET, PORT);
	w_probe(&server, AF_INET);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(truncated_at_every_length),
		KTAP_CASE(empty_ip_payload),
		KTAP_CASE(unknown_types),
		KTAP_CASE(control_packets_with_trailing_bytes),
		KTAP_CASE(impossible_first_packets),
		KTAP_CASE(impossible_later_packets),
		KTAP_CASE(message_length_that_changes),
		KTAP_CASE(impossible_responses_do_not_wedge_the_client),
		KTAP_CASE(fields_at_extremes_without_an_rpc),
		KTAP_CASE(fields_at_extremes_for_a_server_rpc),
		KTAP_CASE(fields_at_extremes_for_a_client_rpc),
		KTAP_CASE(priorities_beyond_the_table),
		KTAP_CASE(ipv6_packets_to_an_ipv4_socket),
		KTAP_CASE(forged_packets_for_a_client_rpc),
		KTAP_CASE(acks_that_make_no_sense),
		KTAP_CASE(acks_from_another_address),
		KTAP_CASE(what_peers_occupy_is_limited),
		KTAP_CASE(no_amplification),
		KTAP_CASE(resends_that_overflow),
		KTAP_CASE(odd_addresses_and_ports),
		KTAP_CASE(half_requests_go_away),
		KTAP_CASE(random_packets),
	};

	wnet_init();
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
