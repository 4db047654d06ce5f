// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Every packet that the module sends, byte by byte, over IPv4 and IPv6.
 *
 * desc: each packet type as sent, compared byte by byte
 * lab: --no-topology
 * flavor: fast@quick debug
 *
 * The peer builds the packet that the protocol asks for and compares it with
 * what came; only RPC ids and the client's port are learned from the module.
 */

#define _GNU_SOURCE
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

#define PORT 77			/* servers, on either side */
#define PEER_CLIENT 0x9001	/* the peer's port as a client */
#define TOS(prio) ((prio) << 5)
#define DEFAULT_PRIO 6		/* unscheduled, before any CUTOFFS */

static struct wpkt got, want;
static char buf[HOMA_MAX_MESSAGE_LENGTH];

/* Data bytes in a full packet. */
static int max_data(int family)
{
	return W_MTU - w_lower_len(family) - 56;
}

/* A client of the host sends a request of @len bytes to the peer. */
static struct hsock client_request(int family, int len, uint64_t *id)
{
	struct hsock hs = hsock_open(wnet.host, family);
	union haddr to = wnet_peer_addr(family, PORT);

	payload_fill(buf, len, len);
	w_drain();
	ASSERT_RC(hsock_request(&hs, &to, buf, len, id), 0);
	return hs;
}

/* What the first transmission of a packet of a request must look like. */
static void want_request(int family, const struct hsock *hs, uint64_t id,
			 int total, int start, int len)
{
	w_data(&want, family, PORT, hsock_port(hs), id, total, start, len,
	       total);
	w_turn(&want);
	want.tos = TOS(DEFAULT_PRIO);
	put32(&want, AT_INCOMING, total < 40000 ? total : 40000);
	put16(&want, AT_VERSION, 0);
}

static void data_one_packet(void)
{
	FOR_FAMILIES(family) {
		static const int lens[] = { 1, 100, 1000 };

		for (int i = 0; i < ARRAY_LEN(lens); i++) {
			uint64_t id;
			struct hsock hs = client_request(family, lens[i], &id);

			w_expect(&got, W_DATA, 1000);
			want_request(family, &hs, id, lens[i], 0, lens[i]);
			w_same(&got, &want);
			EXPECT_EQ(id & 1, 0);
			hsock_close(&hs);
		}
	}
}

static void data_several_packets(void)
{
	FOR_FAMILIES(family) {
		int total = 5000, start = 0, len;
		uint64_t id;
		struct hsock hs = client_request(family, total, &id);

		while (start < total) {
			len = total - start;
			if (len > max_data(family))
				len = max_data(family);
			w_expect(&got, W_DATA, 1000);
			want_request(family, &hs, id, total, start, len);
			w_same(&got, &want);
			if (ktap_failed())
				return;
			start += len;
		}
		hsock_close(&hs);
	}
}

/* With GSO the device gets one big packet: a header of 52 bytes, then for
 * each segment its offset and data. What reaches a wire differs from a packet
 * made singly in nothing but the header length.
 */
static void check_gso_packet(const struct hsock *hs, int family, uint64_t id,
			     int total, int *start)
{
	int at = 52, seg = max_data(family), len;

	EXPECT_EQ(got.b[AT_DOFF], 0xd0);
	want_request(family, hs, id, total, *start, 1);
	for (int i = AT_ID; i < 52; i++)
		EXPECT(got.b[i] == want.b[i], "byte %d: got %02x want %02x", i,
		       got.b[i], want.b[i]);
	while (at < got.len && !ktap_failed()) {
		EXPECT_EQ(get32(&got, at), *start);
		len = got.len - at - 4;
		if (len > seg)
			len = seg;
		EXPECT(!memcmp(got.b + at + 4, buf + *start, len),
		       "wrong data at %d", *start);
		*start += len;
		at += 4 + len;
	}
}

/* Receives a request's packets and frames. Returns how many have an offset for each of
 * their segments; @longest is the longest of all.
 */
