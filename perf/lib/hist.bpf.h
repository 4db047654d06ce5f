/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Histograms of util/lib/hist.h, filled by BPF programs.
 *
 * Any CPU may add to one at any time. @min and @max stay 0: who reads them gets
 * these from the buckets (hists.c).
 */
#ifndef PERF_HIST_BPF_H
#define PERF_HIST_BPF_H

#include "lib/hist.h"

static __always_inline void hist_count(struct hist *h, u64 value)
{
	u64 index = hist_index(value);

	barrier_var(index);	/* the verifier must see that what is compared is used */
	if (index >= HIST_BUCKETS)
		return;
	__sync_fetch_and_add(&h->n, 1);
	__sync_fetch_and_add(&h->sum, value);
	__sync_fetch_and_add(&h->count[index], 1);
}

#endif
