// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Incoming packets: from IP to the handler of their type.
 *
 *	IP -> check header -> find socket -> check policy and role
 *	   -> find RPC, lock it -> handler -> unlock -> send what came of it
 *
 * Everything in a packet is hostile. It is checked here, once, before any
 * state changes. A packet may act on an RPC only if its source address and
 * port, the socket and the id all fit. Handlers are called from a table, one
 * for each type; they say what became of the packet, and each packet that is
 * dropped is counted under its reason.
 */
#include <linux/filter.h>
#include <net/ip.h>
#include <net/protocol.h>
#include <net/route.h>
#include <net/xfrm.h>

#include "dev.h"
#include "drop.h"
#include "early.h"
#include "freeze.h"
#include "grant.h"
#include "icmp.h"
#include "input.h"
#include "loss.h"
#include "offload.h"
#include "output.h"
#include "packet.h"
#include "prio.h"
#include "rpc.h"
#include "rxmem.h"
#include "silent.h"
#include "snapshot.h"
#include "sock.h"
#include "steer.h"
#include "timer.h"
#include "tomb.h"

/**
 * struct homa_rx - a packet on its way through this file
 * @hn: host that received it
 * @hsk: socket it is for; a reference is held
 * @skb: the packet, beginning with its Homa header
 * @h: its header; as much as its type needs is linear
 * @rpc: of packets that came together: theirs, once found, with a reference
 * @others: packets that came together with this one and are still to be handled
 * @joined: what is part of @skb, though it came as packets of its own
 * @unsettled: what follows from new data is still to be done for @rpc
 * @txq: packets to be sent when no lock is held
 * @path: where an answer would go; @path.id is the RPC id as known here
 * @peer: key of the sender
 * @grants: grants to be sent when no lock is held
 */
struct homa_rx {
	struct homa_net *hn;
	struct homa_sock *hsk;
	struct sk_buff *skb;
	struct homa_common_hdr *h;
	struct homa_rpc *rpc;
	struct sk_buff *others;
	struct homa_joined joined;
	bool unsettled;
	struct sk_buff_head txq;
	struct homa_path path;
	struct homa_peer_key peer;
	struct homa_grant_batch grants;
};

/**
 * struct homa_rx_type - how to treat a type of packet
 * @min_length: of its header
 * @roles: who may send it
 * @known: handles it if there is an RPC, which is locked
 * @unknown: handles it if there is none; NULL: it is dropped
 */
struct homa_rx_type {
	u32 min_length;
	enum {
		FROM_CLIENT = 1,
		FROM_SERVER = 2,
		FROM_BOTH = 3,
	} roles;
	enum homa_drop (*known)(struct homa_rx *rx, struct homa_rpc *rpc);
	enum homa_drop (*unknown)(struct homa_rx *rx);
};

static u32 rx_trace_id(const struct homa_rx *rx)
{
	return homa_id_traced(rx->path.id);
}

static u32 rx_trace_peer(const struct homa_rx *rx)
{
	return tt_addr6(&rx->path.daddr);
}

/* Size of {offset, data} in a packet that holds several segments, because
 * the device that sent it would segment and nobody has yet; 0: it does not.
 */
static u32 data_stride(const struct homa_rx *rx)
{
	if (rx->h->doff != HOMA_DOFF_SEGMENTS || !skb_is_gso(rx->skb))
		return 0;
	return skb_shinfo(rx->skb)->gso_size;
}

/* Checks that each segment lies within the message. */
static noinline enum homa_drop data_check_segments(const struct homa_rx *rx,
						   u32 length, u32 stride)
{
	u32 at = sizeof(struct homa_data_hdr) - sizeof(__be32);
	u32 size = rx->skb->len;

	if (stride <= sizeof(__be32))
		return HOMA_DROP_LENGTH;
	for (; at < size; at += stride) {
		u32 offset, n = min(stride, size - at);
		__be32 word;

		if (n <= sizeof(word) ||
		    skb_copy_bits(rx->skb, at, &word, sizeof(word)))
			return HOMA_DROP_LENGTH;
		offset = ntohl(word);
		n -= sizeof(word);
		if (offset >= length || n > length - offset)
			return HOMA_DROP_OFFSET;
	}
	return HOMA_CONSUMED;
}

static enum homa_drop data_check(const struct homa_rx *rx)
{
	const struct homa_data_hdr *h = (struct homa_data_hdr *)rx->h;
	u32 max_length = h->hints & HOMA_HINT_LARGE ? HOMA_MAX_LARGE_LENGTH :
						      HOMA_MAX_MESSAGE_LENGTH;
	u32 length = ntohl(h->message_length);
	u32 size = rx->skb->len - sizeof(*h);
	u32 offset = homa_data_offset(h);

	if (!length || length > max_length || !size)
		return HOMA_DROP_LENGTH;
	if (data_stride(rx))
		return data_check_segments(rx, length, data_stride(rx));
	if (offset >= length || size > length - offset)
		return HOMA_DROP_OFFSET;
	return HOMA_CONSUMED;
}

