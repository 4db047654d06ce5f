// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa_metrics: what a host's Homa counters say.
 *
 * With one reading it prints totals, summed over cores; with two the changes between
 * them and their rates (of times the percentage of the time between the readings), what
 * they mean, and those that a healthy host leaves alone. Lines of the list are "name value
 * description", as in /proc/net/homa_metrics.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/die.h"
#include "lib/figures.h"
#include "lib/json.h"
#include "lib/metrics.h"
#include "lib/openmetrics.h"
#include "lib/opts.h"

#define CORES_A_ROW 8
#define BUSY_CORE 0.8

static struct opts {
	double interval;
	const char *save;
	bool all, brief, cores, json, openmetrics, watch;
	int count;
} o;

static const struct opt table[] = {
	OPT_FLAG("all", &o.all, "also counters that are 0, or did not change"),
	OPT_FLAG("brief", &o.brief, "of changes only what they mean, not each counter"),
	OPT_FLAG("by-core", &o.cores, "--json, --openmetrics: each core's counters, too"),
	OPT_INT("count", &o.count, 0, 1e9, "--watch: end after N intervals; 0: never (0)"),
	OPT_REAL("interval", &o.interval, 0, 1e6, "read now and again after F seconds"),
	OPT_FLAG("json", &o.json, "JSON"),
	OPT_FLAG("openmetrics", &o.openmetrics, "totals as OpenMetrics text, for Prometheus"),
	OPT_STR("save", &o.save, "FILE", "copy the present reading to a new file"),
	OPT_FLAG("watch", &o.watch, "--brief, again and again, every --interval (1 s)"),
	OPT_END
};

static volatile sig_atomic_t interrupted;

static void interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

static void print_rate(double rate)
{
	if (rate >= 1e9)
		printf(" %7.2f G/s", rate / 1e9);
	else if (rate >= 1e6)
		printf(" %7.2f M/s", rate / 1e6);
	else if (rate >= 1e3)
		printf(" %7.2f K/s", rate / 1e3);
	else
		printf(" %7.2f /s ", rate);
}

/* Print counters; of changes their rates, too. */
static void print_list(const struct metrics *m, bool changes)
{
	double seconds = metrics_seconds(m);
	const struct metric *metric;

	for (metric = m->list; metric < m->list + m->n; metric++) {
		if (!metric->value && !o.all)
			continue;
		printf("%-32s %15llu", metric->name, (unsigned long long)metric->value);
		if (changes && metrics_is_time(metric->name))
			printf(" %7.2f %%  ", (double)metric->value / m->cycles * 100);
		else if (changes)
			print_rate(metric->value / seconds);
		printf(" %s\n", metric->about);
	}
}

/* Fractions of each core, 8 of them side by side, and which are busy. */
static void print_cores(struct metrics *change)
{
	const char *label;
	int row, at, core;

	printf("\nUse of each core, as a fraction of it\n");
	for (at = 0; at < change->ncores; at += CORES_A_ROW) {
		printf("    %-10s", "");
		for (core = at; core < at + CORES_A_ROW && core < change->ncores; core++)
			printf(" core%-4d", change->cores[core]);
		putchar('\n');
		for (row = 0; row < core_rows(); row++) {
			core_use(change, row, at, &label);
			printf("    %-10s", label);
			for (core = at; core < at + CORES_A_ROW && core < change->ncores; core++)
				printf(" %8.3f", core_use(change, row, core, &label));
			putchar('\n');
		}
	}
	for (core = 0; core < change->ncores; core++)
		if (core_use(change, core_rows() - 1, core, &label) >= BUSY_CORE)
			printf("    core%d is busy with Homa\n", change->cores[core]);
}

static void print_value(double value, const char *unit)
{
	if (!strcmp(unit, "/s"))
		print_rate(value);
	else
		printf(" %7.*f %s", value < 10 ? 3 : value < 1000 ? 2 : 0, value, unit);
	putchar('\n');
}

