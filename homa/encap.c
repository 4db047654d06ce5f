// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* TCP header encapsulation: Homa packets that network devices take for TCP's.
 *
 * Homa's common header has the shape of a TCP header, so a packet whose IP
 * protocol is TCP's is cut, hashed and checksummed by cards that know nothing
 * else. Sockets that are made while hijack_tcp is set send such packets; what
 * tells them from TCP is in wire.h: no TCP segment has SYN and RST, and an
 * urgent pointer of this value without the flag for it.
 *
 * Any host takes them in, whatever its hijack_tcp. Just before IP gives a
 * packet to its protocol, when it has been routed, reassembled, found to be for
 * this host and passed by netfilter's rules, the protocol in its IP header becomes
 * Homa's again:
 *
 *	device -> GRO, which leaves SYN and RST alone -> IP -> rules -> here
 *	    -> Homa or TCP
 *
 * This is a netfilter hook of the namespace, so real TCP is not changed, and
 * nothing of ours is left in the stack when the hook has been taken away. It is
 * there from a host's first socket on: hosts without sockets pay nothing for it.
 *
 * Routers quote such packets as they saw them, so the same is done for what is
 * quoted in ICMP errors: Homa's handler gets them, not TCP's.
 */
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv6.h>
#include <net/checksum.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "encap.h"
#include "net.h"
#include "udp.h"
#include "wire.h"

/* Is there a Homa header of this kind? @off is its offset from skb->data. */
static bool encap_marked(const struct sk_buff *skb, int off)
{
	const struct homa_common_hdr *h;
	struct homa_common_hdr copy;

	h = skb_header_pointer(skb, off, sizeof(copy), &copy);
	return h && homa_is_marked(h);
}

/* IP may have found a TCP connection with such addresses and ports. */
static void encap_taken(struct sk_buff *skb, const struct nf_hook_state *state)
{
	skb_orphan(skb);
	homa_metric_inc(homa_net(state->net), encap_rcvd);
}

/* Changes the protocol in an IPv4 header, which is writable. */
static void encap_rewrite_v4(struct iphdr *iph)
{
	__be16 old = htons(iph->ttl << 8 | iph->protocol);

	iph->protocol = IPPROTO_HOMA;
	csum_replace2(&iph->check, old, htons(iph->ttl << 8 | IPPROTO_HOMA));
}

/* Types of ICMP messages that quote a packet. */
static bool icmp_is_error(u8 type)
{
	return type == ICMP_DEST_UNREACH || type == ICMP_REDIRECT ||
	       type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETERPROB;
}

/* An ICMP message. What is changed in it leaves its checksum right: the sum of a
 * header and its own checksum stays as it was.
 */
static unsigned int encap_icmp_v4(struct sk_buff *skb, int off)
{
	struct {
		struct icmphdr icmp;
		struct iphdr quoted;
	} copy, *p;
	int end = off + sizeof(copy);

	p = skb_header_pointer(skb, off, sizeof(copy), &copy);
	if (!p || !icmp_is_error(p->icmp.type) || p->quoted.version != 4 ||
	    p->quoted.ihl < 5 || p->quoted.protocol != IPPROTO_TCP ||
	    p->quoted.frag_off & htons(IP_OFFSET) ||
	    !encap_marked(skb, end + (p->quoted.ihl - 5) * 4))
		return NF_ACCEPT;
	if (skb_ensure_writable(skb, end))
		return NF_DROP;
	encap_rewrite_v4((struct iphdr *)(skb->data + end) - 1);
	return NF_ACCEPT;
}

static unsigned int encap_in_v4(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state)
{
	int nh = skb_network_offset(skb), off = nh + ip_hdrlen(skb);
	u8 protocol = ip_hdr(skb)->protocol;

	if (protocol == IPPROTO_ICMP)
		return encap_icmp_v4(skb, off);
	if (protocol != IPPROTO_TCP || !encap_marked(skb, off))
		return NF_ACCEPT;
	if (skb_ensure_writable(skb, nh + sizeof(struct iphdr))) {
		homa_metric_inc(homa_net(state->net), rx_no_memory);
		return NF_DROP;
	}
	encap_rewrite_v4(ip_hdr(skb));
	encap_taken(skb, state);
	return NF_ACCEPT;
}

