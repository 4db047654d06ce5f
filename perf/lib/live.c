// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fields.h"
#include "lib/clock.h"
#include "lib/die.h"
#include "live.h"

#define TRACEFS "/sys/kernel/tracing"
#define DEBUGFS "/sys/kernel/debug/tracing"
#define SECTION "tracepoint/homa/"
#define MAX_SECONDS 1e9
#define POLL_MS 100

static struct opts {
	bool json, all, verbose;
	double interval, duration;
} o;

static const struct opt common[] = {
	OPT_FLAG("json", &o.json, "reports as JSON, one object each"),
	OPT_REAL("interval", &o.interval, 0, MAX_SECONDS, "seconds between reports; 0: one at the end"),
	OPT_REAL("duration", &o.duration, 0, MAX_SECONDS, "seconds until the end; 0: until Ctrl-C"),
	OPT_FLAG("all-hosts", &o.all, "of all network namespaces, not of this one alone"),
	OPT_FLAG("verbose", &o.verbose, "what libbpf says, too"),
	OPT_END
};

static volatile sig_atomic_t stopped;
static uint64_t lost;
static char complaint[256];

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

/* Keeps what libbpf complains of for the one line that is printed. */
static int on_message(enum libbpf_print_level level, const char *format, va_list args)
{
	if (o.verbose)
		return vfprintf(stderr, format, args);
	if (level == LIBBPF_WARN && !*complaint) {
		vsnprintf(complaint, sizeof(complaint), format, args);
		complaint[strcspn(complaint, "\n")] = '\0';
	}
	return 0;
}

/* The options of a tool, then the common ones, as one table. */
static const struct opt *all_options(const struct opt *own)
{
	static struct opt all[32];
	struct opt *to = all;

	for (; own && own->name; own++)
		*to++ = *own;
	memcpy(to, common, sizeof(common));
	return all;
}

static void help(const struct live_tool *tool, const struct opt *table, const char *name)
{
	const char *slash = strrchr(name, '/');

	printf("Usage: %s [options]\n\n%s\nOptions:\n", slash ? slash + 1 : name, tool->about);
	opts_help(table, stdout);
	printf("  %-22s %s\n\nExamples:\n%s\n", "--help", "print this", tool->examples);
	printf("Exit codes: 0 done, 1 it could not be done, 2 done, but events were lost.\n"
	       "perf/README.md has what each column means, and what tracing costs.\n");
}

/* In `ip netns exec` and the like /sys is another one, without tracefs: have it for us alone. */
static const char *tracefs_find(void)
{
	if (!access(DEBUGFS "/events", F_OK))
		return DEBUGFS;
	if (!access(TRACEFS "/events", F_OK))
		return TRACEFS;
	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tracefs", TRACEFS, "tracefs", 0, NULL))
		die("no trace events: mount -t tracefs tracefs " TRACEFS " (%s)",
		    strerror(errno));
	return TRACEFS;
}

static void check_system(void)
{
	if (geteuid())
		die("BPF programs are loaded by root only");
	if (access("/sys/module/homa", F_OK))
		die("homa.ko is not loaded");
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		die("this kernel does not tell its types (CONFIG_DEBUG_INFO_BTF)");
}

void live_begin(const struct live_tool *tool, int argc, char **argv)
{
	const struct opt *table = all_options(tool->options);
	struct sigaction action = { .sa_handler = on_signal };
	int words;

	die_set_name(argv[0]);
	o.interval = tool->interval;
	if (opts_want_help(argc, argv)) {
		help(tool, table, argv[0]);
		exit(0);
	}
	words = opts_parse(table, argc, argv);
	if (words < 0)
		exit(1);
	if (words)
		die("want no words but options (try --help)");
	check_system();
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	libbpf_set_print(on_message);
}

uint32_t live_own_netns(void)
{
	struct stat st;

	if (stat("/proc/self/ns/net", &st))
		die("cannot tell which network namespace this is: %s", strerror(errno));
	return st.st_ino;
}

uint32_t live_netns(void)
{
	return o.all ? 0 : live_own_netns();
}

static void check_events(const struct bpf_object *obj)
{
	const char *tracefs = tracefs_find(), *section;
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, obj) {
		section = bpf_program__section_name(prog);
		if (!strncmp(section, SECTION, strlen(SECTION)))
			fields_check(tracefs, section + strlen(SECTION));
	}
}

