/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Which core does what, and what each has done last. */
#ifndef _HOMA_STEER_H
#define _HOMA_STEER_H

#include <linux/cache.h>
#include <linux/cpumask.h>
#include <linux/smp.h>

#include "net.h"

struct homa_common_hdr;
struct sk_buff;

/* Bits of net.homa.gro_policy; the first set one of GEN3, GEN2, IDLE and NEXT
 * counts.
 */
enum homa_gro_policy {
	HOMA_GRO_SAME_CORE = 0x02,
	HOMA_GRO_IDLE = 0x04,
	HOMA_GRO_NEXT = 0x08,
	HOMA_GRO_GEN2 = 0x10,
	HOMA_GRO_FAST_GRANTS = 0x20,
	HOMA_GRO_SHORT_BYPASS = 0x40,
	HOMA_GRO_GEN3 = 0x80,
};

/**
 * struct homa_core - when a core did what for a host, see homa_steer_time()
 * @gro: collected packets, as far as that is noted
 * @steered: was chosen for packets
 * @softirq: handled packets
 * @app: ran a thread in a system call of Homa, or was chosen to run one
 * @turn: what it chooses next where all others are alike
 *
 * Each core writes its own, but for @steered and @app. Readers take what they see for
 * a hint.
 */
struct homa_core {
	u32 gro;
	u32 steered;
	u32 softirq;
	u32 app;
	u32 turn;
} ____cacheline_aligned_in_smp;

/* Moments that cores compare: units of 64 ns, of which 2^32 are four minutes. A core
 * that has done nothing for that long may look busy for a while.
 */
static inline u32 homa_steer_time(u64 ns)
{
	return ns >> 6;
}

static inline u32 homa_steer_usecs(int usecs)
{
	return homa_steer_time((u64)usecs * NSEC_PER_USEC);
}

/* Is there any choice? */
static inline bool homa_steer_used(void)
{
	return num_online_cpus() > 1;
}

/**
 * homa_steer_app() - a thread makes use of its core
 * @hn: host
 * @now: homa_now(), or a little before
 *
 * Context: any.
 */
static inline void homa_steer_app(struct homa_net *hn, u64 now)
{
	if (homa_steer_used())
		WRITE_ONCE(hn->cores[raw_smp_processor_id()].app,
			   homa_steer_time(now));
}

/**
 * homa_steer_softirq() - this core handles packets; count it
 * @hn: host
 *
 * Context: softirq.
 */
static inline void homa_steer_softirq(struct homa_net *hn)
{
	homa_metric_inc(hn, softirq_calls);
	if (homa_steer_used())
		WRITE_ONCE(hn->cores[raw_smp_processor_id()].softirq,
			   homa_steer_time(homa_now()));
}

bool homa_steer_quiet(const struct homa_net *hn, int cpu, u64 now);
bool homa_steer_bypass(struct homa_net *hn, struct sk_buff *skb,
		       const struct homa_common_hdr *h, bool whole);
void homa_steer_batch(struct homa_net *hn, struct sk_buff *skb);
#if IS_ENABLED(CONFIG_KUNIT)
int homa_steer_choose(struct homa_net *hn, const u16 *cpus, unsigned int len,
		      int me, const int *gen3, u64 ns);
u32 homa_steer_hash(unsigned int index, unsigned int len);
#endif

int homa_steer_net_init(struct homa_net *hn);
void homa_steer_net_exit(struct homa_net *hn);

#endif /* _HOMA_STEER_H */
