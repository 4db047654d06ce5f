// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Messages of more than 1,000,000 bytes: between those who know them, and how
 * everybody else is spared them.
 *
 * desc: messages of up to 64 MB, both ways, v4 and v6; EMSGSIZE and EINVAL for others
 * lab: --no-topology
 * flavor: fast@quick debug smp
 * timeout: 240
 */

#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "counters.h"
#include "hlarge.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99
#define MB (1 << 20)
#define REGION (130UL * MB)
#define ROOM HOMA_MAX_LARGE_BPAGES
#define TOO_LONG (HOMA_MAX_MESSAGE_LENGTH + 1)

static struct {
	int a;		/* 10.9.0.1 fd09::1 */
	int b;		/* 10.9.0.2 fd09::2 */
	char *out;	/* HOMA_MAX_LARGE_LENGTH + 1 bytes to be sent */
	char *echo;	/* as many, what a server sends */
} env;

static union haddr server_addr(int family)
{
	return haddr_of(family, family == AF_INET ? "10.9.0.2" : "fd09::2", PORT);
}

/* A server that sends requests back. */
struct large_server {
	struct hsock hs;
	pthread_t thread;
};

static void *serve(void *arg)
{
	struct large_server *s = arg;
	struct hlarge m;

	for (;;) {
		ssize_t done = 0;

		if (hlarge_recv(&s->hs, &m, 0, ROOM, 0) == -EINTR)
			continue;
		if (m.rc < 0)
			break;
		for (uint32_t i = 0; i < m.args.num_bpages; i++) {
			ssize_t n = m.rc - done;

			if (n > HOMA_BPAGE_SIZE)
				n = HOMA_BPAGE_SIZE;
			memcpy(env.echo + done,
			       s->hs.region + m.args.bpage_offsets[i], n);
			done += n;
		}
		EXPECT_RC(hlarge_return(&s->hs, &m), 0);
		EXPECT_RC(hsock_reply(&s->hs, &m.from, m.args.id, env.echo,
				      m.rc), 0);
	}
	EXPECT_RC(m.rc, -ESHUTDOWN);
	return NULL;
}

static void server_start(struct large_server *s, int family)
{
	s->hs = hlarge_open(env.b, family, PORT, REGION);
	pthread_create(&s->thread, NULL, serve, s);
}

