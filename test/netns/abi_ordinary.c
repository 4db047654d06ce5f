// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* What every socket has: options of SOL_SOCKET, IP and IPv6, addresses, errors.
 *
 * desc: options, addresses, default peers and errors as ordinary sockets have them
 * lab: --no-topology
 * flavor: fast debug
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "counters.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99
#define PEER4 "10.9.0.2"
#define PEER6 "fd09::2"

static struct {
	int ns;		/* 10.9.0.1, fd09::1 */
	int other;	/* 10.9.0.2, fd09::2 */
} env;

static const int families[] = { AF_INET, AF_INET6 };

#define FOR_FAMILY_INDICES(i) for (int i = 0; i < 2 && (ktap_label("family %d", \
				   families[i]), 1); i++)

static const char *peer_ip(int family)
{
	return family == AF_INET ? PEER4 : PEER6;
}

static const char *lo_ip(int family)
{
	return family == AF_INET ? "127.0.0.1" : "::1";
}

static int set_int(const struct hsock *hs, int level, int name, int value)
{
	return setsockopt(hs->fd, level, name, &value, sizeof(value)) ?
	       -errno : 0;
}

static int get_int(const struct hsock *hs, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	if (getsockopt(hs->fd, level, name, &value, &len))
		return -errno;
	return value;
}

/* A request of one byte to a server that answers; 0 or -errno. */
static int try_rpc(const struct hsock *hs, const char *ip, int port)
{
	union haddr to = haddr_of(hs->family, ip, port);

	return round_trip(hs, &to, 10, 1, 1000);
}

static int try_bind(const struct hsock *hs, const char *ip, int port)
{
	union haddr addr = haddr_of(hs->family, ip, port);

	return bind(hs->fd, &addr.sa, haddr_len(&addr)) ? -errno : 0;
}

static void rcvtimeo_ends_a_wait(void)
{
	struct hsock hs = hsock_open(env.ns, ktap_family);
	struct timeval tv = { .tv_usec = 50000 };
	int64_t start;
	struct hmsg m;

	ASSERT_EQ(setsockopt(hs.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)),
		  0);
	start = now_ms();
	EXPECT_RC(hsock_recv(&hs, &m, 0, 0), -EAGAIN);
	EXPECT_GE(now_ms() - start, 49);
	EXPECT_GE(1000, now_ms() - start);
}

/* Two sockets of a host talk to the same peer; only one has a mark. */
static void mark_is_of_one_socket(void)
{
	struct echoer e4, e6;

	ns_run(env.ns, "ip rule add fwmark 7 table 77");
	ns_run(env.ns, "ip -6 rule add fwmark 7 table 77");
	ns_run(env.ns, "ip route add unreachable default table 77");
	ns_run(env.ns, "ip -6 route add unreachable default table 77");
	echoer_start(&e4, env.other, AF_INET, PORT);
	echoer_start(&e6, env.other, AF_INET6, PORT + 1);
	FOR_FAMILY_INDICES(i) {
		struct hsock marked = hsock_open(env.ns, families[i]);
		struct hsock plain = hsock_open(env.ns, families[i]);
		const char *ip = peer_ip(families[i]);

		ASSERT_RC(set_int(&marked, SOL_SOCKET, SO_MARK, 7), 0);
		EXPECT_RC(try_rpc(&marked, ip, PORT + i), -EHOSTUNREACH);
		EXPECT_RC(try_rpc(&plain, ip, PORT + i), 0);
		EXPECT_RC(try_rpc(&marked, ip, PORT + i), -EHOSTUNREACH);
		EXPECT_RC(set_int(&marked, SOL_SOCKET, SO_MARK, 0), 0);
		EXPECT_RC(try_rpc(&marked, ip, PORT + i), 0);
	}
}

/* Packets that class 1:2 of the device has got so far. */
static int class_packets(void)
{
	char text[32] = "";
	FILE *out;

	ns_enter(env.ns);
	out = popen("tc -s class show dev v0 | awk '/class prio 1:2/ { on = 1 }"
		    " /Sent/ && on { print $4; exit }'", "r");
	ASSERT(out && fgets(text, sizeof(text), out), "no class");
	pclose(out);
	return atoi(text);
}

