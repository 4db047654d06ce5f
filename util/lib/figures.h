/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What a change of Homa's counters means: figures in sections, and canaries, which
 * are counters that a healthy host leaves alone.
 */
#ifndef UTIL_FIGURES_H
#define UTIL_FIGURES_H

#include <stdbool.h>

#include "metrics.h"

struct figure {
	const char *section, *label, *unit;
	double value;
};

struct canary {
	const char *name;		/* of the counter */
	uint64_t value;
	double limit, is;		/* per what the sentence is about; see figures.c */
	const char *sentence;
};

/* Figure @i of @change; false if nothing happened that it is about.
 * @section NULL: there are no more.
 */
bool figure_get(struct metrics *change, int i, struct figure *figure);

/* Canary @i; false if it is well. @name NULL: there are no more. */
bool canary_get(struct metrics *change, int i, struct canary *canary);

/* Parts of the CPU time of a core, as a fraction of it; the last one is the total. */
int core_rows(void);
double core_use(struct metrics *change, int row, int core, const char **label);

#endif
