// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Which errnos are defined; see errnos.h. */

#include <errno.h>
#include <stddef.h>

#include "errnos.h"

#define MOST 24
/* From the choice of a route. */
#define ROUTE ENETUNREACH, EHOSTUNREACH, EACCES, EPERM, ENETDOWN, ENODEV, \
	      EINVAL

static const struct {
	const char *name;
	int errs[MOST];
} calls[NUM_CALLS] = {
	[CALL_SOCKET] = { "socket",
		{ EADDRNOTAVAIL, EMFILE, ENFILE, EINVAL, EAFNOSUPPORT,
		  EPROTONOSUPPORT, ESOCKTNOSUPPORT, EPERM, ENOMEM, ENOBUFS } },
	[CALL_BIND] = { "bind",
		{ EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EFAULT, EINVAL,
		  ESHUTDOWN, ENOMEM } },
	[CALL_CONNECT] = { "connect",
		{ ROUTE, EAFNOSUPPORT, EFAULT, EADDRNOTAVAIL, ENOMEM, ENOBUFS } },
	/* The second line: SOL_SOCKET. */
	[CALL_SETSOCKOPT] = { "setsockopt",
		{ EFAULT, EINVAL, ENOPROTOOPT, EPERM,
		  EBADF, EDOM, ENODEV, ENOENT, EOPNOTSUPP, ENOTSUP, EACCES, ENOMEM, ENOBUFS } },
	[CALL_GETSOCKOPT] = { "getsockopt",
		{ EFAULT, EINVAL, ENOPROTOOPT, ENOTCONN, EOPNOTSUPP,
		  ENODEV, ENOENT, ERANGE, ENODATA, EACCES, ESRCH, ENOMEM, ENOBUFS } },
	[CALL_SENDMSG] = { "sendmsg",
		{ ROUTE, EADDRNOTAVAIL, EAFNOSUPPORT, EAGAIN, EFAULT, EINTR,
		  ESHUTDOWN, EMSGSIZE, ENOBUFS, ENOMEM } },
	[CALL_RECVMSG] = { "recvmsg",
		{ EACCES, EAGAIN, EFAULT, EHOSTUNREACH, EINTR, EINVAL,
		  ENOTCONN, EPROTONOSUPPORT, ESHUTDOWN, ETIMEDOUT, EMSGSIZE,
		  ENOMEM } },
	[CALL_IOCTL] = { "ioctl",
		{ EFAULT, EINVAL, EPERM, ESHUTDOWN, ENOMEM } },
	[CALL_SHUTDOWN] = { "shutdown", { EINVAL } },
	[CALL_NAME] = { "getsockname", { EFAULT, EINVAL, ENOTCONN } },
	[CALL_POLL] = { "poll", { EINTR, EINVAL, EFAULT, ENOMEM } },
	[CALL_SYSCTL] = { "write to a setting", { EINVAL, EPERM, EFAULT, ENOMEM } },
	/* What Homa sockets do not have. */
	[CALL_STREAM] = { "accept, listen, mmap, read, write",
		{ EOPNOTSUPP, EINVAL, ENODEV, EFAULT, ESPIPE, EACCES, EAGAIN,
		  EINTR, ESHUTDOWN, ENOMEM } },
};

const char *errno_call_name(enum errno_call call)
{
	return calls[call].name;
}

bool errno_defined(enum errno_call call, int err)
{
	const int *errs = calls[call].errs;

	for (int i = 0; i < MOST && errs[i]; i++)
		if (errs[i] == err)
			return true;
	return false;
}
