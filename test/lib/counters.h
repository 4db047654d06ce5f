/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* The counters of /proc/net/homa_metrics, summed over the cores. */
#ifndef TEST_LIB_COUNTERS_H
#define TEST_LIB_COUNTERS_H

#include <stdint.h>

#define COUNTERS_MAX 700

/**
 * struct counters - one reading of a namespace's counters
 * @num: how many there are
 * @c: name and sum over all cores, in the order of the file
 */
struct counters {
	int num;
	struct {
		char name[40];
		uint64_t value;
	} c[COUNTERS_MAX];
};

/* Reads the counters of a namespace; @num is 0 if there is no such file. */
void counters_read(int ns, struct counters *all);

/* Value of one counter, -1 if there is none of that name. */
int64_t counters_get(const struct counters *all, const char *name);

/* Reads the namespace and returns by how much one counter grew since @old. */
int64_t counters_grew(int ns, const struct counters *old, const char *name);

/* Fills @text with "name+N" for each counter that grew between two readings,
 * other than times, and returns how many did; @skip (may be NULL) lists names
 * to leave out, separated by spaces.
 */
int counters_list(const struct counters *old, const struct counters *new,
		  const char *skip, char *text, int size);

#endif
