/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Homa packets among all packets. */
#ifndef PERF_PACKET_BPF_H
#define PERF_PACKET_BPF_H

#include <bpf/bpf_endian.h>

#define __packed __attribute__((packed))
#include "homa_wire.h"

/* What is known of a packet. */
struct packet {
	u64 id;			/* of the RPC, even on both hosts; 0 for other protocols */
	u32 saddr, daddr;	/* as timetraces show addresses (tt_addr6()) */
	u32 bytes;		/* after the IP header */
	u32 at;			/* where these begin, from skb->head */
	u8 proto;
	u8 prio;		/* the highest bits of the DSCP */
	u8 type;		/* enum homa_packet_type */
};

static __always_inline u32 packet_addr6(const struct in6_addr *addr)
{
	u32 last = bpf_ntohl(addr->in6_u.u6_addr32[3]);

	return last ? last : bpf_ntohl(addr->in6_u.u6_addr32[1]);
}

/* Read the IP header at @at from skb->head; false if it is none. */
static __always_inline bool packet_ip(struct sk_buff *skb, u32 at, struct packet *p)
{
	unsigned char *head = skb->head;
	struct ipv6hdr ip6;
	struct iphdr ip;

	if (bpf_probe_read_kernel(&ip, sizeof(ip), head + at))
		return false;
	if (ip.version == 4) {
		p->proto = ip.protocol;
		p->prio = ip.tos >> 5;
		p->saddr = bpf_ntohl(ip.saddr);
		p->daddr = bpf_ntohl(ip.daddr);
		p->at = at + ip.ihl * 4;
		p->bytes = bpf_ntohs(ip.tot_len) - ip.ihl * 4;
	} else if (ip.version == 6 && !bpf_probe_read_kernel(&ip6, sizeof(ip6), head + at)) {
		p->proto = ip6.nexthdr;
		p->prio = ip6.priority >> 1;
		p->saddr = packet_addr6(&ip6.saddr);
		p->daddr = packet_addr6(&ip6.daddr);
		p->at = at + sizeof(ip6);
		p->bytes = bpf_ntohs(ip6.payload_len);
	} else {
		return false;
	}
	return true;
}

/* Read the headers of a packet whose IP header is where skb says; true if it is Homa's. */
static __always_inline bool packet_homa(struct sk_buff *skb, struct packet *p)
{
	struct homa_common_hdr h;

	if (!packet_ip(skb, skb->network_header, p) || p->proto != IPPROTO_HOMA ||
	    bpf_probe_read_kernel(&h, sizeof(h), skb->head + p->at))
		return false;
	p->type = h.type;
	p->id = bpf_be64_to_cpu(h.sender_id) & ~1ULL;
	return true;
}

/* The namespace that a packet is in, 0 if that cannot be told. */
static __always_inline u32 packet_netns(struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;
	struct sock *sk = skb->sk;
	u32 netns = 0;

	if (dev)
		netns = dev->nd_net.net->ns.inum;
	if (!netns && sk)
		netns = sk->__sk_common.skc_net.net->ns.inum;
	return netns;
}

#endif
