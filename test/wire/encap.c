// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Homa packets that travel as TCP, over IPv4 and IPv6, beside real TCP.
 *
 * desc: packets with a TCP protocol number are told from TCP and taken, both ways
 * lab: --no-topology
 * flavor: fast@quick debug
 *
 * netns/encap_wire.sh runs other programs of this folder with such packets.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "counters.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"
#include "wire.h"

#define PORT 77			/* servers, on either side */
#define PEER_CLIENT 0x9001	/* the peer's port as a client */
#define FLAG_SYN 0x02
#define FLAG_RST 0x04
#define FLAG_ACK 0x10

static struct wpkt p;
static char buf[HOMA_MAX_MESSAGE_LENGTH];
static struct counters before;

static void hijack(bool on)
{
	ASSERT_RC(ns_sysctl(wnet.host, "hijack_tcp", on ? "1" : "0"), 0);
}

static int protocol(const struct hsock *hs)
{
	socklen_t len = sizeof(int);
	int value = -1;

	getsockopt(hs->fd, SOL_SOCKET, SO_PROTOCOL, &value, &len);
	return value;
}

/* Packets that were taken as Homa's though their number is TCP's. */
static int taken(void)
{
	return counters_grew(wnet.host, &before, "encap_rcvd");
}

/* The first case: no socket has been made on this host. */
static void nobody_looks_before_there_is_a_socket(void)
{
	wnet.proto = IPPROTO_TCP;
	counters_read(wnet.host, &before);
	FOR_FAMILIES(family) {
		w_send_message(family, PEER_CLIENT, PORT, w_new_id(), 10, 1, 10);
		w_send_control(family, W_NEED_ACK, PEER_CLIENT, PORT,
			       w_new_id() ^ 1);
		EXPECT(w_quiet(20), "TCP or Homa has answered");
	}
	EXPECT_EQ(taken(), 0);
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_server(wnet.host, family, PORT);

		EXPECT(w_ask(&hs, family, &p), "a request was lost");
		hsock_close(&hs);
	}
	EXPECT_GE(taken(), 4);
}

static void setting_counts_when_a_socket_is_made(void)
{
	FOR_FAMILIES(family) {
		struct hsock old = hsock_server(wnet.host, family, PORT), new;

		hijack(true);
		new = hsock_server(wnet.host, family, PORT + 1);
		EXPECT_EQ(protocol(&old), IPPROTO_HOMA);
		EXPECT_EQ(protocol(&new), IPPROTO_TCP);
		wnet.proto = IPPROTO_HOMA;
		w_probe(&old, family);
		wnet.proto = IPPROTO_TCP;
		w_probe(&new, family);
		hijack(false);
		w_probe(&new, family);
		hsock_close(&old);
		hsock_close(&new);
	}
}

/* Each socket answers in its own way, however it was asked. */
static void both_kinds_are_taken_by_each_socket(void)
{
	FOR_FAMILIES(family) {
		for (int i = 0; i < 4; i++) {
			int proto = i & 1 ? IPPROTO_TCP : IPPROTO_HOMA;
			struct hsock hs;

			ktap_label("family %d hijack %d packets %d", family,
				   i >> 1, proto);
			hijack(i >> 1);
			hs = hsock_server(wnet.host, family, PORT);
			wnet.proto = proto;
			counters_read(wnet.host, &before);
			EXPECT(w_ask(&hs, family, &p), "the request is lost");
			EXPECT_EQ(p.proto, i >> 1 ? IPPROTO_TCP : IPPROTO_HOMA);
			EXPECT_EQ(get32(&p, AT_OFFSET), 0);
			EXPECT(w_checksum_ok(&p), "wrong checksum");
			if (proto == IPPROTO_TCP)
				EXPECT_GE(taken(), 1);
			else
				EXPECT_EQ(taken(), 0);
			hsock_close(&hs);
		}
	}
	hijack(false);
}

/* Segments as a card leaves them, with GRO and without, in both offset forms. */
static void messages_arrive(void)
{
	wnet.proto = IPPROTO_TCP;
	FOR_FAMILIES(family) {
		for (int i = 0; i < 4; i++) {
			struct hsock hs = hsock_server(wnet.host, family, PORT);
			uint64_t id = w_new_id();
			struct hmsg m;

			ktap_label("family %d variant %d", family, i);
			ns_run(wnet.host, "ethtool -K v0 gro %s",
			       i & 1 ? "on" : "off");
			for (int at = 0; at < 30000; at += 1400) {
				int len = at + 1400 < 30000 ? 1400 : 30000 - at;

				w_data(&p, family, PEER_CLIENT, PORT, id, 30000,
				       at, len, 7);
				if (i & 2)
					put32(&p, AT_OFFSET, W_IN_SEQUENCE);
				w_fill_checksum(&p);
				w_send(&p);
			}
			ASSERT_RC(hsock_recv_within(&hs, &m, 0, 1000), 30000);
			EXPECT(payload_ok(&hs, &m, 7), "wrong bytes");
			hsock_close(&hs);
		}
	}
	ns_run(wnet.host, "ethtool -K v0 gro off");
}

