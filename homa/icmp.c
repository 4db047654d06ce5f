// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* ICMP errors: what they mean for RPCs.
 *
 *	port unreachable	RPCs of the quoted socket with that address and
 *				port fail with ENOTCONN
 *	protocol unreachable	RPCs of that socket with that address fail with
 *				EPROTONOSUPPORT
 *	packet too big		the route learns the new MTU; nothing fails
 *	host, net unreachable	may pass, so nothing fails now; if the peer
 *				stays silent until the RPC times out its error
 *				is EHOSTUNREACH instead of ETIMEDOUT
 *
 * An application that has set IP_RECVERR or IPV6_RECVERR can also receive each error
 * with MSG_ERRQUEUE; the data is the quoted Homa header, whose sender_id names the
 * RPC.
 *
 * An error is believed only if it quotes a packet from a port of ours, in
 * the namespace where it came in, and it reaches no other socket's RPCs.
 */
#include <linux/icmp.h>
#include <linux/errqueue.h>
#include <linux/icmpv6.h>
#include <linux/slab.h>
#include <net/icmp.h>
#include <net/ip6_route.h>
#include <net/ndisc.h>
#include <net/route.h>

#include "icmp.h"
#include "packet.h"
#include "rpc.h"
#include "sock.h"
#include "wire.h"

/**
 * struct icmp_error - an error for RPCs
 * @peer: where the quoted packet went
 * @dport: port there, or 0: any
 * @error: negative errno
 * @soft: wait whether it passes
 */
struct icmp_error {
	struct homa_peer_key peer;
	__be16 dport;
	int error;
	bool soft;
};

static void icmp_abort(struct homa_rpc *rpc, void *arg)
{
	const struct icmp_error *e = arg;

	if (!ipv6_addr_equal(&rpc->daddr, &e->peer.addr) ||
	    (rpc->oif && rpc->oif != e->peer.scope) ||
	    (e->dport && rpc->dport != e->dport))
		return;
	spin_lock(&rpc->lock);
	if (e->soft)
		rpc->soft_error = e->error;
	else
		homa_rpc_abort(rpc, e->error);
	spin_unlock(&rpc->lock);
}

/* Does the quoted packet belong to an RPC of ours? If too little of it is quoted
 * to tell, the error is not enough to end anything at once.
 */
static bool icmp_believe(struct homa_sock *hsk, struct sk_buff *skb, int offset,
			 struct icmp_error *e)
{
	const struct homa_common_hdr *h;
	struct homa_rpc *rpc;

	if (!pskb_may_pull(skb, offset + sizeof(*h))) {
		e->soft = true;
		return true;
	}
	h = (const struct homa_common_hdr *)(skb->data + offset);
	rpc = homa_rpc_find(hsk, &e->peer, h->dport,
			    be64_to_cpu(h->sender_id));
	if (rpc)
		homa_rpc_put(rpc);
	return rpc;
}

/* Lets the application have an error as it came; @address is that of the quoted
 * destination in the network header of @skb.
 */
static void icmp_queue(struct homa_sock *hsk, struct sk_buff *skb, int offset,
		       const void *address, struct sock_extended_err ee)
{
	const struct homa_common_hdr *h;
	struct sock_exterr_skb *serr;

	skb = skb_clone(skb, GFP_ATOMIC);
	if (!skb)
		return;
	h = (const struct homa_common_hdr *)(skb->data + offset);
	serr = SKB_EXT_ERR(skb);
	*serr = (struct sock_exterr_skb){
		.ee = ee,
		.port = h->dport,
		.addr_offset = (const u8 *)address - skb_network_header(skb),
	};
	__skb_pull(skb, offset);
	skb_reset_transport_header(skb);
	if (sock_queue_err_skb(homa_sock_sk(hsk), skb))
		kfree_skb(skb);
}

static void icmp_queue_v4(struct homa_sock *hsk, struct sk_buff *skb,
			  int offset, int error, u32 info)
{
	if (!inet_test_bit(RECVERR, homa_sock_sk(hsk)))
		return;
	icmp_queue(hsk, skb, offset,
		   &((const struct iphdr *)(icmp_hdr(skb) + 1))->daddr,
		   (struct sock_extended_err){
			.ee_errno = -error,
			.ee_origin = SO_EE_ORIGIN_ICMP,
			.ee_type = icmp_hdr(skb)->type,
			.ee_code = icmp_hdr(skb)->code,
			.ee_info = info,
		   });
}

static void icmp_queue_v6(struct homa_sock *hsk, struct sk_buff *skb,
			  int offset, int error, u32 info)
{
	if (homa_sock_sk(hsk)->sk_family != AF_INET6 ||
	    !inet6_test_bit(RECVERR6, homa_sock_sk(hsk)))
		return;
	icmp_queue(hsk, skb, offset,
		   &((const struct ipv6hdr *)(icmp6_hdr(skb) + 1))->daddr,
		   (struct sock_extended_err){
			.ee_errno = -error,
			.ee_origin = SO_EE_ORIGIN_ICMP6,
			.ee_type = icmp6_hdr(skb)->icmp6_type,
			.ee_code = icmp6_hdr(skb)->icmp6_code,
			.ee_info = info,
		   });
}

/* Finds the socket that sent the quoted packet. */
static struct homa_sock *icmp_sock(struct sk_buff *skb, int offset, bool ipv4)
{
	const struct homa_common_hdr *h;

	h = (const struct homa_common_hdr *)(skb->data + offset);
	return homa_sock_find(homa_net(dev_net(skb->dev)), ntohs(h->sport),
			      ipv4);
}

static int icmp_apply(struct sk_buff *skb, int offset, struct homa_sock *hsk,
		      struct icmp_error *e)
{
	const struct homa_common_hdr *h;

