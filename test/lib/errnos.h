/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* The errnos that each call on a Homa socket may return: those of homa.7,
 * homa_sendmsg.2 and homa_recvmsg.2, and those that the kernel's generic socket
 * code adds before ours is asked. Whatever else comes is a mistake.
 */
#ifndef TEST_LIB_ERRNOS_H
#define TEST_LIB_ERRNOS_H

#include <stdbool.h>

enum errno_call {
	CALL_SOCKET, CALL_BIND, CALL_CONNECT, CALL_SETSOCKOPT,
	CALL_GETSOCKOPT, CALL_SENDMSG, CALL_RECVMSG, CALL_IOCTL,
	CALL_SHUTDOWN, CALL_NAME, CALL_POLL, CALL_SYSCTL,
	CALL_STREAM,
	NUM_CALLS,
};

const char *errno_call_name(enum errno_call call);

/* May @call fail with @err (positive)? */
bool errno_defined(enum errno_call call, int err);

#endif
