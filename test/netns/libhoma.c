// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* libhoma: every function, the errors it promises, and that memory goes back
 * to the kernel whatever an application does with its messages.
 *
 * desc: libhoma keeps the promises of libhoma.3
 * lab: --no-topology
 * flavor: fast@quick debug smp@full
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "hsock.h"
#include "ktap.h"
#include "libhoma.h"
#include "ns.h"

#define PORT 99

static uint8_t data[HOMA_MAX_LARGE_LENGTH];

/* A client, and a server that a thread may run. */
struct pair {
	struct homa *client;
	struct homa *server;
	union homa_addr to;
	pthread_t thread;
};

static struct pair pair_open(int family, size_t region, int flags)
{
	struct pair p;

	ASSERT_RC(homa_open(&p.client, family, 0, region, flags), 0);
	ASSERT_RC(homa_open(&p.server, family, PORT, region, flags), 0);
	ASSERT_RC(homa_address(p.client, family == AF_INET ? "127.0.0.1" : "::1",
			       PORT, &p.to), 0);
	return p;
}

static void pair_close(struct pair *p)
{
	homa_close(p->client);
	homa_close(p->server);
}

/* Answers with the same bytes until the socket is shut down. */
static void *echo(void *homa)
{
	struct homa_msg msg = HOMA_MSG_INIT;
	ssize_t n;

	while ((n = homa_recv(homa, &msg, 0)) >= 0)
		EXPECT_RC(homa_replyv(homa, &msg, msg.iov, msg.iovcnt), 0);
	EXPECT_RC(n, -ESHUTDOWN);
	EXPECT(!msg.id && !msg.iovcnt && !msg.length, "no message is there");
	homa_release(&msg);
	return NULL;
}

static void echo_start(struct pair *p)
{
	ASSERT_EQ(pthread_create(&p->thread, NULL, echo, p->server), 0);
}

static void echo_stop(struct pair *p)
{
	EXPECT_RC(homa_shutdown(p->server), 0);
	pthread_join(p->thread, NULL);
}

static struct homa_info info_of(const struct homa *homa)
{
	struct homa_info info = { .rpc_info = 0 };

	ASSERT_EQ(ioctl(homa_fd(homa), HOMAIOCINFO, &info), 0);
	return info;
}

/* Receives within a second. */
static ssize_t recv_soon(struct homa *homa, struct homa_msg *msg)
{
	ssize_t n;

	WAIT_FOR((n = homa_recv(homa, msg, MSG_DONTWAIT)) != -EAGAIN, 1000);
	return n;
}

static void invoke_at_every_size(void)
{
	static const int sizes[] = {
		1, 100, 65535, 65536, 65537, 131072, 999999, HOMA_MAX_MESSAGE_LENGTH,
		HOMA_MAX_MESSAGE_LENGTH + 1, 1048576, 1048577, 3000000,
		HOMA_MAX_LARGE_LENGTH,
	};
	static const int families[] = { AF_INET, AF_INET6 };
	struct homa_msg msg = HOMA_MSG_INIT;
	void *whole;

	for (int f = 0; f < ARRAY_LEN(families); f++) {
		struct pair p = pair_open(families[f], 0, 0);

		echo_start(&p);
		for (int i = 0; i < ARRAY_LEN(sizes); i++) {
			ktap_label("family %d, %d bytes: ", families[f], sizes[i]);
			payload_fill(data, sizes[i], i);
			ASSERT_RC(homa_invoke(p.client, &p.to.sa, data, sizes[i],
					      &msg), sizes[i]);
			EXPECT_EQ(msg.length, sizes[i]);
			EXPECT_EQ(msg.iovcnt, (sizes[i] + 65535) / 65536);
			EXPECT(!msg.is_request, "a response");
			EXPECT(!memcmp(&msg.peer, &p.to, sizeof(p.to.in4)), "peer");
			whole = homa_data(&msg);
			ASSERT(whole, "in one piece");
			EXPECT(!memcmp(whole, data, sizes[i]), "contents");
			EXPECT(homa_data(&msg) == whole, "only once");
		}
		homa_release(&msg);
		echo_stop(&p);
		pair_close(&p);
	}
}

