/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Messages of more than HOMA_MAX_MESSAGE_LENGTH bytes, for tests. */
#ifndef TEST_LIB_HLARGE_H
#define TEST_LIB_HLARGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "hsock.h"

/**
 * struct hlarge - what one recvmsg() with the longer arguments gave back
 * @args: as the kernel leaves it
 * @rc: message length or -errno
 * @from: sender
 */
struct hlarge {
	struct homa_recvmsg_large_args args;
	ssize_t rc;
	union haddr from;
};

/* SO_HOMA_MAX_MESSAGE; 0 or -errno, and its value or -errno. */
int hsock_set_max(const struct hsock *hs, int length);
int hsock_get_max(const struct hsock *hs);

/* A socket that takes all messages, with a region of @region bytes; a server if
 * @port is not 0.
 */
struct hsock hlarge_open(int ns, int family, int port, size_t region);

/* Receives with room for @room bpages; id 0: any shared message. */
ssize_t hlarge_recv(const struct hsock *hs, struct hlarge *m, uint64_t id,
		    int room, int flags);

/* The same with all room there is, but gives up with -EAGAIN after @ms. */
ssize_t hlarge_recv_within(const struct hsock *hs, struct hlarge *m, int ms);

/* Hands a message's bpages back. */
int hlarge_return(const struct hsock *hs, const struct hlarge *m);

/* True if the message is @want, byte for byte. */
bool hlarge_equal(const struct hsock *hs, const struct hlarge *m, const void *want);

#endif
