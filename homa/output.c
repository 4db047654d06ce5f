// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Making packets and giving them to IP.
 *
 * Packets are made under the lock of their RPC and collected in a queue on
 * the caller's stack; homa_output_flush() gives them to IP when no lock is
 * held, since a packet may come back at once (loopback, redirection) or
 * raise an error for the RPC that it belongs to.
 *
 * An sk_buff is owned by IP from then on. Its destructor tells the pacer
 * that the device is done with it. Until then it carries with it, in its
 * struct skb_shared_info, which device was charged for it (destructor_arg, which
 * is for destructors) and how many bytes (tskey, which nobody looks at in a
 * packet that asks for no time stamps, as ours do not).
 *
 * The checksum is TCP's, over a pseudo header that says TCP: that is what
 * network devices can compute.
 */
#include <kunit/visibility.h>
#include <linux/slab.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ip6_route.h>
#include <net/route.h>
#include <net/sch_generic.h>

#include "dev.h"
#include "encap.h"
#include "ktrace.h"
#include "offload.h"
#include "output.h"
#include "pacer.h"
#include "prio.h"
#include "qdisc.h"
#include "rxmem.h"
#include "trace.h"
#include "udp.h"

/**
 * struct homa_tx_cb - in skb->cb between making and flushing
 * @saddr: source address
 * @daddr: destination address
 * @tclass: TOS byte or traffic class
 */
struct homa_tx_cb {
	struct in6_addr saddr;
	struct in6_addr daddr;
	u8 tclass;
};

static struct homa_tx_cb *tx_cb(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct homa_tx_cb) > sizeof(skb->cb));
	return (struct homa_tx_cb *)skb->cb;
}

/* The interface that packets must use, or 0. A link-local address says which; else
 * a device that the socket is bound to comes before the VRF of the peer.
 */
static int path_oif(const struct sock *sk, const struct homa_path *path)
{
	int bound = READ_ONCE(sk->sk_bound_dev_if);

	if (!bound ||
	    (path->oif && ipv6_addr_type(&path->daddr) & IPV6_ADDR_LINKLOCAL))
		return path->oif;
	return bound;
}

/* Bits of the TOS byte or traffic class that IP_TOS and IPV6_TCLASS can set: the
 * upper ones are the priority's, the lower two ECN's.
 */
#define TCLASS_SOCKET_BITS 0x1c

static u8 path_tclass(const struct sock *sk, const struct homa_path *path)
{
	u8 tclass;

	if (ipv6_addr_v4mapped(&path->daddr))
		tclass = READ_ONCE(inet_sk(sk)->tos);
	else
		tclass = READ_ONCE(inet6_sk(sk)->tclass);
	return tclass & TCLASS_SOCKET_BITS;
}

/* What the route to a peer depends on. In UDP, RPCs differ in their source ports, which
 * here are all one.
 */
static void path_flow(const struct sock *sk, const struct homa_path *path,
		      struct homa_flow *flow)
{
	bool udp = homa_udp_used(homa_sk(sk));

	flow->saddr = path->saddr;
	flow->oif = path_oif(sk, path);
	flow->mark = READ_ONCE(sk->sk_mark);
	flow->uid = sock_net_uid(sock_net(sk), sk);
	flow->sport = udp ? 0 : inet_sk(sk)->inet_sport;
	flow->dport = udp ? homa_sk(sk)->udp_port : path->dport;
	flow->protocol = udp ? IPPROTO_UDP : sk->sk_protocol;
	flow->tclass = path_tclass(sk, path);
	flow->flags = inet_sk_flowi_flags(sk);
}

/* Does the route of a flow depend on what the flow does not say? Policies look at labels
 * of sockets, too.
 */
static bool route_is_special(const struct sock *sk)
{
#ifdef CONFIG_XFRM
	if (sock_net(sk)->xfrm.policy_count[XFRM_POLICY_OUT] ||
	    rcu_access_pointer(sk->sk_policy[0]) ||
	    rcu_access_pointer(sk->sk_policy[1]))
		return true;
#endif
	return sk->sk_family == AF_INET6 && inet6_sk(sk)->srcprefs;
}

