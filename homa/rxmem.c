// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Memory of packets that wait to be received, and who pays for it.
 *
 *	a message	a multiple of its length (msgin.c)
 *	a socket	a multiple of its receive region
 *	a host		net.homa.max_rx_kbytes
 *	a cgroup	pays; what arrives is charged even beyond its limit, by which
 *			its processes are made to free or wait, as for UDP
 *	the machine	an eighth of its memory, as for UDP
 *
 * The last three are asked for quanta of 64 kB, which a socket keeps in a pool, so
 * that packets cost no more than an addition to the socket's sum. A socket that has
 * little waiting has no pool at all: RX_FREE is not charged to anybody but it.
 * What is refused is dropped and counted; the sender sends it again later.
 */
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/swap.h>

#include "rxmem.h"

#define RX_QUANTUM 65536
#define RX_FREE 65536

/* A pool is made smaller if so much of it is unused. */
#define RX_SPARE (4 * RX_QUANTUM)

/* Memory of a socket, as a multiple of its region: tiny packets in large buffers. */
#define RX_REGION_FACTOR 8

/* Data, of so much memory in packets: an MTU of 1500 over virtual devices. */
#define RX_PACKET_COST 3
#define RX_PACKET_DATA 2

/* What the generic accounting of struct proto wants; pages. */
atomic_long_t homa_rxmem_allocated;
long homa_rxmem_limits[3];
DEFINE_PER_CPU(int, homa_rxmem_reserve);

/**
 * homa_rxmem_setup() - set the machine's limits
 *
 * Context: process, before there are sockets.
 */
void homa_rxmem_setup(void)
{
	long limit = max(nr_free_buffer_pages() / 8, 128UL);

	homa_rxmem_limits[0] = limit / 4 * 3;
	homa_rxmem_limits[1] = limit;
	homa_rxmem_limits[2] = limit;
}

/* Adds a quantum to a socket's pool. Caller holds the generic lock of the socket,
 * and no system call does.
 */
static enum homa_drop rxmem_grow(struct homa_sock *hsk)
{
	struct homa_net *hn = homa_sock_net(hsk);
	u64 limit = (u64)READ_ONCE(hn->sysctl.max_rx_kbytes) << 10;

	if (atomic64_add_return(RX_QUANTUM, &hn->rx_mem) > limit) {
		atomic64_sub(RX_QUANTUM, &hn->rx_mem);
		return HOMA_DROP_HOST_LIMIT;
	}
	if (!__sk_mem_schedule(homa_sock_sk(hsk), RX_QUANTUM, SK_MEM_RECV)) {
		atomic64_sub(RX_QUANTUM, &hn->rx_mem);
		return HOMA_DROP_MEMORY_LIMIT;
	}
	WRITE_ONCE(hsk->rx_pool, hsk->rx_pool + RX_QUANTUM);
	return HOMA_ACCEPTED;
}

/* Makes the pool cover @wanted bytes. A system call that changes what the generic
 * code keeps of the socket is waited for with what the next packet brings.
 */
static enum homa_drop rxmem_cover(struct homa_sock *hsk, long wanted)
{
	struct sock *sk = homa_sock_sk(hsk);
	enum homa_drop drop = HOMA_ACCEPTED;

	spin_lock_bh(&sk->sk_lock.slock);
	if (!sock_owned_by_user(sk)) {
		while (drop == HOMA_ACCEPTED && hsk->rx_pool < wanted)
			drop = rxmem_grow(hsk);
	}
	spin_unlock_bh(&sk->sk_lock.slock);
	return drop;
}

/* Gives back what the pool has beyond @wanted. */
static void rxmem_shrink(struct homa_sock *hsk, long wanted)
{
	struct sock *sk = homa_sock_sk(hsk);
	long spare;

	spin_lock_bh(&sk->sk_lock.slock);
	spare = rounddown(hsk->rx_pool - wanted, RX_QUANTUM);
	if (spare > 0 && !sock_owned_by_user(sk)) {
		WRITE_ONCE(hsk->rx_pool, hsk->rx_pool - spare);
		__sk_mem_reclaim(sk, spare);
		atomic64_sub(spare, &homa_sock_net(hsk)->rx_mem);
	}
	spin_unlock_bh(&sk->sk_lock.slock);
}

/**
 * homa_rxmem_charge() - may a packet wait to be received?
 * @hsk: its socket, which has a region
 * @bytes: memory that it occupies
 *
 * Context: any; takes the generic lock of the socket now and then.
 * Return: HOMA_ACCEPTED, or why not
 */
enum homa_drop homa_rxmem_charge(struct homa_sock *hsk, u32 bytes)
{
	long sum = atomic_long_add_return(bytes, &hsk->rx_mem);
	u64 region = (u64)hsk->rcvbuf->num_bpages << HOMA_BPAGE_SHIFT;
	enum homa_drop drop = HOMA_ACCEPTED;

	if (sum > RX_REGION_FACTOR * region)
		drop = HOMA_DROP_LIMIT;
	else if (sum - RX_FREE > READ_ONCE(hsk->rx_pool))
		drop = rxmem_cover(hsk, sum - RX_FREE);
	if (drop != HOMA_ACCEPTED)
		homa_rxmem_uncharge(hsk, bytes);
	return drop;
}

/**
 * homa_rxmem_uncharge() - a packet has been received, or dropped
 * @hsk: its socket
 * @bytes: memory that it occupied
 *
 * Context: any; takes the generic lock of the socket now and then.
 */
void homa_rxmem_uncharge(struct homa_sock *hsk, u32 bytes)
{
	long wanted = atomic_long_sub_return(bytes, &hsk->rx_mem) - RX_FREE;
	long pool = READ_ONCE(hsk->rx_pool);

	if (pool && (wanted <= 0 || pool - wanted > RX_SPARE))
		rxmem_shrink(hsk, max(wanted, 0L));
}

/**
 * homa_rxmem_window() - the longest message that a socket can take now
 * @hsk: socket
 *
 * What peers are told. A message that host or machine have no memory for would never
 * be complete; so they are asked here, although each message may find that others
 * have the memory at the moment.
 *
 * Context: any.
 * Return: as homa_common_hdr.window has it, in host byte order
 */
u32 homa_rxmem_window(struct homa_sock *hsk)
{
	u64 host = (u64)READ_ONCE(homa_sock_net(hsk)->sysctl.max_rx_kbytes) << 10;
	u64 machine = (u64)homa_rxmem_limits[2] << PAGE_SHIFT;
	u64 memory = div_u64(min(host, machine), RX_PACKET_COST) *
		     RX_PACKET_DATA;
	u32 length;

	if (!READ_ONCE(hsk->max_bpages))
		return 0;
	length = min_t(u64, homa_sock_max_receive(hsk), memory);
	return length > HOMA_MAX_MESSAGE_LENGTH ? length >> HOMA_BPAGE_SHIFT : 0;
}
