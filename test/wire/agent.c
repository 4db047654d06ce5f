// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* The application at the side that test/wire/conform tests: does what requests
 * tell it, so that packets alone make a host play either role.
 *
 * A request begins with four characters and three 32-bit numbers (big-endian):
 *
 *	ANSW length delay	answer with so many bytes, after a delay in ms
 *	CALL length port	answer OKAY; then send a request of so many bytes
 *				to that port of the sender's host
 *	LAST			answer with the result of the last CALL (length of
 *				its response or -errno) and 1 if its bytes are right
 *
 * Byte i of a message, where it is not one of the above, is i ^ i / 256. A
 * request with other bytes is answered BAD!.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hsock.h"
#include "ns.h"

/**
 * struct command - beginning of a request
 * @op: what to do
 * @arg: numbers, big-endian
 */
struct command {
	char op[4];
	uint32_t arg[3];
};

/**
 * struct agent - both roles of a host
 * @server: takes commands
 * @client: sends requests
 * @last_rc: result of the last request, big-endian
 * @last_ok: 1 if its response was right, big-endian
 */
struct agent {
	struct hsock server;
	struct hsock client;
	uint32_t last_rc;
	uint32_t last_ok;
};

static char in[HOMA_MAX_MESSAGE_LENGTH], out[HOMA_MAX_MESSAGE_LENGTH];

static void pattern_fill(char *buf, int from, int to)
{
	for (int i = from; i < to; i++)
		buf[i] = i ^ i >> 8;
}

static bool pattern_ok(const char *buf, int from, int to)
{
	for (int i = from; i < to; i++)
		if (buf[i] != (char)(i ^ i >> 8))
			return false;
	return true;
}

static void reply(const struct agent *a, const struct hmsg *m, const void *buf,
		  int len)
{
	hsock_reply(&a->server, &m->from, m->args.id, buf, len);
}

static void call(const struct agent *a, const struct hmsg *m,
		 const struct command *c)
{
	union haddr to = m->from;
	int len = ntohl(c->arg[0]);
	uint64_t id;

	if (len < 1 || len > HOMA_MAX_MESSAGE_LENGTH)
		return;
	if (to.sa.sa_family == AF_INET)
		to.in4.sin_port = htons(ntohl(c->arg[1]));
	else
		to.in6.sin6_port = htons(ntohl(c->arg[1]));
	pattern_fill(out, 0, len);
	hsock_request(&a->client, &to, out, len, &id);
}

static void obey(struct agent *a, const struct hmsg *m)
{
	uint32_t last[2] = { a->last_rc, a->last_ok };
	struct command c;
	uint32_t len;

	payload_gather(&a->server, m, in);
	memcpy(&c, in, sizeof(c));
	len = ntohl(c.arg[0]);
	if (m->rc < (int)sizeof(c) || !pattern_ok(in, sizeof(c), m->rc)) {
		reply(a, m, "BAD!", 4);
	} else if (!memcmp(c.op, "ANSW", 4) && len &&
		   len <= HOMA_MAX_MESSAGE_LENGTH) {
		sleep_ms(ntohl(c.arg[1]));
		pattern_fill(out, 0, len);
		reply(a, m, out, len);
	} else if (!memcmp(c.op, "CALL", 4)) {
		reply(a, m, "OKAY", 4);
		call(a, m, &c);
	} else if (!memcmp(c.op, "LAST", 4)) {
		reply(a, m, last, sizeof(last));
	} else {
		reply(a, m, "BAD!", 4);
	}
}

static void take_request(struct agent *a)
{
	struct hmsg m;

	if (hsock_recv(&a->server, &m, 0, MSG_DONTWAIT) < 0)
		return;
	obey(a, &m);
	hsock_return(&a->server, &m);
}

static void take_response(struct agent *a)
{
	struct hmsg m;

	if (hsock_recv(&a->client, &m, 0, MSG_DONTWAIT) == -EAGAIN)
		return;
	a->last_rc = htonl(m.rc);
	a->last_ok = 0;
	if (m.rc < 0)
		return;
	payload_gather(&a->client, &m, in);
	a->last_ok = htonl(pattern_ok(in, 0, m.rc));
	hsock_return(&a->client, &m);
}

static void usage(void)
{
	puts("Usage: agent [--ipv6] [--port N]\n\n"
	     "Waits on a Homa port (77) for the commands of test/wire/conform.\n\n"
	     "Example: agent --ipv6 --port 78");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "ipv6", 0, 0, '6' }, { "port", 1, 0, 'p' },
		{ "help", 0, 0, 'h' }, { 0 },
	};
	int ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int family = AF_INET, port = 77, c;
	static struct agent a;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case '6': family = AF_INET6; break;
		case 'p': port = atoi(optarg); break;
		case 'h': usage(); return 0;
		default: return 2;
		}
	}
	a.server = hsock_server(ns, family, port);
	a.client = hsock_open(ns, family);
	puts("ready");
	fflush(stdout);
	for (;;) {
		struct pollfd p[2] = { { a.server.fd, POLLIN, 0 },
				       { a.client.fd, POLLIN, 0 } };

		poll(p, 2, -1);
		if (p[1].revents)
			take_response(&a);
		if (p[0].revents)
			take_request(&a);
	}
}
