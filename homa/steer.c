// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Which core handles the packets that a device has handed over.
 *
 *	device -> GRO on one core -> [RPS] -> IP and input.c on the same or another
 *
 * GRO is the first that knows a packet is Homa's. Two things can be done there:
 *
 *  - Grants, and messages of one packet, are handled at once, on the core where they
 *    are, unless that has been collecting packets just now. They take the way of all
 *    packets from the device on, so what taps, bridges and netfilter do to them does
 *    not change; only collecting, and RPS, are left out.
 *
 *  - Packets that were collected can go on to another core, so that a core which
 *    takes much from a device need not do all else with it. The administrator has to
 *    switch RPS on for the queue, and says there which cores may be chosen (rps_cpus):
 *    RPS takes one of these by the packet's hash, so we give it a hash for the core
 *    that we want. No table of the kernel is changed. What of a flow is overtaken by the
 *    rest does not matter, since Homa puts data where it belongs.
 *
 * The policies are those of the reference implementation (net.homa.gro_policy). Which
 * of its threads a socket wakes depends on what the cores have done, too (waiter.c).
 *
 * With one core online there is nothing to choose, and nothing is noted but when
 * packets were last collected.
 */
#include <kunit/visibility.h>
#include <linux/etherdevice.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <net/gro.h>
#ifdef HOMA_HAVE_NETDEV_RX_QUEUE_H
#include <net/netdev_rx_queue.h>
#endif
#ifdef HOMA_HAVE_NET_RPS_H
#include <net/rps.h>
#endif

#include "sock.h"
#include "steer.h"
#include "wire.h"

/* Cores that gen2 and idle choose from, counted from the one that asks on. */
#define STEER_NEXT 4

/* What cores do is known to struct homa_core in such units. */
static bool steer_within(u32 moment, u32 now, u32 limit)
{
	return now - READ_ONCE(moment) < limit;
}

static u32 steer_busy(const struct homa_net *hn)
{
	return homa_steer_usecs(READ_ONCE(hn->sysctl.busy_usecs));
}

/**
 * homa_steer_quiet() - has a core handled no packets lately?
 * @hn: host
 * @cpu: core
 * @now: homa_now()
 *
 * Context: any.
 */
bool homa_steer_quiet(const struct homa_net *hn, int cpu, u64 now)
{
	const struct homa_core *core = &hn->cores[cpu];
	u32 time = homa_steer_time(now), busy = steer_busy(hn);

	return !steer_within(core->softirq, time, busy) &&
	       !steer_within(core->gro, time, busy);
}

/* Will it probably be handling packets, which others have sent there? Those that were
 * lost on the way are not waited for any longer than a core counts as busy.
 */
static bool core_waits(const struct homa_core *core, u32 now, u32 busy)
{
	u32 steered = READ_ONCE(core->steered);

	return steer_within(steered, now, busy) &&
	       (s32)(READ_ONCE(core->softirq) - steered) < 0;
}

/* When it last did anything for packets. */
static u32 core_active(const struct homa_core *core)
{
	u32 gro = READ_ONCE(core->gro), softirq = READ_ONCE(core->softirq);

	return (s32)(gro - softirq) > 0 ? gro : softirq;
}

/**
 * struct steer_others - the cores that come after one
 * @cpus: all that may be chosen, ascending
 * @len: their number
 * @first: index of the next one
 * @count: how many there are without itself, at most STEER_NEXT
 */
struct steer_others {
	const u16 *cpus;
	unsigned int len;
	unsigned int first;
	unsigned int count;
};

static void others_init(struct steer_others *o, const u16 *cpus,
			unsigned int len, int me)
{
	unsigned int i = 0;

	while (i < len && cpus[i] <= me)
		i++;
	o->cpus = cpus;
	o->len = len;
	o->first = i;
	o->count = min_t(unsigned int, STEER_NEXT,
			 len - (i && cpus[i - 1] == me));
}

/* Index of the nth core after the one that asks. */
static unsigned int others_nth(const struct steer_others *o, unsigned int n)
{
	return (o->first + n) % o->len;
}

/* The first that is doing nothing; or one after the other. */
static int choose_gen2(struct homa_net *hn, const struct steer_others *o, int me,
		       u32 now)
{
	u32 busy = steer_busy(hn);
	unsigned int n;

	for (n = 0; n < o->count; n++) {
		const struct homa_core *core =
			&hn->cores[o->cpus[others_nth(o, n)]];

		if (!core_waits(core, now, busy) &&
		    !steer_within(core->gro, now, busy))
			return others_nth(o, n);
	}
	return others_nth(o, hn->cores[me].turn++ % o->count);
}

