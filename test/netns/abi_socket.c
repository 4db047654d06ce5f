// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Sockets, ports and bind: each errno, alone and with all later ones.
 *
 * desc: sockets, ports and bind: every errno, in order
 * lab: --no-topology
 * flavor: fast@quick debug
 * timeout: 300
 */

#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hsock.h"
#include "ktap.h"
#include "ns.h"

static struct {
	int ns;		/* namespace of all cases */
	int other;	/* a second one */
} env;

static int try_socket(int family, int type, int protocol)
{
	int fd = socket(family, type, protocol), rc = fd < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return rc;
}

static void socket_families_and_types(void)
{
	ns_enter(env.ns);
	for (int i = 0; i < 2; i++) {
		int family = i ? AF_INET6 : AF_INET;

		ktap_label("family %d", family);
		EXPECT_RC(try_socket(family, SOCK_DGRAM, IPPROTO_HOMA), 0);
		EXPECT_RC(try_socket(family, SOCK_STREAM, IPPROTO_HOMA),
			  -EPROTONOSUPPORT);
		EXPECT_RC(try_socket(family, SOCK_SEQPACKET, IPPROTO_HOMA),
			  -ESOCKTNOSUPPORT);
	}
}

static void socket_needs_no_privilege(void)
{
	ns_enter(env.ns);
	ASSERT_EQ(setresuid(65534, 65534, 65534), 0);
	EXPECT_RC(try_socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA), 0);
	EXPECT_RC(try_socket(AF_INET6, SOCK_DGRAM, IPPROTO_HOMA), 0);
}

static void socket_options_that_the_kernel_answers(void)
{
	struct hsock hs = hsock_bare(env.ns, ktap_family);
	int value = 0;
	socklen_t len = sizeof(value);

	EXPECT_EQ(getsockopt(hs.fd, SOL_SOCKET, SO_PROTOCOL, &value, &len), 0);
	EXPECT_EQ(value, IPPROTO_HOMA);
	EXPECT_EQ(getsockopt(hs.fd, SOL_SOCKET, SO_TYPE, &value, &len), 0);
	EXPECT_EQ(value, SOCK_DGRAM);
	EXPECT_EQ(getsockopt(hs.fd, SOL_SOCKET, SO_DOMAIN, &value, &len), 0);
	EXPECT_EQ(value, ktap_family);
}

static void sndbuf_is_wmem_max_of_the_namespace(void)
{
	int ns = ns_new(), value = 0;
	socklen_t len = sizeof(value);
	struct hsock hs = hsock_bare(ns, AF_INET);

	EXPECT_EQ(getsockopt(hs.fd, SOL_SOCKET, SO_SNDBUF, &value, &len), 0);
	EXPECT_EQ(value, 100000000);
	ASSERT_RC(ns_sysctl(ns, "wmem_max", "500000"), 0);
	EXPECT_EQ(getsockopt(hs.fd, SOL_SOCKET, SO_SNDBUF, &value, &len), 0);
	EXPECT_EQ(value, 100000000);
	hs = hsock_bare(ns, AF_INET6);
	EXPECT_EQ(getsockopt(hs.fd, SOL_SOCKET, SO_SNDBUF, &value, &len), 0);
	EXPECT_EQ(value, 500000);
	hs = hsock_bare(env.ns, AF_INET);
	EXPECT_EQ(getsockopt(hs.fd, SOL_SOCKET, SO_SNDBUF, &value, &len), 0);
	EXPECT_EQ(value, 100000000);
}

static void default_ports_start_at_0x8000(void)
{
	int ns = ns_new();
	struct hsock a = hsock_bare(ns, AF_INET);
	struct hsock b = hsock_bare(ns, AF_INET6);
	struct hsock c;

	EXPECT_EQ(hsock_port(&a), 0x8000);
	EXPECT_EQ(hsock_port(&b), 0x8001);
	hsock_close(&a);
	c = hsock_bare(ns, AF_INET);
	EXPECT_EQ(hsock_port(&c), 0x8002);
	ns = ns_new();
	a = hsock_bare(ns, AF_INET);
	EXPECT_EQ(hsock_port(&a), 0x8000);
}

