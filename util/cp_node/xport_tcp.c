// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* RPCs over TCP, as well as TCP can do them.
 *
 * Each client port has one connection to each port of each server. A request
 * goes to the server port that the arrival list drew (with --avoid-backed-up to the
 * least loaded one instead, if more than 100 kB are unanswered there).
 * Responses come in the order of the requests, so a connection is a queue of
 * RPCs. The connections of a port are divided among its receivers, each with an
 * epoll. A sender never waits: what the socket does not take is left to the
 * connection's receiver. Long messages are read in large pieces (SO_RCVLOWAT): a
 * program that wakes for every packet has nothing to do on a real host because it is
 * late, but on a simulated one, where it never is, that was most of the cost.
 *
 * Locks: conn->lock covers the output half of its stream and the queue of RPCs.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../lib/clock.h"
#include "../lib/die.h"
#include "client.h"
#include "log.h"
#include "stream.h"
#include "tcp.h"

#define BACKED_UP_BYTES 100000
#define MANY_BYTES 32768		/* worth reading; well below the smallest window */
#define FEW_BYTES 6000			/* not worth a system call to wait for them together */
#define CONNECT_SECONDS 5		/* for a server that starts or is far away */
#define RETRY_NS 10000000

struct tcp_receiver {
	int epfd;
	uint64_t now;			/* when the current data was read; 0: not looked yet */
	uint8_t buf[TCP_READ_BYTES];
};

struct conn {
	struct port *port;
	struct tcp_receiver *rx;	/* reads it, and writes what the sender couldn't */
	struct stream s;

	pthread_mutex_t lock;
	int *waiting;			/* a ring of indices into port->rpcs, port->max long */
	int first, num_waiting;
	uint64_t unanswered;		/* bytes of the requests in it */
	bool armed;			/* rx waits for room */
	int error;			/* an errno: the connection is of no use */
};

struct tcp_port {
	struct conn *conns;		/* server by server */
	int num_conns;
	int wake_fd;
};

int tcp_tune(int fd, const struct xport *xport)
{
	int one = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		return fail("TCP_NODELAY: %s", strerror(errno));
	if (xport == &xport_dctcp &&
	    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "dctcp", 5))
		return fail("TCP_CONGESTION dctcp: %s", strerror(errno));
	return 0;
}

void tcp_watch(int epfd, int op, int fd, uint32_t events, void *ptr)
{
	struct epoll_event e = { .events = events, .data.ptr = ptr };

	if (epoll_ctl(epfd, op, fd, &e))
		die("epoll_ctl: %s", strerror(errno));
}

void tcp_expect(struct stream *s)
{
	int want = stream_missing(s);

	if (want > MANY_BYTES)
		want = MANY_BYTES;
	if (want < FEW_BYTES)
		want = 0;
	if (want == s->lowat)
		return;
	s->lowat = want;
	/* If it fails there are more reads, that is all. */
	setsockopt(s->fd, SOL_SOCKET, SO_RCVLOWAT, &want, sizeof(want));
}

