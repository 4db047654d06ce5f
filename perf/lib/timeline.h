/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Timetraces in memory, and as files in binary form (tt/kmod/tracefile.h). */
#ifndef PERF_TIMELINE_H
#define PERF_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#include "../tt/kmod/tracefile.h"

/* Events have indices of @formats; those of tt/events.h come first, in its order. */
struct timeline {
	struct tt_file_event *events;
	size_t count, space;
	const char **formats;
	size_t num_formats;
	uint64_t lost;
	struct tt_file_header host;	/* who it is of: name and addresses */
};

/* Name of line @number of tt/events.h. */
const char *timeline_name(int number);

/* Add an event whose format is the number of a line of tt/events.h. */
void timeline_add(struct timeline *t, const struct tt_file_event *event);

/* How many events there are of each line of tt/events.h. */
void timeline_count(const struct timeline *t, uint64_t *counts);

/* Add all events of a file; a line on stderr if it cannot be read. */
void timeline_add_file(struct timeline *t, const char *path);

/* Make a ring of the kernel empty: who reads it to its end does. */
void timeline_clear(const char *path);

/* Write a new file; ends the program if that fails. */
void timeline_write(struct timeline *t, const char *path, uint64_t lost);

#endif
