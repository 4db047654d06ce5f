// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Datagrams that are answered: what the kernel's sockets cost without any transport,
 * a floor for the others. A datagram that is lost ends its request when the run
 * ends; messages have 16 to 65507 bytes, or they have no number or no room.
 *
 * A client port is one socket; its receivers wait in recvfrom().
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/clock.h"
#include "../lib/die.h"
#include "client.h"
#include "log.h"
#include "server.h"

#define UDP_MOST 65507
#define UDP_BUFFER (16 << 20)		/* asked for; the kernel may give less */

struct udp_port {
	int fd;
	bool woken;			/* atomic: receivers return */
};

static int udp_socket(int family, int port)
{
	struct sockaddr_storage any = { .ss_family = family };
	int size = UDP_BUFFER, off = 0;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return fail("socket: %s", strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
		((struct sockaddr_in6 *)&any)->sin6_port = htons(port);
	} else {
		((struct sockaddr_in *)&any)->sin_port = htons(port);
	}
	if (bind(fd, (struct sockaddr *)&any, sizeof(any))) {
		fail("cannot bind UDP port %d: %s", port, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

static struct udp_port *udp_make(int family, int port)
{
	int fd = udp_socket(family, port);
	struct udp_port *u;

	if (fd < 0)
		return NULL;
	u = xcalloc(1, sizeof(*u));
	u->fd = fd;
	return u;
}

/* A shut down socket wakes its readers, who then see why. */
static void udp_stop(struct udp_port *u)
{
	__atomic_store_n(&u->woken, true, __ATOMIC_RELEASE);
	shutdown(u->fd, SHUT_RDWR);
}

static void udp_free(struct udp_port *u)
{
	close(u->fd);
	free(u);
}

/* Receive a datagram into @buf, of UDP_MOST bytes.
 * Return: its length; 0 if there is none; -1 after udp_stop().
 */
static ssize_t udp_recv(struct udp_port *u, uint8_t *buf, struct sockaddr_storage *from)
{
	socklen_t length = sizeof(*from);
	ssize_t n = recvfrom(u->fd, buf, UDP_MOST, 0, (struct sockaddr *)from, &length);

	if (__atomic_load_n(&u->woken, __ATOMIC_ACQUIRE))
		return -1;
	/* ECONNREFUSED: an ICMP message about what was sent before. */
	if (n < 0 && errno != EINTR && errno != ECONNREFUSED)
		die("recvfrom: %s", strerror(errno));
	return n < 0 ? 0 : n;
}

/* Describe the message of @n bytes in @buf. Return: whether something is wrong. */
static bool udp_parse(struct msg *m, const uint8_t *buf, ssize_t n, bool check)
{
	m->size = n;
	memset(m->head, 0, sizeof(m->head));
	memcpy(m->head, buf, n < MSG_HEAD ? n : MSG_HEAD);
	if (!msg_parse(m))
		return true;
	return check && n > MSG_HEAD && !msg_check(m, MSG_HEAD, buf + MSG_HEAD, n - MSG_HEAD);
}

static int udp_sendto(struct udp_port *u, const struct sockaddr_storage *to, const struct msg *m,
		      uint8_t *fill)
{
	socklen_t length = to->ss_family == AF_INET ? sizeof(struct sockaddr_in) :
			   sizeof(struct sockaddr_in6);

	msg_fill(m, 0, fill, m->size);
	if (sendto(u->fd, fill, m->size, 0, (const struct sockaddr *)to, length) < 0)
		return -errno;
	return 0;
}

static int udp_open(struct port *p)
{
	const struct dist *d = &p->client->dist;
	uint32_t least = d->points[0].size, most = d->points[d->num_points - 1].size;
	int i;

	if (least < MSG_HEAD || most > UDP_MOST)
		return fail("--protocol udp takes messages of %d to %d bytes; %s has %u to %u",
			    MSG_HEAD, UDP_MOST, d->name, least, most);
	p->xp = udp_make(p->client->servers[0].ss_family, 0);
	if (!p->xp)
		return -1;
	for (i = 0; i < p->num_receivers; i++)
		p->receivers[i].xp = xcalloc(1, UDP_MOST);
	return 0;
}

static void udp_close(struct port *p)
{
	int i;

	udp_free(p->xp);
	for (i = 0; i < p->num_receivers; i++)
		free(p->receivers[i].xp);
}

static int udp_send(struct port *p, struct rpc *rpc)
{
	struct sockaddr_storage to = client_address(p->client, rpc->server, rpc->server_port);
	uint8_t fill[UDP_MOST];
	struct msg m;

	rpc->id = 0;
	client_request(p, rpc, &m);
	return udp_sendto(p->xp, &to, &m, fill);
}

/* The RPC that a response with header @h is for; NULL if it is late or not ours. */
static struct rpc *udp_find(struct port *p, const struct msg_header *h)
{
	int i;

	if (h->session != p->client->session)
		return NULL;
	for (i = 0; i < p->max; i++)
		if (p->rpcs[i].busy && (uint32_t)p->rpcs[i].number == h->number)
			return &p->rpcs[i];
	return NULL;
}

static int udp_receive(struct receiver *r)
{
	struct sockaddr_storage from;
	struct port *p = r->port;
	struct msg_header h;
	struct rpc *rpc;
	uint64_t now;
	struct msg m;
	ssize_t n;
	bool bad;

	n = udp_recv(p->xp, r->xp, &from);
	if (n <= 0)
		return n;
	now = clock_ns();
	bad = udp_parse(&m, r->xp, n, p->client->o.verify);
	h = msg_header(&m);
	rpc = udp_find(p, &h);
	if (rpc)
		port_done(p, rpc, 0, &m, bad || n != rpc->resp_size, now);
	return 0;
}

static void udp_wake(struct port *p)
{
	udp_stop(p->xp);
}

static int udp_listen(struct server_port *p)
{
	p->xp = udp_make(p->server->o.ipv6 ? AF_INET6 : AF_INET, p->number);
	return p->xp ? 0 : -1;
}

static void udp_serve(struct server_thread *thread)
{
	bool verify = thread->port->server->o.verify, bad;
	struct udp_port *u = thread->port->xp;
	uint8_t buf[UDP_MOST], fill[UDP_MOST];
	struct sockaddr_storage from;
	struct msg m, response;
	ssize_t n;
	int err;

	while ((n = udp_recv(u, buf, &from)) >= 0) {
		if (n < MSG_HEAD)
			continue;
		bad = udp_parse(&m, buf, n, verify);
		server_handle(thread, (struct sockaddr *)&from, 0, &m, bad, &response);
		err = udp_sendto(u, &from, &response, fill);
		if (err)
			server_unanswered(thread, -err);
	}
}

static void udp_hang_up(struct server_port *p)
{
	udp_stop(p->xp);
}

static void udp_unlisten(struct server_port *p)
{
	udp_free(p->xp);
}

const struct xport xport_udp = {
	.name = "udp",
	.first_port = 6000,
	.client_ports = 1,
	.server_ports = 1,
	.open = udp_open,
	.send = udp_send,
	.receive = udp_receive,
	.wake = udp_wake,
	.close = udp_close,
	.listen = udp_listen,
	.serve = udp_serve,
	.hang_up = udp_hang_up,
	.unlisten = udp_unlisten,
};
