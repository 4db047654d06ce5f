/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Homa sockets for tests: every call with every argument in the open.
 *
 * Calls return what the system call returned, or -errno.
 */
#ifndef TEST_LIB_HSOCK_H
#define TEST_LIB_HSOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "homa.h"

union haddr {
	struct sockaddr sa;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
	struct sockaddr_storage storage;
};

/**
 * struct hsock - a socket and its receive region
 * @fd: descriptor
 * @family: AF_INET or AF_INET6
 * @region: receive region, NULL if it has none
 * @length: size of @region, in bytes
 */
struct hsock {
	int fd;
	int family;
	char *region;
	size_t length;
};

/**
 * struct hmsg - what one recvmsg() was given and gave back
 * @args: in and out, as the kernel leaves it
 * @rc: message length or -errno
 * @from: sender
 * @namelen: msg_namelen afterwards
 * @controllen: msg_controllen afterwards
 * @flags: msg_flags afterwards
 */
struct hmsg {
	struct homa_recvmsg_args args;
	ssize_t rc;
	union haddr from;
	socklen_t namelen;
	size_t controllen;
	int flags;
};

/* Fills an address from text; @ip may be an IPv4 address for AF_INET6, which
 * then is mapped. Exits if it cannot be parsed.
 */
union haddr haddr_of(int family, const char *ip, int port);
socklen_t haddr_len(const union haddr *addr);
int haddr_port(const union haddr *addr);
bool haddr_equal(const union haddr *a, const union haddr *b);

/* Opens a socket in namespace @ns without / with a receive region of 16 MB
 * or @length bytes. Exits if that fails: the test cannot go on.
 */
struct hsock hsock_bare(int ns, int family);
struct hsock hsock_open(int ns, int family);
struct hsock hsock_sized(int ns, int family, size_t length);
struct hsock hsock_server(int ns, int family, int port);
void hsock_close(struct hsock *hs);

int hsock_set_region(struct hsock *hs, size_t length);
int hsock_bind(const struct hsock *hs, int port);
int hsock_port(const struct hsock *hs);
int hsock_info(const struct hsock *hs, struct homa_info *info);
int hsock_num_rpcs(const struct hsock *hs);
int64_t hsock_avail(const struct hsock *hs);
int hsock_abort(const struct hsock *hs, uint64_t id, uint32_t error);

/* Sends whatever @args says; writes back into it. */
int hsock_sendmsg(const struct hsock *hs, const union haddr *to,
		  const void *buf, size_t len, struct homa_sendmsg_args *args,
		  int flags);

/* Sends a request; sets *@id. */
int hsock_request(const struct hsock *hs, const union haddr *to,
		  const void *buf, size_t len, uint64_t *id);
int hsock_private(const struct hsock *hs, const union haddr *to,
		  const void *buf, size_t len, uint64_t *id);
int hsock_reply(const struct hsock *hs, const union haddr *to, uint64_t id,
		const void *buf, size_t len);

/* Receives with the arguments that @m->args holds; returns @m->rc. */
ssize_t hsock_recvmsg(const struct hsock *hs, struct hmsg *m, int flags);

/* Receives a message; id 0 for any shared one. No bpages are handed back. */
ssize_t hsock_recv(const struct hsock *hs, struct hmsg *m, uint64_t id,
		   int flags);

/* The same, but gives up with -EAGAIN after @ms milliseconds. */
ssize_t hsock_recv_within(const struct hsock *hs, struct hmsg *m, uint64_t id,
			  int ms);

/* Hands a message's bpages back, without receiving another one. That the
 * kernel took them shows in hsock_avail() only.
 */
int hsock_return(const struct hsock *hs, const struct hmsg *m);

/* Payloads: the byte at each offset depends on @seed and the offset only. */
void payload_fill(void *buf, size_t len, uint32_t seed);
bool payload_ok(const struct hsock *hs, const struct hmsg *m, uint32_t seed);

/* Copies a message out of the region. */
void payload_gather(const struct hsock *hs, const struct hmsg *m, void *buf);

/* True if descriptor is readable within @ms. */
bool readable_within(int fd, int ms);

/**
 * struct echoer - a thread that answers every request with its own bytes
 * @hs: its socket
 * @served: requests answered
 * @delay_us: how long an answer takes; may be set at any time
 */
struct echoer {
	struct hsock hs;
	int served;
	int delay_us;
	unsigned long thread;
};

/* Starts echoing on @port of namespace @ns; it runs until the socket is shut
 * down or the process ends.
 */
void echoer_start(struct echoer *e, int ns, int family, int port);
void echoer_stop(struct echoer *e);

/* One round trip to @to of @len bytes with verification; 0 or -errno. */
int round_trip(const struct hsock *hs, const union haddr *to, size_t len,
	       uint32_t seed, int ms);

#endif
