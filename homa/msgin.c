// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Incoming messages.
 *
 *	|##########|....gap....|######|..gap..|#####|        |
 *	0					   end    length
 *
 * The first packet of a message reserves room for all of it in the socket's
 * receive region. Packets may come in any order and in any pieces; what they
 * bring is taken out of the list of gaps. They are kept until the message is
 * complete, and copied to the region by the thread that receives it; those of a long
 * message earlier, if a thread has time for that (early.c).
 *
 * Without room the message joins the socket's waiters, shortest first; its
 * data is dropped until there is room, and then asked for again.
 */
#include <kunit/visibility.h>
#include <linux/fault-inject-usercopy.h>
#include <linux/instrumented.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "freeze.h"
#include "grant.h"
#include "output.h"
#include "prio.h"
#include "rpc.h"
#include "rxmem.h"
#include "sock.h"
#include "timer.h"
#include "trace.h"

/* Memory that queued packets may occupy: enough for tiny packets in large
 * buffers, but not for a peer that sends each byte in one.
 */
#define MSGIN_TRUESIZE_FACTOR 8
#define MSGIN_TRUESIZE_BASE (1 << 20)

/**
 * homa_msgin_init() - no message yet
 * @in: message
 */
void homa_msgin_init(struct homa_msgin *in)
{
	memset(in, 0, sizeof(*in));
	in->length = -1;
	in->bpages = in->few_bpages;
	INIT_LIST_HEAD(&in->gaps);
	__skb_queue_head_init(&in->queue);
}
EXPORT_SYMBOL_IF_KUNIT(homa_msgin_init);

/* Makes room for the offsets of a long message. */
static bool msgin_alloc_bpages(struct homa_msgin *in)
{
	u32 n = DIV_ROUND_UP(in->length, HOMA_BPAGE_SIZE);
	u32 *bpages;

	if (n <= HOMA_MAX_BPAGES)
		return true;
	bpages = kmalloc_array(n, sizeof(*bpages), GFP_ATOMIC | __GFP_NOWARN);
	if (!bpages)
		return false;
	in->bpages = bpages;
	return true;
}

static void msgin_free_bpages(struct homa_msgin *in)
{
	if (in->bpages != in->few_bpages)
		kfree(in->bpages);
	in->bpages = in->few_bpages;
}

/* @now: homa_now() */
static bool msgin_reserve(struct homa_rpc *rpc, u64 now)
{
	/* Pairs with the release when the region is set. */
	struct homa_rcvbuf *rb = smp_load_acquire(&rpc->hsk->rcvbuf);
	struct homa_msgin *in = &rpc->in;
	int n = -ENOSPC;

	if (rb && msgin_alloc_bpages(in))
		n = homa_rcvbuf_reserve(rb, rpc->hn, in->length, in->bpages);
	if (n < 0) {
		msgin_free_bpages(in);	/* many may have to wait */
		tt_event(rpc->hn, BUFFER_FAILED, homa_trace_id(rpc),
			 in->length);
		return false;
	}
	in->num_bpages = n;
	in->has_bpages = true;
	tt_event_at(rpc->hn, now, BUFFER_ALLOC, homa_trace_id(rpc),
		    in->length);
	return true;
}

static bool wait_less(struct rb_node *a, const struct rb_node *b)
{
	const struct homa_rpc *x = rb_entry(a, struct homa_rpc, buf_node);
	const struct homa_rpc *y = rb_entry(b, struct homa_rpc, buf_node);

	return x->in.length < y->in.length;
}

/* Lets a message wait for room, behind those that are not longer. */
static void msgin_await_room(struct homa_rpc *rpc)
{
	struct homa_sock *hsk = rpc->hsk;

	homa_metric_inc(rpc->hn, buffer_alloc_failures);
	spin_lock(&hsk->lock);
	rb_add_cached(&rpc->buf_node, &hsk->buf_waiters, wait_less);
	spin_unlock(&hsk->lock);
}

