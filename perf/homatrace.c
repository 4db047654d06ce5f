// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homatrace: records what the kernel does with packets, and what Homa does, in one file. */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/die.h"
#include "lib/live.h"
#include "lib/timeline.h"
#include "homatrace.h"
#include "homatrace.skel.h"

#define RING_FILE "/proc/net/timetrace_bin"
#define SECTION "tp_btf/"
#define MAX_BUFFER_MB 1024

static struct opts {
	const char *out, *groups;
	int buffer_mb;
	bool kernel_only;
} o = { .groups = "net,drop,napi,softirq,sched,tcp", .buffer_mb = 16 };

static const struct opt options[] = {
	OPT_STR("out", &o.out, "FILE", "where to write the trace; a new file (required)"),
	OPT_STR("events", &o.groups, "A,B,...",
		"of net, drop, napi, softirq, sched, tcp, lock (all but lock)"),
	OPT_INT("buffer", &o.buffer_mb, 1, MAX_BUFFER_MB, "MB between kernel and program (16)"),
	OPT_FLAG("kernel-only", &o.kernel_only, "without Homa's own records"),
	OPT_END
};

/* Which tracepoints a word of --events means. */
static const struct {
	const char *group, *tracepoint;
} points[] = {
	{ "net", "net_dev_queue" }, { "net", "net_dev_start_xmit" },
	{ "net", "napi_gro_receive_entry" }, { "net", "netif_rx_entry" },
	{ "net", "netif_receive_skb" },
	{ "drop", "kfree_skb" }, { "napi", "napi_poll" }, { "tcp", "tcp_rcv_space_adjust" },
	{ "softirq", "softirq_entry" }, { "softirq", "softirq_exit" },
	{ "sched", "sched_switch" }, { "lock", "contention_begin" }, { "lock", "contention_end" },
};
#define NUM_POINTS (sizeof(points) / sizeof(points[0]))

static struct homatrace_bpf *skel;
static struct ring_buffer *buffer;
static struct timeline trace;

/* Is @word in the list "a,b,c"? */
static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);
	const char *at;

	for (at = list; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, word, n) && (!at[n] || at[n] == ','))
			return true;
	}
	return false;
}

static void check_groups(void)
{
	char *copy = strdup(o.groups), *word;
	size_t i;

	for (word = strtok(copy, ","); word; word = strtok(NULL, ",")) {
		for (i = 0; i < NUM_POINTS && strcmp(points[i].group, word); i++)
			;
		if (i == NUM_POINTS)
			die("--events %s: no such events (try --help)", word);
	}
	free(copy);
}

/* Is the tracepoint wanted, and does this kernel have it? Its type is told then. */
static bool is_wanted(const struct btf *btf, const char *tracepoint)
{
	char type[80];
	size_t i;

	for (i = 0; i < NUM_POINTS && strcmp(points[i].tracepoint, tracepoint); i++)
		;
	snprintf(type, sizeof(type), "btf_trace_%s", tracepoint);
	if (i == NUM_POINTS || !has_word(o.groups, points[i].group))
		return false;
	if (btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF) > 0)
		return true;
	fail("this kernel has no tracepoint %s: its events will be missing", tracepoint);
	return false;
}

static void choose_programs(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	struct bpf_program *prog;
	const char *section;

	if (!btf)
		die("cannot read the kernel's types: %s", strerror(errno));
	bpf_object__for_each_program(prog, skel->obj) {
		section = bpf_program__section_name(prog);
		bpf_program__set_autoload(prog, is_wanted(btf, section + strlen(SECTION)));
	}
	btf__free(btf);
}

static int on_event(void *context, void *data, size_t size)
{
	(void)context;
	(void)size;
	timeline_add(&trace, data);
	return 0;
}

static void take_events(int timeout_ms)
{
	int err = 0;

	if (timeout_ms)
		err = ring_buffer__poll(buffer, timeout_ms);
	if (err >= 0)		/* nobody tells of the last few */
		err = ring_buffer__consume(buffer);
	if (err < 0 && err != -EINTR)
		die("cannot read events: %s", strerror(-err));
}

static void report(const struct live_report *r)
{
	uint64_t counts[NUM_TT_EVENTS] = { 0 };
	uint64_t kernel = trace.count;
	int i;

	live_lost(skel->bss->lost, "the buffer is too small (--buffer)");
	timeline_count(&trace, counts);
	if (r->last) {
		if (!o.kernel_only)
			timeline_add_file(&trace, RING_FILE);
		timeline_write(&trace, o.out, skel->bss->lost);
	}
	if (r->json) {
		json_str(r->json, "file", o.out);
		json_u64(r->json, "kernel_events", kernel);
		json_u64(r->json, "homa_events", trace.count - kernel);
		json_u64(r->json, "lost", skel->bss->lost);
		json_open(r->json, "events", '{');
		for (i = 0; i < NUM_TT_EVENTS; i++)
			if (counts[i])
				json_u64(r->json, timeline_name(i), counts[i]);
		json_close(r->json, '}');
		return;
	}
	printf("%.1f s: %llu events of the kernel, %llu of Homa", r->seconds,
	       (unsigned long long)kernel, (unsigned long long)(trace.count - kernel));
	printf(r->last ? " in %s\n" : "\n", o.out);
}

static const struct live_tool tool = {
	.about = "Records what the kernel does with the packets of this host (of Homa and of TCP), with\n"
		 "Homa's own timetrace, in one file that the tools of tt/ read.\n",
	.examples = "  homatrace --out $(hostname).ttb                until Ctrl-C\n"
		    "  homatrace --out a.ttb --duration 0.5 --events net,napi,softirq\n"
		    "  tt/bin/tthoma a.ttb b.ttb                      what to do with it\n",
	.options = options,
	.report = report,
	.poll = take_events,
};

int main(int argc, char **argv)
{
	live_begin(&tool, argc, argv);
	if (!o.out)
		die("--out FILE is needed (try --help)");
	if (!access(o.out, F_OK))
		die("%s exists: traces are never overwritten", o.out);
	check_groups();
	skel = homatrace_bpf__open();
	if (skel) {
		skel->rodata->netns = live_own_netns();
		skel->rodata->wake_bytes = live_ring_bytes(o.buffer_mb) / 4;
		bpf_map__set_max_entries(skel->maps.events, live_ring_bytes(o.buffer_mb));
		choose_programs();
	}
	/* Both begin together: what Homa recorded before is forgotten. */
	if (!o.kernel_only)
		timeline_clear(RING_FILE);
	live_attach(skel ? skel->skeleton : NULL);
	buffer = ring_buffer__new(bpf_map__fd(skel->maps.events), on_event, NULL, NULL);
	if (!buffer)
		die("cannot read events: %s", strerror(errno));
	live_run(&tool);
	ring_buffer__free(buffer);
	homatrace_bpf__destroy(skel);
	return live_status();
}
