// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Homa sockets for tests; see hsock.h. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define DEFAULT_REGION (16 << 20)

union haddr haddr_of(int family, const char *ip, int port)
{
	union haddr addr;
	char text[80];
	int ok;

	memset(&addr, 0, sizeof(addr));
	if (family == AF_INET) {
		addr.in4.sin_family = AF_INET;
		addr.in4.sin_port = htons(port);
		ok = inet_pton(AF_INET, ip, &addr.in4.sin_addr);
	} else {
		snprintf(text, sizeof(text), "%s%s",
			 strchr(ip, ':') ? "" : "::ffff:", ip);
		addr.in6.sin6_family = AF_INET6;
		addr.in6.sin6_port = htons(port);
		ok = inet_pton(AF_INET6, text, &addr.in6.sin6_addr);
	}
	ASSERT(ok == 1, "bad address %s", ip);
	return addr;
}

socklen_t haddr_len(const union haddr *addr)
{
	return addr->sa.sa_family == AF_INET ? sizeof(addr->in4) :
					       sizeof(addr->in6);
}

int haddr_port(const union haddr *addr)
{
	return ntohs(addr->sa.sa_family == AF_INET ? addr->in4.sin_port :
						     addr->in6.sin6_port);
}

bool haddr_equal(const union haddr *a, const union haddr *b)
{
	return a->sa.sa_family == b->sa.sa_family &&
	       !memcmp(a, b, haddr_len(a));
}

struct hsock hsock_bare(int ns, int family)
{
	struct hsock hs = { .family = family };
	int old = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	ns_enter(ns);
	hs.fd = socket(family, SOCK_DGRAM, IPPROTO_HOMA);
	ASSERT(hs.fd >= 0, "socket: %s", strerror(errno));
	ns_enter(old);
	close(old);
	return hs;
}

