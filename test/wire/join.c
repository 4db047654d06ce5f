// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Packets that the host's device has collected: those that continue each other are taken
 * in as one, and whatever is odd about them is noticed as if they had come alone.
 *
 * desc: collected packets: which become one, and what is counted of each
 * lab: --no-topology
 * flavor: fast@quick debug
 *
 * A packet that somebody else holds, too, stays as it is; so the socket of wire.h must not
 * see what it has sent. (What becomes of such packets: pages.c)
 */

#include <errno.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "hsock.h"
#include "ktap.h"
#include "ns.h"
#include "wire.h"

#define PORT 77
#define PEER_CLIENT 0x9001
#define PACKET 1000
#define PACKETS 5
#define TRACING "/sys/kernel/tracing"

static struct wpkt packets[PACKETS];
static struct counters before;
static uint64_t id;

/* A request's packets, not sent yet. */
static void make_packets(void)
{
	id = w_new_id();
	for (int i = 0; i < PACKETS; i++) {
		w_data(&packets[i], ktap_family, PEER_CLIENT, PORT, id,
		       PACKET * PACKETS, i * PACKET, PACKET, id);
		w_fill_checksum(&packets[i]);
	}
}

/* Lets packets go together, so that the host's device collects them, in this order. */
static void send_together(const int *order, int count)
{
	counters_read(wnet.host, &before);
	ns_run(wnet.peer, "tc qdisc add dev v0 root netem slot 2ms 2ms");
	for (int i = 0; i < count; i++)
		w_send(&packets[order ? order[i] : i]);
	ns_run(wnet.peer, "sleep 0.02; tc qdisc del dev v0 root");
}

static int grown(const char *name)
{
	return counters_grew(wnet.host, &before, name);
}

static void check_message(struct hsock *server)
{
	struct hmsg m;

	EXPECT_RC(hsock_recv_within(server, &m, 0, 1000), PACKET * PACKETS);
	EXPECT_EQ(m.args.id, id ^ 1);
	EXPECT(payload_ok(server, &m, id), "wrong bytes");
	hsock_return(server, &m);
	w_drain();
}

static void one_of_several(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);

	make_packets();
	send_together(NULL, PACKETS);
	check_message(&server);
	EXPECT_EQ(grown("packets_rcvd_DATA"), PACKETS);
	EXPECT_EQ(grown("packets_joined"), PACKETS - 1);
	EXPECT_EQ(grown("skb_frees"), PACKETS);
	EXPECT_EQ(grown("softirq_calls"), 1);
}

/* Lines of the kernel's trace that match. */
static int traced(const char *pattern)
{
	char command[200];
	int count = -1;
	FILE *f;

	snprintf(command, sizeof(command), "grep -c '%s' " TRACING "/trace", pattern);
	f = popen(command, "r");
	if (!f || fscanf(f, "%d", &count) != 1)
		count = -1;
	if (f)
		pclose(f);
	return count;
}

/* Who watches what the kernel drops does not see packets that were received. */
static void received_is_not_dropped(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);

	ASSERT_RC(system("mount -t tracefs nodev " TRACING " 2>/dev/null;"
			 "cd " TRACING "/events/skb && echo 1 >consume_skb/enable &&"
			 "echo 1 >kfree_skb/enable && echo >../../trace"), 0);
	make_packets();
	send_together(NULL, PACKETS);
	check_message(&server);
	EXPECT_EQ(grown("packets_joined"), PACKETS - 1);
	EXPECT_RC(system("echo 0 >" TRACING "/events/skb/enable"), 0);
	EXPECT(traced(" consume_skb: ") >= PACKETS, "nothing was traced");
	EXPECT_EQ(traced(ktap_family == AF_INET ? " kfree_skb: .*protocol=2048 " :
						  " kfree_skb: .*protocol=34525 "), 0);
}

/* Each field that may differ, in the packet in the middle. Those behind one with an
 * acknowledgment need none.
 */
