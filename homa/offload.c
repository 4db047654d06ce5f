// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Frames of several packets: one trip through IP and device for all of them.
 *
 * A frame is a DATA packet that is longer than the MTU allows:
 *
 *	IP | struct homa_data_hdr | data of packet 0 | data of packet 1 | ...
 *
 * Where nothing has to cut it, between hosts on one machine, it arrives whole
 * and is taken in whole: it is a valid packet. Who must cut it, for a device
 * that can carry no more than its MTU, calls homa_gso_segment(), which gives
 * each packet its own offset. No network card may do that by itself, for it would
 * repeat the offset: so frames have a type that is made of TCP's and SCTP's,
 * of which cards know at most one. With TCP's in it the stack takes the
 * length of headers from where TCP has it, which is where ours is as well.
 *
 * Some cards cut whatever they are told to, as if it were TCP's. If native_tso says so,
 * frames are made for them as other implementations do, with an offset before the data of
 * each packet; cards repeat only what comes before:
 *
 *	IP | header, its offset | data of packet 0 | offset | data of packet 1 | ...
 *
 * Whatever else has to cut those, and those that virtual machines send through this
 * kernel, calls homa_gso_segment(), too.
 *
 * Frames that travel as TCP (encap.c) are cards' to cut, as TCP's are: each packet
 * has its offset in the sequence number, which they advance. Such frames are made
 * for devices that do it.
 *
 * What a device receives singly is collected: packets of one message that it hands
 * over together make one trip through IP. They stay as they came, in a list, until it
 * gives them to us (packet.c). Which core goes on with them, and what need not wait for
 * others, steer.c decides.
 */
#include <kunit/visibility.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/dst.h>
#include <net/gro.h>
#include <net/ip6_checksum.h>
#include <net/protocol.h>
#ifdef HOMA_HAVE_NET_GSO_H
#include <net/gso.h>
#endif

#include "dev.h"
#include "encap.h"
#include "offload.h"
#include "output.h"
#include "peer.h"
#include "rpc.h"
#include "steer.h"
#include "udp.h"
#include "wire.h"

/* Longest IP packet. */
#define FRAME_MAX 0xffff

/* Packets in a frame for a card: each has a piece of data, each but one an offset, and
 * where the pages of a message meet there is one piece more.
 */
#define FRAME_PACKETS 8

static bool offload_is_v4(const struct homa_rpc *rpc)
{
	return ipv6_addr_v4mapped(&rpc->daddr);
}

/* Does the device of a route cut TCP's frames? */
static bool offload_has_tso(const struct homa_rpc *rpc)
{
	return rpc->dst->dev->features &
	       (offload_is_v4(rpc) ? NETIF_F_TSO : NETIF_F_TSO6);
}

/* Does it get frames? */
static bool offload_makes_frames(const struct homa_rpc *rpc)
{
	/* What is in a tunnel of IPsec is encrypted packet by packet. */
	if (rpc->dst->header_len || homa_udp_used(rpc->hsk))
		return false;
	if (homa_encap_used(homa_sock_sk(rpc->hsk)))
		return offload_has_tso(rpc);
	return rpc->dst->dev->features & NETIF_F_GSO;
}

/* Does it get those with an offset for each packet? */
static bool offload_has_offsets(const struct homa_rpc *rpc)
{
	return READ_ONCE(rpc->hn->sysctl.native_tso) &&
	       !homa_encap_used(homa_sock_sk(rpc->hsk)) && offload_has_tso(rpc);
}

/**
 * homa_offload_max_data() - how much of a message one frame may hold
 * @rpc: RPC with a valid route
 * @packet: bytes of data in a packet of the route's MTU
 * @headers: bytes of headers in it, from IP's on
 *
 * Frames must not be so long that a shorter message has to wait for them where
 * packets are paced (homa_pacer_frame()).
 *
 * Context: rpc->lock held.
 * Return: a multiple of @packet
 */
