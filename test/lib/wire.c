// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Builds, sends and receives packets; see wire.h. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ktap.h"
#include "ns.h"
#include "pcap.h"
#include "wire.h"

#define MAC "\x02\x09\x00\x00\x00"
#define CLIENT_PORT 0x9000	/* of the peer in w_probe() */

struct wnet wnet;

static const struct {
	const char *name;
	int len;
} types[] = {
	{ "DATA", 56 }, { "GRANT", 33 }, { "RESEND", 37 },
	{ "RPC_UNKNOWN", 28 }, { "BUSY", 28 }, { "CUTOFFS", 62 },
	{ "FREEZE", 28 }, { "NEED_ACK", 28 }, { "ACK", 80 },
};

int w_header_len(int type)
{
	return type >= W_DATA && type <= W_ACK ? types[type - W_DATA].len : 0;
}

int w_lower_len(int family)
{
	int udp = wnet.proto == IPPROTO_UDP ? W_UDP_HEADER : 0;

	return (family == AF_INET ? 20 : 40) + udp;
}

const char *w_type_name(int type)
{
	return type >= W_DATA && type <= W_ACK ? types[type - W_DATA].name :
						 "other";
}

static void packet_socket(void)
{
	int old = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	struct sockaddr_ll addr = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETH_P_ALL) };
	int size = 16 << 20;

	ns_enter(wnet.peer);
	wnet.fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	addr.sll_ifindex = if_nametoindex("v0");
	if (wnet.fd < 0 || !addr.sll_ifindex ||
	    bind(wnet.fd, (struct sockaddr *)&addr, sizeof(addr))) {
		fprintf(stderr, "# no packet socket: %s\n", strerror(errno));
		exit(2);
	}
	setsockopt(wnet.fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	ns_enter(old);
	close(old);
}

static bool in_pieces(void)
{
	return getenv("WIRE_PIECES");
}

int wnet_udp(bool on)
{
	char port[10];

	snprintf(port, sizeof(port), "%d", on ? W_UDP_PORT : 0);
	return ns_sysctl(wnet.host, "udp_encap_port", port);
}

/* The host's v0, whose other end is a file. */
static void tap_device(void)
{
	struct ifreq ifr = { .ifr_name = "v0", .ifr_flags = IFF_TAP | IFF_NO_PI |
			     IFF_NAPI | IFF_NAPI_FRAGS };

	ns_enter(wnet.host);
	wnet.fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (wnet.fd < 0 || ioctl(wnet.fd, TUNSETIFF, &ifr)) {
		fprintf(stderr, "# no tap device: %s\n", strerror(errno));
		exit(2);
	}
}

/* The host's v0, whose other end is the peer's, and read by a packet socket. */
static void veth_device(void)
{
	ns_run(wnet.host, "ip link add v0 type veth peer name v1 && "
	       "ip link set v1 netns /proc/%d/fd/%d", getpid(), wnet.peer);
	ns_run(wnet.peer, "ip link set v1 name v0 && "
	       "echo 1 >/proc/sys/net/ipv6/conf/v0/disable_ipv6 && "
	       "ip link set v0 address 02:09:00:00:00:02 mtu 9000 up");
}

void wnet_offloads(bool on)
{
	const char *word = on ? "on" : "off";

	if (in_pieces())
		return;
	ns_run(wnet.host, "ethtool -K v0 tx %s sg %s tso %s gso %s >/dev/null",
	       word, word, word, word);
}

/* How Homa's packets travel, by the program's environment. */
static void choose_proto(void)
{
	int err = 0;

	wnet.proto = IPPROTO_HOMA;
	if (getenv("WIRE_TCP")) {
		wnet.proto = IPPROTO_TCP;
		err = ns_sysctl(wnet.host, "hijack_tcp", "1");
	} else if (getenv("WIRE_UDP")) {
		wnet.proto = IPPROTO_UDP;
		err = wnet_udp(true) ?: ns_sysctl(wnet.host, "hijack_udp", "1");
	}
	if (!err)
		return;
	fprintf(stderr, "# cannot set hijack_tcp or hijack_udp\n");
	exit(2);
}

