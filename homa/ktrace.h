/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What the rest of the kernel does with packets, in a host's timetrace. */
#ifndef _HOMA_KTRACE_H
#define _HOMA_KTRACE_H

#include "net.h"

int homa_ktrace_set(struct homa_net *hn, bool on);
void __homa_ktrace_freed(struct homa_net *hn, const struct sk_buff *skb);

/**
 * homa_ktrace_freed() - a device is done with a packet
 * @hn: host that sent it
 * @skb: packet
 *
 * Context: any.
 */
static inline void homa_ktrace_freed(struct homa_net *hn,
				     const struct sk_buff *skb)
{
	if (unlikely(READ_ONCE(hn->ktrace.on)))
		__homa_ktrace_freed(hn, skb);
}

#endif /* _HOMA_KTRACE_H */
