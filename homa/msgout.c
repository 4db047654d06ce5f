// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Outgoing messages.
 *
 *	|-- sent ---------|-- may be sent ----|-- waits for grants --|
 *	0		 next		   granted		  length
 *	   [resend] [resend]
 *
 * sendmsg(2) copies the whole message into page fragments, which stay until
 * the RPC ends. If it is long, packets of what is there leave meanwhile; they are the
 * same as otherwise (msgout_ready()). Each packet is a new sk_buff that shares those pages, so IP
 * owns what it is given and nothing is ever sent twice from one sk_buff; the
 * size of packets follows the route's MTU at the time when they are made.
 *
 * A request that not every server takes is preceded by a question: a RESEND for
 * all of it, which a server that does not know the RPC answers with RPC_UNKNOWN.
 * That says what the server takes (protocol.md, section 15).
 *
 * homa_msgout_pump() is the only place that makes data packets. What has to
 * be sent again goes first. It stops when the device has enough; the pacer
 * calls it again then.
 */
#include <kunit/visibility.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "output.h"
#include "pacer.h"
#include "prio.h"
#include "rpc.h"
#include "sock.h"
#include "timer.h"
#include "trace.h"

/**
 * homa_msgout_init() - no message yet
 * @out: message
 */
void homa_msgout_init(struct homa_msgout *out)
{
	memset(out, 0, offsetof(struct homa_msgout, few));
	out->length = -1;
}
EXPORT_SYMBOL_IF_KUNIT(homa_msgout_init);

/* Appends data to the message, to its last piece if that is adjacent. */
static void msgout_add_piece(struct homa_msgout *out, struct page_frag *pf,
			     u32 length)
{
	struct bio_vec *last = NULL;

	if (out->num_copied > out->num_pieces)	/* packets do not share it yet */
		last = &out->pieces[out->num_copied - 1];
	if (last && last->bv_page == pf->page &&
	    last->bv_offset + last->bv_len == pf->offset) {
		last->bv_len += length;
	} else {
		bvec_set_page(&out->pieces[out->num_copied++], pf->page,
			      length, pf->offset);
		get_page(pf->page);
	}
	pf->offset += length;
}

/**
 * homa_msgout_copy() - copy more of a message from user space
 * @out: message that has been begun; the only thread that copies to it calls
 * @hsk: socket that the message is sent by
 * @iter: where the data is
 * @bytes: so many at least, if there are
 *
 * What is copied together ends where a fragment does, so it takes no more pieces than if
 * all were copied at once.
 *
 * Context: process, sleeps.
 * Return: 0, -ENOMEM or -EFAULT
 */
int homa_msgout_copy(struct homa_msgout *out, struct homa_sock *hsk,
		     struct iov_iter *iter, u32 bytes)
{
	struct page_frag *pf = &current->task_frag;
	u32 done = out->copied, length = out->length;
	u32 end = min(bytes, length - done) + done;

	while (done < end) {
		u32 n;

		if (!homa_txpages_refill(hsk, pf,
					 min_t(u32, length - done, PAGE_SIZE)))
			return -ENOMEM;
		n = min(length - done, pf->size - pf->offset);
		/* Never high memory: all of a fragment is mapped. */
		if (!copy_from_iter_full(page_address(pf->page) + pf->offset,
					 n, iter))
			return -EFAULT;
		msgout_add_piece(out, pf, n);
		done += n;
		cond_resched();
	}
	homa_metric_add(homa_sock_net(hsk), sent_msg_bytes, done - out->copied);
	out->copied = done;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(homa_msgout_copy);

/**
 * homa_msgout_fill() - begin a message, and copy from user space
 * @out: empty message
 * @hsk: socket, charged for the memory
 * @iter: where the data is
 * @length: bytes, at least 1
 * @first: bytes to be copied now, as homa_msgout_copy() does
 *
 * Context: process, sleeps.
 * Return: 0, -ENOMEM or -EFAULT; homa_msgout_free() is due in any case
 */
int homa_msgout_fill(struct homa_msgout *out, struct homa_sock *hsk,
		     struct iov_iter *iter, u32 length, u32 first)
{
	/* A fragment is a page at least, but for the first. */
	u32 max_pieces = DIV_ROUND_UP(length, PAGE_SIZE) + 1;
	int err;

