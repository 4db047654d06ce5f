// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* smi: when did the cores of this machine stand still?
 *
 * A thread on each core reads the clock again and again; where it jumps, the core did
 * something else. What stops all cores at once is no program's doing: a system management
 * interrupt, or a hypervisor that took the processors away. Spinning is the measurement here.
 */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/die.h"
#include "lib/gaps.h"
#include "lib/json.h"
#include "lib/opts.h"

#define MAX_GAPS 100000			/* of a core; later ones are only counted */
#define MAX_CORES CPU_SETSIZE

static struct opts {
	const char *cores;
	double seconds, least_us, common_us;
	bool json;
} o = { .seconds = 10, .least_us = 1, .common_us = 10 };

static const struct opt table[] = {
	OPT_REAL("common-us", &o.common_us, 0, 1e9, "shortest gap of all cores that counts (10)"),
	OPT_STR("cores", &o.cores, "LIST", "such as 0-3,8 (all that this program may use)"),
	OPT_FLAG("json", &o.json, "JSON"),
	OPT_REAL("least-us", &o.least_us, 0.1, 1e9, "shortest gap of a core that counts (1)"),
	OPT_REAL("seconds", &o.seconds, 0.001, 1e6, "how long to look (10)"),
	OPT_END
};

struct core {
	pthread_t thread;
	int number, n;
	uint64_t start, end, lost;	/* lost: gaps beyond MAX_GAPS */
	struct gap *gaps;
};

/* Cores of "0-3,8" that this program may use, or all of them. */
static int choose_cores(struct core *cores)
{
	const char *at = o.cores;
	cpu_set_t allowed;
	long first, last;
	char *end;
	int n = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		die("cannot tell which cores there are");
	if (!at) {
		for (first = 0; first < MAX_CORES; first++)
			if (CPU_ISSET(first, &allowed))
				cores[n++].number = first;
		return n;
	}
	do {
		first = last = strtol(at, &end, 10);
		if (end != at && *end == '-') {
			at = end + 1;
			last = strtol(at, &end, 10);
		}
		if (end == at || (*end && *end != ',') || first < 0 || last < first ||
		    last >= MAX_CORES || n + last - first >= MAX_CORES)
			die("--cores %s: want a list such as 0-3,8", o.cores);
		for (; first <= last; first++) {
			if (!CPU_ISSET(first, &allowed))
				die("core %ld is not one that this program may use", first);
			cores[n++].number = first;
		}
		at = end + 1;
	} while (*end);
	return n;
}

static void *spin(void *arg)
{
	uint64_t now, last, least = o.least_us * 1e3;
	struct core *core = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(core->number, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set))
		die("cannot run on core %d", core->number);
	/* All begin when the last one is there. */
	while (clock_ns() < core->start)
		sched_yield();
	for (last = clock_ns(); last < core->end; last = now) {
		now = clock_ns();
		if (now - last < least)
			continue;
		if (core->n < MAX_GAPS)
			core->gaps[core->n++] = (struct gap){ last, now };
		else
			core->lost++;
	}
	return NULL;
}

/* Gaps that all cores have; the caller frees them. */
static struct gap *common_gaps(const struct core *cores, int n, int *found)
{
	struct gap *have = xcalloc(cores[0].n + 1, sizeof(*have)), *next;
	uint64_t least = o.common_us * 1e3;
	int i;

	memcpy(have, cores[0].gaps, cores[0].n * sizeof(*have));
	*found = gaps_common(have, cores[0].n, have, cores[0].n, least, have);
	for (i = 1; i < n; i++) {
		next = xcalloc(*found + cores[i].n + 1, sizeof(*next));
		*found = gaps_common(have, *found, cores[i].gaps, cores[i].n, least, next);
		free(have);
		have = next;
	}
	return have;
}

static uint64_t longest(const struct core *core)
{
	uint64_t most = 0;
	int i;

	for (i = 0; i < core->n; i++)
		if (core->gaps[i].end - core->gaps[i].start > most)
			most = core->gaps[i].end - core->gaps[i].start;
	return most;
}