static void print_figures(struct metrics *change)
{
	const char *section = "";
	struct figure figure;
	int i;

	for (i = 0; figure_get(change, i, &figure) || figure.section; i++) {
		if (!figure.value)
			continue;
		if (strcmp(section, figure.section))
			printf("\n%s\n", figure.section);
		section = figure.section;
		printf("    %-52s", figure.label);
		print_value(figure.value, figure.unit);
	}
}

static void print_canaries(struct metrics *change)
{
	struct canary canary;
	int i, ill = 0;

	printf("\nCanaries\n");
	for (i = 0; canary_get(change, i, &canary) || canary.name; i++) {
		if (canary.is <= canary.limit)
			continue;
		ill++;
		printf("    %-26s %12llu  %s\n", canary.name, (unsigned long long)canary.value,
		       canary.sentence);
	}
	if (!ill)
		printf("    all well\n");
}

static void json_counters(struct json *j, const struct metrics *m, bool changes)
{
	const struct metric *metric;
	int core;

	json_open(j, "counters", '{');
	for (metric = m->list; metric < m->list + m->n; metric++) {
		if (!metric->value && !o.all)
			continue;
		json_open(j, metric->name, '{');
		json_u64(j, "value", metric->value);
		if (changes)
			json_real(j, "per_second", metric->value / metrics_seconds(m));
		if (o.cores) {
			json_open(j, "cores", '[');
			for (core = 0; core < m->ncores; core++)
				json_u64(j, NULL, metric->core[core]);
			json_close(j, ']');
		}
		json_close(j, '}');
	}
	json_close(j, '}');
}

