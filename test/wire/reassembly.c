// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Messages put together from packets in any order, form and overlap.
 *
 * desc: reassembly: permutations, both offset forms, overlaps, duplicates
 * lab: --no-topology
 * flavor: fast@quick debug
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

#define PORT 77
#define PEER_CLIENT 0x9001
#define MAX_PIECES 200

static struct wpkt p;

/* How the offset is told. */
enum form { EXPLICIT, IN_SEQUENCE, SHORT_HEADER, MIXED, FORMS };

static void send_piece(uint64_t id, int total, int start, int len, int form,
		       uint32_t seed)
{
	w_data(&p, ktap_family, PEER_CLIENT, PORT, id, total, start, len, seed);
	if (form == MIXED)
		form = start / 7 % 3;
	if (form == IN_SEQUENCE)
		put32(&p, AT_OFFSET, W_IN_SEQUENCE);
	if (form == SHORT_HEADER) {
		/* What segmentation makes: the sequence may be anything. */
		p.b[AT_DOFF] = 0xd0;
		put32(&p, AT_SEQUENCE, 0);
	}
	w_send(&p);
}

static void shuffle(int *order, int num)
{
	for (int i = 0; i < num; i++)
		order[i] = i;
	for (int i = num - 1; i > 0; i--) {
		int j = random() % (i + 1), swap = order[i];

		order[i] = order[j];
		order[j] = swap;
	}
}

static void check_message(struct hsock *server, uint64_t id, int total,
			  uint32_t seed)
{
	struct hmsg m;

	EXPECT_RC(hsock_recv_within(server, &m, 0, 1000), total);
	EXPECT(m.args.id == (id ^ 1), "wrong id");
	EXPECT(payload_ok(server, &m, seed), "wrong bytes of %d", total);
	hsock_return(server, &m);
}

static void permutations_in_every_form(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);
	static const int lens[] = { 1, 1400, 1401, 5000, 70000, 200000 };
	int order[MAX_PIECES];

	srandom(1);
	for (int i = 0; i < ARRAY_LEN(lens) * FORMS; i++) {
		int total = lens[i / FORMS], form = i % FORMS;
		int num = (total + 1399) / 1400;
		uint64_t id = w_new_id();

		ktap_label("%d bytes, form %d", total, form);
		shuffle(order, num);
		for (int j = 0; j < num; j++) {
			int start = order[j] * 1400;
			int len = total - start < 1400 ? total - start : 1400;

			send_piece(id, total, start, len, form, i);
		}
		check_message(&server, id, total, i);
		if (ktap_failed())
			return;
	}
}

static void gaps_are_counted(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);
	uint64_t id = w_new_id();
	struct counters before;

	counters_read(wnet.host, &before);
	send_piece(id, 1000, 0, 100, EXPLICIT, 1);
	EXPECT_EQ(counters_grew(wnet.host, &before, "gaps_created"), 0);
	send_piece(id, 1000, 500, 100, EXPLICIT, 1);
	send_piece(id, 1000, 900, 100, EXPLICIT, 1);
	EXPECT_EQ(counters_grew(wnet.host, &before, "gaps_created"), 2);
	send_piece(id, 1000, 100, 400, EXPLICIT, 1);
	send_piece(id, 1000, 600, 300, EXPLICIT, 1);
	check_message(&server, id, 1000, 1);
}

/* Whoever poll tells that there is something gets it. */
static void incomplete_ones_are_not_readable(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);
	static const int lens[] = { 1000, 70000 };
	struct hmsg m;

	for (int i = 0; i < ARRAY_LEN(lens); i++) {
		uint64_t id = w_new_id();

		ktap_label("%d bytes", lens[i]);
		for (int at = 1; at < lens[i]; at += 1400) {
			int left = lens[i] - at;

			send_piece(id, lens[i], at, left < 1400 ? left : 1400,
				   EXPLICIT, i);
			EXPECT(!readable_within(server.fd, 0), "%d bytes lack", left);
		}
		EXPECT(!readable_within(server.fd, 2), "the first byte lacks");
		EXPECT_RC(hsock_recv(&server, &m, 0, MSG_DONTWAIT), -EAGAIN);
		send_piece(id, lens[i], 0, 1, EXPLICIT, i);
		ASSERT(readable_within(server.fd, 1000), "nothing to be read");
		EXPECT_RC(hsock_recv(&server, &m, 0, MSG_DONTWAIT), lens[i]);
		EXPECT(payload_ok(&server, &m, i), "wrong bytes");
		EXPECT(!readable_within(server.fd, 0), "it was received");
		hsock_return(&server, &m);
	}
}

static void duplicates_are_counted(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);
	uint64_t id = w_new_id();
	struct counters before;

	counters_read(wnet.host, &before);
	send_piece(id, 1000, 0, 100, EXPLICIT, 1);
	send_piece(id, 1000, 0, 100, EXPLICIT, 1);
	EXPECT_EQ(counters_grew(wnet.host, &before, "packet_discards"), 1);
	w_data(&p, ktap_family, PEER_CLIENT, PORT, id, 1000, 0, 100, 1);
	p.b[AT_RETRANSMIT] = 1;
	w_send(&p);
	EXPECT_EQ(counters_grew(wnet.host, &before, "resent_discards"), 1);
	w_data(&p, ktap_family, PEER_CLIENT, PORT, id, 1000, 100, 900, 1);
	p.b[AT_RETRANSMIT] = 1;
	w_send(&p);
	EXPECT_EQ(counters_grew(wnet.host, &before, "resent_packets_used"), 1);
	check_message(&server, id, 1000, 1);
}