static void default_ports_wrap_and_skip_used_ones(void)
{
	int ns = ns_new(), port = 0;
	struct hsock kept = hsock_bare(ns, AF_INET);
	struct hsock hs;

	EXPECT_EQ(hsock_port(&kept), 0x8000);
	ns_enter(ns);
	for (int i = 0x8001; i <= 0xfffe; i++)
		close(socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA));
	hs = hsock_bare(ns, AF_INET);
	EXPECT_EQ(hsock_port(&hs), 0xffff);
	hs = hsock_bare(ns, AF_INET6);
	port = hsock_port(&hs);
	EXPECT_EQ(port, 0x8001);
}

static void all_default_ports_used_is_EADDRNOTAVAIL(void)
{
	struct rlimit limit = { 40000, 40000 };
	int ns = ns_new(), fd, *fds, num = 0;

	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	fds = malloc(sizeof(*fds) * 0x8000);
	ns_enter(ns);
	while (num < 0x8000) {
		fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA);
		ASSERT(fd >= 0, "socket %d: %s", num, strerror(errno));
		fds[num++] = fd;
	}
	EXPECT_RC(try_socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA),
		  -EADDRNOTAVAIL);
	EXPECT_RC(try_socket(AF_INET6, SOCK_DGRAM, IPPROTO_HOMA),
		  -EADDRNOTAVAIL);
	close(fds[12345]);
	EXPECT_RC(try_socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA), 0);
	ns_enter(env.other);
	EXPECT_RC(try_socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA), 0);
}

/* Faults of a bind() call, in the order in which they must be noticed. */
enum {
	BAD_FAMILY = 1,
	SHORT = 2,
	BIG_PORT = 4,
	IS_SHUT = 8,
	IN_USE = 16,
};

static int bind_with_faults(int family, int faults)
{
	struct hsock hs = hsock_bare(env.ns, family);
	struct hsock owner = hsock_bare(env.ns, family);
	int port = 77, rc;
	union haddr addr;
	socklen_t len;

	if (faults & BIG_PORT)
		port = faults & IN_USE ? hsock_port(&owner) : 0x8000;
	else if (faults & IN_USE)
		hsock_bind(&owner, port);
	addr = haddr_of(family, family == AF_INET ? "0.0.0.0" : "::", port);
	len = haddr_len(&addr);
	if (faults & BAD_FAMILY)
		addr.sa.sa_family = family == AF_INET ? AF_INET6 : AF_INET;
	if (faults & SHORT)
		len--;
	if (faults & IS_SHUT)
		shutdown(hs.fd, SHUT_RDWR);
	rc = bind(hs.fd, &addr.sa, len) ? -errno : 0;
	hsock_close(&hs);
	hsock_close(&owner);
	return rc;
}

static void bind_errors_in_order(void)
{
	static const struct {
		int fault;
		int err;
	} rows[] = {
		{ BAD_FAMILY, EAFNOSUPPORT },
		{ SHORT, EINVAL },
		{ BIG_PORT, EINVAL },
		{ IS_SHUT, ESHUTDOWN },
		{ IN_USE, EADDRINUSE },
	};
	int later;

	for (int f = 0; f < 2; f++) {
		int family = f ? AF_INET6 : AF_INET;

		EXPECT_RC(bind_with_faults(family, 0), 0);
		for (int i = 0; i < ARRAY_LEN(rows); i++) {
			later = 0x1f & ~(rows[i].fault - 1);
			ktap_label("family %d row %d", family, i + 1);
			EXPECT_RC(bind_with_faults(family, rows[i].fault),
				  -rows[i].err);
			EXPECT_RC(bind_with_faults(family, later),
				  -rows[i].err);
		}
	}
}

static void bind_lengths(void)
{
	struct hsock v4 = hsock_bare(env.ns, AF_INET);
	struct hsock v6 = hsock_bare(env.ns, AF_INET6);
	union haddr a4 = haddr_of(AF_INET, "0.0.0.0", 80);
	union haddr a6 = haddr_of(AF_INET6, "::", 81);
	int rc;

	for (int len = 2; len < 16; len++)
		EXPECT(bind(v4.fd, &a4.sa, len) && errno == EINVAL,
		       "AF_INET length %d: errno %d", len, errno);
	for (int len = 2; len < 28; len++)
		EXPECT(bind(v6.fd, &a6.sa, len) && errno == EINVAL,
		       "AF_INET6 length %d: errno %d", len, errno);
	for (int len = 0; len < 2; len++) {
		rc = bind(v4.fd, &a4.sa, len) ? -errno : 0;
		EXPECT(rc == -EINVAL || rc == -EAFNOSUPPORT,
		       "length %d: got %d", len, rc);
	}
	EXPECT_EQ(bind(v4.fd, &a4.sa, sizeof(a4.storage)), 0);
	EXPECT_EQ(bind(v6.fd, &a6.sa, sizeof(a6.storage)), 0);
}