/* The client needs nothing more of this RPC. */
static void rpc_acked(struct homa_rpc *rpc)
{
	lockdep_assert_held(&rpc->lock);
	if (rpc->state == HOMA_OUTGOING)
		homa_rpc_end(rpc);
}

/* Handles an acknowledgment that came along with something else. */
static void ack_process(struct homa_rx *rx, const struct homa_ack *ack)
{
	u64 id = homa_local_id(ack->client_id);
	u16 port = ntohs(ack->server_port);
	struct homa_sock *hsk = rx->hsk;
	struct homa_rpc *rpc = NULL;

	if (!ack->client_id || homa_id_is_client(id))
		return;
	if (port != READ_ONCE(hsk->port))
		hsk = homa_sock_find(rx->hn, port,
				     ipv6_addr_v4mapped(&rx->path.daddr));
	if (hsk)
		rpc = homa_rpc_find_any_port(hsk, &rx->peer, id);
	if (!rpc)
		return;
	spin_lock(&rpc->lock);
	rpc_acked(rpc);
	spin_unlock(&rpc->lock);
	homa_rpc_put(rpc);
}

/* Tells a sender that has old cutoffs the current ones, once a jiffy. */
static noinline void data_send_cutoffs(struct homa_rx *rx, struct homa_rpc *rpc,
				       u16 ours)
{
	struct homa_cutoffs_hdr h = {};

	if (READ_ONCE(rpc->peer->cutoffs_sent) == jiffies)
		return;
	WRITE_ONCE(rpc->peer->cutoffs_sent, jiffies);
	homa_prio_fill_cutoffs(rx->hn, &h);
	homa_output_control(rpc, HOMA_CUTOFFS, &h, sizeof(h), &rx->txq);
	tt_event(rx->hn, CUTOFFS_SENT, rx_trace_peer(rx), ours);
}

/* First packet of the response: the request has arrived. */
static u64 data_start_response(struct homa_rpc *rpc, u32 length, u32 incoming)
{
	rpc->out.num_resends = 0;
	rpc->out.granted = rpc->out.next;
	homa_rpc_set_state(rpc, HOMA_INCOMING);
	return homa_msgin_start(rpc, length, incoming, 0);
}

/* Finds out who schedules a message; tried again if there was no memory. */
static void data_start_grants(struct homa_rx *rx, struct homa_rpc *rpc)
{
	struct homa_dev *dev;

	if (!rpc->in.scheduled || rpc->grant.dev)
		return;
	dev = homa_dev_get(rx->hn, rx->skb->dev);
	if (!dev)
		return;
	homa_grant_start(rpc, dev);
	homa_dev_put(dev);
}

/* Takes in each segment as a packet of its own. */
static noinline enum homa_drop data_add_segments(struct homa_rx *rx,
						 struct homa_rpc *rpc, u32 stride)
{
	bool retransmit = ((struct homa_data_hdr *)rx->h)->retransmit;
	u32 at = sizeof(struct homa_data_hdr);
	u32 size = rx->skb->len;

	for (; at < size; at += stride) {
		u32 n = min_t(u32, stride - sizeof(__be32), size - at);
		struct sk_buff *seg = alloc_skb(n, GFP_ATOMIC | __GFP_NOWARN);
		enum homa_drop drop;
		__be32 word;

		if (!seg)
			return HOMA_DROP_NO_MEMORY;
		if (skb_copy_bits(rx->skb, at - sizeof(word), &word,
				  sizeof(word)) ||
		    skb_copy_bits(rx->skb, at, skb_put(seg, n), n)) {
			kfree_skb(seg);
			return HOMA_DROP_NO_MEMORY;
		}
		drop = homa_msgin_add(rpc, seg, ntohl(word), n, retransmit, 0);
		if (drop != HOMA_ACCEPTED)
			homa_drop_data(rx->hn, seg, drop);
	}
	rpc->in.arrived = homa_now();	/* if only copies */
	return HOMA_CONSUMED;
}

/* Takes in the data of a packet, which then belongs to the message. */
static enum homa_drop data_add_whole(struct homa_rx *rx, struct homa_rpc *rpc,
				     u64 now)
{
	struct homa_data_hdr *h = (struct homa_data_hdr *)rx->h;
	u32 length = rx->skb->len - sizeof(*h);
	u32 offset = homa_data_offset(h);
	bool retransmit = h->retransmit;
	enum homa_drop drop;

	__skb_pull(rx->skb, sizeof(*h));
	homa_rx_cb(rx->skb)->joined = rx->joined;
	drop = homa_msgin_add(rpc, rx->skb, offset, length, retransmit, now);
	if (drop != HOMA_ACCEPTED)
		__skb_push(rx->skb, sizeof(*h));
	return drop;
}

/* The sender is alive; what is missing will be missed. */
static void data_heard(struct homa_rpc *rpc, enum homa_drop drop, u64 now)
{
	if (!homa_drop_is_limit(drop))	/* or it would never time out */
		homa_timer_heard(rpc, now);
	if (!homa_msgin_complete(&rpc->in))
		homa_timer_wait(rpc, now);
}

