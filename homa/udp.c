// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* UDP encapsulation, for networks that pass no protocols that they do not know, and
 * no TCP whose flags make no sense:
 *
 *	IP, protocol 17 | UDP | Homa's header | ...
 *
 * which is what Linux calls FOU (foo over UDP). Who sets udp_encap_port takes such
 * packets, whoever sends them; sockets that are made while hijack_udp is set, too,
 * send them to that port, all their life.
 *
 *	device -> IP -> rules -> UDP, which checks length and sum -> port_rcv()
 *	    -> IP again, as if the packet were of protocol 146 -> homa_rcv()
 *
 * A port is a UDP socket of the kernel's for each of IPv4 and IPv6, so nobody else
 * can have it, and nothing is done to other UDP. Of the kernel's helpers for tunnels only
 * what headers have inline is used: the others are in a module (udp_tunnel), which
 * insmod would not load, for four assignments.
 *
 * UDP's checksum covers all of the packet; Homa's own is 0, as cards know but one.
 * Errors of ICMP that quote such packets are given to Homa, if they quote enough.
 */
#include <linux/hash.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/net.h>
#include <net/inet_common.h>
#include <net/ip.h>
#include <net/ip6_checksum.h>
#include <net/ipv6.h>
#include <net/udp.h>
#include <net/udp_tunnel.h>

#include "icmp.h"
#include "net.h"
#include "udp.h"
#include "wire.h"

/* UDP takes any but 0 for the kind of encapsulation; most kinds are its own. */
#define UDP_ENCAP_KIND 1

/* A packet for the port. IP takes it back, as one of Homa's. */
static int port_rcv(struct sock *sk, struct sk_buff *skb)
{
	homa_metric_inc(homa_net(sock_net(sk)), udp_encap_rcvd);
	if (!udp_hdr(skb)->check)	/* then Homa's is there instead */
		skb->csum_valid = 0;
	__skb_pull(skb, sizeof(struct udphdr));
	skb_postpull_rcsum(skb, udp_hdr(skb), sizeof(struct udphdr));
	skb_reset_transport_header(skb);
	return -IPPROTO_HOMA;
}

/* No socket of UDP's has sent a packet to this port, so it was Homa. */
static int port_err_lookup(struct sock *sk, struct sk_buff *skb)
{
	return 0;
}

static void port_err_v4(struct sock *sk, struct sk_buff *skb, HOMA_ENCAP_ERR_ARGS)
{
	int offset = HOMA_ENCAP_ERR_OFFSET(skb) + sizeof(struct udphdr);
	const struct icmphdr *icmp;
	u32 mtu = 0;

	if (!pskb_may_pull(skb, offset + sizeof(struct homa_common_hdr)))
		return;
	icmp = icmp_hdr(skb);
	if (icmp->type == ICMP_DEST_UNREACH && icmp->code == ICMP_FRAG_NEEDED)
		mtu = ntohs(icmp->un.frag.mtu);
	homa_icmp_v4_at(skb, offset, mtu);
}

static void port_err_v6(struct sock *sk, struct sk_buff *skb, HOMA_ENCAP_ERR_ARGS)
{
	int offset = HOMA_ENCAP_ERR_OFFSET(skb) + sizeof(struct udphdr);
	const struct icmp6hdr *icmp;

	if (!pskb_may_pull(skb, offset + sizeof(struct homa_common_hdr)))
		return;
	icmp = icmp6_hdr(skb);
	homa_icmp_v6(skb, NULL, icmp->icmp6_type, icmp->icmp6_code, offset,
		     icmp->icmp6_mtu);
}

/* Has UDP call us for a socket that is bound. */
static void port_take(struct sock *sk)
{
	struct udp_sock *up = udp_sk(sk);

	/* A sum that a device has made is kept for the packet inside. */
	inet_inc_convert_csum(sk);
	up->encap_err_lookup = port_err_lookup;
	up->encap_err_rcv = sk->sk_family == AF_INET ? port_err_v4 : port_err_v6;
	WRITE_ONCE(up->encap_rcv, port_rcv);
	WRITE_ONCE(up->encap_type, UDP_ENCAP_KIND);
	udp_tunnel_encap_enable(sk);
}