static void priority_reaches_the_device(void)
{
	struct echoer e;
	int before;

	ns_run(env.ns, "tc qdisc add dev v0 root handle 1: prio bands 2 "
	       "priomap 0 0 0 0 0 1 0 0 0 0 0 0 0 0 0 0");
	echoer_start(&e, env.other, AF_INET6, PORT);
	FOR_FAMILY_INDICES(i) {
		struct hsock hs = hsock_open(env.ns, families[i]);

		before = class_packets();
		EXPECT_RC(try_rpc(&hs, peer_ip(families[i]), PORT), 0);
		EXPECT_EQ(class_packets(), before);
		ASSERT_RC(set_int(&hs, SOL_SOCKET, SO_PRIORITY, 5), 0);
		EXPECT_RC(try_rpc(&hs, peer_ip(families[i]), PORT), 0);
		EXPECT_GE(class_packets(), before + 1);
	}
}

static int bind_device(const struct hsock *hs, const char *dev)
{
	return setsockopt(hs->fd, SOL_SOCKET, SO_BINDTODEVICE, dev,
			  strlen(dev) + 1) ? -errno : 0;
}

static void bound_to_a_device(void)
{
	FOR_FAMILY_INDICES(i) {
		struct hsock near = hsock_open(env.other, families[i]);
		struct hsock far = hsock_open(env.ns, families[i]);
		struct echoer e;

		echoer_start(&e, env.other, families[i], PORT + i);
		EXPECT_RC(try_rpc(&far, peer_ip(families[i]), PORT + i), 0);
		ASSERT_RC(bind_device(&e.hs, "lo"), 0);
		EXPECT_RC(try_rpc(&far, peer_ip(families[i]), PORT + i),
			  -ENOTCONN);
		EXPECT_RC(try_rpc(&near, lo_ip(families[i]), PORT + i), 0);
		ASSERT_RC(bind_device(&far, "lo"), 0);
		EXPECT(try_rpc(&far, peer_ip(families[i]), PORT + i) < 0,
		       "a socket bound to lo reached another host");
	}
}

/* Two hosts have the same address, each in a VRF of its own. */
static void same_address_in_two_vrfs(void)
{
	static const char * const vrfs[] = { "red", "blue" };
	int ns = ns_new(), peers[2];
	struct echoer e[2];

	for (int i = 0; i < 2; i++) {
		peers[i] = ns_new();
		ns_join(ns, peers[i], 1500);
		ns_run(ns, "ip link add %s type vrf table %d && "
		       "ip link set %s up && ip link set v0 down && "
		       "ip link set v0 name v%s && ip link set v%s master %s up",
		       vrfs[i], 100 + i, vrfs[i], vrfs[i], vrfs[i], vrfs[i]);
		ns_run(ns, "ip addr replace 10.9.0.1/24 dev v%s && "
		       "ip addr replace fd09::1/64 dev v%s nodad", vrfs[i],
		       vrfs[i]);
		echoer_start(&e[i], peers[i], AF_INET6, PORT);
	}
	FOR_FAMILY_INDICES(f) {
		struct hsock hs[2];

		for (int i = 0; i < 2; i++) {
			hs[i] = hsock_open(ns, families[f]);
			ASSERT_RC(bind_device(&hs[i], vrfs[i]), 0);
		}
		for (int i = 0; i < 10; i++) {
			int served[2] = { e[0].served, e[1].served };

			EXPECT_RC(try_rpc(&hs[i & 1], peer_ip(families[f]),
					  PORT), 0);
			EXPECT_EQ(e[i & 1].served, served[i & 1] + 1);
			EXPECT_EQ(e[!(i & 1)].served, served[!(i & 1)]);
		}
	}
}

/* A packet socket for what device v0 of the other host sees. */
static int watch_open(int family)
{
	struct sockaddr_ll ll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(family == AF_INET6 ? ETH_P_IPV6 : ETH_P_IP),
	};
	int fd;

	ns_enter(env.other);
	fd = socket(AF_PACKET, SOCK_DGRAM, 0);
	ll.sll_ifindex = if_nametoindex("v0");
	ASSERT_EQ(bind(fd, (void *)&ll, sizeof(ll)), 0);
	return fd;
}

