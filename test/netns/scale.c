// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* What an RPC costs when very many are outstanding to very many peers.
 *
 * Part of vm/scale.sh, where a nanosecond is an instruction. One thread is both
 * the client's application and that of all servers: all peers are addresses of one
 * other namespace. An RPC is outstanding while its server keeps the request. The
 * window stays full: a server answers one request, the client takes the response
 * and sends the next request to the same peer, which its server takes.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "counters.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define FIRST_PORT 4000
#define SERVERS 16	/* sockets; one is given max_server_rpcs requests at most */
#define CLIENTS 4	/* sockets; one may send wmem_max bytes */
#define REGION (32UL << 20)
#define BYTES 100
#define FEW 10		/* RPCs, to be compared with */

static struct {
	int peers, outstanding, turns;
} opts = { .peers = 10000, .outstanding = 100000, .turns = 20000 };

/* A request that its server keeps. */
struct kept {
	uint64_t id;
	union haddr client;
	int peer;
};

struct window {
	struct kept *kept;
	int num, first_peer, peers;
};

static struct env {
	int client_ns, server_ns;
	struct hsock clients[CLIENTS], servers[SERVERS];
	struct hmsg from_client[SERVERS], from_server[CLIENTS];
} env;

static char payload[BYTES];
static uint32_t dice = 1;

static uint32_t throw_dice(uint32_t sides)
{
	dice = dice * 1664525 + 1013904223;
	return ((uint64_t)dice * sides) >> 32;
}

/* Peer 0 is 10.16.0.1. */
static union haddr peer_addr(int peer)
{
	union haddr a = haddr_of(AF_INET, "10.16.0.1", FIRST_PORT + peer % SERVERS);

	a.in4.sin_addr.s_addr = htonl(ntohl(a.in4.sin_addr.s_addr) + peer);
	return a;
}

static void open_all(void)
{
	for (int i = 0; i < SERVERS; i++) {
		env.servers[i] = hsock_sized(env.server_ns, AF_INET, REGION);
		ASSERT_RC(hsock_bind(&env.servers[i], FIRST_PORT + i), 0);
	}
	for (int i = 0; i < CLIENTS; i++)
		env.clients[i] = hsock_sized(env.client_ns, AF_INET, REGION);
	memset(env.from_client, 0, sizeof(env.from_client));
	memset(env.from_server, 0, sizeof(env.from_server));
}

static void close_all(void)
{
	for (int i = 0; i < SERVERS; i++)
		hsock_close(&env.servers[i]);
	for (int i = 0; i < CLIENTS; i++)
		hsock_close(&env.clients[i]);
}

static void show_counters(const char *what, int ns)
{
	static struct counters none, all;
	char text[4000];

	counters_read(ns, &all);
	none = all;
	for (int i = 0; i < none.num; i++)
		none.c[i].value = 0;
	counters_list(&none, &all, NULL, text, sizeof(text));
	printf("# %s: %s\n", what, text);
}

/* A new request to @peer; its server takes it and keeps it. */
static void begin(struct kept *k, int peer)
{
	struct homa_sendmsg_args args = { .completion_cookie = peer };
	struct hmsg *m = &env.from_client[peer % SERVERS];
	union haddr to = peer_addr(peer);

	ASSERT_RC(hsock_sendmsg(&env.clients[peer % CLIENTS], &to, payload, BYTES,
				&args, 0), 0);
	m->args.id = 0;
	ASSERT_RC(hsock_recvmsg(&env.servers[peer % SERVERS], m, 0), BYTES);
	ASSERT_EQ(m->args.id, args.id ^ 1);
	*k = (struct kept){ m->args.id, m->from, peer };
}

/* The server answers; the client takes the response. */
static void complete(const struct kept *k)
{
	struct hmsg *m = &env.from_server[k->peer % CLIENTS];

	ASSERT_RC(hsock_reply(&env.servers[k->peer % SERVERS], &k->client, k->id,
			      payload, BYTES), 0);
	m->args.id = 0;
	hsock_recvmsg(&env.clients[k->peer % CLIENTS], m, 0);
	if (m->rc < 0) {
		show_counters("client", env.client_ns);
		show_counters("server", env.server_ns);
	}
	ASSERT_RC(m->rc, BYTES);
	ASSERT_EQ(m->args.id, k->id ^ 1);
	ASSERT_EQ(m->args.completion_cookie, k->peer);
}

/* Returns ns for each of @num RPCs to @peers peers from @first_peer on. */
static int64_t fill(struct window *w, int num, int first_peer, int peers)
{
	int64_t began = now_ns();

	*w = (struct window){ calloc(num, sizeof(*w->kept)), num, first_peer, peers };
	for (int i = 0; i < num; i++)
		begin(&w->kept[i], first_peer + i % peers);
	return (now_ns() - began) / num;
}