	out->charged = length + max_pieces * sizeof(*out->pieces) +
		       sizeof(struct homa_rpc);
	atomic_long_add(out->charged, &hsk->tx_mem);
	out->pieces = out->few;
	if (max_pieces > HOMA_FEW_PIECES)
		out->pieces = kvmalloc_array(max_pieces, sizeof(*out->pieces),
					     GFP_KERNEL_ACCOUNT);
	if (!out->pieces)
		return -ENOMEM;
	out->length = length;
	err = homa_msgout_copy(out, hsk, iter, first);
	out->num_pieces = out->num_copied;
	out->ready = out->copied;
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(homa_msgout_fill);

/**
 * homa_msgout_free() - free a message
 * @out: message; may be partly filled, or empty
 * @hsk: socket that was charged
 *
 * Context: any.
 */
void homa_msgout_free(struct homa_msgout *out, struct homa_sock *hsk)
{
	int i;

	for (i = 0; i < out->num_copied; i++)
		homa_txpages_put(hsk, out->pieces[i].bv_page);
	out->num_copied = 0;
	if (out->pieces && out->pieces != out->few)
		kvfree(out->pieces);
	out->pieces = NULL;
	homa_sock_uncharge(hsk, out->charged);
	out->charged = 0;
}
EXPORT_SYMBOL_IF_KUNIT(homa_msgout_free);

/* A request begins. If many responses may come at once, the switch before this
 * host would have to hold what they send without grants (SIGCOMM'18, section
 * 3.6); so the server is asked for less.
 */
static void msgout_expect_response(struct homa_rpc *rpc)
{
	struct homa_net *hn = rpc->hn;
	int unanswered = atomic_inc_return(&hn->unanswered);
	int limit = READ_ONCE(hn->sysctl.incast_rpcs);

	rpc->unanswered = true;
	if (!limit || unanswered <= limit)
		return;
	rpc->incast = true;
	homa_metric_inc(hn, incast_requests);
}

/* Bytes of a message that need no grants. */
static u32 msgout_unsched(struct homa_rpc *rpc)
{
	struct homa_sysctls *s = &rpc->hn->sysctl;
	u32 unsched = min_t(u32, rpc->out.length, READ_ONCE(s->unsched_bytes));
	u32 limit = READ_ONCE(s->incast_unsched_bytes);

	if (homa_is_client(rpc) || !rpc->incast || unsched <= limit)
		return unsched;
	homa_metric_inc(rpc->hn, incast_responses);
	return limit;
}

/* Asks the server whether it takes the request. Without an answer the timer asks
 * again, in the same way.
 */
static void msgout_ask(struct homa_rpc *rpc, struct sk_buff_head *txq)
{
	rpc->out.granted = 0;
	homa_metric_inc(rpc->hn, large_questions);
	homa_output_resend(rpc, 0, HOMA_RESEND_ALL, homa_prio_highest(rpc->hn),
			   txq);
	homa_timer_sent(rpc, homa_now());
}

/**
 * homa_msgout_refuse() - a server does not take the request, or does not say so
 * @rpc: client RPC whose server was asked
 *
 * Context: rpc->lock held; the caller has a reference.
 */
void homa_msgout_refuse(struct homa_rpc *rpc)
{
	struct homa_msgout *out = &rpc->out;

	lockdep_assert_held(&rpc->lock);
	if (out->ask == HOMA_ASK_REFUSED)
		return;
	homa_metric_inc(rpc->hn, large_refusals);
	if (out->ask == HOMA_ASK_SYNC) {
		out->ask = HOMA_ASK_REFUSED;
		homa_timer_cancel(rpc);
		homa_rpc_wake(rpc);
	} else {
		homa_rpc_fail(rpc, -EMSGSIZE);
	}
}

/**
 * homa_msgout_answered() - a server says which requests it takes
 * @rpc: client RPC whose server was asked
 * @max_length: bytes in the longest of them
 * @txq: packets to be sent are appended here
 *
 * Context: rpc->lock held.
 */
void homa_msgout_answered(struct homa_rpc *rpc, u32 max_length,
			  struct sk_buff_head *txq)
{
	struct homa_msgout *out = &rpc->out;