/**
 * homa_msgin_stop_waiting() - a message needs no room any more, or has it
 * @rpc: RPC
 *
 * Context: rpc->lock held.
 */
void homa_msgin_stop_waiting(struct homa_rpc *rpc)
{
	lockdep_assert_held(&rpc->lock);
	if (RB_EMPTY_NODE(&rpc->buf_node))	/* changes under both locks */
		return;
	spin_lock(&rpc->hsk->lock);
	rb_erase_cached(&rpc->buf_node, &rpc->hsk->buf_waiters);
	RB_CLEAR_NODE(&rpc->buf_node);
	spin_unlock(&rpc->hsk->lock);
}

static void msgin_count_start(struct homa_rpc *rpc, u32 length)
{
	struct homa_net *hn = rpc->hn;

	homa_metric_msg_bytes(hn, length);
	if (homa_is_client(rpc)) {
		homa_metric_inc(hn, responses_received);
		homa_metric_inc(hn, client_responses_started);
		homa_metric_add(hn, client_response_bytes_started, length);
	} else {
		homa_metric_inc(hn, requests_received);
		homa_metric_inc(hn, server_requests_started);
		homa_metric_add(hn, server_request_bytes_started, length);
	}
}

/**
 * homa_msgin_start() - the first packet of a message has arrived
 * @rpc: RPC without an incoming message
 * @length: bytes in the message, at least 1; what the socket takes
 * @incoming: bytes that will come without grants
 * @now: homa_now(), or 0 if nobody has asked
 *
 * Context: rpc->lock held.
 * Return: the time, for homa_msgin_add()
 */
u64 homa_msgin_start(struct homa_rpc *rpc, u32 length, u32 incoming, u64 now)
{
	struct homa_msgin *in = &rpc->in;

	lockdep_assert_held(&rpc->lock);
	in->length = length;
	in->left = length;
	in->unsched = min(incoming, length);
	in->granted = in->unsched;
	in->scheduled = in->granted < length;
	in->level = HOMA_MAX_PRIORITIES - 1;
	in->level_end = in->unsched;
	msgin_count_start(rpc, length);
	now = tt_event_from(rpc->hn, now, MSG_NEW, homa_trace_id(rpc),
			    homa_trace_peer(rpc), in->granted, length);
	in->arrived = now;
	if (likely(msgin_reserve(rpc, now)))
		return now;
	msgin_await_room(rpc);

	/* Room may have appeared before anybody knew that we wait. */
	if (msgin_reserve(rpc, now))
		homa_msgin_stop_waiting(rpc);
	return now;
}
EXPORT_SYMBOL_IF_KUNIT(homa_msgin_start);

/* Makes a gap of [start, end) before @next, or at the end of the list. */
static struct homa_gap *gap_add(struct homa_rpc *rpc, u32 start, u32 end,
				struct list_head *next)
{
	struct homa_gap *gap;

	if (rpc->in.num_gaps == HOMA_MAX_GAPS)
		return NULL;
	gap = kmalloc(sizeof(*gap), GFP_ATOMIC | __GFP_NOWARN);
	if (!gap)
		return NULL;
	gap->start = start;
	gap->end = end;
	gap->seen = rpc->in.later;
	gap->asked = 0;
	gap->since = homa_now();
	list_add_tail(&gap->links, next);
	rpc->in.num_gaps++;
	homa_metric_inc(rpc->hn, gaps_created);
	tt_event(rpc->hn, GAP_NEW, homa_trace_id(rpc), start, end);
	return gap;
}

/* Makes what is before @end a gap of its own, no younger than the whole. */
static bool gap_split(struct homa_rpc *rpc, struct homa_gap *gap, u32 end)
{
	struct homa_gap *first;

	first = gap_add(rpc, gap->start, end, &gap->links);
	if (!first)
		return false;
	first->seen = gap->seen;
	first->asked = gap->asked;
	first->since = gap->since;
	return true;
}

