// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Threads that do everything at once to the same sockets.
 *
 * desc: send, receive, abort, poll, shut down and close the same sockets at once
 * lab: --no-topology
 * flavor: fast debug@check smp@check
 *
 * Nothing is expected but that every call returns, with one of its errnos,
 * and that what follows works. The kernel's log is judged by whoever runs this.
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

#define PORT 99
#define ROUNDS 12

static struct {
	int a;
	int b;
	char *buf;
} env;

/* What the threads of one round share. */
struct round {
	struct hsock client;
	struct hsock server;
	union haddr to;
	int stop;
	int calls;
};

static bool is_over(struct round *r)
{
	__atomic_fetch_add(&r->calls, 1, __ATOMIC_RELAXED);
	return __atomic_load_n(&r->stop, __ATOMIC_RELAXED);
}

static void expect_one_of(const char *what, int rc, const int *errs)
{
	if (rc >= 0)
		return;
	for (; *errs; errs++)
		if (rc == -*errs)
			return;
	EXPECT(false, "%s: %s", what, ktap_errno_name(rc));
}

static void *send_run(void *arg)
{
	static const int errs[] = { ESHUTDOWN, EINVAL, EAGAIN, EINTR, ENOMEM,
				    0 };
	struct round *r = arg;
	unsigned int seed = (uintptr_t)&errs;
	uint64_t id;

	while (!is_over(r)) {
		int len = 1 + rand_r(&seed) % (rand_r(&seed) % 8 ? 500 :
					       200000);

		expect_one_of("request",
			      hsock_request(&r->client, &r->to, env.buf, len,
					    &id), errs);
		sleep_ms(rand_r(&seed) % 2);
	}
	return NULL;
}

static void *receive_run(void *arg)
{
	static const int errs[] = { ESHUTDOWN, EINVAL, EAGAIN, EINTR, ENOTCONN,
				    ETIMEDOUT, ECANCELED, EHOSTUNREACH, 0 };
	struct round *r = arg;
	struct hmsg m;

	memset(&m, 0, sizeof(m));
	while (!is_over(r)) {
		m.args.id = 0;
		hsock_recvmsg(&r->client, &m, 0);
		expect_one_of("receive", m.rc, errs);
		if (m.rc == -ESHUTDOWN)
			break;
	}
	return NULL;
}

static void *serve_run(void *arg)
{
	static const int errs[] = { ESHUTDOWN, EINVAL, EAGAIN, EINTR, 0 };
	struct round *r = arg;
	struct hmsg m;

	memset(&m, 0, sizeof(m));
	while (!is_over(r)) {
		m.args.id = 0;
		hsock_recvmsg(&r->server, &m, 0);
		expect_one_of("serve", m.rc, errs);
		if (m.rc == -ESHUTDOWN)
			break;
		if (m.rc >= 0)
			hsock_reply(&r->server, &m.from, m.args.id, env.buf,
				    m.rc);
	}
	return NULL;
}

/* Private RPCs, of which another thread takes some away. */
static void *private_run(void *arg)
{
	static const int errs[] = { ESHUTDOWN, EINVAL, EAGAIN, EINTR, ENOTCONN,
				    ETIMEDOUT, ECANCELED, EHOSTUNREACH, 0 };
	struct round *r = arg;
	struct hmsg m;
	uint64_t id;

	while (!is_over(r)) {
		/* Without it virtual time would stand still. */
		sleep_ms(1);
		if (hsock_private(&r->client, &r->to, env.buf, 100, &id))
			continue;
		hsock_recv(&r->client, &m, id, 0);
		expect_one_of("private", m.rc, errs);
		if (m.rc >= 0)
			hsock_return(&r->client, &m);
	}
	return NULL;
}

static void *abort_run(void *arg)
{
	struct round *r = arg;
	unsigned int n = 0;

	while (!is_over(r)) {
		hsock_abort(&r->client, 0, n++ & 1 ? ECANCELED : 0);
		sleep_ms(3);
	}
	return NULL;
}

static void *look_run(void *arg)
{
	static struct homa_rpc_info rpcs[100];
	struct round *r = arg;
	struct homa_info info;
	struct pollfd p = { .events = POLLIN | POLLOUT };

	while (!is_over(r)) {
		info = (struct homa_info){
			.rpc_info = (uintptr_t)rpcs,
			.rpc_info_length = sizeof(rpcs),
		};
		hsock_info(&r->client, &info);
		hsock_info(&r->server, &(struct homa_info){ 0 });
		p.fd = r->server.fd;
		poll(&p, 1, 1);
		sleep_ms(1);
	}
	return NULL;
}

static void run_round(int number, int client_ns, int server_ns, const char *ip)
{
	void *(*const what[])(void *) = {
		send_run, send_run, receive_run, receive_run, serve_run,
		serve_run, private_run, abort_run, look_run,
	};
	pthread_t threads[ARRAY_LEN(what)];
	struct round r = {
		.client = hsock_open(client_ns, AF_INET),
		.server = hsock_server(server_ns, AF_INET, PORT),
		.to = haddr_of(AF_INET, ip, PORT),
	};

	for (int i = 0; i < ARRAY_LEN(what); i++)
		pthread_create(&threads[i], NULL, what[i], &r);
	sleep_ms(60);
	/* In turn: client first, server first, while the other is busy. */
	shutdown((number & 1 ? &r.client : &r.server)->fd, SHUT_RDWR);
	sleep_ms(5);
	__atomic_store_n(&r.stop, 1, __ATOMIC_RELAXED);
	shutdown(r.client.fd, SHUT_RDWR);
	shutdown(r.server.fd, SHUT_RDWR);
	for (int i = 0; i < ARRAY_LEN(what); i++)
		pthread_join(threads[i], NULL);
	EXPECT_GE(r.calls, 10);
	hsock_close(&r.client);
	hsock_close(&r.server);
}

static void probe(int client_ns, int server_ns, const char *ip)
{
	struct hsock hs = hsock_open(client_ns, AF_INET);
	union haddr to = haddr_of(AF_INET, ip, PORT);
	struct echoer e;

	echoer_start(&e, server_ns, AF_INET, PORT);
	EXPECT_RC(round_trip(&hs, &to, 100000, 1, 5000), 0);
	EXPECT_EQ(hsock_num_rpcs(&hs), 0);
	echoer_stop(&e);
}

static void over_lo(void)
{
	for (int i = 0; i < ROUNDS; i++)
		run_round(i, env.a, env.a, "127.0.0.1");
	probe(env.a, env.a, "127.0.0.1");
}

static void over_veth(void)
{
	for (int i = 0; i < ROUNDS; i++)
		run_round(i, env.a, env.b, "10.9.0.2");
	probe(env.a, env.b, "10.9.0.2");
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_SLOW(over_lo, 120),
		KTAP_SLOW(over_veth, 120),
	};

	env.a = ns_new();
	env.b = ns_new();
	env.buf = calloc(1, HOMA_MAX_MESSAGE_LENGTH);
	ns_join(env.a, env.b, 1500);
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
