// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homatop: who uses Homa most, as top shows who uses processors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/die.h"
#include "lib/live.h"
#include "homatop.h"
#include "homatop.skel.h"

static struct opts {
	int rows;
} o = { .rows = 8 };

static const struct opt options[] = {
	OPT_INT("rows", &o.rows, 1, 100000, "peers, sockets and RPCs, those with most bytes first (8)"),
	OPT_END
};

/* A peer or a socket; key is that of its map. */
struct row {
	union {
		struct peer_key peer;
		struct sock_key sock;
	} key;
	struct sums now, before;
};

/* All peers, or all sockets. */
struct table {
	const char *name;
	size_t key_bytes;
	int count;
	struct row *rows;
};

static struct homatop_bpf *skel;
static struct table peers = { .name = "peers", .key_bytes = sizeof(struct peer_key) };
static struct table sockets = { .name = "sockets", .key_bytes = sizeof(struct sock_key) };

static struct row *row_of(struct table *t, const void *key)
{
	int i;

	for (i = 0; i < t->count; i++)
		if (!memcmp(&t->rows[i].key, key, t->key_bytes))
			return &t->rows[i];
	t->rows = xrealloc(t->rows, ++t->count, sizeof(*t->rows));
	t->rows[i] = (struct row){ 0 };
	memcpy(&t->rows[i].key, key, t->key_bytes);
	return &t->rows[i];
}

/* What was added since the last report. A row that was evicted begins anew. */
static struct sums change(const struct row *row)
{
	struct sums sums = row->now;

	if (sums.rpcs < row->before.rpcs || sums.bytes_in < row->before.bytes_in ||
	    sums.bytes_out < row->before.bytes_out || sums.timed < row->before.timed)
		return sums;
	sums.rpcs -= row->before.rpcs;
	sums.bytes_out -= row->before.bytes_out;
	sums.bytes_in -= row->before.bytes_in;
	sums.timed -= row->before.timed;
	sums.ns -= row->before.ns;
	return sums;
}

static int most_first(const void *a, const void *b)
{
	struct sums x = change(a), y = change(b);
	uint64_t left = x.bytes_out + x.bytes_in, right = y.bytes_out + y.bytes_in;

	return left < right ? 1 : left > right ? -1 : 0;
}

static void table_read(struct table *t, const struct bpf_map *map, uint8_t *keys,
		       struct sums *sums)
{
	int i, n = live_read_hash(map, keys, sums);

	for (i = 0; i < n; i++)
		row_of(t, keys + i * t->key_bytes)->now = sums[i];
	qsort(t->rows, t->count, sizeof(*t->rows), most_first);
}

static void row_name(char *text, size_t size, const struct table *t, const struct row *row)
{
	char address[LIVE_ADDRESS_CHARS];

	if (t == &peers)
		snprintf(text, size, "%s", live_address(address, row->key.peer.addr));
	else
		snprintf(text, size, "%u %s/%u", row->key.sock.port, row->now.comm,
			 row->now.pid);
}

static void print_row(struct json *j, const struct table *t, const struct row *row,
		      double seconds)
{
	struct sums sums = change(row);
	char name[80], rate[3][16];

	row_name(name, sizeof(name), t, row);
	if (!j) {
		printf("%-28s %8s %9s %9s %10.1f\n", name,
		       live_number(rate[0], sums.rpcs / seconds),
		       live_number(rate[1], sums.bytes_out / seconds),
		       live_number(rate[2], sums.bytes_in / seconds),
		       sums.timed ? sums.ns / 1e3 / sums.timed : 0);
		return;
	}
	json_open(j, NULL, '{');
	if (t == &peers) {
		json_str(j, "peer", name);
	} else {
		json_u64(j, "port", row->key.sock.port);
		json_u64(j, "netns", row->key.sock.netns);
		json_str(j, "program", row->now.comm);
		json_u64(j, "pid", row->now.pid);
	}
	json_u64(j, "rpcs", sums.rpcs);
	json_u64(j, "bytes_out", sums.bytes_out);
	json_u64(j, "bytes_in", sums.bytes_in);
	json_u64(j, "client_rpcs", sums.timed);
	json_u64(j, "client_ns", sums.ns);
	json_close(j, '}');
}

