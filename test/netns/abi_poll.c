// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* poll and epoll: every row of the state table, and every wake-up.
 *
 * desc: poll and epoll: states and wake-ups
 * lab: --no-topology
 * flavor: fast@quick debug
 */

#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99
#define ALL_EVENTS (POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLPRI | \
		    POLLRDHUP | POLLRDBAND | POLLWRBAND)
#define IN (POLLIN | POLLRDNORM)
#define OUT (POLLOUT | POLLWRNORM)

static struct {
	int ns;
	char *buf;
} env;

static union haddr local(int port)
{
	return haddr_of(ktap_family, ktap_family == AF_INET ? "127.0.0.1" :
			"::1", port);
}

static int events_within(const struct hsock *hs, int events, int ms)
{
	struct pollfd p = { .fd = hs->fd, .events = events };

	return poll(&p, 1, ms) < 0 ? -errno : p.revents;
}

static int events_now(const struct hsock *hs)
{
	return events_within(hs, ALL_EVENTS, 0);
}

static void fresh_socket_is_writable_only(void)
{
	struct hsock bare = hsock_bare(env.ns, AF_INET);
	struct hsock hs = hsock_open(env.ns, AF_INET6);

	EXPECT_EQ(events_now(&bare), OUT);
	EXPECT_EQ(events_now(&hs), OUT);
}

static void request_and_response_make_it_readable(void)
{
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(PORT);
	struct hmsg m;
	uint64_t id;

	ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
	EXPECT_EQ(events_within(&server, IN, 1000), IN);
	EXPECT_EQ(events_now(&server), IN | OUT);
	ASSERT_RC(hsock_recv(&server, &m, 0, MSG_DONTWAIT), 1);
	EXPECT_EQ(events_now(&server), OUT);
	EXPECT_EQ(events_now(&hs), OUT);
	hsock_reply(&server, &m.from, m.args.id, "yes", 3);
	EXPECT_EQ(events_within(&hs, IN, 1000), IN);
	ASSERT_RC(hsock_recv(&hs, &m, 0, MSG_DONTWAIT), 3);
	EXPECT_EQ(events_now(&hs), OUT);
}

static void it_stays_readable_while_more_is_ready(void)
{
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(PORT);
	struct hmsg m;
	uint64_t id;

	for (int i = 0; i < 3; i++)
		ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
	for (int i = 0; i < 3; i++) {
		EXPECT_EQ(events_within(&server, IN, 1000), IN);
		ASSERT_RC(hsock_recv(&server, &m, 0, MSG_DONTWAIT), 1);
	}
	EXPECT_EQ(events_now(&server), OUT);
}

static void private_response_is_invisible(void)
{
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(PORT);
	struct hmsg m;
	uint64_t id;

	ASSERT_RC(hsock_private(&hs, &to, "x", 1, &id), 0);
	ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 1);
	hsock_reply(&server, &m.from, m.args.id, "yes", 3);
	EXPECT_EQ(events_within(&hs, IN, 30), 0);
	EXPECT_RC(hsock_recv_within(&hs, &m, id, 1000), 3);
	ASSERT_RC(hsock_private(&hs, &to, "x", 1, &id), 0);
	EXPECT_RC(hsock_abort(&hs, id, ECANCELED), 0);
	EXPECT_EQ(events_within(&hs, IN, 30), 0);
	EXPECT_RC(hsock_recv_within(&hs, &m, id, 1000), -ECANCELED);
}

static void failed_rpc_makes_it_readable(void)
{
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(4000);
	struct hmsg m;
	uint64_t id;

	ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
	EXPECT_EQ(events_within(&hs, IN, 1000), IN);
	EXPECT_RC(hsock_recv(&hs, &m, 0, MSG_DONTWAIT), -ENOTCONN);
	EXPECT_EQ(events_now(&hs), OUT);
}

static void shut_down_socket_is_readable(void)
{
	struct hsock hs = hsock_open(env.ns, ktap_family);
	int events;

	shutdown(hs.fd, SHUT_WR);
	events = events_now(&hs);
	EXPECT_EQ(events, IN | OUT | POLLRDHUP | POLLHUP);
}

static void small_sndbuf(struct hsock *hs)
{
	int small = 4608;

	ASSERT_EQ(setsockopt(hs->fd, SOL_SOCKET, SO_SNDBUF, &small,
			     sizeof(small)), 0);
}

static void full_socket_is_not_writable(void)
{
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(PORT);
	struct hmsg m;
	uint64_t id;

	small_sndbuf(&hs);
	EXPECT_EQ(events_now(&hs), OUT);
	ASSERT_RC(hsock_request(&hs, &to, env.buf, 300000, &id), 0);
	EXPECT_EQ(events_now(&hs), 0);
	ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 300000);
	hsock_reply(&server, &m.from, m.args.id, "yes", 3);
	ASSERT_RC(hsock_recv_within(&hs, &m, 0, 1000), 3);
	EXPECT_EQ(events_within(&hs, OUT, 1000), OUT);
}

