/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Messages of a live host and the packets that are made of them, for msgout_test.c and
 * offload_test.c.
 */
#ifndef _MESSAGE_H
#define _MESSAGE_H

#include "host.h"

/* What byte @offset of each message here is. */
static inline u8 pattern(u32 offset)
{
	return offset * 7 + offset / 251;
}

/* Bytes of the message are in the packet, at its end. */
static inline bool packet_has(const struct sk_buff *skb, u32 start, u32 length)
{
	u32 i, header = skb->len - length;
	u8 byte;

	for (i = 0; i < length; i++) {
		if (skb_copy_bits(skb, header + i, &byte, 1) ||
		    byte != pattern(start + i))
			return false;
	}
	return true;
}

/* Copies in a message of @length bytes, of which @available can be read. */
static inline int fill(struct kunit *test, struct homa_msgout *out, u32 available,
		       u32 length)
{
	struct live *live = test->priv;
	u8 *data = kvmalloc(available, GFP_KERNEL);
	struct kvec vec = { data, available };
	struct iov_iter iter;
	u32 i;
	int err;

	KUNIT_ASSERT_NOT_NULL(test, data);
	for (i = 0; i < available; i++)
		data[i] = pattern(i);
	iov_iter_kvec(&iter, ITER_SOURCE, &vec, 1, available);
	homa_msgout_init(out);
	err = homa_msgout_fill(out, live->hsk, &iter, length, length);
	kvfree(data);
	return err;
}

/* Starts a client's request; the packets made at once are in @txq. */
static inline struct homa_rpc *begin_asking(struct kunit *test, u32 length,
					    u32 unscheduled, enum homa_ask ask,
					    struct sk_buff_head *txq)
{
	struct homa_rpc *rpc = live_rpc(test, 0);
	struct live *live = test->priv;
	struct homa_msgout filled;

	__skb_queue_head_init(txq);
	live->hn->sysctl.flags = HOMA_FLAG_DONT_THROTTLE;
	live->hn->sysctl.unsched_bytes = unscheduled;
	KUNIT_ASSERT_EQ(test, fill(test, &filled, length, length), 0);
	filled.ask = ask;
	spin_lock_bh(&rpc->lock);
	homa_msgout_start(rpc, &filled, txq);
	spin_unlock_bh(&rpc->lock);
	KUNIT_EXPECT_EQ(test, filled.length, -1);
	return rpc;
}

static inline struct homa_rpc *begin(struct kunit *test, u32 length, u32 unscheduled,
				     struct sk_buff_head *txq)
{
	return begin_asking(test, length, unscheduled, HOMA_ASK_NONE, txq);
}

/* Takes a packet off the queue: it must have bytes @start to @end. */
static inline void expect_packet(struct kunit *test, struct homa_rpc *rpc,
				 struct sk_buff_head *txq, u32 start, u32 end,
				 bool retransmit)
{
	struct sk_buff *skb = __skb_dequeue(txq);
	struct homa_data_hdr *h;

	KUNIT_EXPECT_NOT_NULL(test, skb);
	if (!skb)
		return;
	h = (struct homa_data_hdr *)skb->data;
	KUNIT_EXPECT_EQ(test, h->common.type, HOMA_DATA);
	KUNIT_EXPECT_EQ(test, be64_to_cpu(h->common.sender_id), rpc->key.id);
	KUNIT_EXPECT_EQ(test, ntohl(h->common.sequence), start);
	KUNIT_EXPECT_EQ(test, ntohl(h->offset), start);
	KUNIT_EXPECT_EQ(test, (u32)(skb->len - sizeof(*h)), end - start);
	KUNIT_EXPECT_EQ(test, ntohl(h->message_length), (u32)rpc->out.length);
	KUNIT_EXPECT_EQ(test, h->retransmit, retransmit);
	KUNIT_EXPECT_TRUE(test, packet_has(skb, start, end - start));
	if (!retransmit)
		KUNIT_EXPECT_EQ(test, ntohl(h->incoming), rpc->out.unsched);
	kfree_skb(skb);
}

/* Packets carry @start to @end; none crosses the unscheduled bytes' end. */
static inline void expect_packets(struct kunit *test, struct homa_rpc *rpc,
				  struct sk_buff_head *txq, u32 start, u32 end,
				  bool retransmit)
{
	u32 n;

	for (; start < end; start += n) {
		n = min_t(u32, end - start, LIVE_MAX_DATA);
		if (start < rpc->out.unsched)
			n = min(n, rpc->out.unsched - start);
		expect_packet(test, rpc, txq, start, start + n, retransmit);
	}
}

#endif /* _MESSAGE_H */