/* An ICMPv6 message; its checksum covers the quoted header. */
static unsigned int encap_icmp_v6(struct sk_buff *skb, int off)
{
	struct {
		struct icmp6hdr icmp;
		struct ipv6hdr quoted;
	} copy, *p;
	int end = off + sizeof(copy);
	__be16 old, new;

	p = skb_header_pointer(skb, off, sizeof(copy), &copy);
	if (!p || p->icmp.icmp6_type >= ICMPV6_INFOMSG_MASK ||
	    p->quoted.version != 6 || p->quoted.nexthdr != IPPROTO_TCP ||
	    !encap_marked(skb, end))
		return NF_ACCEPT;
	if (skb_ensure_writable(skb, end))
		return NF_DROP;
	p = (void *)(skb->data + off);
	old = htons(p->quoted.nexthdr << 8 | p->quoted.hop_limit);
	new = htons(IPPROTO_HOMA << 8 | p->quoted.hop_limit);
	p->quoted.nexthdr = IPPROTO_HOMA;
	csum_replace2(&p->icmp.icmp6_cksum, old, new);
	return NF_ACCEPT;
}

/* What is behind extension headers that the receiver processes is TCP's: no
 * implementation of Homa sends such packets.
 */
static unsigned int encap_in_v6(void *priv, struct sk_buff *skb,
				const struct nf_hook_state *state)
{
	int nh = skb_network_offset(skb), at = nh + IP6CB(skb)->nhoff;
	int off = skb_transport_offset(skb);
	u8 protocol = skb_network_header(skb)[IP6CB(skb)->nhoff];

	if (protocol == IPPROTO_ICMPV6)
		return encap_icmp_v6(skb, off);
	if (protocol != IPPROTO_TCP || !encap_marked(skb, off))
		return NF_ACCEPT;
	if (skb_ensure_writable(skb, at + 1)) {
		homa_metric_inc(homa_net(state->net), rx_no_memory);
		return NF_DROP;
	}
	/* A sum that the device has made covers this header. */
	skb_postpull_rcsum(skb, skb->data + nh, off - nh);
	skb->data[at] = IPPROTO_HOMA;
	skb_postpush_rcsum(skb, skb->data + nh, off - nh);
	encap_taken(skb, state);
	return NF_ACCEPT;
}

/* After all rules: they see what is on the wire. */
static const struct nf_hook_ops encap_hooks[] = {
	{
		.hook = encap_in_v4,
		.pf = NFPROTO_IPV4,
		.hooknum = NF_INET_LOCAL_IN,
		.priority = NF_IP_PRI_LAST,
	}, {
		.hook = encap_in_v6,
		.pf = NFPROTO_IPV6,
		.hooknum = NF_INET_LOCAL_IN,
		.priority = NF_IP6_PRI_LAST,
	},
};

/* Begins to look at what comes in, unless that has been done. */
static int encap_start(struct homa_net *hn)
{
	int err = 0;

	/* Pairs with the release, so that whoever sees it needs no lock. */
	if (smp_load_acquire(&hn->encap.hooked))
		return 0;
	mutex_lock(&hn->encap.lock);
	if (!hn->encap.hooked)
		err = nf_register_net_hooks(hn->net, encap_hooks,
					    ARRAY_SIZE(encap_hooks));
	if (!err)	/* pairs with the acquire above */
		smp_store_release(&hn->encap.hooked, true);
	mutex_unlock(&hn->encap.lock);
	return err;
}

/**
 * homa_encap_sock_init() - prepare a new socket for packets that travel as others
 * @hn: its host
 * @sk: socket
 *
 * It sends in UDP if hijack_udp and a port are set now, else as TCP if hijack_tcp is,
 * and all its life. It receives both.
 *
 * Context: process, sleeps.
 * Return: 0 or a negative errno
 */
int homa_encap_sock_init(struct homa_net *hn, struct sock *sk)
{
	homa_udp_sock_init(hn, homa_sk(sk));
	if (READ_ONCE(hn->sysctl.hijack_tcp) && !homa_udp_used(homa_sk(sk)))
		sk->sk_protocol = IPPROTO_TCP;
	return encap_start(hn);
}

/**
 * homa_encap_net_init() - a host has no socket yet
 * @hn: host
 *
 * Context: process.
 */
void homa_encap_net_init(struct homa_net *hn)
{
	mutex_init(&hn->encap.lock);
}

/**
 * homa_encap_net_stop() - look at no more packets
 * @hn: host without sockets
 *
 * Some may still be looked at until a grace period is over.
 *
 * Context: process, sleeps.
 */
void homa_encap_net_stop(struct homa_net *hn)
{
	if (hn->encap.hooked)
		nf_unregister_net_hooks(hn->net, encap_hooks,
					ARRAY_SIZE(encap_hooks));
	hn->encap.hooked = false;
	homa_udp_net_stop(hn);
}