static void refused(const char *what, int err)
{
	const char *why = err == -EPERM ? "not allowed (is the kernel locked down?)" :
					  strerror(-err);

	die("cannot %s: %s%s%s", what, why, *complaint ? ": " : "", complaint);
}

void live_attach(struct bpf_object_skeleton *skel)
{
	int err;

	if (!skel)
		refused("open the BPF programs", -errno);
	check_events(*skel->obj);
	err = bpf_object__load_skeleton(skel);
	if (err)
		refused("load the BPF programs", err);
	err = bpf_object__attach_skeleton(skel);
	if (err)
		refused("attach to the trace events", err);
	fprintf(stderr, "tracing; Ctrl-C ends it\n");
}

/* Wait until a time, or until somebody interrupts; meanwhile take what comes. */
static void wait_until(const struct live_tool *tool, uint64_t until)
{
	uint64_t now = clock_ns();
	int ms;

	for (; !stopped && now < until; now = clock_ns()) {
		ms = (until - now) / 1000000 < POLL_MS ? (until - now) / 1000000 + 1 : POLL_MS;
		if (tool->poll)
			tool->poll(ms);
		else
			poll(NULL, 0, ms);
	}
}

static void report(const struct live_tool *tool, uint64_t since, bool last)
{
	struct json json = { .to = stdout };
	struct live_report r = {
		.seconds = (clock_ns() - since) / 1e9,
		.last = last,
		.json = o.json ? &json : NULL,
	};

	if (tool->screen && !o.json && isatty(STDOUT_FILENO))
		printf("\033[H\033[2J");
	if (r.json) {
		json_open(r.json, NULL, '{');
		json_real(r.json, "seconds", r.seconds);
	}
	tool->report(&r);
	if (r.json)
		json_close(r.json, '}');
	if (fflush(stdout))
		die("cannot write: %s", strerror(errno));
}

void live_run(const struct live_tool *tool)
{
	uint64_t begin = clock_ns(), since = begin, next, end = UINT64_MAX;

	if (o.duration > 0)
		end = begin + o.duration * NS_PER_SEC;
	while (!stopped && clock_ns() < end) {
		next = o.interval > 0 ? since + o.interval * NS_PER_SEC : UINT64_MAX;
		wait_until(tool, next < end ? next : end);
		if (!stopped && next < end) {
			report(tool, since, false);
			since = next;
		}
	}
	if (tool->poll)
		tool->poll(0);
	report(tool, since, true);
}

void live_lost(uint64_t events, const char *why)
{
	if (events <= lost)
		return;
	fail("%llu events lost: %s", (unsigned long long)(events - lost), why);
	lost = events;
}

int live_status(void)
{
	return lost ? 2 : 0;
}

void live_lookup(const struct bpf_map *map, const void *key, void *value)
{
	if (bpf_map_lookup_elem(bpf_map__fd(map), key, value))
		die("cannot read map %s: %s", bpf_map__name(map), strerror(errno));
}

int live_read_hash(const struct bpf_map *map, void *keys, void *values)
{
	uint32_t place, count = bpf_map__max_entries(map);

	if (bpf_map_lookup_batch(bpf_map__fd(map), NULL, &place, keys, values, &count, NULL) &&
	    errno != ENOENT)
		die("cannot read map %s: %s", bpf_map__name(map), strerror(errno));
	return count;
}

uint32_t live_ring_bytes(int mb)
{
	uint32_t bytes = 1 << 20;

	while (bytes < (uint32_t)mb << 20)
		bytes *= 2;
	return bytes;
}

const char *live_address(char *text, const uint8_t *addr)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (!memcmp(addr, mapped, sizeof(mapped)))
		inet_ntop(AF_INET, addr + 12, text, LIVE_ADDRESS_CHARS);
	else
		inet_ntop(AF_INET6, addr, text, LIVE_ADDRESS_CHARS);
	return text;
}

const char *live_number(char *text, double value)
{
	static const char units[] = " kMGTPE";
	const char *unit = units;

	while (value >= 999.5 && unit[1]) {
		value /= 1000;
		unit++;
	}
	snprintf(text, 16, *unit == ' ' || value >= 99.5 ? "%.0f%.1s" : "%.3g%.1s", value,
		 *unit == ' ' ? "" : unit);
	return text;
}