/* What follows from new data; once for packets that came together. */
static void data_settle(struct homa_rx *rx, struct homa_rpc *rpc)
{
	data_heard(rpc, HOMA_ACCEPTED, rpc->in.arrived);
	if (rpc->grant.dev)
		homa_grant_update(rpc, &rx->grants);
	if (homa_msgin_complete(&rpc->in)) {
		homa_rpc_answered(rpc);
		homa_timer_cancel(rpc);
		homa_silent_complete(rpc);
		homa_rxmem_completed(rpc);
		if (rpc->in.early != HOMA_EARLY_COPYING)
			homa_rpc_ready(rpc, rpc->in.arrived);
	} else if (homa_early_due(&rpc->in)) {
		homa_early_offer(rpc);
	}
}

/* @now: homa_now() if the message has just begun, or 0 */
static enum homa_drop data_add(struct homa_rx *rx, struct homa_rpc *rpc, u64 now)
{
	struct homa_data_hdr *h = (struct homa_data_hdr *)rx->h;
	u16 cutoffs = READ_ONCE(rx->hn->sysctl.cutoff_version);
	u32 stride = data_stride(rx);
	u32 end = rpc->in.end;
	enum homa_drop drop;

	if (ntohl(h->message_length) != rpc->in.length)
		return HOMA_DROP_LENGTH;
	if (!homa_is_client(rpc) && h->hints & HOMA_HINT_INCAST)
		rpc->incast = true;
	rpc->window = max(rpc->window, ntohs(h->common.window));
	if (ntohs(h->cutoff_version) != cutoffs)
		data_send_cutoffs(rx, rpc, cutoffs);
	data_start_grants(rx, rpc);
	drop = stride ? data_add_segments(rx, rpc, stride) :
			data_add_whole(rx, rpc, now);
	if (drop != HOMA_ACCEPTED && drop != HOMA_CONSUMED) {
		data_heard(rpc, drop, homa_now());
		return drop;
	}
	if (rpc->in.left && rpc->in.end > end && !h->retransmit)
		homa_loss_arrived(rpc, homa_packet_level(rx->skb),
				  1 + rx->joined.packets);
	rx->unsettled = rx->others && !homa_msgin_complete(&rpc->in);
	if (!rx->unsettled)
		data_settle(rx, rpc);
	return drop;
}

static enum homa_drop data_known(struct homa_rx *rx, struct homa_rpc *rpc)
{
	struct homa_data_hdr *h = (struct homa_data_hdr *)rx->h;
	u64 now = 0;

	if (rpc->state == HOMA_OUTGOING && homa_is_client(rpc))
		now = data_start_response(rpc, ntohl(h->message_length),
					  ntohl(h->incoming));
	else if (rpc->state == HOMA_INCOMING && rpc->in.length < 0)
		now = homa_msgin_start(rpc, ntohl(h->message_length),
				       ntohl(h->incoming), rpc->created);
	if (rpc->state != HOMA_INCOMING || homa_msgin_complete(&rpc->in))
		return h->retransmit ? HOMA_DROP_RESENT_DUPLICATE :
				       HOMA_DROP_DUPLICATE;
	return data_add(rx, rpc, now);
}

/* The RPC that this packet is for, too, may be there: rx_is_first() was wrong, or another
 * core has just made it. @drop: if it is not
 */
static enum homa_drop data_second(struct homa_rx *rx, enum homa_drop drop)
{
	struct homa_rpc *rpc;

	rpc = homa_rpc_find(rx->hsk, &rx->peer, rx->path.dport, rx->path.id);
	if (!rpc)
		return drop;
	spin_lock(&rpc->lock);
	drop = rpc->state == HOMA_DEAD ? HOMA_DROP_DUPLICATE :
					 data_known(rx, rpc);
	spin_unlock(&rpc->lock);
	homa_rpc_put(rpc);
	return drop;
}

/* Why a request is not taken, or what became of it, for errors of homa_rpc_publish(). */
static enum homa_drop data_refused(struct homa_rx *rx, int err)
{
	switch (err) {
	case -EEXIST:
		return data_second(rx, HOMA_DROP_DUPLICATE);
	case -EALREADY:
		return HOMA_DROP_EXECUTED;
	case -ENOBUFS:
		return HOMA_DROP_LIMIT;
	case -EDQUOT:
		return HOMA_DROP_PEER_LIMIT;
	case -ENFILE:
		return HOMA_DROP_HOST_LIMIT;
	default:
		return HOMA_DROP_CANT_CREATE;
	}
}

/* Is the packet, which data_check() has passed, all of its message? */
static bool data_is_whole(const struct homa_rx *rx)
{
	const struct homa_data_hdr *h = (struct homa_data_hdr *)rx->h;

	return rx->skb->len - sizeof(*h) >= ntohl(h->message_length);
}

/* First packet of a request: makes the server RPC. */
static enum homa_drop data_unknown(struct homa_rx *rx)
{
	bool whole = data_is_whole(rx);
	enum homa_drop drop;
	struct homa_rpc *rpc;
	int err;

