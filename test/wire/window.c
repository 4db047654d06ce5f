// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Messages of more than 1,000,000 bytes and a peer made of packets, which mostly
 * knows nothing of them, over IPv4 and IPv6.
 *
 * desc: large messages only go to who says that it takes them, and only come in likewise
 * lab: --no-topology
 * flavor: fast@quick debug
 *
 * Whether a peer takes them is in what is 0 elsewhere: the window of the common
 * header, in bpages. A client asks by a RESEND, which anybody answers.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "counters.h"
#include "hlarge.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"
#include "wire.h"

#define PORT 77			/* servers, on either side */
#define PEER_CLIENT 0x9001	/* the peer's port as a client */
#define AT_HINTS AT_PAD
#define LARGE 2			/* bit of the hints */
#define MB (1 << 20)
#define LENGTH (HOMA_MAX_MESSAGE_LENGTH + 1)
#define UNSCHED 40000

static struct wpkt p;
static char buf[LENGTH];

/* A packet of no particular content that says what the peer takes. */
static void send_window(int family, int type, int sport, int dport, uint64_t id,
			int window)
{
	w_make(&p, family, type, sport, dport, id);
	put16(&p, AT_WINDOW, window);
	w_send(&p);
}

/* First packet of a message of @length bytes. */
static void send_first(int family, int sport, int dport, uint64_t id,
		       uint32_t length, int hints)
{
	w_data(&p, family, sport, dport, id, length, 0, 100, 5);
	p.b[AT_HINTS] = hints;
	w_send(&p);
}

/* A client of the host begins a large request, without waiting; the host asks. */
static uint64_t question(struct hsock *hs, int window)
{
	union haddr to = wnet_peer_addr(hs->family, PORT);
	struct homa_sendmsg_args args = { .completion_cookie = 9 };

	w_drain();
	ASSERT_RC(hsock_sendmsg(hs, &to, buf, LENGTH, &args, MSG_DONTWAIT), 0);
	ASSERT(w_recv(&p, 1000), "no question");
	EXPECT_EQ(p.b[AT_TYPE], W_RESEND);
	EXPECT_EQ(get64(&p, AT_ID), args.id);
	EXPECT_EQ(get16(&p, AT_WINDOW), window);
	EXPECT_EQ(get32(&p, AT_RESEND_OFFSET), 0);
	EXPECT_EQ(get32(&p, AT_RESEND_LENGTH), W_ALL);
	return args.id;
}

/* The request fails with @error, and not a byte of it was sent. */
static void expect_failure(struct hsock *hs, uint64_t id, int error, int ms)
{
	struct hlarge m;

	EXPECT_RC(hlarge_recv_within(hs, &m, ms), error);
	EXPECT_EQ(m.args.id, id);
	EXPECT_EQ(m.args.completion_cookie, 9);
	EXPECT_EQ(hsock_num_rpcs(hs), 0);
	EXPECT(!w_find(&p, W_DATA, 10), "DATA was sent");
}

static void peers_that_do_not_take_it(void)
{
	static const int windows[] = { 0, 1, 15 };

	FOR_FAMILIES(family) {
		struct hsock hs = hlarge_open(wnet.host, family, 0, 16 * MB);

		for (int i = 0; i < ARRAY_LEN(windows); i++) {
			uint64_t id = question(&hs, 256);

			send_window(family, W_UNKNOWN, PORT, hsock_port(&hs),
				    id ^ 1, windows[i]);
			expect_failure(&hs, id, -EMSGSIZE, 1000);
		}
		hsock_close(&hs);
	}
}

static void no_answer(void)
{
	FOR_FAMILIES(family) {
		struct hsock hs = hlarge_open(wnet.host, family, 0, 16 * MB);
		uint64_t id = question(&hs, 256);

		/* The timer asks in the same way. */
		w_expect(&p, W_RESEND, 1000);
		EXPECT_EQ(get32(&p, AT_RESEND_LENGTH), W_ALL);
		expect_failure(&hs, id, -ETIMEDOUT, 2000);
		hsock_close(&hs);
	}
}

/* Nothing else makes it send, or live longer. */
static void other_packets_answer_nothing(void)
{
	FOR_FAMILIES(family) {
		struct hsock hs = hlarge_open(wnet.host, family, 0, 16 * MB);
		uint64_t id = question(&hs, 256);
		int port = hsock_port(&hs);
		struct counters before;

		counters_read(wnet.host, &before);
		w_grant(&p, family, PORT, port, id ^ 1, LENGTH, 2);
		w_send(&p);
		w_resend(&p, family, PORT, port, id ^ 1, 0, LENGTH, 2);
		w_send(&p);
		w_resend(&p, family, PORT, port, id ^ 1, 0, W_ALL, 2);
		w_send(&p);
		w_data(&p, family, PORT, port, id ^ 1, 10, 0, 10, 5);
		w_send(&p);
		send_window(family, W_BUSY, PORT, port, id ^ 1, 1024);
		send_window(family, W_NEED_ACK, PORT, port, id ^ 1, 1024);
		EXPECT(WAIT_FOR(counters_grew(wnet.host, &before,
					      "unknown_rpcs") == 6, 1000),
		       "not all were dropped");
		expect_failure(&hs, id, -ETIMEDOUT, 2000);
		hsock_close(&hs);
	}
}

