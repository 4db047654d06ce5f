/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Received packets: what IP and the checksum say of one, and several as one. */
#ifndef _HOMA_PACKET_H
#define _HOMA_PACKET_H

#include <linux/netfilter.h>
#include <linux/skbuff.h>
#include <net/dsfield.h>
#include <net/dst.h>
#include <net/inet_sock.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "net.h"

struct homa_path;

/**
 * struct homa_joined - packets that are part of another
 * @packets: how many
 * @bytes: the data that they brought
 */
struct homa_joined {
	u32 packets;
	u32 bytes;
};

bool __homa_packet_checksum_ok(const struct homa_path *path, struct sk_buff *skb);
struct homa_joined homa_packet_join(struct homa_net *hn,
				    const struct homa_path *path,
				    struct sk_buff *skb, struct sk_buff **list);
struct sk_buff *homa_packet_part(struct sk_buff *skb);

/**
 * homa_packet_level() - priority of a packet
 * @skb: packet, as IP has given it to us
 *
 * Context: any.
 * Return: as in its IP header
 */
static inline u8 homa_packet_level(const struct sk_buff *skb)
{
	if (skb->protocol == htons(ETH_P_IP))
		return ip_hdr(skb)->tos >> 5;
	return ipv6_get_dsfield(ipv6_hdr(skb)) >> 5;
}

/**
 * homa_packet_scope() - what a peer's address needs to be unique
 * @skb: packet, just as IP has given it to a protocol
 * @addr: the peer's address, mapped if of IPv4
 *
 * Context: any.
 * Return: see struct homa_peer_key
 */
static inline int homa_packet_scope(const struct sk_buff *skb,
				    const struct in6_addr *addr)
{
	bool ipv4 = ip_hdr(skb)->version == 4;

	if (ipv4)
		return inet_sdif(skb) ? inet_iif(skb) : 0;
	if (ipv6_addr_type(addr) & IPV6_ADDR_LINKLOCAL)
		return inet6_sdif(skb) ? inet6_sdif(skb) : inet6_iif(skb);
	return inet6_sdif(skb) ? inet6_iif(skb) : 0;
}

/**
 * homa_packet_checksum_ok() - is the checksum right, if anybody wants to know?
 * @hn: host that received it
 * @path: where an answer would go
 * @skb: packet, beginning with its Homa header
 *
 * Context: any.
 */
static inline bool homa_packet_checksum_ok(const struct homa_net *hn,
					   const struct homa_path *path,
					   struct sk_buff *skb)
{
	return !READ_ONCE(hn->sysctl.verify_checksum) ||
	       __homa_packet_checksum_ok(path, skb);
}

/**
 * homa_packet_forget_path() - what a packet met on its way must not have to wait for us
 * @skb: packet that is going to wait for its message's end
 *
 * Context: any.
 */
static inline void homa_packet_forget_path(struct sk_buff *skb)
{
	nf_reset_ct(skb);
	skb_ext_reset(skb);
	skb_dst_drop(skb);
}

#endif /* _HOMA_PACKET_H */
