// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Homa packets that travel in UDP's, over IPv4 and IPv6, beside real UDP.
 *
 * desc: packets in UDP are made as documented, taken at a port, and refused if hostile
 * lab: --no-topology
 * flavor: fast@quick debug
 *
 * netns/udp_wire.sh runs other programs of this folder with such packets.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
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

static struct wpkt p, q;
static char buf[HOMA_MAX_MESSAGE_LENGTH];
static struct counters before;

static void hijack(bool on)
{
	ASSERT_RC(ns_sysctl(wnet.host, "hijack_udp", on ? "1" : "0"), 0);
}

/* Packets that were taken at the port. */
static int taken(void)
{
	return counters_grew(wnet.host, &before, "udp_encap_rcvd");
}

/* A UDP socket of the host's, bound to a port. Returns it, or a negative errno. */
static int udp_socket(int family, int port)
{
	union haddr any = haddr_of(family, family == AF_INET ? "0.0.0.0" : "::",
				   port);
	int old = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), fd, rc;
	int on = 1;

	ns_enter(wnet.host);
	fd = socket(family, SOCK_DGRAM, 0);
	ns_enter(old);
	close(old);
	ASSERT(fd >= 0, "no socket: %s", strerror(errno));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	rc = bind(fd, (struct sockaddr *)&any, haddr_len(&any)) ? -errno : fd;
	if (rc < 0)
		close(fd);
	return rc;
}

/* Without a port UDP refuses what comes, and with one it does no more. */
static void only_an_open_port_takes_packets(void)
{
	ASSERT_RC(wnet_udp(false), 0);
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_server(wnet.host, family, PORT);

		for (int i = 0; i < 3; i++) {
			bool open = i == 1;

			ktap_label("family %d round %d", family, i);
			counters_read(wnet.host, &before);
			ASSERT_RC(wnet_udp(open), 0);
			EXPECT_EQ(w_ask(&hs, family, &p), open);
			EXPECT_EQ(w_find_icmp(&q, 5), !open);
			EXPECT_EQ(taken(), open ? 2 : 0);
		}
		hsock_close(&hs);
	}
	ASSERT_RC(wnet_udp(true), 0);
}

static void setting_counts_when_a_socket_is_made(void)
{
	FOR_FAMILIES(family) {
		struct hsock old = hsock_server(wnet.host, family, PORT + 1), new;

		hijack(true);
		new = hsock_server(wnet.host, family, PORT);
		hijack(false);
		EXPECT(w_ask(&new, family, &p), "the request is lost");
		EXPECT_EQ(p.proto, IPPROTO_UDP);
		ASSERT_RC(wnet_udp(false), 0);
		wnet.proto = IPPROTO_HOMA;
		EXPECT(w_ask(&new, family, &p), "the request is lost");
		EXPECT_EQ(p.proto, IPPROTO_UDP);
		w_probe(&old, family);
		wnet.proto = IPPROTO_UDP;
		ASSERT_RC(wnet_udp(true), 0);
		hsock_close(&old);
		hsock_close(&new);
	}
}

/* Each socket answers in its own way, however it was asked; without a port in none but
 * Homa's.
 */
static void all_kinds_are_taken_by_each_socket(void)
{
	static const int protos[] = { IPPROTO_HOMA, IPPROTO_TCP, IPPROTO_UDP };

	FOR_FAMILIES(family) {
		for (int i = 0; i < 6; i++) {
			bool udp = i >= 3;
			struct hsock hs;

			ktap_label("family %d hijack %d packets %d", family, udp,
				   protos[i % 3]);
			hijack(udp);
			hs = hsock_server(wnet.host, family, PORT);
			wnet.proto = protos[i % 3];
			EXPECT(w_ask(&hs, family, &p), "the request is lost");
			EXPECT_EQ(p.proto, udp ? IPPROTO_UDP : IPPROTO_HOMA);
			EXPECT(w_checksum_ok(&p), "wrong checksum");
			hsock_close(&hs);
		}
	}
	ASSERT_RC(wnet_udp(false), 0);
	wnet.proto = IPPROTO_HOMA;
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_server(wnet.host, family, PORT);

		w_probe(&hs, family);
		hsock_close(&hs);
	}
	hijack(false);
	ASSERT_RC(wnet_udp(true), 0);
	wnet.proto = IPPROTO_UDP;
}

/* Collects the packets of a request: they fill the MTU, with a right sum, and have one
 * source port, which is returned.
 */
