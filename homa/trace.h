/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Tracepoints: what happens to which RPC. For perf, bpftrace and
 * /sys/kernel/tracing/events/homa; what they do not trace costs nothing.
 *
 *	homa_rpc_state		an RPC begins (@from is @to), or is in another state
 *	homa_rpc_ref		somebody takes or drops a reference, and who
 *	homa_sendmsg		an application sends a request or a response
 *	homa_rpc_ready		a message is complete, or an RPC has failed
 *	homa_wait_found		a thread has taken it
 *	homa_recvmsg		recvmsg() is about to return @result
 *	homa_data_sent		bytes are given to IP
 *	homa_data_rcvd		bytes have come that were not there
 *	homa_grant_wait		all that was granted is sent; from @offset on it waits
 *	homa_grant_sent		the peer may send up to @offset
 *	homa_grant_rcvd		we may
 *	homa_resend_sent	bytes of the peer are missed
 *	homa_retransmit		bytes are sent again
 *	homa_pacer_wait		a message begins to wait for its device
 *	homa_pacer_done		it ceases to
 *	homa_tx_done		a device has finished with a packet of ours
 *	homa_drop		a packet is dropped, and the counter that says why
 *
 * @netns is the inode of the host's namespace, as in /proc/self/ns/net. Programs in
 * perf/ read this file, too: for them the macros mean something else (perf/lib/events.h).
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM homa

#if !defined(_HOMA_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _HOMA_TRACE_H

#include <linux/tracepoint.h>

#include "dev.h"
#include "drop.h"
#include "rpc.h"
#include "sock.h"
#include "wire.h"

/* A number, since the description of an event shows it as it is written: */
#define TRACE_ADDR_BYTES 16
static_assert(sizeof(struct in6_addr) == TRACE_ADDR_BYTES);

#define trace_netns(hn) ((hn)->net->ns.inum)

#define HOMA_STATES(S)			\
	S(HOMA_OUTGOING, "outgoing")	\
	S(HOMA_INCOMING, "incoming")	\
	S(HOMA_IN_SERVICE, "in_service")

#define DEFINE_NAMED(value, name) TRACE_DEFINE_ENUM(value);
#define SYMBOL(value, name) { value, name },
#define DROP_SYMBOL(value, metric) { value, #metric },

HOMA_STATES(DEFINE_NAMED)
TRACE_DEFINE_ENUM(HOMA_DEAD);
HOMA_DROPS(DEFINE_NAMED)

#define show_state(state) \
	__print_symbolic(state, HOMA_STATES(SYMBOL) { HOMA_DEAD, "dead" })
#define show_drop(why) \
	__print_symbolic(why, HOMA_DROPS(DROP_SYMBOL) \
			 { HOMA_CONSUMED, "none" })

TRACE_EVENT(homa_rpc_state,
	TP_PROTO(const struct homa_rpc *rpc, enum homa_rpc_state state),
	TP_ARGS(rpc, state),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, netns)
		__field(u16, port)
		__field(u16, peer_port)
		__array(u8, peer, TRACE_ADDR_BYTES)
		__field(int, from)
		__field(int, to)
	),
	TP_fast_assign(
		__entry->id = rpc->key.id;
		__entry->netns = trace_netns(rpc->hn);
		__entry->port = rpc->hsk->port;
		__entry->peer_port = ntohs(rpc->dport);
		memcpy(__entry->peer, &rpc->daddr, sizeof(rpc->daddr));
		__entry->from = rpc->state;
		__entry->to = state;
	),
	TP_printk("id=%llu netns=%u port=%u peer=%pI6c peer_port=%u from=%s to=%s",
		  __entry->id, __entry->netns, __entry->port, __entry->peer,
		  __entry->peer_port, show_state(__entry->from),
		  show_state(__entry->to))
);

TRACE_EVENT(homa_rpc_ref,
	TP_PROTO(const struct homa_rpc *rpc, int change, unsigned long who),
	TP_ARGS(rpc, change, who),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(int, change)
		__field(int, refs)
		__field(unsigned long, who)
	),
	TP_fast_assign(
		__entry->id = rpc->key.id;
		__entry->change = change;
		__entry->refs = refcount_read(&rpc->refs);
		__entry->who = who;
	),
	TP_printk("id=%llu change=%d refs=%d by=%pS", __entry->id,
		  __entry->change, __entry->refs, (void *)__entry->who)
);

DECLARE_EVENT_CLASS(homa_message,
	TP_PROTO(const struct homa_rpc *rpc, u32 length),
	TP_ARGS(rpc, length),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, netns)
		__field(u16, port)
		__field(u16, peer_port)
		__array(u8, peer, TRACE_ADDR_BYTES)
		__field(u32, length)
	),
	TP_fast_assign(
		__entry->id = rpc->key.id;
		__entry->netns = trace_netns(rpc->hn);
		__entry->port = rpc->hsk->port;
		__entry->peer_port = ntohs(rpc->dport);
		memcpy(__entry->peer, &rpc->daddr, sizeof(rpc->daddr));
		__entry->length = length;
	),
	TP_printk("id=%llu netns=%u port=%u peer=%pI6c peer_port=%u length=%u",
		  __entry->id, __entry->netns, __entry->port, __entry->peer,
		  __entry->peer_port, __entry->length)
);