static void headers_that_differ(void)
{
	static const struct {
		const char *what;
		int at, joined;
	} fields[] = {
		{ "unused bytes", 8, 2 }, { "data offset", AT_DOFF, 2 },
		{ "flags", AT_FLAGS, 2 }, { "window", AT_WINDOW, 2 },
		{ "urgent pointer", AT_URGENT, 2 }, { "incoming", AT_INCOMING + 3, 2 },
		{ "ack's id", AT_ACK_ID + 7, 3 }, { "ack's port", AT_ACK_PORT, 3 },
		{ "version of cutoffs", AT_VERSION, 2 }, { "hints", AT_PAD, 2 },
		{ "padding", AT_PAD + 2, 2 }, { "sequence", AT_SEQUENCE + 1, 4 },
		{ "checksum", AT_CHECKSUM, 4 },
	};
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);

	for (int i = 0; i < ARRAY_LEN(fields); i++) {
		ktap_label("%s", fields[i].what);
		make_packets();
		packets[2].b[fields[i].at] ^= 4;
		send_together(NULL, PACKETS);
		check_message(&server);
		EXPECT_EQ(grown("packets_rcvd_DATA"), PACKETS);
		EXPECT_EQ(grown("packets_joined"), fields[i].joined);
	}
}

static void priorities_and_packets_sent_again(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);

	make_packets();
	packets[2].tos = 0x80;
	send_together(NULL, PACKETS);
	check_message(&server);
	EXPECT_EQ(grown("packets_joined"), 2);

	ktap_label("sent again");
	make_packets();
	for (int i = 0; i < PACKETS; i++)
		packets[i].b[AT_RETRANSMIT] = 1;
	send_together(NULL, PACKETS);
	check_message(&server);
	EXPECT_EQ(grown("packets_joined"), 0);
	EXPECT_EQ(grown("resent_packets_used"), PACKETS);
}

/* Packets out of order, and twice: what a gap or a duplicate was is one still. */
static void order_and_duplicates(void)
{
	static const int mixed[] = { 0, 1, 3, 4, 2 }, twice[] = { 0, 1, 1, 2, 3, 4 };
	static const int backwards[] = { 4, 3, 2, 1, 0 };
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);

	make_packets();
	send_together(mixed, PACKETS);
	check_message(&server);
	EXPECT_EQ(grown("packets_joined"), 2);
	EXPECT_EQ(grown("gaps_created"), 1);

	ktap_label("twice");
	make_packets();
	send_together(twice, PACKETS + 1);
	check_message(&server);
	EXPECT_EQ(grown("packets_rcvd_DATA"), PACKETS + 1);

	ktap_label("backwards");
	make_packets();
	send_together(backwards, PACKETS);
	check_message(&server);
	EXPECT_EQ(grown("packets_joined"), 0);
}

/* Nothing continues beyond the end of its message, or with a wrong checksum. */
static void bad_ones_are_refused_alone(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);
	static const int last[] = { PACKETS - 1 }, middle[] = { 2 };

	make_packets();
	packets[PACKETS - 1].len++;
	send_together(NULL, PACKETS);
	EXPECT_EQ(grown("rx_bad_offset"), 1);
	packets[PACKETS - 1].len--;
	send_together(last, 1);
	check_message(&server);

	ktap_label("checksum");
	ASSERT_RC(ns_sysctl(wnet.host, "verify_checksum", "1"), 0);
	make_packets();
	packets[2].b[AT_CHECKSUM] ^= 1;
	send_together(NULL, PACKETS);
	EXPECT_EQ(grown("rx_bad_checksum"), 1);
	EXPECT_EQ(grown("packets_joined"), 2);
	packets[2].b[AT_CHECKSUM] ^= 1;
	send_together(middle, 1);
	check_message(&server);
	ASSERT_RC(ns_sysctl(wnet.host, "verify_checksum", "0"), 0);
}

/* Each packet of those that were taken for one is counted where it is dropped. */
static void each_drop_is_counted(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);

	make_packets();
	send_together(NULL, PACKETS);
	send_together(NULL, PACKETS);
	EXPECT_EQ(grown("packet_discards"), PACKETS);
	check_message(&server);
	hsock_close(&server);
	make_packets();
	send_together(NULL, PACKETS);
	EXPECT_EQ(grown("rx_no_socket"), PACKETS);
	w_drain();
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_EACH(one_of_several),
		KTAP_EACH(received_is_not_dropped),
		KTAP_EACH(headers_that_differ),
		KTAP_EACH(priorities_and_packets_sent_again),
		KTAP_EACH(order_and_duplicates),
		KTAP_EACH(bad_ones_are_refused_alone),
		KTAP_EACH(each_drop_is_counted),
	};

	static const int one = 1;

	wnet_init();
	if (setsockopt(wnet.fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one))) {
		fprintf(stderr, "# PACKET_IGNORE_OUTGOING: %s\n", strerror(errno));
		return 2;
	}
	ns_run(wnet.peer, "ethtool -K v0 tso off >/dev/null");
	ns_run(wnet.host, "ethtool -K v0 gro on >/dev/null");
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
