// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* One client, many servers: keeps many short requests outstanding whose
 * responses are longer, so that all servers send to one host at a time. Each
 * byte of the responses is checked. Prints how long it took:
 *
 *	rpcs 900 ns 7453211
 *
 * incast.sh, which runs it, looks at what the switch had to hold.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 3000
#define REGION (64UL << 20)
#define MAX_SERVERS 100
#define REQUEST 100
#define PATIENCE_MS 5000

static struct opts {
	int outstanding, count, length, servers;
} opts = { .outstanding = 300, .count = 900, .length = 10000, .servers = 15 };

struct server {
	struct hsock hs;
	pthread_t thread;
	union haddr addr;
};

/* Answers each request with as many bytes as it asks for. */
static void *serve(void *arg)
{
	char *buf = malloc(HOMA_MAX_MESSAGE_LENGTH);
	struct server *s = arg;
	struct hmsg m = { 0 };
	uint32_t number;

	while (hsock_recvmsg(&s->hs, &m, 0) >= 0 || m.rc == -EINTR) {
		if (m.rc < 0)
			continue;
		payload_gather(&s->hs, &m, buf);
		memcpy(&number, buf, sizeof(number));
		payload_fill(buf, opts.length, number);
		hsock_reply(&s->hs, &m.from, m.args.id, buf, opts.length);
		m.args.id = 0;
	}
	free(buf);
	return NULL;
}

/* Host h1 is the client; servers are h2 and so on. */
static void start_servers(struct server *servers)
{
	char name[32];

	for (int i = 0; i < opts.servers; i++) {
		snprintf(name, sizeof(name), "/run/netns/h%d", i + 2);
		int ns = open(name, O_RDONLY | O_CLOEXEC);

		ASSERT(ns >= 0, "%s: %s", name, strerror(errno));
		servers[i].hs = hsock_server(ns, AF_INET, PORT);
		close(ns);
		snprintf(name, sizeof(name), "10.0.0.%d", i + 2);
		servers[i].addr = haddr_of(AF_INET, name, PORT);
		ASSERT_EQ(pthread_create(&servers[i].thread, NULL, serve,
					 &servers[i]), 0);
	}
}

static void stop_servers(struct server *servers)
{
	for (int i = 0; i < opts.servers; i++) {
		shutdown(servers[i].hs.fd, SHUT_RDWR);
		pthread_join(servers[i].thread, NULL);
		hsock_close(&servers[i].hs);
	}
}

static void send_one(const struct hsock *client, const struct server *servers,
		     uint32_t number, uint64_t *ids)
{
	char buf[REQUEST] = { 0 };

	memcpy(buf, &number, sizeof(number));
	ASSERT_RC(hsock_request(client, &servers[number % opts.servers].addr,
				buf, sizeof(buf), &ids[number]), 0);
}

/* The number of the request that a response belongs to, or -1. */
static int find_id(const uint64_t *ids, int sent, uint64_t id)
{
	for (int i = 0; i < sent; i++)
		if (ids[i] == id)
			return i;
	return -1;
}

/* Returns the number of responses that were wrong. */
static int run(const struct hsock *client, const struct server *servers)
{
	uint64_t *ids = calloc(opts.count, sizeof(*ids));
	int sent = 0, done = 0, bad = 0;
	struct hmsg m = { 0 };

	while (done < opts.count) {
		while (sent < opts.count && sent - done < opts.outstanding)
			send_one(client, servers, sent++, ids);
		ASSERT(hsock_recv_within(client, &m, 0, PATIENCE_MS) >= 0,
		       "response %d: %s", done, strerror(-m.rc));
		int number = find_id(ids, sent, m.args.id);

		bad += number < 0 || m.rc != opts.length ||
		       !payload_ok(client, &m, number);
		hsock_return(client, &m);
		done++;
	}
	free(ids);
	return bad;
}

static void usage(void)
{
	puts("Usage: incast [OPTION]...\n\n"
	     "Sends requests from host h1 to servers on h2, h3, ...\n\n"
	     "  --outstanding N   RPCs at a time (300)\n"
	     "  --count N         RPCs (900)\n"
	     "  --length N        bytes of a response (10000)\n"
	     "  --servers N       (15)\n\n"
	     "Exit status: 0 all correct, 1 not, 2 bad usage.\n"
	     "Example: incast --outstanding 50 --servers 3");
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "outstanding", 1, 0, 'o' }, { "count", 1, 0, 'c' },
		{ "length", 1, 0, 'l' }, { "servers", 1, 0, 's' },
		{ "help", 0, 0, 'h' }, { 0 }
	};
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'o': opts.outstanding = atoi(optarg); break;
		case 'c': opts.count = atoi(optarg); break;
		case 'l': opts.length = atoi(optarg); break;
		case 's': opts.servers = atoi(optarg); break;
		case 'h': usage(); exit(0);
		default: exit(2);
		}
	}
	if (opts.outstanding < 1 || opts.count < 1 || opts.servers < 1 ||
	    opts.servers > MAX_SERVERS || opts.length < 1 ||
	    opts.length > HOMA_MAX_MESSAGE_LENGTH) {
		fprintf(stderr, "incast: a number is out of range\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	static struct server servers[MAX_SERVERS];
	struct hsock client;
	int64_t start;
	int ns, bad;

	parse(argc, argv);
	start_servers(servers);
	ns = open("/run/netns/h1", O_RDONLY | O_CLOEXEC);
	ASSERT(ns >= 0, "h1: %s", strerror(errno));
	client = hsock_sized(ns, AF_INET, REGION);
	start = now_ns();
	bad = run(&client, servers);
	printf("rpcs %d ns %lld\n", opts.count, (long long)(now_ns() - start));
	stop_servers(servers);
	hsock_close(&client);
	return bad > 0;
}