static void server_stop(struct large_server *s)
{
	shutdown(s->hs.fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	hsock_close(&s->hs);
}

/* One message there and back again; how long it took, in ms. */
static int echo(const struct hsock *hs, int length)
{
	union haddr to = server_addr(hs->family);
	int64_t start = now_ms();
	struct hlarge m;
	uint64_t id;

	ASSERT_RC(hsock_request(hs, &to, env.out, length, &id), 0);
	ASSERT_RC(hlarge_recv_within(hs, &m, 100000), length);
	start = now_ms() - start;
	EXPECT_EQ(m.args.id, id);
	EXPECT_EQ(m.args.num_bpages, (length + HOMA_BPAGE_SIZE - 1) / HOMA_BPAGE_SIZE);
	EXPECT(haddr_equal(&m.from, &to), "another peer");
	EXPECT(hlarge_equal(hs, &m, env.out), "%d bytes: wrong contents", length);
	EXPECT_RC(hlarge_return(hs, &m), 0);
	return start;
}

static void all_sizes(void)
{
	static const int sizes[] = {
		100, 999999, 1000000, 1000001, 16 * 65536 - 1, 16 * 65536,
		16 * 65536 + 1, 17 * 65536, 2000000, 100 * 65536 + 1, 10000000,
		HOMA_MAX_LARGE_LENGTH - 65536, HOMA_MAX_LARGE_LENGTH - 1,
		HOMA_MAX_LARGE_LENGTH,
	};

	FOR_FAMILIES(family) {
		struct hsock hs = hlarge_open(env.a, family, 0, REGION);
		int64_t avail = hsock_avail(&hs);
		struct large_server s;

		server_start(&s, family);
		for (int i = 0; i < ARRAY_LEN(sizes); i++) {
			int ms = echo(&hs, sizes[i]);

			printf("# family %d, %d bytes: %d ms\n", family,
			       sizes[i], ms);
		}
		EXPECT_EQ(hsock_num_rpcs(&hs), 0);
		EXPECT_EQ(hsock_avail(&hs), avail);
		server_stop(&s);
		hsock_close(&hs);
	}
}

static void under_loss(void)
{
	ns_run(env.a, "tc qdisc add dev v0 root netem loss 0.5%% limit 100000");
	ns_run(env.b, "tc qdisc add dev v0 root netem loss 0.5%% limit 100000");
	FOR_FAMILIES(family) {
		struct hsock hs = hlarge_open(env.a, family, 0, REGION);
		struct large_server s;

		server_start(&s, family);
		echo(&hs, 1000001);
		echo(&hs, 5000000);
		echo(&hs, HOMA_MAX_LARGE_LENGTH);
		server_stop(&s);
		hsock_close(&hs);
	}
	ns_run(env.a, "tc qdisc del dev v0 root");
	ns_run(env.b, "tc qdisc del dev v0 root");
}

/* Sends @length bytes to @server, which does not take them: the errno comes at
 * once, and nothing else happens.
 */
static void expect_refused(const struct hsock *hs, const struct hsock *server,
			   int length, int error)
{
	union haddr to = server_addr(hs->family);
	struct homa_sendmsg_args args = { .completion_cookie = 77 };
	struct counters before;
	struct hlarge m;

	counters_read(env.a, &before);
	EXPECT_RC(hsock_sendmsg(hs, &to, env.out, length, &args, 0), error);
	EXPECT_EQ(args.id, 0);
	EXPECT_EQ(hsock_num_rpcs(hs), 0);
	EXPECT_EQ(hsock_num_rpcs(server), 0);
	EXPECT_EQ(counters_grew(env.a, &before, "packets_sent_DATA"), 0);
	EXPECT_RC(hlarge_recv(hs, &m, 0, HOMA_MAX_BPAGES, MSG_DONTWAIT), -EAGAIN);
	EXPECT_EQ(counters_grew(env.a, &before, "large_refusals"),
		  error == -EMSGSIZE);
}

static void server_does_not_know_them(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = hsock_server(env.b, family, PORT);
		struct hsock hs = hlarge_open(env.a, family, 0, REGION);
		union haddr to = server_addr(family);
		struct homa_sendmsg_args args = { .completion_cookie = 5 };
		struct hlarge m;

		expect_refused(&hs, &server, TOO_LONG, -EMSGSIZE);
		expect_refused(&hs, &server, HOMA_MAX_LARGE_LENGTH, -EMSGSIZE);

		/* Who does not wait is told by recvmsg. */
		EXPECT_RC(hsock_sendmsg(&hs, &to, env.out, TOO_LONG, &args,
					MSG_DONTWAIT), 0);
		EXPECT_RC(hlarge_recv_within(&hs, &m, 1000), -EMSGSIZE);
		EXPECT_EQ(m.args.id, args.id);
		EXPECT_EQ(m.args.completion_cookie, 5);
		EXPECT_EQ(hsock_num_rpcs(&hs), 0);
		EXPECT_EQ(hsock_num_rpcs(&server), 0);

		/* A server that learns it is believed. */
		ASSERT_RC(hsock_set_max(&server, HOMA_MAX_LARGE_LENGTH), 0);
		args.id = 0;
		ASSERT_RC(hsock_sendmsg(&hs, &to, env.out, TOO_LONG, &args, 0), 0);
		EXPECT_RC(hlarge_recv_within(&server, &m, 1000), TOO_LONG);
		hsock_close(&server);
		hsock_close(&hs);
	}
}

/* Programs that know nothing of it see what they always saw. */
static void sender_does_not_know_them(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = hlarge_open(env.b, family, PORT, REGION);
		struct hsock hs = hsock_open(env.a, family);
		struct hlarge m;

		expect_refused(&hs, &server, TOO_LONG, -EINVAL);
		expect_refused(&hs, &server, HOMA_MAX_LARGE_LENGTH, -EINVAL);
		EXPECT_RC(hlarge_recv(&hs, &m, 0, HOMA_MAX_BPAGES + 1, MSG_DONTWAIT),
			  -EINVAL);
		EXPECT_EQ(m.args.completion_cookie, 0xa5a5a5a5a5a5a5a5);
		EXPECT_RC(hlarge_recv(&hs, &m, 0, ROOM, MSG_DONTWAIT), -EINVAL);
		EXPECT_RC(hlarge_recv(&hs, &m, 0, HOMA_MAX_BPAGES, MSG_DONTWAIT),
			  -EAGAIN);
		hsock_close(&server);
		hsock_close(&hs);
	}
}