u32 homa_offload_max_data(const struct homa_rpc *rpc, u32 packet, u32 headers)
{
	const struct net_device *ndev = rpc->dst->dev;
	u32 sysctl = READ_ONCE(rpc->hn->sysctl.max_gso_size);
	u32 limit = min_t(u32, FRAME_MAX, READ_ONCE(ndev->gso_max_size));
	u32 max = READ_ONCE(ndev->gso_max_segs), word = 0;

	if (!offload_makes_frames(rpc))
		return packet;
	if (sysctl)
		limit = min(limit, sysctl);
	limit = min(limit, homa_pacer_frame(rpc->dev));
	if (limit <= headers)
		return packet;
	if (offload_has_offsets(rpc)) {
		word = sizeof(__be32);
		max = min_t(u32, max, FRAME_PACKETS);
	}
	max = min(max, (limit - headers + word) / (packet + word));
	return max(max, 1U) * packet;
}

/* Adds to a packet a piece of a page; false if there is no room. */
static bool frag_add(struct sk_buff *skb, struct page *page, u32 offset, u32 length)
{
	int n = skb_shinfo(skb)->nr_frags;

	if (n == MAX_SKB_FRAGS)
		return false;
	get_page(page);
	skb_add_rx_frag(skb, n, page, offset, length, length);
	return true;
}

/* Takes the last pieces off a packet, from number @num on. */
static void frags_drop(struct sk_buff *skb, int num)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);

	while (shinfo->nr_frags > num) {
		const skb_frag_t *frag = &shinfo->frags[--shinfo->nr_frags];

		skb->len -= skb_frag_size(frag);
		skb->data_len -= skb_frag_size(frag);
		skb->truesize -= skb_frag_size(frag);
		put_page(skb_frag_page(frag));
	}
}

/**
 * struct frame_data - pieces of data that a frame is made of
 * @frags: the pieces; those before @next are used up
 * @next: the piece whose turn it is
 * @skip: of which so much is used
 */
struct frame_data {
	const skb_frag_t *frags;
	int next;
	u32 skip;
};

/* Adds the next packet's data; false if there is no room. */
static bool frame_add(struct sk_buff *skb, struct frame_data *data, u32 length)
{
	while (length) {
		const skb_frag_t *frag = &data->frags[data->next];
		u32 n = min_t(u32, length, skb_frag_size(frag) - data->skip);

		if (!frag_add(skb, skb_frag_page(frag),
			      skb_frag_off(frag) + data->skip, n))
			return false;
		length -= n;
		data->skip += n;
		if (data->skip == skb_frag_size(frag)) {
			data->next++;
			data->skip = 0;
		}
	}
	return true;
}

/* Builds a frame anew of its data, with the offsets at @words between. Returns how much
 * of the data is in it, which ends with a packet.
 */
static u32 frame_build(struct sk_buff *skb, struct frame_data *data, u32 packet,
		       u32 length, __be32 *words)
{
	u32 start = homa_data_offset((struct homa_data_hdr *)skb->data);
	struct page *page = virt_to_head_page(words);
	u32 done = 0, at = (void *)words - page_address(page);

	while (done < length) {
		u32 n = min(packet, length - done);
		int num = skb_shinfo(skb)->nr_frags;

		*words = htonl(start + done);
		if ((done && !frag_add(skb, page, at, sizeof(*words))) ||
		    !frame_add(skb, data, n)) {
			frags_drop(skb, num);
			break;
		}
		words++;
		at += sizeof(*words);
		done += n;
	}
	return done;
}

/* Makes a frame one for cards, which may have less packets. Returns how much data is in
 * it; 0 if there is no memory, and the frame is as it was.
 */
