/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* libhoma: requests and responses over Homa sockets; see libhoma(3).
 *
 * The library owns the memory where messages arrive and hands it back to the kernel.
 * Nothing is hidden in between: no thread, no queue, no signal handler. Whatever
 * poll(2) says about homa_fd() holds for homa_recv().
 *
 * Every function that can fail returns a negative errno, and errno itself means
 * nothing afterwards. None is restarted after a signal. All but homa_open() and
 * homa_close() may be called by several threads at once; a struct homa_msg belongs
 * to one thread at a time.
 */
#ifndef LIBHOMA_H
#define LIBHOMA_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <homa.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LIBHOMA_VERSION "1.0.0"

/* A socket and its receive region. */
struct homa;

union homa_addr {
	struct sockaddr sa;
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;
};

/* Flags of homa_open(). */
#define HOMA_NONBLOCK 1

/* Flags of homa_sendv(), besides MSG_DONTWAIT: only homa_wait() gets the response. */
#define HOMA_PRIVATE 0x1000000

/**
 * struct homa_msg - a message received, or an RPC that failed
 * @id: of the RPC; 0: there is none
 * @cookie: the request's, if this is its response (or why there is none)
 * @length: of the message, in bytes
 * @iov: the message, in pieces of 64 kB but for the last
 * @iovcnt: entries of @iov
 * @is_request: an answer is wanted: homa_reply()
 * @peer: who sent it, or whose RPC has failed
 * @space: belongs to the library
 *
 * All zeros before its first use: HOMA_MSG_INIT. Whatever it held is given back when
 * it takes the next message, or by homa_release().
 */
struct homa_msg {
	uint64_t id;
	uint64_t cookie;
	size_t length;
	const struct iovec *iov;
	int iovcnt;
	int is_request;
	union homa_addr peer;
	struct homa_space *space;
};

#ifdef __cplusplus
#define HOMA_MSG_INIT {}
#else
#define HOMA_MSG_INIT { 0 }
#endif

int homa_open(struct homa **result, int family, int port, size_t region, int flags);
void homa_close(struct homa *homa);
int homa_shutdown(struct homa *homa);
int homa_fd(const struct homa *homa);
int homa_port(const struct homa *homa);
int homa_address(const struct homa *homa, const char *host, int port,
		 union homa_addr *addr);
int homa_reason(const struct homa *homa, char *text, size_t size);
const char *homa_version(void);

int homa_send(struct homa *homa, const struct sockaddr *to, const void *data,
	      size_t length, uint64_t cookie, uint64_t *id);
int homa_sendv(struct homa *homa, const struct sockaddr *to, const struct iovec *iov,
	       int iovcnt, uint64_t cookie, int flags, uint64_t *id);
int homa_reply(struct homa *homa, const struct homa_msg *request, const void *data,
	       size_t length);
int homa_replyv(struct homa *homa, const struct homa_msg *request,
		const struct iovec *iov, int iovcnt);
int homa_abort(struct homa *homa, uint64_t id, int error);

ssize_t homa_recv(struct homa *homa, struct homa_msg *msg, int flags);
ssize_t homa_wait(struct homa *homa, uint64_t id, struct homa_msg *msg, int flags);
ssize_t homa_invoke(struct homa *homa, const struct sockaddr *to, const void *data,
		    size_t length, struct homa_msg *response);
ssize_t homa_invokev(struct homa *homa, const struct sockaddr *to,
		     const struct iovec *iov, int iovcnt, struct homa_msg *response);

void *homa_data(struct homa_msg *msg);
size_t homa_copy(const struct homa_msg *msg, size_t offset, void *to, size_t length);
void homa_release(struct homa_msg *msg);

#ifdef __cplusplus
}
#endif

#endif /* LIBHOMA_H */