static void own_limits(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = hlarge_open(env.b, family, PORT, REGION);
		struct hsock hs = hsock_open(env.a, family);
		union haddr to = server_addr(family);
		struct hlarge m;
		uint64_t id;

		ASSERT_RC(hsock_set_max(&hs, 2 * MB), 0);
		EXPECT_RC(hsock_request(&hs, &to, env.out, 2 * MB + 1, &id),
			  -EMSGSIZE);
		EXPECT_RC(hsock_request(&hs, &to, env.out, 2 * MB, &id), 0);
		EXPECT_RC(hlarge_recv_within(&server, &m, 1000), 2 * MB);
		hsock_close(&hs);

		hs = hlarge_open(env.a, family, 0, REGION);
		EXPECT_RC(hsock_request(&hs, &to, env.out,
					HOMA_MAX_LARGE_LENGTH + 1, &id), -EMSGSIZE);
		hsock_close(&hs);
		hsock_close(&server);
	}
}

/* What a server takes is its option, its region, and what its host has memory for. */
static void servers_limits(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = hlarge_open(env.b, family, PORT, 4 * MB);
		struct hsock hs = hlarge_open(env.a, family, 0, REGION);
		union haddr to = server_addr(family);
		struct hlarge m;
		uint64_t id;

		expect_refused(&hs, &server, 4 * MB + 1, -EMSGSIZE);
		EXPECT_RC(hsock_request(&hs, &to, env.out, 4 * MB, &id), 0);
		EXPECT_RC(hlarge_recv_within(&server, &m, 2000), 4 * MB);
		EXPECT(hlarge_equal(&server, &m, env.out), "wrong contents");
		EXPECT_EQ(hsock_abort(&hs, id, 0), 0);
		hsock_close(&server);

		server = hlarge_open(env.b, family, PORT, REGION);
		ASSERT_RC(ns_sysctl(env.b, "max_rx_kbytes", "16384"), 0);
		expect_refused(&hs, &server, 10 * MB, -EMSGSIZE);
		EXPECT_RC(hsock_request(&hs, &to, env.out, 9 * MB, &id), 0);
		EXPECT_RC(hlarge_recv_within(&server, &m, 10000), 9 * MB);
		ASSERT_RC(ns_sysctl(env.b, "max_rx_kbytes", "2000000"), 0);
		hsock_close(&server);
		hsock_close(&hs);
	}
}

/* A response is refused before it is sent; a shorter one is as good as ever. */
static void client_does_not_know_them(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = hlarge_open(env.b, family, PORT, REGION);
		struct hsock hs = hsock_open(env.a, family);
		union haddr to = server_addr(family);
		struct counters before;
		struct hlarge m;
		uint64_t id;

		ASSERT_RC(hsock_request(&hs, &to, env.out, 100, &id), 0);
		ASSERT_RC(hlarge_recv_within(&server, &m, 1000), 100);
		counters_read(env.b, &before);
		EXPECT_RC(hsock_reply(&server, &m.from, m.args.id, env.out,
				      TOO_LONG), -EMSGSIZE);
		EXPECT_RC(hsock_reply(&server, &m.from, m.args.id, env.out,
				      HOMA_MAX_LARGE_LENGTH), -EMSGSIZE);
		EXPECT_EQ(counters_grew(env.b, &before, "packets_sent_DATA"), 0);
		EXPECT_RC(hsock_reply(&server, &m.from, m.args.id, env.out,
				      HOMA_MAX_MESSAGE_LENGTH), 0);
		EXPECT_RC(hlarge_recv_within(&hs, &m, 2000), -EINVAL);
		struct hmsg short_m;
		EXPECT_RC(hsock_recv_within(&hs, &short_m, 0, 2000),
			  HOMA_MAX_MESSAGE_LENGTH);
		hsock_close(&server);
		hsock_close(&hs);
	}
}

