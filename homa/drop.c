// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Dropping packets: never without a trace. */
#include <linux/random.h>

#include "drop.h"
#include "trace.h"
#include "wire.h"

static void drop_count(struct homa_net *hn, enum homa_drop why)
{
	switch (why) {
#define X(reason, metric) \
	case reason: \
		homa_metric_inc(hn, metric); \
		break;
	HOMA_DROPS(X)
#undef X
	case HOMA_ACCEPTED:
	case HOMA_CONSUMED:
	case HOMA_NUM_DROPS:
		WARN_ON_ONCE(1);
		break;
	}
}

static enum skb_drop_reason drop_reason(enum homa_drop why)
{
	switch (why) {
	case HOMA_DROP_SHORT:
		return SKB_DROP_REASON_PKT_TOO_SMALL;
	case HOMA_DROP_NO_SOCKET:
		return SKB_DROP_REASON_NO_SOCKET;
	case HOMA_DROP_POLICY:
		return SKB_DROP_REASON_XFRM_POLICY;
	case HOMA_DROP_CHECKSUM:
		return SKB_DROP_REASON_TCP_CSUM;
	case HOMA_DROP_NO_BUFFERS:
	case HOMA_DROP_TOO_LARGE:
	case HOMA_DROP_LIMIT:
	case HOMA_DROP_PEER_LIMIT:
	case HOMA_DROP_HOST_LIMIT:
	case HOMA_DROP_SILENT:
		return SKB_DROP_REASON_SOCKET_RCVBUFF;
	case HOMA_DROP_MEMORY_LIMIT:
		return SKB_DROP_REASON_PROTO_MEM;
	case HOMA_DROP_NO_MEMORY:
		return SKB_DROP_REASON_NOMEM;
	default:
		return SKB_DROP_REASON_NOT_SPECIFIED;
	}
}

/* At random, from 0 to 2^bits - 1. */
static u32 inject_draw(int bits)
{
	return get_random_u32() & ((1u << bits) - 1);
}

/**
 * __homa_drop_injected() - is this packet one of those to be dropped for a test?
 * @hn: host that received it, whose accept_bits is not 0
 *
 * From 0 to 2^accept_bits - 1 packets are accepted, then 1 to 2^drop_bits dropped,
 * and so on.
 *
 * Context: bottom halves are off.
 */
bool __homa_drop_injected(struct homa_net *hn)
{
	struct homa_injection *inject = &hn->injection;
	bool drop;

	spin_lock(&inject->lock);
	if (!inject->accept && !inject->drop) {
		inject->accept = inject_draw(READ_ONCE(hn->sysctl.accept_bits));
		inject->drop = 1 + inject_draw(READ_ONCE(hn->sysctl.drop_bits));
	}
	drop = !inject->accept;
	if (drop)
		inject->drop--;
	else
		inject->accept--;
	spin_unlock(&inject->lock);
	return drop;
}

/**
 * homa_drop_data() - drop part of a received packet
 * @hn: host that received it
 * @skb: some of the packet's data, without a header
 * @why: the reason
 *
 * Context: any.
 */
void homa_drop_data(struct homa_net *hn, struct sk_buff *skb,
		    enum homa_drop why)
{
	drop_count(hn, why);
	trace_homa_drop(hn, skb, NULL, why);
	kfree_skb_reason(skb, drop_reason(why));
}

/**
 * homa_drop() - drop a received packet
 * @hn: host that received it
 * @skb: the packet, beginning with its Homa header
 * @why: the reason
 *
 * Context: any.
 */
void homa_drop(struct homa_net *hn, struct sk_buff *skb, enum homa_drop why)
{
	const struct homa_common_hdr *h = (struct homa_common_hdr *)skb->data;

	drop_count(hn, why);
	trace_homa_drop(hn, skb, skb_headlen(skb) >= sizeof(*h) ? h : NULL,
			why);
	if (skb_headlen(skb) >= sizeof(*h))
		tt_event(hn, PACKET_DROPPED, 0,
			 homa_id_traced(be64_to_cpu(h->sender_id)), h->type,
			 why);
	kfree_skb_reason(skb, drop_reason(why));
}