static void port_close(struct socket **sock)
{
	if (!*sock)
		return;
	kernel_sock_shutdown(*sock, SHUT_RDWR);
	sock_release(*sock);
	*sock = NULL;
}

static int port_bind(struct socket *sock, int family, int port)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} addr = {};
	int length = sizeof(addr.in);

	addr.sa.sa_family = family;
	addr.in.sin_port = htons(port);	/* IPv6 has it in the same place */
	if (family == AF_INET6) {
		ip6_sock_set_v6only(sock->sk);
		length = sizeof(addr.in6);
	}
	return kernel_bind(sock, (struct sockaddr_unsized *)&addr.sa, length);
}

static int port_open(struct net *net, int family, int port, struct socket **sock)
{
	int err = sock_create_kern(net, family, SOCK_DGRAM, IPPROTO_UDP, sock);

	if (err) {
		*sock = NULL;
		return err;
	}
	err = port_bind(*sock, family, port);
	if (err)
		port_close(sock);
	else
		port_take((*sock)->sk);
	return err;
}

/* Opens a port for both families, or for IPv4 where there is no IPv6. */
static int port_open_both(struct net *net, int port, struct socket *socks[2])
{
	int err = port_open(net, AF_INET, port, &socks[0]);

	if (err)
		return err;
	err = port_open(net, AF_INET6, port, &socks[1]);
	if (err == -EAFNOSUPPORT)
		return 0;
	if (err)
		port_close(&socks[0]);
	return err;
}

/**
 * homa_udp_set_port() - take packets at another UDP port
 * @hn: host
 * @port: 0: at none
 *
 * If that fails, all remains as it was.
 *
 * Context: process, sleeps.
 * Return: 0 or a negative errno; EADDRINUSE: somebody else has the port
 */
int homa_udp_set_port(struct homa_net *hn, int port)
{
	struct socket *socks[2] = {};
	int err = 0, i;

	mutex_lock(&hn->encap.lock);
	if (port == hn->sysctl.udp_encap_port)
		goto out;
	err = -ENODEV;
	if (!READ_ONCE(hn->live))	/* nobody would close it any more */
		goto out;
	err = port ? port_open_both(hn->net, port, socks) : 0;
	if (err)
		goto out;
	for (i = 0; i < ARRAY_SIZE(socks); i++) {
		port_close(&hn->encap.udp[i]);
		hn->encap.udp[i] = socks[i];
	}
	WRITE_ONCE(hn->sysctl.udp_encap_port, port);
out:
	mutex_unlock(&hn->encap.lock);
	return err;
}

/**
 * homa_udp_net_stop() - take no more packets in UDP's
 * @hn: host that is not live
 *
 * Some may still be on their way until a grace period is over.
 *
 * Context: process, sleeps.
 */
void homa_udp_net_stop(struct homa_net *hn)
{
	int i;

	mutex_lock(&hn->encap.lock);
	for (i = 0; i < ARRAY_SIZE(hn->encap.udp); i++)
		port_close(&hn->encap.udp[i]);
	mutex_unlock(&hn->encap.lock);
}

/**
 * homa_udp_sock_init() - find out whether a new socket sends in UDP's packets
 * @hn: its host
 * @hsk: socket
 *
 * Its generic protocol number stays Homa's: the kernel takes datagram sockets of UDP's
 * number for struct udp_sock.
 *
 * Context: process.
 */
void homa_udp_sock_init(struct homa_net *hn, struct homa_sock *hsk)
{
	if (READ_ONCE(hn->sysctl.hijack_udp))
		hsk->udp_port = htons(READ_ONCE(hn->sysctl.udp_encap_port));
}

