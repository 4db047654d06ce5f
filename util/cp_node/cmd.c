// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <homa.h>

#include "../lib/clock.h"
#include "../lib/die.h"
#include "../lib/opts.h"
#include "../../tt/user/ttrec.h"
#include "cmd.h"
#include "log.h"
#include "results.h"
#include "stats.h"

/* How a one-shot client ends if requests failed, were lost, not sent or came back wrong. */
#define EXIT_BAD_RUN 3
#define DEBUG_BYTES 1500		/* longer responses freeze nothing */

struct command {
	const char *name;
	const char *usage;
	const char *about;
	int (*run)(struct app *app, int argc, char **argv);
	const struct opt *opts;		/* NULL: none */
};

static struct client_opts client_opts;
static struct server_opts server_opts;

static const struct client_opts client_defaults = {
	.protocol = "homa", .workload = "100", .drain = 2, .client_max = 1,
	.port_receivers = 1, .buf_bpages = 1000, .seed = 1, .pin = -1, .first_server = 1, .id = -1,
};

static const struct server_opts server_defaults = {
	.protocol = "homa", .port_threads = 1, .buf_bpages = 1000, .pin = -1,
};

static const struct opt client_table[] = {
	OPT_FLAG("avoid-backed-up", &client_opts.avoid_backed_up,
		 "TCP: use the least loaded connection to a server if the one drawn has over 100 kB unanswered"),
	OPT_INT("buf-bpages", &client_opts.buf_bpages, 1, 65536,
		"Homa: receive region of each port, in 64 KB pages (1000)"),
	OPT_INT("client-max", &client_opts.client_max, 1, 1000000,
		"most requests outstanding, all ports together (1)"),
	OPT_REAL("drain", &client_opts.drain, 0, 1e6,
		 "seconds that outstanding requests have to end (2)"),
	OPT_FLAG("epoll", &client_opts.epoll, "Homa: receivers wait by epoll, not in recvmsg (TCP's always do)"),
	OPT_STR("exp", &client_opts.exp, "NAME", "label in statistics (PROTOCOL_WORKLOAD)"),
	OPT_INT("first-port", &client_opts.first_port, 1, 65535,
		"lowest server port (4000 for Homa, 5000 for TCP, 6000 for UDP)"),
	OPT_INT("first-server", &client_opts.first_server, 0, 100000,
		"with --server-nodes: the first server is this nodeN (1)"),
	OPT_REAL("gbps", &client_opts.gbps, 0, 1e6,
		 "rate of request bytes, in Gbit/s; 0: as fast as --client-max lets it (0)"),
	OPT_INT("host-id", &client_opts.host_id, 0, 255,
		"number of this host: hosts offer different arrivals (0)"),
	OPT_INT("id", &client_opts.id, 0, 100000,
		"with --server-nodes: this host is nodeN, and no server of its own"),
	OPT_FLAG("iovec", &client_opts.iovec,
		 "Homa: give requests to the kernel in two pieces, of 20 bytes and the rest"),
	OPT_FLAG("ipv6", &client_opts.ipv6, "use IPv6 sockets"),
	OPT_STR("json", &client_opts.json, "FILE", "write totals and histograms to a new file"),
	OPT_U64("limit", &client_opts.limit, "end after so many requests; 0: no limit (0)"),
	OPT_FLAG("no-trunc", &client_opts.no_trunc,
		 "TCP: messages may be longer than 1,000,000 bytes, as W4 and W5 have them; up to 32 MB"),
	OPT_FLAG("one-way", &client_opts.one_way, "responses of at most 100 bytes"),
	OPT_INT("pin", &client_opts.pin, 0, 1023, "run all threads on core N"),
	OPT_INT("port-receivers", &client_opts.port_receivers, 0, 64,
		"threads that receive, for each port; 0: the sender waits for each response (1)"),
	OPT_INT("ports", &client_opts.ports, 1, 256, "client ports, each with a sending thread (1 for Homa, 4 for TCP)"),
	OPT_FLAG("private", &client_opts.private,
		 "Homa: each sender receives the response to its own request, and no other"),
	OPT_STR("protocol", &client_opts.protocol, "P", "homa, tcp, dctcp or udp (homa)"),
	OPT_STR("rpcs", &client_opts.rpcs, "FILE", "write a line for each request to a new CSV file"),
	OPT_REAL("seconds", &client_opts.seconds, 0, 1e6,
		 "how long requests arrive; 0: until stopped (0)"),
	OPT_U64("seed", &client_opts.seed, "of the arrivals (1)"),
	OPT_INT("server-nodes", &client_opts.server_nodes, 0, 1000,
		"instead of --servers: so many hosts that are called nodeN (0)"),
	OPT_INT("server-ports", &client_opts.server_ports, 1, 256, "ports of each server (1 for Homa, 8 for TCP)"),
	OPT_STR("servers", &client_opts.servers, "A,B,...", "addresses or names of the servers (required)"),
	OPT_FLAG("spin", &client_opts.spin,
		 "wait for the time of a request without sleeping: keeps a core busy, is on time"),
	OPT_U64("start-at", &client_opts.start_at,
		"when to start, CLOCK_REALTIME in ns; 0: at once (0)"),
	OPT_INT("unloaded", &client_opts.unloaded, 0, 1000000,
		"instead of a load, send N requests of each size one at a time to the first server"),
	OPT_FLAG("verify", &client_opts.verify, "check each response, byte by byte"),
	OPT_STR("workload", &client_opts.workload, "W",
		"sizes: w1 to w5, starve, BYTES, MIN-MAX (log-uniform) or FILE.cdf (100)"),
	OPT_END
};

