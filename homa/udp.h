/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Homa packets that travel in UDP's. */
#ifndef _HOMA_UDP_H
#define _HOMA_UDP_H

#include <linux/udp.h>

#include "sock.h"

/**
 * homa_udp_used() - does a socket send its packets in UDP's?
 * @hsk: socket
 *
 * Context: any.
 */
static inline bool homa_udp_used(const struct homa_sock *hsk)
{
	return hsk->udp_port;
}

/* Source ports, which tell RPCs apart for who spreads packets over several paths: as
 * many as suffice, and none of those that hosts give to their programs.
 */
#define HOMA_UDP_SPORT_FIRST 0xf000
#define HOMA_UDP_SPORT_BITS 12

int homa_udp_xmit(struct homa_sock *hsk, struct sk_buff *skb,
		  const struct in6_addr *saddr, const struct in6_addr *daddr,
		  u8 tclass);

void homa_udp_sock_init(struct homa_net *hn, struct homa_sock *hsk);
int homa_udp_set_port(struct homa_net *hn, int port);
void homa_udp_net_stop(struct homa_net *hn);

#endif /* _HOMA_UDP_H */
