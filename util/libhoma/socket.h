/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What the files of libhoma know of each other. */
#ifndef LIBHOMA_SOCKET_H
#define LIBHOMA_SOCKET_H

#include <pthread.h>
#include <stdatomic.h>

#include "libhoma.h"

/**
 * struct homa - a socket and its receive region
 * @fd: descriptor
 * @family: AF_INET or AF_INET6
 * @region: where messages arrive
 * @length: size of @region, in bytes
 * @large: the kernel takes struct homa_recvmsg_large_args
 * @waiting: threads that may be asleep in recvmsg(2); grows under @lock
 * @lock: guards what follows
 * @open: @fd is ours still
 * @refs: one while it is open, and one for each struct homa_space
 * @num_spare: entries of @spare
 * @spare: bpages that nobody needs any more, to go back with the next recvmsg(2)
 */
struct homa {
	int fd;
	int family;
	char *region;
	size_t length;
	int large;
	atomic_int waiting;
	pthread_mutex_t lock;
	int open;
	unsigned int refs;
	uint32_t num_spare;
	uint32_t spare[HOMA_MAX_BPAGES];
};

/**
 * struct homa_space - where a message lies
 * @homa: whose region it is
 * @whole: copy in one piece, if homa_data() had to make one
 * @num: bpages, entries of @iov
 * @args: what recvmsg(2) said: where they begin in the region
 * @iov: the same, as addresses and lengths
 *
 * It has room for the longest message, though most use the first few entries.
 */
struct homa_space {
	struct homa *homa;
	void *whole;
	uint32_t num;
	struct homa_recvmsg_large_args args;
	struct iovec iov[HOMA_MAX_LARGE_BPAGES];
};

/* Bytes in an address of @family. */
static inline socklen_t homa_address_length(int family)
{
	return family == AF_INET ? sizeof(struct sockaddr_in) :
				   sizeof(struct sockaddr_in6);
}

/* Drop a reference. */
void homa_put(struct homa *homa);

#endif /* LIBHOMA_SOCKET_H */
