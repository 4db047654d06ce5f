// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Network namespaces and clocks for test programs; see ns.h. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ns.h"

static void fatal(const char *what)
{
	fprintf(stderr, "# cannot %s: %s\n", what, strerror(errno));
	exit(2);
}

static int ns_current(void)
{
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fatal("open the network namespace");
	return fd;
}

void ns_enter(int ns)
{
	if (setns(ns, CLONE_NEWNET))
		fatal("enter a network namespace");
}

/* Namespaces whose timetraces are wanted: appended to the file that NS_TRACES names. */
static int traced[100];
static int num_traced;

static void keep_trace(const char *text)
{
	const char *path = getenv("NS_TRACES");
	FILE *to = path ? fopen(path, "a") : NULL;

	if (!to)
		return;
	fputs(text, to);
	fclose(to);
}

void ns_read_trace(int ns, char *text, size_t size)
{
	size_t n = 0;
	FILE *from;

	ns_enter(ns);
	from = fopen("/proc/net/timetrace", "r");
	if (from) {
		n = fread(text, 1, size - 1, from);
		fclose(from);
	}
	text[n] = 0;
	keep_trace(text);
}

static void save_traces(void)
{
	static char text[16 << 20];

	for (int i = 0; i < num_traced; i++)
		ns_read_trace(traced[i], text, sizeof(text));
}

static void want_trace(int ns)
{
	if (!getenv("NS_TRACES") || num_traced == sizeof(traced) / sizeof(traced[0]))
		return;
	if (!num_traced)
		atexit(save_traces);
	traced[num_traced++] = dup(ns);
}

int ns_new(void)
{
	int old = ns_current(), fresh;

	if (unshare(CLONE_NEWNET))
		fatal("make a network namespace");
	fresh = ns_current();
	ns_enter(old);
	close(old);
	ns_run(fresh, "ip link set lo up");
	want_trace(fresh);
	return fresh;
}

static int ns_vtry(int ns, const char *fmt, va_list args, char *cmd, size_t n)
{
	int old = ns_current(), status;

	vsnprintf(cmd, n, fmt, args);
	fflush(stdout);
	ns_enter(ns);
	status = system(cmd);
	ns_enter(old);
	close(old);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int ns_try(int ns, const char *fmt, ...)
{
	char cmd[1000];
	va_list args;
	int rc;

	va_start(args, fmt);
	rc = ns_vtry(ns, fmt, args, cmd, sizeof(cmd));
	va_end(args);
	return rc;
}

void ns_run(int ns, const char *fmt, ...)
{
	char cmd[1000];
	va_list args;
	int rc;

	va_start(args, fmt);
	rc = ns_vtry(ns, fmt, args, cmd, sizeof(cmd));
	va_end(args);
	if (rc) {
		fprintf(stderr, "# failed (%d): %s\n", rc, cmd);
		exit(2);
	}
}

/* One side of a pair: addresses, neighbours, up. @me and @other are 1 or 2. */
static void ns_join_side(int ns, int me, int other, int mtu)
{
	ns_run(ns, "ip link set v0 address 02:09:00:00:00:%02x mtu %d up && "
	       "ip -batch - <<E\n"
	       "addr add 10.9.0.%d/24 dev v0\n"
	       "addr add fd09::%d/64 dev v0 nodad\n"
	       "neigh add 10.9.0.%d lladdr 02:09:00:00:00:%02x nud permanent dev v0\n"
	       "neigh add fd09::%d lladdr 02:09:00:00:00:%02x nud permanent dev v0\n"
	       "E", me, mtu, me, me, other, other, other, other);
}

void ns_join(int a, int b, int mtu)
{
	ns_run(a, "ip link add v0 type veth peer name v1 && "
	       "ip link set v1 netns /proc/%d/fd/%d", getpid(), b);
	ns_run(b, "ip link set v1 name v0");
	ns_join_side(a, 1, 2, mtu);
	ns_join_side(b, 2, 1, mtu);
}

int ns_sysctl(int ns, const char *name, const char *value)
{
	int old = ns_current(), fd, rc = 0;
	char path[100];

	snprintf(path, sizeof(path), "/proc/sys/net/homa/%s", name);
	ns_enter(ns);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	ns_enter(old);
	close(old);
	return rc;
}

bool ns_real_time(void)
{
	const char *flavor = getenv("LAB_FLAVOR");

	return flavor && !strcmp(flavor, "smp");
}

int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

int64_t now_ms(void)
{
	return now_ns() / 1000000;
}

void sleep_ms(int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}