/* Returns ns for each of @turns RPCs; any of those in the window may be answered. */
static int64_t turn(struct window *w, int turns)
{
	int64_t began = now_ns();

	for (int i = 0; i < turns; i++) {
		struct kept *k = &w->kept[throw_dice(w->num)];

		complete(k);
		begin(k, k->peer);
	}
	return (now_ns() - began) / turns;
}

/* Returns ns for each RPC of the window, answered in random order. */
static int64_t drain(struct window *w)
{
	int64_t began = now_ns();
	int num = w->num;

	while (w->num) {
		struct kept *k = &w->kept[throw_dice(w->num)];

		complete(k);
		*k = w->kept[--w->num];
	}
	free(w->kept);
	return (now_ns() - began) / num;
}

/* kB of memory that the kernel itself uses, once it has freed what it can. */
static long kernel_kb(void)
{
	long kb, sum = 0;
	char name[64];
	FILE *f;

	if (system("sync; echo 3 >/proc/sys/vm/drop_caches"))
		return -1;
	f = fopen("/proc/meminfo", "r");
	while (f && fscanf(f, "%63s %ld%*[^\n]", name, &kb) == 2) {
		if (!strcmp(name, "MemTotal:"))
			sum += kb;
		else if (!strcmp(name, "MemFree:") || !strcmp(name, "Cached:") ||
			 !strcmp(name, "Buffers:") || !strcmp(name, "AnonPages:"))
			sum -= kb;
	}
	if (f)
		fclose(f);
	return sum;
}

static void costs(void)
{
	int64_t few, filled, many, beside, drained;
	struct window w, x;

	open_all();
	fill(&w, FEW, opts.peers, FEW);
	turn(&w, 1000);
	few = turn(&w, 5000);
	drain(&w);
	filled = fill(&w, opts.outstanding, 0, opts.peers);
	many = turn(&w, opts.turns);
	fill(&x, FEW, opts.peers, FEW);
	turn(&x, 1000);
	beside = turn(&x, 5000);
	drain(&x);
	drained = drain(&w);
	printf("# ns of an RPC: %lld with %d outstanding, %lld with %d to %d peers, %lld "
	       "of %d beside those, %lld + %lld to fill and drain\n", (long long)few, FEW,
	       (long long)many, opts.outstanding, opts.peers, (long long)beside, FEW,
	       (long long)filled, (long long)drained);
	EXPECT_GE(2 * few, many);
	EXPECT_GE(2 * few, beside);
	EXPECT_GE(2 * few, filled + drained);
	close_all();
}

/* Peers and what they leave behind go when they have been idle for long enough. */
static void memory(void)
{
	struct window w;
	long before, full, after = 0;

	open_all();
	fill(&w, 1000, 0, 100);
	drain(&w);
	close_all();
	sleep_ms(1000);
	before = kernel_kb();
	open_all();
	fill(&w, opts.outstanding, 0, opts.peers);
	full = kernel_kb();
	drain(&w);
	close_all();
	WAIT_FOR((after = kernel_kb()) < before + 1000, 200000);
	printf("# kernel memory: %ld kB, with %d RPCs %ld kB, at last %ld kB\n", before,
	       opts.outstanding, full, after);
	EXPECT_GE(full - before, opts.outstanding / 2);
	EXPECT_GE(before + 1000, after);
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "peers", 1, 0, 'p' }, { "outstanding", 1, 0, 'o' },
		{ "turns", 1, 0, 't' }, { "help", 0, 0, 'h' }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 'p': opts.peers = atoi(optarg); break;
		case 'o': opts.outstanding = atoi(optarg); break;
		case 't': opts.turns = atoi(optarg); break;
		case 'h':
			puts("Usage: scale [--peers N] [--outstanding N] [--turns N]\n"
			     "Example: scale --peers 1000 --outstanding 5000");
			exit(0);
		default:
			exit(2);
		}
	}
}

static const struct ktap_case cases[] = {
	KTAP_SLOW(costs, 3000),
	KTAP_SLOW(memory, 3000),
};

int main(int argc, char **argv)
{
	parse(argc, argv);
	env.client_ns = ns_new();
	env.server_ns = ns_new();
	ns_join(env.client_ns, env.server_ns, 1500);
	ns_run(env.client_ns, "ip route add 10.16.0.0/16 via 10.9.0.2");
	ns_run(env.server_ns, "ip route add local 10.16.0.0/16 dev lo");
	return ktap_main(argc - optind + 1, argv + optind - 1, cases, ARRAY_LEN(cases));
}