/* Sends a request, and returns the IP header of the first packet that it sends. */
static const uint8_t *watch_rpc(int fd, const struct hsock *hs)
{
	static uint8_t b[2000];
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (recv(fd, b, sizeof(b), MSG_DONTWAIT) > 0)
		;
	EXPECT_RC(try_rpc(hs, peer_ip(hs->family), PORT), 0);
	while (poll(&p, 1, 1000) == 1) {
		if (recv(fd, b, sizeof(b), 0) < 40)
			continue;
		if (hs->family == AF_INET && b[0] == 0x45 && b[9] == IPPROTO_HOMA)
			return b;
		if (hs->family == AF_INET6 && b[0] >> 4 == 6 &&
		    b[6] == IPPROTO_HOMA)
			return b;
	}
	ASSERT(false, "no packet");
	return b;
}

static void tos_has_what_priorities_leave(void)
{
	static const struct { int set; int seen; } rows[] = {
		{ 0, 0 }, { 0x08, 0x08 }, { 0xfc, 0x1c }, { 0x11, 0x10 },
	};
	struct echoer e;

	echoer_start(&e, env.other, AF_INET6, PORT);
	FOR_FAMILY_INDICES(i) {
		int v6 = families[i] == AF_INET6;
		struct hsock hs = hsock_open(env.ns, families[i]);
		int fd = watch_open(families[i]);

		for (int k = 0; k < ARRAY_LEN(rows); k++) {
			const uint8_t *b;
			int seen;

			ktap_label("family %d TOS %x", families[i], rows[k].set);
			EXPECT_RC(v6 ? set_int(&hs, SOL_IPV6, IPV6_TCLASS,
					       rows[k].set) :
				       set_int(&hs, SOL_IP, IP_TOS,
					       rows[k].set), 0);
			b = watch_rpc(fd, &hs);
			seen = v6 ? (b[0] & 15) << 4 | b[1] >> 4 : b[1];
			EXPECT_EQ(seen & 0x1f, rows[k].seen);
			EXPECT(seen >> 5 == 6 || seen >> 5 == 7,
			       "priority %d", seen >> 5);
		}
	}
}

/* IPv4 says in each packet whether it may be fragmented on its way. */
static void mtu_discover_is_obeyed(void)
{
	static const struct { int set; int df; } rows[] = {
		{ IP_PMTUDISC_DO, 1 }, { IP_PMTUDISC_DONT, 0 },
		{ IP_PMTUDISC_WANT, 1 },
	};
	struct echoer e;

	echoer_start(&e, env.other, AF_INET6, PORT);
	FOR_FAMILY_INDICES(i) {
		int v6 = families[i] == AF_INET6, level = v6 ? SOL_IPV6 : SOL_IP;
		int name = v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER;
		struct hsock hs = hsock_open(env.ns, families[i]);
		union haddr to = haddr_of(families[i], peer_ip(families[i]), PORT);
		int fd = watch_open(families[i]);

		for (int k = 0; k < ARRAY_LEN(rows); k++) {
			const uint8_t *b;

			ktap_label("family %d value %d", families[i], rows[k].set);
			ASSERT_RC(set_int(&hs, level, name, rows[k].set), 0);
			EXPECT_EQ(get_int(&hs, level, name), rows[k].set);
			b = watch_rpc(fd, &hs);
			if (!v6)
				EXPECT_EQ(!!(b[6] & 0x40), rows[k].df);
		}
		EXPECT_RC(set_int(&hs, level, name, 99), -EINVAL);
		EXPECT_RC(get_int(&hs, level, v6 ? IPV6_MTU : IP_MTU), -ENOTCONN);
		ASSERT_RC(connect(hs.fd, &to.sa, haddr_len(&to)), 0);
		EXPECT_EQ(get_int(&hs, level, v6 ? IPV6_MTU : IP_MTU), 1500);
	}
}

static void ttl_is_obeyed(void)
{
	struct echoer e;

	echoer_start(&e, env.other, AF_INET6, PORT);
	FOR_FAMILY_INDICES(i) {
		struct hsock hs = hsock_open(env.ns, families[i]);
		int level = families[i] == AF_INET ? SOL_IP : SOL_IPV6;
		int name = families[i] == AF_INET ? IP_TTL : IPV6_UNICAST_HOPS;

		EXPECT_RC(set_int(&hs, level, name, 9), 0);
		EXPECT_EQ(get_int(&hs, level, name), 9);
		EXPECT_RC(set_int(&hs, level, name, 1000), -EINVAL);
		EXPECT_RC(try_rpc(&hs, peer_ip(families[i]), PORT), 0);
	}
}