static int check_frames(const struct hsock *hs, int family, uint64_t id, int total,
			int *longest)
{
	int start = 0, with_offsets = 0;

	*longest = 0;
	while (start < total && !ktap_failed()) {
		w_expect(&got, W_DATA, 1000);
		if (got.len > *longest)
			*longest = got.len;
		if (got.b[AT_DOFF] == 0xe0) {
			/* Frames for cards have it in the sequence. */
			if (wnet.proto != IPPROTO_TCP)
				EXPECT_EQ(get32(&got, AT_OFFSET), start);
			EXPECT_EQ(get32(&got, AT_SEQUENCE), start);
			EXPECT(w_payload_ok(&got, total), "wrong data");
			start += got.len - AT_DATA;
		} else {
			with_offsets++;
			check_gso_packet(hs, family, id, total, &start);
		}
	}
	EXPECT_EQ(start, total);
	return with_offsets;
}

static void data_over_a_device_with_offloads(void)
{
	wnet_offloads(true);
	FOR_FAMILIES(family) {
		int total = 39000, longest;
		uint64_t id;
		struct hsock hs = client_request(family, total, &id);

		EXPECT_EQ(check_frames(&hs, family, id, total, &longest), 0);
		hsock_close(&hs);
	}
	wnet_offloads(false);
}

/* Frames with an offset for each segment, for devices that cut TCP's: they get them
 * whole, and who has to cut them, as tbf does, leaves packets that have all they need.
 */
static void frames_for_cards(void)
{
	if (wnet.proto != IPPROTO_HOMA)
		return;
	wnet_offloads(true);
	ASSERT_RC(ns_sysctl(wnet.host, "native_tso", "1"), 0);
	FOR_FAMILIES(family) {
		int total = 39000, seg = max_data(family), i;
		int frames = (total + 8 * seg - 1) / (8 * seg), packets = (total + seg - 1) / seg;

		for (i = 0; i < 4; i++) {
			bool cut = i & 1, tso = !(i & 2);
			struct hsock hs;
			int longest;
			uint64_t id;

			ktap_label("family %d cut %d tso %d", family, cut, tso);
			ns_run(wnet.host, "ethtool -K v0 tso %s >/dev/null",
			       tso ? "on" : "off");
			if (cut)
				ns_run(wnet.host, "tc qdisc add dev v0 root tbf "
				       "rate 10gbit burst 1600 limit 1000000");
			hs = client_request(family, total, &id);
			EXPECT_EQ(check_frames(&hs, family, id, total, &longest),
				  !tso ? 0 : cut ? packets : frames);
			EXPECT_EQ(longest, cut || !tso ? AT_DATA + seg :
				  52 + 8 * (4 + seg));
			if (cut)
				ns_run(wnet.host, "tc qdisc del dev v0 root");
			hsock_close(&hs);
		}
	}
	ASSERT_RC(ns_sysctl(wnet.host, "native_tso", "0"), 0);
	wnet_offloads(false);
}

static void data_stops_at_the_unscheduled_limit(void)
{
	FOR_FAMILIES(family) {
		int total = 100000, start = 0;
		uint64_t id;
		struct hsock hs = client_request(family, total, &id);

		while (start < 40000) {
			w_expect(&got, W_DATA, 1000);
			EXPECT_EQ(get32(&got, AT_OFFSET), start);
			EXPECT_EQ(get32(&got, AT_INCOMING), 40000);
			EXPECT_EQ(got.tos, TOS(DEFAULT_PRIO));
			start += got.len - AT_DATA;
			if (ktap_failed())
				return;
		}
		EXPECT_EQ(start, 40000);
		EXPECT(!w_find(&got, W_DATA, 4), "sent without a grant");
		hsock_close(&hs);
	}
}

static void data_follows_grants(void)
{
	FOR_FAMILIES(family) {
		int total = 100000, start = 40000, port;
		uint64_t id;
		struct hsock hs = client_request(family, total, &id);

		port = hsock_port(&hs);
		for (int at = 0; at < 40000; at += got.len - AT_DATA)
			w_expect(&got, W_DATA, 1000);
		w_grant(&want, family, PORT, port, id ^ 1, 50000, 3);
		w_send(&want);
		while (start < 50000) {
			w_expect(&got, W_DATA, 1000);
			EXPECT_EQ(get32(&got, AT_OFFSET), start);
			EXPECT_EQ(get32(&got, AT_INCOMING), 40000);
			EXPECT_EQ(got.tos, TOS(3));
			EXPECT(w_payload_ok(&got, total), "wrong data");
			start += got.len - AT_DATA;
			if (ktap_failed())
				return;
		}
		EXPECT(start < 50000 + max_data(family), "sent up to %d",
		       start);
		w_grant(&want, family, PORT, port, id ^ 1, 0xffffffff, 1);
		w_send(&want);
		while (start < total && w_find(&got, W_DATA, 100))
			start += got.len - AT_DATA;
		EXPECT_EQ(start, total);
		EXPECT_EQ(got.tos, TOS(1));
		hsock_close(&hs);
	}
}