static u32 frame_add_offsets(struct sk_buff *skb, u32 packet)
{
	struct skb_shared_info *shinfo = skb_shinfo(skb);
	u32 length = skb->data_len, done;
	skb_frag_t frags[MAX_SKB_FRAGS];
	struct frame_data data = { .frags = frags };
	int i, num = shinfo->nr_frags;
	__be32 *words;

	words = netdev_alloc_frag(DIV_ROUND_UP(length, packet) * sizeof(*words));
	if (!words)
		return 0;
	memcpy(frags, shinfo->frags, num * sizeof(frags[0]));
	shinfo->nr_frags = 0;		/* @data has the pages now */
	skb->len -= length;
	skb->data_len = 0;
	skb->truesize -= length;
	done = frame_build(skb, &data, packet, length, words);
	for (i = 0; i < num; i++)
		put_page(skb_frag_page(&frags[i]));
	skb_free_frag(words);
	return done;
}

/**
 * homa_offload_mark() - make a packet a frame
 * @rpc: whose it is
 * @skb: DATA packet, beginning with its Homa header
 * @packet: bytes of data in each of its packets but the last
 * @length: bytes of data in it, more than @packet
 *
 * Frames have an acknowledgment if nobody repeats it.
 *
 * Context: rpc->lock held.
 * Return: bytes of data in it now; no more than @packet: it is no frame
 */
u32 homa_offload_mark(const struct homa_rpc *rpc, struct sk_buff *skb,
		      u32 packet, u32 length)
{
	struct homa_data_hdr *h = (struct homa_data_hdr *)skb->data;
	struct skb_shared_info *shinfo = skb_shinfo(skb);
	u32 type = SKB_GSO_SCTP, size = packet, done = 0;

	if (homa_encap_used(homa_sock_sk(rpc->hsk))) {
		h->offset = htonl(HOMA_OFFSET_IN_SEQUENCE);
		type = 0;
	} else if (offload_has_offsets(rpc)) {
		done = frame_add_offsets(skb, packet);
		if (done && done <= packet)
			return done;
	}
	if (done) {
		length = done;
		h->common.doff = HOMA_DOFF_SEGMENTS;
		size += sizeof(h->offset);
		if (!READ_ONCE(rpc->hn->sysctl.gso_force_software))
			type = 0;
	} else if (type) {
		homa_peer_pop_ack(rpc->peer, &h->ack);
	}
	shinfo->gso_size = size;
	shinfo->gso_segs = DIV_ROUND_UP(length, packet);
	shinfo->gso_type = type |
			   (offload_is_v4(rpc) ? SKB_GSO_TCPV4 : SKB_GSO_TCPV6);
	return length;
}

/**
 * homa_offload_data() - how much of a message is in a packet, or frame
 * @skb: packet
 * @h: its header, which says DATA
 * @bytes: length of it from there on
 *
 * Context: any.
 */
u32 homa_offload_data(const struct sk_buff *skb, const struct homa_data_hdr *h,
		      u32 bytes)
{
	u32 segs = skb_shinfo(skb)->gso_segs;

	bytes -= sizeof(*h);
	if (h->common.doff == HOMA_DOFF_SEGMENTS && segs > 1)
		bytes -= (segs - 1) * sizeof(h->offset);
	return bytes;
}
EXPORT_SYMBOL_IF_KUNIT(homa_offload_data);

static struct homa_data_hdr *gso_header(struct sk_buff *skb)
{
	return (struct homa_data_hdr *)skb_transport_header(skb);
}

/* Has each packet of a frame its own offset already? */
static bool gso_has_offsets(struct sk_buff *skb)
{
	return gso_header(skb)->common.doff == HOMA_DOFF_SEGMENTS;
}

/* Completes the checksum of a packet. @length is what the pseudo header in it had as
 * the length.
 */