/* Sends 20 bpages and a bit to @to and waits until they have arrived. */
static void send_21(const struct hsock *hs, const struct hsock *server, uint64_t *id)
{
	union haddr to = server_addr(hs->family);

	ASSERT_RC(hsock_request(hs, &to, env.out, 20 * 65536 + 1, id), 0);
	ASSERT(readable_within(server->fd, 2000), "no request");
}

static void arguments_without_room(void)
{
	FOR_FAMILIES(family) {
		struct hsock server = hlarge_open(env.b, family, PORT, REGION);
		struct hsock hs = hlarge_open(env.a, family, 0, REGION);
		struct homa_sendmsg_args args = { .flags = HOMA_SENDMSG_PRIVATE };
		union haddr to = server_addr(family);
		struct hlarge m;
		uint64_t id;

		/* Shared: it stays for whoever has room. */
		send_21(&hs, &server, &id);
		for (int room = HOMA_MAX_BPAGES; room < 21; room++) {
			EXPECT_RC(hlarge_recv(&server, &m, 0, room, 0), -EMSGSIZE);
			EXPECT_EQ(m.args.id, 0);
			EXPECT_EQ(m.args.num_bpages, 21);
		}
		EXPECT(readable_within(server.fd, 0), "it has gone");
		EXPECT_RC(hlarge_recv(&server, &m, 0, 21, 0), 20 * 65536 + 1);
		EXPECT(hlarge_equal(&server, &m, env.out), "wrong contents");
		EXPECT_EQ(m.args.bpage_offsets[21], 0xa5a5a5a5);
		EXPECT_RC(hlarge_return(&server, &m), 0);
		ASSERT_RC(hsock_reply(&server, &m.from, m.args.id, env.out, 1), 0);
		ASSERT_RC(hlarge_recv_within(&hs, &m, 1000), 1);

		/* Private: likewise. */
		ASSERT_RC(hsock_sendmsg(&hs, &to, env.out, 1, &args, 0), 0);
		ASSERT_RC(hlarge_recv_within(&server, &m, 1000), 1);
		ASSERT_RC(hsock_reply(&server, &m.from, m.args.id, env.out,
				      1500000), 0);
		EXPECT_RC(hlarge_recv(&hs, &m, args.id, HOMA_MAX_BPAGES, 0),
			  -EMSGSIZE);
		EXPECT_EQ(m.args.num_bpages, 23);
		EXPECT_RC(hlarge_recv(&hs, &m, args.id, ROOM, 0), 1500000);
		EXPECT(hlarge_equal(&hs, &m, env.out), "wrong contents");
		hsock_close(&server);
		hsock_close(&hs);
	}
}

static void sizes_of_arguments(void)
{
	static const size_t wrong[] = { 1, 24, 84, 86, 87, 89, 90, 91, 93, 4122, 4124 };
	struct hsock hs = hlarge_open(env.a, AF_INET, 0, REGION);
	struct hlarge m = { 0 };
	struct msghdr mh = { .msg_control = &m.args };

	for (int i = 0; i < ARRAY_LEN(wrong); i++) {
		mh.msg_controllen = wrong[i];
		EXPECT(recvmsg(hs.fd, &mh, MSG_DONTWAIT) < 0 && errno == EINVAL,
		       "%zu bytes: %s", wrong[i], strerror(errno));
	}
	m.args.num_bpages = 18;
	for (int i = 0; i < 2; i++) {
		mh.msg_controllen = HOMA_RECVMSG_ARGS_SIZE(17 + i);
		EXPECT(recvmsg(hs.fd, &mh, MSG_DONTWAIT) < 0 && errno == EINVAL,
		       "%d: %s", i, strerror(errno));
		EXPECT_EQ(m.args.num_bpages, i ? 0 : 18);	/* not ours */
	}
	hsock_close(&hs);
}