/* The host as a server answers a request of the peer. */
static struct hsock host_server(int family)
{
	return hsock_server(wnet.host, family, PORT);
}

static void serve(const struct hsock *server, struct hmsg *m, int len)
{
	ASSERT(hsock_recv_within(server, m, 0, 1000) >= 0, "no request: %zd",
	       m->rc);
	payload_fill(buf, len, len);
	ASSERT_RC(hsock_reply(server, &m->from, m->args.id, buf, len), 0);
	hsock_return(server, m);
}

static void response_one_packet(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = host_server(family);
		uint64_t id = w_new_id();
		struct hmsg m;

		w_drain();
		w_send_message(family, PEER_CLIENT, PORT, id, 100, 1, 1000);
		serve(&server, &m, 200);
		EXPECT_EQ(m.args.id, id ^ 1);
		EXPECT_EQ(haddr_port(&m.from), PEER_CLIENT);
		w_expect(&got, W_DATA, 1000);
		w_data(&want, family, PEER_CLIENT, PORT, id ^ 1, 200, 0, 200,
		       200);
		w_turn(&want);
		want.tos = TOS(DEFAULT_PRIO);
		put16(&want, AT_VERSION, 0);
		w_same(&got, &want);
		hsock_close(&server);
	}
}

static void need_ack_after_a_response(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = host_server(family);
		uint64_t id = w_new_id();
		int64_t start;
		struct hmsg m;

		w_send_message(family, PEER_CLIENT, PORT, id, 100, 1, 1000);
		serve(&server, &m, 20);
		start = now_ms();
		w_expect(&got, W_NEED_ACK, 1000);
		EXPECT_GE(now_ms() - start, 1);
		w_make(&want, family, W_NEED_ACK, PEER_CLIENT, PORT, id ^ 1);
		w_turn(&want);
		w_same(&got, &want);
		w_send_control(family, W_ACK, PEER_CLIENT, PORT, id);
		EXPECT(WAIT_FOR(hsock_num_rpcs(&server) == 0, 100),
		       "ACK did not end the RPC");
		w_drain();
		EXPECT(!w_find(&got, W_NEED_ACK, 20), "NEED_ACK after ACK");
		hsock_close(&server);
	}
}

static void grant_for_a_long_request(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = host_server(family);
		uint64_t id = w_new_id();
		uint32_t limit;

		w_drain();
		for (int at = 0; at < 40000; at += 1000) {
			w_data(&want, family, PEER_CLIENT, PORT, id, 900000, at,
			       1000, 1);
			put32(&want, AT_INCOMING, 40000);
			w_send(&want);
		}
		w_expect(&got, W_GRANT, 1000);
		limit = get32(&got, AT_GRANT_OFFSET);
		EXPECT(limit > 40000 && limit < 900000, "granted %u", limit);
		EXPECT(got.b[AT_GRANT_PRIO] < 4, "priority %u",
		       got.b[AT_GRANT_PRIO]);
		w_grant(&want, family, PEER_CLIENT, PORT, id ^ 1, limit,
			got.b[AT_GRANT_PRIO]);
		w_turn(&want);
		w_same(&got, &want);
		hsock_close(&server);
	}
}

static void resend_for_gaps(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = host_server(family);
		uint64_t id = w_new_id();
		int found = 0;

		w_drain();
		w_data(&want, family, PEER_CLIENT, PORT, id, 5000, 0, 1000, 1);
		w_send(&want);
		w_data(&want, family, PEER_CLIENT, PORT, id, 5000, 2000, 1000,
		       1);
		w_send(&want);
		while (found != 3 && w_find(&got, W_RESEND, 100)) {
			int start = get32(&got, AT_RESEND_OFFSET);

			EXPECT(start == 1000 || start == 3000, "offset %d",
			       start);
			w_resend(&want, family, PEER_CLIENT, PORT, id ^ 1,
				 start, start == 1000 ? 1000 : 2000, 7);
			w_turn(&want);
			w_same(&got, &want);
			found |= start == 1000 ? 1 : 2;
		}
		EXPECT_EQ(found, 3);
		hsock_close(&server);
	}
}

