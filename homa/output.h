/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Making packets and giving them to IP. */
#ifndef _HOMA_OUTPUT_H
#define _HOMA_OUTPUT_H

#include <linux/skbuff.h>

#include "rpc.h"
#include "sock.h"
#include "wire.h"

/**
 * struct homa_path - between which addresses a packet goes
 * @saddr: ours; all zeros lets the route choose, and is filled in then
 * @daddr: the peer's; IPv4 addresses are mapped
 * @oif: interface of a link-local address, or VRF that the peer is in, else 0
 * @dport: the peer's port
 * @id: RPC id as known on this host
 */
struct homa_path {
	struct in6_addr saddr;
	struct in6_addr daddr;
	int oif;
	__be16 dport;
	u64 id;
};

int homa_output_route(struct homa_rpc *rpc);
u32 homa_output_max_frame(const struct homa_rpc *rpc);
int homa_output_data(struct homa_rpc *rpc, u32 packet, u32 start, u32 end,
		     bool retransmit, u8 prio, struct sk_buff_head *txq);
int homa_output_control(struct homa_rpc *rpc, enum homa_packet_type type,
			void *header, size_t length, struct sk_buff_head *txq);
int homa_output_reply(struct homa_sock *hsk, struct homa_path *path,
		      enum homa_packet_type type, void *header, size_t length,
		      struct sk_buff_head *txq);
void homa_output_resend(struct homa_rpc *rpc, u32 offset, u32 length, u8 prio,
			struct sk_buff_head *txq);
void homa_output_ack(struct homa_sock *hsk, struct homa_path *path,
		     struct homa_peer *peer, struct sk_buff_head *txq);
bool homa_output_made(const struct sk_buff *skb);
void homa_output_give(struct sk_buff_head *txq);

/**
 * homa_output_flush() - give packets to IP, if there are any
 * @txq: packets; empty afterwards
 *
 * Context: any, without locks.
 */
static inline void homa_output_flush(struct sk_buff_head *txq)
{
	if (!skb_queue_empty(txq))
		homa_output_give(txq);
}

void homa_output_split(struct sk_buff *whole, struct sk_buff *last);

#endif /* _HOMA_OUTPUT_H */
