// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* What the programs homa_test and server that came with the reference do, on our module:
 * each of homa_test's operations that tells something of Homa behaves as their manual
 * pages promise. The first two words of a message are its length and that of the response.
 *
 * desc: invoke, rtt, stream, fill_memory, private, poll, wmem and the like, as of homa_test
 * lab: --no-topology
 * flavor: fast@quick debug
 * timeout: 200
 */

#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 4000
#define SEED 12345
#define MAX 1000000
#define MS 60000	/* nothing takes so long, not even on a slow kernel */

static int ns;
static char request[MAX];

/* A server that answers as the second word says. */
static struct server {
	struct hsock hs;
	pthread_t thread;
	int delay_us;		/* before each answer */
	int served;
} server;

static void fill(int *buf, int length, int response)
{
	for (int i = 0; i < (length + 3) / 4; i++)
		buf[i] = SEED + i;
	if (length >= 4)
		buf[0] = length;
	if (length >= 8)
		buf[1] = response;
}

static bool is_right(const struct hsock *hs, const struct hmsg *m, int response)
{
	static char got[MAX], want[MAX];

	if (m->rc != response)
		return false;
	fill((int *)want, response, response);
	payload_gather(hs, m, got);
	return !memcmp(got, want, response);
}

static void *serve(void *arg)
{
	static char message[MAX];
	struct server *s = arg;
	struct hmsg m;

	while (hsock_recv(&s->hs, &m, 0, 0) >= 0) {
		int words[2] = {};

		payload_gather(&s->hs, &m, message);
		memcpy(words, message, sizeof(words));
		hsock_return(&s->hs, &m);
		if (s->delay_us)
			usleep(s->delay_us);
		fill((int *)message, words[1], words[1]);
		hsock_reply(&s->hs, &m.from, m.args.id, message, words[1]);
		s->served++;
	}
	return NULL;
}

static union haddr serve_at(int delay_us)
{
	server = (struct server){ .hs = hsock_server(ns, ktap_family, PORT),
				  .delay_us = delay_us };
	ASSERT_EQ(pthread_create(&server.thread, NULL, serve, &server), 0);
	return haddr_of(ktap_family, ktap_family == AF_INET ? "127.0.0.1" : "::1",
			PORT);
}

static uint64_t send_to(const struct hsock *hs, const union haddr *to, int length,
			int response)
{
	uint64_t id = 0;

	fill((int *)request, length, response);
	ASSERT_RC(hsock_request(hs, to, request, length, &id), 0);
	return id;
}

/* Waits for a response of any RPC and looks at it. */
static void receive(const struct hsock *hs, int response)
{
	struct hmsg m;

	hsock_recv_within(hs, &m, 0, MS);
	EXPECT_RC(m.rc, response);
	EXPECT(is_right(hs, &m, response), "wrong bytes");
	hsock_return(hs, &m);
}