	if (homa_id_is_client(rx->path.id))
		return HOMA_DROP_UNKNOWN_RPC;
	if (!smp_load_acquire(&rx->hsk->rcvbuf))	/* see msgin_reserve() */
		return HOMA_DROP_CANT_CREATE;
	drop = homa_silent_admit(rx->hsk, &rx->peer, whole);
	if (drop != HOMA_CONSUMED)
		return whole ? data_second(rx, drop) : drop;
	rpc = homa_rpc_alloc(rx->hsk, &rx->peer, rx->path.dport, rx->path.id,
			     homa_now(), GFP_ATOMIC | __GFP_NOWARN);
	if (!rpc)
		return data_second(rx, HOMA_DROP_CANT_CREATE);
	rpc->saddr = rx->path.saddr;
	homa_snapshots_start(rx->hn);
	spin_lock(&rpc->lock);
	err = homa_rpc_publish(rpc);
	if (!err) {
		homa_silent_begun(rpc, whole);
		drop = data_known(rx, rpc);
	}
	spin_unlock(&rpc->lock);
	homa_rpc_put(rpc);
	return err ? data_refused(rx, err) : drop;
}

static enum homa_drop grant_known(struct homa_rx *rx, struct homa_rpc *rpc)
{
	struct homa_grant_hdr *h = (struct homa_grant_hdr *)rx->h;

	if (rpc->state != HOMA_OUTGOING)
		return HOMA_DROP_STATE;
	homa_timer_heard(rpc, homa_now());
	homa_msgout_grant(rpc, ntohl(h->offset),
			  homa_prio_clamp(rx->hn, h->priority), &rx->txq);
	return HOMA_CONSUMED;
}

static void send_busy(struct homa_rx *rx, struct homa_rpc *rpc)
{
	struct homa_common_hdr h = {};

	homa_output_control(rpc, HOMA_BUSY, &h, sizeof(h), &rx->txq);
	tt_event(rx->hn, BUSY_SENT, rx_trace_id(rx), rx_trace_peer(rx));
}

static enum homa_drop resend_known(struct homa_rx *rx, struct homa_rpc *rpc)
{
	struct homa_resend_hdr *h = (struct homa_resend_hdr *)rx->h;
	u32 offset = ntohl(h->offset);
	u32 length = ntohl(h->length);

	tt_event(rx->hn, RESEND_RCVD, rx_trace_id(rx), offset, length,
		 h->priority);
	if (rpc->state != HOMA_OUTGOING) {
		send_busy(rx, rpc);
		return HOMA_CONSUMED;
	}
	if (!length || offset >= rpc->out.length)
		return HOMA_DROP_OFFSET;
	homa_timer_heard(rpc, homa_now());
	if (!homa_msgout_resend(rpc, offset, length,
				homa_prio_clamp(rx->hn, h->priority),
				&rx->txq))
		send_busy(rx, rpc);
	return HOMA_CONSUMED;
}

/* Whoever sends what belongs to no RPC may have forged its address. */
static bool reply_allowed(struct homa_rx *rx)
{
	return homa_rate_allow(&rx->hn->replies, homa_now(),
			       READ_ONCE(rx->hn->sysctl.max_replies));
}

static enum homa_drop resend_unknown(struct homa_rx *rx)
{
	struct homa_common_hdr h = {};

	if (!homa_id_is_client(rx->path.id) &&
	    homa_tomb_find(rx->hn, &rx->peer, rx->path.dport, rx->path.id))
		return HOMA_DROP_EXECUTED;
	if (!reply_allowed(rx))
		return HOMA_DROP_REPLY_LIMIT;
	homa_output_reply(rx->hsk, &rx->path, HOMA_RPC_UNKNOWN, &h, sizeof(h),
			  &rx->txq);
	tt_event(rx->hn, UNKNOWN_SENT, rx_trace_id(rx), rx_trace_peer(rx));
	return HOMA_CONSUMED;
}

/* The peer does not have the RPC. A client begins again: the server never
 * got the request, or it would remember it (see tomb.c). A server's client
 * is gone; but what the application is working on goes on.
 */
static enum homa_drop unknown_known(struct homa_rx *rx, struct homa_rpc *rpc)
{
	u32 max_length = homa_window_bytes(ntohs(rx->h->window));

	tt_event(rx->hn, UNKNOWN_RCVD, rx_trace_id(rx), rx_trace_peer(rx));
	if (rpc->state != HOMA_OUTGOING &&
	    (homa_is_client(rpc) || rpc->state != HOMA_INCOMING ||
	     homa_msgin_complete(&rpc->in)))
		return HOMA_DROP_STATE;
	if (!homa_is_client(rpc)) {
		homa_metric_inc(rx->hn, server_rpcs_unknown);
		homa_rpc_end(rpc);
		return HOMA_CONSUMED;
	}
	if (rpc->out.ask || rpc->out.length > max_length) {
		homa_msgout_answered(rpc, max_length, &rx->txq);
		return HOMA_CONSUMED;
	}
	if (!rpc->out.next)
		return HOMA_DROP_STATE;
	tt_event(rx->hn, RPC_RESTART, rx_trace_id(rx), rx_trace_peer(rx));
	homa_metric_inc(rx->hn, rpc_restarts);
	homa_freeze_on(rpc, HOMA_FREEZE_RESTART_RPC);

