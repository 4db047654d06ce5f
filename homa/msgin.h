/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* An incoming message: what has arrived of it, and where it will go. */
#ifndef _HOMA_MSGIN_H
#define _HOMA_MSGIN_H

#include <linux/list.h>
#include <linux/skbuff.h>

#include "drop.h"
#include "packet.h"
#include "wire.h"

struct homa_rpc;
struct homa_sock;

/* Most gaps in one message; a packet that would make another is dropped. */
#define HOMA_MAX_GAPS 128

/**
 * struct homa_gap - bytes that are missing though later ones have arrived
 * @links: in homa_msgin.gaps
 * @start: first missing byte
 * @end: byte after the last missing one
 * @seen: homa_msgin.later when the gap was found
 * @asked: RESENDs sent without waiting for silence, see loss.c
 * @since: when the gap was found, or the last of these was sent, ns
 */
struct homa_gap {
	struct list_head links;
	u32 start;
	u32 end;
	u32 seen;
	u8 asked;
	u64 since;
};

/**
 * enum homa_early - who copies what has come of an incomplete message, see early.c
 * @HOMA_EARLY_NONE: nobody
 * @HOMA_EARLY_OFFERED: a thread was told that it can
 * @HOMA_EARLY_COPYING: a thread does
 * @HOMA_EARLY_NEVER: nobody, before all of it has come
 */
enum homa_early {
	HOMA_EARLY_NONE,
	HOMA_EARLY_OFFERED,
	HOMA_EARLY_COPYING,
	HOMA_EARLY_NEVER,
};

/**
 * struct homa_early_part - packets that are copied while others come
 * @before: homa_msgin.copied before
 * @bytes: what they brought
 * @truesize: memory that they occupy
 */
struct homa_early_part {
	u32 before;
	u32 bytes;
	u32 truesize;
};

/**
 * struct homa_rx_cb - in skb->cb of queued data packets
 * @offset: offset in the message of the packet's first byte
 * @length: bytes of data; the header has been pulled
 * @skip: bytes of data before these that are not used
 * @joined: what of it came as packets of their own
 */
struct homa_rx_cb {
	u32 offset;
	u32 length;
	u32 skip;
	struct homa_joined joined;
};

static inline struct homa_rx_cb *homa_rx_cb(struct sk_buff *skb)
{
	return (struct homa_rx_cb *)skb->cb;
}

/**
 * struct homa_msgin - an incoming message
 * @length: bytes in the message, or -1: nothing has arrived
 * @left: bytes that have not arrived
 * @end: all bytes before this one have arrived, but for the gaps
 * @granted: bytes that the sender may send; under homa_grants.lock while
 *	homa_grantee.dev is set
 * @unsched: bytes that the sender sends without grants
 * @scheduled: the message has needed grants; constant once it has begun
 * @level: lowest priority that packets on their way may have, as in IP headers
 * @level_end: bytes before this one may have it
 * @next_level: lowest priority that later bytes may have
 * @next_end: bytes before this one may have that; if beyond @level_end
 * @later: packets that came after all others and cannot have overtaken them
 * @num_gaps: entries in @gaps
 * @gaps: struct homa_gap, ascending
 * @queue: packets, headers pulled, in order of arrival
 * @truesize: memory that @queue occupies
 * @arrived: when the last of @queue came, ns
 * @refused: host or machine had no memory for the last packet
 * @helped_until: jiffies; it may use the host's reserve of memory, see rxmem.c; 0:
 *	it never might
 * @early: who copies while the rest arrives; READ_ONCE
 * @copied: bytes that came in packets which were copied so, or are being
 * @has_bpages: space has been reserved
 * @num_bpages: entries in @bpages
 * @bpages: offsets in the receive region
 * @few_bpages: where @bpages is unless there are more
 */
struct homa_msgin {
	int length;
	u32 left;
	u32 end;
	u32 granted;
	u32 unsched;
	bool scheduled;
	u8 level;
	u8 next_level;
	u32 level_end;
	u32 next_end;
	u16 num_gaps;
	u32 later;
	struct list_head gaps;
	struct sk_buff_head queue;
	u32 truesize;
	u64 arrived;
	unsigned long helped_until;
	bool refused;
	enum homa_early early;
	u32 copied;
	bool has_bpages;
	u16 num_bpages;
	u32 *bpages;
	u32 few_bpages[HOMA_MAX_BPAGES];
};

void homa_msgin_stop_waiting(struct homa_rpc *rpc);
void homa_msgin_init(struct homa_msgin *in);
u64 homa_msgin_start(struct homa_rpc *rpc, u32 length, u32 incoming, u64 now);
enum homa_drop homa_msgin_add(struct homa_rpc *rpc, struct sk_buff *skb,
			      u32 offset, u32 length, bool retransmit, u64 now);
void homa_msgin_granted(struct homa_msgin *in, u32 offset, u8 level);
bool homa_msgin_next_level(struct homa_msgin *in);
void homa_msgin_request_missing(struct homa_rpc *rpc,
				struct sk_buff_head *txq);
int homa_msgin_copy_out(struct homa_rpc *rpc, u64 now);
void homa_msgin_take(struct homa_rpc *rpc, struct sk_buff_head *queue,
		     struct homa_early_part *part);
int homa_msgin_copy_part(struct homa_rpc *rpc, struct sk_buff_head *queue,
			 const struct homa_early_part *part);
void homa_msgin_put_back(struct homa_rpc *rpc, struct sk_buff_head *queue,
			 const struct homa_early_part *part);
void homa_msgin_restart(struct homa_rpc *rpc, struct sk_buff_head *txq);
void homa_msgin_serve_waiters(struct homa_sock *hsk);
void homa_msgin_free(struct homa_rpc *rpc);

static inline bool homa_msgin_complete(const struct homa_msgin *in)
{
	return in->length > 0 && in->left == 0;
}

/* Has homa_msgin_free() anything to do? */
static inline bool homa_msgin_holds_any(const struct homa_msgin *in)
{
	return !skb_queue_empty(&in->queue) || in->num_bpages ||
	       in->bpages != in->few_bpages || !list_empty(&in->gaps);
}

#endif /* _HOMA_MSGIN_H */