static const struct opt server_table[] = {
	OPT_INT("buf-bpages", &server_opts.buf_bpages, 1, 65536,
		"Homa: receive region of each port, in 64 KB pages (1000)"),
	OPT_FLAG("epoll", &server_opts.epoll, "Homa: threads wait by epoll, not in recvmsg (TCP's always do)"),
	OPT_STR("exp", &server_opts.exp, "NAME", "label in statistics (PROTOCOL)"),
	OPT_INT("first-port", &server_opts.first_port, 1, 65535,
		"lowest port (4000 for Homa, 5000 for TCP, 6000 for UDP)"),
	OPT_FLAG("iovec", &server_opts.iovec,
		 "Homa: give responses to the kernel in two pieces, of 20 bytes and the rest"),
	OPT_FLAG("ipv6", &server_opts.ipv6, "use IPv6 sockets; they take IPv4 as well"),
	OPT_STR("json", &server_opts.json, "FILE", "at the end, write totals to a new file"),
	OPT_INT("pin", &server_opts.pin, 0, 1023, "run all threads on core N"),
	OPT_INT("port-threads", &server_opts.port_threads, 1, 64, "threads for each port (1)"),
	OPT_INT("ports", &server_opts.ports, 1, 256, "ports to listen on (1 for Homa, 8 for TCP)"),
	OPT_STR("protocol", &server_opts.protocol, "P", "homa, tcp, dctcp or udp (homa)"),
	OPT_FLAG("verify", &server_opts.verify,
		 "check each request, and that none is executed twice"),
	OPT_END
};

static int no_words(int words, const char *name)
{
	if (words > 0)
		fail("%s: too many words", name);
	return words ? -1 : 0;
}

/* node1,node2,... as the field's cp_node calls hosts, without this one. */
static const char *name_nodes(const struct client_opts *o)
{
	static char names[16384];
	size_t used = 0;
	int i;

	names[0] = 0;
	for (i = o->first_server; i < o->first_server + o->server_nodes; i++)
		if (i != o->id)
			used += snprintf(names + used, sizeof(names) - used, "%snode%d",
					 used ? "," : "", i);
	return names;
}

static int run_client(struct app *app, int argc, char **argv)
{
	struct client *c;

	client_opts = client_defaults;
	if (no_words(opts_parse(client_table, argc, argv), "client"))
		return -1;
	if (client_opts.server_nodes && !client_opts.servers)
		client_opts.servers = name_nodes(&client_opts);
	c = client_start(&client_opts, &app->servers);
	if (!c)
		return -1;
	c->next = app->clients;
	app->clients = c;
	return 0;
}