static struct dst_entry *route_v4(struct sock *sk, struct homa_path *path,
				  const struct homa_flow *flow)
{
	struct rtable *rt;
	struct flowi4 fl;

	flowi4_init_output(&fl, flow->oif, flow->mark, flow->tclass,
			   RT_SCOPE_UNIVERSE, flow->protocol, flow->flags,
			   path->daddr.s6_addr32[3], flow->saddr.s6_addr32[3],
			   flow->dport, flow->sport, flow->uid);
	security_sk_classify_flow(sk, flowi4_to_flowi_common(&fl));
	rt = ip_route_output_flow(sock_net(sk), &fl, sk);
	if (IS_ERR(rt))
		return ERR_CAST(rt);
	if (rt->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)) {
		ip_rt_put(rt);
		return ERR_PTR(-EACCES);
	}
	ipv6_addr_set_v4mapped(fl.saddr, &path->saddr);
	return &rt->dst;
}

static struct dst_entry *route_v6(struct sock *sk, struct homa_path *path,
				  const struct homa_flow *flow)
{
	struct flowi6 fl = {
		.flowi6_oif = flow->oif,
		.flowi6_mark = flow->mark,
		.flowi6_proto = flow->protocol,
		.flowi6_flags = flow->flags,
		.flowlabel = ip6_make_flowinfo(flow->tclass, 0),
		.daddr = path->daddr,
		.saddr = flow->saddr,
		.fl6_dport = flow->dport,
		.fl6_sport = flow->sport,
		.flowi6_uid = flow->uid,
	};
	struct dst_entry *dst;

	if (ipv6_addr_is_multicast(&path->daddr))
		return ERR_PTR(-EACCES);
	security_sk_classify_flow(sk, flowi6_to_flowi_common(&fl));
	dst = ip6_dst_lookup_flow(sock_net(sk), sk, &fl, NULL);
	if (!IS_ERR(dst))
		path->saddr = fl.saddr;
	return dst;
}

/* For dst_check(). */
static u32 route_cookie(const struct in6_addr *daddr, const struct dst_entry *dst)
{
	return ipv6_addr_v4mapped(daddr) ? 0 :
	       rt6_get_cookie((const struct rt6_info *)dst);
}

/* The device that a route goes through, with a reference, or NULL. */
static struct homa_dev *dst_homa_dev(struct homa_net *hn, struct dst_entry *dst)
{
	struct homa_dev *dev;

	rcu_read_lock();
	dev = homa_dev_get(hn, READ_ONCE(dst->dev));
	rcu_read_unlock();
	return dev;
}

/* The way to a peer, with a reference; fills in our address. @peer may know it, and
 * remembers it, unless NULL.
 */
static struct dst_entry *path_route(struct homa_sock *hsk,
				    struct homa_path *path,
				    struct homa_peer *peer)
{
	struct sock *sk = homa_sock_sk(hsk);
	struct dst_entry *dst = NULL;
	struct homa_flow flow;

	if (route_is_special(sk))
		peer = NULL;
	path_flow(sk, path, &flow);
	if (peer)
		dst = homa_peer_route(peer, &flow, &path->saddr);
	if (dst)
		return dst;
	if (ipv6_addr_v4mapped(&path->daddr))
		dst = route_v4(sk, path, &flow);
	else
		dst = route_v6(sk, path, &flow);
	if (IS_ERR(dst))
		homa_metric_inc(homa_sock_net(hsk), peer_route_errors);
	else if (peer)
		homa_peer_set_route(peer, &flow, &path->saddr, dst,
				    route_cookie(&path->daddr, dst));
	return dst;
}

/* Makes an RPC's route one through its present device. */
static int rpc_set_dev(struct homa_rpc *rpc, struct dst_entry *dst)
{
	struct homa_dev *dev = dst_homa_dev(rpc->hn, dst);

	if (!dev)
		return -ENETDOWN;
	if (rpc->dev == dev) {
		homa_dev_put(dev);
		return 0;
	}
	if (rpc->dev) {
		homa_pacer_remove(rpc);
		homa_dev_put(rpc->dev);
	}
	rpc->dev = dev;
	return 0;
}

