// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/offload.c: how long frames are, and the packets that they are cut into. */

#ifdef HOMA_HAVE_NET_GSO_H
#include <net/gso.h>
#endif

#include "host.h"
#include "message.h"
#include "offload.h"

struct frame_case {
	const char *desc;
	u32 length;
	u32 unscheduled;
	int max_gso_size;
	u32 frames[4];	/* bytes in each of the first */
};

#define D LIVE_MAX_DATA

static const struct frame_case frame_cases[] = {
	{ "one packet", D, 40000, 0, { D } },
	{ "two packets", 2 * D, 40000, 0, { 2 * D } },
	{ "all unscheduled", 39000, 40000, 0, { 39000 } },
	{ "up to the unscheduled limit", 80000, 40000, 0, { 40000 } },
	{ "as long as IP packets can be", 100000, 100000, 0,
	  { 45 * D, 100000 - 45 * D } },
	{ "less than a packet", 10000, 40000, 1000, { D, D, D, D } },
	{ "not quite two", 10000, 40000, 76 + 2 * D - 1, { D, D, D, D } },
	{ "two", 10000, 40000, 76 + 2 * D, { 2 * D, 2 * D, 2 * D } },
};

static void frame_desc(const struct frame_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(frame, frame_cases, frame_desc);

/* What a message is cut into before it gets to IP. */
static void homa_offload_max_data__limits(struct kunit *test)
{
	const struct frame_case *param = test->param_value;
	struct live *live = test->priv;
	struct sk_buff_head txq;
	struct homa_rpc *rpc;
	u32 start = 0;
	int i;

	live->hn->sysctl.max_gso_size = param->max_gso_size;
	rpc = begin(test, param->length, param->unscheduled, &txq);
	for (i = 0; i < 4 && param->frames[i]; i++) {
		struct sk_buff *skb = skb_peek(&txq);
		u32 n = param->frames[i];

		KUNIT_ASSERT_NOT_NULL(test, skb);
		KUNIT_EXPECT_EQ(test, skb_is_gso(skb), n > D);
		if (n > D) {
			KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->gso_size, D);
			KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->gso_segs,
					DIV_ROUND_UP(n, D));
		}
		expect_packet(test, rpc, &txq, start, start + n, false);
		start += n;
	}
	__skb_queue_purge(&txq);
}

/* Makes a frame what it is in a device's hands. */
static void put_on_device(struct sk_buff *skb)
{
	skb->protocol = htons(ETH_P_IP);
	skb_reset_mac_header(skb);
	SKB_GSO_CB(skb)->mac_offset = skb_headroom(skb);
}

/* Cuts a frame, and frees it; the packets begin with their Homa headers. */
static void cut(struct kunit *test, struct sk_buff *whole, struct sk_buff_head *packets)
{
	struct sk_buff *skb, *next;

	put_on_device(whole);
	next = homa_gso_segment(whole, NETIF_F_SG | NETIF_F_HW_CSUM);
	KUNIT_ASSERT_FALSE(test, IS_ERR_OR_NULL(next));
	kfree_skb(whole);
	__skb_queue_head_init(packets);
	while ((skb = next)) {
		next = skb->next;
		skb_mark_not_on_list(skb);
		__skb_pull(skb, skb_transport_offset(skb));
		__skb_queue_tail(packets, skb);
	}
}

/* A frame as others make them for cards: the header without the offset, and before the
 * data of each packet where it belongs.
 */
static struct sk_buff *frame_with_offsets(struct kunit *test, u32 length)
{
	u32 header = offsetof(struct homa_data_hdr, offset), at, i;
	struct sk_buff *skb = alloc_skb(100 + 2 * length, GFP_KERNEL);
	struct homa_data_hdr *h;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, 100);
	skb_reset_transport_header(skb);
	h = skb_put_zero(skb, header);
	h->common.type = HOMA_DATA;
	h->common.doff = HOMA_DOFF_SEGMENTS;
	for (at = 0; at < length; at += D) {
		__be32 word = htonl(at);

		skb_put_data(skb, &word, sizeof(word));
		for (i = at; i < min(length, at + D); i++)
			*(u8 *)skb_put(skb, 1) = pattern(i);
	}
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct homa_common_hdr, checksum);
	skb_shinfo(skb)->gso_size = D + sizeof(__be32);
	skb_shinfo(skb)->gso_segs = DIV_ROUND_UP(length, D);
	skb_shinfo(skb)->gso_type = SKB_GSO_TCPV4;
	return skb;
}

