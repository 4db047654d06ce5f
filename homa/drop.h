/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Why packets are dropped: one list of reasons, each with a metric. */
#ifndef _HOMA_DROP_H
#define _HOMA_DROP_H

#include <linux/skbuff.h>

#include "net.h"

/* X(reason, metric): every dropped packet has a reason, every reason a
 * metric. Several reasons may share the metric that the reference gives them.
 */
#define HOMA_DROPS(X) \
	X(HOMA_DROP_SHORT, short_packets) \
	X(HOMA_DROP_TYPE, short_packets) \
	X(HOMA_DROP_CHECKSUM, rx_bad_checksum) \
	X(HOMA_DROP_ADDRESS, rx_bad_address) \
	X(HOMA_DROP_NO_SOCKET, rx_no_socket) \
	X(HOMA_DROP_POLICY, rx_policy) \
	X(HOMA_DROP_ROLE, rx_bad_role) \
	X(HOMA_DROP_LENGTH, rx_bad_length) \
	X(HOMA_DROP_OFFSET, rx_bad_offset) \
	X(HOMA_DROP_TOO_LARGE, rx_too_large) \
	X(HOMA_DROP_STATE, rx_bad_state) \
	X(HOMA_DROP_UNKNOWN_RPC, unknown_rpcs) \
	X(HOMA_DROP_EXECUTED, rx_tombstones) \
	X(HOMA_DROP_CANT_CREATE, server_cant_create_rpcs) \
	X(HOMA_DROP_LIMIT, rx_limits) \
	X(HOMA_DROP_PEER_LIMIT, rx_peer_limits) \
	X(HOMA_DROP_HOST_LIMIT, rx_host_limits) \
	X(HOMA_DROP_MEMORY_LIMIT, rx_memory_limits) \
	X(HOMA_DROP_DUPLICATE, packet_discards) \
	X(HOMA_DROP_RESENT_DUPLICATE, resent_discards) \
	X(HOMA_DROP_NO_BUFFERS, rx_no_buffers) \
	X(HOMA_DROP_NO_MEMORY, rx_no_memory) \
	X(HOMA_DROP_REPLY_LIMIT, reply_limits) \
	X(HOMA_DROP_INJECTED, rx_injected_drops) \
	X(HOMA_DROP_SILENT, rx_silent_limits)

#define X(reason, metric) reason,
/**
 * enum homa_drop - why a packet is dropped
 * @HOMA_ACCEPTED: it is not; the handler owns it now
 * @HOMA_CONSUMED: it is not; it has been used and can be freed
 * @HOMA_DROPS: the reasons, HOMA_DROP_*
 */
enum homa_drop {
	HOMA_ACCEPTED,
	HOMA_CONSUMED,
	HOMA_DROPS(X)
	HOMA_NUM_DROPS,
};

#undef X

/* A packet was refused, for too much is there: it shows no progress. */
static inline bool homa_drop_is_limit(enum homa_drop why)
{
	return (why >= HOMA_DROP_LIMIT && why <= HOMA_DROP_MEMORY_LIMIT) ||
	       why == HOMA_DROP_SILENT;
}

bool __homa_drop_injected(struct homa_net *hn);

/**
 * homa_drop_injected() - does net.homa.accept_bits have a packet dropped?
 * @hn: host that received the packet
 *
 * Context: bottom halves are off.
 */
static inline bool homa_drop_injected(struct homa_net *hn)
{
	return unlikely(READ_ONCE(hn->sysctl.accept_bits)) &&
	       __homa_drop_injected(hn);
}

void homa_drop_data(struct homa_net *hn, struct sk_buff *skb,
		    enum homa_drop why);
void homa_drop(struct homa_net *hn, struct sk_buff *skb, enum homa_drop why);

#endif /* _HOMA_DROP_H */
