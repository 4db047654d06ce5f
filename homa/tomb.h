/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Memory of requests that must not be executed again. */
#ifndef _HOMA_TOMB_H
#define _HOMA_TOMB_H

#include "rpc.h"

int homa_tombs_net_init(struct homa_net *hn);
void homa_tombs_net_exit(struct homa_net *hn);
void homa_tomb_add(const struct homa_rpc *rpc);
bool homa_tomb_find(struct homa_net *hn, const struct homa_rpc_key *key,
		    __be16 port);

#endif /* _HOMA_TOMB_H */
