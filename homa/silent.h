/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What unfinished requests may occupy, if their senders are silent or unknown. */
#ifndef _HOMA_SILENT_H
#define _HOMA_SILENT_H

#include "drop.h"
#include "rpc.h"

enum homa_drop homa_silent_admit(struct homa_sock *hsk,
				 const struct homa_peer_key *key, bool whole);
void homa_silent_begun(struct homa_rpc *rpc, bool whole);
bool homa_silent_unwelcome(const struct homa_rpc *rpc);
bool homa_silent_tolerate(struct homa_rpc *rpc);
void homa_silent_heard(struct homa_rpc *rpc);
void homa_silent_over(struct homa_rpc *rpc);

/**
 * homa_silent_complete() - a message has arrived: its sender is no stranger
 * @rpc: RPC
 *
 * Context: rpc->lock held.
 */
static inline void homa_silent_complete(struct homa_rpc *rpc)
{
	if (!READ_ONCE(rpc->peer->proven))
		WRITE_ONCE(rpc->peer->proven, true);
	if (rpc->unfinished || rpc->silent_kb)	/* no stranger has neither */
		homa_silent_over(rpc);
}

#endif /* _HOMA_SILENT_H */
