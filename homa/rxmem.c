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
 * little waiting has no pool at all: HOMA_RX_FREE is not charged to anybody but it.
 * What is refused is dropped and counted; the sender sends it again later.
 *
 * Incomplete messages could take all memory, and then none of them would ever be
 * complete. So the last eighth of what host and machine allow is a reserve. When a
 * packet has been refused the messages that lack fewest bytes are helped: they may use
 * the reserve, and are asked at once for what they lack. When one is complete the next
 * is helped, so that whatever memory the application gives back goes to the shortest.
 */
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/swap.h>

#include "output.h"
#include "rpc.h"
#include "rxmem.h"

#define RX_QUANTUM 65536

/* Of the limits of host and machine, one part in so many is the reserve. */
#define RX_RESERVE 8

/* Messages that are helped at a time, and for how long until others are. */
#define RX_HELPED 8
#define RX_HELP_MSECS 10

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

	homa_rxmem_limits[0] = limit - limit / RX_RESERVE;
	homa_rxmem_limits[1] = limit;
	homa_rxmem_limits[2] = limit;
}

/* NULL: whoever asks. */
static struct mem_cgroup *rxmem_payer(struct homa_sock *hsk)
{
#ifdef CONFIG_MEMCG
	return homa_sock_sk(hsk)->sk_memcg;
#else
	return NULL;
#endif
}

static u64 rxmem_limit(const struct homa_net *hn)
{
	return (u64)READ_ONCE(hn->sysctl.max_rx_kbytes) << 10;
}

/**
 * homa_rxmem_alloc() - memory for what a packet makes of a socket
 * @hsk: socket, whose cgroup pays, whoever is running now
 * @cache: where it comes from
 * @gfp: allocation flags
 *
 * Context: any that @gfp allows.
 * Return: memory for kmem_cache_free(), or NULL
 */
void *homa_rxmem_alloc(struct homa_sock *hsk, struct kmem_cache *cache, gfp_t gfp)
{
	struct mem_cgroup *old = set_active_memcg(rxmem_payer(hsk));
	void *memory = kmem_cache_alloc(cache, gfp | __GFP_ACCOUNT);

	set_active_memcg(old);
	return memory;
}

/* Adds a quantum to a socket's pool. Caller holds the generic lock of the socket,
 * and no system call does.
 */
static enum homa_drop rxmem_grow(struct homa_sock *hsk, bool helped)
{
	struct homa_net *hn = homa_sock_net(hsk);
	u64 limit = rxmem_limit(hn);

