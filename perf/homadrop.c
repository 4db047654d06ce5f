// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homadrop: which Homa packets are dropped, why, and where in the kernel. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/die.h"
#include "lib/events.h"
#include "lib/ksyms.h"
#include "lib/live.h"
#include "lib/metrics.h"
#include "lib/packets.h"
#include "homadrop.h"
#include "homadrop.skel.h"

static struct opts {
	int frames;
} o = { .frames = 5 };

static const struct opt options[] = {
	OPT_INT("frames", &o.frames, 0, STACK_FRAMES, "functions of each call stack (5)"),
	OPT_END
};

/* Drops of one kind: all, and those that were there at the last report. */
struct row {
	struct drop_key key;
	uint64_t count, before;
};

static struct homadrop_bpf *skel;
static struct row *rows;
static int num_rows;
static struct metrics counters;		/* at the last report */

/* Reasons of Homa, and the counter of each. */
static const struct {
	const char *name, *counter;
} homa_reasons[HOMA_NUM_DROPS] = {
#define X(reason, counter) [reason] = { #reason, #counter },
	HOMA_DROPS(X)
#undef X
};

/* Name of a reason of the kernel, which its types tell. */
static const char *kernel_reason(uint32_t why)
{
	static struct btf *btf;
	static const struct btf_type *type;
	const struct btf_enum *values;
	int i, id;

	if (!btf) {
		btf = btf__load_vmlinux_btf();
		id = btf ? btf__find_by_name_kind(btf, "skb_drop_reason", BTF_KIND_ENUM) : -1;
		type = id > 0 ? btf__type_by_id(btf, id) : NULL;
	}
	values = type ? btf_enum(type) : NULL;
	for (i = 0; type && i < btf_vlen(type); i++)
		if ((uint32_t)values[i].val == why)
			return btf__name_by_offset(btf, values[i].name_off);
	return NULL;
}

static const char *reason_name(char *text, size_t size, const struct drop_key *key)
{
	const char *name = NULL;

	if (key->by == BY_KERNEL)
		name = kernel_reason(key->why);
	else if (key->why < HOMA_NUM_DROPS)
		name = homa_reasons[key->why].name;
	if (!name)
		snprintf(text, size, "reason %u", key->why);
	return name ? name : text;
}

static struct row *row_of(const struct drop_key *key)
{
	int i;

	for (i = 0; i < num_rows; i++)
		if (!memcmp(&rows[i].key, key, sizeof(*key)))
			return &rows[i];
	rows = xrealloc(rows, ++num_rows, sizeof(*rows));
	rows[i] = (struct row){ .key = *key };
	return &rows[i];
}

static uint64_t row_new(const struct row *row)
{
	return row->count - row->before;
}

static int most_first(const void *a, const void *b)
{
	uint64_t x = row_new(a), y = row_new(b);

	return x < y ? 1 : x > y ? -1 : 0;
}

static void read_rows(void)
{
	static struct drop_key keys[MAX_KEYS];
	static uint64_t counts[MAX_KEYS];
	int i, n = live_read_hash(skel->maps.drops, keys, counts);

	for (i = 0; i < n; i++)
		row_of(&keys[i])->count = counts[i];
	qsort(rows, num_rows, sizeof(*rows), most_first);
	live_lost(skel->bss->lost, "too many kinds of drops");
}

/* Addresses of a stack: how many. */
static int read_stack(const struct drop_key *key, uint64_t *frames)
{
	int n;

	memset(frames, 0, STACK_FRAMES * sizeof(*frames));
	if (key->stack < 0)
		return 0;
	if (bpf_map_lookup_elem(bpf_map__fd(skel->maps.stacks), &key->stack, frames))
		return 0;
	for (n = 0; n < o.frames && frames[n]; n++)
		;
	return n;
}

