// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Calls whose n-th allocation, or copy from or to user space, fails.
 *
 * desc: each allocation of each call fails once: ENOMEM, no leak, no crash
 * lab: --no-topology
 * flavor: debug@check
 *
 * Needs a kernel with fault injection. For n = 1, 2, ... the n-th chance of a
 * failure within a call is taken.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fault.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99
#define CHANCES 80	/* more than any of the calls has */

static struct {
	int ns;
	char *buf;
	struct hsock client;
	struct hsock server;
	union haddr to;
} env;

/* What a call may return; most calls may also be refused a user page. */
static bool is_expected(int rc)
{
	return rc >= 0 || rc == -ENOMEM || rc == -ENOBUFS || rc == -EFAULT ||
	       rc == -ENFILE || rc == -EADDRNOTAVAIL;
}

/* One call: made ready, done with the failure, and cleaned up after. */
struct call {
	void (*before)(void);
	int (*call)(void);
	void (*after)(int rc);
};

/* Takes each chance in turn; the call must run out of memory at least once,
 * and work in the end.
 */
static void sweep(const struct call *c)
{
	int refused = 0, rc = -1;

	fault_prepare();
	for (int n = 1; n <= CHANCES; n++) {
		if (c->before)
			c->before();
		fault_nth(n);
		rc = c->call();
		fault_nth(0);
		if (c->after)
			c->after(rc);
		EXPECT(is_expected(rc), "chance %d: %s", n,
		       ktap_errno_name(rc));
		refused += rc == -ENOMEM || rc == -ENOBUFS;
	}
	EXPECT(refused > 0, "it was never out of memory");
	EXPECT(rc >= 0, "more than %d chances: %s", CHANCES,
	       ktap_errno_name(rc));
	printf("# %d refusals\n", refused);
}

static int make_socket(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, IPPROTO_HOMA);

	return fd < 0 ? -errno : fd;
}

