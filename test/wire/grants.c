// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Grants as senders see them: to whom, how much, when, at which priority.
 *
 * desc: grants: window, room, slots, shares of senders, the oldest, priorities
 * lab: --no-topology
 * flavor: fast debug
 *
 * The peer plays several hosts. Each of its messages sends 1000 bytes unasked,
 * and then what it is granted if the case wants that. A sender that is silent
 * for 5 ms is asked and loses its slot, so cases do not wait for so long.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hsock.h"
#include "ktap.h"
#include "ns.h"
#include "wire.h"

#define PORT 77
#define PEER_CLIENT 0x9001
#define UNASKED 1000
#define MAX_MESSAGES 16

/**
 * struct message - a request of one of the peer's hosts
 * @host: 10.9.0.@host
 * @port: that it goes to
 * @id: even
 * @total: bytes
 * @sent: bytes sent so far
 * @granted: what the host has allowed so far
 * @prio: of the last grant
 * @top_prio: highest of all grants
 */
struct message {
	int host;
	int port;
	uint64_t id;
	uint32_t total;
	uint32_t sent;
	uint32_t granted;
	int prio;
	int top_prio;
};

static struct message messages[MAX_MESSAGES];
static int num_messages;
static struct hsock server;
static struct wpkt p;

static void knob(const char *name, const char *value)
{
	ASSERT_RC(ns_sysctl(wnet.host, name, value), 0);
}

/* Sends up to @end. */
static void send_up_to(struct message *m, uint32_t end)
{
	while (m->sent < end) {
		uint32_t n = end - m->sent < 1400 ? end - m->sent : 1400;

		w_data(&p, AF_INET, PEER_CLIENT, m->port, m->id, m->total,
		       m->sent, n, 1);
		p.src[3] = m->host;
		put32(&p, AT_INCOMING, UNASKED);
		w_send(&p);
		m->sent += n;
	}
}

/* Takes grants that have come; returns how many. */
static int collect(void)
{
	int n = 0;

	/* Grants come before sending returns: all is one core's softirq. */
	while (w_recv(&p, 0)) {
		if (!w_is_homa(&p) || p.b[AT_TYPE] != W_GRANT)
			continue;
		for (int i = 0; i < num_messages; i++) {
			struct message *m = &messages[i];

			if (get64(&p, AT_ID) != (m->id ^ 1))
				continue;
			EXPECT_EQ(p.dst[3], m->host);
			EXPECT(get32(&p, AT_GRANT_OFFSET) > m->granted,
			       "no more than before");
			m->granted = get32(&p, AT_GRANT_OFFSET);
			m->prio = p.b[AT_GRANT_PRIO];
			if (m->prio > m->top_prio)
				m->top_prio = m->prio;
			n++;
		}
	}
	return n;
}

static struct message *message_to(int port, int host, uint32_t total)
{
	struct message *m = &messages[num_messages++];

	*m = (struct message){ .host = host, .port = port, .id = w_new_id(),
			       .total = total, .granted = UNASKED, .prio = -1,
			       .top_prio = -1 };
	send_up_to(m, UNASKED);
	collect();
	return m;
}

static struct message *message(int host, uint32_t total)
{
	return message_to(PORT, host, total);
}

static void begin(const char *window, const char *overcommit)
{
	server = hsock_server(wnet.host, AF_INET, PORT);
	knob("window", window);
	knob("max_overcommit", overcommit);
	w_drain();
}

static void window_is_a_share_of_max_incoming(void)
{
	begin("0", "8");
	EXPECT_EQ(message(2, 500000)->granted, UNASKED + 400000 / 2);
	hsock_close(&server);
	begin("30000", "8");
	EXPECT_EQ(message(2, 500000)->granted, UNASKED + 30000);
	EXPECT_EQ(message(3, 12000)->granted, 12000);
}

static void no_more_than_max_incoming(void)
{
	uint32_t sum = 0;

	begin("0", "8");
	for (int i = 0; i < 8; i++)
		message(2 + i, 500000 - i);
	for (int i = 0; i < 8; i++)
		sum += messages[i].granted - messages[i].sent;
	EXPECT(sum > 300000 && sum <= 400000, "%u bytes granted", sum);
}

static void overcommit_bounds_active_messages(void)
{
	static const char *const limits[] = { "8", "3", "1" };

	for (int i = 0; i < ARRAY_LEN(limits); i++) {
		int active = 0;

		ktap_label("max_overcommit %s", limits[i]);
		begin("10000", limits[i]);
		num_messages = 0;
		for (int j = 0; j < 12; j++)
			message(2 + j, 100000);
		for (int j = 0; j < 12; j++)
			active += messages[j].granted > UNASKED;
		EXPECT_EQ(active, atoi(limits[i]));
		hsock_close(&server);
	}
}