static void v6only_has_no_ipv4(void)
{
	struct hsock hs = hsock_open(env.ns, AF_INET6);
	struct hsock client = hsock_open(env.ns, AF_INET);
	struct echoer e;

	echoer_start(&e, env.other, AF_INET6, PORT);
	EXPECT_EQ(get_int(&e.hs, SOL_IPV6, IPV6_V6ONLY), 0);
	EXPECT_RC(try_rpc(&hs, PEER4, PORT), 0);
	EXPECT_RC(set_int(&hs, SOL_IPV6, IPV6_V6ONLY, 1), 0);
	EXPECT_RC(try_rpc(&hs, PEER4, PORT), -ENETUNREACH);
	EXPECT_RC(try_rpc(&hs, PEER6, PORT), 0);
	EXPECT_RC(set_int(&hs, SOL_IPV6, IPV6_V6ONLY, 0), 0);
	EXPECT_RC(try_rpc(&hs, PEER4, PORT), 0);

	EXPECT_RC(set_int(&e.hs, SOL_IPV6, IPV6_V6ONLY, 1), 0);
	EXPECT_EQ(get_int(&e.hs, SOL_IPV6, IPV6_V6ONLY), 1);
	EXPECT_RC(try_rpc(&client, PEER4, PORT), -ENOTCONN);
	EXPECT_RC(try_rpc(&hs, PEER6, PORT), 0);
	EXPECT_RC(set_int(&client, SOL_IPV6, IPV6_V6ONLY, 1), -ENOPROTOOPT);
}

static void bound_to_an_address(void)
{
	static const char * const ip[2][3] = {
		{ "127.0.0.1", "127.0.0.2", "203.0.113.9" },
		{ "::1", "fd09::2", "fd99::9" },
	};

	FOR_FAMILY_INDICES(i) {
		struct hsock hs = hsock_open(env.other, families[i]);
		struct hsock bare = hsock_bare(env.other, families[i]);
		int level = families[i] == AF_INET ? SOL_IP : SOL_IPV6;
		union haddr name, want = haddr_of(families[i], ip[i][1],
						  PORT + i);
		socklen_t len = sizeof(name);
		struct echoer e;

		EXPECT_RC(try_bind(&bare, ip[i][2], 70), -EADDRNOTAVAIL);
		EXPECT_GE(hsock_port(&bare), 0x8000);
		EXPECT_RC(set_int(&bare, level, families[i] == AF_INET ?
				  IP_FREEBIND : IPV6_FREEBIND, 1), 0);
		EXPECT_RC(try_bind(&bare, ip[i][2], 70 + i), 0);
		echoer_start(&e, env.other, families[i], 80 + i);
		EXPECT_RC(try_bind(&e.hs, ip[i][1], PORT + i), 0);
		EXPECT_EQ(getsockname(e.hs.fd, &name.sa, &len), 0);
		EXPECT(haddr_equal(&name, &want), "name differs");
		EXPECT_RC(try_rpc(&hs, ip[i][1], PORT + i), 0);
		EXPECT_RC(try_rpc(&hs, ip[i][0], PORT + i), -ENOTCONN);
		EXPECT_RC(try_bind(&e.hs, families[i] == AF_INET ? "0.0.0.0" :
				   "::", PORT + i), 0);
		EXPECT_RC(try_rpc(&hs, ip[i][0], PORT + i), 0);
	}
}

/* Port 0 keeps the port; requests then come from the address. */
static void bound_address_is_the_source(void)
{
	static const char * const ip[] = { "10.9.0.77", "fd09::77" };

	ns_run(env.ns, "ip addr add 10.9.0.77/24 dev v0");
	ns_run(env.ns, "ip addr add fd09::77/64 dev v0 nodad "
	       "preferred_lft 0");
	FOR_FAMILY_INDICES(i) {
		struct hsock server = hsock_server(env.other, families[i],
						   PORT + i);
		struct hsock hs = hsock_open(env.ns, families[i]);
		struct hsock plain = hsock_open(env.ns, families[i]);
		union haddr to = haddr_of(families[i], peer_ip(families[i]),
					  PORT + i), want;
		int port = hsock_port(&hs);
		struct hmsg m;
		uint64_t id;

		EXPECT_RC(try_bind(&hs, ip[i], 0), 0);
		EXPECT_EQ(hsock_port(&hs), port);
		ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
		ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 1);
		want = haddr_of(families[i], ip[i], port);
		EXPECT(haddr_equal(&m.from, &want), "source differs");
		ASSERT_RC(hsock_request(&plain, &to, "x", 1, &id), 0);
		ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 1);
		want = haddr_of(families[i], i ? "fd09::1" : "10.9.0.1",
				hsock_port(&plain));
		EXPECT(haddr_equal(&m.from, &want), "source is shared");
	}
}

