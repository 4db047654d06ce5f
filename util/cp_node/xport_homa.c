// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* RPCs over Homa sockets.
 *
 * A client port is one socket; its receivers wait in recvmsg() for shared responses.
 * The completion cookie says which slot a response belongs to, and carries
 * the request's number as well, so that a stale or wrong cookie is noticed. bpages go back with
 * the next recvmsg().
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/clock.h"
#include "../lib/die.h"
#include "../../tt/user/ttrec.h"
#include "client.h"
#include "homa_sock.h"
#include "log.h"
#include "server.h"

#define SLOT_BITS 16

struct homa_port {
	struct homa_sock sock;
	uint8_t *fill;			/* scratch of the sender */
	uint64_t private;		/* the request that the sender waits for; 0: any */
};

/* A thread that receives; a server's one also sends. */
struct homa_thread {
	struct homa_recvmsg_args args;
	uint8_t *fill;
};

/* What records show of an id, on both hosts. */
static uint32_t trace_id(uint64_t id)
{
	return (uint32_t)id & ~1u;
}

static int homa_open(struct port *p)
{
	struct client *c = p->client;
	struct homa_port *hp;
	int i;

	if (p->max > 1 << SLOT_BITS)
		return fail("--client-max: Homa takes at most %d a port", 1 << SLOT_BITS);
	hp = xcalloc(1, sizeof(*hp));
	if (homa_sock_open(&hp->sock, c->servers[0].ss_family, 0, c->o.buf_bpages)) {
		free(hp);
		return -1;
	}
	if (c->o.epoll && homa_sock_use_epoll(&hp->sock)) {
		homa_sock_close(&hp->sock);
		free(hp);
		return -1;
	}
	hp->sock.pieces = c->o.iovec;
	if (c->o.verify || c->o.iovec)
		hp->fill = xcalloc(1, MSG_MAX_SIZE);
	for (i = 0; i < p->num_receivers; i++)
		p->receivers[i].xp = xcalloc(1, sizeof(struct homa_thread));
	p->xp = hp;
	return 0;
}

static void homa_close(struct port *p)
{
	struct homa_port *hp = p->xp;
	int i;

	homa_sock_close(&hp->sock);
	for (i = 0; i < p->num_receivers; i++)
		free(p->receivers[i].xp);
	free(hp->fill);
	free(hp);
}

static int homa_send(struct port *p, struct rpc *rpc)
{
	struct sockaddr_storage to = client_address(p->client, rpc->server, rpc->server_port);
	struct homa_sendmsg_args a = {
		.completion_cookie = rpc->number << SLOT_BITS | (rpc - p->rpcs),
		.flags = p->client->o.private ? HOMA_SENDMSG_PRIVATE : 0,
	};
	struct homa_port *hp = p->xp;
	uint32_t size = rpc->size;
	struct msg m;
	int err;

	rpc->id = 0;			/* until the response tells */
	client_request(p, rpc, &m);
	err = homa_sock_send(&hp->sock, &to, &a, &m, hp->fill);
	if (p->client->o.private)
		hp->private = err ? 0 : a.id;
	ttrec("client sent request, id %u length %u error %d", trace_id(a.id), size, err);
	return err;
}

/* The RPC that @cookie was given for; NULL if there is no such one. */
static struct rpc *find_rpc(struct port *p, uint64_t cookie)
{
	uint64_t slot = cookie & ((1 << SLOT_BITS) - 1);
	struct rpc *rpc = &p->rpcs[slot];

	if (slot >= (uint64_t)p->max || !rpc->busy ||
	    rpc->number != cookie >> SLOT_BITS) {
		log_line("ERROR: %s client: no request has cookie %#llx",
			 p->client->exp, (unsigned long long)cookie);
		return NULL;
	}
	return rpc;
}

