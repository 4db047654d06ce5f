// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../lib/clock.h"
#include "../lib/die.h"
#include "../lib/json.h"
#include "client.h"
#include "results.h"
#include "server.h"

int results_check_new(const char *option, const char *name)
{
	if (name && !access(name, F_OK))
		return fail("%s %s: the file exists and is not overwritten", option, name);
	return 0;
}

/* Create @name, which must not exist. */
static FILE *create(const char *name)
{
	FILE *f = fopen(name, "wx");

	if (!f)
		fail("%s: %s", name, strerror(errno));
	return f;
}

static int finish(FILE *f, const char *name)
{
	int bad = ferror(f);

	if (fclose(f) || bad)
		return fail("%s: %s", name, strerror(errno));
	return 0;
}

/* The buckets of @h that aren't empty: [lower bound, count]. */
static void put_buckets(struct json *j, const struct hist *h)
{
	int i;

	json_open(j, "counts", '[');
	for (i = 0; i < HIST_BUCKETS; i++)
		if (h->count[i])
			json_pair(j, hist_lower(i), h->count[i]);
	json_close(j, ']');
}

static void put_summary(struct json *j, const struct hist *h)
{
	json_u64(j, "n", h->n);
	json_u64(j, "min", h->n ? h->min : 0);
	json_real(j, "mean", h->n ? (double)h->sum / h->n : 0);
	json_u64(j, "p50", hist_quantile(h, .5));
	json_u64(j, "p90", hist_quantile(h, .9));
	json_u64(j, "p99", hist_quantile(h, .99));
	json_u64(j, "p999", hist_quantile(h, .999));
	json_u64(j, "max", h->max);
}

/* One kind of latency: merge the ports, class by class. */
static void put_hist(struct json *j, const struct client *c, bool intended)
{
	struct hist *all = xcalloc(1, sizeof(*all));
	struct hist *one = xcalloc(1, sizeof(*one));
	const struct hist *h;
	int class, i;

	json_open(j, intended ? "intended" : "actual", '{');
	json_open(j, "sizes", '[');
	for (class = 0; class < SIZE_CLASSES; class++) {
		hist_clear(one);
		for (i = 0; i < c->o.ports; i++) {
			h = intended ? c->ports[i].intended[class] :
				       c->ports[i].actual[class];
			if (h)
				hist_merge(one, h);
		}
		if (!one->n)
			continue;
		json_open(j, NULL, '{');
		json_u64(j, "min_size", 1ULL << class);
		json_u64(j, "max_size", (2ULL << class) - 1);
		put_summary(j, one);
		put_buckets(j, one);
		json_close(j, '}');
		hist_merge(all, one);
	}
	json_close(j, ']');
	put_summary(j, all);
	json_close(j, '}');
	free(all);
	free(one);
}

static void put_options(struct json *j, const struct client *c)
{
	json_u64(j, "version", 1);
	json_str(j, "role", "client");
	json_str(j, "exp", c->exp);
	json_str(j, "protocol", c->o.protocol);
	json_str(j, "workload", c->o.workload);
	json_real(j, "mean_size", c->dist.mean);
	json_real(j, "gbps", c->o.gbps);
	json_u64(j, "seed", c->o.seed);
	json_u64(j, "host_id", c->o.host_id);
	json_str(j, "servers", c->o.servers);
	json_u64(j, "ports", c->o.ports);
	json_u64(j, "port_receivers", c->o.port_receivers);
	json_u64(j, "server_ports", c->o.server_ports);
	json_u64(j, "client_max", c->o.client_max);
	json_u64(j, "one_way", c->o.one_way);
	json_u64(j, "verify", c->o.verify);
	json_u64(j, "unloaded", c->o.unloaded);
	json_real(j, "seconds", c->o.seconds);
}

static void put_counts(struct json *j, struct client *c)
{
	struct server_counts local = server_list_counts(c->local);
	struct counts n = client_counts(c);
	uint64_t now = clock_ns();
	double elapsed = now > c->start_ns ? (now - c->start_ns) / 1e9 : 0;
	double offered = c->end_ns ? c->o.seconds : elapsed;

	json_real(j, "elapsed", elapsed);
	json_u64(j, "started", n.started);
	json_u64(j, "done", n.done);
	json_u64(j, "failed", n.failed);
	json_u64(j, "lost", n.started - n.done - n.failed);
	json_u64(j, "unsent", n.unsent);
	json_u64(j, "bytes_out", n.bytes_out);
	json_u64(j, "bytes_in", n.bytes_in);
	json_real(j, "lag_pct", offered > 0 ? n.lag_ns / offered / 1e7 : 0);
	json_u64(j, "backed_up", n.backed_up);
	json_u64(j, "executed_more_than_once", local.repeated);
	json_u64(j, "bad_content", n.bad + local.bad);
}

