// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* The server side of RPCs over TCP.
 *
 * Each port has a listening socket, that its first thread watches, and
 * --port-threads threads with an epoll each, among which the connections are
 * dealt out. A connection belongs to one thread from then on, so its stream
 * needs no lock; port->lock only covers the list of connections.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../lib/die.h"
#include "log.h"
#include "server.h"
#include "stream.h"
#include "tcp.h"

#define BACKLOG 1000

struct tcp_thread {
	int epfd;
	uint8_t buf[TCP_READ_BYTES];
};

struct server_conn {
	struct server_thread *thread;
	struct stream s;
	struct sockaddr_storage from;
	bool armed;			/* waits for room to write */
	struct server_conn *next, **link;
};

struct tcp_listener {
	int fd, wake_fd;
	int accepted;			/* deals connections out to threads */
	pthread_mutex_t lock;
	struct server_conn *conns;
};

static int bind_socket(const struct server_port *p)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(p->number) };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(p->number) };
	const struct server *s = p->server;
	int fd, one = 1;

	fd = socket(s->o.ipv6 ? AF_INET6 : AF_INET,
		    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail("socket: %s", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    (s->o.ipv6 ? bind(fd, (struct sockaddr *)&in6, sizeof(in6)) :
			 bind(fd, (struct sockaddr *)&in, sizeof(in))) ||
	    listen(fd, BACKLOG)) {
		fail("cannot listen on TCP port %d: %s", p->number, strerror(errno));
		close(fd);
		return -1;
	}
	/* Accepted sockets inherit this. */
	if (tcp_tune(fd, s->xport)) {
		close(fd);
		return -1;
	}
	return fd;
}

int tcp_listen(struct server_port *p)
{
	int threads = p->server->o.port_threads, fd = bind_socket(p), i;
	struct tcp_listener *l;
	struct tcp_thread *t;

	if (fd < 0)
		return -1;
	l = xcalloc(1, sizeof(*l));
	p->xp = l;
	l->fd = fd;
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&l->lock, NULL);
	for (i = 0; i < threads; i++) {
		t = xcalloc(1, sizeof(*t));
		p->threads[i].xp = t;
		t->epfd = epoll_create1(EPOLL_CLOEXEC);
		if (t->epfd < 0 || l->wake_fd < 0)
			die("cannot open files: %s", strerror(errno));
		tcp_watch(t->epfd, EPOLL_CTL_ADD, l->wake_fd, EPOLLIN, NULL);
	}
	t = p->threads[0].xp;
	tcp_watch(t->epfd, EPOLL_CTL_ADD, fd, EPOLLIN, l);
	return 0;
}

static void conn_add(struct server_port *p, int fd, const struct sockaddr_storage *from)
{
	struct tcp_listener *l = p->xp;
	struct server_conn *conn = xcalloc(1, sizeof(*conn));
	struct tcp_thread *t;

	conn->thread = &p->threads[l->accepted++ % p->server->o.port_threads];
	conn->from = *from;
	stream_init(&conn->s, fd, p->server->o.verify);
	pthread_mutex_lock(&l->lock);
	conn->next = l->conns;
	conn->link = &l->conns;
	if (conn->next)
		conn->next->link = &conn->next;
	l->conns = conn;
	pthread_mutex_unlock(&l->lock);
	t = conn->thread->xp;
	tcp_watch(t->epfd, EPOLL_CTL_ADD, fd, EPOLLIN, conn);
}

static void conn_close(struct server_conn *conn)
{
	struct tcp_listener *l = conn->thread->port->xp;

	pthread_mutex_lock(&l->lock);
	*conn->link = conn->next;
	if (conn->next)
		conn->next->link = conn->link;
	pthread_mutex_unlock(&l->lock);
	close(conn->s.fd);
	stream_free(&conn->s);
	free(conn);
}

static void accept_all(struct server_port *p)
{
	struct tcp_listener *l = p->xp;
	struct sockaddr_storage from;
	socklen_t len;
	int fd;

	for (;;) {
		len = sizeof(from);
		fd = accept4(l->fd, (struct sockaddr *)&from, &len,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			break;
		conn_add(p, fd, &from);
	}
	if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		log_line("ERROR: accept: %s", strerror(errno));
}

static void conn_request(void *arg, const struct msg *m, bool bad)
{
	struct server_conn *conn = arg;
	struct msg response;

	server_handle(conn->thread, (struct sockaddr *)&conn->from, 0, m, bad, &response);
	stream_queue(&conn->s, &response);
}

/* Write what can be written. Return: 0 or -errno. */
static int conn_flush(struct server_conn *conn)
{
	struct tcp_thread *t = conn->thread->xp;
	int err = stream_flush(&conn->s);
	bool more = err > 0;

	if (more != conn->armed) {
		conn->armed = more;
		tcp_watch(t->epfd, EPOLL_CTL_MOD, conn->s.fd,
			  EPOLLIN | (more ? EPOLLOUT : 0), conn);
	}
	return more ? 0 : err;
}

/* Read once. Return: 0, -errno, or 1 at the end of the stream. */
static int conn_read(struct server_conn *conn)
{
	struct tcp_thread *t = conn->thread->xp;
	ssize_t n = read(conn->s.fd, t->buf, TCP_READ_BYTES);

	int err;

	if (n > 0) {
		err = stream_input(&conn->s, t->buf, n, conn_request, conn);
		tcp_expect(&conn->s);
		return err;
	}
	if (n == 0)
		return 1;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

static void conn_event(struct server_conn *conn, uint32_t events)
{
	bool room = !conn->armed || (events & EPOLLOUT);
	int err = 0;

	if (events & ~EPOLLOUT)
		err = conn_read(conn);
	if (!err && room)
		err = conn_flush(conn);
	if (!err)
		return;
	if (conn->s.queued)
		server_unanswered(conn->thread, err > 0 ? EPIPE : -err);
	if (err == -EPROTO)
		log_line("ERROR: %s server: a client does not speak this protocol",
			 conn->thread->port->server->exp);
	conn_close(conn);
}

void tcp_serve(struct server_thread *thread)
{
	struct epoll_event events[TCP_EVENTS];
	struct tcp_thread *t = thread->xp;
	int n, i;

	for (;;) {
		n = epoll_wait(t->epfd, events, TCP_EVENTS, -1);
		for (i = 0; i < n; i++) {
			if (!events[i].data.ptr)
				return;
			if (events[i].data.ptr == thread->port->xp)
				accept_all(thread->port);
			else
				conn_event(events[i].data.ptr, events[i].events);
		}
	}
}

void tcp_hang_up(struct server_port *p)
{
	struct tcp_listener *l = p->xp;
	uint64_t one = 1;

	if (write(l->wake_fd, &one, sizeof(one)) < 0)
		die("eventfd: %s", strerror(errno));
}

void tcp_unlisten(struct server_port *p)
{
	struct tcp_listener *l = p->xp;
	struct tcp_thread *t;
	int i;

	while (l->conns)
		conn_close(l->conns);
	for (i = 0; i < p->server->o.port_threads; i++) {
		t = p->threads[i].xp;
		close(t->epfd);
		free(t);
	}
	close(l->fd);
	close(l->wake_fd);
	free(l);
}
