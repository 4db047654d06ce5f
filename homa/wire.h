/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Packet formats and the constants that are part of the protocol.
 *
 * All fields are big-endian, all structures packed. The common header has
 * the shape of a TCP header, so that network devices which only know TCP can
 * compute checksums and segment packets.
 */
#ifndef _HOMA_WIRE_H
#define _HOMA_WIRE_H

#include <linux/build_bug.h>
#include <linux/minmax.h>
#include <linux/types.h>

#include "uapi/homa.h"

enum homa_packet_type {
	HOMA_DATA	 = 0x10,
	HOMA_GRANT	 = 0x11,
	HOMA_RESEND	 = 0x12,
	HOMA_RPC_UNKNOWN = 0x13,
	HOMA_BUSY	 = 0x14,
	HOMA_CUTOFFS	 = 0x15,
	HOMA_FREEZE	 = 0x16,
	HOMA_NEED_ACK	 = 0x17,
	HOMA_ACK	 = 0x18,
};

#define HOMA_FIRST_TYPE HOMA_DATA
#define HOMA_LAST_TYPE HOMA_ACK
#define HOMA_NUM_TYPES (HOMA_LAST_TYPE - HOMA_FIRST_TYPE + 1)

/* Priority levels that the formats have room for; higher is more urgent. */
#define HOMA_MAX_PRIORITIES 8

/* Marks that tell an encapsulated Homa packet from TCP: SYN and RST together,
 * and an urgent pointer without the URG flag. Present in every packet.
 */
#define HOMA_TCP_FLAGS 0x06
#define HOMA_TCP_URGENT 0xb97d

/* Values of homa_common_hdr.doff: header length as TCP would state it. */
#define HOMA_DOFF_DATA 0xe0
#define HOMA_DOFF_SEGMENTS 0xd0
#define HOMA_DOFF_CONTROL 0x50

/* Segment offset that means "look in the sequence field". */
#define HOMA_OFFSET_IN_SEQUENCE 0xffffffffu

/* Length in a RESEND that means "everything sent so far". */
#define HOMA_RESEND_ALL 0xffffffffu

/* In homa_data_hdr.hints of a request: the client expects many responses, so
 * this one should have few unscheduled bytes. Nobody needs to understand it:
 * the response says in @incoming how many there are.
 */
#define HOMA_HINT_INCAST 0x01

/* In homa_data_hdr.hints: the message may be longer than HOMA_MAX_MESSAGE_LENGTH,
 * since the receiver has said that it takes that.
 */
#define HOMA_HINT_LARGE 0x02

/* homa_common_hdr.window counts bpages; less than this means nothing. */
#define HOMA_MIN_WINDOW (HOMA_MAX_MESSAGE_LENGTH / HOMA_BPAGE_SIZE + 1)

/* Most acknowledgments in one ACK packet, or stored for one peer. */
#define HOMA_MAX_ACKS 5

/* Upper bound of any Homa header, for sizing buffers. */
#define HOMA_MAX_HEADER 90

/**
 * struct homa_common_hdr - first part of every packet
 * @sport: sender's port
 * @dport: receiver's port
 * @sequence: DATA: offset in the message of the packet's first byte; else 0
 * @ack: unused, 0
 * @type: enum homa_packet_type
 * @doff: HOMA_DOFF_*
 * @flags: HOMA_TCP_FLAGS
 * @window: the longest message that the sender's socket takes, in bpages; 0, as
 *	other implementations have it: HOMA_MAX_MESSAGE_LENGTH bytes
 * @checksum: TCP checksum with a pseudo header that says TCP
 * @urgent: HOMA_TCP_URGENT
 * @sender_id: id of the RPC as its sender knows it; even: sender is client
 */
struct homa_common_hdr {
	__be16 sport;
	__be16 dport;
	__be32 sequence;
	__u8 ack[3];
	__u8 type;
	__u8 doff;
	__u8 flags;
	__be16 window;
	__sum16 checksum;
	__be16 urgent;
	__be64 sender_id;
} __packed;

/**
 * struct homa_ack - says that a client needs nothing more of one RPC
 * @client_id: id as the client knows it; 0: no RPC
 * @server_port: port that the request was sent to
 */
struct homa_ack {
	__be64 client_id;
	__be16 server_port;
} __packed;

/**
 * struct homa_data_hdr - part of a message
 * @common: first part
 * @message_length: bytes in the whole message
 * @incoming: bytes of the message that come without (further) grants
 * @ack: an RPC that the sender has finished with
 * @cutoff_version: version of the cutoffs that gave the priority
 * @retransmit: 1 if sent again
 * @hints: HOMA_HINT_*; ours, in what other implementations have as padding
 * @pad: 0
 * @offset: offset in the message of the packet's first byte, or
 *	HOMA_OFFSET_IN_SEQUENCE
 */
