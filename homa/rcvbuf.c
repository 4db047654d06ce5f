// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Receive regions.
 *
 * The application gives each socket one region of its memory. The kernel
 * divides it into bpages of 64 KB, reserves room for a whole message when its
 * first packet arrives, copies the message there in recvmsg(2) and tells the
 * application the offsets; the application hands the offsets back later.
 *
 *	free --reserve--> kernel --deliver--> user --give_back--> free
 *	                     '-----release (RPC died)-----------^
 *
 * A message takes whole bpages, and for the remainder a chunk of the shared
 * bpage, which many messages use side by side; a page is free again when
 * nobody holds a chunk of it. Chunks start at multiples of 64 bytes, so that
 * no two messages share a cache line.
 */
#include <kunit/visibility.h>
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "net.h"
#include "rcvbuf.h"

/* Alignment of chunks in the shared page: a cache line everywhere. */
#define CHUNK_ALIGN 64

/**
 * homa_rcvbuf_alloc() - describe a receive region
 * @start: user address, page aligned
 * @length: bytes; checked by the caller
 *
 * Context: process, sleeps.
 * Return: the description, or NULL: no memory
 */
struct homa_rcvbuf *homa_rcvbuf_alloc(u64 start, u64 length)
{
	u32 n = length >> HOMA_BPAGE_SHIFT;
	struct homa_rcvbuf *rb;
	u32 i;

	rb = kvzalloc(struct_size(rb, bpages, n), GFP_KERNEL_ACCOUNT);
	if (!rb)
		return NULL;
	rb->free = kvmalloc_array(n, sizeof(*rb->free), GFP_KERNEL_ACCOUNT);
	if (!rb->free) {
		kvfree(rb);
		return NULL;
	}
	spin_lock_init(&rb->lock);
	rb->cred = get_current_cred();
	rb->start = start;
	rb->num_bpages = n;
	rb->shared = -1;

	/* Low pages go first, to touch as little memory as possible. */
	for (i = 0; i < n; i++)
		rb->free[i] = n - 1 - i;
	rb->num_free = n;
	return rb;
}
EXPORT_SYMBOL_IF_KUNIT(homa_rcvbuf_alloc);

/**
 * homa_rcvbuf_free() - forget a receive region
 * @rb: region, or NULL; nobody else may use it any more
 *
 * Context: any; may run in softirq when the last packet leaves.
 */
void homa_rcvbuf_free(struct homa_rcvbuf *rb)
{
	if (!rb)
		return;
	put_cred(rb->cred);
	kvfree(rb->free);
	kvfree(rb);
}
EXPORT_SYMBOL_IF_KUNIT(homa_rcvbuf_free);

/**
 * __homa_rcvbuf_permitted() - homa_rcvbuf_permitted() for other credentials
 * @rb: region
 *
 * Context: process.
 * Return: as there
 */
bool __homa_rcvbuf_permitted(const struct homa_rcvbuf *rb)
{
	const struct cred *cred = current_cred();

	return cred->user_ns == rb->cred->user_ns &&
	       uid_eq(cred->euid, rb->cred->euid) &&
	       uid_eq(cred->uid, rb->cred->uid) &&
	       cap_issubset(cred->cap_permitted, rb->cred->cap_permitted);
}

/* Frees a page that nobody uses, unless new chunks may still come from it. */
static void bpage_check_free(struct homa_rcvbuf *rb, u32 index)
{
	struct homa_bpage *bpage = &rb->bpages[index];

	lockdep_assert_held(&rb->lock);
	if (!bpage->kernel && !bpage->user && index != rb->shared)
		rb->free[rb->num_free++] = index;
}

static u32 bpage_take(struct homa_rcvbuf *rb)
{
	u32 index = rb->free[--rb->num_free];

	rb->bpages[index].kernel++;
	return index << HOMA_BPAGE_SHIFT;
}

/* No more chunks come from the shared page. */
static void shared_page_retire(struct homa_rcvbuf *rb)
{
	u32 old = rb->shared;

	rb->shared = -1;
	rb->shared_used = 0;
	bpage_check_free(rb, old);
}

static bool shared_page_empty(const struct homa_rcvbuf *rb)
{
	return rb->shared >= 0 && !rb->bpages[rb->shared].kernel &&
	       !rb->bpages[rb->shared].user;
}

/**
 * homa_rcvbuf_reserve() - find room for a message
 * @rb: region
 * @hn: host, for metrics
 * @length: bytes in the message
 * @offsets: result: offsets in the region, whole bpages first
 *
 * Context: bottom halves off.
 * Return: number of @offsets, or -ENOSPC
 */
