// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "../../util/lib/die.h"
#include "transport.h"

#define BPAGES 1000			/* of a receive region: 65 MB */
#define MAX_UDP 65507
#define UDP_QUEUE (8 << 20)		/* of a socket: all outstanding datagrams fit, and
					 * what the kernel adds to each
					 */

static struct sockaddr_in any_address(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
}

static int open_socket(int type)
{
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket: %s", strerror(errno));
	return fd;
}

static void bind_to(int fd, int port)
{
	struct sockaddr_in a = any_address(port);

	if (bind(fd, (struct sockaddr *)&a, sizeof(a)))
		die("port %d: %s", port, strerror(errno));
}

static void set_option(int fd, int level, int name, int value, const char *what)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		die("%s: %s", what, strerror(errno));
}

/* ---- Homa ---- */

static void homa_listen(struct endpoint *e, int port)
{
	e->sockets = 1;
	e->homa = xcalloc(1, sizeof(*e->homa));
	if (homa_sock_open(&e->homa->sock, AF_INET, port, BPAGES))
		die("no server over Homa");
}

static void homa_connect(struct endpoint *e)
{
	int i;

	e->homa = xcalloc(e->sockets, sizeof(*e->homa));
	for (i = 0; i < e->sockets; i++)
		if (homa_sock_open(&e->homa[i].sock, AF_INET, 0, BPAGES))
			die("no client over Homa");
}

static void homa_send(struct homa_end *end, const struct sockaddr_storage *to, uint64_t id,
		      struct iovec *v, int n)
{
	struct homa_sendmsg_args a = { .id = id };
	struct msghdr h = {
		.msg_name = (void *)to, .msg_namelen = sizeof(struct sockaddr_in),
		.msg_iov = v, .msg_iovlen = n, .msg_control = &a,
	};

	if (sendmsg(end->sock.fd, &h, 0) < 0)
		die("Homa, sendmsg: %s", strerror(errno));
}

static uint32_t homa_receive(struct homa_end *end, struct sockaddr_storage *from)
{
	ssize_t n;

	end->in.id = 0;
	n = homa_sock_recv(&end->sock, &end->in, from, 0);
	if (n < 0)
		die("Homa, recvmsg: %s", strerror(-n));
	return n;
}

static void homa_serve(struct endpoint *e)
{
	struct iovec v[HOMA_MAX_BPAGES];
	struct homa_end *end = e->homa;
	struct sockaddr_storage from;
	size_t left;
	uint32_t i;

	left = homa_receive(end, &from);
	for (i = 0; i < end->in.num_bpages; i++) {
		v[i].iov_base = end->sock.region + end->in.bpage_offsets[i];
		v[i].iov_len = left < HOMA_BPAGE_SIZE ? left : HOMA_BPAGE_SIZE;
		left -= v[i].iov_len;
	}
	homa_send(end, &from, end->in.id, v, i);
}

static bool homa_request(struct endpoint *e, uint32_t size)
{
	struct sockaddr_storage to = e->to;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&to;
	struct iovec v = { e->buf, size };

	v4->sin_addr.s_addr = htonl(ntohl(v4->sin_addr.s_addr) + e->turn % e->peers);
	homa_send(&e->homa[e->turn++ % e->sockets], &to, 0, &v, 1);
	return true;
}

/* With several sockets there is one RPC at a time. */
static uint32_t homa_response(struct endpoint *e)
{
	return homa_receive(&e->homa[(e->turn - 1) % e->sockets], NULL);
}

/* ---- TCP ---- */