	/* The second time at another priority, if the network drops the first. */
	homa_msgout_resend(rpc, 0, rpc->out.next, rpc->restarted ?
			   homa_prio_highest(rx->hn) : homa_prio_unsched(rpc),
			   &rx->txq);
	rpc->restarted = true;
	return HOMA_CONSUMED;
}

static enum homa_drop busy_known(struct homa_rx *rx, struct homa_rpc *rpc)
{
	tt_event(rx->hn, BUSY_RCVD, rx_trace_id(rx), rx_trace_peer(rx));
	homa_timer_busy(rpc);
	return HOMA_CONSUMED;
}

static enum homa_drop cutoffs_any(struct homa_rx *rx)
{
	struct homa_cutoffs_hdr *h = (struct homa_cutoffs_hdr *)rx->h;
	struct homa_peer *peer = homa_peer_find(rx->hn, &rx->peer);
	int i;

	/* Of no interest from hosts that we have nothing to do with. */
	if (!peer)
		return HOMA_DROP_UNKNOWN_RPC;
	spin_lock(&peer->lock);
	for (i = 1; i < HOMA_MAX_PRIORITIES; i++)
		WRITE_ONCE(peer->cutoffs[i], min_t(u32, INT_MAX,
						   ntohl(h->cutoffs[i])));
	WRITE_ONCE(peer->cutoffs[0], INT_MAX);
	WRITE_ONCE(peer->cutoff_version, h->version);
	spin_unlock(&peer->lock);
	homa_peer_put(peer);
	tt_event(rx->hn, CUTOFFS_RCVD, rx_trace_peer(rx), ntohs(h->version));
	return HOMA_CONSUMED;
}

static enum homa_drop cutoffs_known(struct homa_rx *rx, struct homa_rpc *rpc)
{
	return cutoffs_any(rx);
}

static enum homa_drop need_ack_unknown(struct homa_rx *rx)
{
	struct homa_peer *peer;

	tt_event(rx->hn, NEED_ACK_RCVD, rx_trace_id(rx), rx_trace_peer(rx));
	if (!reply_allowed(rx))
		return HOMA_DROP_REPLY_LIMIT;
	peer = homa_peer_find(rx->hn, &rx->peer);
	homa_output_ack(rx->hsk, &rx->path, peer, &rx->txq);
	if (peer)
		homa_peer_put(peer);
	return HOMA_CONSUMED;
}

static enum homa_drop need_ack_known(struct homa_rx *rx, struct homa_rpc *rpc)
{
	u64 silence = homa_now() - rpc->last_heard;

	if (rpc->state == HOMA_INCOMING && homa_msgin_complete(&rpc->in))
		return need_ack_unknown(rx);
	tt_event(rx->hn, NEED_ACK_RCVD, rx_trace_id(rx), rx_trace_peer(rx));
	homa_timer_heard(rpc, homa_now());
	homa_freeze_on(rpc, HOMA_FREEZE_NEED_ACK);

	/* It has overtaken what waits in the network at scheduled priorities. */
	if (!rpc->in.scheduled ||
	    silence >= READ_ONCE(rx->hn->sysctl.resend_ticks) * NSEC_PER_MSEC)
		homa_msgin_request_missing(rpc, &rx->txq);
	return HOMA_CONSUMED;
}

/* The records of an ACK; done after the RPC's lock has been dropped. */
static enum homa_drop ack_unknown(struct homa_rx *rx)
{
	struct homa_ack_hdr *h = (struct homa_ack_hdr *)rx->h;
	int i, n = min_t(int, ntohs(h->num_acks), HOMA_MAX_ACKS);

	tt_event(rx->hn, ACK_RCVD, rx_trace_id(rx), rx_trace_peer(rx), n);
	for (i = 0; i < n; i++)
		ack_process(rx, &h->acks[i]);
	return HOMA_CONSUMED;
}

static enum homa_drop ack_known(struct homa_rx *rx, struct homa_rpc *rpc)
{
	if (rpc->state != HOMA_OUTGOING)
		return HOMA_DROP_STATE;
	rpc_acked(rpc);
	return HOMA_CONSUMED;
}

/* Anybody can send a FREEZE; the administrator decides whether it works. */
static enum homa_drop freeze_any(struct homa_rx *rx)
{
	if (!READ_ONCE(rx->hn->sysctl.accept_freeze))
		return HOMA_DROP_POLICY;
	homa_freeze_rcvd(rx->hn, rx_trace_peer(rx), ntohs(rx->path.dport));
	return HOMA_CONSUMED;
}