static int run_server(struct app *app, int argc, char **argv)
{
	server_opts = server_defaults;
	if (no_words(opts_parse(server_table, argc, argv), "server"))
		return -1;
	return server_start(&server_opts, &app->servers) ? 0 : -1;
}

/* Did everything go as it should? */
static bool run_was_good(struct client *c)
{
	struct counts n = client_counts(c);

	return !n.failed && !n.bad && !n.unsent && n.done == n.started;
}

void app_stop_clients(struct app *app, double drain)
{
	struct client *c;

	for (c = app->clients; c; c = c->next)
		if (!client_finished(c))
			client_stop(c, drain < 0 ? c->o.drain : drain);
	while (app->clients) {
		c = app->clients;
		app->clients = c->next;
		pthread_join(c->controller, NULL);
		stats_client_totals(c);
		if (!run_was_good(c))
			app->trouble = EXIT_BAD_RUN;
		if (client_free(c))
			app->trouble = 1;
	}
}

void app_stop_servers(struct app *app)
{
	while (app->servers.first)
		if (server_free(app->servers.first))
			app->trouble = 1;
}

static int run_stop(struct app *app, int argc, char **argv)
{
	struct client *c;

	if (argc == 2 && !strcmp(argv[1], "clients")) {
		app_stop_clients(app, -1);
	} else if (argc == 2 && !strcmp(argv[1], "senders")) {
		for (c = app->clients; c; c = c->next)
			client_stop_senders(c);
	} else if (argc == 2 && !strcmp(argv[1], "servers")) {
		app_stop_servers(app);
	} else {
		return fail("stop: want clients, senders or servers");
	}
	return 0;
}

static int run_wait(struct app *app, int argc, char **argv)
{
	(void)argv;
	if (no_words(argc - 1, "wait"))
		return -1;
	app_wait(app, -1, true);
	return 0;
}

static int run_stats(struct app *app, int argc, char **argv)
{
	(void)argv;
	if (no_words(argc - 1, "stats"))
		return -1;
	stats_totals(app->clients, &app->servers);
	return 0;
}

static int run_dump_times(struct app *app, int argc, char **argv)
{
	if (argc < 2 || argc > 3)
		return fail("dump_times: want FILE [EXP]");
	return results_dump_times(app->clients, argv[1], argc > 2 ? argv[2] : NULL);
}

static int run_info(struct app *app, int argc, char **argv)
{
	struct dist d;
	int mtu = argc > 2 ? atoi(argv[2]) : 1500;

	(void)app;
	if (argc < 2 || argc > 3 || mtu < 576)
		return fail("info: want WORKLOAD [MTU], MTU from 576");
	if (dist_init(&d, argv[1]))
		return -1;
	printf("workload %s: mean %.6f bytes, %d sizes, overhead %.6f at MTU %d\n",
	       d.name, d.mean, d.num_points, dist_overhead(&d, mtu), mtu);
	dist_free(&d);
	return 0;
}

static const char *log_name, *log_level;

static const struct opt log_table[] = {
	OPT_STR("file", &log_name, "FILE", "write there from now on; - is standard output"),
	OPT_STR("level", &log_level, "L", "normal or verbose"),
	OPT_END
};

static int run_log(struct app *app, int argc, char **argv)
{
	char text[1024] = "";
	int words, i;

	(void)app;
	log_name = log_level = NULL;
	words = opts_parse(log_table, argc, argv);
	if (words < 0 || (log_name && log_to(log_name)))
		return -1;
	if (log_level && strcmp(log_level, "normal") && strcmp(log_level, "verbose"))
		return fail("--level %s: want normal or verbose", log_level);
	if (log_level)
		log_set_verbose(!strcmp(log_level, "verbose"));
	for (i = 1; i <= words; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
			 i > 1 ? " " : "", argv[i]);
	if (words)
		log_line("%s", text);
	return 0;
}

/* Freeze the kernel's timetrace, of this host. */
static int freeze_kernel(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA);
	int err = fd < 0 || ioctl(fd, HOMAIOCFREEZE) ? errno : 0;

	if (fd >= 0)
		close(fd);
	return err ? fail("tt: cannot freeze the kernel's timetrace: %s", strerror(err)) : 0;
}

