// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "dist.h"

/* A table that is built in. workloads.inc is made from util/workloads/NAME.cdf
 * and defines builtin[].
 */
struct builtin {
	const char *name;
	const struct dist_point *points;
	int num_points;
};

#include "workloads.inc"

static void add_point(struct dist *d, uint32_t size, double cum)
{
	d->points = xrealloc(d->points, d->num_points + 1, sizeof(*d->points));
	d->points[d->num_points++] = (struct dist_point){ size, cum };
}

/* Keep the points of @all that the rule in dist.h keeps. */
static void thin(struct dist *d, const struct dist_point *all, int n)
{
	/* Fractions have 12 digits; a step of exactly 0.0025 must count as one. */
	const double step = DIST_MIN_FRACTION - 1e-12;
	struct dist_point last = { 0, 0 };
	uint32_t next;
	int i;

	for (i = 0; i < n; i++) {
		if (all[i].size >= d->max) {
			add_point(d, d->max, 1);
			break;
		}
		next = i + 1 < n ? all[i + 1].size : 0;
		if (all[i].cum - last.cum < step && last.size * DIST_MAX_RATIO >= next)
			continue;
		last = all[i];
		add_point(d, last.size, last.cum);
	}
	d->points[d->num_points - 1].cum = 1;
}

static void set_mean(struct dist *d)
{
	double before = 0;
	int i;

	d->mean = 0;
	for (i = 0; i < d->num_points; i++) {
		d->mean += d->points[i].size * (d->points[i].cum - before);
		before = d->points[i].cum;
	}
}

/* Sizes for which a log-uniform workload's unloaded latency is measured. */
static void log_grid(struct dist *d)
{
	double ratio = log((double)d->log_max / d->log_min), size;
	uint32_t last = 0;

	for (size = d->log_min; size < d->log_max; size *= M_SQRT2) {
		if ((uint32_t)size == last)
			continue;
		last = size;
		add_point(d, last, ratio ? log(size / d->log_min) / ratio : 1);
	}
	add_point(d, d->log_max, 1);
	d->mean = ratio ? (d->log_max - d->log_min) / ratio : d->log_max;
}

/* A number from 1 to d->max at *@text, which is advanced past it. */
static bool take_size(const struct dist *d, const char **text, uint32_t *size)
{
	unsigned long value;
	char *end;

	if (!isdigit((unsigned char)**text))
		return false;
	value = strtoul(*text, &end, 10);
	*text = end;
	*size = value;
	return value >= 1 && value <= d->max;
}

static int init_numeric(struct dist *d, const char *text)
{
	uint32_t min, max;

	if (!take_size(d, &text, &min))
		return fail("workload %s: sizes must be from 1 to %u bytes", d->name,
			    d->max);
	if (!*text) {
		add_point(d, min, 1);
		d->mean = min;
		return 0;
	}
	if (*text++ != '-' || !take_size(d, &text, &max) || *text || max < min)
		return fail("workload %s: want BYTES or MIN-MAX, up to %u bytes",
			    d->name, d->max);
	d->log_min = min;
	d->log_max = max;
	log_grid(d);
	return 0;
}

/* Read "size fraction" lines. Return: how many, or -1 after an error line. */
static int read_points(FILE *f, const char *path, struct dist_point **points)
{
	struct dist_point p, last = { 0, 0 };
	char line[256];
	int n = 0, at;

	for (at = 1; fgets(line, sizeof(line), f); at++) {
		if (*line == '#' || *line == '\n')
			continue;
		if (sscanf(line, "%u %lf", &p.size, &p.cum) != 2 ||
		    p.size <= last.size || !(p.cum > last.cum) || p.cum > 1 + 1e-9)
			return fail("%s:%d: want \"size fraction\", both ascending", path, at);
		*points = xrealloc(*points, n + 1, sizeof(p));
		(*points)[n++] = last = p;
	}
	return n ? n : fail("%s: there are no sizes in it", path);
}

static int init_file(struct dist *d, const char *path)
{
	struct dist_point *all = NULL;
	FILE *f = fopen(path, "r");
	int n;

	if (!f)
		return fail("workload %s: %s", path, strerror(errno));
	n = read_points(f, path, &all);
	fclose(f);
	if (n > 0) {
		thin(d, all, n);
		set_mean(d);
	}
	free(all);
	return n > 0 ? 0 : -1;
}

int dist_init(struct dist *d, const char *name)
{
	return dist_init_max(d, name, DIST_MAX_SIZE);
}

int dist_init_max(struct dist *d, const char *name, uint32_t max)
{
	size_t i, len = strlen(name);

	memset(d, 0, sizeof(*d));
	d->name = name;
	d->max = max;
	if (isdigit((unsigned char)*name))
		return init_numeric(d, name);
	for (i = 0; i < sizeof(builtin) / sizeof(builtin[0]); i++) {
		if (strcmp(name, builtin[i].name))
			continue;
		thin(d, builtin[i].points, builtin[i].num_points);
		set_mean(d);
		return 0;
	}
	if (len > 4 && !strcmp(name + len - 4, ".cdf"))
		return init_file(d, name);
	return fail("workload %s: want w1 to w5, starve, BYTES, MIN-MAX or FILE.cdf", name);
}

void dist_free(struct dist *d)
{
	free(d->points);
	d->points = NULL;
	d->num_points = 0;
}

uint32_t dist_sample(const struct dist *d, struct rng *r)
{
	double u = rng_unit(r);
	int lo = 0, hi = d->num_points - 1, mid;
	uint32_t size;

	if (d->log_max) {
		size = exp(log(d->log_min) + u * log((d->log_max + 1.0) / d->log_min));
		return size > d->log_max ? d->log_max : size;
	}
	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (d->points[mid].cum >= u)
			hi = mid;
		else
			lo = mid + 1;
	}
	return d->points[lo].size;
}

/* Bytes on the wire beyond the payload: preamble 8, Ethernet 18, IP 20,
 * CRC and gap 16; Homa's data header 48, grant 33 for each 10,000 bytes after
 * the first 70,000; 68 bytes of headers within the MTU.
 */
static double extra_bytes(double size, uint32_t mtu)
{
	double packets = ceil(size / (mtu - 68));
	double grants = size > 70000 ? ceil((size - 70000) / 10000) : 0;

	return packets * (62 + 48) + grants * (62 + 33);
}

double dist_overhead(const struct dist *d, uint32_t mtu)
{
	double before = 0, extra = 0;
	int i;

	for (i = 0; i < d->num_points; i++) {
		extra += extra_bytes(d->points[i].size, mtu) * (d->points[i].cum - before);
		before = d->points[i].cum;
	}
	return extra / d->mean;
}
