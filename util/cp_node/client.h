/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Clients: they offer load and measure.
 *
 * A client has --ports ports. Each port has its own sockets, a thread that
 * sends and --port-receivers threads that receive; none of them spins. A
 * controller thread ends the run, and writes the results.
 *
 *   arrivals --i mod ports--> sender --xport--> ... --> receiver --> port_done()
 *                               \___ at most max outstanding ___/
 *
 * Locks: port->lock covers what it says below. client->lock is taken alone or
 * inside a port's lock. A transport's own locks are never held when port_done() is
 * called.
 */
#ifndef CP_NODE_CLIENT_H
#define CP_NODE_CLIENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "../lib/arrivals.h"
#include "../lib/dist.h"
#include "../lib/hist.h"
#include "message.h"
#include "xport.h"

struct client_opts {
	const char *exp, *protocol, *servers, *workload, *json, *rpcs;
	double gbps, seconds, drain;
	int client_max, ports, port_receivers, server_ports, first_port;
	int buf_bpages, host_id, unloaded;
	int pin, first_server, server_nodes, id;
	bool ipv6, one_way, verify, avoid_backed_up, private, spin, epoll, iovec, no_trunc;
	uint64_t seed, start_at, limit;
};

struct server_list;

/* A request that is under way. */
struct rpc {
	uint64_t number;
	uint64_t id;			/* the transport's, for the results */
	uint32_t size, resp_size;	/* bytes */
	uint32_t server, server_port;	/* indices */
	uint64_t intended_ns, sent_ns;	/* CLOCK_MONOTONIC */
	bool record;			/* counts in the results (warm-up does not) */
	bool busy;
};

/* A request that has ended, for --rpcs. */
struct record {
	uint64_t number, id;
	uint64_t intended_ns, sent_ns, done_ns;	/* after the start */
	uint32_t server, size, resp_size;
	int error;			/* 0, an errno, or UNFINISHED */
};

#define UNFINISHED -1			/* it had no outcome when the run ended, at done_ns */

/* A round trip, for dump_times. */
struct sample {
	uint32_t length;
	uint64_t rtt_ns;
};

#define MAX_SAMPLES 500000		/* kept for each port; the oldest go */
#define SIZE_CLASSES 26			/* class i: sizes from 2^i to 2^(i+1) - 1 */

/* What one port counts, or several together. */
struct counts {
	uint64_t started, done, failed;
	uint64_t unsent;		/* were due, and the run ended before they were sent */
	uint64_t bytes_out, bytes_in;	/* of requests sent; of responses received */
	uint64_t bad;			/* responses with wrong contents */
	uint64_t backed_up;		/* requests queued behind over 100 kB (TCP) */
	uint64_t lag_ns;		/* how late the last request left */
};

struct receiver {
	struct port *port;
	int index;
	pthread_t thread;
	void *xp;			/* the transport's */
};

struct port {
	struct client *client;
	int index;
	int max;			/* most requests outstanding */
	struct receiver *receivers;	/* one more than there are threads if that is 0 */
	int num_receivers;
	pthread_t sender;
	void *xp;			/* the transport's */

	pthread_mutex_t lock;
	pthread_cond_t wakeup;		/* the sender waits for a time or a slot */
	bool wants_slot;		/* the sender waits for a slot */
	bool sending;			/* there may be more requests */
	uint64_t now_ns;		/* the sender's last look at the clock */
	struct rpc *rpcs;		/* max of them */
	int *free;			/* a stack of indices into rpcs */
	int num_free;
	struct counts counts;
	struct hist *recent;		/* since the last statistics line: send to done */
	struct hist *intended[SIZE_CLASSES], *actual[SIZE_CLASSES]; /* may be NULL */
	struct record *records;
	uint64_t num_records, max_records;
	struct sample *samples;		/* a ring once it has MAX_SAMPLES */
	uint64_t num_samples, max_samples;
};

struct client {
	struct client_opts o;
	const struct xport *xport;
	struct server_list *local;	/* the servers of this program */
	char *exp;			/* label */
	struct dist dist;
	char **server_names;
	struct sockaddr_storage *servers; /* all of one family */
	uint32_t num_servers;
	uint16_t session;
	struct port *ports;
	pthread_t controller;
	uint64_t start_ns;		/* CLOCK_MONOTONIC */
	uint64_t end_ns;		/* no request is intended for later; 0: never */
	bool stop_sending;		/* atomic */
	bool trouble_shown;		/* atomic */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t deadline_ns;		/* give up what is outstanding; UINT64_MAX: never */
	int busy_ports;			/* that send, or wait for responses */
	bool finished;
	int done_fd;			/* an eventfd, readable when finished */
	int result;			/* 0; or 1: the results could not be written */

	struct counts last;		/* as of the last statistics line */
	uint64_t last_ns;
	struct client *next;
};

/* Start a client with options @o. @local: servers whose findings belong in the
 * results. Return: NULL after an error line.
 */
struct client *client_start(const struct client_opts *o, struct server_list *local);

/* Send no more, but go on receiving. */
void client_stop_senders(struct client *c);

/* Send no more; what is outstanding has @drain seconds. Doesn't wait. */
void client_stop(struct client *c, double drain);

bool client_finished(struct client *c);

/* Free everything. The controller must have ended. Return: c->result. */
int client_free(struct client *c);

/* Transports report here: @rpc of @port has ended. @error: an errno, or 0 with
 * the response @m, which is not as it should be if @bad. @now: CLOCK_MONOTONIC.
 */
void port_done(struct port *port, struct rpc *rpc, int error,
	       const struct msg *m, bool bad, uint64_t now);

/* A request had to queue behind many bytes of others. */
void port_backed_up(struct port *port);

/* Describe the request for @rpc. */
void client_request(const struct port *port, const struct rpc *rpc, struct msg *m);

/* The address that @rpc goes to. */
struct sockaddr_storage client_address(const struct client *c, uint32_t server,
				       uint32_t server_port);

/* Add the counts of all ports. */
struct counts client_counts(struct client *c);

#endif