static void print_table(struct json *j, struct table *t, double seconds)
{
	int i, shown = 0;

	if (j)
		json_open(j, t->name, '[');
	else
		printf("\n%-28s %8s %9s %9s %10s\n", t == &peers ? "PEER" : "SOCKET program/pid",
		       "RPCs/s", "out B/s", "in B/s", "mean us");
	for (i = 0; i < t->count; i++) {
		struct sums sums = change(&t->rows[i]);

		if (shown < o.rows && (sums.rpcs || sums.bytes_out || sums.bytes_in)) {
			print_row(j, t, &t->rows[i], seconds);
			shown++;
		}
	}
	for (i = 0; i < t->count; i++)
		t->rows[i].before = t->rows[i].now;
	if (j)
		json_close(j, ']');
}

struct live_rpc {
	uint64_t id;
	struct top_rpc rpc;
};

static int busiest_first(const void *a, const void *b)
{
	const struct top_rpc *x = &((const struct live_rpc *)a)->rpc;
	const struct top_rpc *y = &((const struct live_rpc *)b)->rpc;
	uint64_t left = x->bytes_out + x->bytes_in, right = y->bytes_out + y->bytes_in;

	return left < right ? 1 : left > right ? -1 : 0;
}

static void print_rpc(struct json *j, const struct live_rpc *live, uint64_t now)
{
	const struct top_rpc *rpc = &live->rpc;
	double ms = now > rpc->start ? (now - rpc->start) / 1e6 : 0;
	char address[LIVE_ADDRESS_CHARS], bytes[2][16];
	const char *role = live->id & 1 ? "server" : "client";

	live_address(address, rpc->peer.addr);
	if (!j) {
		printf("%-20llu %-6s %5u %s:%u %s %s %.1f %s/%u\n", (unsigned long long)live->id,
		       role, rpc->port, address, rpc->peer_port,
		       live_number(bytes[0], rpc->bytes_out),
		       live_number(bytes[1], rpc->bytes_in), ms, rpc->comm, rpc->pid);
		return;
	}
	json_open(j, NULL, '{');
	json_u64(j, "id", live->id);
	json_str(j, "role", role);
	json_u64(j, "port", rpc->port);
	json_str(j, "peer", address);
	json_u64(j, "peer_port", rpc->peer_port);
	json_u64(j, "length_out", rpc->length_out);
	json_u64(j, "bytes_out", rpc->bytes_out);
	json_u64(j, "bytes_in", rpc->bytes_in);
	json_real(j, "ms", ms);
	json_str(j, "program", rpc->comm);
	json_close(j, '}');
}

static void print_rpcs(struct json *j)
{
	static struct live_rpc list[MAX_RPCS];
	static uint64_t ids[MAX_RPCS];
	static struct top_rpc rpcs[MAX_RPCS];
	int i, n = live_read_hash(skel->maps.rpcs, ids, rpcs);

	for (i = 0; i < n; i++)
		list[i] = (struct live_rpc){ ids[i], rpcs[i] };
	qsort(list, n, sizeof(*list), busiest_first);
	if (j) {
		json_u64(j, "live", n);
		json_open(j, "rpcs", '[');
	} else {
		printf("\n%d RPCs live\n%-20s %-6s %5s %s\n", n, "ID", "role", "port",
		       "peer:port out-bytes in-bytes ms program/pid");
	}
	for (i = 0; i < n && i < o.rows; i++)
		print_rpc(j, &list[i], clock_ns());
	if (j)
		json_close(j, ']');
}

static void report(const struct live_report *r)
{
	static uint8_t keys[MAX_PEERS * sizeof(struct peer_key)];
	static struct sums sums[MAX_PEERS];

	table_read(&peers, skel->maps.peers, keys, sums);
	table_read(&sockets, skel->maps.sockets, keys, sums);
	if (!r->json)
		printf("homatop: the last %.1f s, rates per second\n", r->seconds);
	print_table(r->json, &peers, r->seconds);
	print_table(r->json, &sockets, r->seconds);
	print_rpcs(r->json);
}

static const struct live_tool tool = {
	.about = "Who uses Homa most: peers, sockets with their programs, and RPCs that live, those\n"
		 "with most bytes first. On a terminal it refreshes, as top does.\n",
	.examples = "  homatop                                 every two seconds, until Ctrl-C\n"
		    "  homatop --interval 0.5 --rows 20\n"
		    "  homatop --interval 0 --duration 10 --json >top.json\n",
	.options = options,
	.interval = 2,
	.screen = true,
	.report = report,
};

int main(int argc, char **argv)
{
	live_begin(&tool, argc, argv);
	skel = homatop_bpf__open();
	if (skel)
		skel->rodata->only_netns = live_netns();
	live_attach(skel ? skel->skeleton : NULL);
	live_run(&tool);
	homatop_bpf__destroy(skel);
	return live_status();
}