static void wrong_checksums_are_found(void)
{
	wnet.proto = IPPROTO_TCP;
	ASSERT_RC(ns_sysctl(wnet.host, "verify_checksum", "1"), 0);
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_server(wnet.host, family, PORT);
		struct hmsg m;

		for (int good = 0; good < 2; good++) {
			w_data(&p, family, PEER_CLIENT, PORT, w_new_id(), 10, 0,
			       10, 1);
			w_fill_checksum(&p);
			p.b[AT_DATA] ^= !good;
			w_send(&p);
			EXPECT_RC(hsock_recv_within(&hs, &m, 0, 20),
				  good ? 10 : -EAGAIN);
		}
		hsock_close(&hs);
	}
	ASSERT_RC(ns_sysctl(wnet.host, "verify_checksum", "0"), 0);
}

/* A client of the host sends a request of @total bytes; its packets, or frames, have
 * their place in the sequence number. Returns how many say so in the offset.
 */
static int request_packets(const struct hsock *hs, int total, int *longest)
{
	union haddr to = wnet_peer_addr(hs->family, PORT);
	int at = 0, in_sequence = 0;
	uint64_t id;

	*longest = 0;
	payload_fill(buf, total, total);
	w_drain();
	ASSERT_RC(hsock_request(hs, &to, buf, total, &id), 0);
	while (at < total && !ktap_failed()) {
		w_expect(&p, W_DATA, 1000);
		EXPECT_EQ(get32(&p, AT_SEQUENCE), at);
		EXPECT_EQ(p.b[AT_DOFF], 0xe0);
		EXPECT(w_payload_ok(&p, total), "wrong bytes at %d", at);
		if (get32(&p, AT_OFFSET) == W_IN_SEQUENCE)
			in_sequence++;
		else
			EXPECT_EQ(get32(&p, AT_OFFSET), at);
		if (p.len - AT_DATA > *longest)
			*longest = p.len - AT_DATA;
		at += p.len - AT_DATA;
	}
	hsock_abort(hs, id, 0);
	return in_sequence;
}

/* Frames for devices that cut TCP's: they carry the place of the first byte in the
 * sequence number, and each packet does when they are cut.
 */
static void frames_are_as_cards_want_them(void)
{
	wnet.proto = IPPROTO_TCP;
	hijack(true);
	wnet_offloads(true);
	FOR_FAMILIES(family) {
		int unit = W_MTU - (family == AF_INET ? 20 : 40) - 56;
		struct hsock hs = hsock_open(wnet.host, family);
		int longest;

		EXPECT_EQ(request_packets(&hs, 100, &longest), 0);
		EXPECT_GE(request_packets(&hs, 8 * unit, &longest), 1);
		EXPECT(longest > unit && longest % unit == 0,
		       "a frame has %d bytes", longest);

		/* This cuts what is longer than its burst, as a card would. */
		ns_run(wnet.host, "tc qdisc add dev v0 root tbf rate 10gbit "
		       "burst 1600 limit 1000000");
		EXPECT_GE(request_packets(&hs, 4 * unit, &longest), 2);
		EXPECT_EQ(longest, unit);
		ns_run(wnet.host, "tc qdisc del dev v0 root");
		hsock_close(&hs);
	}
	wnet_offloads(false);
	hijack(false);
}

/* A listener of real TCP in the host's namespace. */
static int listener(int family)
{
	union haddr any = haddr_of(family, family == AF_INET ? "0.0.0.0" : "::",
				   PORT);
	int old = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), fd;

	ns_enter(wnet.host);
	fd = socket(family, SOCK_STREAM, 0);
	ns_enter(old);
	close(old);
	ASSERT(fd >= 0 && !bind(fd, (struct sockaddr *)&any, haddr_len(&any)) &&
	       !listen(fd, 5), "no listener: %s", strerror(errno));
	return fd;
}

/* Sends a TCP segment without data to the host; true if TCP answers with @flags. */
static bool tcp_answers(int family, int sent, int urgent, int flags)
{
	wnet.proto = IPPROTO_TCP;
	w_drain();
	w_make(&p, family, W_BUSY, PEER_CLIENT, PORT, 0);
	p.len = 20;
	put32(&p, AT_SEQUENCE, 1000);
	p.b[AT_FLAGS] = sent;
	put16(&p, AT_WINDOW, 1000);
	put16(&p, AT_URGENT, urgent);
	w_fill_checksum(&p);
	w_send(&p);
	while (w_recv(&p, 20)) {
		if (p.proto == IPPROTO_TCP && p.b[AT_FLAGS] == flags)
			return true;
	}
	return false;
}