/* A host with many messages leaves a slot to one with a longer one. */
static void each_sender_gets_a_slot(void)
{
	begin("10000", "2");
	message(2, 50000);
	message(2, 60000);
	message(2, 40000);
	EXPECT_GE(message(3, 400000)->granted, UNASKED + 10000);
	EXPECT_EQ(message(3, 300000)->granted, UNASKED + 10000);
	EXPECT_EQ(message(4, 500000)->granted, UNASKED);
}

static void short_message_displaces_a_long_one(void)
{
	struct message *large, *small;

	begin("10000", "1");
	large = message(2, 400000);
	EXPECT_EQ(large->granted, UNASKED + 10000);
	small = message(3, 20000);
	EXPECT_EQ(small->granted, UNASKED + 10000);
	send_up_to(large, large->granted);
	EXPECT_EQ(collect(), 0);
	send_up_to(small, small->granted);
	collect();
	EXPECT_EQ(small->granted, 20000);
	EXPECT_EQ(large->granted, large->sent + 10000);
}

/* Who did not get its window is served when bytes have come. */
static void room_that_appears_is_granted(void)
{
	struct message *first, *second;

	knob("max_incoming", "20000");
	begin("15000", "8");
	first = message(2, 30000);
	EXPECT_EQ(first->granted, UNASKED + 15000);
	second = message(3, 200000);
	EXPECT(second->granted < UNASKED + 10000, "granted %u",
	       second->granted);
	send_up_to(first, first->granted);
	collect();
	EXPECT_GE(second->granted, UNASKED + 10000);
	send_up_to(second, second->granted);
	collect();
	EXPECT_GE(first->granted, first->sent + 10000);
	knob("max_incoming", "400000");
}

/* ... and when a message goes without another packet, here with its socket. */
static void slot_that_comes_free_is_granted(void)
{
	struct message *waits;
	struct hsock other;

	begin("15000", "1");
	other = hsock_server(wnet.host, AF_INET, PORT + 1);
	EXPECT_EQ(message(2, 100000)->granted, UNASKED + 15000);
	waits = message_to(PORT + 1, 3, 200000);
	EXPECT_EQ(waits->granted, UNASKED);
	hsock_close(&server);
	EXPECT_EQ(collect(), 1);
	EXPECT_EQ(waits->granted, UNASKED + 15000);
	hsock_close(&other);
}

/* Sends all that is granted, until a message is complete. */
static void finish(struct message *m)
{
	while (m->sent < m->total && !ktap_failed()) {
		EXPECT(m->granted > m->sent, "no grant");
		for (int i = 0; i < num_messages; i++)
			send_up_to(&messages[i], messages[i].granted);
		collect();
	}
}

/* One slot, and always a shorter message for it. Returns how many bytes the old
 * and long one got.
 */
static uint32_t old_message_beside_short_ones(const char *fraction)
{
	struct message *old, *next;
	uint32_t start;

	knob("grant_fifo_fraction", fraction);
	knob("fifo_grant_increment", "10000");
	begin("10000", "1");
	num_messages = 0;
	old = message(2, 900000);
	start = old->granted;
	old->top_prio = -1;
	next = message(3, 50000);
	for (int i = 0; i < 10; i++) {
		struct message *m = next;

		next = message(3, 50000);
		finish(m);
	}
	hsock_close(&server);
	knob("grant_fifo_fraction", "50");
	knob("fifo_grant_increment", "50000");
	return old->granted - start;
}

static void oldest_message_has_its_share(void)
{
	uint32_t with, without;

	without = old_message_beside_short_ones("0");
	EXPECT_EQ(without, 0);
	with = old_message_beside_short_ones("200");
	/* The highest level of scheduled packets. */
	EXPECT_EQ(messages[0].top_prio, 3);

	/* A fifth of all that was granted, in steps of 10000. */
	EXPECT(with >= 100000 && with <= 140000, "%u bytes", with);
}

/* The lowest levels that keep messages apart, the best one on top. */
static void few_messages_use_low_levels(void)
{
	begin("10000", "8");
	EXPECT_EQ(message(2, 100000)->prio, 0);
	EXPECT_EQ(message(3, 80000)->prio, 1);
	EXPECT_EQ(message(4, 60000)->prio, 2);
	EXPECT_EQ(message(5, 40000)->prio, 3);
	EXPECT_EQ(message(6, 20000)->prio, 3);
	EXPECT_EQ(message(7, 90000)->prio, 0);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(window_is_a_share_of_max_incoming),
		KTAP_CASE(no_more_than_max_incoming),
		KTAP_CASE(overcommit_bounds_active_messages),
		KTAP_CASE(each_sender_gets_a_slot),
		KTAP_CASE(short_message_displaces_a_long_one),
		KTAP_CASE(room_that_appears_is_granted),
		KTAP_CASE(slot_that_comes_free_is_granted),
		KTAP_CASE(oldest_message_has_its_share),
		KTAP_CASE(few_messages_use_low_levels),
	};

	wnet_init();
	for (int i = 5; i < 20; i++)
		ns_run(wnet.host, "ip neigh add 10.9.0.%d lladdr "
		       "02:09:00:00:00:02 nud permanent dev v0", i);
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
