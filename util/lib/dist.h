/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Distributions of message sizes.
 *
 *   w1 .. w5, starve   tables in util/workloads, built into the program
 *   FILE.cdf           a table of the same form
 *   N                  always N bytes
 *   MIN-MAX            log-uniform: each octave is as likely as another
 *
 * Tables are thinned before use, by the rule of the field's other generators,
 * so that means and loads agree with theirs: walking up the table, a point is
 * kept if it adds at least DIST_MIN_FRACTION to the cumulative fraction since
 * the last point kept, or if the next size is over DIST_MAX_RATIO times the
 * last size kept. Sizes end at DIST_MAX_SIZE, or at a limit that is given. A size is drawn without
 * interpolation: it is always one of the table's.
 */
#ifndef UTIL_DIST_H
#define UTIL_DIST_H

#include <stdint.h>

#include "rng.h"

#define DIST_MAX_SIZE 1000000		/* Homa's longest message, bytes */
#define DIST_MIN_FRACTION 0.0025
#define DIST_MAX_RATIO 1.2

struct dist_point {
	uint32_t size;			/* bytes */
	double cum;			/* fraction of messages up to this size */
};

struct dist {
	const char *name;
	struct dist_point *points;	/* ascending */
	int num_points;
	uint32_t log_min, log_max;	/* if log_max isn't 0: log-uniform between them,
					 * and points is only a grid of sizes
					 */
	uint32_t max;			/* no size is larger */
	double mean;			/* bytes */
};

/* Return: 0, or -1 after an error line. @name must outlive @d. */
int dist_init(struct dist *d, const char *name);

/* The same with sizes up to @max bytes. */
int dist_init_max(struct dist *d, const char *name, uint32_t max);
void dist_free(struct dist *d);

/* Size of a random message. */
uint32_t dist_sample(const struct dist *d, struct rng *r);

/* Bytes that headers, framing and grants add for each byte of a message, as the
 * reference's accounting has them, on a link with this @mtu.
 */
double dist_overhead(const struct dist *d, uint32_t mtu);

#endif
