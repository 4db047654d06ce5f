/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What all live tools have in common: options, loading of the BPF programs, reports
 * at intervals and at the end, and errors in one line.
 *
 *	live_begin(&tool, argc, argv);
 *	skel = TOOL_bpf__open();
 *	skel->rodata->... = ...
 *	live_attach(skel ? skel->skeleton : NULL);
 *	live_run(&tool);
 *	TOOL_bpf__destroy(skel);
 *	return live_status();
 *
 * Exit codes: 0 done, 1 it could not be done, 2 done, but events were lost.
 */
#ifndef PERF_LIVE_H
#define PERF_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/json.h"
#include "lib/opts.h"
#include "types.h"

struct bpf_map;
struct bpf_object_skeleton;

/* One report. */
struct live_report {
	double seconds;			/* since the last one, or since the beginning */
	bool last;
	struct json *json;		/* NULL: as text */
};

struct live_tool {
	const char *about;		/* what it shows; for the help */
	const char *examples;
	const struct opt *options;	/* beside those that all have */
	double interval;		/* default; 0: one report, at the end */
	bool screen;			/* clear the terminal before each report */
	void (*report)(const struct live_report *report);
	void (*poll)(int timeout_ms);	/* take what BPF programs sent; NULL: nothing */
};

/* Parse the command line, and see whether there is what live tools need. */
void live_begin(const struct live_tool *tool, int argc, char **argv);

/* The namespace that events must be of, 0 for all: for the BPF programs. */
uint32_t live_netns(void);

/* The namespace of this process. */
uint32_t live_own_netns(void);

/* Load and attach; ends the program with a line if that does not work. */
void live_attach(struct bpf_object_skeleton *skel);

/* Report until the time is over, or somebody interrupts. */
void live_run(const struct live_tool *tool);

/* Events were lost: say so, and let the exit code be 2. */
void live_lost(uint64_t events, const char *why);
int live_status(void);

/* Value of a key in a map of the BPF programs; ends the program if it cannot be read. */
void live_lookup(const struct bpf_map *map, const void *key, void *value);

/* Read a hash, whose keys may come and go meanwhile: how many there are, at most as many
 * as the map has room for; so much must @keys and @values have.
 */
int live_read_hash(const struct bpf_map *map, void *keys, void *values);

/* Bytes of a ring buffer of at least @mb MB: a power of two. */
uint32_t live_ring_bytes(int mb);

/* "10.0.0.2", "fd00::1" */
const char *live_address(char *text, const uint8_t *addr);
#define LIVE_ADDRESS_CHARS 46

/* "1.5k", "20M", in @text of at least 16 bytes. */
const char *live_number(char *text, double value);

#endif
