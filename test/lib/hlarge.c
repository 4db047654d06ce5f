// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Messages of more than HOMA_MAX_MESSAGE_LENGTH bytes; see hlarge.h. */

#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "hlarge.h"
#include "ktap.h"
#include "ns.h"

int hsock_set_max(const struct hsock *hs, int length)
{
	return setsockopt(hs->fd, IPPROTO_HOMA, SO_HOMA_MAX_MESSAGE, &length,
			  sizeof(length)) ? -errno : 0;
}

int hsock_get_max(const struct hsock *hs)
{
	socklen_t size = sizeof(int);
	int length;

	return getsockopt(hs->fd, IPPROTO_HOMA, SO_HOMA_MAX_MESSAGE, &length,
			  &size) ? -errno : length;
}

struct hsock hlarge_open(int ns, int family, int port, size_t region)
{
	struct hsock hs = hsock_sized(ns, family, region);

	ASSERT_RC(hsock_set_max(&hs, HOMA_MAX_LARGE_LENGTH), 0);
	if (port)
		ASSERT_RC(hsock_bind(&hs, port), 0);
	return hs;
}

static ssize_t call(const struct hsock *hs, struct hlarge *m, int room, int flags)
{
	struct msghdr mh = {
		.msg_name = &m->from,
		.msg_namelen = sizeof(m->from),
		.msg_control = &m->args,
		.msg_controllen = HOMA_RECVMSG_ARGS_SIZE(room),
	};

	m->rc = recvmsg(hs->fd, &mh, flags);
	if (m->rc < 0)
		m->rc = -errno;
	return m->rc;
}

ssize_t hlarge_recv(const struct hsock *hs, struct hlarge *m, uint64_t id,
		    int room, int flags)
{
	memset(&m->args, 0xa5, sizeof(m->args));
	m->args.id = id;
	m->args.num_bpages = 0;
	m->args.reserved = 0;
	return call(hs, m, room, flags);
}

ssize_t hlarge_recv_within(const struct hsock *hs, struct hlarge *m, int ms)
{
	int64_t end = now_ms() + ms;

	do {
		readable_within(hs->fd, 10);
		hlarge_recv(hs, m, 0, HOMA_MAX_LARGE_BPAGES, MSG_DONTWAIT);
	} while (m->rc == -EAGAIN && now_ms() < end);
	return m->rc;
}

int hlarge_return(const struct hsock *hs, const struct hlarge *m)
{
	struct hlarge back = { .args = m->args };
	ssize_t rc;

	/* An id that no RPC has: the pages are taken, no message is given. */
	back.args.id = ~1ULL;
	rc = call(hs, &back, HOMA_MAX_LARGE_BPAGES, MSG_DONTWAIT);
	return rc == -EINVAL ? 0 : (int)rc;
}

bool hlarge_equal(const struct hsock *hs, const struct hlarge *m, const void *want)
{
	const char *next = want;
	ssize_t left = m->rc;

	for (uint32_t i = 0; i < m->args.num_bpages; i++) {
		uint32_t at = m->args.bpage_offsets[i];
		ssize_t n = left < HOMA_BPAGE_SIZE ? left : HOMA_BPAGE_SIZE;

		if (n <= 0 || at + (size_t)n > hs->length ||
		    memcmp(hs->region + at, next, n))
			return false;
		next += n;
		left -= n;
	}
	return !left;
}
