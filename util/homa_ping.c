// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa_ping: round trips of RPCs to a server that echoes, one after the other, as ping
 * shows those of ICMP. Servers are that of `homa_ping --serve`, homa_drive, and cp_node, whose
 * message header requests have.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/die.h"
#include "lib/hist.h"
#include "lib/json.h"
#include "lib/opts.h"
#include "libhoma/libhoma.h"

#define MAX_SIZE 1000000
#define DEFAULT_PORT 4000
#define RPC_FAILED 3			/* exit status */

static struct opts {
	int count, size, port;
	double interval;
	bool ipv6, json, quiet, serve;
} o = { .size = 100, .port = DEFAULT_PORT, .interval = 1 };

static const struct opt table[] = {
	OPT_INT("count", &o.count, 0, 1e9, "end after N RPCs; 0: at Ctrl-C (0)"),
	OPT_REAL("interval", &o.interval, 0, 1e6, "seconds from one RPC to the next (1)"),
	OPT_FLAG("ipv6", &o.ipv6, "IPv6 socket, for --serve and for names"),
	OPT_FLAG("json", &o.json, "the summary as JSON, nothing else"),
	OPT_INT("port", &o.port, 1, 32767, "--serve: the port (4000)"),
	OPT_FLAG("quiet", &o.quiet, "only the summary"),
	OPT_FLAG("serve", &o.serve, "be the server"),
	OPT_INT("size", &o.size, 1, MAX_SIZE, "bytes of each message (100)"),
	OPT_END
};

struct run {
	struct homa *homa;
	union homa_addr server;
	char name[80];
	int sent, answered;
	uint64_t start;
	struct hist rtts;			/* ns */
};

static volatile sig_atomic_t interrupted;

static void interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* What a failed call means; -EPROTONOSUPPORT has two reasons. */
static const char *reason(int err, bool opening)
{
	if (err == -EPROTONOSUPPORT && opening)
		return "is homa.ko loaded?";
	if (err == -ENOTCONN)
		return "no server on that port";
	if (err == -ETIMEDOUT)
		return "no answer";
	return strerror(-err);
}

static struct homa *open_socket(int family, int port)
{
	struct homa *homa;
	int err = homa_open(&homa, family, port, 0, 0);

	if (err)
		die("cannot open a Homa socket: %s", reason(err, true));
	return homa;
}

static int serve(void)
{
	struct homa *homa = open_socket(o.ipv6 ? AF_INET6 : AF_INET, o.port);
	struct homa_msg msg = HOMA_MSG_INIT;
	ssize_t n;

	printf("ready\n");
	fflush(stdout);
	while (!interrupted) {
		n = homa_recv(homa, &msg, 0);
		if (n >= 0)
			homa_replyv(homa, &msg, msg.iov, msg.iovcnt);
		else if (n != -EINTR)
			die("receive: %s", reason(n, false));
	}
	homa_release(&msg);
	homa_close(homa);
	return 0;
}

/* HOST:PORT, [HOST]:PORT or HOST. */
static void find_server(struct run *run, const char *word)
{
	const char *end = strrchr(word, ':');
	int port = DEFAULT_PORT, err, len = strlen(word);
	bool bracket = word[0] == '[', one = end && end == strchr(word, ':');
	char host[64], *rest;

	if (end && (one || (bracket && end[-1] == ']'))) {
		port = strtol(end + 1, &rest, 10);
		len = end - word;
		if (*rest || port < 1 || port > 65535)
			die("%s: want HOST:PORT", word);
	}
	if (bracket) {
		word++;
		len = strcspn(word, "]");
	}
	if (len >= (int)sizeof(host))
		die("%s: that is too long for a host", word);
	snprintf(host, sizeof(host), "%.*s", len, word);
	run->homa = open_socket(o.ipv6 || strchr(host, ':') ? AF_INET6 : AF_INET, 0);
	err = homa_address(run->homa, host, port, &run->server);
	if (err)
		die("%s: %s", host, strerror(-err));
	snprintf(run->name, sizeof(run->name), strchr(host, ':') ? "[%s]:%d" : "%s:%d", host,
		 port);
}

