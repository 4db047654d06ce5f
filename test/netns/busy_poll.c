// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Threads poll for net.homa.poll_usecs before they sleep, unless there is only
 * one CPU. vm/stock.sh runs it on a distribution's kernel, too.
 *
 * desc: recvmsg polls for poll_usecs, then sleeps
 * lab: --no-topology
 * flavor: fast smp
 */

#include <errno.h>
#include <pthread.h>
#include <sys/time.h>
#include <unistd.h>

#include "counters.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99
#define RPCS 40

/* The server is on a host of its own, where nobody polls. */
static union haddr server_addr(void)
{
	return haddr_of(ktap_family, ktap_family == AF_INET ? "10.9.0.2" :
			"fd09::2", PORT);
}

/* Makes calls that take 1 ms each, and tells how they waited. */
static void calls(int ns, struct hsock *hs, bool private, struct counters *before)
{
	union haddr to = server_addr();
	struct hmsg m;
	uint64_t id;

	counters_read(ns, before);
	for (int i = 0; i < RPCS; i++) {
		ASSERT_RC(private ? hsock_private(hs, &to, "hello", 5, &id) :
				    hsock_request(hs, &to, "hello", 5, &id), 0);
		ASSERT_RC(hsock_recv(hs, &m, private ? id : 0, 0), 5);
		EXPECT_EQ(m.args.id, id);
	}
}

static void poll_usecs_is_obeyed(void)
{
	bool alone = sysconf(_SC_NPROCESSORS_ONLN) == 1;
	int ns = ns_new(), server = ns_new();
	struct counters before;
	struct hsock hs = hsock_open(ns, ktap_family);
	struct echoer e;

	ns_join(ns, server, 1500);
	ns_sysctl(ns, "timeout_ticks", "5000");
	ns_sysctl(server, "poll_usecs", "0");
	echoer_start(&e, server, ktap_family, PORT);
	e.delay_us = 1000;
	for (int private = 0; private < 2; private++) {
		ktap_label("private %d", private);
		ns_sysctl(ns, "poll_usecs", "0");
		calls(ns, &hs, private, &before);
		EXPECT_EQ(counters_grew(ns, &before, "wait_fast"), 0);
		EXPECT_EQ(counters_grew(ns, &before, "poll_cycles"), 0);
		/* In real time an answer may be there before its thread. */
		EXPECT_GE(counters_grew(ns, &before, "wait_block"), RPCS * 3 / 4);

		/* It may have to share its core, and sleeps then. */
		ns_sysctl(ns, "poll_usecs", "500000");
		calls(ns, &hs, private, &before);
		if (alone)
			EXPECT_EQ(counters_grew(ns, &before, "wait_fast"), 0);
		else
			EXPECT_GE(counters_grew(ns, &before, "wait_fast"), 1);
	}
	echoer_stop(&e);
}

static void *shut_down_soon(void *arg)
{
	struct hsock *hs = arg;

	sleep_ms(20);
	shutdown(hs->fd, SHUT_RDWR);
	return NULL;
}

/* Polling ends with the time that a thread may wait, and with the socket. */
static void polling_ends(void)
{
	struct timeval tv = { .tv_usec = 30000 }, forever = { 0 };
	int ns = ns_new();
	struct hsock hs = hsock_open(ns, ktap_family);
	int64_t start = now_ms();
	pthread_t thread;
	struct hmsg m;

	ns_sysctl(ns, "poll_usecs", "1000000");
	ASSERT_EQ(setsockopt(hs.fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), 0);
	EXPECT_RC(hsock_recv(&hs, &m, 0, 0), -EAGAIN);
	EXPECT_GE(now_ms() - start, 29);
	ASSERT_EQ(setsockopt(hs.fd, SOL_SOCKET, SO_RCVTIMEO, &forever,
			     sizeof(forever)), 0);
	pthread_create(&thread, NULL, shut_down_soon, &hs);
	EXPECT_RC(hsock_recv(&hs, &m, 0, 0), -ESHUTDOWN);
	EXPECT(now_ms() - start < 900, "polled on for %lld ms",
	       (long long)(now_ms() - start));
	pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_EACH(poll_usecs_is_obeyed),
		KTAP_EACH(polling_ends),
	};

	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