/* What comes from others keeps the offsets that it has. */
static void homa_gso_segment__offsets(struct kunit *test)
{
	u32 length = 3 * D + 7, offset = 0;
	struct sk_buff_head packets;
	struct sk_buff *skb;

	cut(test, frame_with_offsets(test, length), &packets);
	while ((skb = __skb_dequeue(&packets))) {
		struct homa_data_hdr *h = (void *)skb->data;
		u32 n = min_t(u32, length - offset, D);

		KUNIT_EXPECT_EQ(test, ntohl(h->offset), offset);
		KUNIT_EXPECT_EQ(test, skb->len, n + (u32)sizeof(*h));
		KUNIT_EXPECT_TRUE(test, packet_has(skb, offset, n));
		offset += n;
		kfree_skb(skb);
	}
	KUNIT_EXPECT_EQ(test, offset, length);
}

/* Frames for cards, of a message of @length bytes: what they are, and what is cut from
 * them. Pieces of the message's pages end where packets do not.
 */
static void homa_offload_mark__offsets(struct kunit *test)
{
	u32 length = 39 * 1000, start = 0;
	struct live *live = test->priv;
	struct sk_buff_head txq, packets;
	struct homa_rpc *rpc;
	struct sk_buff *skb;

	live->hn->sysctl.max_gso_size = 0;
	live->hn->sysctl.native_tso = 1;
	rpc = begin(test, length, 40000, &txq);
	while ((skb = __skb_dequeue(&txq))) {
		u32 n = min(length - start, 8 * D), segs = DIV_ROUND_UP(n, D);
		struct homa_data_hdr *h = (void *)skb->data;

		KUNIT_EXPECT_EQ(test, h->common.doff, HOMA_DOFF_SEGMENTS);
		KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->gso_size, D + 4);
		KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->gso_segs, segs);
		KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->gso_type, SKB_GSO_TCPV4);
		KUNIT_EXPECT_EQ(test, skb->len, 52 + n + 4 * segs);
		KUNIT_EXPECT_EQ(test, homa_offload_data(skb, h, skb->len), n);
		cut(test, skb, &packets);
		skb_queue_walk(&packets, skb) {
			KUNIT_ASSERT_TRUE(test, pskb_may_pull(skb, sizeof(*h)));
			h = (struct homa_data_hdr *)skb->data;
			h->common.sequence = h->offset;	/* which cards change */
		}
		expect_packets(test, rpc, &packets, start, start + n, false);
		start += n;
	}
	KUNIT_EXPECT_EQ(test, start, length);
}

/* Who may cut frames: cards if they may, the kernel if it shall, and one packet nobody. */
static void homa_offload_mark__types(struct kunit *test)
{
	struct live *live = test->priv;
	struct sk_buff_head txq;
	struct sk_buff *skb;
	int i;

	for (i = 0; i < 4; i++) {
		bool card = i & 1, software = i & 2;

		live->hn->sysctl.max_gso_size = 0;
		live->hn->sysctl.native_tso = card;
		live->hn->sysctl.gso_force_software = software;
		begin(test, 2 * D, 40000, &txq);
		skb = skb_peek(&txq);
		KUNIT_ASSERT_NOT_NULL(test, skb);
		KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->gso_size,
				card ? D + 4 : D);
		KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->gso_type,
				SKB_GSO_TCPV4 |
				(card && !software ? 0 : SKB_GSO_SCTP));
		__skb_queue_purge(&txq);
		begin(test, D, 40000, &txq);
		skb = skb_peek(&txq);
		KUNIT_ASSERT_NOT_NULL(test, skb);
		KUNIT_EXPECT_FALSE(test, skb_is_gso(skb));
		KUNIT_EXPECT_EQ(test, ((struct homa_data_hdr *)skb->data)->common.doff,
				HOMA_DOFF_DATA);
		__skb_queue_purge(&txq);
	}
}

