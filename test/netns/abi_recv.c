// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* recvmsg: each errno alone and with all later ones, what is written back,
 * private and shared responses, signals, shutdown.
 *
 * desc: recvmsg: every errno, in order
 * lab: --no-topology
 * flavor: fast@quick debug
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define BAD_PTR ((void *)8)
#define PORT 99
#define NO_SUCH_PRIVATE 0x7777777777777776ULL

static struct {
	int ns;
	char *rdonly;	/* a zero page that cannot be written */
} env;

static union haddr local(int family, int port)
{
	return haddr_of(family, family == AF_INET ? "127.0.0.1" : "::1", port);
}

/* A server and a client in env.ns, and where the server is. */
struct pair {
	struct hsock server;
	struct hsock client;
	union haddr to;
};

static struct pair pair_open(int family)
{
	return (struct pair){
		.server = hsock_server(env.ns, family, PORT),
		.client = hsock_open(env.ns, family),
		.to = local(family, PORT),
	};
}

static void pair_close(struct pair *p)
{
	hsock_close(&p->client);
	hsock_close(&p->server);
}

/* Sends a request, serves it with @len bytes and returns its id. */
static uint64_t pair_answered(struct pair *p, int len, int flags,
			      uint64_t cookie)
{
	struct homa_sendmsg_args args = {
		.flags = flags, .completion_cookie = cookie,
	};
	static char buf[HOMA_MAX_MESSAGE_LENGTH];
	struct hmsg m;

	payload_fill(buf, len, args.flags);
	ASSERT_RC(hsock_sendmsg(&p->client, &p->to, "x", 1, &args, 0), 0);
	ASSERT_RC(hsock_recv_within(&p->server, &m, 0, 1000), 1);
	ASSERT_EQ(m.args.completion_cookie, 0);
	ASSERT_RC(hsock_reply(&p->server, &m.from, m.args.id, buf, len), 0);
	hsock_return(&p->server, &m);
	return args.id;
}

/* Faults of recvmsg, in the order in which they must be noticed. */
enum {
	CONTROL_LEN = 1,
	BAD_ARGS = 2,
	MANY_BPAGES = 4,
	BAD_RESERVED = 8,
	BAD_BPAGE = 16,
	UNKNOWN_ID = 32,
	NOTHING_READY = 64,	/* with MSG_DONTWAIT */
	FAULTS = 128,
};

static ssize_t recv_with_faults(int faults, struct homa_recvmsg_args *after)
{
	struct hsock hs = hsock_open(env.ns, ktap_family);
	struct homa_recvmsg_args args = {
		.id = faults & UNKNOWN_ID ? NO_SUCH_PRIVATE : 0,
		.completion_cookie = 0xabcd,
		.num_bpages = faults & MANY_BPAGES ? 17 :
			      faults & BAD_BPAGE ? 1 : 0,
		.reserved = faults & BAD_RESERVED ? 1 : 0,
		.bpage_offsets = { 0x10000 },
	};
	struct msghdr mh = {
		.msg_control = faults & BAD_ARGS ? BAD_PTR : &args,
		.msg_controllen = sizeof(args) - (faults & CONTROL_LEN ? 1 : 0),
	};
	int rc = recvmsg(hs.fd, &mh, MSG_DONTWAIT) < 0 ? -errno : 0;

	*after = args;
	hsock_close(&hs);
	return rc;
}

static void recv_errors_in_order(void)
{
	static const struct {
		int fault;
		int err;
		uint64_t cookie;	/* afterwards */
		uint64_t id;		/* afterwards */
		unsigned int bpages;	/* afterwards, alone / with all */
		unsigned int all_bpages;
	} rows[] = {
		{ CONTROL_LEN, EINVAL, 0xabcd, 0, 0, 17 },
		{ BAD_ARGS, EFAULT, 0xabcd, 0, 0, 17 },
		{ MANY_BPAGES, EINVAL, 0, 0, 17, 17 },
		{ BAD_RESERVED, EINVAL, 0, 0, 0, 1 },
		{ BAD_BPAGE, EINVAL, 0, 0, 0, 0 },
		{ UNKNOWN_ID, EINVAL, 0, NO_SUCH_PRIVATE, 0, 0 },
		{ NOTHING_READY, EAGAIN, 0, 0, 0, 0 },
	};
	struct homa_recvmsg_args after;
	int later;

	for (int i = 0; i < ARRAY_LEN(rows); i++) {
		later = (FAULTS - 1) & ~(rows[i].fault - 1);
		ktap_label("row %d", i + 1);
		EXPECT_RC(recv_with_faults(rows[i].fault, &after), -rows[i].err);
		EXPECT_EQ(after.completion_cookie, rows[i].cookie);
		EXPECT_EQ(after.num_bpages, rows[i].bpages);
		EXPECT_EQ(after.id, rows[i].id);
		EXPECT_RC(recv_with_faults(later, &after), -rows[i].err);
		EXPECT_EQ(after.completion_cookie, rows[i].cookie);
		EXPECT_EQ(after.num_bpages, rows[i].all_bpages);
	}
}

