// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Packets as virtual machines and containers send them: their headers are in pages that
 * somebody else holds too, and frames wait to be cut.
 *
 * desc: packets with headers in pages, frames of others that are cut, and nonsense of both
 * lab: --no-topology
 * flavor: fast@quick debug
 *
 * The peer says with PACKET_VNET_HDR how much of a frame shall not be in pages, which
 * works for frames longer than one; the packet socket of wire.h holds each frame, too.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "hsock.h"
#include "ktap.h"
#include "ns.h"
#include "wire.h"

#define PORT 77
#define PEER_CLIENT 0x9001
#define PACKET 5000	/* bytes of data: more than a page */
#define PACKETS 4

static int vnet_fd;	/* packet socket of the peer */
static int tap_fd;	/* other end of the host's t0 */
static struct wpkt p;

static int ip_header(void)
{
	return ktap_family == AF_INET ? 20 : 40;
}

static ssize_t write_vnet(int fd, const struct wpkt *packet, struct virtio_net_hdr hdr)
{
	static uint8_t frame[70000];

	memcpy(frame, &hdr, sizeof(hdr));
	return write(fd, frame, sizeof(hdr) + w_frame(packet, frame + sizeof(hdr)));
}

static ssize_t send_vnet(const struct wpkt *packet, struct virtio_net_hdr hdr)
{
	return write_vnet(vnet_fd, packet, hdr);
}

/* @linear: bytes behind the Ethernet header that are not in pages */
static void send_pages(const struct wpkt *packet, int linear)
{
	struct virtio_net_hdr hdr = { .hdr_len = ETH_HLEN + linear };

	ASSERT(send_vnet(packet, hdr) > 0, "cannot send: %s", strerror(errno));
}

static void send_data_in_pages(uint64_t id, int linear)
{
	for (int i = 0; i < PACKETS; i++) {
		w_data(&p, ktap_family, PEER_CLIENT, PORT, id, PACKET * PACKETS,
		       i * PACKET, PACKET, id);
		send_pages(&p, linear);
	}
}

static void check_message(struct hsock *server, uint64_t id, int total)
{
	struct hmsg m;

	EXPECT_RC(hsock_recv_within(server, &m, 0, 1000), total);
	EXPECT(m.args.id == (id ^ 1), "wrong id");
	EXPECT(payload_ok(server, &m, id), "wrong bytes");
	hsock_return(server, &m);
}

static void set_gro(bool on)
{
	ns_run(wnet.host, "ethtool -K v0 gro %s >/dev/null", on ? "on" : "off");
}

static void headers_in_pages(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);
	const int linear[] = { 0, ip_header(), ip_header() + 10, ip_header() + 28,
			       ip_header() + AT_DATA };

	for (int i = 0; i < ARRAY_LEN(linear) * 2; i++) {
		uint64_t id = w_new_id();

		ktap_label("%d bytes, GRO %s", linear[i / 2], i & 1 ? "on" : "off");
		set_gro(i & 1);
		send_data_in_pages(id, linear[i / 2]);
		check_message(&server, id, PACKET * PACKETS);
		w_drain();
	}
}

/* A qdisc lets packets go together, so that the host's device collects them. */
static void collected_headers_in_pages(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);
	uint64_t id = w_new_id();
	struct counters before;

	set_gro(true);
	ns_run(wnet.peer, "tc qdisc add dev v0 root netem slot 2ms 2ms");
	counters_read(wnet.host, &before);
	send_data_in_pages(id, 0);
	check_message(&server, id, PACKET * PACKETS);
	ns_run(wnet.peer, "tc qdisc del dev v0 root");
	EXPECT_EQ(counters_grew(wnet.host, &before, "packets_rcvd_DATA"), PACKETS);
	EXPECT_GE(PACKETS - 1, counters_grew(wnet.host, &before, "softirq_calls"));
	w_drain();
}

/* A socket that gets what the host's v0 gets, as tcpdump's does, to the end of the case. */
static void listen_to_host(void)
{
	int old = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), fd;

	ns_enter(wnet.host);
	fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	ns_enter(old);
	close(old);
	ASSERT(fd >= 0, "no packet socket: %s", strerror(errno));
}

/* What was collected is somebody else's, too, and is still taken apart. */
static void collected_while_somebody_listens(void)
{
	listen_to_host();
	collected_headers_in_pages();
}

/* DATA packets that leave the host by its t0 within @ms. */
static int packets_at_tap(int ms)
{
	static uint8_t frame[70000];
	struct pollfd pfd = { .fd = tap_fd, .events = POLLIN };
	int at = sizeof(struct virtio_net_hdr) + ETH_HLEN, num = 0;

	at += ktap_family == AF_INET ? 9 : 6;
	while (poll(&pfd, 1, ms) > 0 && read(tap_fd, frame, sizeof(frame)) > at)
		num += frame[at] == IPPROTO_HOMA;
	return num;
}

