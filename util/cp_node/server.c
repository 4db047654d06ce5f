// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/clock.h"
#include "../lib/die.h"
#include "../lib/rng.h"
#include "../../tt/user/ttrec.h"
#include "log.h"
#include "results.h"
#include "server.h"
#include "stats.h"

#define SEEN_LIMIT (1 << 19)		/* requests remembered: at least the last half million */

/* A hash of the host's address, the same for IPv4 and IPv4-mapped IPv6. */
static uint64_t hash_host(const struct sockaddr *from)
{
	const struct in6_addr *a = &((const struct sockaddr_in6 *)from)->sin6_addr;
	uint64_t words[2];

	if (from->sa_family == AF_INET)
		return rng_mix(((const struct sockaddr_in *)from)->sin_addr.s_addr);
	if (IN6_IS_ADDR_V4MAPPED(a))
		return rng_mix(a->s6_addr32[3]);
	memcpy(words, a, sizeof(words));
	return rng_mix(words[0] ^ rng_mix(words[1]));
}

/* Has this request been executed before? It is known by its number if it is
 * long enough to carry one, else by the transport's id.
 */
static bool was_executed(struct server *s, const struct sockaddr *from, uint64_t id,
			 const struct msg *m)
{
	struct msg_header h = msg_header(m);
	uint64_t key = hash_host(from);
	bool known;

	if (m->size >= MSG_HEAD)
		key ^= rng_mix(((uint64_t)h.session << 48 | (uint64_t)h.client_port << 40 |
				(uint64_t)h.client_node << 32) + h.number);
	else if (id)
		key ^= rng_mix(~id);
	else
		return false;
	pthread_mutex_lock(&s->lock);
	known = seen_before(&s->seen, key);
	pthread_mutex_unlock(&s->lock);
	return known;
}

static void check_request(struct server_thread *t, const struct sockaddr *from,
			  uint64_t id, const struct msg *request, bool bad)
{
	unsigned long long number = msg_header(request).number;

	if (bad) {
		count_add(&t->counts.bad, 1);
		log_detail("ERROR: request %llu (%u bytes) has wrong contents", number,
			   request->size);
	}
	if (!bad && was_executed(t->port->server, from, id, request)) {
		count_add(&t->counts.repeated, 1);
		log_detail("ERROR: request %llu (%u bytes) came again", number,
			   request->size);
	}
}

void server_handle(struct server_thread *t, const struct sockaddr *from, uint64_t id,
		   const struct msg *request, bool bad, struct msg *response)
{
	if (t->port->server->o.verify)
		check_request(t, from, id, request, bad);
	msg_response(response, request);
	count_add(&t->counts.requests, 1);
	count_add(&t->counts.bytes_in, request->size);
	count_add(&t->counts.bytes_out, response->size);
}

void server_unanswered(struct server_thread *t, int error)
{
	if (!t->counts.unanswered)
		log_line("WARNING: %s server: cannot answer: %s (further ones are only counted)",
			 t->port->server->exp, strerror(error));
	count_add(&t->counts.unanswered, 1);
}

static void add_counts(struct server_counts *sum, const struct server_counts *n)
{
	sum->requests += count_read(&n->requests);
	sum->bytes_in += count_read(&n->bytes_in);
	sum->bytes_out += count_read(&n->bytes_out);
	sum->bad += count_read(&n->bad);
	sum->repeated += count_read(&n->repeated);
	sum->unanswered += count_read(&n->unanswered);
}

struct server_counts server_counts(const struct server *s)
{
	struct server_counts sum = { .requests = 0 };
	int p, t;

	for (p = 0; p < s->o.ports; p++)
		for (t = 0; t < s->o.port_threads; t++)
			add_counts(&sum, &s->ports[p].threads[t].counts);
	return sum;
}

struct server_counts server_list_counts(struct server_list *list)
{
	struct server_counts sum, one;
	const struct server *s;

	pthread_mutex_lock(&list->lock);
	sum = list->gone;
	for (s = list->first; s; s = s->next) {
		one = server_counts(s);
		add_counts(&sum, &one);
	}
	pthread_mutex_unlock(&list->lock);
	return sum;
}