static void resend_when_nothing_came(void)
{
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_request(family, 100, &id);
		int64_t start = now_ms();

		w_expect(&got, W_RESEND, 1000);
		EXPECT_GE(now_ms() - start, 4);
		w_resend(&want, family, PORT, hsock_port(&hs), id, 0, W_ALL, 7);
		w_turn(&want);
		w_same(&got, &want);
		hsock_close(&hs);
	}
}

static void unknown_for_a_resend(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = host_server(family);
		uint64_t id = w_new_id();

		w_drain();
		w_resend(&want, family, PEER_CLIENT, PORT, id, 0, W_ALL, 7);
		w_send(&want);
		w_expect(&got, W_UNKNOWN, 1000);
		w_make(&want, family, W_UNKNOWN, PEER_CLIENT, PORT, id ^ 1);
		w_turn(&want);
		w_same(&got, &want);
		hsock_close(&server);
	}
}

static void busy_while_the_server_works(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = host_server(family);
		uint64_t id = w_new_id();
		struct hmsg m;

		w_drain();
		w_send_message(family, PEER_CLIENT, PORT, id, 100, 1, 1000);
		ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 100);
		w_resend(&want, family, PEER_CLIENT, PORT, id, 0, W_ALL, 7);
		w_send(&want);
		w_expect(&got, W_BUSY, 1000);
		w_make(&want, family, W_BUSY, PEER_CLIENT, PORT, id ^ 1);
		w_turn(&want);
		w_same(&got, &want);
		hsock_close(&server);
	}
}

static void cutoffs_for_an_old_version(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = host_server(family);
		uint64_t id = w_new_id();
		uint32_t last = 0x80000000;

		w_drain();
		w_data(&want, family, PEER_CLIENT, PORT, id, 10, 0, 10, 1);
		put16(&want, AT_VERSION, 0xfff0);
		w_send(&want);
		w_expect(&got, W_CUTOFFS, 1000);
		w_make(&want, family, W_CUTOFFS, PEER_CLIENT, PORT, id ^ 1);
		w_turn(&want);
		EXPECT_GE(get16(&got, AT_CUTOFFS_VERSION), 1);
		EXPECT(get32(&got, AT_CUTOFFS) == 0 ||
		       get32(&got, AT_CUTOFFS) == 0x7fffffff, "level 0: %u",
		       get32(&got, AT_CUTOFFS));
		for (int i = 0; i < 8; i++) {
			uint32_t cutoff = get32(&got, AT_CUTOFFS + 4 * i);

			EXPECT(cutoff < last || cutoff == 0 || i < 4,
			       "level %d: %u after %u", i, cutoff, last);
			if (i >= 4)
				last = cutoff;
			put32(&want, AT_CUTOFFS + 4 * i, cutoff);
		}
		put16(&want, AT_CUTOFFS_VERSION, get16(&got, AT_CUTOFFS_VERSION));
		w_same(&got, &want);
		hsock_close(&server);
	}
}

/* The peer answers the request that the host's client sent. */
static void answer(int family, int port, uint64_t id, int len)
{
	w_send_message(family, PORT, port, id ^ 1, len, len, 1000);
}

