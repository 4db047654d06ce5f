// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homaqueue: where outgoing messages and packets wait, and for how long. */
#include <stdio.h>
#include <string.h>

#include "lib/die.h"
#include "lib/hists.h"
#include "lib/live.h"
#include "homaqueue.h"
#include "homaqueue.skel.h"

static struct opts {
	bool bars;
} o;

static const struct opt options[] = {
	OPT_FLAG("bars", &o.bars, "histograms of the times"),
	OPT_END
};

#define X(name, what) #name,
static const char *const queue_names[] = { QUEUES(X) };
#undef X

/* A device, and its sums at the last report. */
struct row {
	struct queue_dev dev;
	struct device_sums before;
};

static struct homaqueue_bpf *skel;
static struct hists hists;
static struct row rows[MAX_DEVICES];
static int num_rows;

static struct row *row_of(const struct queue_dev *dev)
{
	int i;

	for (i = 0; i < num_rows; i++)
		if (!memcmp(&rows[i].dev, dev, sizeof(*dev)))
			return &rows[i];
	rows[i].dev = *dev;
	num_rows++;
	return &rows[i];
}

/* What looks like less than nothing was there before we looked. */
static unsigned long long level(int64_t value)
{
	return value > 0 ? value : 0;
}

static void print_device(struct json *j, const struct queue_dev *dev,
			 const struct device_sums *now, double seconds)
{
	struct row *row = row_of(dev);
	uint64_t waits = now->waits - row->before.waits;
	uint64_t packets = now->packets - row->before.packets;
	uint64_t bytes = now->bytes - row->before.bytes;
	char rate[2][16], most[2][16];

	row->before = *now;
	if (!j) {
		printf("%-16s %9llu %5llu/%-5llu %9s %9s %5llu/%-5llu %9s %9s\n", now->name,
		       (unsigned long long)waits, level(now->messages.now),
		       level(now->messages.max), live_number(rate[0], packets / seconds),
		       live_number(rate[1], bytes / seconds), level(now->qdisc.now),
		       level(now->qdisc.max), live_number(most[0], level(now->device.max)),
		       live_number(most[1], level(now->limit)));
		return;
	}
	json_open(j, NULL, '{');
	json_str(j, "device", now->name);
	json_u64(j, "netns", dev->netns);
	json_u64(j, "ifindex", dev->ifindex);
	json_u64(j, "pacer_waits", waits);
	json_u64(j, "pacer_messages", level(now->messages.now));
	json_u64(j, "pacer_messages_max", level(now->messages.max));
	json_u64(j, "packets", packets);
	json_u64(j, "bytes", bytes);
	json_u64(j, "qdisc_packets", level(now->qdisc.now));
	json_u64(j, "qdisc_packets_max", level(now->qdisc.max));
	json_u64(j, "device_bytes", level(now->device.now));
	json_u64(j, "device_bytes_max", level(now->device.max));
	json_u64(j, "limit", level(now->limit));
	json_close(j, '}');
}

static void print_times(struct json *j)
{
	int i;

	if (!j) {
		printf("%-16s ", "time in us");
		hists_heading(stdout);
		putchar('\n');
	}
	for (i = 0; i < NUM_QUEUES; i++) {
		if (j) {
			hists_json(j, queue_names[i], &hists.change[i]);
			continue;
		}
		printf("%-16s ", queue_names[i]);
		hists_line(stdout, &hists.change[i]);
		putchar('\n');
		if (o.bars)
			hists_bars(stdout, &hists.change[i]);
	}
}

static void report(const struct live_report *r)
{
	static struct queue_dev devs[MAX_DEVICES];
	static struct device_sums sums[MAX_DEVICES];
	int i, n = live_read_hash(skel->maps.devices, devs, sums);

	hists_read(&hists);
	if (r->json) {
		json_str(r->json, "unit", "ns");
		json_open(r->json, "devices", '[');
	} else {
		printf("%.1f s; levels are now/most\n%-16s %9s %11s %9s %9s %11s %9s %9s\n",
		       r->seconds, "device", "paced", "messages", "packets/s", "bytes/s",
		       "qdisc", "most held", "limit");
	}
	for (i = 0; i < n; i++)
		print_device(r->json, &devs[i], &sums[i], r->seconds);
	if (r->json)
		json_close(r->json, ']');
	print_times(r->json);
	live_lost(skel->bss->lost, "too many devices");
}

#define X(name, what) "  " #name ": " what "\n"
static const struct live_tool tool = {
	.about = "Where outgoing messages and packets wait, and for how long:\n" QUEUES(X)
		 "and of each device, how many there are now, and were at most; bytes that the device\n"
		 "held at most, and how many the pacer lets it hold.\n",
	.examples = "  homaqueue                     until Ctrl-C, then print\n"
		    "  homaqueue --interval 1        every second\n"
		    "  homaqueue --duration 10 --json >queues.json\n",
	.options = options,
	.report = report,
};
#undef X

int main(int argc, char **argv)
{
	live_begin(&tool, argc, argv);
	skel = homaqueue_bpf__open();
	if (skel)
		skel->rodata->only_netns = live_netns();
	live_attach(skel ? skel->skeleton : NULL);
	hists_init(&hists, skel->maps.hists, NUM_QUEUES);
	live_run(&tool);
	homaqueue_bpf__destroy(skel);
	return live_status();
}