static const struct homa_rx_type rx_types[HOMA_NUM_TYPES] = {
#define TYPE(t, ...) [HOMA_##t - HOMA_FIRST_TYPE] = { __VA_ARGS__ }
	TYPE(DATA, sizeof(struct homa_data_hdr), FROM_BOTH, data_known,
	     data_unknown),
	TYPE(GRANT, sizeof(struct homa_grant_hdr), FROM_BOTH, grant_known),
	TYPE(RESEND, sizeof(struct homa_resend_hdr), FROM_BOTH, resend_known,
	     resend_unknown),
	TYPE(RPC_UNKNOWN, sizeof(struct homa_common_hdr), FROM_BOTH,
	     unknown_known),
	TYPE(BUSY, sizeof(struct homa_common_hdr), FROM_BOTH, busy_known),
	TYPE(CUTOFFS, sizeof(struct homa_cutoffs_hdr), FROM_BOTH,
	     cutoffs_known, cutoffs_any),
	TYPE(FREEZE, sizeof(struct homa_common_hdr), FROM_BOTH),
	TYPE(NEED_ACK, sizeof(struct homa_common_hdr), FROM_SERVER,
	     need_ack_known, need_ack_unknown),
	TYPE(ACK, sizeof(struct homa_ack_hdr), FROM_CLIENT, ack_known,
	     ack_unknown),
#undef TYPE
};

static const struct homa_rx_type *rx_type(const struct homa_rx *rx)
{
	return &rx_types[rx->h->type - HOMA_FIRST_TYPE];
}

/* Makes the header linear and checks its length. */
static enum homa_drop rx_check_header(struct homa_rx *rx)
{
	struct sk_buff *skb = rx->skb;
	u32 min_length;

	if (!pskb_may_pull(skb, sizeof(struct homa_common_hdr)))
		return HOMA_DROP_SHORT;
	rx->h = (struct homa_common_hdr *)skb->data;
	if (rx->h->type < HOMA_FIRST_TYPE || rx->h->type > HOMA_LAST_TYPE)
		return HOMA_DROP_TYPE;
	min_length = rx_type(rx)->min_length;
	if (!pskb_may_pull(skb, min_length))
		return HOMA_DROP_SHORT;
	rx->h = (struct homa_common_hdr *)skb->data;
	if (rx->h->type == HOMA_DATA)
		return data_check(rx);
	return HOMA_CONSUMED;
}

/* Who sent the packet to whom. */
static enum homa_drop rx_parse(struct homa_rx *rx)
{
	struct sk_buff *skb = rx->skb;
	struct homa_path *path = &rx->path;

	if (skb->pkt_type != PACKET_HOST)
		return HOMA_DROP_ADDRESS;
	if (ip_hdr(skb)->version == 4) {
		if (skb_rtable(skb) && skb_rtable(skb)->rt_flags &
				       (RTCF_BROADCAST | RTCF_MULTICAST))
			return HOMA_DROP_ADDRESS;
		ipv6_addr_set_v4mapped(ip_hdr(skb)->saddr, &path->daddr);
		ipv6_addr_set_v4mapped(ip_hdr(skb)->daddr, &path->saddr);
	} else {
		path->daddr = ipv6_hdr(skb)->saddr;
		path->saddr = ipv6_hdr(skb)->daddr;
		if (ipv6_addr_is_multicast(&path->saddr) ||
		    ipv6_addr_v4mapped(&path->daddr))
			return HOMA_DROP_ADDRESS;
	}
	path->oif = homa_packet_scope(skb, &path->daddr);
	path->dport = rx->h->sport;
	path->id = homa_local_id(rx->h->sender_id);
	rx->peer.addr = path->daddr;
	rx->peer.scope = path->oif;
	return path->dport ? HOMA_CONSUMED : HOMA_DROP_ADDRESS;
}

/* A socket that is bound to a device receives only from there. */
static bool rx_device_fits(const struct homa_rx *rx, struct homa_sock *hsk,
			   bool ipv4)
{
	int bound = READ_ONCE(hsk->inet.sk.sk_bound_dev_if);
	struct sk_buff *skb = rx->skb;

	return inet_sk_bound_dev_eq(rx->hn->net, bound,
				    ipv4 ? inet_iif(skb) : inet6_iif(skb),
				    ipv4 ? inet_sdif(skb) : inet6_sdif(skb));
}

/* A socket that is bound to an address receives only there. */
static bool rx_address_fits(const struct homa_rx *rx, struct homa_sock *hsk)
{
	return ipv6_addr_any(&hsk->local) ||
	       ipv6_addr_equal(&hsk->local, &rx->path.saddr);
}

/* Asks the socket's filter, which may refuse the packet, but not shorten it. */
static enum homa_drop rx_filter(struct homa_rx *rx)
{
	struct sk_buff *skb = rx->skb;

	if (sk_filter_trim_cap(homa_sock_sk(rx->hsk), skb, skb->len))
		return HOMA_DROP_POLICY;
	rx->h = (struct homa_common_hdr *)skb->data;
	return HOMA_CONSUMED;
}

/* Finds the socket, with a reference, if it wants such a packet. */
static enum homa_drop rx_find_socket(struct homa_rx *rx)
{
	bool ipv4 = ip_hdr(rx->skb)->version == 4;
	struct homa_sock *hsk;
	struct sock *sk;

