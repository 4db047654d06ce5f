/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Servers: they answer each request with as many bytes (message.h), and with
 * --verify check what is in it and that it has not been executed before.
 */
#ifndef CP_NODE_SERVER_H
#define CP_NODE_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "../lib/seen.h"
#include "message.h"
#include "xport.h"

struct server_opts {
	const char *exp, *protocol, *json;
	int ports, port_threads, first_port, buf_bpages, pin;
	bool ipv6, verify, epoll, iovec;
};

/* Written by one thread and read by others, so always through count_add() and
 * count_read().
 */
struct server_counts {
	uint64_t requests, bytes_in, bytes_out;
	uint64_t bad;			/* requests with wrong contents */
	uint64_t repeated;		/* requests that had been executed before */
	uint64_t unanswered;		/* responses that could not be sent */
};

struct server_thread {
	struct server_port *port;
	int index;
	pthread_t thread;
	void *xp;			/* the transport's */
	struct server_counts counts;
	uint64_t last_requests;		/* as of the last statistics line */
};

struct server_port {
	struct server *server;
	int index;
	int number;			/* what it listens on */
	struct server_thread *threads;
	void *xp;			/* the transport's */
};

struct server {
	struct server_opts o;
	const struct xport *xport;
	struct server_list *list;
	char *exp;
	struct server_port *ports;
	struct server_counts last;
	uint64_t last_ns;

	pthread_mutex_t lock;
	struct seen seen;		/* requests executed, under lock */
	struct server *next;
};

/* The servers of this program. The threads of clients read the counts. */
struct server_list {
	pthread_mutex_t lock;
	struct server *first;
	struct server_counts gone;	/* of servers that were stopped */
};

/* Start a server with options @o and put it first in @list.
 * Return: NULL after an error line.
 */
struct server *server_start(const struct server_opts *o, struct server_list *list);

/* What all of them counted, with those that were stopped. */
struct server_counts server_list_counts(struct server_list *list);

/* Stop @s, write the results if there is a file for them, free it.
 * Return: 0, or -1 after an error line.
 */
int server_free(struct server *s);

/* Transports bring each request here and then send @response.
 * @id: the transport's number for the request; 0 if it has none
 */
void server_handle(struct server_thread *t, const struct sockaddr *from, uint64_t id,
		   const struct msg *request, bool bad, struct msg *response);

/* A response could not be sent. */
void server_unanswered(struct server_thread *t, int error);

struct server_counts server_counts(const struct server *s);

static inline void count_add(uint64_t *count, uint64_t n)
{
	__atomic_store_n(count, *count + n, __ATOMIC_RELAXED);
}

static inline uint64_t count_read(const uint64_t *count)
{
	return __atomic_load_n(count, __ATOMIC_RELAXED);
}

#endif