static void gso_checksum(struct sk_buff *skb, u32 length)
{
	struct homa_data_hdr *h = gso_header(skb);
	u32 len = skb_tail_pointer(skb) - skb_transport_header(skb) +
		  skb->data_len;
	__wsum delta = (__force __wsum)htonl(~length + len);
	__sum16 *check = &h->common.checksum;
	__wsum pseudo;

	*check = ~csum_fold(csum_add(csum_unfold(*check), delta));
	pseudo = csum_unfold(~*check);
	if (skb->ip_summed == CHECKSUM_PARTIAL)
		gso_reset_checksum(skb, pseudo);
	else
		*check = gso_make_checksum(skb, pseudo);
}

/* Is a frame one that gso_cut() knows: as a socket of ours makes it, for a device that
 * takes pages and computes any checksum?
 */
static bool gso_is_plain(const struct sk_buff *skb, netdev_features_t features)
{
	return homa_output_made(skb) && !skb->encapsulation &&
	       !skb_headlen(skb) && !skb_has_frag_list(skb) &&
	       skb->ip_summed == CHECKSUM_PARTIAL &&
	       !(~features & (NETIF_F_SG | NETIF_F_HW_CSUM));
}

/* Does what skb_segment() does, with a frame of the kind that most are: without looking
 * for what cannot be there. @packet: bytes of data in each.
 */
static struct sk_buff *gso_cut(struct sk_buff *skb, u32 packet)
{
	u32 header = skb->data - skb_mac_header(skb);
	u32 headroom = skb_headroom(skb) - header;
	struct sk_buff *segs = NULL, **next = &segs, *seg = NULL;
	struct frame_data data = { .frags = skb_shinfo(skb)->frags };
	u32 left = skb->len;

	while (left) {
		u32 n = min(packet, left);

		seg = alloc_skb(headroom + header, GFP_ATOMIC | __GFP_NOWARN);
		if (!seg) {
			kfree_skb_list(segs);
			return ERR_PTR(-ENOMEM);
		}
		*next = seg;
		next = &seg->next;
		skb_copy_header(seg, skb);
		skb_gso_reset(seg);
		skb_reserve(seg, headroom);
		__skb_put_data(seg, skb->data - header, header);
		skb_reset_mac_len(seg);
		frame_add(seg, &data, n);	/* it has no more pieces than the frame */
		left -= n;
	}
	segs->prev = seg;	/* as who asks for segments expects */
	return segs;
}

/**
 * homa_gso_segment() - cut a frame into packets
 * @skb: frame, beginning with its Homa header
 * @features: of the device that will get them
 *
 * The last packet takes the place of the frame where completions are counted.
 * See tcp_gso_segment().
 *
 * Context: any, RCU read lock held.
 * Return: the packets, beginning with their lowest header; or an error
 */
VISIBLE_IF_KUNIT
struct sk_buff *homa_gso_segment(struct sk_buff *skb,
				 netdev_features_t features)
{
	u32 header = sizeof(struct homa_data_hdr);
	u32 length = skb->len, packet = skb_shinfo(skb)->gso_size;
	struct sk_buff *segs, *seg;
	__be32 offset;

	if (skb_shinfo(skb)->gso_type & SKB_GSO_FRAGLIST)
		return skb_segment_list(skb, features, skb_mac_header_len(skb));
	if (skb_checksum_start(skb) != skb_transport_header(skb) ||
	    !pskb_may_pull(skb, header) ||
	    gso_header(skb)->common.type != HOMA_DATA)
		return ERR_PTR(-EINVAL);
	offset = gso_header(skb)->offset;
	if (gso_has_offsets(skb))
		header -= sizeof(offset);
	__skb_pull(skb, header);
	if (skb->len <= packet)
		return ERR_PTR(-EINVAL);
	segs = gso_is_plain(skb, features) ? gso_cut(skb, packet) :
		skb_segment(skb, features & ~NETIF_F_GSO_MASK);
	if (IS_ERR(segs))
		return segs;
	for (seg = segs; seg; seg = seg->next) {
		if (!gso_has_offsets(seg)) {
			gso_header(seg)->common.sequence = offset;
			gso_header(seg)->offset = offset;
			be32_add_cpu(&offset, packet);
			if (seg != segs)	/* once is enough */
				gso_header(seg)->ack = (struct homa_ack){};
		}
		gso_checksum(seg, length);
		if (!seg->next)
			homa_output_split(skb, seg);
	}
	return segs;
}
EXPORT_SYMBOL_IF_KUNIT(homa_gso_segment);

