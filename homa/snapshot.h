/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* How far messages were, every 20 ms. */
#ifndef _HOMA_SNAPSHOT_H
#define _HOMA_SNAPSHOT_H

#include <linux/seq_file.h>

#include "net.h"

extern const struct seq_operations homa_snapshots_ops;

void __homa_snapshots_start(struct homa_net *hn);
void homa_snapshots_alloc(struct homa_net *hn);
void homa_snapshots_trace(struct homa_net *hn);

int homa_snapshots_net_init(struct homa_net *hn);
void homa_snapshots_net_exit(struct homa_net *hn);

/**
 * homa_snapshots_start() - an RPC begins
 * @hn: host
 *
 * Context: any.
 */
static inline void homa_snapshots_start(struct homa_net *hn)
{
	if (likely(READ_ONCE(hn->snapshots.running)))
		return;
	/* Pairs with homa_snapshots_alloc(). */
	if (smp_load_acquire(&hn->snapshots.ring))
		__homa_snapshots_start(hn);
}

#endif /* _HOMA_SNAPSHOT_H */