/* Size of IP headers between us and the link layer. */
static u32 ip_header_length(const struct in6_addr *daddr)
{
	return ipv6_addr_v4mapped(daddr) ? sizeof(struct iphdr) :
					   sizeof(struct ipv6hdr);
}

/* What is in a DATA packet beside data. */
static u32 rpc_headers(const struct homa_rpc *rpc)
{
	u32 udp = homa_udp_used(rpc->hsk) ? sizeof(struct udphdr) : 0;

	return ip_header_length(&rpc->daddr) + udp + sizeof(struct homa_data_hdr);
}

/* How much of a message fits in a packet; 0 if the route's MTU is too small for Homa. */
static u32 rpc_max_data(const struct homa_rpc *rpc)
{
	/* An IPv4 packet cannot be longer, whatever a device claims. */
	u32 mtu = min_t(u32, dst_mtu(rpc->dst), 0xffff);
	u32 headers = rpc_headers(rpc);

	return mtu > headers ? mtu - headers : 0;
}

static void rpc_path(const struct homa_rpc *rpc, struct homa_path *path)
{
	*path = (struct homa_path){
		.saddr = rpc->saddr,
		.daddr = rpc->daddr,
		.oif = rpc->oif,
		.dport = rpc->dport,
		.id = rpc->key.id,
	};
}

/* Finds a route for an RPC that has none. */
static int rpc_set_route(struct homa_rpc *rpc)
{
	struct homa_path path;
	struct dst_entry *dst;
	int err;

	rpc_path(rpc, &path);
	dst = path_route(rpc->hsk, &path, rpc->peer);
	if (IS_ERR(dst))
		return PTR_ERR(dst);
	err = rpc_set_dev(rpc, dst);
	if (err) {
		dst_release(dst);
		return err;
	}
	rpc->dst = dst;
	rpc->saddr = path.saddr;
	rpc->dst_cookie = route_cookie(&rpc->daddr, dst);
	return 0;
}

/**
 * homa_output_route() - make sure that an RPC has a valid route
 * @rpc: RPC; its @max_data is right afterwards
 *
 * Context: rpc->lock held, or @rpc not yet published.
 * Return: 0 or a negative errno
 */