static void *server_main(void *arg)
{
	struct server_thread *t = arg;
	struct server *s = t->port->server;

	ttrec_thread("s%d.%d", t->port->index, t->index);
	thread_pin(s->o.pin);
	s->xport->serve(t);
	return NULL;
}

static void port_init(struct server *s, int index)
{
	struct server_port *p = &s->ports[index];
	int i;

	p->server = s;
	p->index = index;
	p->number = s->o.first_port + index;
	p->threads = xcalloc(s->o.port_threads, sizeof(*p->threads));
	for (i = 0; i < s->o.port_threads; i++)
		p->threads[i] = (struct server_thread){ .port = p, .index = i };
}

static void destroy(struct server *s)
{
	int i;

	for (i = 0; s->ports && i < s->o.ports; i++)
		free(s->ports[i].threads);
	free(s->ports);
	free(s->exp);
	free((void *)s->o.protocol);
	free((void *)s->o.json);
	seen_free(&s->seen);
	free(s);
}

static int open_ports(struct server *s)
{
	int i;

	for (i = 0; i < s->o.ports; i++)
		port_init(s, i);
	for (i = 0; i < s->o.ports; i++) {
		if (!s->xport->listen(&s->ports[i]))
			continue;
		while (i--)
			s->xport->unlisten(&s->ports[i]);
		return -1;
	}
	return 0;
}

static int prepare(struct server *s)
{
	if (results_check_new("--json", s->o.json))
		return -1;
	s->xport = xport_find(s->o.protocol);
	if (!s->xport)
		return -1;
	if (!s->o.first_port)
		s->o.first_port = s->xport->first_port;
	if (!s->o.ports)
		s->o.ports = s->xport->server_ports;
	s->exp = strdup(s->o.exp ? s->o.exp : s->o.protocol);
	s->o.protocol = strdup(s->o.protocol);
	s->o.json = s->o.json ? strdup(s->o.json) : NULL;
	s->ports = xcalloc(s->o.ports, sizeof(*s->ports));
	pthread_mutex_init(&s->lock, NULL);
	seen_init(&s->seen, SEEN_LIMIT);
	return open_ports(s);
}

static void start_threads(struct server *s)
{
	struct server_thread *thread;
	int p, t, err;

	for (p = 0; p < s->o.ports; p++) {
		for (t = 0; t < s->o.port_threads; t++) {
			thread = &s->ports[p].threads[t];
			err = pthread_create(&thread->thread, NULL, server_main, thread);
			if (err)
				die("cannot start a thread: %s", strerror(err));
		}
	}
}

struct server *server_start(const struct server_opts *o, struct server_list *list)
{
	struct server *s = xcalloc(1, sizeof(*s));

	s->o = *o;
	if (prepare(s)) {
		if (!s->exp)
			s->o.protocol = s->o.json = NULL;
		destroy(s);
		return NULL;
	}
	s->last_ns = clock_ns();
	s->list = list;
	start_threads(s);
	pthread_mutex_lock(&list->lock);
	s->next = list->first;
	list->first = s;
	pthread_mutex_unlock(&list->lock);
	log_line("%s server: ports %d to %d, %d threads each", s->exp, s->o.first_port,
		 s->o.first_port + s->o.ports - 1, s->o.port_threads);
	return s;
}

static void unlist(struct server *s)
{
	struct server_counts counts = server_counts(s);
	struct server **link = &s->list->first;

	pthread_mutex_lock(&s->list->lock);
	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	add_counts(&s->list->gone, &counts);
	pthread_mutex_unlock(&s->list->lock);
}

int server_free(struct server *s)
{
	int p, t, err;

	for (p = 0; p < s->o.ports; p++)
		s->xport->hang_up(&s->ports[p]);
	for (p = 0; p < s->o.ports; p++)
		for (t = 0; t < s->o.port_threads; t++)
			pthread_join(s->ports[p].threads[t].thread, NULL);
	for (p = 0; p < s->o.ports; p++)
		s->xport->unlisten(&s->ports[p]);
	stats_server_totals(s);
	err = results_server(s);
	unlist(s);
	destroy(s);
	return err;
}