/* A host that is a router collects packets, and sends them on one by one. */
static void collected_packets_go_on(void)
{
	bool v4 = ktap_family == AF_INET;
	const char *to = v4 ? "10.10.0.2" : "fd10::2";
	uint64_t id = w_new_id();

	listen_to_host();
	set_gro(true);
	ns_run(wnet.host, "ip addr add %s dev t0 && "
	       "ip neigh replace %s lladdr 02:09:00:00:00:09 nud permanent dev t0",
	       v4 ? "10.10.0.1/24" : "fd10::1/64 nodad", to);
	ns_run(wnet.host, "echo 1 >/proc/sys/net/ipv4/ip_forward; "
	       "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding");
	ns_run(wnet.peer, "tc qdisc add dev v0 root netem slot 2ms 2ms");
	for (int i = 0; i < PACKETS; i++) {
		w_data(&p, ktap_family, PEER_CLIENT, PORT, id, PACKET * PACKETS,
		       i * PACKET, PACKET, id);
		inet_pton(ktap_family, to, p.dst);
		send_pages(&p, 0);
	}
	EXPECT_EQ(packets_at_tap(100), PACKETS);
	ns_run(wnet.peer, "tc qdisc del dev v0 root");
}

/* Headers so long that there is no room for Homa's where a device puts them. */
static void long_headers_in_pages(void)
{
	enum { OPTIONS = 112, DESTINATION = 60, TO_BE_SKIPPED = 0x1e };
	struct hsock server = hsock_server(wnet.host, AF_INET6, PORT);
	uint64_t id = w_new_id();

	set_gro(true);
	w_data(&p, AF_INET6, PEER_CLIENT, PORT, id, PACKET, 0, PACKET, id);
	memmove(p.b + OPTIONS, p.b, p.len);
	memset(p.b, 0, OPTIONS);
	p.b[0] = p.proto;
	p.b[1] = OPTIONS / 8 - 1;
	p.b[2] = TO_BE_SKIPPED;
	p.b[3] = OPTIONS - 4;
	p.proto = DESTINATION;
	p.len += OPTIONS;
	send_pages(&p, 0);
	check_message(&server, id, PACKET);
	w_drain();
}

/* ICMP messages that quote a packet as far as it fits. */
static void icmp_in_pages(void)
{
	bool v4 = ktap_family == AF_INET;
	union haddr to = wnet_peer_addr(ktap_family, PORT);
	struct hsock hs = hsock_open(wnet.host, ktap_family);
	static char request[PACKET];
	static struct wpkt q;
	struct hmsg m;
	uint64_t id;

	set_gro(false);
	ASSERT_RC(hsock_request(&hs, &to, request, sizeof(request), &id), 0);
	w_expect(&q, W_DATA, 100);
	ASSERT(q.len > 4096, "the packet has only %d bytes", q.len);
	w_icmp(&p, v4 ? 3 : 1, v4 ? 3 : 4, &q, q.len);
	send_pages(&p, 2 * ip_header() + 16);
	EXPECT_RC(hsock_recv_within(&hs, &m, 0, 1000), -ENOTCONN);
	EXPECT_EQ(m.args.id, id);
	w_drain();
}

static struct virtio_net_hdr gso_header(int size)
{
	return (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = ktap_family == AF_INET ? VIRTIO_NET_HDR_GSO_TCPV4 :
						     VIRTIO_NET_HDR_GSO_TCPV6,
		.hdr_len = ETH_HLEN + ip_header() + 20,
		.gso_size = size,
		.csum_start = ETH_HLEN + ip_header(),
		.csum_offset = AT_CHECKSUM,
	};
}

/* A request that is one frame, for packets of 1000 bytes, is sent and arrives. */
static void send_frame(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);
	uint64_t id = w_new_id();

	set_gro(false);
	w_data(&p, ktap_family, PEER_CLIENT, PORT, id, PACKET, 0, PACKET, id);
	ASSERT(send_vnet(&p, gso_header(1000)) > 0, "cannot send: %s",
	       strerror(errno));
	check_message(&server, id, PACKET);
	w_drain();
	hsock_close(&server);
}

/* What a guest leaves to be cut arrives as packets. */
static void frames_are_cut(void)
{
	struct counters before;

	counters_read(wnet.host, &before);
	send_frame();
	EXPECT_EQ(counters_grew(wnet.host, &before, "packets_rcvd_DATA"),
		  PACKET / 1000);
}