static void print_row(struct json *j, const struct row *row)
{
	const char *by = row->key.by == BY_HOMA ? "homa" : "kernel";
	const char *type = packets_type_name(row->key.type);
	uint64_t frames[STACK_FRAMES];
	char text[300];
	int i, n = read_stack(&row->key, frames);

	if (!j) {
		printf("%9llu  %-6s  %-11s %s\n", (unsigned long long)row_new(row), by, type,
		       reason_name(text, sizeof(text), &row->key));
		for (i = 0; i < n; i++)
			printf("%24s%s\n", "", ksyms_name(text, sizeof(text), frames[i]));
		return;
	}
	json_open(j, NULL, '{');
	json_u64(j, "count", row_new(row));
	json_str(j, "by", by);
	json_str(j, "type", type);
	json_str(j, "reason", reason_name(text, sizeof(text), &row->key));
	json_open(j, "stack", '[');
	for (i = 0; i < n; i++)
		json_str(j, NULL, ksyms_name(text, sizeof(text), frames[i]));
	json_close(j, ']');
	json_close(j, '}');
}

/* Is this the first reason with its counter? Several may share one. */
static bool counter_is_first(int why)
{
	int i;

	for (i = 0; i < why; i++)
		if (homa_reasons[i].counter &&
		    !strcmp(homa_reasons[i].counter, homa_reasons[why].counter))
			return false;
	return homa_reasons[why].counter;
}

/* Homa's counters of this namespace, which tell of drops even if nobody traces. */
static void print_counters(struct json *j)
{
	struct metrics now = { 0 };
	uint64_t value;
	int i;

	metrics_read(&now, METRICS_FILE);
	metrics_subtract(&now, &counters);
	for (i = 0; i < HOMA_NUM_DROPS; i++) {
		if (!counter_is_first(i))
			continue;
		value = metrics_value(&now, homa_reasons[i].counter);
		if (j)
			json_u64(j, homa_reasons[i].counter, value);
		else if (value)
			printf("%9llu  counter %s\n", (unsigned long long)value,
			       homa_reasons[i].counter);
	}
	metrics_add(&counters, &now);
	metrics_free(&now);
}

static void report(const struct live_report *r)
{
	uint64_t sums[2] = { 0 };
	int i;

	read_rows();
	for (i = 0; i < num_rows; i++)
		sums[rows[i].key.by] += row_new(&rows[i]);
	if (r->json) {
		json_u64(r->json, "by_homa", sums[BY_HOMA]);
		json_u64(r->json, "by_kernel", sums[BY_KERNEL]);
		json_open(r->json, "drops", '[');
	} else {
		printf("%.1f s: %llu packets dropped by Homa, %llu by the rest of the kernel\n",
		       r->seconds, (unsigned long long)sums[BY_HOMA],
		       (unsigned long long)sums[BY_KERNEL]);
	}
	for (i = 0; i < num_rows && row_new(&rows[i]); i++)
		print_row(r->json, &rows[i]);
	for (i = 0; i < num_rows; i++)
		rows[i].before = rows[i].count;
	if (r->json) {
		json_close(r->json, ']');
		json_open(r->json, "counters", '{');
	}
	print_counters(r->json);
	if (r->json)
		json_close(r->json, '}');
}

static const struct live_tool tool = {
	.about = "Which Homa packets are dropped, why, and where: by Homa (whose counter tells the\n"
		 "same), and by the rest of the kernel before they reach Homa or on their way out.\n",
	.examples = "  homadrop                            until Ctrl-C, then print\n"
		    "  homadrop --interval 1 --frames 2    every second, short stacks\n"
		    "  homadrop --duration 60 --all-hosts --json >drops.json\n",
	.options = options,
	.report = report,
};

int main(int argc, char **argv)
{
	live_begin(&tool, argc, argv);
	skel = homadrop_bpf__open();
	if (skel)
		skel->rodata->only_netns = live_netns();
	metrics_read(&counters, METRICS_FILE);
	live_attach(skel ? skel->skeleton : NULL);
	live_run(&tool);
	homadrop_bpf__destroy(skel);
	return live_status();
}