static int write_json(struct client *c)
{
	struct json j = { .to = create(c->o.json) };

	if (!j.to)
		return -1;
	json_open(&j, NULL, '{');
	put_options(&j, c);
	put_counts(&j, c);
	json_open(&j, "hist", '{');
	json_str(&j, "unit", "ns");
	put_hist(&j, c, true);
	put_hist(&j, c, false);
	json_close(&j, '}');
	json_close(&j, '}');
	return finish(j.to, c->o.json);
}

static int by_number(const void *a, const void *b)
{
	const struct record *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* The records of all ports, in the order of the arrival list. */
static struct record *sorted_records(const struct client *c, uint64_t *total)
{
	struct record *all;
	uint64_t n = 0;
	int i;

	for (i = 0; i < c->o.ports; i++)
		n += c->ports[i].num_records;
	all = xcalloc(n, sizeof(*all));
	*total = n;
	n = 0;
	for (i = 0; i < c->o.ports; i++) {
		if (!c->ports[i].num_records)
			continue;
		memcpy(all + n, c->ports[i].records,
		       c->ports[i].num_records * sizeof(*all));
		n += c->ports[i].num_records;
	}
	qsort(all, n, sizeof(*all), by_number);
	return all;
}

static const char *outcome(const struct record *r)
{
	if (r->error == UNFINISHED)
		return "unfinished";
	return r->error ? strerrorname_np(r->error) : "ok";
}

static int write_rpcs(struct client *c)
{
	FILE *f = create(c->o.rpcs);
	struct record *all, *r;
	uint64_t n;

	if (!f)
		return -1;
	fputs("rpc_id,server,size,resp_size,intended_ns,sent_ns,done_ns,status\n", f);
	all = sorted_records(c, &n);
	for (r = all; r < all + n; r++)
		fprintf(f, "%" PRIu64 ",%s,%u,%u,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%s\n",
			r->id, c->server_names[r->server], r->size, r->resp_size,
			r->intended_ns, r->sent_ns, r->done_ns,
			outcome(r));
	free(all);
	return finish(f, c->o.rpcs);
}

int results_client(struct client *c)
{
	int err = 0;

	/* The JSON file comes last: once it is there the run is over. */
	if (c->o.rpcs && write_rpcs(c))
		err = -1;
	if (c->o.json && write_json(c))
		err = -1;
	return err;
}

int results_server(const struct server *s)
{
	struct server_counts n = server_counts(s);
	struct json j = { .to = NULL };

	if (!s->o.json)
		return 0;
	j.to = create(s->o.json);
	if (!j.to)
		return -1;
	json_open(&j, NULL, '{');
	json_u64(&j, "version", 1);
	json_str(&j, "role", "server");
	json_str(&j, "exp", s->exp);
	json_str(&j, "protocol", s->o.protocol);
	json_u64(&j, "verify", s->o.verify);
	json_u64(&j, "requests", n.requests);
	json_u64(&j, "bytes_in", n.bytes_in);
	json_u64(&j, "bytes_out", n.bytes_out);
	json_u64(&j, "executed_more_than_once", n.repeated);
	json_u64(&j, "bad_content", n.bad);
	json_u64(&j, "unanswered", n.unanswered);
	json_close(&j, '}');
	return finish(j.to, s->o.json);
}

static void dump_header(FILE *f, const struct client *c)
{
	time_t now = clock_wall_ns() / NS_PER_SEC;
	char text[32];

	if (!ctime_r(&now, text))
		*text = 0;
	text[strcspn(text, "\n")] = 0;
	fprintf(f, "# Round-trip times measured by cp_node at %s, experiment %s\n",
		text, c->exp);
	fprintf(f, "# --protocol %s, --workload %s, --gbps %.1f, --ports %d, --port-receivers %d\n",
		c->o.protocol, c->o.workload, c->o.gbps, c->o.ports, c->o.port_receivers);
	fprintf(f, "# --servers %s, --server-ports %d, --client-max %d\n", c->o.servers,
		c->o.server_ports, c->o.client_max);
	fputs("# Length   RTT (usec)\n", f);
}

/* Oldest first; the samples are a ring once they are MAX_SAMPLES. */
static void dump_port(FILE *f, struct port *p)
{
	uint64_t n = p->num_samples < MAX_SAMPLES ? p->num_samples : MAX_SAMPLES, i;
	const struct sample *s;

	pthread_mutex_lock(&p->lock);
	for (i = p->num_samples - n; i < p->num_samples; i++) {
		s = &p->samples[i % MAX_SAMPLES];
		fprintf(f, "%8u %12.2f\n", s->length, s->rtt_ns / 1e3);
	}
	p->num_samples = 0;
	pthread_mutex_unlock(&p->lock);
}

int results_dump_times(struct client *clients, const char *name, const char *exp)
{
	struct client *c;
	FILE *f = create(name);
	int i;

	if (!f)
		return -1;
	for (c = clients; c; c = c->next) {
		if (exp && strcmp(exp, c->exp))
			continue;
		dump_header(f, c);
		for (i = 0; i < c->o.ports; i++)
			dump_port(f, &c->ports[i]);
	}
	return finish(f, name);
}