/* Are both packets parts of one message? Their IP addresses are the same. */
static bool gro_same_message(const struct homa_data_hdr *a,
			     const struct homa_data_hdr *b)
{
	return a->common.sport == b->common.sport &&
	       a->common.dport == b->common.dport &&
	       a->common.sender_id == b->common.sender_id &&
	       a->message_length == b->message_length;
}

/* Does the packet end its message? Then nothing is gained by waiting for more. */
static bool gro_is_last(const struct homa_data_hdr *h, u32 length)
{
	return homa_data_offset(h) + length - sizeof(*h) >=
	       ntohl(h->message_length);
}

/* Puts a packet behind others; false if they are too many, or too long. Its Homa
 * header is @off bytes from its beginning. See skb_gro_receive_list(), which modules
 * cannot call.
 */
static bool gro_append(struct homa_net *hn, struct sk_buff *p,
		       struct sk_buff *skb, unsigned int off)
{
	if (NAPI_GRO_CB(skb)->flush || p->len + skb->len > FRAME_MAX ||
	    NAPI_GRO_CB(p)->count >= READ_ONCE(hn->sysctl.max_gro_skbs) ||
	    !pskb_may_pull(skb, off))
		return false;
	if (NAPI_GRO_CB(p)->last == p)
		skb_shinfo(p)->frag_list = skb;
	else
		NAPI_GRO_CB(p)->last->next = skb;
	skb_pull(skb, off);
	NAPI_GRO_CB(p)->last = skb;
	NAPI_GRO_CB(p)->count++;
	p->data_len += skb->len;
	p->truesize += skb->truesize;
	p->len += skb->len;
	skb->destructor = NULL;		/* @p is charged for both now */
	skb->sk = NULL;
	NAPI_GRO_CB(skb)->same_flow = 1;
	return true;
}

/* A packet goes on at once, alone. */
static struct sk_buff *gro_alone(struct sk_buff *skb)
{
	NAPI_GRO_CB(skb)->flush = 1;
	return NULL;
}

/* Packets that are not collected; NULL, or an error if one has been handled here. */
static struct sk_buff *gro_pass(struct homa_net *hn, struct sk_buff *skb,
				const struct homa_common_hdr *h, bool whole)
{
	if (homa_steer_bypass(hn, skb, h, whole))
		return ERR_PTR(-EINPROGRESS);
	return gro_alone(skb);
}

/* Collects packets of a message while a device hands over what has come. Each
 * stays as it is, so if they have to go on to another host nothing is lost.
 */
static struct sk_buff *gro_receive(struct list_head *head, struct sk_buff *skb)
{
	unsigned int length = skb_gro_len(skb), off = skb_gro_offset(skb);
	struct homa_net *hn = homa_net_rcu(dev_net(skb->dev));
	const struct homa_common_hdr *common;
	const struct homa_data_hdr *h;
	struct sk_buff *p, *found = NULL;
	bool last;

	common = skb_gro_header(skb, off + sizeof(*common), off);
	if (!common)
		return gro_alone(skb);
	if (common->type != HOMA_DATA || length <= sizeof(*h))
		return gro_pass(hn, skb, common, false);
	h = skb_gro_header(skb, off + sizeof(*h), off);
	if (!h)
		return gro_alone(skb);
	last = gro_is_last(h, length);
	if (last && !homa_data_offset(h))
		return gro_pass(hn, skb, &h->common, true);
	/* If the header is in a page, a packet that is kept for others has it made
	 * linear: the next ones look at it there.
	 */
	skb_gro_pull(skb, sizeof(*h));
	list_for_each_entry(p, head, list) {
		if (!NAPI_GRO_CB(p)->same_flow)
			continue;
		if (gro_same_message(h, (void *)(p->data + off)))
			found = p;
		else
			NAPI_GRO_CB(p)->same_flow = 0;
	}
	if (!found || !gro_append(hn, found, skb, off)) {
		NAPI_GRO_CB(skb)->flush |= last;
		return found;	/* what came before goes first */
	}
	return last ? found : NULL;
}

