// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Receiving, and handing memory back.
 *
 * The kernel takes bpages back in recvmsg(2) only. So those that an application
 * needs no more wait in a short list, and go with whatever receives next; a system
 * call is made for them alone if the list is full, or if all threads that receive
 * may be asleep in the kernel, which could be for lack of these very pages.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "socket.h"

/* An id that no request of ours can have: bpages are taken, nothing is received. */
#define NO_RPC 1

/* recvmsg(2); @args has room for @room bpages. */
static ssize_t recv_call(const struct homa *homa, void *args, int room,
			 union homa_addr *from, int flags)
{
	struct msghdr msg = {
		.msg_name = from,
		.msg_namelen = from ? sizeof(*from) : 0,
		.msg_control = args,
		.msg_controllen = HOMA_RECVMSG_ARGS_SIZE(room),
	};
	ssize_t n = recvmsg(homa->fd, &msg, flags);

	return n < 0 ? -errno : n;
}

/* Moves all spare bpages to the arguments of a call; returns how many. */
static uint32_t spare_take(struct homa *homa, uint32_t *offsets)
{
	uint32_t num = homa->num_spare;

	memcpy(offsets, homa->spare, num * sizeof(homa->spare[0]));
	homa->num_spare = 0;
	return num;
}

/* The lock is held, so that nobody closes the descriptor meanwhile. */
static void spare_flush(struct homa *homa)
{
	struct homa_recvmsg_args args = { .id = NO_RPC };

	args.num_bpages = spare_take(homa, args.bpage_offsets);
	if (homa->open && args.num_bpages)
		recv_call(homa, &args, HOMA_MAX_BPAGES, NULL, MSG_DONTWAIT);
}

/* So many bpages go back by themselves. The lock is held. */
static void space_flush(struct homa_space *space)
{
	space->args.id = NO_RPC;
	space->args.num_bpages = space->num;
	if (space->homa->open)
		recv_call(space->homa, &space->args, HOMA_MAX_LARGE_BPAGES, NULL,
			  MSG_DONTWAIT);
}

/* The message that was here is not needed any more. The lock is held. */
static void space_empty(struct homa_space *space)
{
	struct homa *homa = space->homa;
	uint32_t i;

	if (space->num > HOMA_MAX_BPAGES) {
		space_flush(space);
		space->num = 0;
	}
	for (i = 0; i < space->num; i++) {
		if (homa->num_spare == HOMA_MAX_BPAGES)
			spare_flush(homa);
		homa->spare[homa->num_spare++] = space->args.bpage_offsets[i];
	}
	space->num = 0;
	free(space->whole);
	space->whole = NULL;
}

void homa_release(struct homa_msg *msg)
{
	struct homa_space *space = msg->space;
	struct homa *homa;

	memset(msg, 0, sizeof(*msg));
	if (!space)
		return;
	homa = space->homa;
	pthread_mutex_lock(&homa->lock);
	space_empty(space);
	if (atomic_load(&homa->waiting))
		spare_flush(homa);
	pthread_mutex_unlock(&homa->lock);
	free(space);
	homa_put(homa);
}

/* Makes room to describe a message, before there is one that could be lost. */
static int space_make(struct homa *homa, struct homa_msg *msg)
{
	struct homa_space *space = msg->space;

	if (space && space->homa == homa)
		return 0;
	homa_release(msg);
	space = malloc(sizeof(*space));
	if (!space)
		return -ENOMEM;
	space->num = 0;
	space->whole = NULL;
	space->args.reserved = 0;
	pthread_mutex_lock(&homa->lock);
	homa->refs++;
	pthread_mutex_unlock(&homa->lock);
	space->homa = homa;
	msg->space = space;
	return 0;
}

/* Tells where the message lies. */
static void space_fill(struct homa_space *space, size_t length)
{
	uint32_t i;

	space->num = space->args.num_bpages;
	for (i = 0; i < space->num; i++) {
		size_t piece = length < HOMA_BPAGE_SIZE ? length : HOMA_BPAGE_SIZE;

		space->iov[i].iov_base = space->homa->region +
					 space->args.bpage_offsets[i];
		space->iov[i].iov_len = piece;
		length -= piece;
	}
}