struct homa_data_hdr {
	struct homa_common_hdr common;
	__be32 message_length;
	__be32 incoming;
	struct homa_ack ack;
	__be16 cutoff_version;
	__u8 retransmit;
	__u8 hints;
	__u8 pad[2];
	__be32 offset;
} __packed;

/**
 * struct homa_grant_hdr - permission to send more of a message
 * @common: first part
 * @offset: all bytes before this one may be sent
 * @priority: for the packets sent because of this grant
 */
struct homa_grant_hdr {
	struct homa_common_hdr common;
	__be32 offset;
	__u8 priority;
} __packed;

/**
 * struct homa_resend_hdr - asks for part of a message again
 * @common: first part
 * @offset: first byte wanted
 * @length: number of bytes wanted, or HOMA_RESEND_ALL
 * @priority: for the packets that carry them
 */
struct homa_resend_hdr {
	struct homa_common_hdr common;
	__be32 offset;
	__be32 length;
	__u8 priority;
} __packed;

/**
 * struct homa_cutoffs_hdr - how to choose priorities of unscheduled packets
 * @common: first part
 * @cutoffs: level i is for messages of up to cutoffs[i] bytes
 * @version: comes back in homa_data_hdr.cutoff_version
 */
struct homa_cutoffs_hdr {
	struct homa_common_hdr common;
	__be32 cutoffs[HOMA_MAX_PRIORITIES];
	__be16 version;
} __packed;

/**
 * struct homa_ack_hdr - several acknowledgments
 * @common: first part; the RPC that it names is acknowledged too
 * @num_acks: how many of @acks are valid
 * @acks: further RPCs
 */
struct homa_ack_hdr {
	struct homa_common_hdr common;
	__be16 num_acks;
	struct homa_ack acks[HOMA_MAX_ACKS];
} __packed;

static_assert(sizeof(struct homa_common_hdr) == 28);
static_assert(sizeof(struct homa_data_hdr) == 56);
static_assert(sizeof(struct homa_grant_hdr) == 33);
static_assert(sizeof(struct homa_resend_hdr) == 37);
static_assert(sizeof(struct homa_cutoffs_hdr) == 62);
static_assert(sizeof(struct homa_ack_hdr) == 80);
static_assert(offsetof(struct homa_common_hdr, checksum) == 16);
static_assert(offsetof(struct homa_data_hdr, offset) == 52);

/* The user ABI is a contract too; all layouts are the same for 32 bits. */
static_assert(sizeof(struct homa_sendmsg_args) == 24);
static_assert(sizeof(struct homa_recvmsg_args) == 88);
static_assert(sizeof(struct homa_recvmsg_large_args) ==
	      HOMA_RECVMSG_ARGS_SIZE(HOMA_MAX_LARGE_BPAGES));
static_assert(sizeof(struct homa_recvmsg_args) ==
	      HOMA_RECVMSG_ARGS_SIZE(HOMA_MAX_BPAGES));
static_assert(sizeof(struct homa_abort_args) == 32);
static_assert(sizeof(struct homa_rcvbuf_args) == 16);
static_assert(sizeof(struct homa_rpc_info) == 184);
static_assert(sizeof(struct homa_info) == 136);

/* Ids: the low bit says whose id it is, so the other side's differs in it. */
static inline bool homa_id_is_client(u64 id)
{
	return !(id & 1);
}

/* Longest message that a peer takes which has sent @window. */
static inline u32 homa_window_bytes(u32 window)
{
	if (window < HOMA_MIN_WINDOW)
		return HOMA_MAX_MESSAGE_LENGTH;
	return min_t(u32, window, HOMA_MAX_LARGE_BPAGES) << HOMA_BPAGE_SHIFT;
}

/* Is it a packet of Homa's, where IP says that it is TCP's? */
static inline bool homa_is_marked(const struct homa_common_hdr *h)
{
	return h->flags == HOMA_TCP_FLAGS &&
	       h->urgent == htons(HOMA_TCP_URGENT);
}

/* Offset in the message of a DATA packet's first byte, in either form. */
static inline u32 homa_data_offset(const struct homa_data_hdr *h)
{
	if (h->offset == htonl(HOMA_OFFSET_IN_SEQUENCE))
		return ntohl(h->common.sequence);
	return ntohl(h->offset);
}

/* An id as timetraces show it: 32 bits of the client's, on both hosts. */
static inline u32 homa_id_traced(u64 id)
{
	return (u32)id & ~1u;
}

static inline u64 homa_local_id(__be64 sender_id)
{
	return be64_to_cpu(sender_id) ^ 1;
}

#endif /* _HOMA_WIRE_H */