static int request_sport(const struct hsock *hs, int total, uint64_t *id)
{
	union haddr to = wnet_peer_addr(hs->family, PORT);
	int at = 0, unit = W_MTU - w_lower_len(hs->family) - AT_DATA, sport = 0;

	payload_fill(buf, total, total);
	w_drain();
	ASSERT_RC(hsock_request(hs, &to, buf, total, id), 0);
	while (at < total && !ktap_failed()) {
		int left = total - at;

		w_expect(&p, W_DATA, 1000);
		EXPECT_EQ(p.len - AT_DATA, left < unit ? left : unit);
		EXPECT_EQ(get32(&p, AT_OFFSET), at);
		EXPECT(w_payload_ok(&p, total), "wrong bytes at %d", at);
		EXPECT(w_checksum_ok(&p), "wrong checksum");
		if (sport)
			EXPECT_EQ(p.udp_sport, sport);
		sport = p.udp_sport;
		at += left < unit ? left : unit;
	}
	return sport;
}

/* The layer's bytes are those of protocol.md; parse_udp() in lib/wire.c looks at the
 * destination port and the length.
 */
static void packets_are_as_documented(void)
{
	int others = 0;

	hijack(true);
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_open(wnet.host, family);
		int last = 0;

		for (int i = 0; i < 20; i++) {
			uint64_t id;
			int sport = request_sport(&hs, i ? 10 : 9000, &id);

			EXPECT(sport >= 0xf000, "source port %d", sport);
			others += sport != last;
			last = sport;
			w_send_control(family, W_UNKNOWN, PORT,
				       hsock_port(&hs), id ^ 1);
			w_expect(&p, W_DATA, 100);
			EXPECT_EQ(p.udp_sport, sport);
			hsock_abort(&hs, id, 0);
		}
		hsock_close(&hs);
	}
	EXPECT_GE(others, 36);
	hijack(false);
}

/* UDP's sum is looked at by UDP; one without says that Homa's is there. */
static void wrong_checksums_are_refused(void)
{
	ASSERT_RC(ns_sysctl(wnet.host, "verify_checksum", "1"), 0);
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_server(wnet.host, family, PORT);
		bool ipv4 = family == AF_INET;
		struct hmsg m;

		for (int i = 0; i < 8; i++) {
			bool wrong = i & 1, unsummed = i & 2, good = i & 4;
			bool taken = unsummed ? ipv4 && good : !wrong;

			ktap_label("family %d wrong %d unsummed %d good %d",
				   family, wrong, unsummed, good);
			w_data(&p, family, PEER_CLIENT, PORT, w_new_id(), 10, 0,
			       10, 1);
			if (good)
				w_fill_checksum(&p);
			p.udp_wrong = wrong;
			p.udp_unsummed = unsummed;
			w_send(&p);
			EXPECT_RC(hsock_recv_within(&hs, &m, 0, 5),
				  taken ? 10 : -EAGAIN);
			if (taken)
				hsock_return(&hs, &m);
		}
		hsock_close(&hs);
	}
	ASSERT_RC(ns_sysctl(wnet.host, "verify_checksum", "0"), 0);
}

/* A port of somebody else's is refused, and nothing has changed then. Nobody gets ours. */
static void a_port_has_one_owner(void)
{
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_server(wnet.host, family, PORT);
		int fd = udp_socket(family, W_UDP_PORT + 1);

		ASSERT(fd >= 0, "no socket: %s", strerror(-fd));
		EXPECT_RC(ns_sysctl(wnet.host, "udp_encap_port", "14601"),
			  -EADDRINUSE);
		EXPECT_RC(ns_sysctl(wnet.host, "udp_encap_port", "65536"), -EINVAL);
		EXPECT_RC(udp_socket(family, W_UDP_PORT), -EADDRINUSE);
		EXPECT(w_ask(&hs, family, &p), "a request was lost");
		close(fd);
		ASSERT_RC(ns_sysctl(wnet.host, "udp_encap_port", "14601"), 0);
		EXPECT_RC(udp_socket(family, W_UDP_PORT + 1), -EADDRINUSE);
		fd = udp_socket(family, W_UDP_PORT);
		EXPECT_GE(fd, 0);
		close(fd);
		ASSERT_RC(wnet_udp(true), 0);
		EXPECT(w_ask(&hs, family, &p), "a request was lost");
		hsock_close(&hs);
	}
}