static void peers_that_take_it(void)
{
	FOR_FAMILIES(family) {
		struct hsock hs = hlarge_open(wnet.host, family, 0, 16 * MB);
		uint64_t id = question(&hs, 256);
		int port = hsock_port(&hs);
		struct hlarge m;
		int end = 0;

		send_window(family, W_UNKNOWN, PORT, port, id ^ 1, 16);
		while (end < UNSCHED) {
			w_expect(&p, W_DATA, 1000);
			EXPECT_EQ(get32(&p, AT_LENGTH), LENGTH);
			EXPECT_EQ(get32(&p, AT_INCOMING), UNSCHED);
			EXPECT_EQ(get32(&p, AT_OFFSET), end);
			EXPECT_EQ(get16(&p, AT_WINDOW), 256);
			EXPECT_EQ(p.b[AT_HINTS], LARGE);
			end += p.len - w_header_len(W_DATA);
		}
		EXPECT_EQ(end, UNSCHED);

		/* A server that has begun anew is another one. */
		send_window(family, W_UNKNOWN, PORT, port, id ^ 1, 15);
		EXPECT_RC(hlarge_recv_within(&hs, &m, 1000), -EMSGSIZE);
		EXPECT_EQ(hsock_num_rpcs(&hs), 0);
		hsock_close(&hs);
	}
}

/* What a server of the host says when it is asked. */
static void expect_window(int family, int window)
{
	w_drain();
	w_resend(&p, family, PEER_CLIENT, PORT, w_new_id(), 0, W_ALL, 7);
	w_send(&p);
	ASSERT(w_recv(&p, 1000), "no answer");
	EXPECT_EQ(p.b[AT_TYPE], W_UNKNOWN);
	EXPECT_EQ(p.len, 28);
	EXPECT_EQ(get16(&p, AT_WINDOW), window);
}

static void what_servers_say(void)
{
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_bare(wnet.host, family);

		ASSERT_RC(hsock_bind(&hs, PORT), 0);
		expect_window(family, 0);
		ASSERT_RC(hsock_set_max(&hs, HOMA_MAX_LARGE_LENGTH), 0);
		expect_window(family, 0);		/* no region */
		ASSERT_RC(hsock_set_region(&hs, 8 * MB), 0);
		expect_window(family, 128);
		hsock_close(&hs);

		hs = hsock_sized(wnet.host, family, 128 * MB);
		ASSERT_RC(hsock_bind(&hs, PORT), 0);
		expect_window(family, 0);
		ASSERT_RC(hsock_set_max(&hs, 2 * MB), 0);
		expect_window(family, 32);
		ASSERT_RC(hsock_set_max(&hs, HOMA_MAX_LARGE_LENGTH), 0);
		expect_window(family, 1024);
		ASSERT_RC(ns_sysctl(wnet.host, "max_rx_kbytes", "16384"), 0);
		expect_window(family, 149);	/* 2/3 of 7/8 */
		ASSERT_RC(ns_sysctl(wnet.host, "max_rx_kbytes", "2000000"), 0);
		hsock_close(&hs);
	}
}

/* The first packet of a message of @length bytes is refused, and counted. */
static void expect_refused(int family, const struct hsock *server, uint32_t length,
			   int hints, const char *counter)
{
	int64_t avail = hsock_avail(server);
	struct counters before;

	ktap_label("family %d length %u hints %d", family, length, hints);
	w_drain();
	counters_read(wnet.host, &before);
	send_first(family, PEER_CLIENT, PORT, w_new_id(), length, hints);
	EXPECT(WAIT_FOR(counters_grew(wnet.host, &before, counter) == 1, 1000),
	       "not counted as %s", counter);
	EXPECT(w_quiet(10), "it was answered");
	EXPECT_EQ(hsock_num_rpcs(server), 0);
	EXPECT_EQ(hsock_avail(server), avail);
}

static void requests_that_come_unasked(void)
{
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_sized(wnet.host, family, 8 * MB);

		/* A server that does not know them. */
		ASSERT_RC(hsock_bind(&hs, PORT), 0);
		expect_refused(family, &hs, LENGTH, 0, "rx_bad_length");
		expect_refused(family, &hs, HOMA_MAX_LARGE_LENGTH, 0, "rx_bad_length");
		expect_refused(family, &hs, LENGTH, LARGE, "rx_too_large");
		expect_refused(family, &hs, HOMA_MAX_LARGE_LENGTH, LARGE,
			       "rx_too_large");
		w_probe(&hs, family);

		/* One that does: who does not know them cannot mean it. */
		ASSERT_RC(hsock_set_max(&hs, HOMA_MAX_LARGE_LENGTH), 0);
		expect_refused(family, &hs, LENGTH, 0, "rx_bad_length");
		expect_refused(family, &hs, LENGTH, 0xfd, "rx_bad_length");
		expect_refused(family, &hs, HOMA_MAX_LARGE_LENGTH + 1, LARGE,
			       "rx_bad_length");
		expect_refused(family, &hs, 0xffffffff, LARGE, "rx_bad_length");
		expect_refused(family, &hs, 8 * MB + 1, LARGE, "rx_too_large");
		w_probe(&hs, family);
		hsock_close(&hs);
	}
}