/* Of the packets that a frame is cut into the first has the acknowledgment. */
static void homa_gso_segment__ack_goes_once(struct kunit *test)
{
	struct live *live = test->priv;
	struct sk_buff_head txq;
	struct sk_buff *skb;
	u32 packets = 0;

	live->hn->sysctl.max_gso_size = 0;
	begin(test, 5 * D, 40000, &txq);
	skb = __skb_dequeue(&txq);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	((struct homa_data_hdr *)skb->data)->ack.client_id = cpu_to_be64(76);
	cut(test, skb, &txq);
	while ((skb = __skb_dequeue(&txq))) {
		struct homa_data_hdr *h = (void *)skb->data;

		KUNIT_EXPECT_EQ(test, be64_to_cpu(h->ack.client_id),
				packets++ ? 0ULL : 76ULL);
		kfree_skb(skb);
	}
	KUNIT_EXPECT_EQ(test, packets, 5);
}

/* What cannot be cut is an error for who asked, here and in what the kernel does of it. */
static void homa_gso_segment__failures(struct kunit *test)
{
	struct live *live = test->priv;
	struct sk_buff_head txq;
	struct sk_buff *skb;

	live->hn->sysctl.max_gso_size = 0;
	begin(test, 5 * D, 40000, &txq);
	skb = __skb_dequeue(&txq);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	put_on_device(skb);
	skb->protocol = 0;
	KUNIT_EXPECT_EQ(test, PTR_ERR(homa_gso_segment(skb, NETIF_F_SG)), -EINVAL);
	__skb_push(skb, skb->data - skb_transport_header(skb));
	skb->protocol = htons(ETH_P_IP);
	((struct homa_data_hdr *)skb->data)->common.type = HOMA_GRANT;
	KUNIT_EXPECT_EQ(test, PTR_ERR(homa_gso_segment(skb, NETIF_F_SG)), -EINVAL);
	kfree_skb(skb);
}

/* Packets that a frame is cut into; the device is charged until the last is freed. */
static void homa_gso_segment__packets(struct kunit *test)
{
	u32 length = 10 * D + 7;
	struct live *live = test->priv;
	struct homa_pacer *pacer;
	struct sk_buff_head txq;
	struct sk_buff *skb;
	struct homa_rpc *rpc;

	live->hn->sysctl.max_gso_size = 0;
	rpc = begin(test, length, 40000, &txq);
	pacer = &rpc->dev->pacer;
	skb = __skb_dequeue(&txq);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	cut(test, skb, &txq);
	expect_packets(test, rpc, &txq, 0, 10 * D, false);
	KUNIT_EXPECT_LT(test, atomic64_read(&pacer->completed),
			atomic64_read(&pacer->queued));
	expect_packets(test, rpc, &txq, 10 * D, length, false);
	KUNIT_EXPECT_EQ(test, atomic64_read(&pacer->completed),
			atomic64_read(&pacer->queued));
	KUNIT_EXPECT_TRUE(test, skb_queue_empty(&txq));
}

static struct kunit_case offload_cases[] = {
	KUNIT_CASE_PARAM(homa_offload_max_data__limits, frame_gen_params),
	KUNIT_CASE(homa_offload_mark__offsets),
	KUNIT_CASE(homa_offload_mark__types),
	KUNIT_CASE(homa_gso_segment__packets),
	KUNIT_CASE(homa_gso_segment__offsets),
	KUNIT_CASE(homa_gso_segment__ack_goes_once),
	KUNIT_CASE(homa_gso_segment__failures),
	{}
};

static struct kunit_suite offload_suite = {
	.name = "homa_offload",
	.init = live_init,
	.exit = live_exit,
	.test_cases = offload_cases,
};

kunit_test_suites(&offload_suite);