static void close_socket(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void socket_out_of_memory(void)
{
	ns_enter(env.ns);
	sweep(&(struct call){ .call = make_socket, .after = close_socket });
}

/* The region's pages exist, so that the probe needs no memory of its own. */
static void make_bare(void)
{
	env.client = hsock_bare(env.ns, AF_INET);
}

static int set_region(void)
{
	struct homa_rcvbuf_args args = { (uintptr_t)env.server.region,
					 env.server.length };

	return setsockopt(env.client.fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &args,
			  sizeof(args)) ? -errno : 0;
}

static void drop_bare(int rc)
{
	(void)rc;
	close(env.client.fd);
}

static void open_pair(void)
{
	env.to = haddr_of(AF_INET, "127.0.0.1", PORT);
	env.client = hsock_open(env.ns, AF_INET);
	env.server = hsock_server(env.ns, AF_INET, PORT);
	memset(env.client.region, 1, env.client.length);
	memset(env.server.region, 1, env.server.length);
}

static void region_out_of_memory(void)
{
	open_pair();
	sweep(&(struct call){ make_bare, set_region, drop_bare });
}

static int send_short(void)
{
	uint64_t id;

	return hsock_request(&env.client, &env.to, env.buf, 100, &id);
}

static int send_long(void)
{
	uint64_t id;

	return hsock_request(&env.client, &env.to, env.buf, 100000, &id);
}

static void abort_all(int rc)
{
	(void)rc;
	hsock_abort(&env.client, 0, 0);
	EXPECT_EQ(hsock_num_rpcs(&env.client), 0);
}

static void requests_out_of_memory(void)
{
	open_pair();
	sweep(&(struct call){ .call = send_short, .after = abort_all });
	sweep(&(struct call){ .call = send_long, .after = abort_all });
}

static struct hmsg request;

static void get_request(void)
{
	struct hmsg old;
	uint64_t id;

	while (hsock_recv(&env.server, &old, 0, MSG_DONTWAIT) >= 0)
		hsock_return(&env.server, &old);
	ASSERT_RC(hsock_request(&env.client, &env.to, env.buf, 10, &id), 0);
	ASSERT_RC(hsock_recv_within(&env.server, &request, 0, 1000), 10);
	hsock_return(&env.server, &request);
}

static int reply(void)
{
	return hsock_reply(&env.server, &request.from, request.args.id,
			   env.buf, 100000);
}

static void replies_out_of_memory(void)
{
	open_pair();
	sweep(&(struct call){ get_request, reply, abort_all });
}

static void send_request(void)
{
	uint64_t id;

	ASSERT_RC(hsock_request(&env.client, &env.to, env.buf, 5000, &id), 0);
	ASSERT(readable_within(env.server.fd, 1000), "no request");
}

/* Receiving allocates nothing; a user page may be refused all the same. */
static void receiving_with_failures(void)
{
	struct hmsg m;

	open_pair();
	fault_prepare();
	for (int n = 1; n < 30; n++) {
		send_request();
		fault_nth(n);
		hsock_recv(&env.server, &m, 0, MSG_DONTWAIT);
		fault_nth(0);
		EXPECT(m.rc == 5000 || m.rc == -EFAULT, "chance %d: %zd", n,
		       m.rc);
		if (m.rc >= 0)
			hsock_return(&env.server, &m);
		abort_all(0);
	}
}

static const char *file;

/* Reads a file to its end; bytes or -errno. */
static int read_file(void)
{
	int fd = open(file, O_RDONLY), sum = 0, rc = fd < 0 ? -errno : 1;
	static char text[30000];

	while (rc > 0) {
		rc = read(fd, text, sizeof(text));
		sum += rc > 0 ? rc : 0;
		rc = rc < 0 ? -errno : rc;
	}
	if (fd >= 0)
		close(fd);
	return rc < 0 ? rc : sum;
}

static void files_out_of_memory(void)
{
	static const char *const files[] = {
		"/proc/net/homa_metrics", "/proc/net/homa/socks",
		"/proc/net/homa/rpcs", "/proc/net/homa/peers",
		"/proc/net/timetrace",
	};

	open_pair();
	ns_enter(env.ns);
	for (int i = 0; i < ARRAY_LEN(files); i++) {
		file = files[i];
		ktap_label("%s", file);
		sweep(&(struct call){ .call = read_file });
	}
}

#define UDP_PORT "14600"

static int knob = -1;		/* udp_encap_port, open */

static int set_udp_port(const char *port)
{
	return pwrite(knob, port, strlen(port), 0) < 0 ? -errno : 0;
}

static bool udp_port_is(const char *port)
{
	char now[16] = "";

	EXPECT(pread(knob, now, sizeof(now) - 1, 0) > 0, "cannot read it");
	return atoi(now) == atoi(port);
}

/* Can somebody else have the port? Then nothing is left of ours. */
static bool udp_port_is_free(int family)
{
	union haddr any = haddr_of(family, family == AF_INET ? "0.0.0.0" : "::",
				   atoi(UDP_PORT));
	int fd = socket(family, SOCK_DGRAM, 0), on = 1, rc;

	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	rc = bind(fd, (struct sockaddr *)&any, haddr_len(&any));
	close(fd);
	return !rc;
}

static int open_udp_port(void)
{
	return set_udp_port(UDP_PORT);
}

/* It is open for both families, or for none; and is closed again. */
static void check_udp_port(int rc)
{
	EXPECT(udp_port_is(rc < 0 ? "0" : UDP_PORT), "what it says is wrong");
	FOR_FAMILIES(family)
		EXPECT_EQ(udp_port_is_free(family), rc < 0);
	EXPECT_EQ(set_udp_port("0"), 0);
	FOR_FAMILIES(family)
		EXPECT(udp_port_is_free(family), "somebody has it");
}

static void udp_port_out_of_memory(void)
{
	ns_enter(env.ns);
	knob = open("/proc/sys/net/homa/udp_encap_port", O_RDWR);
	ASSERT(knob >= 0, "there is no setting");
	sweep(&(struct call){ .call = open_udp_port, .after = check_udp_port });
	close(knob);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(socket_out_of_memory),
		KTAP_CASE(region_out_of_memory),
		KTAP_CASE(requests_out_of_memory),
		KTAP_CASE(replies_out_of_memory),
		KTAP_CASE(receiving_with_failures),
		KTAP_CASE(files_out_of_memory),
		KTAP_CASE(udp_port_out_of_memory),
	};

	env.ns = ns_new();
	env.buf = calloc(1, HOMA_MAX_MESSAGE_LENGTH);
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
