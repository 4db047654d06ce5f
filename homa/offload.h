/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Frames of several packets. */
#ifndef _HOMA_OFFLOAD_H
#define _HOMA_OFFLOAD_H

#include <linux/netdev_features.h>
#include <linux/types.h>

struct homa_data_hdr;
struct homa_rpc;
struct sk_buff;

int homa_offload_register(void);
void homa_offload_unregister(void);

u32 homa_offload_max_data(const struct homa_rpc *rpc, u32 packet, u32 headers);
#if IS_ENABLED(CONFIG_KUNIT)
struct sk_buff *homa_gso_segment(struct sk_buff *skb,
				 netdev_features_t features);
#endif
struct sk_buff *homa_offload_split(struct sk_buff *skb);
u32 homa_offload_data(const struct sk_buff *skb, const struct homa_data_hdr *h,
		      u32 bytes);
u32 homa_offload_mark(const struct homa_rpc *rpc, struct sk_buff *skb,
		      u32 packet, u32 length);

#endif /* _HOMA_OFFLOAD_H */
