/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Who may send to this host, and how much. */
#ifndef _HOMA_GRANT_H
#define _HOMA_GRANT_H

#include "net.h"

struct homa_rpc;

/* Most messages that have grants at a time; bound of sysctl max_overcommit. */
#define HOMA_MAX_GRANTS 8

/**
 * struct homa_grant - one GRANT packet to be sent
 * @rpc: RPC; a reference is held
 * @offset: new value of homa_msgin.granted
 * @increment: by how much that is more than before
 * @prio: priority for the sender
 */
struct homa_grant {
	struct homa_rpc *rpc;
	u32 offset;
	u32 increment;
	u8 prio;
};

/**
 * struct homa_grant_batch - GRANT packets to be sent when no lock is held
 * @count: entries in @grants
 * @grants: the grants
 */
struct homa_grant_batch {
	int count;
	struct homa_grant grants[HOMA_MAX_GRANTS];
};

void homa_grant_net_init(struct homa_net *hn);
void homa_grant_net_exit(struct homa_net *hn);
void homa_grant_update(struct homa_rpc *rpc, struct homa_grant_batch *batch);
void homa_grant_remove(struct homa_rpc *rpc);
void homa_grant_flush(struct homa_grant_batch *batch);

#endif /* _HOMA_GRANT_H */
