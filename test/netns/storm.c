// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Many RPCs at a time between two namespaces, each checked.
 *
 * Servers and clients are threads of one process, so that at the end the ids
 * that servers executed can be compared with those that clients sent: each
 * finished RPC was executed exactly once, each failed one at most once. The
 * lengths of requests and responses are log-uniform; each byte is checked.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hsock.h"
#include "ns.h"

#define REGION (96UL << 20)

static struct opts {
	const char *client, *server, *to;
	int count, min, max, outstanding, threads, ports, port, family;
	unsigned int seed;
	bool allow_failures;
	double seconds;
} opts = {
	.to = "10.0.0.2", .client = "h1", .server = "h2", .count = 1000,
	.min = 1, .max = HOMA_MAX_MESSAGE_LENGTH, .outstanding = 8,
	.threads = 1, .ports = 1, .port = 3000, .family = AF_INET, .seed = 1,
};

/* One execution of a request, as its server saw it. */
struct execution {
	uint64_t id;
	int port;
};

/* One RPC, as its client saw it. */
struct sent {
	uint64_t id;
	int port;
	int finished;
};

struct server {
	struct hsock hs;
	pthread_t threads[16];
	pthread_mutex_t lock;
	struct execution *done;
	int num, room, bad;
};

struct client {
	struct hsock hs;
	pthread_t thread;
	int index, started, finished, failed, bad;
	struct sent *sent;
};

static uint32_t mix(uint32_t x)
{
	x ^= x >> 16;
	x *= 0x7feb352d;
	x ^= x >> 15;
	x *= 0x846ca68b;
	return x ^ x >> 16;
}

/* The length that belongs to @key: log-uniform from min to max. */
static int pick_length(uint32_t key)
{
	double r = mix(key ^ opts.seed * 2654435761u) / 4294967296.0;

	return opts.min * pow((opts.max + 1.0) / opts.min, r);
}

/* What a request says about itself: its number, or its length if too short. */
static uint32_t request_key(const void *buf, int len)
{
	uint32_t key = len;

	if (len >= 16)
		memcpy(&key, buf, sizeof(key));
	return key;
}

static void fill_request(char *buf, int len, uint32_t number)
{
	payload_fill(buf, len, len >= 16 ? number : (uint32_t)len);
	if (len >= 16)
		memcpy(buf, &number, sizeof(number));
}

static bool request_ok(char *buf, int len)
{
	uint32_t key = request_key(buf, len);
	char *want = malloc(len);
	bool ok;

	fill_request(want, len, key);
	ok = !memcmp(want, buf, len);
	free(want);
	return ok;
}

static void note_execution(struct server *s, const struct hmsg *m, bool ok)
{
	pthread_mutex_lock(&s->lock);
	if (s->num == s->room) {
		s->room = s->room ? 2 * s->room : 4096;
		s->done = realloc(s->done, s->room * sizeof(*s->done));
	}
	s->done[s->num++] = (struct execution){ m->args.id ^ 1,
						haddr_port(&m->from) };
	s->bad += !ok;
	pthread_mutex_unlock(&s->lock);
}

static void serve(struct server *s, struct hmsg *m, char *buf)
{
	uint32_t key;
	int len;

	payload_gather(&s->hs, m, buf);
	note_execution(s, m, request_ok(buf, m->rc));
	key = request_key(buf, m->rc);
	len = pick_length(key + 77);
	payload_fill(buf, len, key + 1);
	hsock_reply(&s->hs, &m->from, m->args.id, buf, len);
}

static void *server_run(void *arg)
{
	char *buf = malloc(HOMA_MAX_MESSAGE_LENGTH);
	struct server *s = arg;
	struct hmsg m;

	memset(&m, 0, sizeof(m));
	for (;;) {
		m.args.id = 0;
		hsock_recvmsg(&s->hs, &m, 0);
		if (m.rc >= 0)
			serve(s, &m, buf);
		else if (m.rc == -ESHUTDOWN)
			break;
	}
	free(buf);
	return NULL;
}

static int client_send(struct client *c, char *buf)
{
	uint32_t number = (c->index << 24) + c->started;
	struct homa_sendmsg_args args = { .completion_cookie = c->started };
	union haddr to = haddr_of(opts.family, opts.to,
				  opts.port + c->started % opts.ports);
	int len = pick_length(number), rc;

	fill_request(buf, len, number);
	rc = hsock_sendmsg(&c->hs, &to, buf, len, &args, 0);
	c->sent[c->started] = (struct sent){ args.id, hsock_port(&c->hs), 0 };
	c->started++;
	return rc;
}