static int homa_receive(struct receiver *r)
{
	struct homa_thread *t = r->xp;
	struct port *p = r->port;
	struct homa_port *hp = p->xp;
	struct rpc *rpc;
	uint64_t now;
	struct msg m;
	ssize_t n;
	bool bad;

	t->args.id = hp->private;
	n = homa_sock_recv(&hp->sock, &t->args, NULL, 0);
	if (n == -ESHUTDOWN)
		return -1;
	if (n == -EINTR)
		return 0;
	if (n < 0 && !t->args.id)
		die("recvmsg: %s", strerror(-n));
	rpc = find_rpc(p, t->args.completion_cookie);
	if (!rpc)
		return 0;
	rpc->id = t->args.id;
	ttrec("client has response, id %u result %d", trace_id(rpc->id), (int)n);
	if (n < 0) {
		port_done(p, rpc, -n, NULL, false, clock_ns());
		return 0;
	}
	/* Before the contents are checked: that takes time of its own. */
	now = clock_ns();
	bad = homa_sock_parse(&hp->sock, &t->args, n, &m, p->client->o.verify);
	port_done(p, rpc, 0, &m, bad || n != rpc->resp_size, now);
	return 0;
}

static void homa_wake(struct port *p)
{
	struct homa_port *hp = p->xp;

	homa_sock_wake(&hp->sock);
}

static int homa_listen(struct server_port *p)
{
	const struct server_opts *o = &p->server->o;
	struct homa_sock *sock = xcalloc(1, sizeof(*sock));
	struct homa_thread *t;
	int i;

	if (homa_sock_open(sock, o->ipv6 ? AF_INET6 : AF_INET, p->number, o->buf_bpages)) {
		free(sock);
		return -1;
	}
	if (o->epoll && homa_sock_use_epoll(sock)) {
		homa_sock_close(sock);
		free(sock);
		return -1;
	}
	sock->pieces = o->iovec;
	for (i = 0; i < o->port_threads; i++) {
		t = xcalloc(1, sizeof(*t));
		t->fill = xcalloc(1, MSG_MAX_SIZE);
		p->threads[i].xp = t;
	}
	p->xp = sock;
	return 0;
}

static void homa_serve(struct server_thread *thread)
{
	struct homa_sock *sock = thread->port->xp;
	bool verify = thread->port->server->o.verify, bad;
	struct homa_thread *t = thread->xp;
	struct homa_sendmsg_args reply;
	struct sockaddr_storage from;
	struct msg m, response;
	ssize_t n;
	int err;

	for (;;) {
		t->args.id = 0;
		n = homa_sock_recv(sock, &t->args, &from, 0);
		if (n == -ESHUTDOWN)
			return;
		if (n == -EINTR)
			continue;
		if (n < 0)
			die("recvmsg: %s", strerror(-n));
		ttrec("server has request, id %u length %u", trace_id(t->args.id), (uint32_t)n);
		bad = homa_sock_parse(sock, &t->args, n, &m, verify);
		server_handle(thread, (struct sockaddr *)&from, t->args.id, &m, bad,
			      &response);
		reply = (struct homa_sendmsg_args){ .id = t->args.id };
		err = homa_sock_send(sock, &from, &reply, &response, t->fill);
		ttrec("server sent response, id %u length %u error %d", trace_id(reply.id),
		      response.size, err);
		if (err && err != -ESHUTDOWN)
			server_unanswered(thread, -err);
	}
}

static void homa_hang_up(struct server_port *p)
{
	homa_sock_wake(p->xp);
}

static void homa_unlisten(struct server_port *p)
{
	struct homa_thread *t;
	int i;

	homa_sock_close(p->xp);
	for (i = 0; i < p->server->o.port_threads; i++) {
		t = p->threads[i].xp;
		free(t->fill);
		free(t);
	}
	free(p->xp);
}

const struct xport xport_homa = {
	.name = "homa",
	.first_port = 4000,
	.client_ports = 1,
	.server_ports = 1,
	.open = homa_open,
	.send = homa_send,
	.receive = homa_receive,
	.wake = homa_wake,
	.close = homa_close,
	.listen = homa_listen,
	.serve = homa_serve,
	.hang_up = homa_hang_up,
	.unlisten = homa_unlisten,
};