static void scope_must_fit_the_device(void)
{
	struct hsock hs = hsock_bare(env.ns, AF_INET6);
	struct homa_sendmsg_args args = { 0 };
	union haddr to = haddr_of(AF_INET6, "fe80::99", PORT);
	int v0, lo;

	ns_enter(env.ns);
	v0 = if_nametoindex("v0");
	lo = if_nametoindex("lo");
	to.in6.sin6_scope_id = lo;
	ASSERT_RC(bind_device(&hs, "v0"), 0);
	EXPECT_RC(hsock_sendmsg(&hs, &to, "x", 1, &args, 0), -EINVAL);
	to.in6.sin6_scope_id = v0;
	EXPECT_RC(hsock_sendmsg(&hs, &to, "x", 1, &args, 0), 0);
	to.in6.sin6_scope_id = 0;
	args.id = 0;
	EXPECT_RC(hsock_sendmsg(&hs, &to, "x", 1, &args, 0), 0);
	hs = hsock_bare(env.ns, AF_INET6);
	EXPECT_RC(try_bind(&hs, "fe80::1", PORT), -EINVAL);
}

static ssize_t send_unnamed(const struct hsock *hs, uint64_t *id)
{
	struct homa_sendmsg_args args = { 0 };
	struct iovec iov = { "hello", 5 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &args,
	};
	ssize_t rc = sendmsg(hs->fd, &msg, 0);

	*id = args.id;
	return rc < 0 ? -errno : rc;
}

static void connect_gives_a_default_peer(void)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	FOR_FAMILY_INDICES(i) {
		struct hsock server = hsock_server(env.other, families[i],
						   PORT + i);
		struct hsock hs = hsock_open(env.ns, families[i]);
		union haddr to = haddr_of(families[i], peer_ip(families[i]),
					  PORT + i), name;
		socklen_t len = sizeof(name);
		struct hmsg m;
		uint64_t id;

		EXPECT_RC(send_unnamed(&hs, &id), -EINVAL);
		EXPECT_RC(connect(hs.fd, &to.sa, haddr_len(&to)), 0);
		EXPECT_EQ(getpeername(hs.fd, &name.sa, &len), 0);
		EXPECT(haddr_equal(&name, &to), "peer's name differs");
		EXPECT_RC(send_unnamed(&hs, &id), 0);
		ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 5);
		hsock_reply(&server, &m.from, m.args.id, "yes", 3);
		EXPECT_RC(hsock_recv_within(&hs, &m, 0, 1000), 3);
		EXPECT_RC(connect(hs.fd, &none, sizeof(none)), 0);
		EXPECT_RC(send_unnamed(&hs, &id), -EINVAL);
		EXPECT_RC(getpeername(hs.fd, &name.sa, &len) ? -errno : 0,
			  -ENOTCONN);
		EXPECT_RC(try_bind(&hs, i ? "fd09::1" : "10.9.0.1", 200 + i), 0);
		EXPECT_RC(connect(hs.fd, &to.sa, haddr_len(&to)), 0);
		EXPECT_RC(connect(hs.fd, &none, sizeof(none)), 0);
		len = sizeof(name);
		getsockname(hs.fd, &name.sa, &len);
		to = haddr_of(families[i], i ? "fd09::1" : "10.9.0.1", 200 + i);
		EXPECT(haddr_equal(&name, &to), "bound address was lost");
	}
}