void wnet_init(void)
{
	wnet.host = ns_new();
	wnet.peer = ns_new();
	if (in_pieces())
		tap_device();
	else
		veth_device();
	ns_run(wnet.host, "ip link set v0 address 02:09:00:00:00:01 mtu %d up &&"
	       "ip addr add 10.9.0.1/24 dev v0 && "
	       "ip addr add fd09::1/64 dev v0 nodad && "
	       "for i in 2 3 4; do "
	       "for a in 10.9.0.$i fd09::$i; do "
	       "ip neigh add $a lladdr 02:09:00:00:00:02 nud permanent dev v0 "
	       "|| exit 1; done; done", W_MTU);
	wnet_offloads(false);
	choose_proto();
	if (!in_pieces())
		packet_socket();
	pcap_open();
}

union haddr wnet_peer_addr(int family, int port)
{
	return haddr_of(family, family == AF_INET ? "10.9.0.2" : "fd09::2",
			port);
}

void put16(struct wpkt *p, int at, uint16_t v)
{
	v = htons(v);
	memcpy(p->b + at, &v, sizeof(v));
}

void put32(struct wpkt *p, int at, uint32_t v)
{
	v = htonl(v);
	memcpy(p->b + at, &v, sizeof(v));
}

void put64(struct wpkt *p, int at, uint64_t v)
{
	put32(p, at, v >> 32);
	put32(p, at + 4, v);
}

uint16_t get16(const struct wpkt *p, int at)
{
	return p->b[at] << 8 | p->b[at + 1];
}

uint32_t get32(const struct wpkt *p, int at)
{
	return (uint32_t)get16(p, at) << 16 | get16(p, at + 2);
}

uint64_t get64(const struct wpkt *p, int at)
{
	return (uint64_t)get32(p, at) << 32 | get32(p, at + 4);
}

void w_make(struct wpkt *p, int family, int type, int sport, int dport,
	    uint64_t id)
{
	memset(p, 0, sizeof(*p) - sizeof(p->b) + 200);
	p->family = family;
	p->proto = wnet.proto;
	p->udp_sport = 0xf123;
	p->udp_dport = W_UDP_PORT;
	p->tos = 0xe0;
	inet_pton(family, family == AF_INET ? "10.9.0.2" : "fd09::2", p->src);
	inet_pton(family, family == AF_INET ? "10.9.0.1" : "fd09::1", p->dst);
	p->len = w_header_len(type);
	put16(p, AT_SPORT, sport);
	put16(p, AT_DPORT, dport);
	p->b[AT_TYPE] = type;
	p->b[AT_DOFF] = type == W_DATA ? 0xe0 : 0x50;
	p->b[AT_FLAGS] = 0x06;
	put16(p, AT_URGENT, 0xb97d);
	put64(p, AT_ID, id);
}

void w_data(struct wpkt *p, int family, int sport, int dport, uint64_t id,
	    uint32_t total, uint32_t start, int len, uint32_t seed)
{
	char *all = malloc(start + len + 1);

	w_make(p, family, W_DATA, sport, dport, id);
	p->tos = 0xc0;
	put32(p, AT_SEQUENCE, start);
	put32(p, AT_LENGTH, total);
	put32(p, AT_INCOMING, total);
	put16(p, AT_VERSION, 1);
	put32(p, AT_OFFSET, start);
	payload_fill(all, start + len, seed);
	memcpy(p->b + AT_DATA, all + start, len);
	free(all);
	p->len = AT_DATA + len;
}

void w_grant(struct wpkt *p, int family, int sport, int dport, uint64_t id,
	     uint32_t offset, int prio)
{
	w_make(p, family, W_GRANT, sport, dport, id);
	put32(p, AT_GRANT_OFFSET, offset);
	p->b[AT_GRANT_PRIO] = prio;
}

