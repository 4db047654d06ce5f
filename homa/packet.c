// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Received packets: what IP and the checksum say of one, and several as one.
 *
 * Packets that a device has handed over together (offload.c) mostly continue each
 * other: but for the offset and the checksum their headers are equal.
 *
 *	header | data 0     header | data 1     header | data 2     header' | data 3
 *
 *	header | data 0 | data 1 | data 2                           header' | data 3
 *
 * They are handled as one packet then, with the header of the first and the data of all,
 * as a frame is that nobody had to cut. That is done when IP has given them to us and
 * not before, so whoever meets them on their way sees what was sent. What was counted
 * or recorded for each packet still is: struct homa_joined says how many there are.
 */
#include <net/ip.h>
#include <net/ip6_checksum.h>

#include "net.h"
#include "output.h"
#include "packet.h"
#include "wire.h"

/**
 * __homa_packet_checksum_ok() - is the checksum right?
 * @path: where an answer would go
 * @skb: packet, beginning with its Homa header
 *
 * Context: any.
 */
bool __homa_packet_checksum_ok(const struct homa_path *path, struct sk_buff *skb)
{
	__wsum pseudo;

	/* Local packets, and those that a device has checked. */
	if (skb->ip_summed == CHECKSUM_PARTIAL || skb_csum_unnecessary(skb))
		return true;
	if (ipv6_addr_v4mapped(&path->daddr))
		pseudo = csum_tcpudp_nofold(path->daddr.s6_addr32[3],
					    path->saddr.s6_addr32[3],
					    skb->len, IPPROTO_TCP, 0);
	else
		pseudo = ~csum_unfold(csum_ipv6_magic(&path->daddr, &path->saddr,
						      skb->len, IPPROTO_TCP, 0));
	return !csum_fold(skb_checksum(skb, 0, skb->len, pseudo));
}

/* A header, as what must be the same in few words, and what need not. */
struct header_words {
	u32 ports;
	__be32 sequence;
	u64 kind;
	__sum16 checksum;
	u16 urgent;
	u64 id;
	u64 lengths;
	u64 ack;
	u16 ack_port;
	u16 cutoffs;
	u32 hints;
	__be32 offset;
} __packed;

/* Does a header differ from that of the packet before in nothing but offset and checksum?
 * Of a frame that was cut, the first packet alone has the acknowledgment.
 */
static bool header_same(const struct homa_data_hdr *a,
			const struct homa_data_hdr *b)
{
	const struct header_words *x = (const struct header_words *)a;
	const struct header_words *y = (const struct header_words *)b;

	BUILD_BUG_ON(sizeof(*x) != sizeof(*a));
	if ((y->ack | y->ack_port) &&
	    ((x->ack ^ y->ack) | (x->ack_port ^ y->ack_port)))
		return false;
	return !((x->ports ^ y->ports) | (x->kind ^ y->kind) |
		 (x->urgent ^ y->urgent) | (x->id ^ y->id) |
		 (x->lengths ^ y->lengths) | (x->cutoffs ^ y->cutoffs) |
		 (x->hints ^ y->hints));
}

/* Does a packet continue others, whose header is @a and whose data ends with @end? It
 * may be somebody else's, too.
 */
static bool packet_follows(const struct homa_data_hdr *a, u32 end,
			   struct sk_buff *skb)
{
	const struct homa_data_hdr *h;

	if (skb_shared(skb) || skb->len <= sizeof(*h) ||
	    !pskb_may_pull(skb, sizeof(*h)))
		return false;
	h = (struct homa_data_hdr *)skb->data;
	return homa_data_offset(h) == end && header_same(a, h) &&
	       skb->len - sizeof(*h) <= ntohl(a->message_length) - end;
}

/**
 * homa_packet_join() - make packets part of the one that they continue
 * @hn: host that received them
 * @path: where an answer would go
 * @skb: DATA packet whose header and checksum are right
 * @list: the packets behind it, each beginning with its Homa header; then those of
 *	them that are left
 *
 * What was sent again stays single, and all do while packets are dropped on purpose.
 *
 * Context: softirq.
 * Return: what is part of @skb now
 */
struct homa_joined homa_packet_join(struct homa_net *hn,
				    const struct homa_path *path,
				    struct sk_buff *skb, struct sk_buff **list)
{
	struct homa_data_hdr *h = (struct homa_data_hdr *)skb->data;
	u32 end = homa_data_offset(h) + skb->len - sizeof(*h);
	struct homa_joined joined = {};
	u8 level = homa_packet_level(skb);
	struct sk_buff *p, *last = NULL;

	if (h->retransmit || skb_cloned(skb) || skb_has_frag_list(skb) ||
	    READ_ONCE(hn->sysctl.accept_bits))
		return joined;
	for (p = *list; p; p = p->next) {
		if (!packet_follows(h, end + joined.bytes, p) ||
		    homa_packet_level(p) != level ||
		    !homa_packet_checksum_ok(hn, path, p))
			break;
		__skb_pull(p, sizeof(*h));
		homa_packet_forget_path(p);
		joined.packets++;
		joined.bytes += p->len;
		skb->truesize += p->truesize;
		last = p;
	}
	if (!last)
		return joined;
	skb_shinfo(skb)->frag_list = *list;
	skb->data_len += joined.bytes;
	skb->len += joined.bytes;
	*list = last->next;
	last->next = NULL;
	homa_metric_add(hn, packets_joined, joined.packets);
	return joined;
}

/**
 * homa_packet_part() - undo homa_packet_join()
 * @skb: packet that others are part of, beginning with its Homa header
 *
 * Context: softirq.
 * Return: the others, as they were
 */
struct sk_buff *homa_packet_part(struct sk_buff *skb)
{
	struct sk_buff *list = skb_shinfo(skb)->frag_list, *p;

	skb_shinfo(skb)->frag_list = NULL;
	for (p = list; p; p = p->next) {
		skb->len -= p->len;
		skb->data_len -= p->len;
		skb->truesize -= p->truesize;
		__skb_push(p, sizeof(struct homa_data_hdr));
	}
	return list;
}