	lockdep_assert_held(&rpc->lock);
	if (out->length > max_length) {
		homa_msgout_refuse(rpc);
		return;
	}
	out->ask = HOMA_ASK_NONE;
	out->granted = out->unsched;
	homa_timer_heard(rpc, homa_now());
	homa_msgout_pump(rpc, false, txq);
	homa_rpc_wake(rpc);
}
EXPORT_SYMBOL_IF_KUNIT(homa_msgout_answered);

/* What can be sent of what has been copied in: while there is more to come, frames as
 * they would be if all were there. If there is no route, no more than before.
 */
static u32 msgout_ready(struct homa_rpc *rpc)
{
	const struct homa_msgout *out = &rpc->out;
	u32 base = out->copied < out->unsched ? 0 : out->unsched;
	u32 frame;

	if (out->copied == out->length)
		return out->length;
	frame = homa_output_route(rpc) ? 0 : homa_output_max_frame(rpc);
	return frame ? base + rounddown(out->copied - base, frame) : 0;
}

/**
 * homa_msgout_copied() - send what may be sent of what homa_msgout_copy() has copied
 * @rpc: RPC whose message has been started
 * @txq: packets to be sent are appended here
 *
 * Context: rpc->lock held, by the thread that copies.
 */
void homa_msgout_copied(struct homa_rpc *rpc, struct sk_buff_head *txq)
{
	struct homa_msgout *out = &rpc->out;

	lockdep_assert_held(&rpc->lock);
	out->num_pieces = out->num_copied;
	out->ready = max(out->ready, msgout_ready(rpc));
	if (out->copied == out->length)
		homa_metric_add(rpc->hn, early_bytes, out->next);
	if (homa_msgout_pending(out))
		homa_msgout_pump(rpc, false, txq);
}
EXPORT_SYMBOL_IF_KUNIT(homa_msgout_copied);

/**
 * homa_msgout_start() - give an RPC its outgoing message and begin to send it
 * @rpc: RPC without one
 * @filled: from homa_msgout_fill(), with @ask set; empty afterwards
 * @txq: packets to be sent are appended here
 *
 * Context: rpc->lock held.
 */
void homa_msgout_start(struct homa_rpc *rpc, struct homa_msgout *filled,
		       struct sk_buff_head *txq)
{
	struct homa_msgout *out = &rpc->out;

	lockdep_assert_held(&rpc->lock);
	memcpy(out, filled, offsetof(struct homa_msgout, resends));
	if (filled->pieces == filled->few)
		out->pieces = out->few;
	filled->length = -1;	/* all that is looked at again */
	filled->pieces = NULL;
	filled->num_copied = 0;
	filled->charged = 0;
	out->unsched = msgout_unsched(rpc);
	out->granted = out->unsched;
	if (out->copied < out->length)
		out->ready = msgout_ready(rpc);
	if (homa_is_client(rpc)) {
		msgout_expect_response(rpc);
		homa_metric_inc(rpc->hn, client_requests_started);
		homa_metric_add(rpc->hn, client_request_bytes_started,
				out->length);
	} else {
		homa_metric_inc(rpc->hn, server_responses_started);
		homa_metric_add(rpc->hn, server_response_bytes_started,
				out->length);
	}
	if (out->ask)
		msgout_ask(rpc, txq);
	else
		homa_msgout_pump(rpc, false, txq);
}
EXPORT_SYMBOL_IF_KUNIT(homa_msgout_start);

/* Finds the piece that holds a byte, beginning where the last packet ended. */
static void msgout_seek(struct homa_msgout *out, u32 offset)
{
	while (offset < out->piece_start)
		out->piece_start -= out->pieces[--out->piece].bv_len;
	while (out->piece < out->num_pieces &&
	       offset - out->piece_start >= out->pieces[out->piece].bv_len)
		out->piece_start += out->pieces[out->piece++].bv_len;
}

/**
 * homa_msgout_attach() - let a packet share a message's data
 * @out: message
 * @skb: packet with an empty fragment list
 * @start: first byte
 * @length: bytes wanted
 *
 * Context: rpc->lock held.
 * Return: bytes attached: fewer than wanted if the packet has no more room
 *	for fragments
 */
int homa_msgout_attach(struct homa_msgout *out, struct sk_buff *skb,
		       u32 start, u32 length)
{
	u32 done = 0;
	int n = 0;

	msgout_seek(out, start);
	while (out->piece < out->num_pieces && done < length &&
	       n < MAX_SKB_FRAGS) {
		const struct bio_vec *piece = &out->pieces[out->piece];
		u32 skip = start + done - out->piece_start;
		u32 len = min_t(u32, piece->bv_len - skip, length - done);

		skb_fill_page_desc(skb, n++, piece->bv_page,
				   piece->bv_offset + skip, len);
		get_page(piece->bv_page);
		done += len;
		msgout_seek(out, start + done);
	}
	skb->len += done;
	skb->data_len += done;
	skb->truesize += done;
	return done;
}
EXPORT_SYMBOL_IF_KUNIT(homa_msgout_attach);

static void msgout_count_sent(struct homa_rpc *rpc, u32 bytes)
{
	struct homa_msgout *out = &rpc->out;

	if (homa_is_client(rpc))
		homa_metric_add(rpc->hn, client_request_bytes_done, bytes);
	else
		homa_metric_add(rpc->hn, server_response_bytes_done, bytes);
	if (out->next < out->length)
		return;
	out->done_at = out->sent_at;
	if (homa_is_client(rpc))
		homa_metric_inc(rpc->hn, client_requests_done);
	else
		homa_metric_inc(rpc->hn, server_responses_done);
}

/* Makes the next packet of what is to be sent again. */
static int msgout_pump_resend(struct homa_rpc *rpc, u32 packet,
			      struct sk_buff_head *txq)
{
	struct homa_msgout *out = &rpc->out;
	struct homa_range *r = &out->resends[0];
	int n;