/* Bpages go back one by one, in any order, and never twice. */
static void bpages_are_owned(void)
{
	struct hsock server = hlarge_open(env.b, AF_INET, PORT, REGION);
	struct hsock hs = hlarge_open(env.a, AF_INET, 0, REGION);
	int64_t avail = hsock_avail(&server);
	struct hlarge m, back;
	uint64_t id;

	send_21(&hs, &server, &id);
	ASSERT_RC(hlarge_recv(&server, &m, 0, ROOM, 0), 20 * 65536 + 1);
	EXPECT_EQ(hsock_avail(&server), avail - 20 * 65536 - 64);
	back = m;
	back.args.bpage_offsets[18] = m.args.bpage_offsets[3];
	EXPECT_RC(hlarge_return(&server, &back), 0);	/* stops at the 19th */
	EXPECT_EQ(hsock_avail(&server), avail - 2 * 65536 - 64);
	back.args.num_bpages = 3;
	memcpy(back.args.bpage_offsets, &m.args.bpage_offsets[18], 3 * 4);
	EXPECT_RC(hlarge_return(&server, &back), 0);
	EXPECT_EQ(hsock_avail(&server), avail);
	hsock_close(&server);
	hsock_close(&hs);
}

static void the_option(void)
{
	struct hsock hs = hsock_open(env.a, AF_INET);
	socklen_t size = 3;
	int value = 2000000;

	EXPECT_EQ(hsock_get_max(&hs), HOMA_MAX_MESSAGE_LENGTH);
	EXPECT_RC(hsock_set_max(&hs, HOMA_MAX_MESSAGE_LENGTH), 0);
	EXPECT_EQ(hsock_get_max(&hs), HOMA_MAX_MESSAGE_LENGTH);
	EXPECT_RC(hsock_set_max(&hs, HOMA_MAX_MESSAGE_LENGTH - 1), -EINVAL);
	EXPECT_RC(hsock_set_max(&hs, HOMA_MAX_LARGE_LENGTH + 1), -EINVAL);
	EXPECT_RC(hsock_set_max(&hs, -1), -EINVAL);
	EXPECT_RC(hsock_set_max(&hs, 1000001), 0);
	EXPECT_EQ(hsock_get_max(&hs), 16 * 65536);
	EXPECT_RC(hsock_set_max(&hs, 1000001), 0);
	EXPECT_RC(hsock_set_max(&hs, HOMA_MAX_LARGE_LENGTH), 0);
	EXPECT_EQ(hsock_get_max(&hs), HOMA_MAX_LARGE_LENGTH);
	EXPECT_RC(hsock_set_max(&hs, 2000000), -EINVAL);
	EXPECT_EQ(hsock_get_max(&hs), HOMA_MAX_LARGE_LENGTH);
	EXPECT(setsockopt(hs.fd, IPPROTO_HOMA, SO_HOMA_MAX_MESSAGE, &value, 3) &&
	       errno == EINVAL, "%s", strerror(errno));
	EXPECT(setsockopt(hs.fd, IPPROTO_HOMA, SO_HOMA_MAX_MESSAGE, NULL, 4) &&
	       errno == EFAULT, "%s", strerror(errno));
	EXPECT(getsockopt(hs.fd, IPPROTO_HOMA, SO_HOMA_MAX_MESSAGE, &value, &size) &&
	       errno == EINVAL, "%s", strerror(errno));
	hsock_close(&hs);
}

/* Nothing leaves the client's host any more, or again. */
static void silence(bool on)
{
	ns_run(env.a, on ? "tc qdisc add dev v0 root netem loss 100%%" :
			   "tc qdisc del dev v0 root");
}

/* No server: recvmsg tells, as for any request. No host at all: it has not said
 * that it takes the message.
 */
