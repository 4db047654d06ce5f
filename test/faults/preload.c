// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* For programs that run while the module's allocations and copies fail at random
 * (LD_PRELOAD): what a Homa socket returns must be an errno that is defined for the
 * call, else a line goes to the file named by FAULTS_LOG.
 *
 * A call that was refused memory is made again a few times, so that a program
 * gets further than to its first refusal. A response is not: its RPC is over.
 */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "errnos.h"
#include "homa.h"

#define TRIES 12
#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

/* Errnos that programs have given to HOMAIOCABORT, which recvmsg may return. */
static _Bool asked_for[4096];

static bool is_homa(int fd)
{
	int protocol = 0, err = errno;
	socklen_t len = sizeof(protocol);
	bool is = !REAL(getsockopt)(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) &&
		  protocol == IPPROTO_HOMA;

	errno = err;
	return is;
}

static void complain(const char *what, int err)
{
	const char *path = getenv("FAULTS_LOG");
	char line[200];
	int fd, len;

	len = snprintf(line, sizeof(line), "%s: %s: %s\n",
		       program_invocation_short_name, what, strerrorname_np(err));
	fd = open(path ? path : "/dev/stderr", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
		  0666);
	if (fd < 0 || write(fd, line, len) != len)
		abort();
	close(fd);
	errno = err;
}

/* Looks at what a call on a Homa socket has returned, and returns it. */
static long judged(enum errno_call call, int fd, long rc)
{
	int err = errno;

	if (rc >= 0 || !is_homa(fd) || errno_defined(call, err) ||
	    (call == CALL_RECVMSG && err < 4096 && asked_for[err]))
		return rc;
	complain(errno_call_name(call), err);
	return rc;
}

static bool is_refusal(long rc)
{
	return rc < 0 && (errno == ENOMEM || errno == ENOBUFS || errno == EFAULT);
}

#define SEVERAL_TIMES(call) ({						\
	long rc_;							\
	int tries_ = TRIES;						\
	do {								\
		rc_ = (call);						\
	} while (is_refusal(rc_) && --tries_);				\
	rc_;								\
})

int unshare(int flags)
{
	return SEVERAL_TIMES(REAL(unshare)(flags));
}

int socket(int family, int type, int protocol)
{
	int fd = SEVERAL_TIMES(REAL(socket)(family, type, protocol));

	if (fd < 0 && protocol == IPPROTO_HOMA && !errno_defined(CALL_SOCKET, errno))
		complain("socket", errno);
	return fd;
}

int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	return judged(CALL_BIND, fd, SEVERAL_TIMES(REAL(bind)(fd, addr, len)));
}

int connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return judged(CALL_CONNECT, fd, SEVERAL_TIMES(REAL(connect)(fd, addr, len)));
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	return judged(CALL_SETSOCKOPT, fd,
		      SEVERAL_TIMES(REAL(setsockopt)(fd, level, name, value, len)));
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	socklen_t size = *len;

	return judged(CALL_GETSOCKOPT, fd, SEVERAL_TIMES((*len = size,
		      REAL(getsockopt)(fd, level, name, value, len))));
}

int ioctl(int fd, unsigned long command, ...)
{
	const struct homa_abort_args *abort_args;
	va_list args;
	void *arg;

	va_start(args, command);
	arg = va_arg(args, void *);
	va_end(args);
	abort_args = arg;
	if (command == HOMAIOCABORT && (uintptr_t)arg > 4096 && is_homa(fd) &&
	    abort_args->error < 4096)
		asked_for[abort_args->error] = true;
	return judged(CALL_IOCTL, fd, SEVERAL_TIMES(REAL(ioctl)(fd, command, arg)));
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	const struct homa_sendmsg_args *args = msg->msg_control;
	bool request = (uintptr_t)args > 4096 && !msg->msg_controllen && is_homa(fd) &&
		       !args->id;

	if (!request)
		return judged(CALL_SENDMSG, fd, REAL(sendmsg)(fd, msg, flags));
	return judged(CALL_SENDMSG, fd, SEVERAL_TIMES(REAL(sendmsg)(fd, msg, flags)));
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	return judged(CALL_RECVMSG, fd, REAL(recvmsg)(fd, msg, flags));
}