static void tcp_listen(struct endpoint *e, int port)
{
	e->fd = -1;
	e->listener = open_socket(SOCK_STREAM);
	set_option(e->listener, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
	bind_to(e->listener, port);
	if (listen(e->listener, 1))
		die("listen: %s", strerror(errno));
}

static void tcp_connect(struct endpoint *e)
{
	e->fd = open_socket(SOCK_STREAM);
	set_option(e->fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
	if (connect(e->fd, (struct sockaddr *)&e->to, sizeof(struct sockaddr_in)))
		die("connect: %s", strerror(errno));
}

/* Read @len bytes to @to. Return: whether they came before the connection ended. */
static bool tcp_read(int fd, void *to, size_t len)
{
	ssize_t n;

	for (; len; to = (uint8_t *)to + n, len -= n) {
		n = read(fd, to, len);
		if (n < 0)
			die("TCP, read: %s", strerror(errno));
		if (!n)
			return false;
	}
	return true;
}

/* Read a message to @e->buf. Return: its length; 0 when the connection ended. */
static uint32_t tcp_receive(struct endpoint *e)
{
	uint32_t len;

	if (!tcp_read(e->fd, &len, FRAME_BYTES))
		return 0;
	if (len > HOMA_MAX_MESSAGE_LENGTH)
		die("TCP: a message of %u bytes", len);
	return tcp_read(e->fd, e->buf + FRAME_BYTES, len) ? len : 0;
}

/* Write what is left of a message. Return: whether it is gone, which it is not if
 * writing would block and there is something to read.
 */
static bool tcp_flush(struct endpoint *e)
{
	struct pollfd either = { e->fd, POLLIN | POLLOUT, 0 };
	ssize_t n;

	while (e->left) {
		n = send(e->fd, e->at, e->left,
			 MSG_NOSIGNAL | (e->pipelined ? MSG_DONTWAIT : 0));
		if (n >= 0) {
			e->at += n;
			e->left -= n;
			continue;
		}
		if (errno != EAGAIN)
			die("TCP, send: %s", strerror(errno));
		if (poll(&either, 1, -1) < 0)
			die("poll: %s", strerror(errno));
		if (either.revents & POLLIN)
			return false;
	}
	return true;
}

static bool tcp_send(struct endpoint *e, uint32_t size)
{
	if (!e->left) {
		memcpy(e->buf, &size, FRAME_BYTES);
		e->at = e->buf;
		e->left = size + FRAME_BYTES;
	}
	return tcp_flush(e);
}

static void tcp_serve(struct endpoint *e)
{
	uint32_t len;

	if (e->fd < 0) {
		e->fd = accept(e->listener, NULL, NULL);
		if (e->fd < 0)
			die("accept: %s", strerror(errno));
		set_option(e->fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
	}
	len = tcp_receive(e);
	if (len) {
		tcp_send(e, len);
		return;
	}
	close(e->fd);
	e->fd = -1;
}

/* ---- UDP ---- */

static void udp_connect(struct endpoint *e)
{
	e->fd = open_socket(SOCK_DGRAM);
	set_option(e->fd, SOL_SOCKET, SO_RCVBUFFORCE, UDP_QUEUE, "SO_RCVBUFFORCE");
	set_option(e->fd, SOL_SOCKET, SO_SNDBUFFORCE, UDP_QUEUE, "SO_SNDBUFFORCE");
}

static void udp_listen(struct endpoint *e, int port)
{
	udp_connect(e);
	bind_to(e->fd, port);
}

static uint32_t udp_receive(struct endpoint *e, struct sockaddr_storage *from)
{
	socklen_t len = sizeof(*from);
	ssize_t n = recvfrom(e->fd, e->buf, MAX_UDP, 0, (struct sockaddr *)from, &len);

	if (n < 0)
		die("recvfrom: %s", strerror(errno));
	return n;
}

static void udp_send(struct endpoint *e, const struct sockaddr_storage *to, uint32_t size)
{
	if (sendto(e->fd, e->buf, size, 0, (struct sockaddr *)to,
		   sizeof(struct sockaddr_in)) < 0)
		die("sendto: %s", strerror(errno));
}

static void udp_serve(struct endpoint *e)
{
	struct sockaddr_storage from;
	uint32_t len = udp_receive(e, &from);

	udp_send(e, &from, len);
}

static bool udp_request(struct endpoint *e, uint32_t size)
{
	udp_send(e, &e->to, size);
	return true;
}

static uint32_t udp_response(struct endpoint *e)
{
	struct sockaddr_storage from;

	return udp_receive(e, &from);
}

static const struct transport transports[] = {
	{ "homa", HOMA_MAX_MESSAGE_LENGTH, homa_listen, homa_serve, homa_connect,
	  homa_request, homa_response },
	{ "tcp", HOMA_MAX_MESSAGE_LENGTH, tcp_listen, tcp_serve, tcp_connect,
	  tcp_send, tcp_receive },
	{ "udp", MAX_UDP, udp_listen, udp_serve, udp_connect, udp_request, udp_response },
};

const struct transport *transport_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(transports) / sizeof(transports[0]); i++)
		if (!strcmp(transports[i].name, name))
			return &transports[i];
	die("%s: not a protocol: homa, tcp or udp", name);
}