	n = homa_output_data(rpc, packet, r->start, r->end, true,
			     out->resend_prio, txq);
	if (n <= 0)
		return n;
	tt_event(rpc->hn, DATA_RESENT, r->start, n, homa_trace_id(rpc),
		 out->resend_prio);
	trace_homa_retransmit(rpc, r->start, n, out->resend_prio);
	homa_metric_inc(rpc->hn, resent_packets);
	r->start += n;
	if (r->start == r->end) {
		out->num_resends--;
		memmove(r, r + 1, out->num_resends * sizeof(*r));
	}
	return n;
}

/* End of what may be sent: whole packets, of which all but the last are granted.
 * @packet: bytes in one, 0 if there is no room for any
 */
static u32 msgout_may_send(const struct homa_msgout *out, u32 packet)
{
	u32 granted = out->granted - out->next;

	if (!packet)
		return out->length;
	return out->next + min(out->ready - out->next,
			       roundup(granted, packet));
}

/* Makes the next packet of what has not been sent yet. */
static int msgout_pump_new(struct homa_rpc *rpc, u32 packet,
			   struct sk_buff_head *txq)
{
	struct homa_msgout *out = &rpc->out;
	u8 prio = out->prio;
	int n;

	/* One for all of them, or they might overtake each other. */
	if (!out->next)
		out->unsched_prio = homa_prio_unsched(rpc);
	if (out->next < out->unsched)
		prio = out->unsched_prio;
	n = homa_output_data(rpc, packet, out->next,
			     msgout_may_send(out, packet), false, prio, txq);
	if (n <= 0)
		return n;
	if (!out->next && n >= min(packet, out->unsched))
		out->seg = packet;
	out->next += n;
	msgout_count_sent(rpc, n);
	return n;
}

/* Makes sure that there is a route. For a message that begins sendmsg(2) has just done
 * that, to know what fits in a packet.
 */
static int msgout_route(struct homa_rpc *rpc)
{
	int err;

	if (!rpc->out.next && rpc->dst && rpc->dst_checked == (u32)jiffies)
		return 0;
	err = homa_output_route(rpc);
	if (err) {
		homa_metric_inc(rpc->hn, tx_no_route);
		/* One of recvmsg(2)'s own; the way may also come back. */
		rpc->soft_error = -EHOSTUNREACH;
	}
	return err;
}

/**
 * homa_msgout_pump() - make packets of what may be sent now
 * @rpc: RPC with an outgoing message
 * @paced: called by the pacer, for the message whose turn it is
 * @txq: packets to be sent are appended here
 *
 * If something is left, the pacer knows of it afterwards; when it calls, one
 * packet is made. Without memory or route the rest waits for the timer or the
 * receiver's RESEND.
 *
 * Context: rpc->lock held.
 */
void homa_msgout_pump(struct homa_rpc *rpc, bool paced,
		      struct sk_buff_head *txq)
{
	struct homa_msgout *out = &rpc->out;
	int n = 0;

