// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Which of the threads that wait for messages gets one.
 *
 * desc: who began to wait last is woken first, unless its core is busy; no wakeup is lost; polling has to pay
 * lab: --no-topology
 * flavor: fast debug smp
 */

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "counters.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99
#define THREADS 3

/* What a thread received first: 0: nothing yet. */
struct receiver {
	const struct hsock *hs;
	pthread_t thread;
	int cpu;
	int rc;
};

static union haddr here(int family)
{
	return haddr_of(family, family == AF_INET ? "127.0.0.1" : "::1", PORT);
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	ASSERT_RC(sched_setaffinity(0, sizeof(set), &set), 0);
}

static void *receive_one(void *arg)
{
	struct receiver *r = arg;
	struct hmsg m;

	if (r->cpu >= 0)
		run_on(r->cpu);
	__atomic_store_n(&r->rc, hsock_recv(r->hs, &m, 0, 0), __ATOMIC_SEQ_CST);
	return NULL;
}

/* Begins to wait, and does when this returns. */
static void receiver_start(struct receiver *r, const struct hsock *hs, int cpu)
{
	r->hs = hs;
	r->cpu = cpu;
	r->rc = 0;
	ASSERT_EQ(pthread_create(&r->thread, NULL, receive_one, r), 0);
	sleep_ms(50);
}

static bool has_received(struct receiver *r)
{
	return WAIT_FOR(__atomic_load_n(&r->rc, __ATOMIC_SEQ_CST), 5000);
}

static void last_is_woken_first(void)
{
	union haddr to = here(ktap_family);
	struct receiver all[THREADS];
	struct hsock server, client;
	struct counters before;
	int ns = ns_new();
	uint64_t id;

	ns_sysctl(ns, "poll_usecs", "0");
	ns_sysctl(ns, "busy_usecs", "0");
	server = hsock_server(ns, ktap_family, PORT);
	client = hsock_open(ns, ktap_family);
	for (int i = 0; i < THREADS; i++)
		receiver_start(&all[i], &server, -1);
	counters_read(ns, &before);
	for (int i = THREADS - 1; i >= 0; i--) {
		ASSERT_RC(hsock_request(&client, &to, "hello", 5, &id), 0);
		EXPECT(has_received(&all[i]), "thread %d did not get it", i);
		EXPECT_RC(all[i].rc, 5);
		for (int j = 0; j < i; j++)
			EXPECT_EQ(all[j].rc, 0);
	}
	EXPECT_EQ(counters_grew(ns, &before, "handoffs_thread_waiting"), THREADS);
	EXPECT_EQ(counters_grew(ns, &before, "handoffs_alt_thread"), 0);
}

/* The client's packets are handled on the client's core. */
static void quiet_core_is_preferred(void)
{
	union haddr to = here(ktap_family);
	struct hsock server, client;
	struct receiver quiet, busy;
	struct counters before;
	int ns = ns_new();
	uint64_t id;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return;
	ns_sysctl(ns, "poll_usecs", "0");
	ns_sysctl(ns, "busy_usecs", "20000");
	server = hsock_server(ns, ktap_family, PORT);
	client = hsock_open(ns, ktap_family);
	receiver_start(&quiet, &server, 0);
	receiver_start(&busy, &server, 1);
	counters_read(ns, &before);
	run_on(1);
	ASSERT_RC(hsock_request(&client, &to, "hello", 5, &id), 0);
	EXPECT(has_received(&quiet), "the thread of the quiet core did not get it");
	EXPECT_EQ(busy.rc, 0);
	EXPECT_EQ(counters_grew(ns, &before, "handoffs_alt_thread"), 1);

	/* There is no other now. */
	ASSERT_RC(hsock_request(&client, &to, "hello", 5, &id), 0);
	EXPECT(has_received(&busy), "the other did not get the second");
	EXPECT_EQ(counters_grew(ns, &before, "handoffs_alt_thread"), 1);
	EXPECT_EQ(counters_grew(ns, &before, "handoffs_thread_waiting"), 2);
}