/* Both ways of an RPC have the same, which only its id decides. */
static __be16 udp_sport(const struct homa_common_hdr *h)
{
	u64 id = be64_to_cpu(h->sender_id) | 1;

	return htons(HOMA_UDP_SPORT_FIRST | hash_64(id, HOMA_UDP_SPORT_BITS));
}

/* Puts a packet into one of UDP's. */
static void udp_push(struct homa_sock *hsk, struct sk_buff *skb,
		     const struct in6_addr *saddr, const struct in6_addr *daddr)
{
	__be16 sport = udp_sport((struct homa_common_hdr *)skb->data);
	struct udphdr *uh = __skb_push(skb, sizeof(*uh));

	skb_reset_transport_header(skb);
	uh->source = sport;
	uh->dest = hsk->udp_port;
	uh->len = htons(skb->len);
	if (ipv6_addr_v4mapped(daddr))
		udp_set_csum(false, skb, saddr->s6_addr32[3],
			     daddr->s6_addr32[3], skb->len);
	else
		udp6_set_csum(false, skb, saddr, daddr, skb->len);
}

static u8 ipv4_ttl(const struct sock *sk, const struct dst_entry *dst)
{
	int ttl = READ_ONCE(inet_sk(sk)->uc_ttl);

	return ttl < 0 ? ip4_dst_hoplimit(dst) : ttl;
}

/* As __ip_queue_xmit(), which would say the socket's protocol. */
static int xmit_v4(struct sock *sk, struct sk_buff *skb, __be32 saddr,
		   __be32 daddr, u8 tos)
{
	struct iphdr *iph = skb_push(skb, sizeof(*iph));
	struct dst_entry *dst = skb_dst(skb);

	skb_reset_network_header(skb);
	*iph = (struct iphdr) {
		.version = 4,
		.ihl = sizeof(*iph) / 4,
		.tos = tos,
		.ttl = ipv4_ttl(sk, dst),
		.protocol = IPPROTO_UDP,
		.saddr = saddr,
		.daddr = daddr,
	};
	if (ip_dont_fragment(sk, dst) && !skb->ignore_df)
		iph->frag_off = htons(IP_DF);
	ip_select_ident_segs(sock_net(sk), skb, sk,
			     max_t(int, skb_shinfo(skb)->gso_segs, 1));
	skb->priority = READ_ONCE(sk->sk_priority);
	skb->mark = READ_ONCE(sk->sk_mark);
	return ip_local_out(sock_net(sk), sk, skb);
}

static int xmit_v6(struct sock *sk, struct sk_buff *skb,
		   const struct in6_addr *saddr, const struct in6_addr *daddr,
		   u8 tclass)
{
	struct flowi6 fl = {
		.flowi6_proto = IPPROTO_UDP,
		.saddr = *saddr,
		.daddr = *daddr,
	};

	return ip6_xmit(sk, skb, &fl, READ_ONCE(sk->sk_mark), NULL, tclass,
			READ_ONCE(sk->sk_priority));
}

/**
 * homa_udp_xmit() - give a packet to IP in one of UDP's
 * @hsk: socket that sends it
 * @skb: packet with a route, beginning with its Homa header, whose checksum is 0
 * @saddr: source address
 * @daddr: destination address
 * @tclass: TOS byte or traffic class
 *
 * Context: bottom halves are off, RCU read lock held.
 * Return: as dst_output()
 */
int homa_udp_xmit(struct homa_sock *hsk, struct sk_buff *skb,
		  const struct in6_addr *saddr, const struct in6_addr *daddr,
		  u8 tclass)
{
	struct sock *sk = homa_sock_sk(hsk);

	udp_push(hsk, skb, saddr, daddr);
	if (ipv6_addr_v4mapped(daddr))
		return xmit_v4(sk, skb, saddr->s6_addr32[3], daddr->s6_addr32[3],
			       tclass);
	return xmit_v6(sk, skb, saddr, daddr, tclass);
}