static void queue_lengths(void)
{
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = haddr_of(ktap_family, lo_ip(ktap_family), PORT);
	struct ifreq ifr = { .ifr_name = "lo" };
	static char buf[3000];
	struct hmsg m;
	int n = -1;
	uint64_t id;

	EXPECT_EQ(ioctl(server.fd, SIOCINQ, &n), 0);
	EXPECT_EQ(n, 0);
	EXPECT_EQ(ioctl(hs.fd, SIOCOUTQ, &n), 0);
	EXPECT_EQ(n, 0);
	ASSERT_RC(hsock_request(&hs, &to, buf, 3000, &id), 0);
	ASSERT_RC(hsock_request(&hs, &to, buf, 100, &id), 0);
	EXPECT(readable_within(server.fd, 1000), "no request");
	EXPECT_EQ(ioctl(server.fd, SIOCINQ, &n), 0);
	EXPECT_EQ(n, 3000);
	EXPECT_EQ(ioctl(hs.fd, SIOCOUTQ, &n), 0);
	EXPECT_GE(n, 3100);
	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(hsock_recv_within(&server, &m, 0, 1000) > 0, 1);
		hsock_reply(&server, &m.from, m.args.id, "yes", 3);
		ASSERT_RC(hsock_recv_within(&hs, &m, 0, 1000), 3);
	}
	EXPECT(WAIT_FOR(!ioctl(hs.fd, SIOCOUTQ, &n) && !n, 1000),
	       "%d bytes left", n);
	EXPECT_EQ(ioctl(hs.fd, SIOCOUTQ, (void *)8) ? -errno : 0, -EFAULT);
	EXPECT_EQ(ioctl(hs.fd, SIOCGIFADDR, &ifr) ? -errno : 0, 0);
	EXPECT_EQ(((struct sockaddr_in *)&ifr.ifr_addr)->sin_addr.s_addr,
		  htonl(INADDR_LOOPBACK));
}

/* Takes one error from the queue; its data is the quoted Homa header. */
static int take_error(const struct hsock *hs, uint64_t id, union haddr *to,
		      union haddr *offender, int *code)
{
	char control[256], data[100];
	union haddr from;
	struct iovec iov = { data, sizeof(data) };
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from),
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct sock_extended_err *ee;
	struct cmsghdr *cm;
	uint64_t quoted;
	ssize_t rc = recvmsg(hs->fd, &msg, MSG_ERRQUEUE);

	if (rc < 0)
		return -errno;
	EXPECT(msg.msg_flags & MSG_ERRQUEUE, "flags %x", msg.msg_flags);
	EXPECT_GE(rc, 28);
	memcpy(&quoted, data + 20, 8);
	EXPECT_EQ(be64toh(quoted), id);
	EXPECT(haddr_equal(&from, to), "destination differs");
	cm = CMSG_FIRSTHDR(&msg);
	ASSERT(cm, "no control message");
	ee = (struct sock_extended_err *)CMSG_DATA(cm);
	memcpy(offender, SO_EE_OFFENDER(ee), hs->family == AF_INET ?
	       sizeof(offender->in4) : sizeof(offender->in6));
	*code = ee->ee_code;
	return ee->ee_errno;
}

static void errors_are_queued(void)
{
	FOR_FAMILY_INDICES(i) {
		struct hsock hs = hsock_open(env.ns, families[i]);
		union haddr to = haddr_of(families[i], peer_ip(families[i]),
					  4000), offender;
		struct pollfd p = { .fd = hs.fd };
		struct hmsg m;
		uint64_t id;
		int code;

		ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
		EXPECT_RC(hsock_recv_within(&hs, &m, 0, 1000), -ENOTCONN);
		EXPECT_RC(take_error(&hs, id, &to, &offender, &code), -EAGAIN);
		ASSERT_RC(i ? set_int(&hs, SOL_IPV6, IPV6_RECVERR, 1) :
			      set_int(&hs, SOL_IP, IP_RECVERR, 1), 0);
		ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
		EXPECT_EQ(poll(&p, 1, 1000), 1);
		EXPECT_EQ(p.revents & POLLERR, POLLERR);
		EXPECT_RC(take_error(&hs, id, &to, &offender, &code), ENOTCONN);
		EXPECT_EQ(code, i ? 4 : 3);	/* port unreachable */
		EXPECT(i ? !memcmp(&offender.in6.sin6_addr, &to.in6.sin6_addr,
				   16) :
			   offender.in4.sin_addr.s_addr ==
			   to.in4.sin_addr.s_addr, "offender differs");
		EXPECT_RC(take_error(&hs, id, &to, &offender, &code), -EAGAIN);
		EXPECT_RC(hsock_recv_within(&hs, &m, 0, 1000), -ENOTCONN);
		EXPECT_EQ(poll(&p, 1, 0), 0);
	}
}

