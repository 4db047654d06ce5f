/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* A Homa socket with its receive region, and whole messages in and out of it.
 * Used by cp_node's transport and by homa_drive.
 */
#ifndef CP_NODE_HOMA_SOCK_H
#define CP_NODE_HOMA_SOCK_H

#include <homa.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "message.h"

struct homa_sock {
	int fd;
	int epfd;			/* -1: recvmsg() waits, not epoll_wait() */
	uint8_t *region;
	size_t length;
	bool pieces;			/* messages are given to the kernel in two pieces */
};

/* Make a socket of @family with a region of @bpages; bound to @port if that isn't 0.
 * Return: 0, or -1 after an error line.
 */
int homa_sock_open(struct homa_sock *s, int family, int port, int bpages);
void homa_sock_close(struct homa_sock *s);

/* Wait by epoll from now on, for messages that any thread may take.
 * Return: 0, or -1 after an error line.
 */
int homa_sock_use_epoll(struct homa_sock *s);

/* Make every recvmsg() on the socket return, now and later. */
void homa_sock_wake(struct homa_sock *s);

/* Wait for a message. @a: what the previous call filled in (zeros for the
 * first), so that its bpages go back; @a->id: 0, or a private RPC to wait for.
 * Return: the length, or -errno with @a->id of the RPC that failed (0: none).
 */
ssize_t homa_sock_recv(struct homa_sock *s, struct homa_recvmsg_args *a,
		       struct sockaddr_storage *from, int flags);

/* Send @m as a request (@a->id 0; set on return) or as the answer to @a->id.
 * @fill: MSG_MAX_SIZE bytes of scratch; may be NULL if @m has no pattern and @s no
 * pieces.
 * Return: 0 or -errno.
 */
int homa_sock_send(struct homa_sock *s, const struct sockaddr_storage *to,
		   struct homa_sendmsg_args *a, const struct msg *m, void *fill);

/* Describe the message of @len bytes that @a says where to find.
 * @check: compare the body with its pattern. Return: whether something is wrong.
 */
bool homa_sock_parse(const struct homa_sock *s, const struct homa_recvmsg_args *a,
		     uint32_t len, struct msg *m, bool check);

#endif
