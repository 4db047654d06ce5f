// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* The program cp_node as its users see it, over TCP on this machine. */
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static char said[65536];		/* what the last program said */

/* Run a shell command, in which "@" stands for cp_node. Return: its exit code. */
static int shell(const char *fmt, ...)
{
	char text[4096], command[8192], *from, *to = command;
	const char *program = getenv("CP_NODE");
	va_list args;
	size_t n;
	FILE *f;
	int rc;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	for (from = text; *from; from++) {
		if (*from == '@')
			to += sprintf(to, "%s", program ? program : "out/bin/cp_node");
		else
			*to++ = *from;
	}
	strcpy(to, "");
	f = popen(command, "r");
	n = fread(said, 1, sizeof(said) - 1, f);
	said[n] = 0;
	rc = pclose(f);
	return WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
}

static int count(const char *what)
{
	const char *at = said;
	int n = 0;

	for (at = strstr(said, what); at; at = strstr(at + 1, what))
		n++;
	return n;
}

static void help__explains_each_command(void)
{
	static const char *const names[] = { "client", "server", "stop", "wait", "stats",
					     "dump_times", "info", "log", "tt", "exit" };
	size_t i;

	EXPECT_EQ(shell("@ --help"), 0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		EXPECT(strstr(said, names[i]));
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		EXPECT_EQ(shell("@ %s --help", names[i]), 0);
		EXPECT(strstr(said, "Usage:") && strstr(said, "Example"));
	}
}

static void errors__are_one_line(void)
{
	static const char *const bad[] = {
		"client", "client --servers", "client --servers 127.0.0.1 --gbps x", "nonsense",
		"client --servers 127.0.0.1 --ports 0", "server --ports 257", "stop", "stop me",
		"client --servers 127.0.0.1 --json /nonexistent/x --limit 1 more",
		"server --protocol quic", "log --level loud", "info", "info w4 5", "dump_times",
		"log --file /nonexistent/x", "wait now", "exit now",
		"client --servers 127.0.0.1 --protocol tcp --workload 0",
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		EXPECT_EQ(shell("@ %s 2>&1 >/dev/null", bad[i]), 1);
		EXPECT_EQ(count("\n"), 1);
		EXPECT_EQ(count("cp_node: "), 1);
	}
}

static void info__prints_the_mean(void)
{
	EXPECT_EQ(shell("@ info w4 1500"), 0);
	EXPECT(strstr(said, "mean 61008.147190 bytes, 225 sizes, overhead 0.084718 at MTU 1500"));
}

static void commands__run_from_standard_input(void)
{
	int port = 20000 + getpid() % 10000;

	EXPECT_EQ(shell("printf 'server --protocol tcp --ports 2 --first-port %d --verify\\n"
			"client --protocol tcp --servers 127.0.0.1 --server-ports 2 --first-port %d --limit 50 --verify\\n"
			"wait\\nstats\\nlog hello there\\nnonsense\\nstop clients\\nstop servers\\n"
			"exit\\n' | @ 2>&1", port, port), 0);
	EXPECT_EQ(count("% "), 9);
	EXPECT_EQ(count("50 started, 50 done, 0 failed, 0 outstanding, 0 never sent, 0 with wrong contents"), 2);
	EXPECT_EQ(count("50 requests, 0 executed more than once, 0 with wrong contents"), 2);
	EXPECT(strstr(said, " hello there\n"));
	EXPECT(strstr(said, "no command nonsense"));
	EXPECT(strstr(said, "cp_node exiting"));
}

static void commands__the_end_of_input_ends_the_program(void)
{
	EXPECT_EQ(shell("@ </dev/null"), 0);
	EXPECT_STR(said, "% ");
	/* A last line without its newline still counts. */
	EXPECT_EQ(shell("printf 'log last words' | @"), 0);
	EXPECT(strstr(said, "last words"));
}

static void dump_times__writes_and_forgets(void)
{
	int port = 30000 + getpid() % 10000;
	char name[64];

	sprintf(name, "/tmp/test_main.%d", getpid());
	EXPECT_EQ(shell("printf 'server --protocol tcp --first-port %d\\n"
			"client --protocol tcp --servers 127.0.0.1 --first-port %d --limit 7 --exp mine\\n"
			"wait\\ndump_times %s mine\\ndump_times %s.2 mine\\ndump_times %s.3 other\\n"
			"exit\\n' | @ >/dev/null; cat %s; cat %s.2 %s.3 | wc -l; rm %s*",
			port, port, name, name, name, name, name, name, name), 0);
	EXPECT_EQ(count("\n# "), 3);
	EXPECT_EQ(count("\n     100 "), 7);
	EXPECT(strstr(said, "\n4\n"));
}

static void signals__end_it_cleanly(void)
{
	EXPECT_EQ(shell("@ server --protocol tcp --first-port %d >/dev/null & p=$!; sleep 0.5; kill -TERM $p; wait $p",
			20500 + getpid() % 9000), 128 + SIGTERM);
	EXPECT_EQ(shell("sleep 1 | { exec 3<&0; @ <&3 & p=$!; sleep 0.5; kill -INT $p; wait $p; }"), 128 + SIGINT);
}

static const struct unit_case cases[] = {
	UNIT_CASE(help__explains_each_command),
	UNIT_CASE(errors__are_one_line),
	UNIT_CASE(info__prints_the_mean),
	UNIT_CASE(commands__run_from_standard_input),
	UNIT_CASE(commands__the_end_of_input_ends_the_program),
	UNIT_CASE(dump_times__writes_and_forgets),
	UNIT_CASE(signals__end_it_cleanly),
};

UNIT_MAIN(cases)