/* What looks like ours, but is not: a segment with one mark of the two. And what
 * is ours does not get to TCP's listener on the same port.
 */
static void real_tcp_is_left_alone(void)
{
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_server(wnet.host, family, PORT);
		int fd = listener(family);

		counters_read(wnet.host, &before);
		EXPECT(tcp_answers(family, FLAG_SYN, 0xb97d,
				   FLAG_SYN | FLAG_ACK), "no connection");
		EXPECT(!tcp_answers(family, FLAG_RST, 0xb97d, 0),
		       "RST was answered");
		EXPECT(tcp_answers(family, FLAG_ACK, 0xb97d, FLAG_RST),
		       "no RST");
		EXPECT(!tcp_answers(family, FLAG_SYN | FLAG_RST, 0xb97c, 0),
		       "SYN and RST were answered");
		EXPECT_EQ(taken(), 0);
		EXPECT(w_ask(&hs, family, &p), "a request was lost");
		EXPECT_EQ(p.proto, IPPROTO_HOMA);
		EXPECT_GE(taken(), 1);
		close(fd);
		hsock_close(&hs);
	}
}

/* A socket that sees, from its IP header on, what the host's device gets and sends. */
static int sniffer(void)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETH_P_ALL) };
	int old = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), fd;

	ns_enter(wnet.host);
	addr.sll_ifindex = if_nametoindex("v0");
	fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ns_enter(old);
	close(old);
	ASSERT(fd >= 0 && !bind(fd, (struct sockaddr *)&addr, sizeof(addr)),
	       "no packet socket: %s", strerror(errno));
	return fd;
}

/* Where a packet, or what an ICMP message quotes, says its protocol. */
static const uint8_t *protocol_of(const uint8_t *b)
{
	bool v4 = b[0] >> 4 == 4;
	const uint8_t *at = b + (v4 ? 9 : 6);

	return *at == (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6) ?
	       at + (v4 ? 20 : 40) + 8 : at;
}

/* How many packets the sniffer has seen that say they are TCP's; none may say Homa. */
static int sniffed(int fd)
{
	uint8_t b[2000] = { 0 };
	int num = 0;

	while (recv(fd, b, sizeof(b), 0) > 0) {
		num += *protocol_of(b) == IPPROTO_TCP;
		EXPECT(*protocol_of(b) != IPPROTO_HOMA, "it was changed");
	}
	return num;
}

/* What the host changes for itself is not changed for a listener, who has got the
 * same memory: in packets, and in those that ICMP errors quote.
 */
static void listeners_see_what_was_sent(void)
{
	static struct wpkt sent;

	wnet.proto = IPPROTO_TCP;
	hijack(true);
	FOR_FAMILIES(family) {
		bool v4 = family == AF_INET;
		union haddr to = wnet_peer_addr(family, PORT);
		struct hsock server = hsock_server(wnet.host, family, PORT);
		struct hsock client = hsock_open(wnet.host, family);
		int fd = sniffer();
		struct hmsg m;
		uint64_t id;

		EXPECT(w_ask(&server, family, &p), "a request was lost");
		w_drain();
		ASSERT_RC(hsock_request(&client, &to, buf, 10, &id), 0);
		w_expect(&sent, W_DATA, 1000);
		w_icmp(&p, v4 ? 3 : 1, v4 ? 3 : 4, &sent, sent.len);
		w_send(&p);
		EXPECT_RC(hsock_recv_within(&client, &m, 0, 1000), -ENOTCONN);
		EXPECT_EQ(m.args.id, id);
		EXPECT_GE(sniffed(fd), 5);
		close(fd);
		hsock_close(&client);
		hsock_close(&server);
	}
	hijack(false);
}

/* Packets that are too short for the marks, or for what the marks promise. */
static void short_packets_do_no_harm(void)
{
	wnet.proto = IPPROTO_TCP;
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_server(wnet.host, family, PORT);

		for (int len = 1; len <= AT_DATA; len++) {
			w_data(&p, family, PEER_CLIENT, PORT, w_new_id(), 10, 0,
			       10, 1);
			p.len = len;
			w_send(&p);
		}
		EXPECT(w_ask(&hs, family, &p), "a request was lost");
		hsock_close(&hs);
	}
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(nobody_looks_before_there_is_a_socket),
		KTAP_CASE(setting_counts_when_a_socket_is_made),
		KTAP_CASE(both_kinds_are_taken_by_each_socket),
		KTAP_CASE(messages_arrive),
		KTAP_CASE(wrong_checksums_are_found),
		KTAP_CASE(frames_are_as_cards_want_them),
		KTAP_CASE(real_tcp_is_left_alone),
		KTAP_CASE(listeners_see_what_was_sent),
		KTAP_CASE(short_packets_do_no_harm),
	};

	wnet_init();
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