static void ack_for_need_ack(void)
{
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_request(family, 100, &id);
		int port = hsock_port(&hs);
		struct hmsg m;

		w_expect(&got, W_DATA, 1000);
		answer(family, port, id, 10);
		ASSERT_RC(hsock_recv_within(&hs, &m, 0, 1000), 10);
		w_drain();
		w_send_control(family, W_NEED_ACK, PORT, port, id ^ 1);
		w_expect(&got, W_ACK, 1000);
		w_make(&want, family, W_ACK, PORT, port, id);
		w_turn(&want);
		for (int i = AT_NUM_ACKS; i < 80; i++)
			want.b[i] = got.b[i];
		EXPECT(get16(&got, AT_NUM_ACKS) <= 1, "%d acks",
		       get16(&got, AT_NUM_ACKS));
		if (get16(&got, AT_NUM_ACKS) == 1) {
			EXPECT_EQ(get64(&got, AT_ACKS), id);
			EXPECT_EQ(get16(&got, AT_ACKS + 8), PORT);
		}
		w_same(&got, &want);
		for (int i = AT_ACKS + 10 * get16(&got, AT_NUM_ACKS); i < 80;
		     i++)
			EXPECT(got.b[i] == 0, "byte %d is %02x", i, got.b[i]);
		hsock_close(&hs);
	}
}

static void acks_piggybacked_and_overflowing(void)
{
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_open(wnet.host, family);
		union haddr to = wnet_peer_addr(family, PORT);
		int port = hsock_port(&hs), records;
		uint64_t id[7];
		struct hmsg m;

		for (int i = 0; i < 7; i++)
			ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id[i]), 0);
		w_drain();
		for (int i = 0; i < 6; i++) {
			answer(family, port, id[i], 10);
			ASSERT_RC(hsock_recv_within(&hs, &m, 0, 1000), 10);
			ASSERT_EQ(m.args.id, id[i]);
		}
		w_expect(&got, W_ACK, 1000);
		EXPECT_EQ(got.len, 80);
		EXPECT_EQ(get64(&got, AT_ID), id[5]);
		records = get16(&got, AT_NUM_ACKS);
		EXPECT_EQ(records, 5);
		for (int i = 0; i < 5; i++) {
			bool found = false;

			for (int j = 0; j < 5; j++)
				found |= get64(&got, AT_ACKS + 10 * j) == id[i];
			EXPECT(found, "RPC %d is not acknowledged", i);
			EXPECT_EQ(get16(&got, AT_ACKS + 10 * i + 8), PORT);
		}
		answer(family, port, id[6], 10);
		ASSERT_RC(hsock_recv_within(&hs, &m, 0, 1000), 10);
		w_drain();
		ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id[0]), 0);
		w_expect(&got, W_DATA, 1000);
		EXPECT_EQ(get64(&got, AT_ACK_ID), id[6]);
		EXPECT_EQ(get16(&got, AT_ACK_PORT), PORT);
		hsock_close(&hs);
	}
}

static void retransmitted_data(void)
{
	FOR_FAMILIES(family) {
		int seg = max_data(family), port;
		uint64_t id;
		struct hsock hs = client_request(family, 3 * seg, &id);

		port = hsock_port(&hs);
		for (int i = 0; i < 3; i++)
			w_expect(&got, W_DATA, 1000);
		w_resend(&want, family, PORT, port, id ^ 1, seg, seg, 5);
		w_send(&want);
		w_expect(&got, W_DATA, 1000);
		want_request(family, &hs, id, 3 * seg, seg, seg);
		want.tos = TOS(5);
		want.b[AT_RETRANSMIT] = 1;
		put32(&want, AT_INCOMING, 2 * seg);
		w_same(&got, &want);
		EXPECT(!w_find(&got, W_DATA, 3), "more than was asked for");
		hsock_close(&hs);
	}
}

static void priorities_after_cutoffs(void)
{
	static const uint32_t cutoffs[8] = {
		0x7fffffff, 0, 0, 0, 1000000, 5000, 500, 50,
	};
	static const struct {
		int len;
		int prio;
	} rows[] = { { 50, 7 }, { 51, 6 }, { 500, 6 }, { 501, 5 },
		     { 5000, 5 }, { 5001, 4 } };

	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_request(family, 10, &id);
		union haddr to = wnet_peer_addr(family, PORT);

		w_make(&want, family, W_CUTOFFS, PORT, hsock_port(&hs), id ^ 1);
		for (int i = 0; i < 8; i++)
			put32(&want, AT_CUTOFFS + 4 * i, cutoffs[i]);
		put16(&want, AT_CUTOFFS_VERSION, 1234);
		w_send(&want);
		w_drain();
		for (int i = 0; i < ARRAY_LEN(rows); i++) {
			ASSERT_RC(hsock_request(&hs, &to, buf, rows[i].len,
						&id), 0);
			do {
				w_expect(&got, W_DATA, 1000);
			} while (get64(&got, AT_ID) != id);
			EXPECT(got.tos == TOS(rows[i].prio),
			       "%d bytes: TOS %02x", rows[i].len, got.tos);
			EXPECT_EQ(get16(&got, AT_VERSION), 1234);
		}
		w_make(&want, family, W_CUTOFFS, PORT, hsock_port(&hs), id ^ 1);
		put32(&want, AT_CUTOFFS, 0x7fffffff);
		put32(&want, AT_CUTOFFS + 24, 0x7fffffff);
		w_send(&want);
		hsock_close(&hs);
	}
}

