/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Histograms that BPF programs fill: those of an array, since the last report. */
#ifndef PERF_HISTS_H
#define PERF_HISTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/hist.h"
#include "lib/json.h"

struct bpf_map;

struct hists {
	const struct bpf_map *map;	/* array of struct hist */
	int count;			/* of them */
	struct hist *before, *change;	/* @count each */
};

void hists_init(struct hists *h, const struct bpf_map *map, int count);

/* Make @change what was added since the last time. */
void hists_read(struct hists *h);

/* Count, mean and percentiles in microseconds, as columns under hists_heading(). */
void hists_heading(FILE *to);
void hists_line(FILE *to, const struct hist *h);

/* A bar for each power of two. */
void hists_bars(FILE *to, const struct hist *h);

/* The same as a JSON object, in nanoseconds: like cp_node's "hist". */
void hists_json(struct json *j, const char *name, const struct hist *h);

#endif