/* Receives what @id names into @msg, which has space. */
static ssize_t receive(struct homa *homa, uint64_t id, struct homa_msg *msg, int flags)
{
	struct homa_space *space = msg->space;
	struct homa_recvmsg_large_args *args = &space->args;
	union homa_addr from;
	ssize_t n;

	memset(msg, 0, sizeof(*msg));
	memset(&from, 0, sizeof(from));
	msg->space = space;
	pthread_mutex_lock(&homa->lock);
	space_empty(space);
	args->id = id;
	args->num_bpages = spare_take(homa, args->bpage_offsets);
	atomic_fetch_add(&homa->waiting, 1);
	pthread_mutex_unlock(&homa->lock);
	n = recv_call(homa, args, homa->large ? HOMA_MAX_LARGE_BPAGES : HOMA_MAX_BPAGES,
		      &from, flags);
	atomic_fetch_sub(&homa->waiting, 1);

	msg->id = args->id;
	msg->cookie = args->completion_cookie;
	if (n < 0) {
		/* The RPC that was to be waited for goes on. */
		if (n == -EAGAIN || n == -EINTR)
			msg->id = id;
		else if (args->peer.in4.sin_family == homa->family)
			memcpy(&msg->peer, &args->peer, sizeof(args->peer));
		return n;
	}
	space_fill(space, n);
	msg->length = n;
	msg->iov = space->iov;
	msg->iovcnt = space->num;
	msg->is_request = args->id & 1;
	msg->peer = from;
	return n;
}

/* Nothing was received, and no RPC has failed: @msg says so. */
static int recv_refuse(struct homa_msg *msg, int err)
{
	homa_release(msg);
	return err;
}

ssize_t homa_recv(struct homa *homa, struct homa_msg *msg, int flags)
{
	int err = flags & ~MSG_DONTWAIT ? -EINVAL : space_make(homa, msg);

	return err ? recv_refuse(msg, err) : receive(homa, 0, msg, flags);
}

ssize_t homa_wait(struct homa *homa, uint64_t id, struct homa_msg *msg, int flags)
{
	int err = flags & ~MSG_DONTWAIT || !id ? -EINVAL : space_make(homa, msg);

	return err ? recv_refuse(msg, err) : receive(homa, id, msg, flags);
}

ssize_t homa_invokev(struct homa *homa, const struct sockaddr *to,
		     const struct iovec *iov, int iovcnt, struct homa_msg *response)
{
	uint64_t id;
	int err;

	err = space_make(homa, response);
	if (!err)
		err = homa_sendv(homa, to, iov, iovcnt, 0, HOMA_PRIVATE, &id);
	return err ? recv_refuse(response, err) : receive(homa, id, response, 0);
}

ssize_t homa_invoke(struct homa *homa, const struct sockaddr *to, const void *data,
		    size_t length, struct homa_msg *response)
{
	struct iovec iov = { (void *)data, length };

	return homa_invokev(homa, to, &iov, 1, response);
}

size_t homa_copy(const struct homa_msg *msg, size_t offset, void *to, size_t length)
{
	char *next = to;
	int i;

	for (i = 0; i < msg->iovcnt && length; i++) {
		const struct iovec *piece = &msg->iov[i];
		size_t n = 0;

		if (offset < piece->iov_len) {
			n = piece->iov_len - offset;
			if (n > length)
				n = length;
			memcpy(next, (char *)piece->iov_base + offset, n);
		}
		offset -= n ? offset : piece->iov_len;
		next += n;
		length -= n;
	}
	return next - (char *)to;
}

void *homa_data(struct homa_msg *msg)
{
	struct homa_space *space = msg->space;

	if (msg->iovcnt == 1)
		return msg->iov[0].iov_base;
	if (!msg->iovcnt)
		return NULL;
	if (!space->whole) {
		space->whole = malloc(msg->length);
		if (space->whole)
			homa_copy(msg, 0, space->whole, msg->length);
	}
	return space->whole;
}