/* The one that has done nothing for longest. */
static int choose_idle(struct homa_net *hn, const struct steer_others *o, u32 now)
{
	unsigned int n, best = 0;
	u32 longest = 0;

	for (n = 0; n < o->count; n++) {
		u32 idle = now - core_active(&hn->cores[o->cpus[others_nth(o, n)]]);

		if (idle > longest) {
			longest = idle;
			best = n;
		}
	}
	return others_nth(o, best);
}

/* Of those that the administrator has named for this core, the first where no threads
 * of applications run; or the first.
 */
static int choose_gen3(struct homa_net *hn, const u16 *cpus, unsigned int len,
		       const int *gen3, u32 now)
{
	u32 busy = steer_busy(hn);
	int i, first = -1;
	unsigned int n;

	for (i = 0; i < HOMA_SYSCTL_GEN3_TARGETS; i++) {
		int cpu = READ_ONCE(gen3[i]);

		for (n = 0; n < len && cpus[n] != cpu; n++)
			;
		if (n == len)
			continue;
		if (!steer_within(hn->cores[cpu].app, now, busy)) {
			if (first >= 0)
				homa_metric_inc(hn, gen3_alt_handoffs);
			first = n;
			break;
		}
		if (first < 0)
			first = n;
	}
	if (first >= 0)
		homa_metric_inc(hn, gen3_handoffs);
	return first;
}

/**
 * homa_steer_choose() - choose the core that handles packets
 * @hn: host
 * @cpus: cores that may be chosen, ascending
 * @len: their number, not 0
 * @me: this core
 * @gen3: what gen3_softirq_cores has for this core
 * @ns: homa_now()
 *
 * Context: softirq.
 * Return: index in @cpus, or -1: no policy says anything
 */
VISIBLE_IF_KUNIT
int homa_steer_choose(struct homa_net *hn, const u16 *cpus, unsigned int len,
		      int me, const int *gen3, u64 ns)
{
	int policy = READ_ONCE(hn->sysctl.gro_policy);
	u32 now = homa_steer_time(ns);
	struct steer_others others;
	int index = -1;

	others_init(&others, cpus, len, me);
	if (policy & HOMA_GRO_GEN3)
		index = choose_gen3(hn, cpus, len, gen3, now);
	else if (!others.count)
		return -1;
	else if (policy & HOMA_GRO_GEN2)
		index = choose_gen2(hn, &others, me, now);
	else if (policy & HOMA_GRO_IDLE)
		index = choose_idle(hn, &others, now);
	else if (policy & HOMA_GRO_NEXT)
		index = others_nth(&others, 0);
	if (index >= 0)
		WRITE_ONCE(hn->cores[cpus[index]].steered, now);
	return index;
}
EXPORT_SYMBOL_IF_KUNIT(homa_steer_choose);

/**
 * homa_steer_hash() - the hash by which RPS takes a certain core
 * @index: of the core
 * @len: number of cores
 *
 * Context: any.
 * Return: not 0, with which RPS would do nothing
 */
VISIBLE_IF_KUNIT
u32 homa_steer_hash(unsigned int index, unsigned int len)
{
	return DIV_ROUND_UP_ULL((u64)index << 32, len) + 1;
}
EXPORT_SYMBOL_IF_KUNIT(homa_steer_hash);

#ifdef CONFIG_RPS
/* The cores to which RPS may take a packet, if it is on; RCU. */
static const struct rps_map *steer_map(const struct sk_buff *skb)
{
	u16 queue = skb_rx_queue_recorded(skb) ? skb_get_rx_queue(skb) : 0;

	if (!static_branch_unlikely(&rps_needed) || !homa_steer_used() ||
	    queue >= READ_ONCE(skb->dev->real_num_rx_queues))
		return NULL;
	return rcu_dereference(skb->dev->_rx[queue].rps_map);
}
#else
struct rps_map {
	unsigned int len;
	u16 cpus[];
};

static const struct rps_map *steer_map(const struct sk_buff *skb)
{
	return NULL;
}
#endif