static void nothing(int sig __attribute__((unused)))
{
}

static int served;
static bool over;

static void *receive_all(void *arg)
{
	const struct hsock *hs = arg;
	struct hmsg m;

	memset(&m, 0, sizeof(m));
	while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST)) {
		m.args.id = 0;
		hsock_recvmsg(hs, &m, 0);
		if (m.rc > 0)
			__atomic_fetch_add(&served, 1, __ATOMIC_SEQ_CST);
		else
			m.args.num_bpages = 0;
	}
	return NULL;
}

/* A thread that is woken for a message may leave because of a signal or its timeout. */
static void no_wakeup_is_lost(void)
{
	struct sigaction action = { .sa_handler = nothing };
	struct timeval soon = { .tv_usec = 2000 };
	union haddr to = here(ktap_family);
	struct hsock server, client;
	pthread_t all[THREADS];
	int ns = ns_new();
	uint64_t id;

	sigaction(SIGUSR1, &action, NULL);
	server = hsock_server(ns, ktap_family, PORT);
	client = hsock_open(ns, ktap_family);
	ASSERT_EQ(setsockopt(server.fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon)), 0);
	for (int i = 0; i < THREADS; i++)
		ASSERT_EQ(pthread_create(&all[i], NULL, receive_all, &server), 0);
	for (int i = 0; i < 300; i++) {
		ASSERT_RC(hsock_request(&client, &to, "hello", 5, &id), 0);
		pthread_kill(all[i % THREADS], SIGUSR1);
		if (i % 3 == 0)
			usleep(i * 10);
	}
	EXPECT(WAIT_FOR(__atomic_load_n(&served, __ATOMIC_SEQ_CST) == 300, 10000),
	       "%d of 300 requests were received", served);
	__atomic_store_n(&over, true, __ATOMIC_SEQ_CST);
	for (int i = 0; i < THREADS; i++)
		pthread_join(all[i], NULL);
}

/* Calls a server that takes its time; returns for how many ns the client polled. */
static int64_t calls(int ns, struct hsock *hs, int num)
{
	union haddr to = haddr_of(ktap_family, ktap_family == AF_INET ?
				  "10.9.0.2" : "fd09::2", PORT);
	struct counters before;
	struct hmsg m;
	uint64_t id;

	counters_read(ns, &before);
	for (int i = 0; i < num; i++) {
		ASSERT_RC(hsock_request(hs, &to, "hello", 5, &id), 0);
		ASSERT_RC(hsock_recv(hs, &m, 0, 0), 5);
	}
	return counters_grew(ns, &before, "poll_cycles");
}

static void polling_has_to_pay(void)
{
	int ns = ns_new(), server = ns_new();
	struct hsock hs = hsock_open(ns, ktap_family);
	struct echoer e;
	int64_t polled = 0;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return;
	ns_join(ns, server, 1500);
	ns_sysctl(ns, "timeout_ticks", "5000");
	ns_sysctl(ns, "poll_usecs", "5000");
	ns_sysctl(server, "poll_usecs", "0");
	echoer_start(&e, server, ktap_family, PORT);
	EXPECT_GE(calls(ns, &hs, 10), 1);
	e.delay_us = 20000;
	calls(ns, &hs, 20);
	EXPECT_EQ(calls(ns, &hs, 10), 0);
	e.delay_us = 0;
	/* An answer counts as late too if the machine had other things to do. */
	for (int i = 0; i < 50 && !polled; i++)
		polled = calls(ns, &hs, 10);
	EXPECT_GE(polled, 1);
	echoer_stop(&e);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_EACH(last_is_woken_first),
		KTAP_EACH(quiet_core_is_preferred),
		KTAP_EACH(no_wakeup_is_lost),
		KTAP_EACH(polling_has_to_pay),
	};

	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