static void recv_control_lengths(void)
{
	static const size_t lens[] = { 0, 1, 24, 87, 89 };
	struct hsock hs = hsock_open(env.ns, ktap_family);
	char control[200], before[200];

	for (int i = 0; i < ARRAY_LEN(lens); i++) {
		struct msghdr mh = { .msg_control = control,
				     .msg_controllen = lens[i] };

		memset(control, 0x5a, sizeof(control));
		memset(before, 0x5a, sizeof(before));
		ktap_label("controllen %zu", lens[i]);
		EXPECT_RC(recvmsg(hs.fd, &mh, MSG_DONTWAIT) < 0 ? -errno : 0,
			  -EINVAL);
		EXPECT(!memcmp(control, before, sizeof(before)),
		       "arguments were touched");
		mh.msg_control = NULL;
		mh.msg_controllen = lens[i];
		EXPECT_RC(recvmsg(hs.fd, &mh, MSG_DONTWAIT) < 0 ? -errno : 0,
			  -EINVAL);
	}
	struct msghdr mh = { .msg_controllen = 88 };

	EXPECT_RC(recvmsg(hs.fd, &mh, MSG_DONTWAIT) < 0 ? -errno : 0, -EINVAL);
}

static void recv_without_a_region(void)
{
	struct hsock hs = hsock_bare(env.ns, ktap_family);
	struct hmsg m;

	EXPECT_RC(hsock_recv(&hs, &m, 0, MSG_DONTWAIT), -EINVAL);
	EXPECT_RC(hsock_recv(&hs, &m, 0, 0), -EINVAL);
	EXPECT_RC(hsock_recv(&hs, &m, 2, 0), -EINVAL);
	EXPECT_EQ(m.args.num_bpages, 0);
}

static void recv_nothing_ready(void)
{
	struct hsock hs = hsock_open(env.ns, ktap_family);
	struct hmsg m;
	uint64_t id;
	union haddr to = local(ktap_family, PORT);

	EXPECT_RC(hsock_recv(&hs, &m, 0, MSG_DONTWAIT), -EAGAIN);
	fcntl(hs.fd, F_SETFL, O_NONBLOCK);
	EXPECT_RC(hsock_recv(&hs, &m, 0, 0), -EAGAIN);
	hsock_server(env.ns, ktap_family, PORT);
	ASSERT_RC(hsock_private(&hs, &to, "x", 1, &id), 0);
	EXPECT_RC(hsock_recv(&hs, &m, id, 0), -EAGAIN);
	EXPECT_EQ(m.args.id, 0);
}

static void recv_gives_everything_back(void)
{
	for (int f = 0; f < 2; f++) {
		int family = f ? AF_INET6 : AF_INET;
		struct pair p = pair_open(family);
		uint64_t id = pair_answered(&p, 200000, 0, 0xfeedface12345678);
		struct hmsg m;

		ktap_label("family %d", family);
		ASSERT_RC(hsock_recv_within(&p.client, &m, 0, 1000), 200000);
		EXPECT_EQ(m.args.id, id);
		EXPECT_EQ(m.args.completion_cookie, 0xfeedface12345678);
		EXPECT_EQ(m.args.num_bpages, 4);
		EXPECT_EQ(m.args.reserved, 0);
		EXPECT_EQ(m.controllen, 0);
		EXPECT_EQ(m.namelen, family == AF_INET ? 16 : 28);
		EXPECT_EQ(m.flags, 0);
		EXPECT(haddr_equal(&m.from, &p.to), "wrong sender address");
		EXPECT(payload_ok(&p.client, &m, 0), "wrong bytes");
		for (int i = 4; i < HOMA_MAX_BPAGES; i++)
			EXPECT_EQ(m.args.bpage_offsets[i], 0);
		EXPECT_EQ(hsock_num_rpcs(&p.client), 0);
		pair_close(&p);
	}
}

