// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* What a packet on its way to a device is, by its headers alone.
 *
 * Packets that meet in a device are not all ours: they are forwarded, or come from
 * containers, virtual machines and raw sockets. So nothing is taken from what a
 * sk_buff has beside its bytes, and no byte is believed to be there.
 */
#include <linux/if_vlan.h>
#include <linux/tcp.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "headers.h"
#include "wire.h"

/* Finds the header behind IP's. @bytes: length of what is behind IP's header
 * Return: its offset from skb->data; 0: there is none that could be of interest
 */
static int packet_ip(const struct sk_buff *skb, struct homa_headers *p,
		     u8 *protocol, u32 *bytes)
{
	int off = skb_network_offset(skb);
	union {
		struct iphdr v4;
		struct ipv6hdr v6;
	} copy, *ip;

	if (off < 0)
		return 0;
	if (skb_protocol(skb, true) == htons(ETH_P_IP)) {
		ip = skb_header_pointer(skb, off, sizeof(ip->v4), &copy);
		if (!ip || ip->v4.version != 4 || ip->v4.ihl < 5 ||
		    ip->v4.frag_off & htons(IP_OFFSET | IP_MF))
			return 0;
		ipv6_addr_set_v4mapped(ip->v4.saddr, &p->key.saddr);
		ipv6_addr_set_v4mapped(ip->v4.daddr, &p->key.daddr);
		*protocol = ip->v4.protocol;
		*bytes = ntohs(ip->v4.tot_len) - ip->v4.ihl * 4;
		return off + ip->v4.ihl * 4;
	}
	if (skb_protocol(skb, true) != htons(ETH_P_IPV6))
		return 0;
	ip = skb_header_pointer(skb, off, sizeof(ip->v6), &copy);
	if (!ip || ip->v6.version != 6)
		return 0;
	p->key.saddr = ip->v6.saddr;
	p->key.daddr = ip->v6.daddr;
	*protocol = ip->v6.nexthdr;
	*bytes = ntohs(ip->v6.payload_len);
	return off + sizeof(ip->v6);
}

static bool tcp_is_ack(const struct sk_buff *skb, int off, u32 bytes)
{
	const struct tcphdr *th;
	struct tcphdr copy;

	th = skb_header_pointer(skb, off, sizeof(copy), &copy);
	return th && bytes == th->doff * 4 &&
	       (tcp_flag_word(th) & htonl(0x00ff0000)) == TCP_FLAG_ACK;
}

/**
 * homa_headers_read() - find out what a packet is
 * @skb: packet on its way to a device; its data begin before IP's header
 * @p: what it is, by its headers, none of which need be there, or true
 *
 * Context: any.
 */
void homa_headers_read(const struct sk_buff *skb, struct homa_headers *p)
{
	struct homa_data_hdr copy, *h;
	u8 protocol;
	u32 bytes;
	int off;

	memset(p, 0, sizeof(*p));
	off = packet_ip(skb, p, &protocol, &bytes);
	if (!off || (protocol != IPPROTO_HOMA && protocol != IPPROTO_TCP))
		return;
	h = skb_header_pointer(skb, off, sizeof(h->common), &copy);
	p->homa = h && (protocol == IPPROTO_HOMA || homa_is_marked(&h->common));
	if (!p->homa) {
		p->ack = protocol == IPPROTO_TCP && tcp_is_ack(skb, off, bytes);
		return;
	}
	if (h->common.type != HOMA_DATA)
		return;
	h = skb_header_pointer(skb, off, sizeof(*h), &copy);
	if (!h || homa_data_offset(h) >= ntohl(h->message_length))
		return;
	p->key.id = h->common.sender_id;
	p->key.ports[0] = h->common.sport;
	p->key.ports[1] = h->common.dport;
	p->length = ntohl(h->message_length);
	p->left = p->length - homa_data_offset(h);
}