static void json_meaning(struct json *j, struct metrics *change)
{
	struct figure figure;
	struct canary canary;
	int i;

	json_open(j, "figures", '[');
	for (i = 0; figure_get(change, i, &figure) || figure.section; i++) {
		if (!figure.value)
			continue;
		json_open(j, NULL, '{');
		json_str(j, "section", figure.section);
		json_str(j, "label", figure.label);
		json_real(j, "value", figure.value);
		json_str(j, "unit", figure.unit);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_open(j, "canaries", '[');
	for (i = 0; canary_get(change, i, &canary) || canary.name; i++) {
		if (canary.is <= canary.limit)
			continue;
		json_open(j, NULL, '{');
		json_str(j, "counter", canary.name);
		json_u64(j, "value", canary.value);
		json_str(j, "sentence", canary.sentence);
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void json_cores(struct json *j, struct metrics *change)
{
	const char *label;
	int core, row;
	double use;

	json_open(j, "core_use", '[');
	for (core = 0; core < change->ncores; core++) {
		json_open(j, NULL, '{');
		json_u64(j, "core", change->cores[core]);
		for (row = 0; row < core_rows(); row++) {
			use = core_use(change, row, core, &label);
			json_real(j, label, use);
		}
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void print_json(struct metrics *m, bool changes)
{
	struct json j = { .to = stdout };

	json_open(&j, NULL, '{');
	json_real(&j, changes ? "elapsed_seconds" : "time_seconds", metrics_seconds(m));
	json_real(&j, "cpu_khz", m->khz);
	json_counters(&j, m, changes);
	if (changes) {
		json_cores(&j, m);
		json_meaning(&j, m);
	}
	json_close(&j, '}');
}

static void print_reading(struct metrics *m, bool changes)
{
	if (o.openmetrics) {
		openmetrics_print(m, o.cores, stdout);
		return;
	}
	if (o.json) {
		print_json(m, changes);
		return;
	}
	printf("%-32s %15.6f seconds\n", changes ? "elapsed" : "time", metrics_seconds(m));
	if (!changes || !o.brief)
		print_list(m, changes);
	if (changes) {
		print_cores(m);
		print_figures(m);
		print_canaries(m);
	}
}

static void save(const char *name)
{
	FILE *from = fopen(METRICS_FILE, "r"), *to;
	char line[512];

	if (!from)
		die("%s: %s (is homa.ko loaded?)", METRICS_FILE, strerror(errno));
	to = fopen(name, "wx");
	if (!to)
		die("%s: %s", name, strerror(errno));
	while (fgets(line, sizeof(line), from))
		fputs(line, to);
	fclose(from);
	if (fclose(to))
		die("%s: %s", name, strerror(errno));
}

/* Sleep until then, or until Ctrl-C. */
static void sleep_until(uint64_t ns)
{
	struct timespec until = clock_timespec(ns);

	while (!interrupted && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL))
		;
}

static void watch(void)
{
	struct sigaction action = { .sa_handler = interrupt };
	uint64_t next = clock_ns();
	struct metrics before, now;
	int i;

	sigaction(SIGINT, &action, NULL);
	o.brief = !o.json;
	o.interval = o.interval ? o.interval : 1;
	metrics_read(&before, METRICS_FILE);
	for (i = 0; !o.count || i < o.count; i++) {
		next += o.interval * 1e9;
		sleep_until(next);
		if (interrupted)
			break;
		metrics_read(&now, METRICS_FILE);
		metrics_subtract(&now, &before);
		if (isatty(STDOUT_FILENO) && !o.json)
			printf("\033[H\033[J");
		print_reading(&now, true);
		fflush(stdout);
		metrics_add(&before, &now);
		metrics_free(&now);
	}
	metrics_free(&before);
}

static void help(void)
{
	printf("Usage: homa_metrics [options] [FILE [FILE]]\n\n"
	       "Prints the counters of this host's Homa (of this network namespace), summed over\n"
	       "cores: totals; or what changed since the reading in FILE; or from one FILE to the other.\n"
	       "Of changes it also tells what they mean: use of each core, locks, receiving, pacer, grants,\n"
	       "packets; and canaries, which are counters that a healthy host leaves alone, with a sentence\n"
	       "on what to look at.\n\n"
	       "Options:\n");
	opts_help(table, stdout);
	printf("\nExamples:\n"
	       "  homa_metrics --interval 1\n"
	       "  homa_metrics --save before.metrics; ...; homa_metrics before.metrics\n"
	       "  homa_metrics h1.metrics.before h1.metrics.after\n"
	       "  homa_metrics --watch --interval 5\n"
	       "  homa_metrics --interval 1 --json | jq .canaries\n"
	       "  homa_metrics --openmetrics >/var/lib/prometheus/node-exporter/homa.prom\n");
}

static void run(int words, char **files)
{
	bool changes = !o.openmetrics && (words || o.interval > 0);
	struct metrics before, now;

	if (changes)
		metrics_read(&before, words ? files[0] : METRICS_FILE);
	if (!words && changes)
		clock_sleep_until(clock_ns() + o.interval * 1e9);
	if (words == 2 || (words && o.openmetrics))
		metrics_read(&now, files[words - 1]);
	else
		metrics_read(&now, METRICS_FILE);
	if (changes) {
		metrics_subtract(&now, &before);
		metrics_free(&before);
	}
	print_reading(&now, changes);
	metrics_free(&now);
}

static void check(int words)
{
	if (words > 2 || (words && (o.interval > 0 || o.watch)))
		die("want at most two files, and none with --interval or --watch");
	if (o.openmetrics && (words > 1 || o.interval > 0 || o.watch || o.json))
		die("--openmetrics is for the totals of one reading: Prometheus makes the rates");
}

int main(int argc, char **argv)
{
	int words;

	die_set_name(argv[0]);
	if (opts_want_help(argc, argv)) {
		help();
		return 0;
	}
	words = opts_parse(table, argc, argv);
	if (words < 0)
		return 1;
	check(words);
	if (o.save)
		save(o.save);
	else if (o.watch)
		watch();
	else
		run(words, argv + 1);
	return 0;
}