/* Padding in the address must not show what lay on the kernel's stack. */
static void recv_address_is_zero_padded(void)
{
	for (int f = 0; f < 2; f++) {
		int family = f ? AF_INET6 : AF_INET;
		struct pair p = pair_open(family);
		struct hmsg m;
		uint64_t id;

		ktap_label("family %d", family);
		ASSERT_RC(hsock_request(&p.client, &p.to, "x", 1, &id), 0);
		ASSERT_RC(hsock_recv_within(&p.server, &m, 0, 1000), 1);
		EXPECT_EQ(m.args.id, id ^ 1);
		EXPECT_EQ(haddr_port(&m.from), hsock_port(&p.client));
		if (family == AF_INET) {
			char zero[8] = { 0 };

			EXPECT(!memcmp(m.from.in4.sin_zero, zero, 8),
			       "sin_zero is not zero");
		} else {
			EXPECT_EQ(m.from.in6.sin6_flowinfo, 0);
			EXPECT_EQ(m.from.in6.sin6_scope_id, 0);
		}
		pair_close(&p);
	}
}

static void recv_into_a_short_name(void)
{
	struct pair p = pair_open(AF_INET6);
	struct homa_recvmsg_args args = { 0 };
	char name[40];
	struct msghdr mh = {
		.msg_name = name, .msg_namelen = 4,
		.msg_control = &args, .msg_controllen = sizeof(args),
	};
	uint64_t id;

	memset(name, 0x5a, sizeof(name));
	ASSERT_RC(hsock_request(&p.client, &p.to, "x", 1, &id), 0);
	ASSERT(readable_within(p.server.fd, 1000), "no request");
	EXPECT_EQ(recvmsg(p.server.fd, &mh, 0), 1);
	EXPECT_EQ(mh.msg_namelen, 28);
	EXPECT_EQ(mh.msg_controllen, 0);
	EXPECT_EQ(name[4], 0x5a);
	ASSERT_RC(hsock_request(&p.client, &p.to, "x", 1, &id), 0);
	mh = (struct msghdr){ .msg_control = &args,
			      .msg_controllen = sizeof(args) };
	args = (struct homa_recvmsg_args){ 0 };
	ASSERT(readable_within(p.server.fd, 1000), "no request");
	EXPECT_EQ(recvmsg(p.server.fd, &mh, 0), 1);
}

static void recv_args_that_cannot_be_written(void)
{
	struct pair p = pair_open(ktap_family);
	struct msghdr mh = { .msg_control = env.rdonly, .msg_controllen = 88 };
	struct hmsg m;

	pair_answered(&p, 100, 0, 0);
	ASSERT(readable_within(p.client.fd, 1000), "no response");
	EXPECT_RC(recvmsg(p.client.fd, &mh, 0) < 0 ? -errno : 0, -EFAULT);
	EXPECT_RC(hsock_recv(&p.client, &m, 0, MSG_DONTWAIT), -EAGAIN);
	EXPECT_EQ(hsock_num_rpcs(&p.client), 0);
	pair_answered(&p, 100, 0, 0);
	EXPECT_RC(hsock_recv_within(&p.client, &m, 0, 1000), 100);
}

static void recv_ignores_iov_and_flags(void)
{
	static const int flags[] = { MSG_PEEK, MSG_TRUNC, MSG_WAITALL };
	struct pair p = pair_open(ktap_family);
	struct hmsg m;

	for (int i = 0; i < ARRAY_LEN(flags); i++) {
		ktap_label("flag %x", flags[i]);
		pair_answered(&p, 100, 0, 0);
		ASSERT(readable_within(p.client.fd, 1000), "no response");
		EXPECT_RC(hsock_recv(&p.client, &m, 0, flags[i]), 100);
		EXPECT_EQ(m.flags, 0);
		EXPECT_RC(hsock_recv(&p.client, &m, 0, MSG_DONTWAIT), -EAGAIN);
	}
}

static void private_responses_come_only_by_id(void)
{
	struct pair p = pair_open(ktap_family);
	uint64_t a = pair_answered(&p, 10, HOMA_SENDMSG_PRIVATE, 1);
	uint64_t b = pair_answered(&p, 20, HOMA_SENDMSG_PRIVATE, 2);
	uint64_t c = pair_answered(&p, 30, 0, 3);
	struct hmsg m;

	EXPECT_RC(hsock_recv_within(&p.client, &m, 0, 1000), 30);
	EXPECT_EQ(m.args.id, c);
	EXPECT_RC(hsock_recv_within(&p.client, &m, 0, 20), -EAGAIN);
	EXPECT_RC(hsock_recv_within(&p.client, &m, b, 1000), 20);
	EXPECT_EQ(m.args.id, b);
	EXPECT_EQ(m.args.completion_cookie, 2);
	EXPECT_RC(hsock_recv_within(&p.client, &m, a, 1000), 10);
	EXPECT_EQ(m.args.completion_cookie, 1);
	EXPECT_RC(hsock_recv(&p.client, &m, a, MSG_DONTWAIT), -EINVAL);
}

