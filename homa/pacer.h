/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* When packets leave. */
#ifndef _HOMA_PACER_H
#define _HOMA_PACER_H

#include "net.h"

struct homa_rpc;

void homa_pacer_net_init(struct homa_net *hn);
void homa_pacer_net_exit(struct homa_net *hn);
bool homa_pacer_defer(struct homa_rpc *rpc, bool paced);
void homa_pacer_remove(struct homa_rpc *rpc);
void homa_pacer_completed(struct homa_net *hn, u32 bytes);

/* A packet is on its way to the device. */
static inline void homa_pacer_charge(struct homa_net *hn, u32 bytes)
{
	atomic_add(bytes, &hn->pacer.outstanding);
}

#endif /* _HOMA_PACER_H */