static void nobody_answers(void)
{
	FOR_FAMILIES(family) {
		struct hsock hs = hlarge_open(env.a, family, 0, REGION);
		union haddr to = server_addr(family);
		struct timeval limit = { .tv_usec = 30000 };
		struct homa_sendmsg_args args = { 0 };
		struct hlarge m;
		uint64_t id;

		ASSERT_RC(hsock_request(&hs, &to, env.out, TOO_LONG, &id), 0);
		EXPECT_RC(hlarge_recv_within(&hs, &m, 1000), -ENOTCONN);
		EXPECT_EQ(m.args.id, id);

		silence(true);
		EXPECT_RC(hsock_request(&hs, &to, env.out, TOO_LONG, &id),
			  -EMSGSIZE);
		EXPECT_EQ(hsock_num_rpcs(&hs), 0);
		EXPECT_RC(hsock_sendmsg(&hs, &to, env.out, TOO_LONG, &args,
					MSG_DONTWAIT), 0);
		EXPECT_RC(hlarge_recv_within(&hs, &m, 1000), -ETIMEDOUT);
		EXPECT_EQ(m.args.id, args.id);
		args.id = 0;

		/* There may be a limit to patience. */
		setsockopt(hs.fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		EXPECT_RC(hsock_sendmsg(&hs, &to, env.out, TOO_LONG, &args, 0),
			  -EAGAIN);
		EXPECT_EQ(args.id, 0);
		EXPECT_EQ(hsock_num_rpcs(&hs), 0);
		silence(false);
		hsock_close(&hs);
	}
}

struct sender {
	struct hsock hs;
	int rc;
};

static void *send_blocked(void *arg)
{
	union haddr to = server_addr(AF_INET);
	struct sender *s = arg;
	uint64_t id;

	s->rc = hsock_request(&s->hs, &to, env.out, TOO_LONG, &id);
	return NULL;
}

static void on_signal(int number __attribute__((unused)))
{
}

static void waiting_ends(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct sender s;
	pthread_t thread;

	/* Nobody is there, for a time that lasts longer than all this. */
	ASSERT_RC(ns_sysctl(env.a, "timeout_ticks", "100000"), 0);
	silence(true);
	sigaction(SIGUSR1, &sa, NULL);

	s.hs = hlarge_open(env.a, AF_INET, 0, REGION);
	pthread_create(&thread, NULL, send_blocked, &s);
	ASSERT(WAIT_FOR(hsock_num_rpcs(&s.hs) == 1, 2000), "no RPC");
	for (int i = 0; i < 1000 && hsock_num_rpcs(&s.hs); i++) {
		pthread_kill(thread, SIGUSR1);
		sleep_ms(1);
	}
	pthread_join(thread, NULL);
	EXPECT_RC(s.rc, -EINTR);
	EXPECT_EQ(hsock_num_rpcs(&s.hs), 0);

	pthread_create(&thread, NULL, send_blocked, &s);
	ASSERT(WAIT_FOR(hsock_num_rpcs(&s.hs) == 1, 2000), "no RPC");
	EXPECT_RC(hsock_abort(&s.hs, 0, EIO), 0);
	pthread_join(thread, NULL);
	EXPECT_RC(s.rc, 0);
	struct hlarge m;
	EXPECT_RC(hlarge_recv_within(&s.hs, &m, 1000), -EIO);

	pthread_create(&thread, NULL, send_blocked, &s);
	ASSERT(WAIT_FOR(hsock_num_rpcs(&s.hs) == 1, 2000), "no RPC");
	shutdown(s.hs.fd, SHUT_RDWR);
	pthread_join(thread, NULL);
	EXPECT_RC(s.rc, -EINVAL);
	hsock_close(&s.hs);
	silence(false);
	ASSERT_RC(ns_sysctl(env.a, "timeout_ticks", "100"), 0);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_SLOW(all_sizes, 100),
		KTAP_CASE(server_does_not_know_them),
		KTAP_CASE(sender_does_not_know_them),
		KTAP_CASE(own_limits),
		KTAP_CASE(servers_limits),
		KTAP_CASE(client_does_not_know_them),
		KTAP_CASE(arguments_without_room),
		KTAP_CASE(sizes_of_arguments),
		KTAP_CASE(bpages_are_owned),
		KTAP_CASE(the_option),
		KTAP_SLOW(under_loss, 100),
		KTAP_CASE(nobody_answers),
		KTAP_CASE(waiting_ends),
	};

	env.a = ns_new();
	env.b = ns_new();
	ns_join(env.a, env.b, 1500);
	env.out = mmap(NULL, HOMA_MAX_LARGE_LENGTH + 1, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	env.echo = mmap(NULL, HOMA_MAX_LARGE_LENGTH + 1, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	payload_fill(env.out, HOMA_MAX_LARGE_LENGTH + 1, 7);
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
