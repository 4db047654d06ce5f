// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homalat: how long RPCs of clients take, by size and by phase. */
#include <stdio.h>
#include <string.h>

#include "homalat.h"
#include "lib/hists.h"
#include "lib/live.h"
#include "homalat.skel.h"

static struct opts {
	int port;
	bool bars;
} o;

static const struct opt options[] = {
	OPT_INT("port", &o.port, 0, 65535, "only RPCs to this port of servers"),
	OPT_FLAG("bars", &o.bars, "histograms of the total times"),
	OPT_END
};

#define X(name, what) #name,
static const char *const phase_names[] = { PHASES(X) };
#undef X

static struct homalat_bpf *skel;
static struct hists hists;
static struct hist all;		/* total times of all sizes */
static uint64_t before[NUM_COUNTS];

static const struct hist *hist_of(int class, int phase)
{
	return &hists.change[HIST_KEY(class, phase)];
}

static void size_range(char *text, size_t size, int class)
{
	char from[16], to[16];

	snprintf(text, size, "%s-%s", live_number(from, class ? 1 << class : 0),
		 live_number(to, (2 << class) - 1));
}

static void print_line(const char *size, const char *phase, const struct hist *h)
{
	printf("%12s %-9s", size, phase);
	hists_line(stdout, h);
	putchar('\n');
}

static void print_text(double seconds, const uint64_t *counts)
{
	char size[40];
	int class, phase;

	printf("%.1f s: %llu RPCs done, %llu failed, %llu abandoned; times in us\n", seconds,
	       (unsigned long long)counts[RPCS_DONE], (unsigned long long)counts[RPCS_FAILED],
	       (unsigned long long)counts[RPCS_ABANDONED]);
	if (!all.n)
		return;
	printf("%12s %-9s", "bytes", "phase");
	hists_heading(stdout);
	putchar('\n');
	print_line("all", "total", &all);
	for (class = 0; class < NUM_CLASSES; class++) {
		if (!hist_of(class, PHASE_total)->n)
			continue;
		size_range(size, sizeof(size), class);
		for (phase = 0; phase < NUM_PHASES; phase++)
			print_line(phase ? "" : size, phase_names[phase],
				   hist_of(class, phase));
		if (o.bars)
			hists_bars(stdout, hist_of(class, PHASE_total));
	}
	putchar('\n');
}

static void print_json(struct json *j, const uint64_t *counts)
{
	int class, phase;

	json_u64(j, "done", counts[RPCS_DONE]);
	json_u64(j, "failed", counts[RPCS_FAILED]);
	json_u64(j, "abandoned", counts[RPCS_ABANDONED]);
	json_str(j, "unit", "ns");
	hists_json(j, "total", &all);
	json_open(j, "sizes", '[');
	for (class = 0; class < NUM_CLASSES; class++) {
		if (!hist_of(class, PHASE_total)->n)
			continue;
		json_open(j, NULL, '{');
		json_u64(j, "min_size", class ? 1 << class : 0);
		json_u64(j, "max_size", (2 << class) - 1);
		for (phase = 0; phase < NUM_PHASES; phase++)
			hists_json(j, phase_names[phase],
				   hist_of(class, phase));
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void report(const struct live_report *r)
{
	uint64_t counts[NUM_COUNTS];
	int i;

	hists_read(&hists);
	hist_clear(&all);
	for (i = 0; i < NUM_CLASSES; i++)
		hist_merge(&all, hist_of(i, PHASE_total));
	for (i = 0; i < NUM_COUNTS; i++) {
		counts[i] = skel->bss->counts[i] - before[i];
		before[i] += counts[i];
	}
	if (r->json)
		print_json(r->json, counts);
	else
		print_text(r->seconds, counts);
}

#define X(name, what) "  " #name ": " what "\n"
static const struct live_tool tool = {
	.about = "How long RPCs of clients on this host take, by size (of request or response, the\n"
		 "longer one) and by phase. Phases follow each other:\n" PHASES(X),
	.examples = "  homalat                               until Ctrl-C, then print\n"
		    "  homalat --interval 1 --port 4000      every second, RPCs to port 4000\n"
		    "  homalat --duration 10 --json >lat.json\n",
	.options = options,
	.report = report,
};
#undef X

int main(int argc, char **argv)
{
	live_begin(&tool, argc, argv);
	skel = homalat_bpf__open();
	if (skel) {
		skel->rodata->only_netns = live_netns();
		skel->rodata->only_port = o.port;
	}
	live_attach(skel ? skel->skeleton : NULL);
	hists_init(&hists, skel->maps.hists, NUM_CLASSES * NUM_PHASES);
	live_run(&tool);
	homalat_bpf__destroy(skel);
	return live_status();
}