static int run_tt(struct app *app, int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	int err;

	(void)app;
	if (argc == 2 && !strcmp(word, "on")) {
		ttrec_start(0);
	} else if (argc == 2 && (!strcmp(word, "freeze") || !strcmp(word, "freezeboth"))) {
		ttrec_freeze();
		return strcmp(word, "freeze") ? freeze_kernel() : 0;
	} else if (argc == 2 && !strcmp(word, "kfreeze")) {
		return freeze_kernel();
	} else if (argc == 3 && !strcmp(word, "print")) {
		err = ttrec_write(argv[2]);
		if (err)
			return fail("tt: %s: %s", argv[2], strerror(-err));
	} else {
		return fail("tt: want on, freeze, freezeboth, kfreeze or print FILE");
	}
	return 0;
}

static int write_setting(const char *name, const char *text)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/net/homa/%s", name);
	f = fopen(path, "w");
	if (!f || fputs(text, f) == EOF || fflush(f)) {
		fail("debug: cannot set %s: %s", path, strerror(errno));
		if (f)
			fclose(f);
		return -1;
	}
	fclose(f);
	return 0;
}

/* The kernel watches: it sees each response of the host, and freezes its peers, too. */
static int run_debug(struct app *app, int argc, char **argv)
{
	uint32_t limit[2] = { 0, INT_MAX };
	char text[64], *end;
	long value;
	int i;

	(void)app;
	if (argc < 2 || argc > 6)
		return fail("debug: want LEAST [MOST], in units of 1024 ns");
	for (i = 1; i < argc; i++) {
		value = strtol(argv[i], &end, 0);
		if (*end || end == argv[i] || value < 0 || value > INT_MAX)
			return fail("debug: %s is no number from 0 to %d", argv[i], INT_MAX);
		if (i <= 2)
			limit[i - 1] = value;
	}
	snprintf(text, sizeof(text), "%u %u 0 %d", limit[0], limit[1], DEBUG_BYTES);
	if (write_setting("temp", text))
		return -1;
	return write_setting("freeze_type", "3");
}

static int run_exit(struct app *app, int argc, char **argv)
{
	(void)argv;
	if (no_words(argc - 1, "exit"))
		return -1;
	log_line("cp_node exiting");
	app->exiting = true;
	return 0;
}

static int run_help(struct app *app, int argc, char **argv)
{
	(void)app;
	cmd_help(argc > 1 ? argv[1] : NULL);
	return 0;
}

static const struct command commands[] = {
	{ "client", "client --servers A[,B...] [options]",
	  "Send requests to servers and measure how long responses take.\n\n"
	  "Examples:\n"
	  "  cp_node client --servers 10.0.0.2 --workload w4 --gbps 5 --client-max 200 --seconds 1 --json run.json\n"
	  "  cp_node client --servers fd00::2,fd00::3 --ipv6 --workload 1-1000000 --limit 10000 --client-max 20 --verify\n"
	  "  cp_node client --servers 10.0.0.2 --protocol tcp --workload w3 --gbps 2 --client-max 200\n"
	  "  cp_node client --servers 10.0.0.2 --workload w4 --unloaded 10 --rpcs unloaded.csv\n",
	  run_client, client_table },
	{ "server", "server [options]",
	  "Answer requests.\n\n"
	  "Examples:\n"
	  "  cp_node server --ports 3 --port-threads 3\n"
	  "  cp_node server --protocol tcp --verify --json server.json\n",
	  run_server, server_table },
	{ "stop", "stop clients|senders|servers",
	  "End clients (they wait for outstanding requests, and write their files) or servers;\n"
	  "senders: send no more but go on receiving. Example: stop clients\n",
	  run_stop, NULL },
	{ "wait", "wait", "Wait until all clients have finished. Example: wait\n",
	  run_wait, NULL },
	{ "stats", "stats", "Print totals since the start. Example: stats\n", run_stats, NULL },
	{ "dump_times", "dump_times FILE [EXP]",
	  "Write the size and the time of each round trip to a new file, and forget them.\n"
	  "Example: dump_times homa_w4.rtts homa_w4\n",
	  run_dump_times, NULL },
	{ "info", "info WORKLOAD [MTU]",
	  "Print a workload's mean size and wire overhead. Example: info w4 1500\n",
	  run_info, NULL },
	{ "log", "log [--file FILE] [--level normal|verbose] [WORD...]",
	  "Say where the log goes, or add to it. Example: log --level verbose Starting measurements\n",
	  run_log, log_table },
	{ "tt", "tt on|freeze|freezeboth|kfreeze|print FILE",
	  "Record when the threads of Homa ports send and receive (on), stop doing so (freeze),\n"
	  "or have the kernel's timetrace stop (kfreeze), and write the records to a new file\n"
	  "in the binary form (print). Example: tt print node1-app.ttb\n",
	  run_tt, NULL },
	{ "debug", "debug LEAST [MOST]",
	  "Have the kernels of this host and of all its peers freeze their timetraces when a\n"
	  "response of less than 1500 bytes takes from LEAST to MOST units of 1024 ns.\n"
	  "For an administrator of the host. Example: debug 100\n",
	  run_debug, NULL },
	{ "exit", "exit", "End the program. Example: exit\n", run_exit, NULL },
	{ "help", "help [COMMAND]", "Explain. Example: help client\n", run_help, NULL },
};

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(name, commands[i].name))
			return &commands[i];
	fail("no command %s (try help)", name);
	return NULL;
}

