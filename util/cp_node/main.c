// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* cp_node: offers RPC load to servers, answers it, and measures latency. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "../lib/clock.h"
#include "../lib/die.h"
#include "../lib/opts.h"
#include "cmd.h"
#include "log.h"

#define MAX_WORDS 128
#define LINE_BYTES 65536

static void app_init(struct app *app)
{
	struct rlimit files;
	sigset_t set;

	clock_precise();
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	/* Before there are threads: they inherit the mask. */
	sigprocmask(SIG_BLOCK, &set, NULL);
	app->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (app->signal_fd < 0)
		die("signalfd: %s", strerror(errno));
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	pthread_mutex_init(&app->servers.lock, NULL);
}

/* Split @line at blanks and run it. Return: what cmd_run() does. */
static int run_line(struct app *app, char *line)
{
	char *words[MAX_WORDS + 1], *rest, *word;
	int n = 0;

	for (word = strtok_r(line, " \t\r\n", &rest); word;
	     word = strtok_r(NULL, " \t\r\n", &rest)) {
		if (n == MAX_WORDS)
			return fail("more than %d words", MAX_WORDS);
		words[n++] = word;
	}
	words[n] = NULL;
	return n ? cmd_run(app, n, words) : 0;
}

/* Run the complete lines of @buf. Return: bytes left over, now at the front. */
static size_t run_lines(struct app *app, char *buf, size_t have)
{
	char *line = buf, *end;

	while (!app->exiting && !app->signal) {
		end = memchr(line, '\n', buf + have - line);
		if (!end)
			break;
		*end = 0;
		run_line(app, line);
		line = end + 1;
		if (app->exiting)
			break;
		fputs("% ", stdout);
		fflush(stdout);
	}
	have -= line - buf;
	memmove(buf, line, have);
	return have;
}

static void interact(struct app *app)
{
	static char buf[LINE_BYTES];
	size_t have = 0;
	ssize_t n;

	fputs("% ", stdout);
	fflush(stdout);
	while (!app->exiting && !app->signal) {
		app_wait(app, STDIN_FILENO, false);
		if (app->signal)
			break;
		n = read(STDIN_FILENO, buf + have, sizeof(buf) - 1 - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		have = run_lines(app, buf, have + n);
		if (have == sizeof(buf) - 1)
			die("a command of more than %zu bytes", have);
	}
	/* The last line may lack its newline. */
	buf[have] = 0;
	if (have && !app->exiting && !app->signal)
		run_line(app, buf);
}

/* Run one command; what it started goes on until it is done, or a signal. */
static int run_once(struct app *app, int argc, char **argv)
{
	int err = cmd_run(app, argc, argv);

	if (!err && (app->clients || app->servers.first))
		app_wait(app, -1, app->clients != NULL);
	return err ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct app app = { .clients = NULL };
	int status = 0;

	die_set_name(argv[0]);
	if (opts_want_help(argc, argv)) {
		cmd_help(NULL);
		return 0;
	}
	app_init(&app);
	if (argc > 1)
		status = run_once(&app, argc - 1, argv + 1);
	else
		interact(&app);
	app_stop_clients(&app, app.signal ? 0 : -1);
	app_stop_servers(&app);
	if (app.signal)
		return 128 + app.signal;
	if (!status && argc > 1)
		status = app.trouble;
	return status;
}