static void bind_port_0_does_nothing(void)
{
	struct hsock hs = hsock_bare(env.ns, ktap_family);
	int port = hsock_port(&hs), server = 1;
	socklen_t len = sizeof(server);

	EXPECT_RC(hsock_bind(&hs, 0), 0);
	EXPECT_EQ(hsock_port(&hs), port);
	getsockopt(hs.fd, IPPROTO_HOMA, SO_HOMA_SERVER, &server, &len);
	EXPECT_EQ(server, 0);
	shutdown(hs.fd, SHUT_RD);
	EXPECT_RC(hsock_bind(&hs, 0), 0);
}

static void set_server(const struct hsock *hs, int on)
{
	setsockopt(hs->fd, IPPROTO_HOMA, SO_HOMA_SERVER, &on, sizeof(on));
}

static int is_server(const struct hsock *hs)
{
	int on = -1;
	socklen_t len = sizeof(on);

	getsockopt(hs->fd, IPPROTO_HOMA, SO_HOMA_SERVER, &on, &len);
	return on;
}

static void bind_makes_a_server_but_not_twice(void)
{
	struct hsock hs = hsock_bare(env.ns, ktap_family);

	EXPECT_EQ(is_server(&hs), 0);
	EXPECT_RC(hsock_bind(&hs, 80), 0);
	EXPECT_EQ(is_server(&hs), 1);
	set_server(&hs, 0);
	EXPECT_RC(hsock_bind(&hs, 80), 0);
	EXPECT_EQ(is_server(&hs), 0);
	EXPECT_RC(hsock_bind(&hs, 81), 0);
	EXPECT_EQ(is_server(&hs), 1);
}

static void bind_moves_the_socket(void)
{
	struct hsock a = hsock_bare(env.ns, AF_INET);
	struct hsock b = hsock_bare(env.ns, AF_INET6);

	EXPECT_RC(hsock_bind(&a, 1), 0);
	EXPECT_EQ(hsock_port(&a), 1);
	EXPECT_RC(hsock_bind(&b, 1), -EADDRINUSE);
	EXPECT_RC(hsock_bind(&a, 0x7fff), 0);
	EXPECT_EQ(hsock_port(&a), 0x7fff);
	EXPECT_RC(hsock_bind(&b, 1), 0);
	hsock_close(&b);
	EXPECT_RC(hsock_bind(&a, 1), 0);
}

static void bind_after_shutdown_of_own_port(void)
{
	struct hsock a = hsock_bare(env.ns, ktap_family);
	struct hsock b = hsock_bare(env.ns, ktap_family);

	EXPECT_RC(hsock_bind(&a, 90), 0);
	shutdown(a.fd, SHUT_WR);
	EXPECT_RC(hsock_bind(&a, 90), -ESHUTDOWN);
	EXPECT_RC(hsock_bind(&b, 90), 0);
}

static void ports_are_per_namespace(void)
{
	struct hsock a = hsock_bare(env.ns, ktap_family);
	struct hsock b = hsock_bare(env.other, ktap_family);

	EXPECT_RC(hsock_bind(&a, 99), 0);
	EXPECT_RC(hsock_bind(&b, 99), 0);
}

static void ports_come_free_at_close(void)
{
	for (int i = 0; i < 50; i++) {
		struct hsock hs = hsock_bare(env.ns, ktap_family);

		ASSERT_RC(hsock_bind(&hs, 100), 0);
		hsock_close(&hs);
	}
}

