/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* An outgoing message: a copy of the user's data, and what was sent of it. */
#ifndef _HOMA_MSGOUT_H
#define _HOMA_MSGOUT_H

#include <linux/bvec.h>
#include <linux/skbuff.h>
#include <linux/uio.h>

struct homa_rpc;
struct homa_sock;

/**
 * struct homa_range - part of a message
 * @start: first byte
 * @end: byte after the last one
 */
struct homa_range {
	u32 start;
	u32 end;
};

/* Ranges that one message can have waiting to be sent again. A request for
 * more is dropped and counted; the receiver will ask again.
 */
#define HOMA_MAX_RESENDS 16

/* Of a message that is longer than twice that so much is copied in before any of it is
 * sent, and then so many times what is there before more is: what is sent early meets a
 * receiver that grants it bit by bit (perf.txt, 23).
 */
#define HOMA_MSGOUT_PART 65536
#define HOMA_MSGOUT_GROWTH 8

/* Pieces that need no memory of their own: what a message of a page may have. */
#define HOMA_FEW_PIECES 2

/**
 * enum homa_ask - a request of more than HOMA_MAX_MESSAGE_LENGTH bytes and its server
 * @HOMA_ASK_NONE: the server takes it, or the message is shorter
 * @HOMA_ASK_ASYNC: the server is being asked; the RPC fails if it does not
 * @HOMA_ASK_SYNC: the server is being asked; sendmsg(2) waits for the answer
 * @HOMA_ASK_REFUSED: it does not, or is silent, as sendmsg(2) will see
 */
enum homa_ask {
	HOMA_ASK_NONE,
	HOMA_ASK_ASYNC,
	HOMA_ASK_SYNC,
	HOMA_ASK_REFUSED,
};

/**
 * struct homa_msgout - an outgoing message
 * @length: bytes in the message, or -1: there is none yet
 * @unsched: bytes sent without grants; no packet crosses this offset
 * @granted: bytes that may be sent
 * @next: bytes that were passed to IP at least once
 * @seg: bytes in a full packet when the first one was sent; 0: none has been,
 *	or not as much fitted in it
 * @prio: priority of scheduled packets, from the last GRANT
 * @unsched_prio: priority of unscheduled packets, once there are any
 * @resend_prio: priority of what is sent again
 * @num_resends: valid entries in @resends
 * @sent_at: when the last packet was made, ns
 * @done_at: time when the whole message had been passed to IP, ns; 0: not yet
 * @charged: bytes of memory charged to homa_sock.tx_mem
 * @ready: bytes that can be sent as far as they have been copied in: whole packets, or all
 * @num_pieces: entries in @pieces that have them
 * @piece: index in @pieces of what comes after the last packet
 * @piece_start: offset of that piece in the message
 * @copied: bytes copied in; belongs to the thread that copies, not under the lock, as
 * @num_copied: entries in @pieces that have those
 * @ask: enum homa_ask; nothing is sent until it is HOMA_ASK_NONE
 * @pieces: where the data is, in order; a page reference each
 * @few: @pieces of a short message
 * @resends: ranges to be sent again, all below @next; last, since it is used so
 *	seldom that it is neither cleared nor copied
 *
 * The data stays until the RPC is freed. Packets share its pages.
 */
struct homa_msgout {
	int length;
	u32 unsched;
	u32 granted;
	u32 next;
	u32 seg;
	u8 prio;
	u8 unsched_prio;
	u8 resend_prio;
	u8 num_resends;
	u64 sent_at;
	u64 done_at;
	u32 charged;
	u32 ready;
	u16 num_pieces;
	u16 piece;
	u32 piece_start;
	u32 copied;
	u16 num_copied;
	u8 ask;
	struct bio_vec *pieces;
	struct bio_vec few[HOMA_FEW_PIECES];
	struct homa_range resends[HOMA_MAX_RESENDS];
};

void homa_msgout_init(struct homa_msgout *out);
int homa_msgout_fill(struct homa_msgout *out, struct homa_sock *hsk,
		     struct iov_iter *iter, u32 length, u32 first);
int homa_msgout_copy(struct homa_msgout *out, struct homa_sock *hsk,
		     struct iov_iter *iter, u32 bytes);
void homa_msgout_start(struct homa_rpc *rpc, struct homa_msgout *filled,
		       struct sk_buff_head *txq);
void homa_msgout_copied(struct homa_rpc *rpc, struct sk_buff_head *txq);
void homa_msgout_refuse(struct homa_rpc *rpc);
void homa_msgout_answered(struct homa_rpc *rpc, u32 max_length,
			  struct sk_buff_head *txq);
void homa_msgout_free(struct homa_msgout *out, struct homa_sock *hsk);

void homa_msgout_pump(struct homa_rpc *rpc, bool paced,
		      struct sk_buff_head *txq);
void homa_msgout_grant(struct homa_rpc *rpc, u32 offset, u8 prio,
		       struct sk_buff_head *txq);
bool homa_msgout_resend(struct homa_rpc *rpc, u32 offset, u32 length, u8 prio,
			struct sk_buff_head *txq);
int homa_msgout_attach(struct homa_msgout *out, struct sk_buff *skb,
		       u32 start, u32 length);

/* Bytes that wait to be sent, for the first time or again. */
static inline u32 homa_msgout_left(const struct homa_msgout *out)
{
	return (u32)out->length - out->next;
}

/* True if there is something that may be sent now. */
static inline bool homa_msgout_pending(const struct homa_msgout *out)
{
	return out->num_resends ||
	       (out->next < out->granted && out->next < out->ready);
}

#endif /* _HOMA_MSGOUT_H */