/* Packets were collected. */
static int gro_complete(struct sk_buff *skb, int nhoff, int type)
{
	struct sk_buff *p;
	u32 others = 0;

	for (p = skb_shinfo(skb)->frag_list; p; p = p->next)
		others += p->len;
	skb_shinfo(skb)->gso_size = skb->len - others - nhoff -
				    sizeof(struct homa_data_hdr);
	skb_shinfo(skb)->gso_segs = NAPI_GRO_CB(skb)->count;
	skb_shinfo(skb)->gso_type = SKB_GSO_FRAGLIST | type;
	if (skb->ip_summed == CHECKSUM_COMPLETE)	/* of the first alone */
		skb->ip_summed = CHECKSUM_NONE;
	homa_steer_batch(homa_net_rcu(dev_net(skb->dev)), skb);
	return 0;
}

static int gro_complete_v4(struct sk_buff *skb, int nhoff)
{
	return gro_complete(skb, nhoff, SKB_GSO_TCPV4);
}

static int gro_complete_v6(struct sk_buff *skb, int nhoff)
{
	return gro_complete(skb, nhoff, SKB_GSO_TCPV6);
}

/**
 * homa_offload_split() - take packets apart that came together
 * @skb: packet as it came from IP; the first of them afterwards
 *
 * Context: softirq.
 * Return: the others, each beginning with its Homa header, linked by @next; NULL if
 *	there are none; an error if there is no memory
 */
struct sk_buff *homa_offload_split(struct sk_buff *skb)
{
	struct sk_buff *list = skb_shinfo(skb)->frag_list, *p;

	if (!list || !(skb_shinfo(skb)->gso_type & SKB_GSO_FRAGLIST))
		return NULL;
	if (skb_unclone(skb, GFP_ATOMIC | __GFP_NOWARN))
		return ERR_PTR(-ENOMEM);
	list = skb_shinfo(skb)->frag_list;
	skb_shinfo(skb)->frag_list = NULL;
	for (p = list; p; p = p->next) {
		skb->len -= p->len;
		skb->data_len -= p->len;
		skb->truesize -= p->truesize;
	}
	skb_gso_reset(skb);
	return list;
}

static const struct net_offload homa_offload = {
	.callbacks = {
		.gso_segment = homa_gso_segment,
		.gro_receive = gro_receive,
		.gro_complete = gro_complete_v4,
	},
};

static const struct net_offload homa_v6_offload = {
	.callbacks = {
		.gso_segment = homa_gso_segment,
		.gro_receive = gro_receive,
		.gro_complete = gro_complete_v6,
	},
};

/**
 * homa_offload_register() - have the stack know Homa's frames
 *
 * Context: process, sleeps.
 * Return: 0 or a negative errno
 */
int homa_offload_register(void)
{
	int err = inet_add_offload(&homa_offload, IPPROTO_HOMA);

	if (err)
		return err;
	err = inet6_add_offload(&homa_v6_offload, IPPROTO_HOMA);
	if (err)
		inet_del_offload(&homa_offload, IPPROTO_HOMA);
	return err;
}

/**
 * homa_offload_unregister() - undo homa_offload_register()
 *
 * Context: process, sleeps.
 */
void homa_offload_unregister(void)
{
	inet6_del_offload(&homa_v6_offload, IPPROTO_HOMA);
	inet_del_offload(&homa_offload, IPPROTO_HOMA);
}