static void names_of_an_unconnected_socket(void)
{
	struct hsock v4 = hsock_bare(env.ns, AF_INET);
	struct hsock v6 = hsock_bare(env.ns, AF_INET6);
	union haddr addr, any4, any6;
	socklen_t len = sizeof(addr);

	any4 = haddr_of(AF_INET, "0.0.0.0", hsock_port(&v4));
	any6 = haddr_of(AF_INET6, "::", hsock_port(&v6));
	EXPECT_EQ(getsockname(v4.fd, &addr.sa, &len), 0);
	EXPECT_EQ(len, 16);
	EXPECT(haddr_equal(&addr, &any4), "AF_INET name differs");
	len = sizeof(addr);
	EXPECT_EQ(getsockname(v6.fd, &addr.sa, &len), 0);
	EXPECT_EQ(len, 28);
	EXPECT(haddr_equal(&addr, &any6), "AF_INET6 name differs");
	EXPECT_RC(getpeername(v4.fd, &addr.sa, &len) ? -errno : 0, -ENOTCONN);
	EXPECT_RC(getpeername(v6.fd, &addr.sa, &len) ? -errno : 0, -ENOTCONN);
}

static void calls_that_homa_does_not_have(void)
{
	struct hsock hs = hsock_bare(env.ns, ktap_family);
	union haddr addr;
	socklen_t len = sizeof(addr);
	int pair[2];
	void *p;

	ns_enter(env.ns);
	EXPECT_RC(listen(hs.fd, 5) ? -errno : 0, -EOPNOTSUPP);
	EXPECT_RC(accept(hs.fd, &addr.sa, &len) < 0 ? -errno : 0, -EOPNOTSUPP);
	EXPECT_RC(socketpair(ktap_family, SOCK_DGRAM, IPPROTO_HOMA, pair) ?
		  -errno : 0, -EOPNOTSUPP);
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, hs.fd, 0);
	EXPECT_RC(p == MAP_FAILED ? -errno : 0, -ENODEV);
	EXPECT_RC(ioctl(hs.fd, _IO('h', 0x99)) ? -errno : 0, -EINVAL);
	EXPECT(write(hs.fd, "x", 1) < 0 && (errno == EINVAL || errno == EFAULT),
	       "write: errno %d", errno);
	EXPECT(read(hs.fd, &addr, 1) < 0 && errno == EINVAL,
	       "read: errno %d", errno);
}

static void connect_to_nothing_and_back(void)
{
	struct hsock hs = hsock_bare(env.ns, ktap_family);
	union haddr to = haddr_of(ktap_family, ktap_family == AF_INET ?
				  "127.0.0.1" : "::1", 99), name;
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	socklen_t len = sizeof(name);

	EXPECT_RC(connect(hs.fd, &to.sa, haddr_len(&to)) ? -errno : 0, 0);
	for (int i = 0; i < 2; i++) {
		EXPECT_RC(connect(hs.fd, &none, sizeof(none)) ? -errno : 0, 0);
		EXPECT_RC(connect(hs.fd, &none, 1) ? -errno : 0, -EINVAL);
		EXPECT_RC(getpeername(hs.fd, &name.sa, &len) ? -errno : 0,
			  -ENOTCONN);
	}
	EXPECT_GE(hsock_port(&hs), 0x8000);
	EXPECT_RC(hsock_bind(&hs, 120), 0);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(socket_families_and_types),
		KTAP_CASE(socket_needs_no_privilege),
		KTAP_EACH(socket_options_that_the_kernel_answers),
		KTAP_CASE(sndbuf_is_wmem_max_of_the_namespace),
		KTAP_CASE(default_ports_start_at_0x8000),
		KTAP_SLOW(default_ports_wrap_and_skip_used_ones, 300),
		KTAP_SLOW(all_default_ports_used_is_EADDRNOTAVAIL, 300),
		KTAP_CASE(bind_errors_in_order),
		KTAP_CASE(bind_lengths),
		KTAP_EACH(bind_port_0_does_nothing),
		KTAP_EACH(bind_makes_a_server_but_not_twice),
		KTAP_CASE(bind_moves_the_socket),
		KTAP_EACH(bind_after_shutdown_of_own_port),
		KTAP_EACH(ports_are_per_namespace),
		KTAP_EACH(ports_come_free_at_close),
		KTAP_CASE(names_of_an_unconnected_socket),
		KTAP_EACH(calls_that_homa_does_not_have),
		KTAP_EACH(connect_to_nothing_and_back),
	};

	env.ns = ns_new();
	env.other = ns_new();
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