static void gap_remove(struct homa_rpc *rpc, struct homa_gap *gap)
{
	list_del(&gap->links);
	rpc->in.num_gaps--;
	kfree(gap);
}

/* Takes [start, end) out of all gaps. Returns the number of bytes that were
 * missing, or -1 if a gap would have to be split and cannot be; nothing has
 * changed then, since a packet inside one gap touches no other.
 */
static int gaps_fill(struct homa_rpc *rpc, u32 start, u32 end)
{
	struct homa_gap *gap, *tmp;
	int filled = 0;

	list_for_each_entry_safe(gap, tmp, &rpc->in.gaps, links) {
		if (gap->start >= end)
			break;
		if (gap->end <= start)
			continue;
		filled += min(gap->end, end) - max(gap->start, start);
		tt_event(rpc->hn, GAP_FILLED, homa_trace_id(rpc),
			 max(gap->start, start), min(gap->end, end));
		if (start > gap->start && end < gap->end) {
			if (!gap_split(rpc, gap, start))
				return -1;
			gap->start = end;
		} else if (start > gap->start) {
			gap->end = start;
		} else if (end < gap->end) {
			gap->start = end;
		} else {
			gap_remove(rpc, gap);
		}
	}
	return filled;
}

/* Notes that [start, end) has arrived. Returns the number of new bytes; 0 for
 * a duplicate; -1 if there are too many gaps, or no memory for one.
 */
static int msgin_note(struct homa_rpc *rpc, u32 start, u32 end)
{
	struct homa_msgin *in = &rpc->in;
	int fresh = 0;

	if (start > in->end &&
	    !gap_add(rpc, in->end, start, &in->gaps))
		return -1;
	if (start < in->end) {
		fresh = gaps_fill(rpc, start, end);
		if (fresh < 0)
			return -1;
	}
	if (end > in->end) {
		fresh += end - max(start, in->end);
		in->end = end;
	}
	in->left -= fresh;
	return fresh;
}

static void msgin_count_data(struct homa_rpc *rpc, u32 fresh)
{
	struct homa_net *hn = rpc->hn;
	bool done = !rpc->in.left;

	if (homa_is_client(rpc)) {
		homa_metric_add(hn, client_response_bytes_done, fresh);
		homa_metric_add(hn, client_responses_done, done);
	} else {
		homa_metric_add(hn, server_request_bytes_done, fresh);
		homa_metric_add(hn, server_requests_done, done);
	}
	if (done)
		homa_prio_observe(hn, rpc->in.length, rpc->in.unsched);
}

/* May packets of a message occupy this much more memory? */
static enum homa_drop msgin_charge(struct homa_rpc *rpc, u32 truesize)
{
	u32 limit = MSGIN_TRUESIZE_BASE +
		    MSGIN_TRUESIZE_FACTOR * (u32)rpc->in.length;

	BUILD_BUG_ON(MSGIN_TRUESIZE_BASE +
		     (u64)MSGIN_TRUESIZE_FACTOR * HOMA_MAX_LARGE_LENGTH > INT_MAX);
	if (rpc->in.truesize + truesize > limit)
		return HOMA_DROP_LIMIT;
	return homa_rxmem_charge(rpc, truesize);
}

/* Once packets have been copied to the region, nothing of later ones may go there but
 * what is missing: the first such bytes of [@offset, @offset + @length) are left of it.
 * What else is missing will be asked for again. Returns how many bytes were before them.
 */
static u32 msgin_trim(const struct homa_msgin *in, u32 *offset, u32 *length)
{
	u32 from = *offset, end = from + *length, skip;
	const struct homa_gap *gap;

	list_for_each_entry(gap, &in->gaps, links) {
		if (gap->end <= from)
			continue;
		if (gap->start < end) {
			skip = max(gap->start, from) - from;
			*length = min(gap->end, end) - from - skip;
			*offset += skip;
			return skip;
		}
		break;
	}
	if (from >= in->end || end <= in->end)
		return 0;
	skip = in->end - from;
	*offset += skip;
	*length -= skip;
	return skip;
}

