/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Memory of packets that wait to be received. */
#ifndef _HOMA_RXMEM_H
#define _HOMA_RXMEM_H

#include <linux/jiffies.h>
#include <linux/workqueue.h>

#include "drop.h"
#include "rpc.h"
#include "sock.h"

/* A socket may have so much waiting for which nobody is asked or pays. */
#define HOMA_RX_FREE 65536

extern atomic_long_t homa_rxmem_allocated;
extern long homa_rxmem_limits[3];
DECLARE_PER_CPU(int, homa_rxmem_reserve);

void homa_rxmem_setup(void);
void *homa_rxmem_alloc(struct homa_sock *hsk, struct kmem_cache *cache, gfp_t gfp);
int homa_rxmem_net_init(struct homa_net *hn);
void homa_rxmem_net_exit(struct homa_net *hn);
bool homa_rxmem_scarce(struct homa_sock *hsk);
enum homa_drop __homa_rxmem_charge(struct homa_sock *hsk, u32 bytes, long sum,
				   bool helped);
void __homa_rxmem_uncharge(struct homa_sock *hsk, long sum);
u32 homa_rxmem_window(struct homa_sock *hsk);

/**
 * homa_rxmem_is_helped() - may packets of a message use the reserve?
 * @rpc: RPC
 *
 * Context: rpc->lock held.
 */
static inline bool homa_rxmem_is_helped(const struct homa_rpc *rpc)
{
	return rpc->in.helped_until && time_before(jiffies, rpc->in.helped_until);
}

/**
 * homa_rxmem_charge() - may a packet wait to be received?
 * @rpc: its RPC, whose socket has a region
 * @bytes: memory that it occupies
 *
 * So little is not too much for any region.
 *
 * Context: rpc->lock held; takes the generic lock of the socket now and then.
 * Return: HOMA_ACCEPTED, or why not
 */
static inline enum homa_drop homa_rxmem_charge(struct homa_rpc *rpc, u32 bytes)
{
	long sum = atomic_long_add_return(bytes, &rpc->hsk->rx_mem);

	BUILD_BUG_ON(HOMA_RX_FREE > HOMA_BPAGE_SIZE);
	if (likely(sum <= HOMA_RX_FREE))
		return HOMA_ACCEPTED;
	return __homa_rxmem_charge(rpc->hsk, bytes, sum,
				   homa_rxmem_is_helped(rpc));
}

/**
 * homa_rxmem_uncharge() - a packet has been received, or dropped
 * @hsk: its socket
 * @bytes: memory that it occupied
 *
 * Context: any; takes the generic lock of the socket now and then.
 */
static inline void homa_rxmem_uncharge(struct homa_sock *hsk, u32 bytes)
{
	long sum = atomic_long_sub_return(bytes, &hsk->rx_mem);

	if (READ_ONCE(hsk->rx_pool))
		__homa_rxmem_uncharge(hsk, sum);
}

/**
 * homa_rxmem_completed() - a message is complete; if it was helped, others can be
 * @rpc: RPC
 *
 * Context: rpc->lock held.
 */
static inline void homa_rxmem_completed(struct homa_rpc *rpc)
{
	if (rpc->in.helped_until)
		mod_delayed_work(system_wq, &rpc->hn->rx_help, 0);
}

#endif /* _HOMA_RXMEM_H */
