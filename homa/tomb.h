/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Memory of requests that must not be executed again. */
#ifndef _HOMA_TOMB_H
#define _HOMA_TOMB_H

#include "rpc.h"

int homa_tombs_net_init(struct homa_net *hn);
void homa_tombs_net_exit(struct homa_net *hn);
int homa_tomb_enter(struct homa_rpc *rpc);
void homa_tomb_leave(struct homa_rpc *rpc, bool executed);
bool homa_tomb_find(struct homa_net *hn, const struct homa_peer_key *peer,
		    __be16 port, u64 id);

#endif /* _HOMA_TOMB_H */