/* Records the packets that became part of @skb as those that they were. */
static void msgin_trace_joined(struct homa_rpc *rpc, struct sk_buff *skb, u32 at)
{
	struct sk_buff *p;

	skb_walk_frags(skb, p) {
		tt_event_at(rpc->hn, rpc->in.arrived, DATA_RCVD, homa_trace_id(rpc),
			    homa_trace_peer(rpc), at, p->len);
		trace_homa_data_rcvd(rpc, at, p->len, 0);
		at += p->len;
	}
}

/**
 * homa_msgin_add() - take in a DATA packet
 * @rpc: RPC whose incoming message has started
 * @skb: packet, beginning with its data; homa_rx_cb.joined says what others are in it
 * @offset: offset in the message of the first byte; checked by the caller
 * @length: bytes of data; checked by the caller
 * @retransmit: the packet says that it was sent again
 * @now: homa_now(), or 0 if nobody has asked
 *
 * Context: rpc->lock held.
 * Return: HOMA_ACCEPTED: @skb belongs to the message; otherwise why not
 */
enum homa_drop homa_msgin_add(struct homa_rpc *rpc, struct sk_buff *skb,
			      u32 offset, u32 length, bool retransmit, u64 now)
{
	struct homa_rx_cb *cb = homa_rx_cb(skb);
	struct homa_msgin *in = &rpc->in;
	enum homa_drop drop;
	int fresh;

	lockdep_assert_held(&rpc->lock);
	if (!in->has_bpages) {
		homa_metric_add(rpc->hn, dropped_data_no_bufs, length);
		return HOMA_DROP_NO_BUFFERS;
	}
	cb->skip = 0;
	if (in->copied) {
		u32 all = length;

		cb->skip = msgin_trim(in, &offset, &length);
		if (length < all)
			cb->joined.bytes = 0;
	}
	drop = msgin_charge(rpc, skb->truesize);
	in->refused = drop == HOMA_DROP_HOST_LIMIT ||
		      drop == HOMA_DROP_MEMORY_LIMIT;
	if (drop != HOMA_ACCEPTED)
		return drop;
	fresh = msgin_note(rpc, offset, offset + length);
	if (fresh <= 0)
		homa_rxmem_uncharge(rpc->hsk, skb->truesize);
	if (fresh < 0)
		return HOMA_DROP_LIMIT;
	if (!fresh) {
		tt_event(rpc->hn, DATA_REJECTED, homa_trace_id(rpc), offset,
			 length, retransmit);
		return retransmit ? HOMA_DROP_RESENT_DUPLICATE :
				    HOMA_DROP_DUPLICATE;
	}
	if (retransmit)
		homa_metric_inc(rpc->hn, resent_packets_used);
	msgin_count_data(rpc, fresh);
	cb->offset = offset;
	cb->length = length;
	homa_packet_forget_path(skb);
	in->truesize += skb->truesize;
	__skb_queue_tail(&in->queue, skb);
	length -= cb->joined.bytes;
	in->arrived = tt_event_from(rpc->hn, now, DATA_RCVD, homa_trace_id(rpc),
				    homa_trace_peer(rpc), offset, length);
	trace_homa_data_rcvd(rpc, offset, length, 0);
	if (cb->joined.bytes)
		msgin_trace_joined(rpc, skb, offset + length);
	if (!in->left) {
		tt_event_at(rpc->hn, in->arrived, MSG_COMPLETE,
			    homa_trace_id(rpc), in->length);
		if (homa_is_client(rpc))
			homa_freeze_slow(rpc);
	}
	return HOMA_ACCEPTED;
}
EXPORT_SYMBOL_IF_KUNIT(homa_msgin_add);

/**
 * homa_msgin_next_level() - see which priority packets on their way may have
 * @in: incoming message
 *
 * Context: the lock of the message's RPC held.
 * Return: true if all bytes of known levels have come
 */