static void failed_peer_is_named(void)
{
	FOR_FAMILY_INDICES(i) {
		struct hsock hs = hsock_open(env.ns, families[i]);
		union haddr to = haddr_of(families[i], peer_ip(families[i]),
					  4000);
		struct hmsg m;
		uint64_t id;

		ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
		EXPECT_RC(hsock_recv_within(&hs, &m, 0, 1000), -ENOTCONN);
		EXPECT_EQ(m.args.id, id);
		EXPECT_EQ(m.args.num_bpages, 0);
		EXPECT(!memcmp(&m.args.peer, &to, haddr_len(&to)),
		       "peer differs");
		hsock_private(&hs, &to, "x", 1, &id);
		EXPECT_RC(hsock_recv_within(&hs, &m, id, 1000), -ENOTCONN);
		EXPECT(!memcmp(&m.args.peer, &to, haddr_len(&to)),
		       "peer differs");
	}
}

static void filter_drops_packets(void)
{
	struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog prog = { 1, &drop };
	struct counters before;
	int none = 0;
	struct echoer e;

	ns_sysctl(env.ns, "timeout_ticks", "50");
	echoer_start(&e, env.other, AF_INET6, PORT);
	FOR_FAMILY_INDICES(i) {
		struct hsock hs = hsock_open(env.ns, families[i]);

		ASSERT_EQ(setsockopt(e.hs.fd, SOL_SOCKET, SO_ATTACH_FILTER,
				     &prog, sizeof(prog)), 0);
		counters_read(env.other, &before);
		EXPECT_RC(try_rpc(&hs, peer_ip(families[i]), PORT), -ETIMEDOUT);
		EXPECT_GE(counters_grew(env.other, &before, "rx_policy"), 1);
		ASSERT_EQ(setsockopt(e.hs.fd, SOL_SOCKET, SO_DETACH_FILTER,
				     &none, sizeof(none)), 0);
		EXPECT_RC(try_rpc(&hs, peer_ip(families[i]), PORT), 0);
	}
}

static void child_receives_in_its_own_memory(void)
{
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = haddr_of(ktap_family, lo_ip(ktap_family), PORT);
	int status = -1;
	struct hmsg m;
	uint64_t id;
	pid_t pid;

	ASSERT_RC(hsock_request(&hs, &to, "child", 5, &id), 0);
	pid = fork();
	if (!pid) {
		if (hsock_recv_within(&server, &m, 0, 1000) != 5)
			_exit(1);
		_exit(memcmp(server.region + m.args.bpage_offsets[0], "child",
			     5) ? 2 : 0);
	}
	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT_EQ(status, 0);
	EXPECT(memcmp(server.region, "child", 5), "the parent has it, too");

	/* The region is not there, as after exec. */
	ASSERT_RC(hsock_request(&hs, &to, "child", 5, &id), 0);
	ASSERT_EQ(munmap(server.region, server.length), 0);
	EXPECT_RC(hsock_recv_within(&server, &m, 0, 1000), -EFAULT);
}

/* Where nothing else is, in any program. */
#define FAR_REGION ((char *)0x100000000)
#define FAR_LENGTH (16 << 20)
#define AFTER_EXEC "after-exec"

static void far_map(void)
{
	void *p = mmap(FAR_REGION, FAR_LENGTH, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
		       MAP_FIXED_NOREPLACE, -1, 0);

	ASSERT(p == FAR_REGION, "mmap: %s", strerror(errno));
}

/* A server whose region is at a known place. */
static struct hsock far_server(void)
{
	struct homa_rcvbuf_args args = { (uintptr_t)FAR_REGION, FAR_LENGTH };
	struct hsock hs = hsock_bare(env.ns, ktap_family);

	far_map();
	ASSERT_EQ(setsockopt(hs.fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &args,
			     sizeof(args)), 0);
	ASSERT_RC(hsock_bind(&hs, PORT), 0);
	hs.region = FAR_REGION;
	hs.length = FAR_LENGTH;
	return hs;
}

/* What another program does with the socket: without the region's memory a
 * message is lost, with it the next one is received. Returns an exit status.
 */
static int receive_elsewhere(int fd)
{
	struct hsock hs = { .fd = fd, .region = FAR_REGION };
	struct hmsg m;

	if (hsock_recv_within(&hs, &m, 0, 1000) != -EFAULT || !m.args.id)
		return 1;
	far_map();
	if (hsock_recv_within(&hs, &m, 0, 1000) != 5)
		return 2;
	return memcmp(FAR_REGION + m.args.bpage_offsets[0], "again", 5) ? 3 : 0;
}