static void parts_of_a_message(void)
{
	static const struct { size_t offset, length, want; } rows[] = {
		{ 0, 150000, 150000 }, { 0, 10, 10 }, { 65530, 10, 10 },
		{ 65536, 1, 1 }, { 131071, 2, 2 }, { 149999, 5, 1 },
		{ 150000, 5, 0 }, { 1000000, 5, 0 }, { 1, 0, 0 },
		{ 100, 200000, 149900 },
	};
	struct pair p = pair_open(AF_INET, 0, 0);
	struct homa_msg msg = HOMA_MSG_INIT;
	static uint8_t part[200001];

	echo_start(&p);
	payload_fill(data, 150000, 1);
	ASSERT_RC(homa_invoke(p.client, &p.to.sa, data, 150000, &msg), 150000);
	for (int i = 0; i < ARRAY_LEN(rows); i++) {
		ktap_label("%zu bytes at %zu: ", rows[i].length, rows[i].offset);
		memset(part, 0xa5, sizeof(part));
		EXPECT_EQ(homa_copy(&msg, rows[i].offset, part, rows[i].length),
			  rows[i].want);
		EXPECT(!memcmp(part, data + rows[i].offset, rows[i].want), "contents");
		EXPECT_EQ(part[rows[i].want], 0xa5);
	}
	homa_release(&msg);
	EXPECT_EQ(homa_copy(&msg, 0, part, 1), 0);
	EXPECT(!homa_data(&msg), "nothing in an empty message");
	echo_stop(&p);
	pair_close(&p);
}

static void many_requests_at_a_time(void)
{
	enum { NUM = 200 };
	struct pair p = pair_open(AF_INET6, 0, 0);
	struct homa_msg msg = HOMA_MSG_INIT;
	uint64_t ids[NUM];
	char seen[NUM] = "";

	echo_start(&p);
	for (uint32_t i = 0; i < NUM; i++)
		ASSERT_RC(homa_send(p.client, &p.to.sa, &i, sizeof(i), i, &ids[i]), 0);
	for (int n = 0; n < NUM; n++) {
		uint32_t i;

		ASSERT_RC(homa_recv(p.client, &msg, 0), sizeof(i));
		ASSERT_EQ(homa_copy(&msg, 0, &i, sizeof(i)), sizeof(i));
		ASSERT(i < NUM && !seen[i], "response %u twice", i);
		seen[i] = 1;
		EXPECT_EQ(msg.id, ids[i]);
		EXPECT_EQ(msg.cookie, i);
	}
	EXPECT_RC(homa_recv(p.client, &msg, MSG_DONTWAIT), -EAGAIN);
	EXPECT_EQ(msg.id, 0);
	homa_release(&msg);
	echo_stop(&p);
	pair_close(&p);
}

static void private_responses_in_reverse(void)
{
	enum { NUM = 100 };
	struct pair p = pair_open(AF_INET, 0, 0);
	struct homa_msg msg = HOMA_MSG_INIT;
	uint64_t ids[NUM];

	echo_start(&p);
	for (int i = 0; i < NUM; i++) {
		struct iovec iov[2] = { { &i, sizeof(i) }, { data, i } };

		ASSERT_RC(homa_sendv(p.client, &p.to.sa, iov, 2, i, HOMA_PRIVATE,
				     &ids[i]), 0);
	}
	for (int i = NUM - 1; i >= 0; i--) {
		ASSERT_RC(homa_wait(p.client, ids[i], &msg, 0), i + (int)sizeof(i));
		EXPECT_EQ(*(int *)homa_data(&msg), i);
		EXPECT_EQ(msg.cookie, i);
		EXPECT_EQ(msg.id, ids[i]);
	}
	EXPECT_RC(homa_wait(p.client, ids[0], &msg, 0), -EINVAL);
	EXPECT_RC(homa_wait(p.client, 0, &msg, 0), -EINVAL);
	EXPECT_EQ(msg.id, 0);
	homa_release(&msg);
	echo_stop(&p);
	pair_close(&p);
}