/* Somebody else has the frame, too, whose Homa header is in pages: it is not changed. */
static void copies_of_frames_are_cut(void)
{
	ns_run(wnet.peer, "tc qdisc add dev v0 root netem duplicate 100%%");
	send_frame();
	ns_run(wnet.peer, "tc qdisc del dev v0 root");
}

/* The layout that cards can cut: each segment begins with its offset. What a guest
 * sends to its own host is never cut.
 */
static void segments_with_offsets(void)
{
	enum { SEGMENT = 1000 };
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);
	struct virtio_net_hdr hdr = gso_header(4 + SEGMENT);

	set_gro(false);
	for (int cut = 0; cut < 2; cut++) {
		uint64_t id = w_new_id();
		struct counters before;

		ktap_label("%s", cut ? "cut" : "whole");
		counters_read(wnet.host, &before);
		w_data(&p, ktap_family, PEER_CLIENT, PORT, id, PACKET, 0, PACKET, id);
		p.b[AT_DOFF] = 0xd0;
		for (int at = PACKET - SEGMENT; at >= 0; at -= SEGMENT) {
			int to = AT_OFFSET + at / SEGMENT * (4 + SEGMENT);

			memmove(p.b + to + 4, p.b + AT_DATA + at, SEGMENT);
			put32(&p, to, at);
		}
		p.len = AT_OFFSET + PACKET / SEGMENT * (4 + SEGMENT);
		ASSERT(write_vnet(cut ? vnet_fd : tap_fd, &p, hdr) > 0,
		       "cannot send: %s", strerror(errno));
		check_message(&server, id, PACKET);
		EXPECT_EQ(counters_grew(wnet.host, &before, "packets_rcvd_DATA"),
			  cut ? PACKET / SEGMENT : 1);
		w_drain();
	}
}

/* Nothing that a guest says of its frames harms the host. */
static void nonsense_about_frames(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);
	int sent = 0;

	set_gro(true);
	srandom(ktap_family);
	for (int i = 0; i < 2000; i++) {
		struct virtio_net_hdr hdr = gso_header(1 + random() % 9000);

		w_data(&p, ktap_family, PEER_CLIENT, PORT, w_new_id(),
		       random() % 3 ? 20000 : (int)random(), 0, 1 + random() % 9000, i);
		if (!(random() % 2))
			p.b[AT_TYPE] = W_DATA + random() % 12;
		if (!(random() % 2))
			p.b[AT_DOFF] = random();
		if (!(random() % 4))
			p.len = random() % 80;
		if (!(random() % 2))
			hdr.hdr_len = random() % 200;
		if (!(random() % 4))
			hdr.csum_start += random() % 80 - 20;
		if (!(random() % 4))
			hdr.csum_offset = random() % 60;
		if (!(random() % 4))
			hdr.flags = random() % 4;
		if (!(random() % 4))
			hdr.gso_type = random() % 6;
		sent += write_vnet(i & 1 ? vnet_fd : tap_fd, &p, hdr) > 0;
		w_drain();
	}
	EXPECT_GE(sent, 200);
	hsock_close(&server);
	server = hsock_server(wnet.host, ktap_family, PORT);
	w_probe(&server, ktap_family);
}

static void open_vnet(void)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET };
	int one = 1;

	ns_enter(wnet.peer);
	vnet_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	addr.sll_ifindex = if_nametoindex("v0");
	if (vnet_fd < 0 ||
	    setsockopt(vnet_fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
	    bind(vnet_fd, (struct sockaddr *)&addr, sizeof(addr))) {
		fprintf(stderr, "# no packet socket: %s\n", strerror(errno));
		exit(2);
	}
}

static void open_tap(void)
{
	struct ifreq ifr = { .ifr_name = "t0",
			     .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

	ns_enter(wnet.host);
	tap_fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap_fd < 0 || ioctl(tap_fd, TUNSETIFF, &ifr)) {
		fprintf(stderr, "# no tap device: %s\n", strerror(errno));
		exit(2);
	}
	ns_run(wnet.host, "ip link set t0 address 02:09:00:00:00:01 mtu 9000 up");
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_EACH(headers_in_pages),
		KTAP_EACH(collected_headers_in_pages),
		KTAP_EACH(collected_while_somebody_listens),
		KTAP_EACH(collected_packets_go_on),
		KTAP_CASE(long_headers_in_pages),
		KTAP_EACH(icmp_in_pages),
		KTAP_EACH(frames_are_cut),
		KTAP_EACH(copies_of_frames_are_cut),
		KTAP_EACH(segments_with_offsets),
		KTAP_EACH(nonsense_about_frames),
	};

	wnet_init();
	ns_run(wnet.host, "ip link set v0 mtu 9000");
	/* Frames are cut here, and the host's device collects packets. */
	ns_run(wnet.peer, "ethtool -K v0 tso off >/dev/null");
	open_vnet();
	open_tap();
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