/* One RPC. Return: 0, or why there is no answer. */
static int ping(struct run *run, char *message)
{
	struct homa_msg answer = HOMA_MSG_INIT;
	int32_t head[4] = { o.size, 0, 0, run->sent + 1 };
	uint64_t start, ns;
	ssize_t n;

	memcpy(message, head, o.size < (int)sizeof(head) ? o.size : (int)sizeof(head));
	start = clock_ns();
	n = homa_invoke(run->homa, &run->server.sa, message, o.size, &answer);
	ns = clock_ns() - start;
	if (n == -EINTR && interrupted)
		return -EINTR;
	run->sent++;
	homa_release(&answer);
	if (n < 0)
		return n;
	run->answered++;
	hist_add(&run->rtts, ns);
	if (!o.quiet && !o.json)
		printf("%zd bytes from %s: seq=%d time=%.3f ms\n", n, run->name, run->sent,
		       ns * 1e-6);
	return 0;
}

static void print_summary(const struct run *run)
{
	const struct hist *h = &run->rtts;

	printf("\n--- %s: homa_ping statistics ---\n", run->name);
	printf("%d RPCs of %d bytes, %d answered, %.1f%% failed, %.3f s\n", run->sent, o.size,
	       run->answered, run->sent ? 100.0 * (run->sent - run->answered) / run->sent : 0,
	       (clock_ns() - run->start) * 1e-9);
	if (h->n)
		printf("rtt min/p50/avg/p99/max = %.3f/%.3f/%.3f/%.3f/%.3f ms\n",
		       h->min * 1e-6, hist_quantile(h, 0.5) * 1e-6,
		       (double)h->sum / h->n * 1e-6, hist_quantile(h, 0.99) * 1e-6,
		       h->max * 1e-6);
}

static void print_json(const struct run *run)
{
	const struct hist *h = &run->rtts;
	struct json j = { .to = stdout };

	json_open(&j, NULL, '{');
	json_str(&j, "server", run->name);
	json_u64(&j, "size", o.size);
	json_u64(&j, "sent", run->sent);
	json_u64(&j, "answered", run->answered);
	json_real(&j, "seconds", (clock_ns() - run->start) * 1e-9);
	if (h->n) {
		json_open(&j, "rtt_us", '{');
		json_real(&j, "min", h->min * 1e-3);
		json_real(&j, "p50", hist_quantile(h, 0.5) * 1e-3);
		json_real(&j, "avg", (double)h->sum / h->n * 1e-3);
		json_real(&j, "p99", hist_quantile(h, 0.99) * 1e-3);
		json_real(&j, "max", h->max * 1e-3);
		json_close(&j, '}');
	}
	json_close(&j, '}');
}

static void ping_all(struct run *run)
{
	char *message = xcalloc(1, o.size);
	struct timespec until;
	uint64_t next;
	int err;

	run->start = next = clock_ns();
	while (!interrupted && (!o.count || run->sent < o.count)) {
		err = ping(run, message);
		if (err && !interrupted && !o.json)
			printf("seq=%d: %s\n", run->sent, reason(err, false));
		fflush(stdout);
		next += o.interval * 1e9;
		until = clock_timespec(next);
		while (!interrupted && (!o.count || run->sent < o.count) &&
		       clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL))
			;
	}
	free(message);
}

static void help(void)
{
	printf("Usage: homa_ping [options] HOST[:PORT]\n"
	       "       homa_ping --serve [--port N] [--ipv6]\n\n"
	       "Sends RPCs to a server that echoes, one after the other, and prints how long each took,\n"
	       "and a summary at the end or at Ctrl-C. The port is 4000 if none is given.\n"
	       "Server is homa_ping --serve, homa_drive server, or cp_node server.\n\n"
	       "Options:\n");
	opts_help(table, stdout);
	printf("\nExit status: 0 every RPC was answered; 1 error; 3 one was not.\n\n"
	       "Examples:\n"
	       "  homa_ping --serve &\n"
	       "  homa_ping 10.0.0.2\n"
	       "  homa_ping [fd00::2]:4000 --count 1000 --interval 0.001 --quiet\n"
	       "  homa_ping 10.0.0.2 --size 100000 --count 20 --json | jq .rtt_us.p99\n");
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = interrupt };
	struct run run = { .sent = 0 };
	int words;

	die_set_name(argv[0]);
	if (opts_want_help(argc, argv)) {
		help();
		return 0;
	}
	words = opts_parse(table, argc, argv);
	if (words < 0)
		return 1;
	if (words != (o.serve ? 0 : 1))
		die("want a host to ping, or --serve; see --help");
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (o.serve)
		return serve();
	find_server(&run, argv[1]);
	if (!o.json)
		printf("HOMA %s: RPCs of %d bytes, echoed\n", run.name, o.size);
	hist_clear(&run.rtts);
	ping_all(&run);
	if (o.json)
		print_json(&run);
	else
		print_summary(&run);
	homa_close(run.homa);
	return run.answered && run.answered == run.sent ? 0 : RPC_FAILED;
}