static void send_twice(void)
{
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = haddr_of(ktap_family, lo_ip(ktap_family), PORT);
	uint64_t id;

	ASSERT_RC(hsock_request(&hs, &to, "first", 5, &id), 0);
	ASSERT_RC(hsock_request(&hs, &to, "again", 5, &id), 0);
}

static void child_succeeds(pid_t pid)
{
	int status = -1;

	EXPECT_EQ(waitpid(pid, &status, 0), pid);
	EXPECT(WIFEXITED(status) && !WEXITSTATUS(status), "status %x", status);
}

static void program_receives_after_exec(void)
{
	struct hsock server = far_server();
	char number[12];
	pid_t pid;

	send_twice();
	snprintf(number, sizeof(number), "%d", server.fd);
	pid = fork();
	if (!pid) {
		execl("/proc/self/exe", "abi_ordinary", AFTER_EXEC, number, NULL);
		_exit(9);
	}
	child_succeeds(pid);
	EXPECT(memcmp(server.region, "again", 5), "it is here, too");
}

/* Takes the descriptor that another process has passed. */
static int take_fd(int from)
{
	char data, control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &data, 1 };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control) };

	if (recvmsg(from, &mh, 0) != 1 || !CMSG_FIRSTHDR(&mh))
		return -1;
	return *(int *)CMSG_DATA(CMSG_FIRSTHDR(&mh));
}

static int pass_fd(int to, int fd)
{
	char data = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &data, 1 };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = sizeof(control) };

	*CMSG_FIRSTHDR(&mh) = (struct cmsghdr){
		.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
		.cmsg_len = CMSG_LEN(sizeof(int)),
	};
	*(int *)CMSG_DATA(CMSG_FIRSTHDR(&mh)) = fd;
	return sendmsg(to, &mh, 0) == 1 ? 0 : -errno;
}

static void process_receives_what_is_passed_on(void)
{
	struct hsock server;
	int pair[2];
	pid_t pid;

	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pid = fork();
	if (!pid)
		_exit(receive_elsewhere(take_fd(pair[1])));
	server = far_server();
	send_twice();
	ASSERT_RC(pass_fd(pair[0], server.fd), 0);
	child_succeeds(pid);
	EXPECT(memcmp(server.region, "again", 5), "it is here, too");
}

static void stranger_cannot_be_made_to_receive(void)
{
	struct hsock hs = hsock_bare(env.ns, ktap_family);
	struct hmsg m;

	ASSERT_EQ(seteuid(65534), 0);
	ASSERT_RC(hsock_set_region(&hs, 16 << 20), 0);
	EXPECT_RC(hsock_recv(&hs, &m, 0, MSG_DONTWAIT), -EAGAIN);
	ASSERT_EQ(seteuid(0), 0);
	EXPECT_RC(hsock_recv(&hs, &m, 0, MSG_DONTWAIT), -EACCES);
	ASSERT_EQ(seteuid(65534), 0);
	EXPECT_RC(hsock_recv(&hs, &m, 0, MSG_DONTWAIT), -EAGAIN);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_EACH(rcvtimeo_ends_a_wait),
		KTAP_CASE(bound_to_a_device),
		KTAP_CASE(same_address_in_two_vrfs),
		KTAP_CASE(tos_has_what_priorities_leave),
		KTAP_CASE(mtu_discover_is_obeyed),
		KTAP_CASE(ttl_is_obeyed),
		KTAP_CASE(v6only_has_no_ipv4),
		KTAP_CASE(bound_to_an_address),
		KTAP_CASE(scope_must_fit_the_device),
		KTAP_CASE(connect_gives_a_default_peer),
		KTAP_EACH(queue_lengths),
		KTAP_CASE(errors_are_queued),
		KTAP_CASE(failed_peer_is_named),
		KTAP_EACH(child_receives_in_its_own_memory),
		KTAP_EACH(program_receives_after_exec),
		KTAP_EACH(process_receives_what_is_passed_on),
		KTAP_EACH(stranger_cannot_be_made_to_receive),
		KTAP_CASE(filter_drops_packets),
		/* These leave rules, addresses or queues behind. */
		KTAP_CASE(priority_reaches_the_device),
		KTAP_CASE(bound_address_is_the_source),
		KTAP_CASE(mark_is_of_one_socket),
	};

	if (argc == 3 && !strcmp(argv[1], AFTER_EXEC))
		return receive_elsewhere(atoi(argv[2]));
	env.ns = ns_new();
	env.other = ns_new();
	ns_join(env.ns, env.other, 1500);
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