/* A thread that polls for @events and notes what it saw and when. */
struct sleeper {
	const struct hsock *hs;
	int events;
	int seen;
	int done;
	pthread_t thread;
};

static void *sleeper_run(void *arg)
{
	struct sleeper *s = arg;

	s->seen = events_within(s->hs, s->events, 10000);
	__atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void sleeper_start(struct sleeper *s, const struct hsock *hs, int events)
{
	*s = (struct sleeper){ .hs = hs, .events = events };
	pthread_create(&s->thread, NULL, sleeper_run, s);
	sleep_ms(20);
	EXPECT(!__atomic_load_n(&s->done, __ATOMIC_ACQUIRE),
	       "did not sleep: %x", s->seen);
}

/* Waits for the thread; the event must have ended its sleep, not its limit. */
static void sleeper_join(struct sleeper *s, int want)
{
	EXPECT(WAIT_FOR(__atomic_load_n(&s->done, __ATOMIC_ACQUIRE), 3000),
	       "was not woken");
	pthread_join(s->thread, NULL);
	EXPECT_EQ(s->seen & want, want);
}

/* Who wants to know of private results asks for POLLPRI. */
static void private_result_is_urgent(void)
{
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(PORT);
	struct sleeper s;
	uint64_t id[2];
	struct hmsg m;

	for (int i = 0; i < 2; i++)
		ASSERT_RC(hsock_private(&hs, &to, "x", 1, &id[i]), 0);
	EXPECT_EQ(events_now(&hs), OUT);
	sleeper_start(&s, &hs, POLLPRI);
	ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 1);
	hsock_reply(&server, &m.from, m.args.id, "yes", 3);
	sleeper_join(&s, POLLPRI);
	ASSERT_RC(hsock_abort(&hs, id[1], ECANCELED), 0);
	EXPECT_EQ(events_now(&hs), OUT | POLLPRI);
	EXPECT_RC(hsock_recv(&hs, &m, id[1], MSG_DONTWAIT), -ECANCELED);
	EXPECT_EQ(events_now(&hs), OUT | POLLPRI);
	EXPECT_RC(hsock_abort(&hs, id[0], 0), 0);
	EXPECT_EQ(events_now(&hs), OUT);
}

static void sleepers_wake_for_a_request(void)
{
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(PORT);
	struct sleeper s;
	uint64_t id;

	sleeper_start(&s, &server, IN);
	ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
	sleeper_join(&s, IN);
}

static void sleepers_wake_at_shutdown(void)
{
	struct hsock hs = hsock_open(env.ns, ktap_family);
	struct sleeper s;

	sleeper_start(&s, &hs, POLLIN);
	shutdown(hs.fd, SHUT_RDWR);
	sleeper_join(&s, POLLIN);
}

static void sleepers_wake_when_memory_is_freed(void)
{
	struct hsock sink = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(PORT);
	struct sleeper s;
	uint64_t id;

	(void)sink;
	small_sndbuf(&hs);
	ASSERT_RC(hsock_request(&hs, &to, env.buf, 300000, &id), 0);
	EXPECT_EQ(events_now(&hs), 0);
	sleeper_start(&s, &hs, OUT);
	ASSERT_RC(hsock_abort(&hs, id, 0), 0);
	sleeper_join(&s, OUT);
}

static void epoll_edge_triggered(void)
{
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET }, got;
	union haddr to = local(PORT);
	int ep = epoll_create1(0);
	struct hmsg m;
	uint64_t id;

	ASSERT_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, server.fd, &ev), 0);
	EXPECT_EQ(epoll_wait(ep, &got, 1, 0), 0);
	for (int i = 0; i < 5; i++) {
		ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
		EXPECT_EQ(epoll_wait(ep, &got, 1, 1000), 1);
		EXPECT_RC(hsock_recv_within(&server, &m, 0, 100), 1);
	}
	EXPECT_EQ(epoll_wait(ep, &got, 1, 10), 0);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(fresh_socket_is_writable_only),
		KTAP_EACH(request_and_response_make_it_readable),
		KTAP_EACH(it_stays_readable_while_more_is_ready),
		KTAP_EACH(private_response_is_invisible),
		KTAP_EACH(private_result_is_urgent),
		KTAP_EACH(failed_rpc_makes_it_readable),
		KTAP_EACH(shut_down_socket_is_readable),
		KTAP_EACH(full_socket_is_not_writable),
		KTAP_EACH(sleepers_wake_for_a_request),
		KTAP_EACH(sleepers_wake_at_shutdown),
		KTAP_EACH(sleepers_wake_when_memory_is_freed),
		KTAP_EACH(epoll_edge_triggered),
	};

	env.ns = ns_new();
	env.buf = calloc(1, HOMA_MAX_MESSAGE_LENGTH);
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