int hsock_set_region(struct hsock *hs, size_t length)
{
	struct homa_rcvbuf_args args;

	hs->region = mmap(NULL, length, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT(hs->region != MAP_FAILED, "mmap: %s", strerror(errno));
	hs->length = length;
	args.start = (uintptr_t)hs->region;
	args.length = length;
	return setsockopt(hs->fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &args,
			  sizeof(args)) ? -errno : 0;
}

struct hsock hsock_sized(int ns, int family, size_t length)
{
	struct hsock hs = hsock_bare(ns, family);

	ASSERT_RC(hsock_set_region(&hs, length), 0);
	return hs;
}

struct hsock hsock_open(int ns, int family)
{
	return hsock_sized(ns, family, DEFAULT_REGION);
}

struct hsock hsock_server(int ns, int family, int port)
{
	struct hsock hs = hsock_open(ns, family);

	ASSERT_RC(hsock_bind(&hs, port), 0);
	return hs;
}

void hsock_close(struct hsock *hs)
{
	close(hs->fd);
	if (hs->region)
		munmap(hs->region, hs->length);
	hs->region = NULL;
}

int hsock_bind(const struct hsock *hs, int port)
{
	union haddr addr = haddr_of(hs->family,
				    hs->family == AF_INET ? "0.0.0.0" : "::",
				    port);

	return bind(hs->fd, &addr.sa, haddr_len(&addr)) ? -errno : 0;
}

int hsock_port(const struct hsock *hs)
{
	union haddr addr;
	socklen_t len = sizeof(addr);

	if (getsockname(hs->fd, &addr.sa, &len))
		return -errno;
	return haddr_port(&addr);
}

int hsock_info(const struct hsock *hs, struct homa_info *info)
{
	return ioctl(hs->fd, HOMAIOCINFO, info) < 0 ? -errno : 0;
}

int hsock_num_rpcs(const struct hsock *hs)
{
	struct homa_info info = { 0 };
	int rc = hsock_info(hs, &info);

	return rc ? rc : (int)info.num_rpcs;
}

int64_t hsock_avail(const struct hsock *hs)
{
	struct homa_info info = { 0 };
	int rc = hsock_info(hs, &info);

	return rc ? rc : (int64_t)info.bpool_avail_bytes;
}

int hsock_abort(const struct hsock *hs, uint64_t id, uint32_t error)
{
	struct homa_abort_args args = { .id = id, .error = error };

	return ioctl(hs->fd, HOMAIOCABORT, &args) < 0 ? -errno : 0;
}

int hsock_sendmsg(const struct hsock *hs, const union haddr *to,
		  const void *buf, size_t len, struct homa_sendmsg_args *args,
		  int flags)
{
	struct iovec iov = { (void *)buf, len };
	struct msghdr mh = {
		.msg_name = (void *)to,
		.msg_namelen = haddr_len(to),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = args,
	};
	ssize_t rc = sendmsg(hs->fd, &mh, flags);

	return rc < 0 ? -errno : (int)rc;
}

static int send_new(const struct hsock *hs, const union haddr *to,
		    const void *buf, size_t len, uint64_t *id, int flags)
{
	struct homa_sendmsg_args args = { .flags = flags };
	int rc = hsock_sendmsg(hs, to, buf, len, &args, 0);

	*id = args.id;
	return rc;
}

int hsock_request(const struct hsock *hs, const union haddr *to,
		  const void *buf, size_t len, uint64_t *id)
{
	return send_new(hs, to, buf, len, id, 0);
}

int hsock_private(const struct hsock *hs, const union haddr *to,
		  const void *buf, size_t len, uint64_t *id)
{
	return send_new(hs, to, buf, len, id, HOMA_SENDMSG_PRIVATE);
}

int hsock_reply(const struct hsock *hs, const union haddr *to, uint64_t id,
		const void *buf, size_t len)
{
	struct homa_sendmsg_args args = { .id = id };

	return hsock_sendmsg(hs, to, buf, len, &args, 0);
}

ssize_t hsock_recvmsg(const struct hsock *hs, struct hmsg *m, int flags)
{
	struct msghdr mh = {
		.msg_name = &m->from,
		.msg_namelen = sizeof(m->from),
		.msg_control = &m->args,
		.msg_controllen = sizeof(m->args),
	};

	memset(&m->from, 0xa5, sizeof(m->from));
	m->rc = recvmsg(hs->fd, &mh, flags);
	if (m->rc < 0)
		m->rc = -errno;
	m->namelen = mh.msg_namelen;
	m->controllen = mh.msg_controllen;
	m->flags = mh.msg_flags;
	return m->rc;
}

ssize_t hsock_recv(const struct hsock *hs, struct hmsg *m, uint64_t id,
		   int flags)
{
	memset(&m->args, 0, sizeof(m->args));
	m->args.id = id;
	return hsock_recvmsg(hs, m, flags);
}

bool readable_within(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1;
}

ssize_t hsock_recv_within(const struct hsock *hs, struct hmsg *m, uint64_t id,
			  int ms)
{
	int64_t end = now_ms() + ms;

	for (;;) {
		/* Private responses are not visible to poll. */
		if (!id)
			readable_within(hs->fd, ms < 0 ? 0 : ms);
		if (hsock_recv(hs, m, id, MSG_DONTWAIT) != -EAGAIN)
			return m->rc;
		if (now_ms() >= end)
			return -EAGAIN;
		sleep_ms(1);
	}
}

int hsock_return(const struct hsock *hs, const struct hmsg *m)
{
	struct hmsg back = { .args = m->args };
	ssize_t rc;

	/* An id that no RPC has: the pages are taken, no message is given. */
	back.args.id = ~1ULL;
	rc = hsock_recvmsg(hs, &back, MSG_DONTWAIT);
	return rc == -EINVAL ? 0 : (int)rc;
}

static inline uint8_t payload_byte(size_t offset, uint32_t seed)
{
	uint32_t x = (uint32_t)(offset >> 2) * 2654435761u ^ seed;

	x ^= x >> 15;
	x *= 2246822519u;
	return x >> (8 * (offset & 3));
}

void payload_fill(void *buf, size_t len, uint32_t seed)
{
	uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		p[i] = payload_byte(i, seed);
}

bool payload_ok(const struct hsock *hs, const struct hmsg *m, uint32_t seed)
{
	for (ssize_t i = 0; i < m->rc; i++) {
		size_t at = m->args.bpage_offsets[i / HOMA_BPAGE_SIZE] +
			    i % HOMA_BPAGE_SIZE;

		if (at >= hs->length ||
		    (uint8_t)hs->region[at] != payload_byte(i, seed))
			return false;
	}
	return true;
}

void payload_gather(const struct hsock *hs, const struct hmsg *m, void *buf)
{
	ssize_t done = 0, n;

	while (done < m->rc) {
		n = m->rc - done;
		if (n > HOMA_BPAGE_SIZE)
			n = HOMA_BPAGE_SIZE;
		memcpy((char *)buf + done, hs->region +
		       m->args.bpage_offsets[done / HOMA_BPAGE_SIZE], n);
		done += n;
	}
}

int round_trip(const struct hsock *hs, const union haddr *to, size_t len,
	       uint32_t seed, int ms)
{
	char *buf = malloc(len);
	struct hmsg m;
	uint64_t id;
	int rc;

	payload_fill(buf, len, seed);
	rc = hsock_request(hs, to, buf, len, &id);
	free(buf);
	if (rc)
		return rc;
	rc = hsock_recv_within(hs, &m, 0, ms);
	if (rc < 0)
		return rc;
	if ((size_t)rc != len || m.args.id != id || !payload_ok(hs, &m, seed))
		return -EBADMSG;
	return hsock_return(hs, &m);
}