static void invoke(void)
{
	static const int lengths[] = { 8, 100, 1500, 65536, 100001, MAX };
	union haddr to = serve_at(0);
	struct hsock hs = hsock_open(ns, ktap_family);

	for (int i = 0; i < ARRAY_LEN(lengths); i++) {
		ktap_label("%d bytes", lengths[i]);
		send_to(&hs, &to, lengths[i], lengths[i]);
		receive(&hs, lengths[i]);
	}
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void rtt(void)
{
	union haddr to = serve_at(0);
	struct hsock hs = hsock_open(ns, ktap_family);
	enum { WARM = 10, COUNT = 200 };
	static int64_t ns_taken[COUNT];

	for (int i = -WARM; i < COUNT; i++) {
		int64_t start = now_ns();

		send_to(&hs, &to, 100, 100);
		receive(&hs, 100);
		if (i >= 0)
			ns_taken[i] = now_ns() - start;
	}
	qsort(ns_taken, COUNT, sizeof(*ns_taken), compare);
	printf("# us: min %.1f P50 %.1f P90 %.1f max %.1f\n", ns_taken[0] / 1e3,
	       ns_taken[COUNT / 2] / 1e3, ns_taken[COUNT * 9 / 10] / 1e3,
	       ns_taken[COUNT - 1] / 1e3);
	/* No response waits for a timer: the shortest one is 1 ms. */
	EXPECT_GE(1000000, ns_taken[COUNT / 2]);
}

static void stream(void)
{
	union haddr to = serve_at(0);
	struct hsock hs = hsock_open(ns, ktap_family);
	enum { OUTSTANDING = 100, TOTAL = 600 };
	int sent = 0;

	for (; sent < OUTSTANDING; sent++)
		send_to(&hs, &to, 10000, 12);
	for (int done = 0; done < TOTAL; done++) {
		receive(&hs, 12);
		if (sent < TOTAL) {
			send_to(&hs, &to, 10000, 12);
			sent++;
		}
	}
	EXPECT(WAIT_FOR(server.served == TOTAL, MS), "%d answered", server.served);
	EXPECT_EQ(hsock_num_rpcs(&hs), 0);
}

/* More responses than the region has room for; none is read for a while after all are
 * sent, and then slowly: what waits for room does not time out.
 */
static void fill_memory(void)
{
	union haddr to = serve_at(0);
	struct hsock hs = hsock_open(ns, ktap_family);
	int num = hs.length / 100000 + 50;

	for (int i = 0; i < num; i++)
		send_to(&hs, &to, 100000, 100000);
	EXPECT(WAIT_FOR(hsock_avail(&hs) < 200000, MS), "%lld bytes stay free",
	       (long long)hsock_avail(&hs));
	sleep_ms(2000);
	for (int i = 0; i < num; i++) {
		receive(&hs, 100000);
		sleep_ms(5);
	}
	EXPECT_EQ(hsock_num_rpcs(&hs), 0);
	EXPECT_GE(hsock_avail(&hs) + 65536, (int64_t)hs.length);
}

static void private_in_reverse(void)
{
	union haddr to = serve_at(0);
	struct hsock hs = hsock_open(ns, ktap_family);
	uint64_t ids[3];
	struct hmsg m;

	for (int i = 0; i < ARRAY_LEN(ids); i++) {
		fill((int *)request, 100 + i, 100 + i);
		ASSERT_RC(hsock_private(&hs, &to, request, 100 + i, &ids[i]), 0);
	}
	for (int i = ARRAY_LEN(ids) - 1; i >= 0; i--) {
		EXPECT_RC(hsock_recv_within(&hs, &m, ids[i], MS), 100 + i);
		EXPECT(m.args.id == ids[i], "another RPC's response");
		EXPECT(is_right(&hs, &m, 100 + i), "wrong bytes");
		hsock_return(&hs, &m);
	}
}

/* A message to oneself: first the request is readable, then the response. */
static void poll_for_a_message_to_oneself(void)
{
	struct hsock hs = hsock_server(ns, ktap_family, PORT);
	union haddr to = haddr_of(ktap_family, ktap_family == AF_INET ?
				  "127.0.0.1" : "::1", PORT);
	struct hmsg m;
	uint64_t id;

	EXPECT(!readable_within(hs.fd, 1), "readable, and there is nothing");
	id = send_to(&hs, &to, 500, 400);
	EXPECT(readable_within(hs.fd, MS), "the request does not come");
	EXPECT_RC(hsock_recv(&hs, &m, 0, MSG_DONTWAIT), 500);
	EXPECT(m.args.id == (id ^ 1), "wrong id");
	fill((int *)request, 400, 400);
	EXPECT_RC(hsock_reply(&hs, &m.from, m.args.id, request, 400), 0);
	EXPECT(readable_within(hs.fd, MS), "the response does not come");
	EXPECT_RC(hsock_recv(&hs, &m, 0, MSG_DONTWAIT), 400);
	EXPECT(is_right(&hs, &m, 400), "wrong bytes");
}

enum { COUNT = 30 };

static void *receive_slowly(void *hs)
{
	for (int i = 0; i < COUNT; i++) {
		usleep(2000);
		receive(hs, 12);
	}
	return NULL;
}

/* A sender that is faster than the reader of the responses is held at the limit, by
 * waiting or by EAGAIN and POLLOUT, and all it sends is answered.
 */
static void reach_the_limit(bool polls)
{
	union haddr to = serve_at(0);
	struct hsock hs = hsock_open(ns, ktap_family);
	int limit = 300000, refused = 0, flags = polls ? MSG_DONTWAIT : 0;
	int64_t longest = 0;
	pthread_t reader;

	ASSERT_EQ(setsockopt(hs.fd, SOL_SOCKET, SO_SNDBUF, &limit, sizeof(limit)), 0);
	ASSERT_EQ(pthread_create(&reader, NULL, receive_slowly, &hs), 0);
	for (int i = 0; i < COUNT; i++) {
		struct pollfd p = { .fd = hs.fd, .events = POLLOUT };
		struct homa_sendmsg_args args = {};
		int64_t start = now_ns();
		int rc;

		fill((int *)request, 100000, 12);
		while ((rc = hsock_sendmsg(&hs, &to, request, 100000, &args,
					   flags)) == -EAGAIN) {
			refused++;
			ASSERT_EQ(poll(&p, 1, MS), 1);
		}
		ASSERT_RC(rc, 0);
		if (now_ns() - start > longest)
			longest = now_ns() - start;
	}
	EXPECT_GE(longest, 1000000);
	EXPECT(!refused == !polls, "%d times EAGAIN", refused);
	pthread_join(reader, NULL);
}

static void wmem(void)
{
	reach_the_limit(false);
}

static void wmem_poll(void)
{
	reach_the_limit(true);
}

static void *wait_for_message(void *arg)
{
	struct hmsg m;

	return (void *)hsock_recv(arg, &m, 0, 0);
}

static void shutdown_wakes_a_waiting_thread(void)
{
	struct hsock hs = hsock_server(ns, ktap_family, PORT);
	pthread_t thread;
	void *rc;

	ASSERT_EQ(pthread_create(&thread, NULL, wait_for_message, &hs), 0);
	usleep(10000);
	EXPECT_EQ(shutdown(hs.fd, SHUT_RDWR), 0);
	ASSERT_EQ(pthread_join(thread, &rc), 0);
	EXPECT_RC((long)rc, -ESHUTDOWN);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_EACH(invoke),
		KTAP_EACH(rtt),
		KTAP_EACH(stream),
		KTAP_SLOW_EACH(fill_memory, 100),
		KTAP_EACH(private_in_reverse),
		KTAP_EACH(poll_for_a_message_to_oneself),
		KTAP_EACH(wmem),
		KTAP_EACH(wmem_poll),
		KTAP_EACH(shutdown_wakes_a_waiting_thread),
	};

	ns = ns_new();
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