static void failures_name_their_rpc(void)
{
	struct pair p = pair_open(AF_INET, 0, 0);
	struct homa_msg msg = HOMA_MSG_INIT;
	union homa_addr nobody;
	uint64_t id;

	ASSERT_RC(homa_address(p.client, "127.0.0.1", PORT + 1, &nobody), 0);
	ASSERT_RC(homa_send(p.client, &nobody.sa, "x", 1, 7, &id), 0);
	EXPECT_RC(homa_recv(p.client, &msg, 0), -ENOTCONN);
	EXPECT_EQ(msg.id, id);
	EXPECT_EQ(msg.cookie, 7);
	EXPECT_EQ(msg.iovcnt, 0);
	EXPECT(!memcmp(&msg.peer, &nobody, sizeof(nobody.in4)), "who failed");
	EXPECT_RC(homa_invoke(p.client, &nobody.sa, "x", 1, &msg), -ENOTCONN);
	EXPECT(msg.id > id, "the failed RPC is named");

	ASSERT_RC(homa_send(p.client, &p.to.sa, "x", 1, 8, &id), 0);
	EXPECT_RC(homa_abort(p.client, id, ECANCELED), 0);
	EXPECT_RC(homa_recv(p.client, &msg, 0), -ECANCELED);
	EXPECT_EQ(msg.id, id);
	EXPECT_RC(homa_abort(p.client, id, 0), -EINVAL);
	ASSERT_RC(homa_send(p.client, &p.to.sa, "x", 1, 9, NULL), 0);
	ASSERT_RC(homa_send(p.client, &p.to.sa, "x", 1, 9, NULL), 0);
	EXPECT_RC(homa_abort(p.client, 0, 0), 0);
	EXPECT_EQ(info_of(p.client).num_rpcs, 0);
	EXPECT_RC(homa_recv(p.client, &msg, MSG_DONTWAIT), -EAGAIN);
	homa_release(&msg);
	pair_close(&p);
}

static void wrong_arguments(void)
{
	struct pair p = pair_open(AF_INET, 0, 0);
	struct homa_msg msg = HOMA_MSG_INIT;
	struct homa *other = p.client;
	union homa_addr addr;
	char why[104];

	EXPECT_RC(homa_open(&other, AF_UNIX, 0, 0, 0), -EAFNOSUPPORT);
	EXPECT(!other, "there is no socket");
	EXPECT_RC(homa_open(&other, AF_INET, 0, 0, 2), -EINVAL);
	EXPECT_RC(homa_open(&other, AF_INET, -1, 0, 0), -EINVAL);
	EXPECT_RC(homa_open(&other, AF_INET, 0x8000, 0, 0), -EINVAL);
	EXPECT_RC(homa_open(&other, AF_INET, PORT, 0, 0), -EADDRINUSE);
	EXPECT_RC(homa_open(&other, AF_INET, 0, 1ULL << 40, 0), -EINVAL);
	EXPECT_RC(homa_address(p.client, "127.0.0.1", 0, &addr), -EINVAL);
	EXPECT_RC(homa_address(p.client, "127.0.0.1", 65536, &addr), -EINVAL);
	EXPECT(homa_address(p.client, "::1", 1, &addr) < 0, "another family");

	EXPECT_RC(homa_recv(p.client, &msg, MSG_PEEK), -EINVAL);
	EXPECT_RC(homa_wait(p.client, 2, &msg, MSG_ERRQUEUE), -EINVAL);
	EXPECT_RC(homa_sendv(p.client, &p.to.sa, NULL, 0, 0, MSG_OOB, NULL), -EINVAL);
	EXPECT_RC(homa_send(p.client, &p.to.sa, data, 0, 0, NULL), -EINVAL);
	EXPECT_RC(homa_reason(p.client, why, sizeof(why)), 0);
	EXPECT(strstr(why, "empty"), "reason \"%s\"", why);
	EXPECT_RC(homa_send(p.client, &p.to.sa, data, sizeof(data) + 1, 0, NULL), -EMSGSIZE);
	addr = p.to;
	addr.sa.sa_family = AF_INET6;
	EXPECT_RC(homa_send(p.client, &addr.sa, "x", 1, 0, NULL), -EAFNOSUPPORT);

	echo_start(&p);
	ASSERT_RC(homa_invoke(p.client, &p.to.sa, "x", 1, &msg), 1);
	EXPECT_RC(homa_reply(p.client, &msg, "x", 1), -EINVAL);
	homa_release(&msg);
	echo_stop(&p);
	pair_close(&p);
	homa_close(NULL);
}