static void private_errors(void)
{
	struct pair p = pair_open(ktap_family);
	uint64_t shared = pair_answered(&p, 30, 0, 0);
	struct hmsg m;

	EXPECT_RC(hsock_recv(&p.client, &m, shared, MSG_DONTWAIT), -EINVAL);
	EXPECT_EQ(m.args.id, 0);
	EXPECT_RC(hsock_recv(&p.client, &m, shared, 0), -EINVAL);
	EXPECT_RC(hsock_recv(&p.client, &m, shared + 2, 0), -EINVAL);
	EXPECT_EQ(m.args.id, shared + 2);
	EXPECT_RC(hsock_recv(&p.client, &m, shared ^ 1, 0), -EINVAL);
	EXPECT_RC(hsock_recv(&p.server, &m, shared, 0), -EINVAL);
	EXPECT_RC(hsock_recv_within(&p.client, &m, 0, 1000), 30);
}

/* A thread that receives once. */
struct receiver {
	const struct hsock *hs;
	struct hmsg m;
	uint64_t id;
	int done;
	pthread_t thread;
};

static void *receive_once(void *arg)
{
	struct receiver *r = arg;

	hsock_recv(r->hs, &r->m, r->id, 0);
	__atomic_store_n(&r->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void receiver_start(struct receiver *r, const struct hsock *hs,
			   uint64_t id)
{
	*r = (struct receiver){ .hs = hs, .id = id };
	pthread_create(&r->thread, NULL, receive_once, r);
	sleep_ms(20);
	EXPECT(!__atomic_load_n(&r->done, __ATOMIC_ACQUIRE),
	       "did not wait: %zd", r->m.rc);
}

static void private_second_waiter(void)
{
	struct pair p = pair_open(ktap_family);
	struct receiver r;
	struct hmsg m, req;
	uint64_t id;

	ASSERT_RC(hsock_private(&p.client, &p.to, "x", 1, &id), 0);
	receiver_start(&r, &p.client, id);
	EXPECT_RC(hsock_recv(&p.client, &m, id, 0), -EINVAL);
	EXPECT_EQ(m.args.id, 0);
	EXPECT_RC(hsock_recv(&p.client, &m, id, MSG_DONTWAIT), -EINVAL);
	ASSERT_RC(hsock_recv_within(&p.server, &req, 0, 1000), 1);
	ASSERT_RC(hsock_reply(&p.server, &req.from, req.args.id, "yes", 3), 0);
	pthread_join(r.thread, NULL);
	EXPECT_RC(r.m.rc, 3);
	EXPECT_EQ(r.m.args.id, id);
}

static void waiters_end_at_shutdown(void)
{
	struct pair p = pair_open(ktap_family);
	struct receiver shared, private;
	struct hmsg m;
	uint64_t id;

	ASSERT_RC(hsock_private(&p.client, &p.to, "x", 1, &id), 0);
	receiver_start(&shared, &p.client, 0);
	receiver_start(&private, &p.client, id);
	EXPECT_EQ(shutdown(p.client.fd, SHUT_WR), 0);
	pthread_join(shared.thread, NULL);
	pthread_join(private.thread, NULL);
	EXPECT_RC(shared.m.rc, -ESHUTDOWN);
	EXPECT_RC(private.m.rc, -ESHUTDOWN);
	EXPECT_RC(hsock_recv(&p.client, &m, 0, 0), -ESHUTDOWN);
	EXPECT_EQ(shutdown(p.client.fd, SHUT_RD), 0);
	EXPECT_RC(hsock_info(&p.client, &(struct homa_info){ 0 }), -ESHUTDOWN);
}

static void private_waiter_ends_at_abort(void)
{
	static const struct {
		uint32_t error;
		int rc;
		int same_id;
	} rows[] = { { 0, -EINVAL, 0 }, { ECANCELED, -ECANCELED, 1 } };

	for (int i = 0; i < ARRAY_LEN(rows); i++) {
		struct pair p = pair_open(ktap_family);
		struct receiver r;
		uint64_t id;

		ktap_label("error %u", rows[i].error);
		ASSERT_RC(hsock_private(&p.client, &p.to, "x", 1, &id), 0);
		receiver_start(&r, &p.client, id);
		EXPECT_RC(hsock_abort(&p.client, id, rows[i].error), 0);
		pthread_join(r.thread, NULL);
		EXPECT_RC(r.m.rc, rows[i].rc);
		if (rows[i].same_id)
			EXPECT_EQ(r.m.args.id, id);
		EXPECT_EQ(hsock_num_rpcs(&p.client), 0);
		pair_close(&p);
	}
}

static void failed_rpc_is_described(void)
{
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(ktap_family, 4000);
	struct homa_sendmsg_args args = { .completion_cookie = 0x99 };
	struct hmsg m;

	ASSERT_RC(hsock_sendmsg(&hs, &to, "x", 1, &args, 0), 0);
	EXPECT_RC(hsock_recv_within(&hs, &m, 0, 1000), -ENOTCONN);
	EXPECT_EQ(m.args.id, args.id);
	EXPECT_EQ(m.args.completion_cookie, 0x99);
	EXPECT_EQ(m.args.num_bpages, 0);
	EXPECT_EQ(hsock_num_rpcs(&hs), 0);
	args = (struct homa_sendmsg_args){ .flags = HOMA_SENDMSG_PRIVATE };
	ASSERT_RC(hsock_sendmsg(&hs, &to, "x", 1, &args, 0), 0);
	EXPECT_RC(hsock_recv_within(&hs, &m, args.id, 1000), -ENOTCONN);
	EXPECT_EQ(m.args.id, args.id);
}

static void request_to_a_socket_that_does_not_serve(void)
{
	struct hsock hs = hsock_open(env.ns, ktap_family);
	struct hsock other = hsock_open(env.ns, ktap_family);
	union haddr to = local(ktap_family, hsock_port(&other));
	struct hmsg m;
	uint64_t id;
	int on = 1;

	ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
	EXPECT_RC(hsock_recv_within(&hs, &m, 0, 1000), -ENOTCONN);
	setsockopt(other.fd, IPPROTO_HOMA, SO_HOMA_SERVER, &on, sizeof(on));
	ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
	EXPECT_RC(hsock_recv_within(&other, &m, 0, 1000), 1);
}

static void dead_server_is_ETIMEDOUT(void)
{
	int ns = ns_new(), peer = ns_new();
	struct hsock hs = hsock_open(ns, ktap_family);
	union haddr to = haddr_of(ktap_family, ktap_family == AF_INET ?
				  "10.9.0.2" : "fd09::2", PORT);
	struct hmsg m;
	int64_t start;
	uint64_t id;

	ns_join(ns, peer, 1500);
	ns_run(peer, "ip addr flush dev v0");
	start = now_ms();
	ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
	EXPECT_RC(hsock_recv_within(&hs, &m, 0, 5000), -ETIMEDOUT);
	EXPECT_EQ(m.args.id, id);
	EXPECT_GE(now_ms() - start, 90);
	EXPECT_EQ(hsock_num_rpcs(&hs), 0);
}

static void on_signal(int sig)
{
	(void)sig;
}

static void signal_ends_a_wait(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct pair p = pair_open(ktap_family);
	struct receiver r;
	struct hmsg m;
	uint64_t id;

	for (int restart = 0; restart < 2; restart++) {
		sa.sa_flags = restart ? SA_RESTART : 0;
		sigaction(SIGUSR1, &sa, NULL);
		ktap_label("restart %d", restart);
		receiver_start(&r, &p.client, 0);
		pthread_kill(r.thread, SIGUSR1);
		pthread_join(r.thread, NULL);
		EXPECT_RC(r.m.rc, -EINTR);
		EXPECT_EQ(r.m.args.id, 0);
		ASSERT_RC(hsock_private(&p.client, &p.to, "x", 1, &id), 0);
		receiver_start(&r, &p.client, id);
		pthread_kill(r.thread, SIGUSR1);
		pthread_join(r.thread, NULL);
		EXPECT_RC(r.m.rc, -EINTR);
		EXPECT_EQ(r.m.args.id, 0);
		ASSERT_RC(hsock_recv_within(&p.server, &m, 0, 1000), 1);
		hsock_reply(&p.server, &m.from, m.args.id, "yes", 3);
		EXPECT_RC(hsock_recv_within(&p.client, &m, id, 1000), 3);
	}
}

/* Signals hit a receiver all the time; every message must arrive once. */
static void signals_lose_no_message(void)
{
	enum { NUM = 300 };
	struct itimerspec often = { { 0, 70000 }, { 0, 70000 } };
	struct sigaction sa = { .sa_handler = on_signal };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL,
			       .sigev_signo = SIGUSR1 };
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(ktap_family, PORT);
	int got = 0, interrupted = 0;
	struct echoer e;
	struct hmsg m;
	timer_t timer;
	uint64_t id;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	echoer_start(&e, env.ns, ktap_family, PORT);
	e.delay_us = 100;
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	ASSERT_EQ(timer_create(CLOCK_MONOTONIC, &ev, &timer), 0);
	for (int i = 0; i < NUM; i++)
		ASSERT_RC(hsock_request(&hs, &to, "hello", 5, &id), 0);
	timer_settime(timer, 0, &often, NULL);
	memset(&m, 0, sizeof(m));
	while (got < NUM && !ktap_failed()) {
		m.args.id = 0;
		hsock_recvmsg(&hs, &m, 0);
		if (m.rc == -EINTR)
			interrupted++;
		else if (EXPECT_RC(m.rc, 5))
			got++;
	}
	timer_delete(timer);
	memset(&m, 0, sizeof(m));
	EXPECT_RC(hsock_recv_within(&hs, &m, 0, 50), -EAGAIN);
	EXPECT_EQ(hsock_num_rpcs(&hs), 0);
	EXPECT_GE(interrupted, 10);
	echoer_stop(&e);
}

struct many {
	struct hsock hs;
	int got[8];
	uint64_t ids[8][200];
};

static void *receive_many(void *arg)
{
	static int next;
	struct many *s = arg;
	int me = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
	struct hmsg m;

	memset(&m, 0, sizeof(m));
	for (;;) {
		m.args.id = 0;
		if (hsock_recvmsg(&s->hs, &m, 0) < 0)
			return NULL;
		s->ids[me][s->got[me]++ % 200] = m.args.id;
	}
}

static int compare_ids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void threads_get_distinct_messages(void)
{
	enum { NUM = 150 };
	static struct many s;
	union haddr to = local(ktap_family, PORT);
	uint64_t id, all[NUM + 8 * 200];
	int num = 0, total = 0;
	pthread_t threads[8];
	struct echoer e;

	s.hs = hsock_open(env.ns, ktap_family);
	echoer_start(&e, env.ns, ktap_family, PORT);
	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, receive_many, &s);
	for (int i = 0; i < NUM; i++)
		ASSERT_RC(hsock_request(&s.hs, &to, "x", 1, &id), 0);
	WAIT_FOR(hsock_num_rpcs(&s.hs) == 0, 3000);
	sleep_ms(10);
	shutdown(s.hs.fd, SHUT_RDWR);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < 8; i++) {
		total += s.got[i];
		for (int j = 0; j < s.got[i] && j < 200; j++)
			all[num++] = s.ids[i][j];
	}
	EXPECT_EQ(total, NUM);
	qsort(all, num, sizeof(all[0]), compare_ids);
	for (int i = 1; i < num; i++)
		EXPECT(all[i] != all[i - 1], "id %llu twice",
		       (unsigned long long)all[i]);
	echoer_stop(&e);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_EACH(recv_errors_in_order),
		KTAP_EACH(recv_control_lengths),
		KTAP_EACH(recv_without_a_region),
		KTAP_EACH(recv_nothing_ready),
		KTAP_CASE(recv_gives_everything_back),
		KTAP_CASE(recv_address_is_zero_padded),
		KTAP_CASE(recv_into_a_short_name),
		KTAP_EACH(recv_args_that_cannot_be_written),
		KTAP_EACH(recv_ignores_iov_and_flags),
		KTAP_EACH(private_responses_come_only_by_id),
		KTAP_EACH(private_errors),
		KTAP_EACH(private_second_waiter),
		KTAP_EACH(waiters_end_at_shutdown),
		KTAP_EACH(private_waiter_ends_at_abort),
		KTAP_EACH(failed_rpc_is_described),
		KTAP_EACH(request_to_a_socket_that_does_not_serve),
		KTAP_EACH(dead_server_is_ETIMEDOUT),
		KTAP_EACH(signal_ends_a_wait),
		KTAP_EACH(signals_lose_no_message),
		KTAP_EACH(threads_get_distinct_messages),
	};

	env.ns = ns_new();
	env.rdonly = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
