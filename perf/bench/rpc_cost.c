// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* rpc_cost: what an RPC costs, over Homa, TCP or UDP.
 *
 * A client keeps some RPCs outstanding and takes the time of each response. On
 * one emulated CPU whose clock counts instructions (`lab vm --icount`), time is
 * cost: a nanosecond is an instruction, of either program or of the kernel, and
 * there is no idle time in a closed loop.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../util/lib/clock.h"
#include "../../util/lib/die.h"
#include "../../util/lib/opts.h"
#include "transport.h"

#define TIME_LIMIT_S 300		/* of a client, in case that a packet is lost */

static struct {
	int port, size, count, outstanding, peers, sockets;
} o = { .port = 4000, .size = 100, .count = 300, .outstanding = 1, .peers = 1, .sockets = 1 };

static const struct opt table[] = {
	OPT_INT("port", &o.port, 1, 32767, "of the server (4000)"),
	OPT_INT("size", &o.size, 1, HOMA_MAX_MESSAGE_LENGTH,
		"bytes of a request, and of its response (100)"),
	OPT_INT("count", &o.count, 1, 1000000, "RPCs to measure, after a tenth more, and all peers and sockets (300)"),
	OPT_INT("outstanding", &o.outstanding, 1, 1000000, "RPCs at a time (1)"),
	OPT_INT("peers", &o.peers, 1, 1000000,
		"Homa: send to so many addresses, from ADDR on, in turn (1)"),
	OPT_INT("sockets", &o.sockets, 1, 10000,
		"Homa: use so many sockets in turn, with one RPC at a time (1)"),
	OPT_END
};

static void usage(FILE *to)
{
	fputs("usage: rpc_cost server PROTOCOL [--port N]\n"
	      "       rpc_cost client PROTOCOL ADDR [options]\n"
	      "PROTOCOL is homa, tcp or udp; the client prints what an RPC took, in ns.\n\n", to);
	opts_help(table, to);
	fputs("\nexamples:\n"
	      "  rpc_cost server homa &\n"
	      "  rpc_cost client homa 127.0.0.1 --size 10000 --outstanding 8\n", to);
}

static int largest(int a, int b)
{
	return a > b ? a : b;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Print the costs between the @n + 1 completions at @at: the mean, and the median
 * over runs of o.outstanding of them, for what is outstanding at a time tends to be
 * completed in a burst. As "outstanding" counts whatever there are several of: RPCs,
 * peers or sockets.
 */
static void report(const char *protocol, const uint64_t *at, int n)
{
	int span = o.outstanding < n ? o.outstanding : n;
	int spans = n - span + 1, i;
	uint64_t *took = xcalloc(spans, sizeof(*took));

	for (i = 0; i < spans; i++)
		took[i] = at[i + span] - at[i];
	qsort(took, spans, sizeof(*took), compare);
	printf("{\"protocol\": \"%s\", \"size\": %d, \"outstanding\": %d, \"count\": %d, "
	       "\"mean\": %.1f, \"p50\": %.1f, \"min\": %.1f}\n", protocol, o.size,
	       largest(o.outstanding, largest(o.peers, o.sockets)), n, (double)(at[n] - at[0]) / n,
	       (double)took[spans / 2] / span, (double)took[0] / span);
	free(took);
}

/* Requests go on until the last measured response is there: all that is measured
 * is steady, and no RPC of it lacks the company of the others.
 */
static void measure(const struct transport *t, struct endpoint *e)
{
	int warm = largest(largest(o.count / 10, o.outstanding),
			   largest(o.peers, o.sockets));
	int wanted = warm + o.count, sent = 0, done = 0;
	uint64_t *at = xcalloc(wanted, sizeof(*at));

	while (done < wanted) {
		if (sent - done < o.outstanding && t->request(e, o.size)) {
			sent++;
			continue;
		}
		if (t->response(e) != (uint32_t)o.size)
			die("a response is not as long as its request");
		at[done++] = clock_ns();
	}
	report(t->name, at + warm - 1, o.count);
	while (done++ < sent)
		t->response(e);
	free(at);
}

static void run_client(const struct transport *t, struct endpoint *e, const char *address)
{
	struct sockaddr_in *to = (struct sockaddr_in *)&e->to;

	if ((uint32_t)o.size > t->max_size)
		die("%s carries at most %u bytes", t->name, t->max_size);
	to->sin_family = AF_INET;
	to->sin_port = htons(o.port);
	if (inet_pton(AF_INET, address, &to->sin_addr) != 1)
		die("%s: not an IPv4 address", address);
	if (o.outstanding > 1 && o.sockets > 1)
		die("several sockets have one RPC at a time");
	e->pipelined = o.outstanding > 1;
	e->sockets = o.sockets;
	e->peers = o.peers;
	alarm(TIME_LIMIT_S);
	t->connect(e);
	measure(t, e);
}

__attribute__((noreturn))
static void run_server(const struct transport *t, struct endpoint *e)
{
	t->listen(e, o.port);
	puts("ready");
	fflush(stdout);
	for (;;)
		t->serve(e);
}

int main(int argc, char **argv)
{
	const struct transport *t;
	struct endpoint e;
	int n;

	die_set_name(argv[0]);
	if (opts_want_help(argc, argv)) {
		usage(stdout);
		return 0;
	}
	n = opts_parse(table, argc, argv);
	if (n < 2 || n != 2 + !strcmp(argv[1], "client") ||
	    (strcmp(argv[1], "client") && strcmp(argv[1], "server"))) {
		if (n >= 0)
			usage(stderr);
		return 2;
	}
	t = transport_find(argv[2]);
	memset(&e, 0, sizeof(e));
	e.buf = xcalloc(1, HOMA_MAX_MESSAGE_LENGTH + FRAME_BYTES);
	if (n == 2)
		run_server(t, &e);
	run_client(t, &e, argv[3]);
	free(e.buf);
	return 0;
}
