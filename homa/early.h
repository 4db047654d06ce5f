/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Copying out what has come of a message while the rest is on its way. */
#ifndef _HOMA_EARLY_H
#define _HOMA_EARLY_H

#include "msgin.h"

/* So much must have come that nobody has copied, since a thread has to be woken for it
 * (perf.txt, 22).
 */
#define HOMA_EARLY_BYTES (512 << 10)

struct homa_rpc;

/* Is there enough of an incomplete message, and nobody told? */
static inline bool homa_early_due(const struct homa_msgin *in)
{
	return in->length - in->left - in->copied >= HOMA_EARLY_BYTES &&
	       in->early == HOMA_EARLY_NONE;
}

void homa_early_offer(struct homa_rpc *rpc);
void homa_early_copy(struct homa_rpc *rpc);
bool homa_early_elsewhere(struct homa_rpc *rpc);
void homa_early_restart(struct homa_rpc *rpc);

#endif /* _HOMA_EARLY_H */
