/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Errors that the network reports. */
#ifndef _HOMA_ICMP_H
#define _HOMA_ICMP_H

#include <linux/ipv6.h>
#include <linux/skbuff.h>

void homa_icmp_unreachable(struct sk_buff *skb);
int homa_icmp_v4(struct sk_buff *skb, u32 info);
int homa_icmp_v4_at(struct sk_buff *skb, int offset, u32 info);
int homa_icmp_v6(struct sk_buff *skb, struct inet6_skb_parm *opt, u8 type,
		 u8 code, int offset, __be32 info);

#endif /* _HOMA_ICMP_H */
