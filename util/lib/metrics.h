/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Readings of /proc/net/homa_metrics, and what changed between two of them. */
#ifndef UTIL_METRICS_H
#define UTIL_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#define METRICS_FILE "/proc/net/homa_metrics"

struct metric {
	char *name, *about;
	uint64_t value;			/* of all cores */
	uint64_t *core;			/* of each, in the order of struct metrics.cores */
};

struct metrics {
	struct metric *list;
	int n, space;
	int *cores;			/* their numbers */
	int ncores;
	uint64_t cycles;		/* when it was read; of a change: the time between */
	double khz;
	int last;			/* where the previous name was found */
};

/* Read a file; ends the program if it is none. */
void metrics_read(struct metrics *m, const char *name);

/* Make @now what changed since @before; ends the program if a counter went back. */
void metrics_subtract(struct metrics *now, struct metrics *before);

/* Undo that: make @before the reading that @change was made of. */
void metrics_add(struct metrics *before, struct metrics *change);

/* A counter, which is added if it is new; and its value, 0 if there is none. */
struct metric *metrics_find(struct metrics *m, const char *name);
uint64_t metrics_value(struct metrics *m, const char *name);
uint64_t metrics_core(struct metrics *m, const char *name, int i);

/* Is it a time, in cycles? */
bool metrics_is_time(const char *name);

double metrics_seconds(const struct metrics *m);
void metrics_free(struct metrics *m);

#endif