static void print_text(const struct core *cores, int n, const struct gap *gaps, int found)
{
	uint64_t before, start = cores[0].start;
	int i;

	printf("Gaps of %g us and more in %g s\n", o.least_us, o.seconds);
	printf("    core      gaps  longest us  %% of time\n");
	for (i = 0; i < n; i++)
		printf("    %4d %9llu %11.1f %10.4f\n", cores[i].number,
		       cores[i].n + (unsigned long long)cores[i].lost,
		       longest(&cores[i]) * 1e-3,
		       gaps_total(cores[i].gaps, cores[i].n) / o.seconds * 1e-7);
	printf("\nGaps of %g us and more of all %d cores at once: %d\n", o.common_us, n, found);
	if (!found)
		return;
	printf("    start ms     since a similar one, ms   length us\n");
	for (i = 0; i < found; i++) {
		before = gaps_similar(gaps, i);
		printf("    %9.3f    ", (gaps[i].start - start) * 1e-6);
		if (before)
			printf("%23.3f", (gaps[i].start - before) * 1e-6);
		else
			printf("%23s", "-");
		printf(" %11.1f\n", (gaps[i].end - gaps[i].start) * 1e-3);
	}
	printf("One every %.1f ms, %.4f%% of the time\n", o.seconds * 1e3 / found,
	       gaps_total(gaps, found) / o.seconds * 1e-7);
}

static void print_json(const struct core *cores, int n, const struct gap *gaps, int found)
{
	struct json j = { .to = stdout };
	int i;

	json_open(&j, NULL, '{');
	json_real(&j, "seconds", o.seconds);
	json_open(&j, "cores", '[');
	for (i = 0; i < n; i++) {
		json_open(&j, NULL, '{');
		json_u64(&j, "core", cores[i].number);
		json_u64(&j, "gaps", cores[i].n + cores[i].lost);
		json_real(&j, "longest_us", longest(&cores[i]) * 1e-3);
		json_real(&j, "total_us", gaps_total(cores[i].gaps, cores[i].n) * 1e-3);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_open(&j, "common", '[');
	for (i = 0; i < found; i++) {
		json_open(&j, NULL, '{');
		json_real(&j, "start_ms", (gaps[i].start - cores[0].start) * 1e-6);
		json_real(&j, "us", (gaps[i].end - gaps[i].start) * 1e-3);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
}

static void help(void)
{
	printf("Usage: smi [options]\n\n"
	       "Spins on each core and tells when the clock jumped: what the core did not run, and\n"
	       "when all cores stood still at once: system management interrupts, or a hypervisor's\n"
	       "pauses. Give it idle cores, or what it finds are the other programs.\n\n"
	       "Options:\n");
	opts_help(table, stdout);
	printf("\nExamples:\n"
	       "  smi --seconds 60\n"
	       "  smi --cores 2-7 --least-us 5 --json | jq '.common | length'\n");
}

int main(int argc, char **argv)
{
	static struct core cores[MAX_CORES];
	struct gap *gaps;
	uint64_t start;
	int n, i, found;

	die_set_name(argv[0]);
	if (opts_want_help(argc, argv)) {
		help();
		return 0;
	}
	n = opts_parse(table, argc, argv);
	if (n < 0)
		return 1;
	if (n)
		die("want no other words than options; see --help");
	n = choose_cores(cores);
	start = clock_ns() + 10000000;
	for (i = 0; i < n; i++) {
		cores[i].gaps = xcalloc(MAX_GAPS, sizeof(*cores[i].gaps));
		cores[i].start = start;
		cores[i].end = start + o.seconds * 1e9;
		if (pthread_create(&cores[i].thread, NULL, spin, &cores[i]))
			die("cannot start a thread for core %d", cores[i].number);
	}
	for (i = 0; i < n; i++)
		pthread_join(cores[i].thread, NULL);
	gaps = common_gaps(cores, n, &found);
	if (o.json)
		print_json(cores, n, gaps, found);
	else
		print_text(cores, n, gaps, found);
	free(gaps);
	for (i = 0; i < n; i++)
		free(cores[i].gaps);
	return 0;
}
