// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/clock.h"
#include "../lib/die.h"
#include "client.h"
#include "log.h"
#include "server.h"
#include "stats.h"

/* Take what the ports have measured since the last time. */
static void take_recent(struct client *c, struct hist *all)
{
	int i;

	for (i = 0; i < c->o.ports; i++) {
		struct port *p = &c->ports[i];

		pthread_mutex_lock(&p->lock);
		hist_merge(all, p->recent);
		hist_clear(p->recent);
		pthread_mutex_unlock(&p->lock);
	}
}

static void client_extras(struct client *c, const struct counts *n, double seconds)
{
	double lag = ((double)n->lag_ns - c->last.lag_ns) / 1e9 / seconds * 100;
	uint64_t sends = n->started - c->last.started;
	uint64_t backed_up = n->backed_up - c->last.backed_up;

	if (lag >= 1)
		log_line("Lag due to overload for %s experiment: %.1f%%", c->exp, lag);
	if (backed_up)
		log_line("Backed-up %s sends: %llu/%llu (%.1f%%)", c->exp,
			 (unsigned long long)backed_up, (unsigned long long)sends,
			 sends ? 100.0 * backed_up / sends : 0);
	log_line("Outstanding client RPCs for %s experiment: %llu", c->exp,
		 (unsigned long long)(n->started - n->done - n->failed));
	if (n->failed > c->last.failed)
		log_line("ERROR: %llu %s requests failed",
			 (unsigned long long)(n->failed - c->last.failed), c->exp);
	if (n->bad > c->last.bad)
		log_line("ERROR: %llu %s responses have wrong contents",
			 (unsigned long long)(n->bad - c->last.bad), c->exp);
}

static void client_line(struct client *c, uint64_t now)
{
	struct counts n = client_counts(c);
	uint64_t done = n.done - c->last.done;
	double seconds = (now - c->last_ns) / 1e9;
	struct hist *rtt;

	if (now <= c->last_ns ||
	    (n.started == c->last.started && !done && n.failed == c->last.failed))
		return;
	rtt = xcalloc(1, sizeof(*rtt));
	take_recent(c, rtt);
	log_line("%s clients: %.2f Kops/sec, %.2f Gbps out, %.2f Gbps in, RTT (us) P50 %.2f P99 %.2f P99.9 %.2f, avg. req. length %.1f bytes",
		 c->exp, done / seconds / 1e3,
		 (n.bytes_out - c->last.bytes_out) * 8 / seconds / 1e9,
		 (n.bytes_in - c->last.bytes_in) * 8 / seconds / 1e9,
		 hist_quantile(rtt, .5) / 1e3, hist_quantile(rtt, .99) / 1e3,
		 hist_quantile(rtt, .999) / 1e3,
		 n.started == c->last.started ? 0 :
		 (double)(n.bytes_out - c->last.bytes_out) / (n.started - c->last.started));
	client_extras(c, &n, seconds);
	c->last = n;
	c->last_ns = now;
	free(rtt);
}

/* "RPCs per thread", as many as fit on a line. */
static void thread_line(struct server *s)
{
	size_t at = 0;
	char text[1024] = "";
	int p, t;

	for (p = 0; p < s->o.ports; p++) {
		for (t = 0; t < s->o.port_threads; t++) {
			struct server_thread *thread = &s->ports[p].threads[t];
			uint64_t n = count_read(&thread->counts.requests);

			if (at < sizeof(text) - 24)
				at += sprintf(text + at, " %llu",
					      (unsigned long long)(n - thread->last_requests));
			thread->last_requests = n;
		}
	}
	log_line("RPCs per %s server thread:%s", s->exp, text);
}

static void server_line(struct server *s, uint64_t now)
{
	struct server_counts n = server_counts(s);
	uint64_t done = n.requests - s->last.requests;
	double seconds = (now - s->last_ns) / 1e9;

	if (!done || now <= s->last_ns)
		return;
	log_line("%s servers: %.2f Kops/sec, %.2f Gbps in, %.2f Gbps out, avg. req. length %.1f bytes",
		 s->exp, done / seconds / 1e3,
		 (n.bytes_in - s->last.bytes_in) * 8 / seconds / 1e9,
		 (n.bytes_out - s->last.bytes_out) * 8 / seconds / 1e9,
		 (double)(n.bytes_in - s->last.bytes_in) / done);
	thread_line(s);
	if (n.bad > s->last.bad)
		log_line("ERROR: %llu %s requests have wrong contents",
			 (unsigned long long)(n.bad - s->last.bad), s->exp);
	if (n.repeated > s->last.repeated)
		log_line("ERROR: %llu %s requests were executed more than once",
			 (unsigned long long)(n.repeated - s->last.repeated), s->exp);
	s->last = n;
	s->last_ns = now;
}

void stats_print(struct client *clients, struct server_list *servers)
{
	uint64_t now = clock_ns();
	struct client *c;
	struct server *s;

	for (s = servers->first; s; s = s->next)
		server_line(s, now);
	for (c = clients; c; c = c->next)
		client_line(c, now);
}

/* Round trips of all sizes since the start, from intended or actual send. */
static void rtt_line(const struct client *c, bool intended)
{
	struct hist *all = xcalloc(1, sizeof(*all));
	int i, class;

	for (i = 0; i < c->o.ports; i++) {
		struct hist **h = intended ? c->ports[i].intended : c->ports[i].actual;

		pthread_mutex_lock(&c->ports[i].lock);
		for (class = 0; class < SIZE_CLASSES; class++)
			if (h[class])
				hist_merge(all, h[class]);
		pthread_mutex_unlock(&c->ports[i].lock);
	}
	if (all->n)
		log_line("%s RTT (us) from %s send: min %.2f P50 %.2f P99 %.2f P99.9 %.2f max %.2f",
			 c->exp, intended ? "intended" : "actual", all->min / 1e3,
			 hist_quantile(all, .5) / 1e3, hist_quantile(all, .99) / 1e3,
			 hist_quantile(all, .999) / 1e3, all->max / 1e3);
	free(all);
}

void stats_client_totals(struct client *c)
{
	struct counts n = client_counts(c);

	log_line("%s clients total: %llu started, %llu done, %llu failed, %llu outstanding, %llu never sent, %llu with wrong contents",
		 c->exp, (unsigned long long)n.started, (unsigned long long)n.done,
		 (unsigned long long)n.failed,
		 (unsigned long long)(n.started - n.done - n.failed),
		 (unsigned long long)n.unsent, (unsigned long long)n.bad);
	rtt_line(c, true);
	rtt_line(c, false);
}

void stats_server_totals(const struct server *s)
{
	struct server_counts n = server_counts(s);

	log_line("%s servers total: %llu requests, %llu executed more than once, %llu with wrong contents, %llu not answered",
		 s->exp, (unsigned long long)n.requests, (unsigned long long)n.repeated,
		 (unsigned long long)n.bad, (unsigned long long)n.unanswered);
}

void stats_totals(struct client *clients, struct server_list *servers)
{
	struct client *c;
	struct server *s;

	for (s = servers->first; s; s = s->next)
		stats_server_totals(s);
	for (c = clients; c; c = c->next)
		stats_client_totals(c);
}
