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
 * @num: bpages, entries of @offsets and @iov
 * @offsets: where they begin in the region
 * @iov: the same, as addresses and lengths
 * @whole: copy in one piece, if homa_data() had to make one
 */
struct homa_space {
	struct homa *homa;
	uint32_t num;
	uint32_t offsets[HOMA_MAX_BPAGES];
	struct iovec iov[HOMA_MAX_BPAGES];
	void *whole;
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