	hsk = homa_sock_find(rx->hn, ntohs(rx->h->dport), ipv4);
	if (!hsk || !rx_device_fits(rx, hsk, ipv4) || !rx_address_fits(rx, hsk))
		return HOMA_DROP_NO_SOCKET;
	if (!homa_id_is_client(rx->path.id) && !READ_ONCE(hsk->is_server))
		return HOMA_DROP_NO_SOCKET;
	sk = homa_sock_sk(hsk);
	if (!refcount_inc_not_zero(&sk->sk_refcnt))
		return HOMA_DROP_NO_SOCKET;
	rx->hsk = hsk;
	if (ipv4 ? !xfrm4_policy_check(sk, XFRM_POLICY_IN, rx->skb) :
		   !xfrm6_policy_check(sk, XFRM_POLICY_IN, rx->skb))
		return HOMA_DROP_POLICY;
	return rx_filter(rx);
}

/* A message that is longer than its socket has ever said that it takes. */
static bool rx_too_large(const struct homa_rx *rx)
{
	const struct homa_data_hdr *h = (struct homa_data_hdr *)rx->h;

	return rx->h->type == HOMA_DATA &&
	       ntohl(h->message_length) > HOMA_MAX_MESSAGE_LENGTH &&
	       ntohl(h->message_length) > homa_sock_max_receive(rx->hsk);
}

/* Is there an RPC that a packet may act on? One that has ended, or whose request
 * has not begun, is as good as none; a server that is asked whether it takes the
 * request can only answer.
 */
static bool rpc_listens(const struct homa_rx *rx, const struct homa_rpc *rpc)
{
	if (rpc->state == HOMA_DEAD || rpc->error)
		return false;
	if (rpc->out.ask)
		return rx->h->type == HOMA_RPC_UNKNOWN;
	return rpc->out.length >= 0 || !homa_is_client(rpc);
}

/* Is the packet a whole request that nobody has seen, by all appearances? Most are; of the
 * others homa_rpc_publish(), which looks in any case, says so.
 */
static bool rx_is_first(const struct homa_rx *rx)
{
	return rx->h->type == HOMA_DATA && !homa_id_is_client(rx->path.id) &&
	       !((struct homa_data_hdr *)rx->h)->retransmit && data_is_whole(rx);
}

/* The packet's RPC, with a reference unless it is @rx->rpc. */
static struct homa_rpc *rx_find_rpc(struct homa_rx *rx)
{
	struct homa_rpc *rpc = rx->rpc;

	if (!rpc && !rx_is_first(rx))
		rpc = homa_rpc_find(rx->hsk, &rx->peer, rx->path.dport,
				    rx->path.id);
	if (rx->others)
		rx->rpc = rpc;
	return rpc;
}

/* Calls the handler of the packet's type. */
static enum homa_drop rx_dispatch(struct homa_rx *rx)
{
	bool from_client = !homa_id_is_client(rx->path.id);
	const struct homa_rx_type *type = rx_type(rx);
	struct homa_ack ack = {};
	enum homa_drop drop;
	struct homa_rpc *rpc;
	bool is_ack = rx->h->type == HOMA_ACK;

	if (!(type->roles & (from_client ? FROM_CLIENT : FROM_SERVER)))
		return HOMA_DROP_ROLE;
	if (rx_too_large(rx))
		return HOMA_DROP_TOO_LARGE;
	if (homa_drop_injected(rx->hn))
		return HOMA_DROP_INJECTED;
	if (rx->h->type == HOMA_DATA)
		ack = ((struct homa_data_hdr *)rx->h)->ack;
	homa_metric_rcvd(rx->hn, rx->h->type, 1 + rx->joined.packets);

	rpc = rx_find_rpc(rx);
	if (rpc) {
		spin_lock(&rpc->lock);
		drop = rpc_listens(rx, rpc) ? type->known(rx, rpc) :
					      HOMA_DROP_UNKNOWN_RPC;
		spin_unlock(&rpc->lock);
		if (rpc != rx->rpc)
			homa_rpc_put(rpc);
		if (is_ack)
			ack_unknown(rx);
	} else if (type->unknown) {
		drop = type->unknown(rx);
	} else {
		drop = HOMA_DROP_UNKNOWN_RPC;
	}
	if (ack.client_id)
		ack_process(rx, &ack);
	return drop;
}

/* Takes what continues the packet in with it. */
static void rx_join(struct homa_rx *rx)
{
	if (rx->others && rx->h->type == HOMA_DATA)
		rx->joined = homa_packet_join(rx->hn, &rx->path, rx->skb,
					      &rx->others);
}

static enum homa_drop rx_handle(struct homa_rx *rx)
{
	enum homa_drop drop = rx_check_header(rx);

	if (drop == HOMA_CONSUMED)
		drop = rx_parse(rx);
	if (drop != HOMA_CONSUMED)
		return drop;
	if (!homa_packet_checksum_ok(rx->hn, &rx->path, rx->skb))
		return HOMA_DROP_CHECKSUM;
	rx_join(rx);
	if (rx->h->type == HOMA_FREEZE)
		return freeze_any(rx);
	drop = rx_find_socket(rx);
	if (drop == HOMA_DROP_NO_SOCKET)
		homa_icmp_unreachable(rx->skb);
	if (drop != HOMA_CONSUMED)
		return drop;
	return rx_dispatch(rx);
}

