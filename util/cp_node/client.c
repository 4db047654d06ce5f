// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../lib/clock.h"
#include "../lib/die.h"
#include "../../tt/user/ttrec.h"
#include "client.h"
#include "log.h"
#include "results.h"
#include "stream.h"

#define MAX_SLEEP_NS 20000000		/* how long a sender may not notice a stop */

/* Where a port's requests come from. */
struct source {
	struct arrivals arrivals;
	uint64_t number;		/* unloaded: requests produced */
};

struct request {
	struct arrival a;
	uint64_t due_ns;		/* CLOCK_MONOTONIC; 0: as soon as possible */
	bool record;
};

static bool stopping(const struct client *c)
{
	return __atomic_load_n(&c->stop_sending, __ATOMIC_RELAXED);
}

/* Next request of an unloaded run: one of each size to warm up, then --unloaded
 * of each size, always to the first port of the first server.
 */
static bool unloaded_next(struct client *c, struct source *s, struct request *r)
{
	uint64_t n = s->number++, sizes = c->dist.num_points;
	uint64_t measured = n - sizes;

	r->record = n >= sizes;
	r->due_ns = 0;
	if (r->record)
		n = measured / c->o.unloaded;
	if (n >= sizes)
		return false;
	r->a = (struct arrival){ .number = s->number - 1,
				 .size = c->dist.points[n].size };
	return true;
}

/* The next request that @p should send. Return: false if there are no more. */
static bool source_next(struct port *p, struct source *s, struct request *r)
{
	struct client *c = p->client;

	if (c->o.unloaded)
		return unloaded_next(c, s, r);
	do {
		r->a = arrivals_next(&s->arrivals);
	} while (r->a.number % c->o.ports != (uint64_t)p->index);
	if (c->o.limit && r->a.number >= c->o.limit)
		return false;
	r->record = true;
	r->due_ns = c->o.gbps > 0 ? c->start_ns + r->a.ns : 0;
	return !c->end_ns || r->due_ns < c->end_ns;
}

/* Wait for @ns, or the end of the run, or less long. A sleep ends on time, to the
 * nanosecond on a simulated host, where waiting for a condition ends a microsecond
 * late; but a condition can be signalled, so that is for the long waits.
 */
static void wait_until(struct port *p, uint64_t ns)
{
	struct timespec ts;

	if (ns > p->now_ns + 2 * MAX_SLEEP_NS) {
		ts = clock_timespec(ns - MAX_SLEEP_NS);
		pthread_cond_timedwait(&p->wakeup, &p->lock, &ts);
		return;
	}
	pthread_mutex_unlock(&p->lock);
	while (p->client->o.spin && clock_ns() < ns)
		;
	clock_sleep_until(ns);
	pthread_mutex_lock(&p->lock);
}

/* Wait until it is @due_ns and a request may be outstanding; p->now_ns is the time
 * then. It costs one look at the clock, and a system call only if it waits.
 * Return: false if no more requests should be sent.
 */
static bool await_turn(struct port *p, uint64_t due_ns)
{
	struct client *c = p->client;
	bool fresh = false;

	for (;;) {
		if (stopping(c))
			return false;
		if (p->now_ns < due_ns) {
			wait_until(p, due_ns);
		} else if (!p->num_free) {
			p->wants_slot = true;
			pthread_cond_wait(&p->wakeup, &p->lock);
			p->wants_slot = false;
		} else if (fresh) {
			break;
		}
		p->now_ns = clock_ns();
		fresh = true;
	}
	return due_ns || !c->end_ns || p->now_ns < c->end_ns;
}

static struct rpc *take_slot(struct port *p, const struct request *r)
{
	struct client *c = p->client;
	struct rpc *rpc = &p->rpcs[p->free[--p->num_free]];

