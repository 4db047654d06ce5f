// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../lib/die.h"
#include "homa_sock.h"

#define FIRST_PIECE 20

static socklen_t address_length(int family)
{
	return family == AF_INET ? sizeof(struct sockaddr_in) :
				   sizeof(struct sockaddr_in6);
}

/* Print @what failed with the present errno, and why as the module tells it.
 * Return: -1.
 */
static int fail_why(int fd, const char *what, int number)
{
	struct homa_info info = { .rpc_info = 0 };
	int err = errno;

	if (ioctl(fd, HOMAIOCINFO, &info))
		info.error_msg[0] = 0;
	return fail("%s %d: %s%s%s", what, number, strerror(err),
		    info.error_msg[0] ? ": " : "", info.error_msg);
}

static int bind_port(int fd, int family, int port)
{
	struct sockaddr_storage a = { .ss_family = family };

	if (family == AF_INET)
		((struct sockaddr_in *)&a)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)&a)->sin6_port = htons(port);
	if (bind(fd, (struct sockaddr *)&a, address_length(family)))
		return fail_why(fd, "cannot bind Homa port", port);
	return 0;
}

static int set_region(struct homa_sock *s, int bpages)
{
	struct homa_rcvbuf_args a = { .length = (uint64_t)bpages << HOMA_BPAGE_SHIFT };

	s->region = mmap(NULL, a.length, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->region == MAP_FAILED) {
		s->region = NULL;
		return fail("cannot map %llu bytes of receive region: %s",
			    (unsigned long long)a.length, strerror(errno));
	}
	s->length = a.length;
	a.start = (uintptr_t)s->region;
	if (setsockopt(s->fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &a, sizeof(a)))
		return fail_why(s->fd, "SO_HOMA_RCVBUF: number of bpages", bpages);
	return 0;
}

int homa_sock_open(struct homa_sock *s, int family, int port, int bpages)
{
	memset(s, 0, sizeof(*s));
	s->epfd = -1;
	s->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_HOMA);
	if (s->fd < 0)
		return fail("cannot create a Homa socket: %s%s", strerror(errno),
			    errno == EPROTONOSUPPORT ? " (is homa.ko loaded?)" : "");
	if ((port && bind_port(s->fd, family, port)) || set_region(s, bpages)) {
		homa_sock_close(s);
		return -1;
	}
	return 0;
}

int homa_sock_use_epoll(struct homa_sock *s)
{
	struct epoll_event readable = { .events = EPOLLIN };

	s->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epfd < 0 || epoll_ctl(s->epfd, EPOLL_CTL_ADD, s->fd, &readable))
		return fail("cannot wait for a Homa socket by epoll: %s", strerror(errno));
	return 0;
}

void homa_sock_close(struct homa_sock *s)
{
	if (s->epfd >= 0)
		close(s->epfd);
	close(s->fd);
	if (s->region)
		munmap(s->region, s->length);
}

void homa_sock_wake(struct homa_sock *s)
{
	shutdown(s->fd, SHUT_RDWR);
}

ssize_t homa_sock_recv(struct homa_sock *s, struct homa_recvmsg_args *a,
		       struct sockaddr_storage *from, int flags)
{
	struct msghdr h = {
		.msg_name = from,
		.msg_namelen = from ? sizeof(*from) : 0,
		.msg_control = a,
		.msg_controllen = sizeof(*a),
	};
	struct epoll_event event;
	ssize_t n;

	for (;;) {
		if (s->epfd >= 0 && epoll_wait(s->epfd, &event, 1, -1) < 0)
			return -errno;
		n = recvmsg(s->fd, &h, s->epfd >= 0 ? flags | MSG_DONTWAIT : flags);
		if (n >= 0)
			return n;
		/* The bpages went back although nothing came. */
		a->num_bpages = 0;
		/* Another thread may have taken what made the socket readable. */
		if (errno != EAGAIN || s->epfd < 0)
			return -errno;
	}
}

int homa_sock_send(struct homa_sock *s, const struct sockaddr_storage *to,
		   struct homa_sendmsg_args *a, const struct msg *m, void *fill)
{
	struct iovec v[2] = { { (void *)m->head, m->size }, { NULL, 0 } };
	struct msghdr h = {
		.msg_name = (void *)to,
		.msg_namelen = address_length(to->ss_family),
		.msg_iov = v,
		.msg_iovlen = 1,
		.msg_control = a,
	};

	if (s->pieces && m->size > FIRST_PIECE) {
		msg_fill(m, 0, fill, m->patterned ? m->size : FIRST_PIECE);
		v[0] = (struct iovec){ fill, FIRST_PIECE };
		v[1].iov_base = m->patterned ? (uint8_t *)fill + FIRST_PIECE :
					       (uint8_t *)msg_zeros;
		v[1].iov_len = m->size - FIRST_PIECE;
		h.msg_iovlen = 2;
	} else if (m->size > MSG_HEAD && m->patterned) {
		msg_fill(m, 0, fill, m->size);
		v[0].iov_base = fill;
	} else if (m->size > MSG_HEAD) {
		v[0].iov_len = MSG_HEAD;
		v[1] = (struct iovec){ (void *)msg_zeros, m->size - MSG_HEAD };
		h.msg_iovlen = 2;
	}
	while (sendmsg(s->fd, &h, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

bool homa_sock_parse(const struct homa_sock *s, const struct homa_recvmsg_args *a,
		     uint32_t len, struct msg *m, bool check)
{
	uint32_t start, n, i;
	bool bad;

	*m = (struct msg){ .size = len };
	if (!len || !a->num_bpages)
		return true;
	memcpy(m->head, s->region + a->bpage_offsets[0], len < MSG_HEAD ? len : MSG_HEAD);
	bad = !msg_parse(m);
	for (i = 0; check && !bad && i < a->num_bpages; i++) {
		start = i << HOMA_BPAGE_SHIFT;
		n = len - start < HOMA_BPAGE_SIZE ? len - start : HOMA_BPAGE_SIZE;
		bad = !msg_check(m, start, s->region + a->bpage_offsets[i], n);
	}
	return bad;
}