/* Collecting begins anew here; was the last time long ago? */
static bool steer_gro_idle(struct homa_net *hn)
{
	struct homa_core *core = &hn->cores[smp_processor_id()];
	u32 now = homa_steer_time(homa_now());
	u32 busy = homa_steer_usecs(READ_ONCE(hn->sysctl.gro_busy_usecs));
	bool idle = !steer_within(core->gro, now, busy);

	WRITE_ONCE(core->gro, now);
	return idle;
}

/* Has the device said that the packet is for this host, and can that be believed
 * already? Some have not looked at the Ethernet address yet (napi_gro_frags()).
 */
static bool steer_is_ours(const struct sk_buff *skb)
{
	if (skb->pkt_type != PACKET_HOST || NAPI_GRO_CB(skb)->encap_mark)
		return false;
	return skb->dev->type != ARPHRD_ETHER ||
	       ether_addr_equal(eth_hdr(skb)->h_dest, skb->dev->dev_addr);
}

/* Keeps a packet on this core, if RPS would take it to another. */
static void steer_stay(struct sk_buff *skb)
{
	const struct rps_map *map = steer_map(skb);
	unsigned int i;

	for (i = 0; map && i < map->len; i++) {
		if (map->cpus[i] == smp_processor_id()) {
			__skb_set_sw_hash(skb, homa_steer_hash(i, map->len), false);
			return;
		}
	}
}

/**
 * homa_steer_bypass() - look at a packet that is not collected
 * @hn: host that the device belongs to
 * @skb: packet in GRO
 * @h: its header
 * @whole: it is DATA, and all of its message
 *
 * Kernels without offloads of IPsec do not expect that GRO's callbacks do that; there a
 * packet stays on this core, at most.
 *
 * Context: softirq, from GRO.
 * Return: true: it has been handled
 */
bool homa_steer_bypass(struct homa_net *hn, struct sk_buff *skb,
		       const struct homa_common_hdr *h, bool whole)
{
	int policy = READ_ONCE(hn->sysctl.gro_policy);
	bool grant = h->type == HOMA_GRANT;
	bool fast = policy & (grant ? HOMA_GRO_FAST_GRANTS :
				      HOMA_GRO_SHORT_BYPASS);

	if (!READ_ONCE(hn->live) || !steer_is_ours(skb) ||
	    !homa_sock_find(hn, ntohs(h->dport),
			    skb->protocol == htons(ETH_P_IP)))
		return false;
	if (!IS_ENABLED(CONFIG_XFRM_OFFLOAD) || !fast || !(grant || whole) ||
	    !steer_gro_idle(hn)) {
		if (policy & HOMA_GRO_SAME_CORE)
			steer_stay(skb);
		return false;
	}
	if (grant)
		homa_metric_inc(hn, gro_grant_bypasses);
	else
		homa_metric_inc(hn, gro_data_bypasses);
	netif_receive_skb_core(skb);
	return true;
}

/**
 * homa_steer_batch() - choose the core for packets that were collected
 * @hn: host that the device belongs to
 * @skb: the first of them, in GRO
 *
 * Context: softirq, from GRO.
 */
void homa_steer_batch(struct homa_net *hn, struct sk_buff *skb)
{
	int me = smp_processor_id(), index;
	const struct rps_map *map;
	u64 now;

	if (!READ_ONCE(hn->live))
		return;
	now = homa_now();
	WRITE_ONCE(hn->cores[me].gro, homa_steer_time(now));
	map = steer_map(skb);
	if (!map)
		return;
	index = homa_steer_choose(hn, map->cpus, map->len, me,
				  homa_sysctl_gen3(&hn->sysctl, me), now);
	if (index >= 0)
		__skb_set_sw_hash(skb, homa_steer_hash(index, map->len), false);
}

/**
 * homa_steer_net_init() - no core has done anything for a host
 * @hn: host
 *
 * Context: process, sleeps.
 * Return: 0 or -ENOMEM
 */
int homa_steer_net_init(struct homa_net *hn)
{
	hn->cores = kvcalloc(nr_cpu_ids, sizeof(*hn->cores), GFP_KERNEL_ACCOUNT);
	return hn->cores ? 0 : -ENOMEM;
}

/**
 * homa_steer_net_exit() - undo homa_steer_net_init()
 * @hn: host; neither packets nor sockets are there
 *
 * Context: process.
 */
void homa_steer_net_exit(struct homa_net *hn)
{
	kvfree(hn->cores);
}
