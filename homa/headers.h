/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What a packet on its way to a device is, by its headers alone. */
#ifndef _HOMA_HEADERS_H
#define _HOMA_HEADERS_H

#include <linux/in6.h>
#include <linux/skbuff.h>

/**
 * struct homa_msg_key - what the packets of one message have in common
 * @saddr: sender; IPv4 addresses are mapped
 * @daddr: receiver
 * @id: of the RPC, as its sender knows it
 * @ports: sport and dport
 * @pad: 0
 */
struct homa_msg_key {
	struct in6_addr saddr;
	struct in6_addr daddr;
	__be64 id;
	__be16 ports[2];
	u32 pad;
};

/**
 * struct homa_headers - what the headers of a packet say, see headers.c
 * @key: of a Homa packet: its message
 * @length: of DATA: bytes in the message, else 0
 * @left: of DATA: bytes that were not sent before it
 * @homa: it is Homa's
 * @ack: it is a TCP segment with an acknowledgment and nothing else
 */
struct homa_headers {
	struct homa_msg_key key;
	u32 length;
	u32 left;
	bool homa;
	bool ack;
};

void homa_headers_read(const struct sk_buff *skb, struct homa_headers *p);

#endif /* _HOMA_HEADERS_H */