/* Errors that quote packets end RPCs if the RPC can be told from what they quote. */
static void errors_reach_the_rpc(void)
{
	hijack(true);
	FOR_FAMILIES(family) {
		bool v4 = family == AF_INET;
		union haddr to = wnet_peer_addr(family, PORT);
		struct hsock hs = hsock_open(wnet.host, family);
		struct hmsg m;
		uint64_t id;

		w_drain();
		ASSERT_RC(hsock_request(&hs, &to, buf, 10, &id), 0);
		w_expect(&q, W_DATA, 1000);
		for (int bytes = 0; bytes <= 28; bytes += 4) {
			w_icmp(&p, v4 ? 3 : 1, v4 ? 3 : 4, &q, bytes);
			w_send(&p);
			EXPECT_RC(hsock_recv_within(&hs, &m, 0, 1),
				  bytes < 28 ? -EAGAIN : -ENOTCONN);
		}
		EXPECT_EQ(m.args.id, id);

		/* Not one of ours. */
		ASSERT_RC(hsock_request(&hs, &to, buf, 10, &id), 0);
		w_expect(&q, W_DATA, 1000);
		put64(&q, AT_ID, id + 2);
		w_icmp(&p, v4 ? 3 : 1, v4 ? 3 : 4, &q, 28);
		w_send(&p);
		EXPECT_RC(hsock_recv_within(&hs, &m, 0, 1), -EAGAIN);
		hsock_close(&hs);
	}
	hijack(false);
}

/* What is inside is no Homa packet, or too short for one, or is in UDP again. */
static void hostile_packets_do_no_harm(void)
{
	FOR_FAMILIES(family) {
		struct hsock hs = hsock_server(wnet.host, family, PORT);

		counters_read(wnet.host, &before);
		for (int len = 0; len < 28; len++) {
			w_data(&p, family, PEER_CLIENT, PORT, w_new_id(), 10, 0,
			       10, 1);
			p.len = len;
			w_send(&p);
		}
		EXPECT_EQ(counters_grew(wnet.host, &before, "short_packets"), 28);
		for (int type = 0; type < 256; type++) {
			if (type >= W_DATA && type <= W_ACK)
				continue;
			w_make(&p, family, W_BUSY, PEER_CLIENT, PORT, w_new_id());
			p.b[AT_TYPE] = type;
			w_send(&p);
		}
		EXPECT_EQ(counters_grew(wnet.host, &before, "short_packets"),
			  28 + 247);
		w_data(&p, family, PEER_CLIENT, PORT, w_new_id(), 10, 0, 10, 1);
		memmove(p.b + W_UDP_HEADER, p.b, p.len);
		put16(&p, 0, 0xf123);
		put16(&p, 2, W_UDP_PORT);
		p.len += W_UDP_HEADER;
		put16(&p, 4, p.len);
		put16(&p, 6, 0);
		w_send(&p);
		EXPECT_EQ(taken(), 28 + 247 + 1);
		EXPECT(w_ask(&hs, family, &p), "a request was lost");
		hsock_close(&hs);
	}
}

/* Sockets of others at other ports get what is theirs, whatever it looks like. */
static void real_udp_is_left_alone(void)
{
	FOR_FAMILIES(family) {
		int fd = udp_socket(family, 5000);
		uint8_t got[200];

		counters_read(wnet.host, &before);
		w_data(&p, family, PEER_CLIENT, PORT, w_new_id(), 10, 0, 10, 1);
		p.udp_dport = 5000;
		w_send(&p);
		EXPECT_EQ(recv(fd, got, sizeof(got), MSG_DONTWAIT), p.len);
		EXPECT(!memcmp(got, p.b, p.len), "other bytes");
		EXPECT_EQ(taken(), 0);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(only_an_open_port_takes_packets),
		KTAP_CASE(setting_counts_when_a_socket_is_made),
		KTAP_CASE(all_kinds_are_taken_by_each_socket),
		KTAP_CASE(packets_are_as_documented),
		KTAP_CASE(wrong_checksums_are_refused),
		KTAP_CASE(a_port_has_one_owner),
		KTAP_CASE(errors_reach_the_rpc),
		KTAP_CASE(hostile_packets_do_no_harm),
		KTAP_CASE(real_udp_is_left_alone),
	};

	wnet_init();
	wnet.proto = IPPROTO_UDP;
	if (wnet_udp(true))
		return 2;
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