/* Overlapping packets, as a sender makes them when the MTU has changed: what
 * arrived first stays, whatever they hold, and the message can be completed.
 */
static void overlaps_change_nothing(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);
	static const int bad[][2] = {
		{ 0, 300 }, { 50, 100 }, { 100, 100 }, { 150, 50 },
		{ 0, 101 }, { 199, 2 }, { 150, 300 }, { 399, 2 },
	};
	uint64_t id = w_new_id();

	send_piece(id, 1000, 100, 100, EXPLICIT, 1);
	send_piece(id, 1000, 400, 100, EXPLICIT, 1);
	for (int i = 0; i < ARRAY_LEN(bad); i++) {
		/* Wrong bytes only where something has already arrived. */
		w_data(&p, ktap_family, PEER_CLIENT, PORT, id, 1000, bad[i][0],
		       bad[i][1], 1);
		for (int at = bad[i][0]; at < bad[i][0] + bad[i][1]; at++)
			if ((at >= 100 && at < 200) || (at >= 400 && at < 500))
				p.b[AT_DATA + at - bad[i][0]] ^= 0xff;
		w_send(&p);
	}
	send_piece(id, 1000, 0, 100, EXPLICIT, 1);
	send_piece(id, 1000, 200, 200, EXPLICIT, 1);
	send_piece(id, 1000, 500, 500, EXPLICIT, 1);
	for (int at = 0; at < 1000; at += 50)
		send_piece(id, 1000, at, 50, EXPLICIT, 1);
	check_message(&server, id, 1000, 1);
}

static void random_pieces(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);

	srandom(7);
	for (int i = 0; i < 60; i++) {
		int total = 1 + random() % 20000;
		uint64_t id = w_new_id();

		ktap_label("message %d", i);
		for (int j = 0; j < 40; j++) {
			int start = random() % total;
			int len = 1 + random() % 1400;

			if (len > total - start)
				len = total - start;
			send_piece(id, total, start, len, MIXED, i);
		}
		for (int at = 0; at < total; at += 300) {
			int len = total - at < 300 ? total - at : 300;

			send_piece(id, total, at, len, MIXED, i);
		}
		check_message(&server, id, total, i);
		w_drain();
		if (ktap_failed())
			return;
	}
}

static void interleaved_messages(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);
	enum { NUM = 20, PIECES = 40 };
	uint64_t id[NUM];
	int order[PIECES];
	struct hmsg m;

	srandom(3);
	for (int i = 0; i < NUM; i++)
		id[i] = w_new_id();
	shuffle(order, PIECES);
	for (int j = 0; j < PIECES; j++)
		for (int i = 0; i < NUM; i++)
			send_piece(id[i], PIECES * 100, order[j] * 100, 100,
				   MIXED, i);
	for (int i = 0; i < NUM; i++) {
		ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000),
			  PIECES * 100);
		for (int k = 0; k < NUM; k++)
			if (m.args.id == (id[k] ^ 1))
				EXPECT(payload_ok(&server, &m, k), "bytes");
		hsock_return(&server, &m);
	}
}

/* Responses are put together in the same way. */
static void response_in_pieces(void)
{
	struct hsock hs = hsock_open(wnet.host, ktap_family);
	union haddr to = wnet_peer_addr(ktap_family, PORT);
	int order[30];
	struct hmsg m;
	uint64_t id;

	srandom(5);
	for (int i = 0; i < 10; i++) {
		ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
		shuffle(order, 30);
		for (int j = 0; j < 30; j++) {
			w_data(&p, ktap_family, PORT, hsock_port(&hs), id ^ 1,
			       30000, order[j] * 1000, 1000, i);
			w_send(&p);
		}
		EXPECT_RC(hsock_recv_within(&hs, &m, 0, 1000), 30000);
		EXPECT(payload_ok(&hs, &m, i), "wrong bytes");
		hsock_return(&hs, &m);
	}
}

static void copy_out_while_packets_arrive(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);
	uint64_t id = w_new_id();
	struct hmsg m;

	for (int at = 0; at < 100000; at += 1000) {
		send_piece(id, 100000, at, 1000, EXPLICIT, 9);
		if (at < 99000)
			EXPECT_RC(hsock_recv(&server, &m, 0, MSG_DONTWAIT),
				  -EAGAIN);
	}
	check_message(&server, id, 100000, 9);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_EACH(permutations_in_every_form),
		KTAP_EACH(gaps_are_counted),
		KTAP_EACH(incomplete_ones_are_not_readable),
		KTAP_EACH(duplicates_are_counted),
		KTAP_EACH(overlaps_change_nothing),
		KTAP_EACH(random_pieces),
		KTAP_EACH(interleaved_messages),
		KTAP_EACH(response_in_pieces),
		KTAP_EACH(copy_out_while_packets_arrive),
	};

	wnet_init();
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
