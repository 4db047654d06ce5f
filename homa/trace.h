/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Tracepoints: what happens to which RPC. For perf, bpftrace and
 * /sys/kernel/tracing/events/homa; what they do not trace costs nothing.
 *
 *	homa_rpc_state		an RPC begins (@from is @to), or is in another state
 *	homa_rpc_ref		somebody takes or drops a reference, and who
 *	homa_grant_sent		the peer may send up to @offset
 *	homa_grant_rcvd		we may
 *	homa_resend_sent	bytes of the peer are missed
 *	homa_retransmit		bytes are sent again
 *	homa_drop		a packet is dropped, and the counter that says why
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM homa

#if !defined(_HOMA_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _HOMA_TRACE_H

#include <linux/tracepoint.h>

#include "drop.h"
#include "rpc.h"
#include "sock.h"
#include "wire.h"

/* A number, since the description of an event shows it as it is written: */
#define TRACE_ADDR_BYTES 16
static_assert(sizeof(struct in6_addr) == TRACE_ADDR_BYTES);

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
		__field(u16, port)
		__field(u16, peer_port)
		__array(u8, peer, TRACE_ADDR_BYTES)
		__field(int, from)
		__field(int, to)
	),
	TP_fast_assign(
		__entry->id = rpc->key.id;
		__entry->port = rpc->hsk->port;
		__entry->peer_port = ntohs(rpc->dport);
		memcpy(__entry->peer, &rpc->daddr, sizeof(rpc->daddr));
		__entry->from = rpc->state;
		__entry->to = state;
	),
	TP_printk("id=%llu port=%u peer=%pI6c peer_port=%u from=%s to=%s",
		  __entry->id, __entry->port, __entry->peer,
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

DECLARE_EVENT_CLASS(homa_range,
	TP_PROTO(const struct homa_rpc *rpc, u32 offset, u32 length, u8 prio),
	TP_ARGS(rpc, offset, length, prio),
	TP_STRUCT__entry(
		__field(u64, id)
		__array(u8, peer, TRACE_ADDR_BYTES)
		__field(u32, offset)
		__field(u32, length)
		__field(u8, prio)
	),
	TP_fast_assign(
		__entry->id = rpc->key.id;
		memcpy(__entry->peer, &rpc->daddr, sizeof(rpc->daddr));
		__entry->offset = offset;
		__entry->length = length;
		__entry->prio = prio;
	),
	TP_printk("id=%llu peer=%pI6c offset=%u length=%u prio=%u",
		  __entry->id, __entry->peer, __entry->offset,
		  __entry->length, __entry->prio)
);

#define RANGE_EVENT(name) \
	DEFINE_EVENT(homa_range, name, \
		TP_PROTO(const struct homa_rpc *rpc, u32 offset, u32 length, \
			 u8 prio), \
		TP_ARGS(rpc, offset, length, prio))

RANGE_EVENT(homa_grant_sent);
RANGE_EVENT(homa_grant_rcvd);
RANGE_EVENT(homa_resend_sent);
RANGE_EVENT(homa_retransmit);

TRACE_EVENT(homa_drop,
	TP_PROTO(const struct sk_buff *skb, const struct homa_common_hdr *h,
		 enum homa_drop why),
	TP_ARGS(skb, h, why),
	TP_STRUCT__entry(
		__field(const void *, skb)
		__field(u64, id)
		__field(u8, type)
		__field(int, why)
	),
	TP_fast_assign(
		__entry->skb = skb;
		__entry->id = h ? be64_to_cpu(h->sender_id) : 0;
		__entry->type = h ? h->type : 0;
		__entry->why = why;
	),
	TP_printk("skb=%p sender_id=%llu type=%x why=%s", __entry->skb,
		  __entry->id, __entry->type, show_drop(__entry->why))
);

#endif /* _HOMA_TRACE_H */

/* This must be outside of the guard. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
