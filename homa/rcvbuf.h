/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* A socket's receive region: user memory that incoming messages go to. */
#ifndef _HOMA_RCVBUF_H
#define _HOMA_RCVBUF_H

#include <linux/spinlock.h>
#include <linux/cred.h>
#include <linux/kernel.h>
#include <linux/types.h>
#include <linux/uio.h>

#include "uapi/homa.h"

struct homa_net;

/**
 * struct homa_bpage - one page of the region
 * @kernel: chunks of messages that recvmsg(2) has not returned yet
 * @user: chunks that the application has and must hand back
 */
struct homa_bpage {
	u32 kernel;
	u32 user;
};

/**
 * struct homa_rcvbuf - a receive region
 * @start: user address
 * @num_bpages: pages in the region
 * @cred: who set it
 * @lock: protects what follows
 * @num_free: entries in @free
 * @shared: page that last chunks of messages are taken from, or -1
 * @shared_used: bytes of @shared that have been taken
 * @free: indexes of free pages, a stack
 * @bpages: all pages
 */
struct homa_rcvbuf {
	u64 start;
	u32 num_bpages;
	const struct cred *cred;
	spinlock_t lock;
	u32 num_free;
	int shared;
	u32 shared_used;
	u32 *free;
	struct homa_bpage bpages[];
};

bool __homa_rcvbuf_permitted(const struct homa_rcvbuf *rb);
struct homa_rcvbuf *homa_rcvbuf_alloc(u64 start, u64 length);
void homa_rcvbuf_free(struct homa_rcvbuf *rb);
int homa_rcvbuf_reserve(struct homa_rcvbuf *rb, struct homa_net *hn,
			u32 length, u32 *offsets);
void homa_rcvbuf_deliver(struct homa_rcvbuf *rb, const u32 *offsets, int count);
void homa_rcvbuf_release(struct homa_rcvbuf *rb, const u32 *offsets, int count);
int homa_rcvbuf_give_back(struct homa_rcvbuf *rb, const u32 *offsets,
			  int count);
u64 homa_rcvbuf_available(struct homa_rcvbuf *rb);

/**
 * homa_rcvbuf_permitted() - may messages be written to the current process?
 * @rb: region
 *
 * Messages go to the memory of whoever receives them, at the addresses that the
 * region had where it was set. So threads and children may receive, and other
 * processes of the same user that have mapped the region at the same place. But a
 * socket that was given to a process with more power must not become a way to
 * write to that one's memory.
 *
 * Context: process.
 * Return: true if the process has the user ids and no more capabilities than the
 *	one that set the region
 */
static inline bool homa_rcvbuf_permitted(const struct homa_rcvbuf *rb)
{
	return current_cred() == rb->cred || __homa_rcvbuf_permitted(rb);
}

/**
 * homa_rcvbuf_user() - where a byte of a message goes
 * @rb: region
 * @offsets: the message's space
 * @offset: byte of the message
 *
 * Context: any.
 * Return: address in the application's memory, good to the end of the bpage
 */
static inline void __user *homa_rcvbuf_user(const struct homa_rcvbuf *rb,
					    const u32 *offsets, u32 offset)
{
	return u64_to_user_ptr(rb->start + offsets[offset >> HOMA_BPAGE_SHIFT] +
			       (offset & (HOMA_BPAGE_SIZE - 1)));
}

int homa_rcvbuf_iter(const struct homa_rcvbuf *rb, const u32 *offsets,
		     u32 msg_length, u32 offset, struct iov_iter *iter);

#endif /* _HOMA_RCVBUF_H */