#define MESSAGE_EVENT(name) \
	DEFINE_EVENT(homa_message, name, \
		TP_PROTO(const struct homa_rpc *rpc, u32 length), \
		TP_ARGS(rpc, length))

MESSAGE_EVENT(homa_sendmsg);
MESSAGE_EVENT(homa_rpc_ready);
MESSAGE_EVENT(homa_wait_found);

TRACE_EVENT(homa_recvmsg,
	TP_PROTO(struct homa_sock *hsk, u64 id, int result),
	TP_ARGS(hsk, id, result),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, netns)
		__field(u16, port)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->id = id;
		__entry->netns = trace_netns(homa_sock_net(hsk));
		__entry->port = hsk->port;
		__entry->result = result;
	),
	TP_printk("id=%llu netns=%u port=%u result=%d", __entry->id,
		  __entry->netns, __entry->port, __entry->result)
);

DECLARE_EVENT_CLASS(homa_range,
	TP_PROTO(const struct homa_rpc *rpc, u32 offset, u32 length, u8 prio),
	TP_ARGS(rpc, offset, length, prio),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, netns)
		__array(u8, peer, TRACE_ADDR_BYTES)
		__field(u32, offset)
		__field(u32, length)
		__field(u8, prio)
	),
	TP_fast_assign(
		__entry->id = rpc->key.id;
		__entry->netns = trace_netns(rpc->hn);
		memcpy(__entry->peer, &rpc->daddr, sizeof(rpc->daddr));
		__entry->offset = offset;
		__entry->length = length;
		__entry->prio = prio;
	),
	TP_printk("id=%llu netns=%u peer=%pI6c offset=%u length=%u prio=%u",
		  __entry->id, __entry->netns, __entry->peer,
		  __entry->offset, __entry->length, __entry->prio)
);

#define RANGE_EVENT(name) \
	DEFINE_EVENT(homa_range, name, \
		TP_PROTO(const struct homa_rpc *rpc, u32 offset, u32 length, \
			 u8 prio), \
		TP_ARGS(rpc, offset, length, prio))

RANGE_EVENT(homa_data_sent);
RANGE_EVENT(homa_data_rcvd);
RANGE_EVENT(homa_grant_wait);
RANGE_EVENT(homa_grant_sent);
RANGE_EVENT(homa_grant_rcvd);
RANGE_EVENT(homa_resend_sent);
RANGE_EVENT(homa_retransmit);

DECLARE_EVENT_CLASS(homa_pacer,
	TP_PROTO(const struct homa_rpc *rpc, s64 outstanding),
	TP_ARGS(rpc, outstanding),
	TP_STRUCT__entry(
		__field(u64, id)
		__field(u32, netns)
		__field(int, ifindex)
		__field(u32, left)
		__field(s64, outstanding)
		__field(s64, limit)
	),
	TP_fast_assign(
		__entry->id = rpc->key.id;
		__entry->netns = trace_netns(rpc->hn);
		__entry->ifindex = rpc->dev->ifindex;
		__entry->left = homa_msgout_left(&rpc->out);
		__entry->outstanding = outstanding;
		__entry->limit = READ_ONCE(rpc->dev->pacer.inflight.limit);
	),
	TP_printk("id=%llu netns=%u ifindex=%d left=%u outstanding=%lld limit=%lld",
		  __entry->id, __entry->netns, __entry->ifindex,
		  __entry->left, __entry->outstanding, __entry->limit)
);

#define PACER_EVENT(name) \
	DEFINE_EVENT(homa_pacer, name, \
		TP_PROTO(const struct homa_rpc *rpc, s64 outstanding), \
		TP_ARGS(rpc, outstanding))

PACER_EVENT(homa_pacer_wait);
PACER_EVENT(homa_pacer_done);

TRACE_EVENT(homa_tx_done,
	TP_PROTO(const struct homa_dev *dev, const struct sk_buff *skb,
		 u32 bytes),
	TP_ARGS(dev, skb, bytes),
	TP_STRUCT__entry(
		__field(const void *, skb)
		__field(u32, netns)
		__field(int, ifindex)
		__field(u32, bytes)
	),
	TP_fast_assign(
		__entry->skb = skb;
		__entry->netns = trace_netns(dev->hn);
		__entry->ifindex = dev->ifindex;
		__entry->bytes = bytes;
	),
	TP_printk("skb=%p netns=%u ifindex=%d bytes=%u", __entry->skb,
		  __entry->netns, __entry->ifindex, __entry->bytes)
);

TRACE_EVENT(homa_drop,
	TP_PROTO(const struct homa_net *hn, const struct sk_buff *skb,
		 const struct homa_common_hdr *h, enum homa_drop why),
	TP_ARGS(hn, skb, h, why),
	TP_STRUCT__entry(
		__field(const void *, skb)
		__field(u64, id)
		__field(u32, netns)
		__field(u8, type)
		__field(int, why)
	),
	TP_fast_assign(
		__entry->skb = skb;
		__entry->netns = trace_netns(hn);
		__entry->id = h ? be64_to_cpu(h->sender_id) : 0;
		__entry->type = h ? h->type : 0;
		__entry->why = why;
	),
	TP_printk("skb=%p sender_id=%llu netns=%u type=%x why=%s", __entry->skb,
		  __entry->id, __entry->netns, __entry->type,
		  show_drop(__entry->why))
);

#endif /* _HOMA_TRACE_H */

/* This must be outside of the guard. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