/* The administrator freezes all hosts that this one knows. */
static void freeze_for_all_hosts(void)
{
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_request(family, 100, &id);
		struct counters before;

		counters_read(wnet.host, &before);
		ASSERT_RC(ns_sysctl(wnet.host, "action", "7"), 0);
		do {	/* the host knows us by both families */
			w_expect(&got, W_FREEZE, 100);
		} while (got.family != family);
		w_make(&want, family, W_FREEZE, 0, hsock_port(&hs), 0);
		w_turn(&want);
		w_same(&got, &want);
		EXPECT_GE(counters_grew(wnet.host, &before,
					"packets_sent_FREEZE"), 1);
		ASSERT_RC(ns_sysctl(wnet.host, "action", "10"), 0);
		hsock_close(&hs);
	}
}

/* What levels look like on the wire is the administrator's business. */
static void priority_map_is_obeyed(void)
{
	ASSERT_RC(ns_sysctl(wnet.host, "priority_map", "7 6 5 4 3 2 1 0"), 0);
	FOR_FAMILIES(family) {
		uint64_t id;
		struct hsock hs = client_request(family, 100, &id);

		w_expect(&got, W_DATA, 1000);
		EXPECT_EQ(got.tos, TOS(7 - DEFAULT_PRIO));
		w_expect(&got, W_RESEND, 1000);
		EXPECT_EQ(got.tos, TOS(0));
		EXPECT_EQ(got.b[AT_RESEND_PRIO], 7);
		hsock_close(&hs);
	}
	ASSERT_RC(ns_sysctl(wnet.host, "priority_map", "0 1 2 3 4 5 6 7"), 0);
}

static void no_packet_is_shorter_than_26_bytes(void)
{
	struct counters before;

	counters_read(wnet.host, &before);
	FOR_FAMILIES(family) {
		struct hsock server = host_server(family);
		struct hmsg m;

		w_send_message(family, PEER_CLIENT, PORT, w_new_id(), 1, 1, 10);
		serve(&server, &m, 1);
		for (int i = 0; i < 20 && w_recv(&got, 20); i++)
			EXPECT_GE(got.len, 28);
		hsock_close(&server);
	}
	EXPECT_GE(counters_grew(wnet.host, &before, "packets_sent_DATA"), 2);
	EXPECT_GE(counters_grew(wnet.host, &before, "packets_sent_NEED_ACK"),
		  2);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(data_one_packet),
		KTAP_CASE(data_several_packets),
		KTAP_CASE(data_over_a_device_with_offloads),
		KTAP_CASE(frames_for_cards),
		KTAP_CASE(data_stops_at_the_unscheduled_limit),
		KTAP_CASE(data_follows_grants),
		KTAP_CASE(response_one_packet),
		KTAP_CASE(need_ack_after_a_response),
		KTAP_CASE(grant_for_a_long_request),
		KTAP_CASE(resend_for_gaps),
		KTAP_CASE(resend_when_nothing_came),
		KTAP_CASE(unknown_for_a_resend),
		KTAP_CASE(busy_while_the_server_works),
		KTAP_CASE(cutoffs_for_an_old_version),
		KTAP_CASE(ack_for_need_ack),
		KTAP_CASE(acks_piggybacked_and_overflowing),
		KTAP_CASE(retransmitted_data),
		KTAP_CASE(priorities_after_cutoffs),
		KTAP_CASE(freeze_for_all_hosts),
		KTAP_CASE(priority_map_is_obeyed),
		KTAP_CASE(no_packet_is_shorter_than_26_bytes),
	};

	wnet_init();
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