static void help_all(void)
{
	size_t i;

	printf("Usage: cp_node [COMMAND...]\n\n"
	       "Offers RPC load to servers, answers it, and measures latency. Without a command,\n"
	       "reads commands from standard input. 'cp_node COMMAND --help' explains one:\n\n");
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		printf("  %s\n", commands[i].usage);
	printf("\nExit status of a single command: 0 all is well; 1 error; %d requests failed,\n"
	       "were lost, not sent or came back wrong; 128 plus a signal's number.\n\n"
	       "Examples:\n"
	       "  cp_node server &\n"
	       "  cp_node client --servers 127.0.0.1 --workload 100 --limit 1000 --verify\n",
	       EXIT_BAD_RUN);
}

void cmd_help(const char *name)
{
	const struct command *c = name ? find_command(name) : NULL;

	if (!name)
		help_all();
	if (!c)
		return;
	printf("Usage: %s\n\n%s", c->usage, c->about);
	if (c->opts) {
		printf("\nOptions:\n");
		opts_help(c->opts, stdout);
	}
}

int cmd_run(struct app *app, int argc, char **argv)
{
	const struct command *c = find_command(argv[0]);

	if (!c)
		return -1;
	if (argc > 1 && !strcmp(argv[1], "--help")) {
		cmd_help(argv[0]);
		return 0;
	}
	return c->run(app, argc, argv);
}

/* Milliseconds until statistics are due; -1 if there is nothing to report on. */
static int until_tick(struct app *app)
{
	uint64_t now;

	if (!app->clients && !app->servers.first)
		return -1;
	now = clock_ns();
	if (now >= app->next_tick_ns) {
		if (app->next_tick_ns)
			stats_print(app->clients, &app->servers);
		app->next_tick_ns = now + NS_PER_SEC;
	}
	return (app->next_tick_ns - now + 999999) / 1000000;
}

/* A client that has not finished; NULL if all have. */
static struct client *busy_client(struct app *app)
{
	struct client *c;

	for (c = app->clients; c && client_finished(c); c = c->next)
		;
	return c;
}

static void take_signal(struct app *app)
{
	struct signalfd_siginfo info;

	if (read(app->signal_fd, &info, sizeof(info)) == sizeof(info))
		app->signal = info.ssi_signo;
}

void app_wait(struct app *app, int fd, bool clients)
{
	struct pollfd p[] = {
		{ .fd = app->signal_fd, .events = POLLIN },
		{ .fd = fd, .events = POLLIN },
		{ .fd = -1, .events = POLLIN },
	};
	struct client *busy;

	while (!app->signal) {
		busy = clients ? busy_client(app) : NULL;
		if (clients && !busy)
			return;
		p[2].fd = busy ? busy->done_fd : -1;
		if (poll(p, 3, until_tick(app)) < 0 && errno != EINTR)
			die("poll: %s", strerror(errno));
		if (p[0].revents)
			take_signal(app);
		else if (p[1].revents)
			return;
	}
}