bool homa_msgin_next_level(struct homa_msgin *in)
{
	if (in->end < in->level_end || !list_empty(&in->gaps))
		return false;
	if (in->next_end > in->level_end) {
		in->level = in->next_level;
		in->level_end = in->next_end;
	}
	return in->end >= in->level_end;
}

/**
 * homa_msgin_granted() - the sender is told to use another priority
 * @in: incoming message
 * @offset: it may send the bytes before this one
 * @level: the priority, as in IP headers
 *
 * Context: the lock of the message's RPC held.
 */
void homa_msgin_granted(struct homa_msgin *in, u32 offset, u8 level)
{
	if (homa_msgin_next_level(in) || level <= in->level) {
		in->level = level;
		in->level_end = offset;
		return;
	}
	if (in->next_end <= in->level_end || level < in->next_level)
		in->next_level = level;
	in->next_end = offset;
}
EXPORT_SYMBOL_IF_KUNIT(homa_msgin_granted);

/**
 * homa_msgin_request_missing() - ask the peer for what should have arrived
 * @rpc: RPC
 * @txq: packets to be sent are appended here
 *
 * If nothing is missing but grants or room, BUSY says that this host lives.
 *
 * Context: rpc->lock held.
 */
void homa_msgin_request_missing(struct homa_rpc *rpc,
				struct sk_buff_head *txq)
{
	u8 prio = homa_prio_highest(rpc->hn);
	struct homa_common_hdr busy = {};
	struct homa_msgin *in = &rpc->in;
	u32 granted = READ_ONCE(in->granted);
	struct homa_gap *gap;
	int n = 0;

	lockdep_assert_held(&rpc->lock);
	if (in->length < 0) {
		homa_output_resend(rpc, 0, HOMA_RESEND_ALL, prio, txq);
		return;
	}
	if (!in->has_bpages) {
		homa_output_control(rpc, HOMA_BUSY, &busy, sizeof(busy), txq);
		return;
	}
	list_for_each_entry(gap, &in->gaps, links) {
		if (++n == HOMA_MAX_RESENDS)	/* no sender remembers more */
			return;
		homa_output_resend(rpc, gap->start, gap->end - gap->start,
				   prio, txq);
	}
	if (in->end < granted)
		homa_output_resend(rpc, in->end, granted - in->end, prio, txq);
	else if (list_empty(&in->gaps))
		homa_output_control(rpc, HOMA_BUSY, &busy, sizeof(busy), txq);
}
EXPORT_SYMBOL_IF_KUNIT(homa_msgin_request_missing);

/* Copies a packet, whatever it is made of. */
static noinline int msgin_copy_pieces(struct homa_rpc *rpc, struct sk_buff *skb)
{
	struct homa_rcvbuf *rb = rpc->hsk->rcvbuf;
	u32 offset = homa_rx_cb(skb)->offset;
	u32 left = homa_rx_cb(skb)->length;
	u32 skip = homa_rx_cb(skb)->skip;
	u32 done = 0;

	while (left) {
		struct iov_iter iter;
		u32 n;

		n = homa_rcvbuf_iter(rb, rpc->in.bpages, rpc->in.length,
				     offset + done, &iter);
		n = min(n, left);
		iov_iter_truncate(&iter, n);
		if (skb_copy_datagram_iter(skb, skip + done, &iter, n))
			return -EFAULT;
		done += n;
		left -= n;
	}
	return 0;
}

/* Copies from a page, of which usercopy has nothing to say, as copy_page_to_iter() does. */
static unsigned long copy_page_to_user(void __user *to, const void *from, u32 n)
{
	might_fault();
	if (should_fail_usercopy() || !access_ok(to, n))
		return n;
	instrument_copy_to_user(to, from, n);
	return raw_copy_to_user(to, from, n);
}

/* Copies data to the region, of which it may take several bpages; @paged: from a page.
 * False: not all of it can be.
 */