	if (!helped && atomic_long_read(&homa_rxmem_allocated) >=
		       homa_rxmem_limits[0])
		return HOMA_DROP_MEMORY_LIMIT;
	if (!helped)
		limit -= limit / RX_RESERVE;
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
static enum homa_drop rxmem_cover(struct homa_sock *hsk, long wanted,
				  bool helped)
{
	struct sock *sk = homa_sock_sk(hsk);
	enum homa_drop drop = HOMA_ACCEPTED;

	spin_lock_bh(&sk->sk_lock.slock);
	if (!sock_owned_by_user(sk)) {
		while (drop == HOMA_ACCEPTED && hsk->rx_pool < wanted)
			drop = rxmem_grow(hsk, helped);
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
 * __homa_rxmem_charge() - homa_rxmem_charge() for more than costs nothing
 * @hsk: socket of the packet
 * @bytes: memory that it occupies
 * @sum: that of all packets of the socket
 * @helped: its message may use the reserve
 *
 * Context: any; takes the generic lock of the socket now and then.
 * Return: HOMA_ACCEPTED, or why not
 */
enum homa_drop __homa_rxmem_charge(struct homa_sock *hsk, u32 bytes, long sum,
				   bool helped)
{
	u64 region = (u64)hsk->rcvbuf->num_bpages << HOMA_BPAGE_SHIFT;
	enum homa_drop drop = HOMA_ACCEPTED;

	if (sum > RX_REGION_FACTOR * region)
		drop = HOMA_DROP_LIMIT;
	else if (sum - HOMA_RX_FREE > READ_ONCE(hsk->rx_pool))
		drop = rxmem_cover(hsk, sum - HOMA_RX_FREE, helped);
	if (drop != HOMA_ACCEPTED)
		homa_rxmem_uncharge(hsk, bytes);
	if (drop == HOMA_DROP_HOST_LIMIT || drop == HOMA_DROP_MEMORY_LIMIT)
		schedule_delayed_work(&homa_sock_net(hsk)->rx_help, 1);
	return drop;
}

/**
 * __homa_rxmem_uncharge() - homa_rxmem_uncharge() for a socket that has a pool
 * @hsk: socket of the packet
 * @sum: memory of all its packets that are left
 *
 * Context: any; takes the generic lock of the socket now and then.
 */
void __homa_rxmem_uncharge(struct homa_sock *hsk, long sum)
{
	long pool = READ_ONCE(hsk->rx_pool);
	long wanted = sum - HOMA_RX_FREE;

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
	u64 host = rxmem_limit(homa_sock_net(hsk));
	u64 machine = (u64)homa_rxmem_limits[1] << PAGE_SHIFT;
	u64 memory = min(host, machine);
	u32 length;

	if (!READ_ONCE(hsk->max_bpages))
		return 0;
	memory -= memory / RX_RESERVE;
	memory = div_u64(memory, RX_PACKET_COST) * RX_PACKET_DATA;
	length = min_t(u64, homa_sock_max_receive(hsk), memory);
	return length > HOMA_MAX_MESSAGE_LENGTH ? length >> HOMA_BPAGE_SHIFT : 0;
}

/**
 * homa_rxmem_scarce() - is memory short, or soon will be?
 * @hsk: a socket of the host
 *
 * Context: any.
 * Return: true if three quarters of what host or machine allow are used
 */
bool homa_rxmem_scarce(struct homa_sock *hsk)
{
	struct homa_net *hn = homa_sock_net(hsk);

	return atomic64_read(&hn->rx_mem) > rxmem_limit(hn) / 4 * 3 ||
	       atomic_long_read(&homa_rxmem_allocated) >
	       homa_rxmem_limits[1] / 4 * 3;
}

/**
 * struct rx_help - messages to be helped
 * @num: entries in @best
 * @best: fewest missing bytes first
 * @best.rpc: RPC, with a reference
 * @best.left: bytes that its message lacked
 */
struct rx_help {
	int num;
	struct {
		struct homa_rpc *rpc;
		u32 left;
	} best[RX_HELPED + 1];
};

/* Notes an RPC if its message is among those that lack fewest bytes. What is read
 * here may change; it is looked at again when the RPC is locked.
 */
static void help_consider(struct homa_rpc *rpc, void *arg)
{
	u32 left = READ_ONCE(rpc->in.left);
	struct rx_help *help = arg;
	int i = help->num;

	if (READ_ONCE(rpc->state) != HOMA_INCOMING || !left ||
	    !READ_ONCE(rpc->in.has_bpages) || READ_ONCE(rpc->silent_kb))
		return;
	for (; i > 0 && help->best[i - 1].left > left; i--)
		help->best[i] = help->best[i - 1];
	if (i == RX_HELPED)
		return;
	homa_rpc_get(rpc);
	help->best[i].rpc = rpc;
	help->best[i].left = left;
	if (help->num < RX_HELPED)
		help->num++;
	else
		homa_rpc_put(help->best[RX_HELPED].rpc);
}

static void help_consider_sock(struct homa_sock *hsk, void *arg)
{
	homa_sock_visit_rpcs(hsk, help_consider, arg);
}

/* Lets a message use the reserve, and asks for what it lacks. */
static void help_one(struct homa_rpc *rpc)
{
	struct sk_buff_head txq;

	__skb_queue_head_init(&txq);
	local_bh_disable();
	spin_lock(&rpc->lock);
	if (rpc->state == HOMA_INCOMING && !rpc->error && rpc->in.left &&
	    rpc->in.has_bpages) {
		homa_metric_inc(rpc->hn, rx_helped);
		rpc->in.helped_until = jiffies +
				       msecs_to_jiffies(RX_HELP_MSECS) + 1;
		homa_msgin_request_missing(rpc, &txq);
	}
	spin_unlock(&rpc->lock);
	homa_output_flush(&txq);
	local_bh_enable();
	homa_rpc_put(rpc);
}

/* A packet was refused, or a helped message is complete, or should be. */
static void rxmem_help(struct work_struct *work)
{
	struct homa_net *hn = container_of(to_delayed_work(work),
					   struct homa_net, rx_help);
	u64 limit = rxmem_limit(hn);
	struct rx_help help = {};
	int i;

	if (atomic64_read(&hn->rx_mem) < limit / 2 &&
	    atomic_long_read(&homa_rxmem_allocated) < homa_rxmem_limits[1] / 2)
		return;
	homa_sock_for_each(hn, help_consider_sock, &help);
	for (i = 0; i < help.num; i++)
		help_one(help.best[i].rpc);
	if (help.num)
		schedule_delayed_work(&hn->rx_help,
				      msecs_to_jiffies(RX_HELP_MSECS));
}

/**
 * homa_rxmem_net_init() - prepare a host's help for incomplete messages
 * @hn: host
 *
 * Context: process.
 * Return: 0
 */
int homa_rxmem_net_init(struct homa_net *hn)
{
	INIT_DELAYED_WORK(&hn->rx_help, rxmem_help);
	return 0;
}

/**
 * homa_rxmem_net_exit() - no more help
 * @hn: host; it has no sockets left
 *
 * Context: process, sleeps.
 */
void homa_rxmem_net_exit(struct homa_net *hn)
{
	cancel_delayed_work_sync(&hn->rx_help);
}