static void check_response(struct client *c, const struct hmsg *m)
{
	uint32_t number = (c->index << 24) + m->args.completion_cookie;
	int req = pick_length(number);
	uint32_t key = req >= 16 ? number : (uint32_t)req;
	struct sent *sent = &c->sent[m->args.completion_cookie];

	c->bad += m->rc != pick_length(key + 77) ||
		  !payload_ok(&c->hs, m, key + 1) || sent->id != m->args.id ||
		  sent->finished;
	sent->finished = 1;
	c->finished++;
}

static bool client_more(const struct client *c, int64_t end)
{
	return c->started < opts.count && (!end || now_ms() < end);
}

static void *client_run(void *arg)
{
	int64_t end = opts.seconds ? now_ms() + opts.seconds * 1000 : 0;
	char *buf = malloc(HOMA_MAX_MESSAGE_LENGTH);
	struct client *c = arg;
	int pending = 0;
	struct hmsg m;

	memset(&m, 0, sizeof(m));
	while (pending || client_more(c, end)) {
		while (pending < opts.outstanding && client_more(c, end)) {
			if (!client_send(c, buf)) {
				pending++;
				continue;
			}
			/* No route, perhaps; it may come back. */
			c->failed++;
			sleep_ms(1);
		}
		if (!pending)
			continue;
		m.args.id = 0;
		hsock_recvmsg(&c->hs, &m, 0);
		if (m.rc == -EINTR)
			continue;
		if (m.rc < 0 && !m.args.id)
			break;
		pending--;
		if (m.rc >= 0)
			check_response(c, &m);
		else
			c->failed++;
	}
	free(buf);
	return NULL;
}

static int open_ns(const char *name)
{
	char path[200];
	int fd;

	snprintf(path, sizeof(path), "%s%s",
		 strchr(name, '/') ? "" : "/run/netns/", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "storm: %s: %s\n", path, strerror(errno));
		exit(2);
	}
	return fd;
}

static int compare_executions(const void *a, const void *b)
{
	const struct execution *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->port - y->port;
}

static int times_executed(const struct server *s, const struct sent *sent)
{
	struct execution key = { sent->id, sent->port }, *e;
	int n = 0;

	e = bsearch(&key, s->done, s->num, sizeof(key), compare_executions);
	if (!e)
		return 0;
	while (e > s->done && !compare_executions(e - 1, &key))
		e--;
	for (; e < s->done + s->num && !compare_executions(e, &key); e++)
		n++;
	return n;
}

/* Counts RPCs that were not executed as often as they must. */
static int wrong_executions(struct server *servers, struct client *clients)
{
	int wrong = 0;

	for (int i = 0; i < opts.ports; i++)
		qsort(servers[i].done, servers[i].num,
		      sizeof(*servers[i].done), compare_executions);
	for (int i = 0; i < opts.threads; i++) {
		for (int j = 0; j < clients[i].started; j++) {
			struct sent *sent = &clients[i].sent[j];
			int n = times_executed(&servers[j % opts.ports], sent);

			if (n > 1 || (sent->finished && !n))
				wrong++;
		}
	}
	return wrong;
}

static void start_all(struct server *servers, struct client *clients)
{
	int client_ns = open_ns(opts.client), server_ns = open_ns(opts.server);

	for (int i = 0; i < opts.ports; i++) {
		servers[i].hs = hsock_sized(server_ns, opts.family, REGION);
		if (hsock_bind(&servers[i].hs, opts.port + i)) {
			fprintf(stderr, "storm: port in use\n");
			exit(2);
		}
		pthread_mutex_init(&servers[i].lock, NULL);
		for (int j = 0; j < opts.threads; j++)
			pthread_create(&servers[i].threads[j], NULL,
				       server_run, &servers[i]);
	}
	for (int i = 0; i < opts.threads; i++) {
		clients[i].index = i;
		clients[i].hs = hsock_sized(client_ns, opts.family, REGION);
		clients[i].sent = calloc(opts.count, sizeof(struct sent));
		pthread_create(&clients[i].thread, NULL, client_run,
			       &clients[i]);
	}
}