int homa_rcvbuf_reserve(struct homa_rcvbuf *rb, struct homa_net *hn,
			u32 length, u32 *offsets)
{
	u32 rest = length & (HOMA_BPAGE_SIZE - 1);
	u32 full = length >> HOMA_BPAGE_SHIFT;
	bool renew;
	int n = 0;

	spin_lock(&rb->lock);
	if (shared_page_empty(rb)) {
		homa_metric_inc(hn, bpage_reuses);
		if (full)
			shared_page_retire(rb);	/* it may be the last one */
		rb->shared_used = 0;
	}
	renew = rest && (rb->shared < 0 ||
			 rb->shared_used + rest > HOMA_BPAGE_SIZE);
	if (rb->num_free < full + renew) {
		spin_unlock(&rb->lock);
		return -ENOSPC;
	}
	while (n < full)
		offsets[n++] = bpage_take(rb);
	if (renew) {
		if (rb->shared >= 0)
			shared_page_retire(rb);
		rb->shared = rb->free[--rb->num_free];
	}
	if (rest) {
		rb->bpages[rb->shared].kernel++;
		offsets[n++] = ((u32)rb->shared << HOMA_BPAGE_SHIFT) +
			       rb->shared_used;
		rb->shared_used += ALIGN(rest, CHUNK_ALIGN);
	}
	spin_unlock(&rb->lock);
	return n;
}
EXPORT_SYMBOL_IF_KUNIT(homa_rcvbuf_reserve);

/**
 * homa_rcvbuf_deliver() - a message's space now belongs to the application
 * @rb: region
 * @offsets: from homa_rcvbuf_reserve()
 * @count: entries in @offsets
 *
 * Context: bottom halves off.
 */
void homa_rcvbuf_deliver(struct homa_rcvbuf *rb, const u32 *offsets, int count)
{
	int i;

	spin_lock(&rb->lock);
	for (i = 0; i < count; i++) {
		struct homa_bpage *b =
			&rb->bpages[offsets[i] >> HOMA_BPAGE_SHIFT];

		b->kernel--;
		b->user++;
	}
	spin_unlock(&rb->lock);
}
EXPORT_SYMBOL_IF_KUNIT(homa_rcvbuf_deliver);

/**
 * homa_rcvbuf_release() - give up the space of a message that died
 * @rb: region
 * @offsets: from homa_rcvbuf_reserve(), not delivered
 * @count: entries in @offsets
 *
 * Context: any. Does not serve messages that wait for space.
 */
void homa_rcvbuf_release(struct homa_rcvbuf *rb, const u32 *offsets, int count)
{
	int i;

	spin_lock_bh(&rb->lock);
	for (i = 0; i < count; i++) {
		u32 index = offsets[i] >> HOMA_BPAGE_SHIFT;

		rb->bpages[index].kernel--;
		bpage_check_free(rb, index);
	}
	spin_unlock_bh(&rb->lock);
}
EXPORT_SYMBOL_IF_KUNIT(homa_rcvbuf_release);

/**
 * homa_rcvbuf_give_back() - the application needs some chunks no more
 * @rb: region
 * @offsets: from user space
 * @count: entries in @offsets
 *
 * Only chunks that the application has can be given back; processing stops
 * at the first that it has not.
 *
 * Context: any.
 * Return: 0 or -EINVAL
 */
int homa_rcvbuf_give_back(struct homa_rcvbuf *rb, const u32 *offsets, int count)
{
	int err = 0;
	int i;

	spin_lock_bh(&rb->lock);
	for (i = 0; i < count; i++) {
		u32 index = offsets[i] >> HOMA_BPAGE_SHIFT;

		if (index >= rb->num_bpages || !rb->bpages[index].user) {
			err = -EINVAL;
			break;
		}
		rb->bpages[index].user--;
		bpage_check_free(rb, index);
	}
	spin_unlock_bh(&rb->lock);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(homa_rcvbuf_give_back);

/**
 * homa_rcvbuf_available() - free space
 * @rb: region
 *
 * Context: any.
 * Return: bytes in free pages, and what is left of the shared page
 */
u64 homa_rcvbuf_available(struct homa_rcvbuf *rb)
{
	u64 bytes;

	spin_lock_bh(&rb->lock);
	bytes = (u64)rb->num_free << HOMA_BPAGE_SHIFT;
	if (shared_page_empty(rb))
		bytes += HOMA_BPAGE_SIZE;
	else if (rb->shared >= 0 && rb->shared_used < HOMA_BPAGE_SIZE)
		bytes += HOMA_BPAGE_SIZE - rb->shared_used;
	spin_unlock_bh(&rb->lock);
	return bytes;
}
EXPORT_SYMBOL_IF_KUNIT(homa_rcvbuf_available);

/**
 * homa_rcvbuf_iter() - where to put a byte of a message
 * @rb: region
 * @offsets: the message's space
 * @msg_length: bytes in the message
 * @offset: byte of the message
 * @iter: result: from there to the end of the bpage or of the message
 *
 * Context: process whose memory holds the region.
 * Return: number of bytes that @iter covers
 */
int homa_rcvbuf_iter(const struct homa_rcvbuf *rb, const u32 *offsets,
		     u32 msg_length, u32 offset, struct iov_iter *iter)
{
	u32 in_page = offset & (HOMA_BPAGE_SIZE - 1);
	u32 length = min_t(u32, HOMA_BPAGE_SIZE - in_page, msg_length - offset);

	iov_iter_ubuf(iter, ITER_DEST, homa_rcvbuf_user(rb, offsets, offset),
		      length);
	return length;
}
EXPORT_SYMBOL_IF_KUNIT(homa_rcvbuf_iter);
