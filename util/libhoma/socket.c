// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Opening and closing, and what can be asked about a socket. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "socket.h"

/* Room for two of the longest messages. */
#define REGION_DEFAULT (2UL * HOMA_MAX_LARGE_LENGTH)
/* Room for the longest ordinary message, however many bpages are spare. */
#define REGION_MIN (4UL << 20)

/* The kernel wants a bpage for each core, and room for messages besides. */
static size_t region_length(size_t wanted)
{
	size_t length = wanted ? wanted : REGION_DEFAULT;
	long cores = sysconf(_SC_NPROCESSORS_CONF);

	if (length < REGION_MIN)
		length = REGION_MIN;
	length += (cores > 0 ? cores : 1) * (size_t)HOMA_BPAGE_SIZE;
	return (length + HOMA_BPAGE_SIZE - 1) & ~(size_t)(HOMA_BPAGE_SIZE - 1);
}

/* Pages that no message has touched yet take no memory. */
static int region_map(struct homa *homa, size_t wanted)
{
	struct homa_rcvbuf_args args = { .length = region_length(wanted) };
	void *region;

	region = mmap(NULL, args.length, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (region == MAP_FAILED)
		return -errno;
	homa->region = region;
	homa->length = args.length;
	args.start = (uintptr_t)region;
	if (setsockopt(homa->fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &args, sizeof(args)))
		return -errno;
	return 0;
}

static int bind_port(const struct homa *homa, int port)
{
	union homa_addr addr = { .in4.sin_port = htons(port) };	/* for both families */

	if (!port)
		return 0;
	addr.sa.sa_family = homa->family;
	if (bind(homa->fd, &addr.sa, homa_address_length(homa->family)))
		return -errno;
	return 0;
}

/* Messages of any length; kernels that know nothing of it have shorter ones only. */
static void allow_large(struct homa *homa)
{
	int length = HOMA_MAX_LARGE_LENGTH;

	homa->large = !setsockopt(homa->fd, IPPROTO_HOMA, SO_HOMA_MAX_MESSAGE, &length,
				  sizeof(length));
}

static int set_up(struct homa *homa, int port, size_t region, int flags)
{
	int type = SOCK_DGRAM | SOCK_CLOEXEC;
	int err;

	if (flags & HOMA_NONBLOCK)
		type |= SOCK_NONBLOCK;
	homa->fd = socket(homa->family, type, IPPROTO_HOMA);
	if (homa->fd < 0)
		return -errno;
	err = region_map(homa, region);
	allow_large(homa);
	return err ? err : bind_port(homa, port);
}

int homa_open(struct homa **result, int family, int port, size_t region, int flags)
{
	struct homa *homa;
	int err;

	*result = NULL;
	if (flags & ~HOMA_NONBLOCK || port < 0 || port > 0xffff ||
	    region > (1ULL << 32) - (1ULL << 28))
		return -EINVAL;
	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	homa = calloc(1, sizeof(*homa));
	if (!homa)
		return -ENOMEM;
	homa->family = family;
	homa->open = 1;
	homa->refs = 1;
	pthread_mutex_init(&homa->lock, NULL);
	err = set_up(homa, port, region, flags);
	if (err) {
		homa_close(homa);
		return err;
	}
	*result = homa;
	return 0;
}

void homa_put(struct homa *homa)
{
	unsigned int left;

	pthread_mutex_lock(&homa->lock);
	left = --homa->refs;
	pthread_mutex_unlock(&homa->lock);
	if (left)
		return;
	if (homa->region)
		munmap(homa->region, homa->length);
	pthread_mutex_destroy(&homa->lock);
	free(homa);
}

void homa_close(struct homa *homa)
{
	if (!homa)
		return;
	pthread_mutex_lock(&homa->lock);
	homa->open = 0;
	pthread_mutex_unlock(&homa->lock);
	if (homa->fd >= 0)
		close(homa->fd);
	homa_put(homa);
}

int homa_shutdown(struct homa *homa)
{
	return shutdown(homa->fd, SHUT_RDWR) ? -errno : 0;
}

int homa_fd(const struct homa *homa)
{
	return homa->fd;
}

int homa_port(const struct homa *homa)
{
	socklen_t length = sizeof(union homa_addr);
	union homa_addr addr;

	if (getsockname(homa->fd, &addr.sa, &length))
		return -errno;
	return ntohs(addr.in4.sin_port);	/* of both families */
}

/* What getaddrinfo(3) says, as an errno. */
static int lookup_error(int error)
{
	switch (error) {
	case EAI_SYSTEM:
		return -errno;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_AGAIN:
		return -EAGAIN;
	case EAI_FAMILY:
		return -EAFNOSUPPORT;
	default:
		return -ENOENT;
	}
}

int homa_address(const struct homa *homa, const char *host, int port,
		 union homa_addr *addr)
{
	/* An IPv6 socket reaches hosts of IPv4 by mapped addresses. */
	struct addrinfo hints = {
		.ai_family = homa->family,
		.ai_socktype = SOCK_DGRAM,
		.ai_flags = homa->family == AF_INET6 ? AI_V4MAPPED : 0,
	};
	struct addrinfo *found;
	int error;

	if (port < 1 || port > 0xffff)
		return -EINVAL;
	error = getaddrinfo(host, NULL, &hints, &found);
	if (error)
		return lookup_error(error);
	memset(addr, 0, sizeof(*addr));
	memcpy(addr, found->ai_addr, homa_address_length(homa->family));
	freeaddrinfo(found);
	addr->in4.sin_port = htons(port);	/* of both families */
	return 0;
}

int homa_reason(const struct homa *homa, char *text, size_t size)
{
	struct homa_info info = { .rpc_info = 0 };

	if (ioctl(homa->fd, HOMAIOCINFO, &info))
		return -errno;
	snprintf(text, size, "%s", info.error_msg);
	return 0;
}

const char *homa_version(void)
{
	return LIBHOMA_VERSION;
}