static void stop_servers(struct server *servers)
{
	for (int i = 0; i < opts.ports; i++) {
		shutdown(servers[i].hs.fd, SHUT_RDWR);
		for (int j = 0; j < opts.threads; j++)
			pthread_join(servers[i].threads[j], NULL);
	}
}

static int report(struct server *servers, struct client *clients)
{
	int started = 0, finished = 0, failed = 0, bad = 0, executed = 0, wrong;

	for (int i = 0; i < opts.threads; i++) {
		started += clients[i].started;
		finished += clients[i].finished;
		failed += clients[i].failed;
		bad += clients[i].bad;
	}
	for (int i = 0; i < opts.ports; i++) {
		bad += servers[i].bad;
		executed += servers[i].num;
	}
	wrong = wrong_executions(servers, clients);
	printf("storm: started %d finished %d failed %d bad_content %d "
	       "executed %d wrongly_executed %d\n", started, finished, failed,
	       bad, executed, wrong);
	if (bad || wrong || !finished)
		return 1;
	return !opts.allow_failures && finished != started;
}

static void usage(void)
{
	puts("Usage: storm [OPTION]...\n\n"
	     "Sends RPCs between two named network namespaces and checks them.\n\n"
	     "  --client NS --server NS   namespaces (h1, h2)\n"
	     "  --to ADDR                 server's address (10.0.0.2)\n"
	     "  --count N                 RPCs of each client thread (1000)\n"
	     "  --seconds F               stop starting RPCs after this time\n"
	     "  --min N --max N           lengths, log-uniform (1, 1000000)\n"
	     "  --outstanding N           RPCs at a time for each thread (8)\n"
	     "  --threads N               clients, and threads of each server (1)\n"
	     "  --ports N --port N        servers (1), first port (3000)\n"
	     "  --seed N                  of the lengths (1)\n"
	     "  --allow-failures          RPCs may fail (not corrupt or double)\n\n"
	     "Exit status: 0 all correct, 1 not, 2 bad usage.\n"
	     "Example: storm --to fd00::2 --count 100 --max 5000");
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "client", 1, 0, 'c' }, { "server", 1, 0, 's' },
		{ "to", 1, 0, 't' }, { "count", 1, 0, 'n' },
		{ "seconds", 1, 0, 'S' }, { "min", 1, 0, 'm' },
		{ "max", 1, 0, 'M' }, { "outstanding", 1, 0, 'o' },
		{ "threads", 1, 0, 'T' }, { "ports", 1, 0, 'p' },
		{ "port", 1, 0, 'P' },
		{ "seed", 1, 0, 'e' }, { "allow-failures", 0, 0, 'f' },
		{ "help", 0, 0, 'h' }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 'c': opts.client = optarg; break;
		case 's': opts.server = optarg; break;
		case 't': opts.to = optarg; break;
		case 'n': opts.count = atoi(optarg); break;
		case 'S': opts.seconds = atof(optarg); break;
		case 'm': opts.min = atoi(optarg); break;
		case 'M': opts.max = atoi(optarg); break;
		case 'o': opts.outstanding = atoi(optarg); break;
		case 'T': opts.threads = atoi(optarg); break;
		case 'P': opts.port = atoi(optarg); break;
		case 'p': opts.ports = atoi(optarg); break;
		case 'e': opts.seed = atoi(optarg); break;
		case 'f': opts.allow_failures = true; break;
		case 'h': usage(); exit(0);
		default: exit(2);
		}
	}
	opts.family = strchr(opts.to, ':') ? AF_INET6 : AF_INET;
	if (opts.min < 1 || opts.max > HOMA_MAX_MESSAGE_LENGTH ||
	    opts.min > opts.max || opts.threads < 1 || opts.threads > 16 ||
	    opts.ports < 1 || opts.ports > 64 || opts.port < 1 ||
	    opts.port + opts.ports > 0x8000 || opts.count < 1 ||
	    opts.count > 1 << 24) {
		fprintf(stderr, "storm: a number is out of range\n");
		exit(2);
	}
}

int main(int argc, char **argv)
{
	static struct server servers[64];
	static struct client clients[16];

	parse(argc, argv);
	start_all(servers, clients);
	for (int i = 0; i < opts.threads; i++)
		pthread_join(clients[i].thread, NULL);
	stop_servers(servers);
	return report(servers, clients);
}