static __always_inline bool msgin_copy_flat(const struct homa_rpc *rpc,
					    const void *from, bool paged,
					    u32 offset, u32 length)
{
	while (length) {
		u32 in_page = offset & (HOMA_BPAGE_SIZE - 1);
		u32 n = min_t(u32, length, HOMA_BPAGE_SIZE - in_page);
		void __user *to = homa_rcvbuf_user(rpc->hsk->rcvbuf,
						   rpc->in.bpages, offset);

		if (paged ? copy_page_to_user(to, from, n) :
			    copy_to_user(to, from, n))
			return false;
		from += n;
		offset += n;
		length -= n;
	}
	return true;
}

/* Copies packets whose data is linear, as that of cards that are given room for one packet
 * each: one, or one and those that are part of it. False as above.
 */
static __always_inline bool msgin_copy_linear(const struct homa_rpc *rpc,
					      struct sk_buff *skb)
{
	const struct homa_rx_cb *cb = homa_rx_cb(skb);
	u32 skip = cb->skip, offset = cb->offset, left = cb->length;
	const struct sk_buff *p = skb;

	while (p) {
		u32 n = skb_headlen(p);

		if (skip < n) {
			n = min(n - skip, left);
			if (!msgin_copy_flat(rpc, p->data + skip, p->head_frag,
					     offset, n))
				return false;
			offset += n;
			left -= n;
			skip = 0;
		} else {
			skip -= n;
		}
		if (!left)
			return true;
		if (p == skb ? skb_shinfo(p)->nr_frags : skb_is_nonlinear(p))
			return false;
		p = p == skb ? skb_shinfo(p)->frag_list : p->next;
	}
	return false;
}

/* Copies a packet that is all in one page, which is always mapped. False as above. */
static __always_inline bool msgin_copy_page(const struct homa_rpc *rpc,
					    struct sk_buff *skb)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	const struct homa_rx_cb *cb = homa_rx_cb(skb);
	const void *from;

	if (shinfo->nr_frags != 1 ||
	    cb->skip + cb->length > skb_frag_size(&shinfo->frags[0]))
		return false;
	from = skb_frag_address_safe(&shinfo->frags[0]);
	return from && msgin_copy_flat(rpc, from + cb->skip, true, cb->offset,
				       cb->length);
}

/* Inline as those that follow: two functions use it, and short messages shall not pay for
 * that.
 */
static __always_inline int msgin_copy_skb(struct homa_rpc *rpc,
					  struct sk_buff *skb)
{
	if (skb_headlen(skb) ? msgin_copy_linear(rpc, skb) :
			       msgin_copy_page(rpc, skb))
		return 0;
	return msgin_copy_pieces(rpc, skb);
}

/* Copies packets to the region. 0 or -EFAULT. */
static __always_inline int msgin_copy(struct homa_rpc *rpc,
				      const struct sk_buff_head *queue)
{
	struct sk_buff *skb;
	int err = 0;

	/* Backwards, so that of overlapping packets the first one counts. */
	skb_queue_reverse_walk(queue, skb) {
		err = msgin_copy_skb(rpc, skb);
		if (err || skb_queue_is_first(queue, skb))
			break;
		cond_resched();
	}
	return err;
}

/* Frees a packet, and those that are part of it one by one: what goes with a list counts
 * as dropped for who watches the kernel's drops.
 */
static __always_inline void msgin_consume(struct sk_buff *skb)
{
	struct sk_buff *list = NULL, *p, *next;

	if (homa_rx_cb(skb)->joined.packets) {
		list = skb_shinfo(skb)->frag_list;
		skb_shinfo(skb)->frag_list = NULL;
	}
	consume_skb(skb);
	skb_list_walk_safe(list, p, next) {
		skb_mark_not_on_list(p);
		consume_skb(p);
	}
}