static void addresses_and_ports(void)
{
	struct homa *v4, *v6;
	union homa_addr addr;

	ASSERT_RC(homa_open(&v4, AF_INET, 0, 0, 0), 0);
	ASSERT_RC(homa_open(&v6, AF_INET6, 77, 0, 0), 0);
	EXPECT_GE(homa_port(v4), HOMA_MIN_DEFAULT_PORT);
	EXPECT_EQ(homa_port(v6), 77);
	ASSERT_RC(homa_address(v4, "10.1.2.3", 5, &addr), 0);
	EXPECT_EQ(addr.in4.sin_family, AF_INET);
	EXPECT_EQ(addr.in4.sin_addr.s_addr, htonl(0x0a010203));
	EXPECT_EQ(addr.in4.sin_port, htons(5));
	ASSERT_RC(homa_address(v6, "10.1.2.3", 5, &addr), 0);
	EXPECT_EQ(addr.in6.sin6_family, AF_INET6);
	EXPECT(IN6_IS_ADDR_V4MAPPED(&addr.in6.sin6_addr), "mapped");
	EXPECT_EQ(addr.in6.sin6_port, htons(5));
	EXPECT(!strcmp(homa_version(), LIBHOMA_VERSION), "version");
	homa_close(v4);
	homa_close(v6);
}

/* In a region of the least size, longer than it takes to fill it. */
static void memory_goes_back(void)
{
	struct pair p = pair_open(AF_INET, 1, 0);
	struct homa_msg msg = HOMA_MSG_INIT;
	uint64_t all = info_of(p.client).bpool_avail_bytes;

	echo_start(&p);
	for (int i = 0; i < 40; i++)
		ASSERT_RC(homa_invoke(p.client, &p.to.sa, data, HOMA_MAX_MESSAGE_LENGTH, &msg),
			  HOMA_MAX_MESSAGE_LENGTH);
	for (int i = 0; i < 500; i++)
		ASSERT_RC(homa_invoke(p.client, &p.to.sa, data, 100, &msg), 100);
	homa_release(&msg);
	/* What is spare goes with the next message, which is one itself. */
	ASSERT_RC(homa_invoke(p.client, &p.to.sa, data, 100, &msg), 100);
	EXPECT_GE(info_of(p.client).bpool_avail_bytes, all - 128);
	homa_release(&msg);
	echo_stop(&p);
	pair_close(&p);
}

struct sleeper {
	struct homa *homa;
	struct homa_msg msg;
	ssize_t got;
};

static void *sleep_in_recv(void *arg)
{
	struct sleeper *s = arg;

	s->got = homa_recv(s->homa, &s->msg, 0);
	return NULL;
}

/* Released while the only thread that receives sleeps for want of memory. */
static void release_wakes_a_sleeping_receiver(void)
{
	enum { NUM = 6 };	/* more than fit */
	struct pair p = pair_open(AF_INET, 1, 0);
	struct homa_msg held[NUM] = { HOMA_MSG_INIT };
	struct sleeper s = { .homa = p.server, .msg = HOMA_MSG_INIT };
	pthread_t thread;
	int n = 0;

	for (int i = 0; i < NUM; i++)
		ASSERT_RC(homa_send(p.client, &p.to.sa, data, HOMA_MAX_MESSAGE_LENGTH, 0, NULL), 0);
	while (n < NUM && recv_soon(p.server, &held[n]) > 0)
		n++;
	ASSERT(n > 0 && n < NUM, "%d of %d messages fit", n, NUM);
	ASSERT_EQ(pthread_create(&thread, NULL, sleep_in_recv, &s), 0);
	sleep_ms(20);
	homa_release(&held[0]);
	pthread_join(thread, NULL);
	EXPECT_RC(s.got, HOMA_MAX_MESSAGE_LENGTH);
	homa_release(&s.msg);
	for (int i = 1; i < NUM; i++)
		homa_release(&held[i]);
	pair_close(&p);
}