void w_resend(struct wpkt *p, int family, int sport, int dport, uint64_t id,
	      uint32_t offset, uint32_t length, int prio)
{
	w_make(p, family, W_RESEND, sport, dport, id);
	put32(p, AT_RESEND_OFFSET, offset);
	put32(p, AT_RESEND_LENGTH, length);
	p->b[AT_RESEND_PRIO] = prio;
}

static uint32_t sum16(const uint8_t *b, int len, uint32_t sum)
{
	for (int i = 0; i < len; i++)
		sum += b[i] << (i & 1 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The sum of a packet's pseudo header for a protocol with @len bytes. */
static uint32_t pseudo_sum(const struct wpkt *p, int proto, int len)
{
	int n = p->family == AF_INET ? 4 : 16;

	return sum16(p->src, n, 0) + sum16(p->dst, n, 0) + proto + len;
}

static int udp_length(const struct wpkt *p)
{
	return p->proto == IPPROTO_UDP ? W_UDP_HEADER : 0;
}

/* Fills a UDP header, of a packet whose data follow it; returns its length. */
static int make_udp(const struct wpkt *p, uint8_t *b)
{
	int len = p->len + W_UDP_HEADER;
	uint32_t sum;

	if (!udp_length(p))
		return 0;
	memcpy(b, (uint8_t[]){ p->udp_sport >> 8, p->udp_sport,
			       p->udp_dport >> 8, p->udp_dport, len >> 8, len,
			       0, 0 },
	       W_UDP_HEADER);
	if (p->udp_unsummed)
		return W_UDP_HEADER;
	sum = pseudo_sum(p, IPPROTO_UDP, len) + sum16(b, W_UDP_HEADER, 0);
	sum = ~sum16(p->b, p->len, sum) ^ p->udp_wrong;
	b[6] = sum >> 8;
	b[7] = sum;
	return W_UDP_HEADER;
}

/* Fills the headers up to IP's; returns their length. */
static int make_headers(const struct wpkt *p, uint8_t *b)
{
	int len = p->len + udp_length(p);
	uint8_t *ip = b + 14;
	uint16_t sum;

	memcpy(b, MAC "\x01" MAC "\x02", 12);
	if (p->family == AF_INET) {
		memcpy(b + 12, "\x08\x00", 2);
		memcpy(ip, (uint8_t[]){ 0x45, p->tos, (len + 20) >> 8,
					len + 20, 0, 0, 0x40, 0, 64,
					p->proto, 0, 0 }, 12);
		memcpy(ip + 12, p->src, 4);
		memcpy(ip + 16, p->dst, 4);
		sum = ~sum16(ip, 20, 0);
		ip[10] = sum >> 8;
		ip[11] = sum;
		return 34;
	}
	memcpy(b + 12, "\x86\xdd", 2);
	memcpy(ip, (uint8_t[]){ 0x60 | p->tos >> 4, p->tos << 4, 0, 0,
				len >> 8, len, p->proto, 64 }, 8);
	memcpy(ip + 8, p->src, 16);
	memcpy(ip + 24, p->dst, 16);
	return 54;
}

void w_icmp(struct wpkt *p, int type, int code, const struct wpkt *quoted, int bytes)
{
	bool v4 = quoted->family == AF_INET;
	int ip = v4 ? 20 : 40, n = 8, udp = udp_length(quoted);
	uint32_t sum = 0;

	w_make(p, quoted->family, W_BUSY, 0, 0, 0);
	memset(p->b, 0, n + ip);
	p->proto = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	p->b[0] = type;
	p->b[1] = code;
	if (v4 ? type == 3 && code == 4 : type == 2)
		put32(p, 4, 1400);	/* MTU */
	p->b[n] = v4 ? 0x45 : 0x60;
	put16(p, n + (v4 ? 2 : 4), quoted->len + udp + (v4 ? ip : 0));
	p->b[n + (v4 ? 9 : 6)] = quoted->proto;
	p->b[n + (v4 ? 8 : 7)] = 64;
	memcpy(p->b + n + (v4 ? 12 : 8), quoted->src, v4 ? 4 : 16);
	memcpy(p->b + n + (v4 ? 16 : 24), quoted->dst, v4 ? 4 : 16);
	make_udp(quoted, p->b + n + ip);
	memcpy(p->b + n + ip + udp, quoted->b, bytes);
	p->len = n + ip + udp + bytes;
	if (!v4)
		sum = pseudo_sum(p, IPPROTO_ICMPV6, p->len);
	put16(p, 2, ~sum16(p->b, p->len, sum));
}

int w_frame(const struct wpkt *p, uint8_t *frame)
{
	int n = make_headers(p, frame);

	n += make_udp(p, frame + n);
	memcpy(frame + n, p->b, p->len);
	return n + p->len;
}

/* The Ethernet header, a dozen small pieces and some pages. */
static int write_in_pieces(uint8_t *frame, int n)
{
	static uint32_t seed = 1;
	struct iovec iov[16];
	int num = 0, len = ETH_HLEN;

	for (int at = 0; at < n && num < ARRAY_LEN(iov); at += len) {
		if (num)
			len = num < 13 ? 1 + (seed >> 16) % 40 : 4096;
		seed = seed * 1103515245 + 12345;
		if (len > n - at)
			len = n - at;
		iov[num++] = (struct iovec){ frame + at, len };
	}
	return writev(wnet.fd, iov, num);
}

void w_send(const struct wpkt *p)
{
	static uint8_t frame[70000];
	int n = w_frame(p, frame);
	int rc;

	pcap_frame(frame, n);
	rc = in_pieces() ? write_in_pieces(frame, n) : send(wnet.fd, frame, n, 0);
	ASSERT(rc == n,
	       "cannot send a frame of %d bytes: %s", n, strerror(errno));
}

void w_send_control(int family, int type, int sport, int dport, uint64_t id)
{
	static struct wpkt p;

	w_make(&p, family, type, sport, dport, id);
	w_send(&p);
}

void w_send_message(int family, int sport, int dport, uint64_t id,
		    uint32_t total, uint32_t seed, int max)
{
	static struct wpkt p;

	for (uint32_t at = 0; at < total; at += max) {
		int len = total - at < (uint32_t)max ? (int)(total - at) : max;

		w_data(&p, family, sport, dport, id, total, at, len, seed);
		w_send(&p);
	}
}

bool w_is_homa(const struct wpkt *p)
{
	return p->proto == wnet.proto && p->len >= 20 &&
	       p->b[AT_FLAGS] == 0x06 && get16(p, AT_URGENT) == 0xb97d;
}

/* Takes the UDP header off a packet; false if it is none for Homa. */
static bool parse_udp(struct wpkt *p)
{
	uint32_t sum = pseudo_sum(p, IPPROTO_UDP, p->len);

	if (p->len < W_UDP_HEADER || get16(p, 2) != W_UDP_PORT)
		return false;
	EXPECT_EQ(get16(p, 4), p->len);
	p->udp_sport = get16(p, 0);
	p->udp_dport = get16(p, 2);
	p->udp_unsummed = !get16(p, 6);
	p->udp_wrong = sum16(p->b, p->len, sum) != 0xffff;
	p->len -= W_UDP_HEADER;
	memmove(p->b, p->b + W_UDP_HEADER, p->len);
	return true;
}

/* Takes a frame apart; false if it is no Homa or TCP packet and no ICMP error. */
static bool parse(struct wpkt *p, const uint8_t *b, int n)
{
	const uint8_t *ip = b + 14;
	int len;

	memset(p->src, 0, sizeof(p->src));
	memset(p->dst, 0, sizeof(p->dst));
	if (n >= 34 && b[12] == 0x08 && b[13] == 0x00) {
		p->family = AF_INET;
		p->tos = ip[1];
		p->proto = ip[9];
		memcpy(p->src, ip + 12, 4);
		memcpy(p->dst, ip + 16, 4);
		len = (ip[2] << 8 | ip[3]) - 20;
		ip += 20;
	} else if (n >= 54 && b[12] == 0x86 && b[13] == 0xdd) {
		p->family = AF_INET6;
		p->tos = ip[0] << 4 | ip[1] >> 4;
		p->proto = ip[6];
		memcpy(p->src, ip + 8, 16);
		memcpy(p->dst, ip + 24, 16);
		len = ip[4] << 8 | ip[5];
		ip += 40;
	} else {
		return false;
	}
	if (len < 1 || ip + len > b + n)
		return false;
	p->len = len;
	memcpy(p->b, ip, len);
	if (p->proto == IPPROTO_UDP)
		return parse_udp(p);
	return p->proto == IPPROTO_HOMA || p->proto == IPPROTO_TCP ||
	       (p->proto == IPPROTO_ICMP && ip[0] == 3) ||
	       (p->proto == IPPROTO_ICMPV6 && ip[0] == 1);
}

/* Reads a frame, if there is one; *@ours: this socket has sent it. */
static int read_frame(uint8_t *frame, int size, bool *ours)
{
	struct sockaddr_ll from;
	socklen_t fromlen = sizeof(from);
	int n;

	*ours = false;
	if (in_pieces())
		return read(wnet.fd, frame, size);
	n = recvfrom(wnet.fd, frame, size, MSG_DONTWAIT,
		     (struct sockaddr *)&from, &fromlen);
	*ours = n > 0 && from.sll_pkttype == PACKET_OUTGOING;
	return n;
}

bool w_recv(struct wpkt *p, int ms)
{
	static uint8_t frame[70000];
	int64_t end = now_ms() + ms;
	bool ours;
	int n;

	for (;;) {
		n = read_frame(frame, sizeof(frame), &ours);
		if (n > 0 && !ours && parse(p, frame, n)) {
			pcap_frame(frame, n);
			return true;
		}
		if (n > 0)
			continue;
		if (now_ms() >= end || !readable_within(wnet.fd, end - now_ms()))
			return false;
	}
}

bool w_find(struct wpkt *p, int type, int ms)
{
	int64_t end = now_ms() + ms, left;

	while ((left = end - now_ms()) >= 0 && w_recv(p, left))
		if (w_is_homa(p) && p->b[AT_TYPE] == type)
			return true;
	return false;
}

void w_expect(struct wpkt *p, int type, int ms)
{
	ASSERT(w_find(p, type, ms), "no %s packet within %d ms",
	       w_type_name(type), ms);
}

bool w_find_icmp(struct wpkt *p, int ms)
{
	int64_t end = now_ms() + ms, left;

	while ((left = end - now_ms()) >= 0 && w_recv(p, left))
		if (p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6)
			return true;
	return false;
}

bool w_quiet(int ms)
{
	static struct wpkt p;

	if (!w_recv(&p, ms))
		return true;
	printf("# unexpected packet: protocol %d %s, %d bytes\n", p.proto,
	       w_is_homa(&p) ? w_type_name(p.b[AT_TYPE]) : "",
	       p.len);
	return false;
}

void w_drain(void)
{
	static struct wpkt p;

	while (w_recv(&p, 0))
		;
}

void w_turn(struct wpkt *p)
{
	uint8_t addr[16];
	uint16_t port = get16(p, AT_SPORT);

	memcpy(addr, p->src, 16);
	memcpy(p->src, p->dst, 16);
	memcpy(p->dst, addr, 16);
	put16(p, AT_SPORT, get16(p, AT_DPORT));
	put16(p, AT_DPORT, port);
}

static uint32_t checksum(const struct wpkt *p)
{
	return sum16(p->b, p->len, pseudo_sum(p, IPPROTO_TCP, p->len));
}

bool w_checksum_ok(const struct wpkt *p)
{
	if (p->proto == IPPROTO_UDP)
		return !get16(p, AT_CHECKSUM) && !p->udp_unsummed && !p->udp_wrong;
	return checksum(p) == 0xffff;
}

void w_fill_checksum(struct wpkt *p)
{
	put16(p, AT_CHECKSUM, 0);
	put16(p, AT_CHECKSUM, ~checksum(p));
}

void w_same(const struct wpkt *got, const struct wpkt *want)
{
	const char *name = w_type_name(want->b[AT_TYPE]);

	EXPECT_EQ(got->proto, want->proto);
	EXPECT(!memcmp(got->src, want->src, 16), "%s: source address", name);
	EXPECT(!memcmp(got->dst, want->dst, 16), "%s: destination", name);
	EXPECT(got->tos == want->tos, "%s: TOS: got %02x want %02x", name,
	       got->tos, want->tos);
	EXPECT(got->len == want->len, "%s: length: got %d want %d", name,
	       got->len, want->len);
	EXPECT(w_checksum_ok(got), "%s: checksum %04x is wrong", name,
	       get16(got, AT_CHECKSUM));
	for (int i = 0; i < got->len && i < want->len; i++) {
		if (i == AT_CHECKSUM || i == AT_CHECKSUM + 1)
			continue;
		if (!EXPECT(got->b[i] == want->b[i],
			    "%s: byte %d: got %02x want %02x", name, i,
			    got->b[i], want->b[i]))
			return;
	}
}

bool w_payload_ok(const struct wpkt *p, uint32_t seed)
{
	uint32_t start = get32(p, AT_OFFSET);
	int len = p->len - AT_DATA;
	char *all;
	bool ok;

	if (start == W_IN_SEQUENCE)
		start = get32(p, AT_SEQUENCE);
	all = malloc(start + len + 1);
	payload_fill(all, start + len, seed);
	ok = !memcmp(all + start, p->b + AT_DATA, len);
	free(all);
	return ok;
}

uint64_t w_new_id(void)
{
	static uint64_t next;

	if (!next)
		next = (uint64_t)getpid() << 32 | 0x1000;
	next += 2;
	return next;
}

/* As w_ask(); @ms is for the request. */
static bool ask_within(const struct hsock *server, int family, struct wpkt *p, int ms)
{
	int port = hsock_port(server);
	uint64_t id = w_new_id();
	struct hmsg m;

	w_drain();
	w_data(p, family, CLIENT_PORT, port, id, 10, 0, 10, 1);
	w_send(p);
	if (hsock_recv_within(server, &m, 0, ms) != 10)
		return false;
	EXPECT_EQ(m.args.id, id ^ 1);
	EXPECT(payload_ok(server, &m, 1), "wrong bytes in the request");
	hsock_return(server, &m);
	ASSERT_RC(hsock_reply(server, &m.from, m.args.id, "yes", 3), 0);
	do {
		ASSERT(w_recv(p, 1000), "no response");
	} while (p->b[AT_TYPE] != W_DATA || get64(p, AT_ID) != (id ^ 1));
	EXPECT(p->len == AT_DATA + 3 && !memcmp(p->b + AT_DATA, "yes", 3),
	       "wrong response");
	w_send_control(family, W_ACK, CLIENT_PORT, port, id);
	return true;
}

bool w_ask(const struct hsock *server, int family, struct wpkt *p)
{
	return ask_within(server, family, p, 50);
}

void w_probe(const struct hsock *server, int family)
{
	static struct wpkt p;

	ASSERT(ask_within(server, family, &p, 1000), "no request");
	EXPECT(w_is_homa(&p), "the response came in another way");
}
