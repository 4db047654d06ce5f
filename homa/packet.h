/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Received packets: what IP and the checksum say of one, and several as one. */
#ifndef _HOMA_PACKET_H
#define _HOMA_PACKET_H

#include <linux/types.h>

struct homa_net;
struct homa_path;
struct sk_buff;

/**
 * struct homa_joined - packets that are part of another
 * @packets: how many
 * @bytes: the data that they brought
 */
struct homa_joined {
	u32 packets;
	u32 bytes;
};

u8 homa_packet_level(const struct sk_buff *skb);
bool homa_packet_checksum_ok(const struct homa_net *hn,
			     const struct homa_path *path, struct sk_buff *skb);
struct homa_joined homa_packet_join(struct homa_net *hn,
				    const struct homa_path *path,
				    struct sk_buff *skb, struct sk_buff **list);
struct sk_buff *homa_packet_part(struct sk_buff *skb);
void homa_packet_forget_path(struct sk_buff *skb);

#endif /* _HOMA_PACKET_H */
