/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Freezing timetraces, here and on other hosts. */
#ifndef _HOMA_FREEZE_H
#define _HOMA_FREEZE_H

#include "rpc.h"

/**
 * enum homa_freeze_type - what net.homa.freeze_type waits for
 * @HOMA_FREEZE_RESTART_RPC: a client begins an RPC again: the server lost it
 * @HOMA_FREEZE_PEER_TIMEOUT: an RPC is given up
 * @HOMA_FREEZE_SLOW_RPC: a response took long, see homa_freeze_slow()
 * @HOMA_FREEZE_PACKET_LOST: bytes that should be here are asked for again
 * @HOMA_FREEZE_NEED_ACK: NEED_ACK comes before the response is complete
 */
enum homa_freeze_type {
	HOMA_FREEZE_RESTART_RPC = 1,
	HOMA_FREEZE_PEER_TIMEOUT = 2,
	HOMA_FREEZE_SLOW_RPC = 3,
	HOMA_FREEZE_PACKET_LOST = 4,
	HOMA_FREEZE_NEED_ACK = 5,
};

void homa_freeze(struct homa_net *hn, bool tell);
void homa_freeze_rcvd(struct homa_net *hn, u32 peer, u16 port);
void __homa_freeze_on(struct homa_rpc *rpc, enum homa_freeze_type type);
void homa_freeze_slow(struct homa_rpc *rpc);

int homa_freeze_net_init(struct homa_net *hn);
void homa_freeze_net_exit(struct homa_net *hn);

/**
 * homa_freeze_on() - freeze, if net.homa.freeze_type waits for this
 * @rpc: RPC that it happens to
 * @type: what happens
 *
 * Context: any.
 */
static inline void homa_freeze_on(struct homa_rpc *rpc,
				  enum homa_freeze_type type)
{
	if (unlikely(READ_ONCE(rpc->hn->sysctl.freeze_type) == type))
		__homa_freeze_on(rpc, type);
}

#endif /* _HOMA_FREEZE_H */