/* What the socket takes is taken, and granted as any message is. */
static void requests_that_fit(void)
{
	FOR_FAMILIES(family) {
		struct hsock hs = hlarge_open(wnet.host, family, PORT, 8 * MB);
		int64_t avail = hsock_avail(&hs);

		w_drain();
		w_data(&p, family, PEER_CLIENT, PORT, w_new_id(), 8 * MB, 0, 1000, 5);
		put32(&p, AT_INCOMING, 1000);
		p.b[AT_HINTS] = LARGE;
		w_send(&p);
		w_expect(&p, W_GRANT, 1000);
		EXPECT_EQ(hsock_avail(&hs), avail - 8 * MB);
		EXPECT_EQ(hsock_num_rpcs(&hs), 1);

		/* It has all the room there is. */
		send_first(family, PEER_CLIENT, PORT, w_new_id(), 2 * MB, LARGE);
		EXPECT(WAIT_FOR(hsock_num_rpcs(&hs) == 2, 1000), "no RPC");
		EXPECT_EQ(hsock_avail(&hs), 0);
		hsock_close(&hs);
	}
}

/* A response of @length bytes to a client that has said @window. */
static int reply(struct hsock *server, int window, size_t length)
{
	uint64_t id = w_new_id();
	struct hlarge m;

	w_drain();
	w_data(&p, server->family, PEER_CLIENT, PORT, id, 10, 0, 10, 5);
	put16(&p, AT_WINDOW, window);
	w_send(&p);
	ASSERT_RC(hlarge_recv_within(server, &m, 1000), 10);
	hlarge_return(server, &m);
	return hsock_reply(server, &m.from, m.args.id, buf, length);
}

static void responses(void)
{
	static const int windows[] = { 0, 15, 16, 1024, 1025, 0xffff };

	FOR_FAMILIES(family) {
		struct hsock hs = hlarge_open(wnet.host, family, PORT, 16 * MB);

		for (int i = 0; i < ARRAY_LEN(windows); i++) {
			bool takes = windows[i] >= 16;

			ktap_label("family %d window %d", family, windows[i]);
			EXPECT_RC(reply(&hs, windows[i], LENGTH),
				  takes ? 0 : -EMSGSIZE);
			EXPECT_EQ(w_find(&p, W_DATA, takes ? 1000 : 10), takes);
			if (!takes)
				continue;
			EXPECT_EQ(get32(&p, AT_LENGTH), LENGTH);
			EXPECT_EQ(p.b[AT_HINTS], LARGE);
		}
		EXPECT_RC(reply(&hs, 0, HOMA_MAX_MESSAGE_LENGTH), 0);
		w_expect(&p, W_DATA, 1000);
		EXPECT_EQ(p.b[AT_HINTS], 0);
		hsock_close(&hs);
	}
}

/* A client that does not know them is not given them. */
static void responses_that_come_unasked(void)
{
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_sized(wnet.host, family, 8 * MB);
		union haddr to = wnet_peer_addr(family, PORT);
		struct counters before;
		struct hmsg m;
		uint64_t id;

		w_drain();
		ASSERT_RC(hsock_request(&hs, &to, buf, 10, &id), 0);
		w_expect(&p, W_DATA, 1000);
		EXPECT_EQ(get16(&p, AT_WINDOW), 0);
		counters_read(wnet.host, &before);
		send_first(family, PORT, hsock_port(&hs), id ^ 1, LENGTH, LARGE);
		EXPECT(WAIT_FOR(counters_grew(wnet.host, &before,
					      "rx_too_large") == 1, 1000),
		       "not counted");
		send_first(family, PORT, hsock_port(&hs), id ^ 1, 100, LARGE);
		EXPECT_RC(hsock_recv_within(&hs, &m, 0, 1000), 100);
		hsock_close(&hs);
	}
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(peers_that_do_not_take_it),
		KTAP_CASE(no_answer),
		KTAP_CASE(other_packets_answer_nothing),
		KTAP_CASE(peers_that_take_it),
		KTAP_CASE(what_servers_say),
		KTAP_CASE(requests_that_come_unasked),
		KTAP_CASE(requests_that_fit),
		KTAP_CASE(responses),
		KTAP_CASE(responses_that_come_unasked),
	};

	wnet_init();
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