int homa_output_route(struct homa_rpc *rpc)
{
	int err;

	if (rpc->dst && !dst_check(rpc->dst, rpc->dst_cookie)) {
		homa_metric_inc(rpc->hn, peer_dst_refreshes);
		dst_release(rpc->dst);
		rpc->dst = NULL;
	}
	if (!rpc->dst) {
		err = rpc_set_route(rpc);
		if (err)
			return err;
	}
	rpc->dst_checked = jiffies;
	rpc->max_data = rpc_max_data(rpc);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(homa_output_route);

/**
 * homa_output_max_frame() - how much of a message fits in a frame of packets
 * @rpc: RPC with a valid route
 *
 * Context: rpc->lock held.
 * Return: bytes, a multiple of @max_data of @rpc; 0 if that is 0
 */
u32 homa_output_max_frame(const struct homa_rpc *rpc)
{
	u32 packet = rpc->max_data;

	return packet ? homa_offload_max_data(rpc, packet, rpc_headers(rpc)) :
			0;
}

/* Does a packet end because it has come in at a host of this machine? Then its device
 * is the one that received it; a card that has sent it received nothing.
 */
static bool tx_passed(const struct sk_buff *skb)
{
	const struct net_device *ndev = skb->dev;

	return ndev && (ndev->flags & IFF_LOOPBACK ||
			skb->skb_iif == ndev->ifindex);
}

/* A device has finished with one of our packets. */
static void tx_destruct(struct sk_buff *skb)
{
	struct homa_dev *dev = skb_shinfo(skb)->destructor_arg;

	trace_homa_tx_done(dev, skb, skb_shinfo(skb)->tskey);
	homa_ktrace_freed(dev->hn, skb);
	homa_pacer_completed(dev, skb_shinfo(skb)->tskey, tx_passed(skb));
	homa_dev_put(dev);
	sock_wfree(skb);	/* may free the socket, and with it the host */
}

/**
 * homa_output_made() - is this packet one that a socket of Homa's sent?
 * @skb: packet on its way to a device
 *
 * Context: any.
 * Return: true if it is; false also once something between took it over
 */
bool homa_output_made(const struct sk_buff *skb)
{
	return skb->destructor == tx_destruct;
}

/**
 * homa_output_split() - a packet was cut into several
 * @whole: packet; about to be freed
 * @last: the last of those that it was cut into
 *
 * The device has finished with the packet when it has with @last.
 *
 * Context: any.
 */
void homa_output_split(struct sk_buff *whole, struct sk_buff *last)
{
	if (whole->destructor != tx_destruct)	/* not ours, or not any more */
		return;
	swap(whole->sk, last->sk);
	swap(whole->destructor, last->destructor);
	swap(whole->truesize, last->truesize);
	skb_shinfo(last)->destructor_arg = skb_shinfo(whole)->destructor_arg;
	skb_shinfo(last)->tskey = skb_shinfo(whole)->tskey;
}

/* What each packet of a frame begins with. */
static u32 tx_header_length(const struct sk_buff *skb)
{
	return ((struct homa_common_hdr *)skb->data)->doff >> 2;
}

/* Makes the socket and the device pay for a packet, which gets headers of the length
 * @lower before Homa's.
 */
static void tx_charge(struct homa_sock *hsk, struct sk_buff *skb,
		      struct homa_dev *dev, const struct dst_entry *dst,
		      u32 lower)
{
	u32 overhead = lower + dst->header_len + HOMA_FRAME_OVERHEAD;
	u32 wire = skb->len + overhead;

	if (skb_is_gso(skb))
		wire += (skb_shinfo(skb)->gso_segs - 1) *
			(overhead + tx_header_length(skb));

	skb_set_owner_w(skb, homa_sock_sk(hsk));
	skb->destructor = tx_destruct;
	homa_dev_hold(dev);
	skb_shinfo(skb)->destructor_arg = dev;
	skb_shinfo(skb)->tskey = max_t(u32, wire, HOMA_MIN_FRAME);
	homa_pacer_charge(dev, skb_shinfo(skb)->tskey);
}

/* ip6_xmit() wants room for a jumbo payload option, or makes the packet anew. */
#define TX_IPV6_SPARE 8

static struct sk_buff *tx_alloc(struct homa_sock *hsk, struct dst_entry *dst,
				u32 length)
{
	struct homa_net *hn = homa_sock_net(hsk);
	u32 headroom = LL_RESERVED_SPACE(dst->dev) + sizeof(struct ipv6hdr) +
		       TX_IPV6_SPARE + sizeof(struct udphdr) + dst->header_len;
	struct sk_buff *skb;

	skb = alloc_skb(headroom + length + dst->trailer_len,
			GFP_ATOMIC | __GFP_NOWARN);
	if (!skb) {
		homa_metric_inc(hn, tx_no_memory);
		return NULL;
	}
	homa_metric_inc(hn, skb_allocs);
	skb_reserve(skb, headroom);
	skb_reset_transport_header(skb);
	return skb;
}

static void tx_checksum(struct sk_buff *skb, const struct homa_path *path)
{
	struct homa_common_hdr *h = (struct homa_common_hdr *)skb->data;
	__sum16 pseudo;

	if (ipv6_addr_v4mapped(&path->daddr))
		pseudo = csum_tcpudp_magic(path->saddr.s6_addr32[3],
					   path->daddr.s6_addr32[3], skb->len,
					   IPPROTO_TCP, 0);
	else
		pseudo = csum_ipv6_magic(&path->saddr, &path->daddr, skb->len,
					 IPPROTO_TCP, 0);
	h->checksum = ~pseudo;
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = offsetof(struct homa_common_hdr, checksum);
}

/* Completes the header of a packet and appends it to the queue. */
static void tx_queue(struct homa_sock *hsk, struct sk_buff *skb,
		     struct dst_entry *dst, struct homa_dev *dev,
		     const struct homa_path *path, u8 prio,
		     struct sk_buff_head *txq)
{
	struct homa_common_hdr *h = (struct homa_common_hdr *)skb->data;
	struct homa_net *hn = homa_sock_net(hsk);
	struct homa_tx_cb *cb = tx_cb(skb);
	u32 lower = ip_header_length(&path->daddr);

	h->sport = htons(READ_ONCE(hsk->port));
	h->dport = path->dport;
	h->flags = HOMA_TCP_FLAGS;
	h->urgent = htons(HOMA_TCP_URGENT);
	h->window = htons(homa_rxmem_window(hsk));
	h->sender_id = cpu_to_be64(path->id);
	if (homa_udp_used(hsk))
		lower += sizeof(struct udphdr);	/* UDP's checksum is enough */
	else
		tx_checksum(skb, path);

	cb->saddr = path->saddr;
	cb->daddr = path->daddr;
	cb->tclass = homa_prio_tclass(hn, prio) |
		     path_tclass(homa_sock_sk(hsk), path);
	dst_hold(dst);
	skb_dst_set(skb, dst);
	tx_charge(hsk, skb, dev, dst, lower);

	homa_metric_sent(hn, h->type);
	homa_metric_inc(hn, priority_packets[prio]);
	homa_metric_add(hn, priority_bytes[prio], skb->len);
	__skb_queue_tail(txq, skb);
}

static void data_header(struct homa_rpc *rpc, struct sk_buff *skb, u32 start,
			u32 incoming, bool retransmit)
{
	struct homa_data_hdr *h = skb_put_zero(skb, sizeof(*h));

	h->common.type = HOMA_DATA;
	h->common.doff = HOMA_DOFF_DATA;
	h->common.sequence = htonl(start);
	h->message_length = htonl(rpc->out.length);
	h->incoming = htonl(incoming);
	h->cutoff_version = READ_ONCE(rpc->peer->cutoff_version);
	h->retransmit = retransmit;
	if (rpc->incast && homa_is_client(rpc))
		h->hints = HOMA_HINT_INCAST;
	if (rpc->out.length > HOMA_MAX_MESSAGE_LENGTH)
		h->hints |= HOMA_HINT_LARGE;
	h->offset = htonl(start);
}

/**
 * homa_output_data() - make one DATA packet, or a frame of several
 * @rpc: RPC with an outgoing message and a valid route
 * @packet: @max_data of @rpc
 * @start: first byte
 * @end: byte after the last one that may be in it
 * @retransmit: the bytes were sent before
 * @prio: priority
 * @txq: the packet is appended here
 *
 * Context: rpc->lock held.
 * Return: number of bytes in it, or a negative errno
 */
int homa_output_data(struct homa_rpc *rpc, u32 packet, u32 start, u32 end,
		     bool retransmit, u8 prio, struct sk_buff_head *txq)
{
	struct homa_data_hdr *h;
	struct homa_path path;
	struct sk_buff *skb;
	u32 unsched = rpc->out.unsched;
	u32 max = end - start;
	u32 n;

	lockdep_assert_held(&rpc->lock);
	if (!packet)
		return -EMSGSIZE;
	if (start < unsched)	/* no packet crosses this offset */
		max = min(max, unsched - start);
	if (max > packet)
		max = min(max, homa_offload_max_data(rpc, packet,
						     rpc_headers(rpc)));
	skb = tx_alloc(rpc->hsk, rpc->dst, sizeof(*h));
	if (!skb)
		return -ENOMEM;
	data_header(rpc, skb, start, retransmit ? end : unsched, retransmit);
	n = homa_msgout_attach(&rpc->out, skb, start, max);
	h = (struct homa_data_hdr *)skb->data;
	if (n > packet)
		n = homa_offload_mark(rpc, skb, packet, n);
	if (n <= packet)
		homa_peer_pop_ack(rpc->peer, &h->ack);
	rpc_path(rpc, &path);
	tx_queue(rpc->hsk, skb, rpc->dst, rpc->dev, &path, prio, txq);
	rpc->out.sent_at = tt_event_now(rpc->hn, DATA_SEND, skb->len,
					homa_trace_peer(rpc),
					homa_trace_id(rpc), start);
	trace_homa_data_sent(rpc, start, n, prio);
	return n;
}

static int tx_control(struct homa_sock *hsk, struct dst_entry *dst,
		      struct homa_dev *dev, const struct homa_path *path,
		      enum homa_packet_type type, void *header, size_t length,
		      struct sk_buff_head *txq)
{
	struct homa_common_hdr *h = header;
	struct sk_buff *skb;

	skb = tx_alloc(hsk, dst, length);
	if (!skb)
		return -ENOMEM;
	h->type = type;
	h->doff = HOMA_DOFF_CONTROL;
	skb_put_data(skb, header, length);
	tx_queue(hsk, skb, dst, dev, path,
		 homa_prio_highest(homa_sock_net(hsk)), txq);
	return 0;
}

/**
 * homa_output_control() - make a control packet for an RPC
 * @rpc: RPC
 * @type: packet type
 * @header: zeroed but for fields after the common header
 * @length: size of @header
 * @txq: the packet is appended here
 *
 * Context: rpc->lock held.
 * Return: 0 or a negative errno
 */
int homa_output_control(struct homa_rpc *rpc, enum homa_packet_type type,
			void *header, size_t length, struct sk_buff_head *txq)
{
	struct homa_path path;
	int err;

	lockdep_assert_held(&rpc->lock);
	err = homa_output_route(rpc);
	if (err) {
		homa_metric_inc(rpc->hn, tx_no_route);
		return err;
	}
	rpc_path(rpc, &path);
	return tx_control(rpc->hsk, rpc->dst, rpc->dev, &path, type, header,
			  length, txq);
}

/**
 * homa_output_reply() - make a control packet for no RPC of ours
 * @hsk: socket that sends it
 * @path: where it goes
 * @type: packet type
 * @header: zeroed but for fields after the common header
 * @length: size of @header
 * @txq: the packet is appended here
 *
 * Context: any; the caller keeps @hsk alive.
 * Return: 0 or a negative errno
 */
int homa_output_reply(struct homa_sock *hsk, struct homa_path *path,
		      enum homa_packet_type type, void *header, size_t length,
		      struct sk_buff_head *txq)
{
	struct dst_entry *dst = path_route(hsk, path, NULL);
	struct homa_net *hn = homa_sock_net(hsk);
	struct homa_dev *dev;
	int err = -ENETDOWN;

	if (IS_ERR(dst)) {
		homa_metric_inc(hn, tx_no_route);
		return PTR_ERR(dst);
	}
	dev = dst_homa_dev(hn, dst);
	if (dev)
		err = tx_control(hsk, dst, dev, path, type, header, length, txq);
	else
		homa_metric_inc(hn, tx_no_route);
	homa_dev_put(dev);
	dst_release(dst);
	return err;
}

/**
 * homa_output_resend() - ask a peer for part of a message
 * @rpc: RPC that the message belongs to
 * @offset: first byte wanted
 * @length: bytes wanted, or HOMA_RESEND_ALL
 * @prio: priority that the peer shall use
 * @txq: the packet is appended here
 *
 * Context: rpc->lock held.
 */
void homa_output_resend(struct homa_rpc *rpc, u32 offset, u32 length, u8 prio,
			struct sk_buff_head *txq)
{
	struct homa_resend_hdr h = {
		.offset = htonl(offset),
		.length = htonl(length),
		.priority = prio,
	};

	homa_output_control(rpc, HOMA_RESEND, &h, sizeof(h), txq);
	trace_homa_resend_sent(rpc, offset, length, prio);
	tt_event(rpc->hn, RESEND_SENT, homa_trace_id(rpc),
		 homa_trace_peer(rpc), offset, length);
}

/**
 * homa_output_ack() - make an ACK packet with all stored acknowledgments
 * @hsk: socket that sends it
 * @path: where it goes; @path->id is acknowledged, too
 * @peer: whose acknowledgments to take along, or NULL
 * @txq: the packet is appended here
 *
 * Context: any.
 */
void homa_output_ack(struct homa_sock *hsk, struct homa_path *path,
		     struct homa_peer *peer, struct sk_buff_head *txq)
{
	struct homa_ack_hdr h = {};
	int n = 0;

	if (peer)
		n = homa_peer_pop_acks(peer, h.acks);
	h.num_acks = htons(n);
	homa_output_reply(hsk, path, HOMA_ACK, &h, sizeof(h), txq);
	tt_event(homa_sock_net(hsk), ACK_SENT, homa_id_traced(path->id),
		 tt_addr6(&path->daddr), n);
}

static int tx_v4(struct sock *sk, struct sk_buff *skb,
		 const struct homa_tx_cb *cb)
{
	struct flowi fl;

	/* The packet has a route: only these are looked at. */
	fl.u.ip4.saddr = cb->saddr.s6_addr32[3];
	fl.u.ip4.daddr = cb->daddr.s6_addr32[3];
	return __ip_queue_xmit(sk, skb, &fl, cb->tclass);
}

static int tx_v6(struct sock *sk, struct sk_buff *skb,
		 const struct homa_tx_cb *cb)
{
	struct flowi6 fl = {
		.flowi6_proto = sk->sk_protocol,
		.saddr = cb->saddr,
		.daddr = cb->daddr,
	};

	return ip6_xmit(sk, skb, &fl, READ_ONCE(sk->sk_mark), NULL, cb->tclass,
			READ_ONCE(sk->sk_priority));
}

/* Tells the pacer what there is between IP and a device. */
static void tx_note_queue(struct homa_dev *dev, const struct net_device *ndev)
{
	const struct Qdisc *qdisc;

	qdisc = rcu_dereference(netdev_get_tx_queue(ndev, 0)->qdisc);
	homa_pacer_queue(dev, qdisc->enqueue, homa_qdisc_is(qdisc));
}

static int tx_xmit(struct sock *sk, struct sk_buff *skb)
{
	struct homa_tx_cb cb = *tx_cb(skb);
	int err;

	tx_note_queue(skb_shinfo(skb)->destructor_arg, skb_dst(skb)->dev);
	memset(skb->cb, 0, sizeof(skb->cb));
	if (homa_udp_used(homa_sk(sk)))
		err = homa_udp_xmit(homa_sk(sk), skb, &cb.saddr, &cb.daddr,
				    cb.tclass);
	else if (ipv6_addr_v4mapped(&cb.daddr))
		err = tx_v4(sk, skb, &cb);
	else
		err = tx_v6(sk, skb, &cb);
	return net_xmit_eval(err);
}

/**
 * struct homa_tx_id - which packet this is, for when it is gone
 * @id: of the RPC, as timetraces show it
 * @offset: of the first byte
 * @length: bytes of data; 0: no DATA
 */
struct homa_tx_id {
	u32 id;
	u32 offset;
	u32 length;
};

static struct homa_tx_id tx_id(const struct sk_buff *skb)
{
	const struct homa_data_hdr *h = (void *)skb->data;

	if (h->common.type != HOMA_DATA)
		return (struct homa_tx_id){};
	return (struct homa_tx_id) {
		.id = homa_id_traced(be64_to_cpu(h->common.sender_id)),
		.offset = homa_data_offset(h),
		.length = homa_offload_data(skb, h, skb->len),
	};
}

/**
 * homa_output_give() - give packets to IP; use homa_output_flush()
 * @txq: packets; empty afterwards
 *
 * Context: any, without locks.
 */
void homa_output_give(struct sk_buff_head *txq)
{
	struct sk_buff *skb;

	/* The pacer must not overtake us with the next packets. */
	local_bh_disable();
	rcu_read_lock();
	while ((skb = __skb_dequeue(txq))) {
		struct sock *sk = skb->sk;
		struct homa_net *hn = homa_sock_net(homa_sk(sk));
		struct homa_tx_id what = tx_id(skb);
		int err;

		/* The packet keeps the socket only until IP is done. */
		sock_hold(sk);
		err = tx_xmit(sk, skb);
		if (what.length)
			tt_event(hn, DATA_SENT, what.id, what.offset,
				 what.length, err);
		if (unlikely(err)) {
			if (what.length)
				homa_metric_inc(hn, data_xmit_errors);
			else
				homa_metric_inc(hn, control_xmit_errors);
		}
		sock_put(sk);
	}
	rcu_read_unlock();
	local_bh_enable();
}