static void messages_outlive_their_socket(void)
{
	struct pair p = pair_open(AF_INET, 0, 0);
	struct homa_msg msg = HOMA_MSG_INIT, moved;
	int fd = homa_fd(p.server);

	payload_fill(data, 200000, 3);
	ASSERT_RC(homa_send(p.client, &p.to.sa, data, 200000, 0, NULL), 0);
	ASSERT_RC(homa_recv(p.server, &msg, 0), 200000);
	moved = msg;
	pair_close(&p);
	EXPECT_EQ(fcntl(fd, F_GETFD), -1);
	EXPECT(!memcmp(homa_data(&moved), data, 200000), "contents");
	homa_release(&moved);

	/* A message may also be used for one socket after the other. */
	for (int i = 0; i < 2; i++) {
		msg = i ? moved : (struct homa_msg)HOMA_MSG_INIT;
		p = pair_open(AF_INET, 0, 0);
		ASSERT_RC(homa_send(p.client, &p.to.sa, data, 9, 0, NULL), 0);
		ASSERT_RC(homa_recv(p.server, &msg, 0), 9);
		moved = msg;
		pair_close(&p);
	}
	homa_release(&moved);
}

static void event_loops(void)
{
	struct pair p = pair_open(AF_INET6, 0, HOMA_NONBLOCK);
	struct epoll_event want = { .events = EPOLLIN | EPOLLET }, got;
	struct homa_msg msg = HOMA_MSG_INIT;
	int ep = epoll_create1(0);

	EXPECT_RC(homa_recv(p.server, &msg, 0), -EAGAIN);
	ASSERT_EQ(epoll_ctl(ep, EPOLL_CTL_ADD, homa_fd(p.server), &want), 0);
	EXPECT_EQ(epoll_wait(ep, &got, 1, 20), 0);
	for (int i = 0; i < 3; i++)
		ASSERT_RC(homa_send(p.client, &p.to.sa, "x", 1, 0, NULL), 0);
	ASSERT_EQ(epoll_wait(ep, &got, 1, 1000), 1);
	for (int i = 0; i < 3; i++)
		EXPECT_RC(recv_soon(p.server, &msg), 1);
	EXPECT_RC(homa_recv(p.server, &msg, 0), -EAGAIN);
	/* Giving memory back receives nothing and makes nothing readable. */
	homa_release(&msg);
	while (epoll_wait(ep, &got, 1, 20) > 0)
		EXPECT_RC(homa_recv(p.server, &msg, 0), -EAGAIN);
	ASSERT_RC(homa_send(p.client, &p.to.sa, "x", 1, 0, NULL), 0);
	EXPECT_EQ(epoll_wait(ep, &got, 1, 1000), 1);
	homa_shutdown(p.server);
	EXPECT_RC(homa_recv(p.server, &msg, 0), -ESHUTDOWN);
	homa_release(&msg);
	close(ep);
	pair_close(&p);
}

static void sender_that_may_not_wait(void)
{
	struct pair p = pair_open(AF_INET, 0, 0);
	struct iovec iov = { data, HOMA_MAX_MESSAGE_LENGTH };
	int small = 4096, n = 0, rc;

	ASSERT_EQ(setsockopt(homa_fd(p.client), SOL_SOCKET, SO_SNDBUF, &small,
			     sizeof(small)), 0);
	do
		rc = homa_sendv(p.client, &p.to.sa, &iov, 1, 0, MSG_DONTWAIT, NULL);
	while (!rc && ++n < 100);
	EXPECT_RC(rc, -EAGAIN);
	EXPECT_EQ(info_of(p.client).num_rpcs, n);
	pair_close(&p);
}

static void on_signal(int number)
{
	(void)number;
}

struct invocation {
	struct pair *pair;
	struct homa_msg msg;
	ssize_t first, then;
	int done;
};

/* An invocation that a signal interrupts, and that goes on. */
static void *interrupted(void *arg)
{
	struct invocation *call = arg;
	struct homa *homa = call->pair->client;

	call->first = homa_invoke(homa, &call->pair->to.sa, "x", 1, &call->msg);
	__atomic_store_n(&call->done, 1, __ATOMIC_RELEASE);
	call->then = call->first;
	while (call->then == -EINTR)	/* another signal may be on its way */
		call->then = homa_wait(homa, call->msg.id, &call->msg, 0);
	return NULL;
}