	e->peer.scope = homa_packet_scope(skb, &e->peer.addr);
	h = (const struct homa_common_hdr *)(skb->data + offset);
	if (e->error == -ENOTCONN)
		e->dport = h->dport;
	if (icmp_believe(hsk, skb, offset, e))
		homa_sock_visit_rpcs(hsk, icmp_abort, e);
	return 0;
}

/**
 * homa_icmp_v4_at() - handle an ICMP error
 * @skb: the quoted packet, beginning with its IP header
 * @offset: of the Homa header in @skb, of which the ports are linear
 * @info: extra information, e.g. an MTU
 *
 * Context: softirq, RCU read-locked.
 * Return: 0, or -ENOENT: not ours
 */
int homa_icmp_v4_at(struct sk_buff *skb, int offset, u32 info)
{
	const struct iphdr *iph = (const struct iphdr *)skb->data;
	const struct icmphdr *icmp = icmp_hdr(skb);
	struct homa_sock *hsk;
	struct icmp_error e = {};

	hsk = icmp_sock(skb, offset, true);
	if (!hsk)
		return -ENOENT;
	if (icmp->type == ICMP_REDIRECT)
		ipv4_redirect(skb, dev_net(skb->dev),
			      homa_sock_sk(hsk)->sk_bound_dev_if, IPPROTO_HOMA);
	if (icmp->type != ICMP_DEST_UNREACH)
		return 0;
	ipv6_addr_set_v4mapped(iph->daddr, &e.peer.addr);
	switch (icmp->code) {
	case ICMP_PORT_UNREACH:
		e.error = -ENOTCONN;
		break;
	case ICMP_PROT_UNREACH:
		e.error = -EPROTONOSUPPORT;
		break;
	case ICMP_FRAG_NEEDED:
		icmp_queue_v4(hsk, skb, offset, -EMSGSIZE, info);
		ipv4_update_pmtu(skb, dev_net(skb->dev), info,
				 homa_sock_sk(hsk)->sk_bound_dev_if,
				 IPPROTO_HOMA);
		return 0;
	case ICMP_SR_FAILED:
		return 0;
	default:
		e.error = -EHOSTUNREACH;
		e.soft = true;
	}
	icmp_queue_v4(hsk, skb, offset, e.error, info);
	return icmp_apply(skb, offset, hsk, &e);
}

/**
 * homa_icmp_v4() - handle an ICMP error that quotes a packet of protocol 146
 * @skb: the quoted packet, beginning with its IP header
 * @info: extra information, e.g. an MTU
 *
 * Context: softirq, RCU read-locked.
 * Return: 0, or -ENOENT: not ours
 */
int homa_icmp_v4(struct sk_buff *skb, u32 info)
{
	const struct iphdr *iph = (const struct iphdr *)skb->data;

	return homa_icmp_v4_at(skb, iph->ihl * 4, info);
}

/**
 * homa_icmp_v6() - handle an ICMPv6 error
 * @skb: the quoted packet, beginning with its IPv6 header
 * @opt: options of the quoted packet
 * @type: ICMPv6 type
 * @code: ICMPv6 code
 * @offset: of the Homa header in @skb
 * @info: extra information, e.g. an MTU
 *
 * Context: softirq, RCU read-locked.
 * Return: 0, or -ENOENT: not ours
 */
int homa_icmp_v6(struct sk_buff *skb, struct inet6_skb_parm *opt, u8 type,
		 u8 code, int offset, __be32 info)
{
	const struct ipv6hdr *iph = (const struct ipv6hdr *)skb->data;
	struct icmp_error e = { .peer.addr = iph->daddr };
	struct homa_sock *hsk;

	if (!pskb_may_pull(skb, offset + 4))
		return 0;
	hsk = icmp_sock(skb, offset, false);
	if (!hsk)
		return -ENOENT;
	if (type == ICMPV6_PKT_TOOBIG) {
		icmp_queue_v6(hsk, skb, offset, -EMSGSIZE, ntohl(info));
		ip6_update_pmtu(skb, dev_net(skb->dev), info,
				homa_sock_sk(hsk)->sk_bound_dev_if,
				READ_ONCE(homa_sock_sk(hsk)->sk_mark),
				sock_net_uid(dev_net(skb->dev), homa_sock_sk(hsk)));
		return 0;
	}
	if (type == NDISC_REDIRECT)
		ip6_redirect(skb, dev_net(skb->dev),
			     homa_sock_sk(hsk)->sk_bound_dev_if,
			     READ_ONCE(homa_sock_sk(hsk)->sk_mark),
			     sock_net_uid(dev_net(skb->dev), homa_sock_sk(hsk)));
	if (type == ICMPV6_DEST_UNREACH && code == ICMPV6_PORT_UNREACH) {
		e.error = -ENOTCONN;
	} else if (type == ICMPV6_PARAMPROB && code == ICMPV6_UNK_NEXTHDR) {
		e.error = -EPROTONOSUPPORT;
	} else if (type == ICMPV6_DEST_UNREACH) {
		e.error = -EHOSTUNREACH;
		e.soft = true;
	} else {
		return 0;
	}
	icmp_queue_v6(hsk, skb, offset, e.error, ntohl(info));
	return icmp_apply(skb, offset, hsk, &e);
}

/**
 * homa_icmp_unreachable() - tell a sender that nobody listens at a port
 * @skb: packet, as it came from IP
 *
 * The kernel limits how many of these are sent.
 *
 * Context: softirq, no locks held.
 */
void homa_icmp_unreachable(struct sk_buff *skb)
{
	if (ip_hdr(skb)->version == 4)
		icmp_send(skb, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
	else
		icmpv6_send(skb, ICMPV6_DEST_UNREACH, ICMPV6_PORT_UNREACH, 0);
}
