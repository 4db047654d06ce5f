// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homagrant: who grants how much to whom, and what is granted and has not come. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/die.h"
#include "lib/live.h"
#include "homagrant.h"
#include "homagrant.skel.h"

static struct opts {
	int rows;
} o = { .rows = 20 };

static const struct opt options[] = {
	OPT_INT("rows", &o.rows, 1, 100000, "peers at most, those with most bytes first (20)"),
	OPT_END
};

struct row {
	struct grant_peer peer;
	struct grant_sums now, before;
	uint64_t outstanding;		/* bytes granted that have not come */
	uint64_t messages;		/* that they are of */
};

static struct homagrant_bpf *skel;
static struct row *rows;
static int num_rows;

static struct row *row_of(const struct grant_peer *peer)
{
	int i;

	for (i = 0; i < num_rows; i++)
		if (!memcmp(&rows[i].peer, peer, sizeof(*peer)))
			return &rows[i];
	rows = xrealloc(rows, ++num_rows, sizeof(*rows));
	rows[i] = (struct row){ .peer = *peer };
	return &rows[i];
}

static void read_peers(void)
{
	static struct grant_peer peers[MAX_PEERS];
	static struct grant_sums sums[MAX_PEERS];
	int i, n = live_read_hash(skel->maps.peers, peers, sums);
	struct row *row;

	for (i = 0; i < n; i++) {
		row = row_of(&peers[i]);
		row->now = sums[i];
		row->outstanding = row->messages = 0;
	}
}

static void read_messages(void)
{
	static struct grant_message messages[MAX_MESSAGES], *message;
	static uint64_t ids[MAX_MESSAGES];
	int n = live_read_hash(skel->maps.incoming, ids, messages);
	struct row *row;

	for (message = messages; message < messages + n; message++) {
		if (message->arrived >= message->granted)
			continue;
		row = row_of(&message->peer);
		row->outstanding += message->granted - message->arrived;
		row->messages++;
	}
}

/* What was added since the last report. */
static struct grant_sums change(const struct row *row)
{
	struct grant_sums sums = row->now;
	int i;

	sums.sent -= row->before.sent;
	sums.sent_bytes -= row->before.sent_bytes;
	sums.rcvd -= row->before.rcvd;
	sums.rcvd_bytes -= row->before.rcvd_bytes;
	sums.waits -= row->before.waits;
	sums.wait_ns -= row->before.wait_ns;
	for (i = 0; i < NUM_PRIOS; i++)
		sums.prios[i] -= row->before.prios[i];
	return sums;
}

static uint64_t weight(const struct row *row)
{
	struct grant_sums sums = change(row);

	return sums.sent_bytes + sums.rcvd_bytes + row->outstanding;
}

static int most_first(const void *a, const void *b)
{
	uint64_t x = weight(a), y = weight(b);

	return x < y ? 1 : x > y ? -1 : 0;
}

static void print_text(const struct row *row, double seconds)
{
	char rate[4][16], left[16], address[LIVE_ADDRESS_CHARS];
	struct grant_sums sums = change(row);

	printf("%-24s %8s %8s %9s %5llu %8s %8s %8llu %9.1f\n",
	       live_address(address, row->peer.addr), live_number(rate[0], sums.sent / seconds),
	       live_number(rate[1], sums.sent_bytes / seconds),
	       live_number(left, row->outstanding), (unsigned long long)row->messages,
	       live_number(rate[2], sums.rcvd / seconds),
	       live_number(rate[3], sums.rcvd_bytes / seconds),
	       (unsigned long long)sums.waits, sums.waits ? sums.wait_ns / 1e3 / sums.waits : 0);
}

static void print_json(struct json *j, const struct row *row)
{
	struct grant_sums sums = change(row);
	char address[LIVE_ADDRESS_CHARS];
	int i;

	json_open(j, NULL, '{');
	json_str(j, "peer", live_address(address, row->peer.addr));
	json_u64(j, "grants_sent", sums.sent);
	json_u64(j, "bytes_granted", sums.sent_bytes);
	json_u64(j, "bytes_outstanding", row->outstanding);
	json_u64(j, "messages_outstanding", row->messages);
	json_u64(j, "grants_received", sums.rcvd);
	json_u64(j, "bytes_received_grants", sums.rcvd_bytes);
	json_u64(j, "waits", sums.waits);
	json_u64(j, "wait_ns", sums.wait_ns);
	json_open(j, "sent_by_priority", '[');
	for (i = 0; i < NUM_PRIOS; i++)
		json_u64(j, NULL, sums.prios[i]);
	json_close(j, ']');
	json_close(j, '}');
}

static void report(const struct live_report *r)
{
	int i;

	read_peers();
	read_messages();
	qsort(rows, num_rows, sizeof(*rows), most_first);
	if (r->json)
		json_open(r->json, "peers", '[');
	else
		printf("%.1f s; rates per second, wait in us\n%-24s %8s %8s %9s %5s %8s %8s %8s %9s\n",
		       r->seconds, "peer", "sent/s", "bytes/s", "not come", "msgs", "rcvd/s",
		       "bytes/s", "waits", "mean wait");
	for (i = 0; i < num_rows && i < o.rows && weight(&rows[i]); i++) {
		if (r->json)
			print_json(r->json, &rows[i]);
		else
			print_text(&rows[i], r->seconds);
	}
	for (i = 0; i < num_rows; i++)
		rows[i].before = rows[i].now;
	if (r->json)
		json_close(r->json, ']');
	live_lost(skel->bss->lost, "too many peers");
}

static const struct live_tool tool = {
	.about = "Grants, peer by peer: those that we send and how much of what they allow has not\n"
		 "come; those that we get, and how long our messages wait for them.\n",
	.examples = "  homagrant                     until Ctrl-C, then print\n"
		    "  homagrant --interval 1        every second\n"
		    "  homagrant --duration 10 --rows 1000 --json >grants.json\n",
	.options = options,
	.report = report,
};

int main(int argc, char **argv)
{
	live_begin(&tool, argc, argv);
	skel = homagrant_bpf__open();
	if (skel)
		skel->rodata->only_netns = live_netns();
	live_attach(skel ? skel->skeleton : NULL);
	live_run(&tool);
	homagrant_bpf__destroy(skel);
	return live_status();
}