	*rpc = (struct rpc){
		.number = r->a.number,
		.id = r->a.number,
		.size = r->a.size,
		.resp_size = msg_response_size(r->a.size, c->o.one_way),
		.server = r->a.server,
		.server_port = r->a.draw % c->o.server_ports,
		.intended_ns = r->due_ns ? r->due_ns : p->now_ns,
		.sent_ns = p->now_ns,
		.record = r->record,
		.busy = true,
	};
	p->counts.lag_ns = p->now_ns - rpc->intended_ns;
	if (rpc->record) {
		p->counts.started++;
		p->counts.bytes_out += rpc->size;
	}
	return rpc;
}

/* Send @rpc, which may be gone when this returns. Called without the lock. */
static void send_request(struct port *p, struct rpc *rpc)
{
	struct client *c = p->client;
	int err = c->xport->send(p, rpc);

	/* A request that the end of the run cut off is lost, it did not fail. */
	if (err && !(err == -ESHUTDOWN && stopping(c)))
		port_done(p, rpc, -err, NULL, false, clock_ns());
	while (!c->o.port_receivers && !stopping(c) && p->num_free < p->max)
		c->xport->receive(&p->receivers[0]);
}

/* The port is neither sending nor waiting: tell the controller. */
static void port_idle(struct client *c)
{
	pthread_mutex_lock(&c->lock);
	if (!--c->busy_ports)
		pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

static void *sender_main(void *arg)
{
	struct port *p = arg;
	struct client *c = p->client;
	struct source source = { .number = 0 };
	struct request r;
	struct rpc *rpc;
	bool more;

	ttrec_thread("c%d", p->index);
	thread_pin(c->o.pin);
	arrivals_init(&source.arrivals, c->o.seed, c->o.host_id, &c->dist, c->o.gbps,
		      c->num_servers);
	pthread_mutex_lock(&p->lock);
	p->now_ns = clock_ns();
	while (p->now_ns < c->start_ns && !stopping(c)) {
		wait_until(p, c->start_ns);
		p->now_ns = clock_ns();
	}
	more = source_next(p, &source, &r);
	while (more && await_turn(p, r.due_ns)) {
		rpc = take_slot(p, &r);
		pthread_mutex_unlock(&p->lock);
		send_request(p, rpc);
		pthread_mutex_lock(&p->lock);
		more = source_next(p, &source, &r);
	}
	/* Those that were held back until the end would have been the slowest. */
	for (; more && r.due_ns && r.due_ns <= p->now_ns; p->counts.unsent++)
		more = source_next(p, &source, &r);
	p->sending = false;
	if (p->num_free == p->max)
		port_idle(c);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void *receiver_main(void *arg)
{
	struct receiver *r = arg;
	struct client *c = r->port->client;

	ttrec_thread("r%d.%d", r->port->index, r->index);
	thread_pin(c->o.pin);
	while (!c->xport->receive(r))
		;
	return NULL;
}

void client_request(const struct port *port, const struct rpc *rpc, struct msg *m)
{
	const struct client *c = port->client;
	struct msg_header h = {
		.client_port = port->index,
		.client_node = c->o.host_id,
		.server_port = rpc->server_port,
		.server = rpc->server,
		.session = c->session,
		.flags = (c->o.one_way ? MSG_SHORT_RESPONSE : 0) |
			 (c->o.verify ? MSG_VERIFY : 0),
		.number = rpc->number,
	};

	msg_request(m, rpc->size, h);
}

/* Is @m the response to @rpc? Its body has been checked already. */
static bool response_matches(const struct port *p, const struct rpc *rpc,
			     const struct msg *m)
{
	struct msg request, want;

	client_request(p, rpc, &request);
	msg_response(&want, &request);
	return m->size == want.size && !memcmp(m->head, want.head, MSG_HEAD);
}

static void add_to_class(struct hist **classes, uint32_t size, uint64_t ns)
{
	struct hist **h = &classes[31 - __builtin_clz(size)];

	if (!*h)
		*h = xcalloc(1, sizeof(**h));
	hist_add(*h, ns);
}

/* Room for one more element in an array that has @n of *@max. */
static void *grow(void *array, uint64_t n, uint64_t *max, size_t size)
{
	if (n < *max)
		return array;
	*max = *max ? *max * 2 : 1024;
	return xrealloc(array, *max, size);
}

static void add_record(struct port *p, const struct rpc *rpc, int error, uint64_t now)
{
	uint64_t start = p->client->start_ns;

	p->records = grow(p->records, p->num_records, &p->max_records,
			  sizeof(*p->records));
	p->records[p->num_records++] = (struct record){
		.number = rpc->number,
		.id = rpc->id,
		.intended_ns = rpc->intended_ns - start,
		.sent_ns = rpc->sent_ns - start,
		.done_ns = now - start,
		.server = rpc->server,
		.size = rpc->size,
		.resp_size = rpc->resp_size,
		.error = error,
	};
}

static void add_sample(struct port *p, const struct rpc *rpc, uint64_t now)
{
	uint64_t at = p->num_samples++ % MAX_SAMPLES;

	p->samples = grow(p->samples, at, &p->max_samples, sizeof(*p->samples));
	p->samples[at] = (struct sample){ rpc->resp_size, now - rpc->sent_ns };
}

/* Count an RPC that has ended. Caller holds the port's lock. */
static void account(struct port *p, const struct rpc *rpc, int error, bool bad,
		    uint64_t now)
{
	if (p->client->o.rpcs)
		add_record(p, rpc, error, now);
	if (error) {
		p->counts.failed++;
		return;
	}
	p->counts.done++;
	p->counts.bytes_in += rpc->resp_size;
	p->counts.bad += bad;
	add_to_class(p->intended, rpc->size, now - rpc->intended_ns);
	add_to_class(p->actual, rpc->size, now - rpc->sent_ns);
	hist_add(p->recent, now - rpc->sent_ns);
	add_sample(p, rpc, now);
}

/* The first failure is always shown, the others if the log is verbose. */
static void report_trouble(struct client *c, const struct rpc *rpc, int error)
{
	const char *why = error ? strerror(error) : "the response has wrong contents";
	unsigned long long number = rpc->number;

	if (__atomic_exchange_n(&c->trouble_shown, true, __ATOMIC_RELAXED))
		log_detail("ERROR: request %llu (%u bytes) to %s: %s", number, rpc->size,
			   c->server_names[rpc->server], why);
	else
		log_line("ERROR: request %llu (%u bytes) to %s: %s (the first one; log --level verbose shows all)",
			 number, rpc->size, c->server_names[rpc->server], why);
}

void port_done(struct port *p, struct rpc *rpc, int error, const struct msg *m,
	       bool bad, uint64_t now)
{
	if (!error && p->client->o.verify)
		bad = bad || !response_matches(p, rpc, m);
	if (error || bad)
		report_trouble(p->client, rpc, error);
	pthread_mutex_lock(&p->lock);
	if (rpc->record)
		account(p, rpc, error, bad, now);
	rpc->busy = false;
	p->free[p->num_free++] = rpc - p->rpcs;
	if (p->wants_slot)
		pthread_cond_signal(&p->wakeup);
	if (!p->sending && p->num_free == p->max)
		port_idle(p->client);
	pthread_mutex_unlock(&p->lock);
}

void port_backed_up(struct port *p)
{
	pthread_mutex_lock(&p->lock);
	p->counts.backed_up++;
	pthread_mutex_unlock(&p->lock);
}

struct sockaddr_storage client_address(const struct client *c, uint32_t server,
				       uint32_t server_port)
{
	struct sockaddr_storage a = c->servers[server];
	uint16_t port = htons(c->o.first_port + server_port);

	if (a.ss_family == AF_INET)
		((struct sockaddr_in *)&a)->sin_port = port;
	else
		((struct sockaddr_in6 *)&a)->sin6_port = port;
	return a;
}

struct counts client_counts(struct client *c)
{
	struct counts sum = { .started = 0 };
	int i;

	for (i = 0; i < c->o.ports; i++) {
		struct port *p = &c->ports[i];

		pthread_mutex_lock(&p->lock);
		sum.started += p->counts.started;
		sum.done += p->counts.done;
		sum.failed += p->counts.failed;
		sum.unsent += p->counts.unsent;
		sum.bytes_out += p->counts.bytes_out;
		sum.bytes_in += p->counts.bytes_in;
		sum.bad += p->counts.bad;
		sum.backed_up += p->counts.backed_up;
		if (p->counts.lag_ns > sum.lag_ns)
			sum.lag_ns = p->counts.lag_ns;
		pthread_mutex_unlock(&p->lock);
	}
	return sum;
}

void client_stop_senders(struct client *c)
{
	int i;

	__atomic_store_n(&c->stop_sending, true, __ATOMIC_RELAXED);
	for (i = 0; i < c->o.ports; i++) {
		pthread_mutex_lock(&c->ports[i].lock);
		pthread_cond_broadcast(&c->ports[i].wakeup);
		pthread_mutex_unlock(&c->ports[i].lock);
	}
}

static void join_ports(struct client *c)
{
	struct port *p;
	int i;

	/* A sender may be waiting in the transport, for room or a response. */
	for (p = c->ports; p < c->ports + c->o.ports; p++)
		c->xport->wake(p);
	for (p = c->ports; p < c->ports + c->o.ports; p++) {
		pthread_join(p->sender, NULL);
		for (i = 0; i < c->o.port_receivers; i++)
			pthread_join(p->receivers[i].thread, NULL);
	}
}

/* Requests that never ended: by server for the log, and one by one. */
static void report_lost(struct client *c)
{
	uint64_t *lost = xcalloc(c->num_servers, sizeof(*lost)), now = clock_ns();
	struct rpc *rpc;
	struct port *p;
	uint32_t s;

	for (p = c->ports; p < c->ports + c->o.ports; p++)
		for (rpc = p->rpcs; rpc < p->rpcs + p->max; rpc++) {
			if (!rpc->busy)
				continue;
			lost[rpc->server]++;
			if (c->o.rpcs && rpc->record)
				add_record(p, rpc, UNFINISHED, now);
		}
	for (s = 0; s < c->num_servers; s++)
		if (lost[s])
			log_line("ERROR: %llu incomplete requests to server %s",
				 (unsigned long long)lost[s], c->server_names[s]);
	free(lost);
}

/* Ends the run when all is done, or at the deadline. */
static void *controller_main(void *arg)
{
	struct client *c = arg;
	struct timespec ts;
	uint64_t one = 1;
	int i;

	pthread_mutex_lock(&c->lock);
	while (c->busy_ports && clock_ns() < c->deadline_ns) {
		ts = clock_timespec(c->deadline_ns);
		if (c->deadline_ns == UINT64_MAX)
			pthread_cond_wait(&c->changed, &c->lock);
		else
			pthread_cond_timedwait(&c->changed, &c->lock, &ts);
	}
	pthread_mutex_unlock(&c->lock);

	client_stop_senders(c);
	join_ports(c);
	report_lost(c);
	for (i = 0; i < c->o.ports; i++)
		c->xport->close(&c->ports[i]);
	c->result = results_client(c) ? 1 : 0;

	pthread_mutex_lock(&c->lock);
	c->finished = true;
	pthread_mutex_unlock(&c->lock);
	if (write(c->done_fd, &one, sizeof(one)) < 0)
		log_line("ERROR: eventfd: %s", strerror(errno));
	return NULL;
}

void client_stop(struct client *c, double drain)
{
	uint64_t deadline = clock_ns() + drain * NS_PER_SEC;

	client_stop_senders(c);
	pthread_mutex_lock(&c->lock);
	if (deadline < c->deadline_ns)
		c->deadline_ns = deadline;
	pthread_cond_signal(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

bool client_finished(struct client *c)
{
	bool finished;

	pthread_mutex_lock(&c->lock);
	finished = c->finished;
	pthread_mutex_unlock(&c->lock);
	return finished;
}

/* Look up @name and add it to the servers. */
static int add_server(struct client *c, const char *name)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *found;
	int err;

	if (c->o.ipv6) {
		hints.ai_family = AF_INET6;
		hints.ai_flags = AI_V4MAPPED;
	}
	err = getaddrinfo(name, NULL, &hints, &found);
	if (err)
		return fail("--servers: %s: %s", name, gai_strerror(err));
	c->servers = xrealloc(c->servers, c->num_servers + 1, sizeof(*c->servers));
	c->server_names = xrealloc(c->server_names, c->num_servers + 1,
				   sizeof(*c->server_names));
	memset(&c->servers[c->num_servers], 0, sizeof(*c->servers));
	memcpy(&c->servers[c->num_servers], found->ai_addr, found->ai_addrlen);
	c->server_names[c->num_servers++] = strdup(name);
	freeaddrinfo(found);
	if (c->servers[c->num_servers - 1].ss_family != c->servers[0].ss_family)
		return fail("--servers: %s: IPv4 and IPv6 addresses together need --ipv6",
			    name);
	return 0;
}

static int find_servers(struct client *c)
{
	char *list, *name, *rest;
	int err = 0;

	if (!c->o.servers || !*c->o.servers)
		return fail("client: --servers is missing");
	list = strdup(c->o.servers);
	for (name = strtok_r(list, ",", &rest); name && !err;
	     name = strtok_r(NULL, ",", &rest))
		err = add_server(c, name);
	free(list);
	return err;
}

static void port_init(struct client *c, struct port *p, int index)
{
	pthread_condattr_t monotonic;
	int i;

	p->client = c;
	p->index = index;
	p->max = c->o.client_max / c->o.ports;
	if (p->max < 1 || c->o.unloaded)
		p->max = 1;
	p->num_receivers = c->o.port_receivers ? c->o.port_receivers : 1;
	p->receivers = xcalloc(p->num_receivers, sizeof(*p->receivers));
	for (i = 0; i < p->num_receivers; i++)
		p->receivers[i] = (struct receiver){ .port = p, .index = i };

	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&p->wakeup, &monotonic);
	p->sending = true;
	p->rpcs = xcalloc(p->max, sizeof(*p->rpcs));
	p->free = xcalloc(p->max, sizeof(*p->free));
	for (i = p->max - 1; i >= 0; i--)
		p->free[p->num_free++] = i;
	p->recent = xcalloc(1, sizeof(*p->recent));
}

static void port_free(struct port *p)
{
	int i;

	for (i = 0; i < SIZE_CLASSES; i++) {
		free(p->intended[i]);
		free(p->actual[i]);
	}
	free(p->receivers);
	free(p->rpcs);
	free(p->free);
	free(p->recent);
	free(p->records);
	free(p->samples);
}

/* Options are words of a command line that the caller may reuse. */
static void own_strings(struct client_opts *o)
{
	const char **strings[] = { &o->exp, &o->protocol, &o->servers, &o->workload,
				   &o->json, &o->rpcs };
	size_t i;

	for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		if (*strings[i])
			*strings[i] = strdup(*strings[i]);
}

static void free_strings(struct client_opts *o)
{
	free((void *)o->exp);
	free((void *)o->protocol);
	free((void *)o->servers);
	free((void *)o->workload);
	free((void *)o->json);
	free((void *)o->rpcs);
}

static void destroy(struct client *c)
{
	uint32_t s;
	int i;

	for (i = 0; c->ports && i < c->o.ports; i++)
		port_free(&c->ports[i]);
	for (s = 0; s < c->num_servers; s++)
		free(c->server_names[s]);
	free(c->server_names);
	free(c->servers);
	free(c->ports);
	free(c->exp);
	dist_free(&c->dist);
	free_strings(&c->o);
	if (c->done_fd >= 0)
		close(c->done_fd);
	free(c);
}

int client_free(struct client *c)
{
	int result = c->result;

	destroy(c);
	return result;
}

/* Everything about a client that can be wrong before it touches the network. */
static int prepare(struct client *c)
{
	pthread_condattr_t monotonic;

	if (results_check_new("--json", c->o.json) ||
	    results_check_new("--rpcs", c->o.rpcs))
		return -1;
	c->xport = xport_find(c->o.protocol);
	if (!c->xport)
		return -1;
	if (c->o.no_trunc && c->xport != &xport_tcp && c->xport != &xport_dctcp)
		return fail("--no-trunc: only TCP has longer messages");
	if (c->o.iovec && c->xport != &xport_homa)
		return fail("--iovec: is for Homa");
	if (find_servers(c) ||
	    dist_init_max(&c->dist, c->o.workload,
			  c->o.no_trunc ? STREAM_MAX_SIZE : DIST_MAX_SIZE))
		return -1;
	if (!c->o.first_port)
		c->o.first_port = c->xport->first_port;
	if (!c->o.ports)
		c->o.ports = c->xport->client_ports;
	if (!c->o.server_ports)
		c->o.server_ports = c->xport->server_ports;
	if (c->o.unloaded)
		c->o.ports = 1;
	if (c->o.private && strcmp(c->xport->name, "homa"))
		return fail("--private: %s has no private responses", c->xport->name);
	if (c->o.private && c->o.epoll)
		return fail("--private: epoll tells of no private responses");
	if (c->o.private)
		c->o.port_receivers = 0;
	if (asprintf(&c->exp, "%s_%s", c->o.protocol, c->o.workload) < 0)
		die("out of memory");
	if (c->o.exp) {
		free(c->exp);
		c->exp = strdup(c->o.exp);
	}
	c->session = rng_mix(rng_mix(c->o.seed ^ clock_wall_ns()) ^ c->o.host_id);
	c->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->done_fd < 0)
		return fail("eventfd: %s", strerror(errno));
	pthread_mutex_init(&c->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &monotonic);
	return 0;
}

static int open_ports(struct client *c)
{
	int i;

	c->ports = xcalloc(c->o.ports, sizeof(*c->ports));
	for (i = 0; i < c->o.ports; i++)
		port_init(c, &c->ports[i], i);
	for (i = 0; i < c->o.ports; i++) {
		if (!c->xport->open(&c->ports[i]))
			continue;
		while (i--)
			c->xport->close(&c->ports[i]);
		return -1;
	}
	return 0;
}

static void announce(const struct client *c)
{
	double rate = c->o.gbps * 1e9 / 8 / c->dist.mean;

	log_line("%s client: average message length %.3f KB, rate %.2f K/sec, expected BW %.2f Gbps, %d ports, at most %d outstanding each",
		 c->exp, c->dist.mean / 1000, rate / 1000, c->o.gbps, c->o.ports,
		 c->ports[0].max);
}

static void set_times(struct client *c)
{
	uint64_t now = clock_ns();

	c->start_ns = c->o.start_at ? clock_from_wall(c->o.start_at) : now;
	if (c->start_ns < now) {
		log_line("WARNING: --start-at was %.3f ms ago", (now - c->start_ns) / 1e6);
		c->start_ns = now;
	}
	c->last_ns = c->start_ns;
	c->deadline_ns = UINT64_MAX;
	if (c->o.seconds <= 0)
		return;
	c->end_ns = c->start_ns + c->o.seconds * NS_PER_SEC;
	c->deadline_ns = c->end_ns + c->o.drain * NS_PER_SEC;
}

static void start_thread(pthread_t *thread, void *(*body)(void *), void *arg)
{
	int err = pthread_create(thread, NULL, body, arg);

	if (err)
		die("cannot start a thread: %s", strerror(err));
}

static void start_threads(struct client *c)
{
	struct port *p;
	int i;

	c->busy_ports = c->o.ports;
	for (p = c->ports; p < c->ports + c->o.ports; p++) {
		for (i = 0; i < c->o.port_receivers; i++)
			start_thread(&p->receivers[i].thread, receiver_main,
				     &p->receivers[i]);
		start_thread(&p->sender, sender_main, p);
	}
	start_thread(&c->controller, controller_main, c);
}

struct client *client_start(const struct client_opts *o, struct server_list *local)
{
	struct client *c = xcalloc(1, sizeof(*c));

	c->o = *o;
	c->local = local;
	own_strings(&c->o);
	c->done_fd = -1;
	if (prepare(c) || open_ports(c)) {
		destroy(c);
		return NULL;
	}
	announce(c);
	set_times(c);
	start_threads(c);
	return c;
}