/* Frees packets that were copied until @copied; one takes no time that is worth a look. */
static __always_inline void msgin_free_copied(struct homa_rpc *rpc,
					      struct sk_buff_head *queue,
					      u64 copied)
{
	struct sk_buff *skb;
	u32 count = 0;

	while ((skb = __skb_dequeue(queue))) {
		count += 1 + homa_rx_cb(skb)->joined.packets;
		homa_rxmem_uncharge(rpc->hsk, skb->truesize);
		msgin_consume(skb);
		if (!skb_queue_empty(queue))
			cond_resched();
	}
	homa_metric_add(rpc->hn, skb_frees, count);
	tt_event_at(rpc->hn, count > 1 ? 0 : copied, SKBS_FREED, count,
		    homa_trace_id(rpc));
}

/**
 * homa_msgin_copy_out() - copy packets of a message to the receive region
 * @rpc: RPC whose message is complete, and that nobody else has taken from its socket;
 *	the caller has a reference
 * @now: homa_now()
 *
 * Context: process that owns the region; no locks; sleeps.
 * Return: 0 or -EFAULT
 */
int homa_msgin_copy_out(struct homa_rpc *rpc, u64 now)
{
	struct sk_buff_head *queue = &rpc->in.queue;
	int err;

	tt_event_at(rpc->hn, now, COPY_OUT_START, homa_trace_id(rpc));
	err = msgin_copy(rpc, queue);
	now = tt_event_now(rpc->hn, COPY_OUT_DONE, rpc->in.copied,
			   rpc->in.length, homa_trace_id(rpc));
	msgin_free_copied(rpc, queue, now);
	return err;
}

/**
 * homa_msgin_take() - take what has come of a message, to be copied early
 * @rpc: RPC with an incomplete message
 * @queue: empty; result: all of its packets
 * @part: result
 *
 * Context: rpc->lock held.
 */
void homa_msgin_take(struct homa_rpc *rpc, struct sk_buff_head *queue,
		     struct homa_early_part *part)
{
	struct homa_msgin *in = &rpc->in;

	lockdep_assert_held(&rpc->lock);
	part->before = in->copied;
	part->bytes = in->length - in->left - in->copied;
	part->truesize = in->truesize;
	in->copied += part->bytes;
	in->truesize = 0;
	skb_queue_splice_init(&in->queue, queue);
}

/**
 * homa_msgin_copy_part() - copy packets of an incomplete message to the receive region
 * @rpc: RPC; the caller has a reference
 * @queue: from homa_msgin_take(); afterwards empty, or unchanged on errors
 * @part: the same
 *
 * Context: process that owns the region; no locks; sleeps.
 * Return: 0 or -EFAULT
 */
int homa_msgin_copy_part(struct homa_rpc *rpc, struct sk_buff_head *queue,
			 const struct homa_early_part *part)
{
	int err = msgin_copy(rpc, queue);

	if (err)
		return err;
	homa_metric_add(rpc->hn, copied_early_bytes, part->bytes);
	tt_event(rpc->hn, COPIED_EARLY, homa_trace_id(rpc), part->bytes,
		 part->before + part->bytes);
	msgin_free_copied(rpc, queue, 0);
	return 0;
}

/**
 * homa_msgin_put_back() - undo homa_msgin_take()
 * @rpc: RPC; it may have ended
 * @queue: from homa_msgin_take(); empty afterwards
 * @part: the same
 *
 * Context: rpc->lock held.
 */
void homa_msgin_put_back(struct homa_rpc *rpc, struct sk_buff_head *queue,
			 const struct homa_early_part *part)
{
	struct homa_msgin *in = &rpc->in;

	lockdep_assert_held(&rpc->lock);
	in->copied = part->before;
	in->truesize += part->truesize;
	skb_queue_splice_init(queue, &in->queue);	/* in front */
}

/* Frees the packets of a message. */
static __always_inline void msgin_purge(struct homa_rpc *rpc)
{
	struct sk_buff *skb;

	skb_queue_walk(&rpc->in.queue, skb)
		homa_rxmem_uncharge(rpc->hsk, skb->truesize);
	__skb_queue_purge(&rpc->in.queue);
	rpc->in.truesize = 0;
}