/* One attempt to connect @fd. Return: 0 or -errno. */
static int connect_once(int fd, const struct sockaddr_storage *to, uint64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int64_t left = deadline - clock_ns();
	socklen_t len = sizeof(int);
	int err = 0;

	if (!connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	if (poll(&p, 1, left > 0 ? left / 1000000 : 0) <= 0)
		return -ETIMEDOUT;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	return -err;
}

/* A connected socket, or -errno. Servers may still be starting: be patient. */
static int connect_to(const struct sockaddr_storage *to, const struct xport *xport)
{
	uint64_t deadline = clock_ns() + CONNECT_SECONDS * NS_PER_SEC;
	int fd, err;

	for (;;) {
		fd = socket(to->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
		err = tcp_tune(fd, xport) ? -EINVAL : connect_once(fd, to, deadline);
		if (!err)
			return fd;
		close(fd);
		if (err != -ECONNREFUSED || clock_ns() > deadline)
			return err;
		clock_sleep_until(clock_ns() + RETRY_NS);
	}
}

static int conn_open(struct port *p, struct conn *conn, int index)
{
	struct client *c = p->client;
	int server = index / c->o.server_ports;
	int server_port = index % c->o.server_ports;
	struct sockaddr_storage to = client_address(c, server, server_port);
	int fd = connect_to(&to, c->xport);

	if (fd < 0)
		return fail("cannot connect to %s port %d: %s", c->server_names[server],
			    c->o.first_port + server_port, strerror(-fd));
	conn->port = p;
	conn->rx = p->receivers[index % p->num_receivers].xp;
	conn->waiting = xcalloc(p->max, sizeof(*conn->waiting));
	pthread_mutex_init(&conn->lock, NULL);
	stream_init(&conn->s, fd, c->o.verify);
	tcp_watch(conn->rx->epfd, EPOLL_CTL_ADD, fd, EPOLLIN, conn);
	return 0;
}

static void tcp_close(struct port *p)
{
	struct tcp_port *tp = p->xp;
	struct tcp_receiver *rx;
	int i;

	for (i = 0; i < tp->num_conns; i++) {
		close(tp->conns[i].s.fd);
		stream_free(&tp->conns[i].s);
		free(tp->conns[i].waiting);
	}
	for (i = 0; i < p->num_receivers; i++) {
		rx = p->receivers[i].xp;
		close(rx->epfd);
		free(rx);
	}
	close(tp->wake_fd);
	free(tp->conns);
	free(tp);
}

static int tcp_open(struct port *p)
{
	int n = p->client->num_servers * p->client->o.server_ports, i;
	struct tcp_port *tp = xcalloc(1, sizeof(*tp));
	struct tcp_receiver *rx;

	p->xp = tp;
	tp->conns = xcalloc(n, sizeof(*tp->conns));
	tp->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (i = 0; i < p->num_receivers; i++) {
		rx = xcalloc(1, sizeof(*rx));
		p->receivers[i].xp = rx;
		rx->epfd = epoll_create1(EPOLL_CLOEXEC);
		if (rx->epfd < 0 || tp->wake_fd < 0)
			die("cannot open files: %s", strerror(errno));
		tcp_watch(rx->epfd, EPOLL_CTL_ADD, tp->wake_fd, EPOLLIN, NULL);
	}
	for (; tp->num_conns < n; tp->num_conns++) {
		if (!conn_open(p, &tp->conns[tp->num_conns], tp->num_conns))
			continue;
		tcp_close(p);
		return -1;
	}
	return 0;
}

/* Write what can be written, and wait for room if that isn't all. An error is
 * left to the receiver, which reads it from the socket too. Caller holds the lock.
 */
static void conn_flush(struct conn *conn)
{
	bool more = stream_flush(&conn->s) > 0;

	if (more == conn->armed)
		return;
	conn->armed = more;
	tcp_watch(conn->rx->epfd, EPOLL_CTL_MOD, conn->s.fd,
		  EPOLLIN | (more ? EPOLLOUT : 0), conn);
}

static uint64_t conn_load(struct conn *conn)
{
	uint64_t load;

	pthread_mutex_lock(&conn->lock);
	load = conn->error ? UINT64_MAX : conn->unanswered;
	pthread_mutex_unlock(&conn->lock);
	return load;
}

/* The connection for @rpc: the one that was drawn, unless another should be used. */
static struct conn *conn_for(struct port *p, const struct rpc *rpc)
{
	const struct client_opts *o = &p->client->o;
	struct tcp_port *tp = p->xp;
	struct conn *all = &tp->conns[rpc->server * o->server_ports];
	struct conn *best = &all[rpc->server_port];
	uint64_t least, load;
	int i;

	if (!o->avoid_backed_up)
		return best;
	least = conn_load(best);
	if (least <= BACKED_UP_BYTES)
		return best;
	for (i = 0; i < o->server_ports; i++) {
		load = conn_load(&all[i]);
		if (load < least) {
			least = load;
			best = &all[i];
		}
	}
	return best;
}

static int tcp_send(struct port *p, struct rpc *rpc)
{
	struct conn *conn = conn_for(p, rpc);
	bool backed_up;
	struct msg m;

	client_request(p, rpc, &m);
	pthread_mutex_lock(&conn->lock);
	if (conn->error) {
		pthread_mutex_unlock(&conn->lock);
		return -conn->error;
	}
	backed_up = conn->unanswered > BACKED_UP_BYTES;
	conn->unanswered += rpc->size;
	conn->waiting[(conn->first + conn->num_waiting++) % p->max] = rpc - p->rpcs;
	stream_queue(&conn->s, &m);
	if (!conn->armed)
		conn_flush(conn);
	pthread_mutex_unlock(&conn->lock);
	if (backed_up)
		port_backed_up(p);
	return 0;
}

/* The oldest RPC of @conn, no longer in its queue; NULL if there is none.
 * Caller holds the lock.
 */
static struct rpc *conn_pop(struct conn *conn)
{
	struct port *p = conn->port;
	struct rpc *rpc;

	if (!conn->num_waiting)
		return NULL;
	rpc = &p->rpcs[conn->waiting[conn->first]];
	conn->first = (conn->first + 1) % p->max;
	conn->num_waiting--;
	conn->unanswered -= rpc->size;
	return rpc;
}

/* Give @conn up: all its RPCs fail with @error. */
static void conn_fail(struct conn *conn, int error)
{
	int failed = 0;
	struct rpc *rpc;

	pthread_mutex_lock(&conn->lock);
	conn->error = error;
	epoll_ctl(conn->rx->epfd, EPOLL_CTL_DEL, conn->s.fd, NULL);
	for (rpc = conn_pop(conn); rpc; rpc = conn_pop(conn)) {
		pthread_mutex_unlock(&conn->lock);
		port_done(conn->port, rpc, error, NULL, false, clock_ns());
		failed++;
		pthread_mutex_lock(&conn->lock);
	}
	pthread_mutex_unlock(&conn->lock);
	if (failed)
		log_line("ERROR: %s client: a connection broke, %d requests failed: %s",
			 conn->port->client->exp, failed, strerror(error));
}

static void conn_response(void *arg, const struct msg *m, bool bad)
{
	struct conn *conn = arg;
	struct rpc *rpc;

	pthread_mutex_lock(&conn->lock);
	rpc = conn_pop(conn);
	pthread_mutex_unlock(&conn->lock);
	if (!rpc) {
		log_line("ERROR: %s client: a response without a request",
			 conn->port->client->exp);
		return;
	}
	if (!conn->rx->now)
		conn->rx->now = clock_ns();
	port_done(conn->port, rpc, 0, m, bad || m->size != rpc->resp_size,
		  conn->rx->now);
}

static void conn_read(struct conn *conn)
{
	ssize_t n = read(conn->s.fd, conn->rx->buf, TCP_READ_BYTES);
	int err = 0;

	conn->rx->now = 0;
	if (n > 0)
		err = -stream_input(&conn->s, conn->rx->buf, n, conn_response, conn);
	else if (n == 0)
		err = ECONNRESET;
	else if (errno != EAGAIN && errno != EINTR)
		err = errno;
	if (err)
		conn_fail(conn, err);
	else
		tcp_expect(&conn->s);
}

static int tcp_receive(struct receiver *r)
{
	struct epoll_event events[TCP_EVENTS];
	struct tcp_receiver *rx = r->xp;
	struct conn *conn;
	int n, i;

	n = epoll_wait(rx->epfd, events, TCP_EVENTS, -1);
	for (i = 0; i < n; i++) {
		conn = events[i].data.ptr;
		if (!conn)
			return -1;
		if (events[i].events & EPOLLOUT) {
			pthread_mutex_lock(&conn->lock);
			conn_flush(conn);
			pthread_mutex_unlock(&conn->lock);
		}
		if (events[i].events & ~EPOLLOUT)
			conn_read(conn);
	}
	return 0;
}

static void tcp_wake(struct port *p)
{
	struct tcp_port *tp = p->xp;
	uint64_t one = 1;

	/* It stays readable, so that every receiver sees it. */
	if (write(tp->wake_fd, &one, sizeof(one)) < 0)
		die("eventfd: %s", strerror(errno));
}

#define TCP_OPERATIONS \
	.first_port = 5000, \
	.client_ports = 4, \
	.server_ports = 8, \
	.open = tcp_open, \
	.send = tcp_send, \
	.receive = tcp_receive, \
	.wake = tcp_wake, \
	.close = tcp_close, \
	.listen = tcp_listen, \
	.serve = tcp_serve, \
	.hang_up = tcp_hang_up, \
	.unlisten = tcp_unlisten

const struct xport xport_tcp = { .name = "tcp", TCP_OPERATIONS };
const struct xport xport_dctcp = { .name = "dctcp", TCP_OPERATIONS };
