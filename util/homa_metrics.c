// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa_metrics: what a host's Homa counters say, summed over its cores.
 *
 * With one reading it prints totals, with two the changes between them and
 * their rates; times are printed as a percentage of the time between the readings.
 * Lines are "name value description", as in /proc/net/homa_metrics.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/die.h"
#include "lib/opts.h"

#define METRICS_FILE "/proc/net/homa_metrics"

struct metric {
	char *name, *about;
	uint64_t value;
};

struct reading {
	struct metric *metrics;
	int n, space;
	uint64_t cycles;		/* when it was taken */
	double khz;
	int last;			/* where the previous line was found */
};

static struct opts {
	double interval;
	const char *save;
	bool all;
} o;

static const struct opt table[] = {
	OPT_FLAG("all", &o.all, "also counters that are 0, or did not change"),
	OPT_REAL("interval", &o.interval, 0, 1e6, "read now and again after F seconds"),
	OPT_STR("save", &o.save, "FILE", "copy the present reading to a new file"),
	OPT_END
};

/* The metric of that name, which is added if it is new. Lines of all cores have the
 * same order, so it mostly is the one after the last.
 */
static struct metric *find(struct reading *r, const char *name)
{
	int i, at;

	for (i = 1; i <= r->n; i++) {
		at = (r->last + i) % r->n;
		if (!strcmp(r->metrics[at].name, name)) {
			r->last = at;
			return &r->metrics[at];
		}
	}
	if (r->n == r->space) {
		r->space = r->space ? 2 * r->space : 512;
		r->metrics = xrealloc(r->metrics, r->space, sizeof(*r->metrics));
	}
	r->last = r->n;
	r->metrics[r->n] = (struct metric){ .name = strdup(name) };
	return &r->metrics[r->n++];
}

/* Take one line. Return: false if it isn't "name value text". */
static bool add_line(struct reading *r, const char *line)
{
	unsigned long long value;
	struct metric *m;
	char name[128];
	int at = 0;

	if (sscanf(line, "%127s %llu %n", name, &value, &at) < 2)
		return false;
	if (!strcmp(name, "time_cycles")) {
		r->cycles = value;
	} else if (!strcmp(name, "cpu_khz")) {
		r->khz = value;
	} else if (strcmp(name, "core")) {
		m = find(r, name);
		m->value += value;
		if (!m->about) {
			m->about = strdup(line + at);
			m->about[strcspn(m->about, "\n")] = 0;
		}
	}
	return true;
}

static void read_file(struct reading *r, const char *name)
{
	FILE *f = fopen(name, "r");
	char line[512];
	int at = 0;

	*r = (struct reading){ .khz = 0 };
	if (!f)
		die("%s: %s%s", name, strerror(errno),
		    errno == ENOENT && !strcmp(name, METRICS_FILE) ?
		    " (is homa.ko loaded?)" : "");
	while (fgets(line, sizeof(line), f)) {
		at++;
		if (!add_line(r, line))
			die("%s:%d: want \"name value description\"", name, at);
	}
	fclose(f);
	if (!r->n || !r->khz)
		die("%s: these are not Homa's metrics", name);
}

static void free_reading(struct reading *r)
{
	int i;

	for (i = 0; i < r->n; i++) {
		free(r->metrics[i].name);
		free(r->metrics[i].about);
	}
	free(r->metrics);
}

static bool is_time(const char *name)
{
	size_t len = strlen(name);

	return len > 7 && !strcmp(name + len - 7, "_cycles");
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

/* Print what @now counts beyond @before, which may be NULL. */
static void print_changes(struct reading *before, struct reading *now)
{
	double cycles = now->cycles - (before ? before->cycles : 0);
	double seconds = cycles / (now->khz * 1e3);
	const struct metric *m;
	uint64_t change;
	int i;

	if (before && now->cycles <= before->cycles)
		die("the second reading is not later than the first");
	printf("%-32s %15.6f seconds\n", before ? "elapsed" : "time", seconds);
	for (i = 0; i < now->n; i++) {
		m = &now->metrics[i];
		change = m->value - (before ? find(before, m->name)->value : 0);
		if (!change && !o.all)
			continue;
		printf("%-32s %15llu", m->name, (unsigned long long)change);
		if (before && is_time(m->name))
			printf(" %7.2f %%  ", change / cycles * 100);
		else if (before)
			print_rate(change / seconds);
		printf(" %s\n", m->about);
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

static void help(void)
{
	printf("Usage: homa_metrics [options] [FILE [FILE]]\n\n"
	       "Prints the counters of this host's Homa (of this network namespace), summed over\n"
	       "cores: totals; or what changed since the reading in FILE; or from one FILE to the other.\n\n"
	       "Options:\n");
	opts_help(table, stdout);
	printf("\nExamples:\n"
	       "  homa_metrics --interval 1\n"
	       "  homa_metrics --save before.metrics; ...; homa_metrics before.metrics\n"
	       "  homa_metrics h1.metrics.before h1.metrics.after\n");
}

static void run(int words, char **files)
{
	struct reading before, now;

	if (words > 2 || (words && o.interval > 0))
		die("want at most two files, and none with --interval");
	if (words || o.interval > 0)
		read_file(&before, words ? files[0] : METRICS_FILE);
	if (o.interval > 0)
		clock_sleep_until(clock_ns() + o.interval * 1e9);
	read_file(&now, words == 2 ? files[1] : METRICS_FILE);
	print_changes(words || o.interval > 0 ? &before : NULL, &now);
	if (words || o.interval > 0)
		free_reading(&before);
	free_reading(&now);
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
	if (o.save)
		save(o.save);
	else
		run(words, argv + 1);
	return 0;
}
