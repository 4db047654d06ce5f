/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* The system calls that move messages. */
#ifndef _HOMA_SENDMSG_H
#define _HOMA_SENDMSG_H

#include <linux/socket.h>

struct socket;

int homa_sendmsg(struct socket *sock, struct msghdr *msg, size_t length);
int homa_recvmsg(struct socket *sock, struct msghdr *msg, size_t length,
		 int flags);

#endif /* _HOMA_SENDMSG_H */