/* Drops a packet, and each that was made part of it. */
static void rx_drop(struct homa_rx *rx, enum homa_drop drop)
{
	struct sk_buff *list = NULL, *skb, *next;

	if (rx->joined.packets)
		list = homa_packet_part(rx->skb);
	homa_drop(rx->hn, rx->skb, drop);
	skb_list_walk_safe(list, skb, next) {
		skb_mark_not_on_list(skb);
		homa_drop(rx->hn, skb, drop);
	}
}

/* Frees a packet, unless it belongs to a message now. */
static void rx_finish(struct homa_rx *rx, enum homa_drop drop)
{
	if (drop == HOMA_CONSUMED)
		consume_skb(rx->skb);
	else if (drop != HOMA_ACCEPTED)
		rx_drop(rx, drop);
}

/* Handles a packet that came together with others, like those before it. */
static enum homa_drop rx_handle_next(struct homa_rx *rx)
{
	enum homa_drop drop = rx_check_header(rx);

	if (drop != HOMA_CONSUMED)
		return drop;
	if (rx->h->type != HOMA_DATA || rx->h->sport != rx->path.dport ||
	    homa_local_id(rx->h->sender_id) != rx->path.id)
		return HOMA_DROP_TYPE;
	if (!homa_packet_checksum_ok(rx->hn, &rx->path, rx->skb))
		return HOMA_DROP_CHECKSUM;
	rx_join(rx);
	drop = rx_filter(rx);
	return drop == HOMA_CONSUMED ? rx_dispatch(rx) : drop;
}

/* Handles the others of some packets that came together, whose list may be somebody
 * else's, too. @drop is what the first was dropped for if there is no socket.
 */
static void rx_others(struct homa_rx *rx, enum homa_drop drop)
{
	while (rx->others) {
		struct sk_buff *skb = rx->others;

		rx->others = skb->next;
		rx->skb = skb_share_check(skb, GFP_ATOMIC | __GFP_NOWARN);
		rx->joined = (struct homa_joined){};
		if (!rx->skb) {
			homa_metric_inc(rx->hn, rx_no_memory);
			continue;
		}
		skb_mark_not_on_list(rx->skb);
		rx_finish(rx, rx->hsk ? rx_handle_next(rx) : drop);
	}
	if (!rx->rpc)
		return;
	spin_lock(&rx->rpc->lock);
	if (rx->unsettled && rx->rpc->state == HOMA_INCOMING && !rx->rpc->error)
		data_settle(rx, rx->rpc);
	spin_unlock(&rx->rpc->lock);
	homa_rpc_put(rx->rpc);
}

/* Entry from IP; bottom halves are off, RCU is read-locked. */
static int homa_rcv(struct sk_buff *skb)
{
	struct homa_rx rx __uninitialized;
	enum homa_drop drop;

	/* Not what rx_parse() sets, nor grants, of which there is room for many. */
	memset(&rx, 0, offsetof(struct homa_rx, path));
	rx.hn = homa_net_rcu(dev_net(skb->dev));
	rx.skb = skb;
	rx.grants.count = 0;
	__skb_queue_head_init(&rx.txq);
	if (!READ_ONCE(rx.hn->live)) {
		kfree_skb(skb);		/* no metrics any more */
		return 0;
	}
	homa_steer_softirq(rx.hn);
	if (skb_has_frag_list(skb))
		rx.others = homa_offload_split(skb);
	if (IS_ERR(rx.others)) {
		homa_drop(rx.hn, skb, HOMA_DROP_NO_MEMORY);
		return 0;
	}
	drop = rx_handle(&rx);
	rx_finish(&rx, drop);
	rx_others(&rx, drop);
	homa_output_flush(&rx.txq);
	homa_grant_flush(&rx.grants);
	if (rx.hsk)
		sock_put(homa_sock_sk(rx.hsk));
	return 0;
}

static const struct net_protocol homa_protocol = {
	.handler = homa_rcv,
	.err_handler = homa_icmp_v4,
	.no_policy = 1,		/* checked for the socket, see above */
};

static const struct inet6_protocol homa_v6_protocol = {
	.handler = homa_rcv,
	.err_handler = homa_icmp_v6,
	.flags = INET6_PROTO_NOPOLICY | INET6_PROTO_FINAL,
};

/**
 * homa_input_register() - begin to take packets from IP
 *
 * Context: process.
 * Return: 0 or a negative errno
 */
int homa_input_register(void)
{
	int err;

	err = inet_add_protocol(&homa_protocol, IPPROTO_HOMA);
	if (err)
		return err;
	err = inet6_add_protocol(&homa_v6_protocol, IPPROTO_HOMA);
	if (err)
		inet_del_protocol(&homa_protocol, IPPROTO_HOMA);
	return err;
}

/**
 * homa_input_unregister() - take no more packets from IP
 *
 * Waits until none is being handled.
 *
 * Context: process, sleeps.
 */
void homa_input_unregister(void)
{
	inet6_del_protocol(&homa_v6_protocol, IPPROTO_HOMA);
	inet_del_protocol(&homa_protocol, IPPROTO_HOMA);
}
