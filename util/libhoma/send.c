// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Requests, responses, and giving up. */
#include <errno.h>
#include <string.h>

#include "socket.h"

/* sendmsg(2), which returns nothing that its caller does not know. */
static int transmit(struct homa *homa, const struct sockaddr *to,
		    const struct iovec *iov, int iovcnt,
		    struct homa_sendmsg_args *args, int flags)
{
	struct msghdr msg = {
		.msg_name = (void *)to,
		.msg_namelen = to ? homa_address_length(to->sa_family) : 0,
		.msg_iov = (void *)iov,
		.msg_iovlen = iovcnt,
		.msg_control = args,		/* msg_controllen must be 0 */
	};

	return sendmsg(homa->fd, &msg, flags) < 0 ? -errno : 0;
}

int homa_sendv(struct homa *homa, const struct sockaddr *to, const struct iovec *iov,
	       int iovcnt, uint64_t cookie, int flags, uint64_t *id)
{
	struct homa_sendmsg_args args = { .completion_cookie = cookie };
	int err;

	if (flags & ~(HOMA_PRIVATE | MSG_DONTWAIT))
		return -EINVAL;
	if (flags & HOMA_PRIVATE)
		args.flags = HOMA_SENDMSG_PRIVATE;
	err = transmit(homa, to, iov, iovcnt, &args, flags & MSG_DONTWAIT);
	if (!err && id)
		*id = args.id;
	return err;
}

int homa_send(struct homa *homa, const struct sockaddr *to, const void *data,
	      size_t length, uint64_t cookie, uint64_t *id)
{
	struct iovec iov = { (void *)data, length };

	return homa_sendv(homa, to, &iov, 1, cookie, 0, id);
}

int homa_replyv(struct homa *homa, const struct homa_msg *request,
		const struct iovec *iov, int iovcnt)
{
	struct homa_sendmsg_args args = { .id = request->id };

	if (!request->is_request)
		return -EINVAL;
	return transmit(homa, &request->peer.sa, iov, iovcnt, &args, 0);
}

int homa_reply(struct homa *homa, const struct homa_msg *request, const void *data,
	       size_t length)
{
	struct iovec iov = { (void *)data, length };

	return homa_replyv(homa, request, &iov, 1);
}

int homa_abort(struct homa *homa, uint64_t id, int error)
{
	struct homa_abort_args args = { .id = id, .error = error };

	return ioctl(homa->fd, HOMAIOCABORT, &args) ? -errno : 0;
}