	lockdep_assert_held(&rpc->lock);
	while (homa_msgout_pending(out)) {
		u32 packet;

		if (msgout_route(rpc))
			break;
		if (homa_pacer_defer(rpc, paced))
			return;
		packet = rpc->max_data;
		if (out->num_resends)
			n = msgout_pump_resend(rpc, packet, txq);
		else
			n = msgout_pump_new(rpc, packet, txq);
		if (n <= 0)
			break;
		paced = false;	/* whose turn is next, the pacer decides */
	}
	homa_pacer_remove(rpc);
	if (out->next < out->ready) {
		tt_event(rpc->hn, XMIT_BLOCKED, out->next, homa_trace_id(rpc),
			 out->granted);
		trace_homa_grant_wait(rpc, out->next, out->length - out->next,
				      out->prio);
	}
	homa_timer_sent(rpc, n > 0 ? out->sent_at : homa_now());
}
EXPORT_SYMBOL_IF_KUNIT(homa_msgout_pump);

/**
 * homa_msgout_grant() - the receiver allows more to be sent
 * @rpc: RPC with an outgoing message
 * @offset: all bytes before it may be sent
 * @prio: priority for them
 * @txq: packets to be sent are appended here
 *
 * An old grant, overtaken by a newer one, changes nothing.
 *
 * Context: rpc->lock held.
 */
void homa_msgout_grant(struct homa_rpc *rpc, u32 offset, u8 prio,
		       struct sk_buff_head *txq)
{
	struct homa_msgout *out = &rpc->out;

	lockdep_assert_held(&rpc->lock);
	offset = min_t(u32, offset, out->length);
	if (offset <= out->granted)
		return;
	tt_event(rpc->hn, GRANT_RCVD, homa_trace_id(rpc), offset, prio,
		 offset - out->granted);
	trace_homa_grant_rcvd(rpc, offset, offset - out->granted, prio);
	out->granted = offset;
	out->prio = prio;
	homa_msgout_pump(rpc, false, txq);
}
EXPORT_SYMBOL_IF_KUNIT(homa_msgout_grant);

/* Extends a range to the packets that carried it, since a receiver may reject
 * a packet that brings only part of something new. If packets have another size
 * by now, the range as it is will be less trouble.
 */
static void msgout_align(struct homa_rpc *rpc, u32 *start, u32 *end)
{
	struct homa_msgout *out = &rpc->out;
	u32 base;

	if (homa_output_route(rpc) || !out->seg ||
	    out->seg != rpc->max_data)
		return;
	base = *start < out->unsched ? 0 : out->unsched;
	*start = base + rounddown(*start - base, out->seg);
	base = *end <= out->unsched ? 0 : out->unsched;
	*end = base + roundup(*end - base, out->seg);
	if (!base)
		*end = min(*end, out->unsched);
	*end = min(*end, out->next);
}

/* Remembers a range; ranges that touch become one. */
static void msgout_add_resend(struct homa_rpc *rpc, u32 start, u32 end)
{
	struct homa_msgout *out = &rpc->out;
	int i = 0;

	msgout_align(rpc, &start, &end);
	while (i < out->num_resends) {
		struct homa_range *r = &out->resends[i];

		if (start > r->end || end < r->start) {
			i++;
			continue;
		}
		start = min(r->start, start);
		end = max(r->end, end);
		*r = out->resends[--out->num_resends];
	}
	if (out->num_resends == HOMA_MAX_RESENDS) {
		homa_metric_inc(rpc->hn, resend_overflows);
		return;
	}
	out->resends[out->num_resends++] = (struct homa_range){ start, end };
}

/**
 * homa_msgout_resend() - the receiver lacks part of the message
 * @rpc: RPC with an outgoing message
 * @offset: first byte wanted
 * @length: bytes wanted, or HOMA_RESEND_ALL
 * @prio: priority for them
 * @txq: packets to be sent are appended here
 *
 * What has never been sent is taken as a grant: it may have been lost.
 *
 * Context: rpc->lock held.
 * Return: false if nothing of what is wanted has been sent so far, so that
 *	the receiver should be told to wait
 */
bool homa_msgout_resend(struct homa_rpc *rpc, u32 offset, u32 length, u8 prio,
			struct sk_buff_head *txq)
{
	struct homa_msgout *out = &rpc->out;
	u64 end = (u64)offset + length;
	bool sent = offset < out->next;

	lockdep_assert_held(&rpc->lock);
	if (length == HOMA_RESEND_ALL)
		end = max(out->next, out->unsched);
	end = min_t(u64, end, out->length);
	if (end > out->granted) {
		out->granted = end;
		out->prio = prio;
	}
	if (sent) {
		out->resend_prio = prio;
		msgout_add_resend(rpc, offset, min_t(u32, end, out->next));
	}
	homa_msgout_pump(rpc, false, txq);
	return sent;
}
EXPORT_SYMBOL_IF_KUNIT(homa_msgout_resend);