/**
 * homa_msgin_restart() - forget what has come of a complete message, and ask for it again
 * @rpc: RPC; its peer keeps the message until it hears that it was received
 * @txq: packets to be sent are appended here
 *
 * Context: rpc->lock held.
 */
void homa_msgin_restart(struct homa_rpc *rpc, struct sk_buff_head *txq)
{
	struct homa_msgin *in = &rpc->in;
	u64 now = homa_now();

	lockdep_assert_held(&rpc->lock);
	msgin_purge(rpc);
	in->left = in->length;
	in->end = 0;
	in->copied = 0;
	in->scheduled = false;	/* all of it has been granted */
	homa_timer_heard(rpc, now);
	homa_timer_wait(rpc, now);
	homa_output_resend(rpc, 0, HOMA_RESEND_ALL,
			   homa_prio_highest(rpc->hn), txq);
}

/* Takes the first waiter for buffers, with a reference. */
static struct homa_rpc *first_buf_waiter(struct homa_sock *hsk)
{
	struct homa_rpc *rpc = NULL;
	struct rb_node *first;

	spin_lock_bh(&hsk->lock);
	first = rb_first_cached(&hsk->buf_waiters);
	if (first) {
		rpc = rb_entry(first, struct homa_rpc, buf_node);
		homa_rpc_get(rpc);
	}
	spin_unlock_bh(&hsk->lock);
	return rpc;
}

/**
 * homa_msgin_serve_waiters() - there is room again in a receive region
 * @hsk: socket
 *
 * Context: any, no locks held.
 */
void homa_msgin_serve_waiters(struct homa_sock *hsk)
{
	struct homa_grant_batch grants __uninitialized;
	struct sk_buff_head txq;
	struct homa_rpc *rpc;
	bool served = true;
	u64 now;

	grants.count = 0;
	__skb_queue_head_init(&txq);
	while (served && !READ_ONCE(hsk->shutdown) &&
	       homa_sock_awaits_room(hsk)) {
		rpc = first_buf_waiter(hsk);
		if (!rpc)
			break;
		now = homa_now();
		local_bh_disable();
		spin_lock(&rpc->lock);
		if (rpc->state == HOMA_INCOMING && !rpc->in.has_bpages)
			served = msgin_reserve(rpc, now);
		if (rpc->in.has_bpages) {
			tt_event(rpc->hn, BUFFER_RETRIED, homa_trace_id(rpc),
				 rpc->in.length);
			homa_msgin_stop_waiting(rpc);
			homa_timer_heard(rpc, now);
			homa_timer_wait(rpc, now);
			homa_output_resend(rpc, 0, HOMA_RESEND_ALL,
					   max(homa_prio_highest(rpc->hn), 1) - 1,
					   &txq);
			homa_grant_update(rpc, &grants);
		}
		spin_unlock(&rpc->lock);
		homa_output_flush(&txq);
		homa_grant_flush(&grants);
		local_bh_enable();
		homa_rpc_put(rpc);
	}
}
EXPORT_SYMBOL_IF_KUNIT(homa_msgin_serve_waiters);

/**
 * homa_msgin_free() - free what is left of a message
 * @rpc: RPC that nobody else has a reference to
 *
 * Context: any, no locks held.
 */
void homa_msgin_free(struct homa_rpc *rpc)
{
	struct homa_msgin *in = &rpc->in;
	struct homa_gap *gap, *tmp;

	list_for_each_entry_safe(gap, tmp, &in->gaps, links)
		gap_remove(rpc, gap);
	msgin_purge(rpc);
	if (in->num_bpages)
		homa_rcvbuf_release(rpc->hsk->rcvbuf, in->bpages,
				    in->num_bpages);
	msgin_free_bpages(in);
	if (!in->num_bpages)
		return;
	in->num_bpages = 0;
	if (homa_sock_awaits_room(rpc->hsk))
		homa_msgin_serve_waiters(rpc->hsk);
}
EXPORT_SYMBOL_IF_KUNIT(homa_msgin_free);