static void signals_interrupt(void)
{
	struct pair p = pair_open(AF_INET, 0, 0);
	struct invocation call = { .pair = &p, .msg = HOMA_MSG_INIT };
	struct sigaction action = { .sa_handler = on_signal };
	struct homa_msg msg = HOMA_MSG_INIT;
	pthread_t thread;

	sigaction(SIGUSR1, &action, NULL);
	ASSERT_EQ(pthread_create(&thread, NULL, interrupted, &call), 0);
	ASSERT_RC(homa_recv(p.server, &msg, 0), 1);
	while (!__atomic_load_n(&call.done, __ATOMIC_ACQUIRE)) {
		sleep_ms(5);
		pthread_kill(thread, SIGUSR1);
	}
	EXPECT_RC(homa_reply(p.server, &msg, "yes", 3), 0);
	pthread_join(thread, NULL);
	EXPECT_RC(call.first, -EINTR);
	EXPECT_RC(call.then, 3);
	EXPECT_EQ(call.msg.id, msg.id ^ 1);
	homa_release(&call.msg);
	homa_release(&msg);
	pair_close(&p);
}

static void *sleep_in_wait(void *arg)
{
	struct pair *p = arg;
	struct homa_msg msg = HOMA_MSG_INIT;

	EXPECT_RC(homa_invoke(p->client, &p->to.sa, "x", 1, &msg), -ESHUTDOWN);
	homa_release(&msg);
	return NULL;
}

static void shutdown_wakes_everybody(void)
{
	struct pair p = pair_open(AF_INET, 0, 0);
	pthread_t threads[6];

	for (int i = 0; i < 3; i++) {
		ASSERT_EQ(pthread_create(&threads[i], NULL, echo, p.client), 0);
		ASSERT_EQ(pthread_create(&threads[3 + i], NULL, sleep_in_wait, &p), 0);
	}
	ASSERT(WAIT_FOR(info_of(p.client).num_rpcs == 3, 1000), "requests are out");
	sleep_ms(20);
	EXPECT_RC(homa_shutdown(p.client), 0);
	for (int i = 0; i < 6; i++)
		pthread_join(threads[i], NULL);
	EXPECT_RC(homa_send(p.client, &p.to.sa, "x", 1, 0, NULL), -ESHUTDOWN);
	pair_close(&p);
}

/* Each thread's answers are its own; sizes that share bpages and that do not. */
static void *invoke_many(void *arg)
{
	struct homa_msg msg = HOMA_MSG_INIT;
	struct pair *p = arg;
	uint32_t word[30000];

	for (uint32_t i = 0; i < 150; i++) {
		size_t length = 4 + (i * 7919 + (uintptr_t)&msg / 64) % 119000;

		memset(word, i, length);
		word[0] = (uintptr_t)&msg;
		ASSERT_RC(homa_invoke(p->client, &p->to.sa, word, length, &msg), length);
		EXPECT(!memcmp(homa_data(&msg), word, length), "contents");
		if (i % 3 == 0)
			homa_release(&msg);
	}
	homa_release(&msg);
	return NULL;
}

static void threads_share_a_socket(void)
{
	enum { NUM = 6 };
	struct pair p = pair_open(AF_INET6, 0, 0);
	pthread_t clients[NUM], servers[NUM];

	for (int i = 0; i < NUM; i++) {
		ASSERT_EQ(pthread_create(&servers[i], NULL, echo, p.server), 0);
		ASSERT_EQ(pthread_create(&clients[i], NULL, invoke_many, &p), 0);
	}
	for (int i = 0; i < NUM; i++)
		pthread_join(clients[i], NULL);
	EXPECT_RC(homa_shutdown(p.server), 0);
	for (int i = 0; i < NUM; i++)
		pthread_join(servers[i], NULL);
	EXPECT_EQ(info_of(p.client).num_rpcs, 0);
	pair_close(&p);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(invoke_at_every_size),
		KTAP_CASE(parts_of_a_message),
		KTAP_CASE(many_requests_at_a_time),
		KTAP_CASE(private_responses_in_reverse),
		KTAP_CASE(failures_name_their_rpc),
		KTAP_CASE(wrong_arguments),
		KTAP_CASE(addresses_and_ports),
		KTAP_CASE(memory_goes_back),
		KTAP_CASE(release_wakes_a_sleeping_receiver),
		KTAP_CASE(messages_outlive_their_socket),
		KTAP_CASE(event_loops),
		KTAP_CASE(sender_that_may_not_wait),
		KTAP_CASE(signals_interrupt),
		KTAP_CASE(shutdown_wakes_everybody),
		KTAP_CASE(threads_share_a_socket),
	};

	ns_enter(ns_new());
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
