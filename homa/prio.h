/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Priorities. */
#ifndef _HOMA_PRIO_H
#define _HOMA_PRIO_H

#include "net.h"

struct homa_rpc;
struct homa_cutoffs_hdr;

int homa_prio_net_init(struct homa_net *hn);
void homa_prio_net_exit(struct homa_net *hn);

void homa_prio_auto_written(struct homa_net *hn);
void homa_prio_cutoffs_written(struct homa_net *hn);
void homa_prio_num_written(struct homa_net *hn);
void homa_prio_observe(struct homa_net *hn, u32 length, u32 unsched);
u8 homa_prio_incoming(const struct homa_net *hn, u32 length);
u8 homa_prio_unsched(const struct homa_rpc *rpc);
u8 homa_prio_sched(const struct homa_net *hn, int rank, int active);
u8 homa_prio_clamp(const struct homa_net *hn, u8 prio);
u8 homa_prio_tclass(const struct homa_net *hn, u8 prio);
void homa_prio_fill_cutoffs(struct homa_net *hn, struct homa_cutoffs_hdr *h);

/* Highest level in use; control packets have it. */
static inline u8 homa_prio_highest(const struct homa_net *hn)
{
	return READ_ONCE(hn->sysctl.num_priorities) - 1;
}

#endif /* _HOMA_PRIO_H */
