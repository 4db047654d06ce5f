/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Hosts, sockets and RPCs for the suites of this folder.
 *
 * A plain host has no namespace, so that each case begins with fresh tables
 * and nobody else uses them; its RPCs can do all but send. A live host is the
 * one of the initial namespace, with a socket and a loopback device of a
 * known MTU; what its RPCs send can be looked at before IP gets it.
 */
#ifndef _HOST_H
#define _HOST_H

#include <kunit/test.h>
#include <linux/netdevice.h>
#include <linux/prandom.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/net_namespace.h>

#include "dev.h"
#include "grant.h"
#include "net.h"
#include "output.h"
#include "pacer.h"
#include "prio.h"
#include "rpc.h"
#include "sock.h"
#include "tomb.h"

/* Sum over all CPUs of the counter at an offset in struct homa_metrics. */
static inline u64 host_counter_at(struct homa_net *hn, size_t offset)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += *(u64 *)((void *)per_cpu_ptr(hn->metrics, cpu) + offset);
	return sum;
}

#define host_counter(hn, name) \
	host_counter_at(hn, offsetof(struct homa_metrics, name))

/* Makes test->priv a plain host; the init function of a suite. */
static inline int host_init(struct kunit *test)
{
	struct homa_net *hn = kunit_kzalloc(test, sizeof(*hn), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, hn);
	KUNIT_ASSERT_EQ(test, homa_metrics_net_init(hn), 0);
	KUNIT_ASSERT_EQ(test, homa_sysctl_init(hn), 0);
	homa_ports_net_init(hn);
	homa_devs_net_init(hn);
	KUNIT_ASSERT_EQ(test, homa_prio_net_init(hn), 0);
	homa_tombs_net_init(hn);
	KUNIT_ASSERT_EQ(test, homa_peers_net_init(hn), 0);
	test->priv = hn;
	return 0;
}

static inline void host_exit(struct kunit *test)
{
	struct homa_net *hn = test->priv;

	if (!hn)
		return;
	homa_peers_net_exit(hn);
	homa_tombs_net_exit(hn);
	homa_devs_net_exit(hn);
	homa_prio_net_exit(hn);
	homa_sysctl_exit(hn);
	homa_metrics_net_exit(hn);
}

/* A device of a plain host, which frees it; there is no net_device behind it. */
static inline struct homa_dev *host_dev(struct kunit *test)
{
	struct homa_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	struct homa_net *hn = test->priv;

	KUNIT_ASSERT_NOT_NULL(test, dev);
	dev->hn = hn;
	dev->mtu = 1500;
	INIT_LIST_HEAD(&dev->dead_links);
	refcount_set(&dev->refs, 1);
	homa_pacer_dev_init(dev);
	hlist_add_head(&dev->links, &hn->devs.table[0]);
	return dev;
}

/* An RPC of a plain host, known to no table. It is in service, so nobody
 * tries to send for it; one reference keeps it until the case ends.
 */
static inline struct homa_rpc *host_rpc(struct kunit *test, u64 id)
{
	struct homa_rpc *rpc = kunit_kzalloc(test, sizeof(*rpc), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, rpc);
	rpc->hn = test->priv;
	rpc->key.id = id;
	rpc->created = id;
	rpc->state = HOMA_IN_SERVICE;
	refcount_set(&rpc->refs, 1);
	spin_lock_init(&rpc->lock);
	homa_msgout_init(&rpc->out);
	homa_msgin_init(&rpc->in);
	INIT_LIST_HEAD(&rpc->sock_links);
	INIT_LIST_HEAD(&rpc->ready_links);
	RB_CLEAR_NODE(&rpc->buf_node);
	RB_CLEAR_NODE(&rpc->pacer_node);
	return rpc;
}

#define LIVE_MTU 1500

/* Bytes of a message that fit in a packet there: less IPv4 and Homa headers. */
#define LIVE_MAX_DATA (LIVE_MTU - 20 - 56)

#define LIVE_MAX_RPCS 64

/**
 * struct live - the live host of a case
 * @hn: host of the initial namespace
 * @sock: socket
 * @hsk: the same
 * @saved: settings to be restored
 * @mtu: MTU of the loopback device to be restored
 * @num_rpcs: entries in @rpcs
 * @rpcs: RPCs to be ended, with a reference each
 */
struct live {
	struct homa_net *hn;
	struct socket *sock;
	struct homa_sock *hsk;
	struct homa_sysctls saved;
	unsigned int mtu;
	int num_rpcs;
	struct homa_rpc *rpcs[LIVE_MAX_RPCS];
};

static inline void live_set_mtu(unsigned int mtu)
{
	struct net_device *lo = init_net.loopback_dev;

	rtnl_lock();
	dev_set_mtu(lo, mtu);
	dev_change_flags(lo, lo->flags | IFF_UP, NULL);
	rtnl_unlock();
}

/* Makes test->priv a live host whose timers do not fire during a case. */
static inline int live_init(struct kunit *test)
{
	struct live *live = kunit_kzalloc(test, sizeof(*live), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, live);
	live->hn = homa_net(&init_net);
	memcpy(&live->saved, &live->hn->sysctl, sizeof(live->saved));
	live->mtu = init_net.loopback_dev->mtu;
	KUNIT_ASSERT_EQ(test, sock_create_kern(&init_net, AF_INET, SOCK_DGRAM,
					       IPPROTO_HOMA, &live->sock), 0);
	live->hsk = homa_sk(live->sock->sk);
	live->hn->sysctl.resend_ticks = 1000000;
	live->hn->sysctl.timeout_ticks = 1000000;
	live->hn->sysctl.request_ack_ticks = 1000000;
	live->hn->sysctl.max_gso_size = 1;	/* packets singly */
	live_set_mtu(LIVE_MTU);
	test->priv = live;
	return 0;
}

static inline void live_exit(struct kunit *test)
{
	const size_t lock_size = offsetofend(struct homa_sysctls, lock);
	struct live *live = test->priv;

	if (!live)
		return;
	homa_sock_shutdown(live->hsk);
	while (live->num_rpcs)
		homa_rpc_put(live->rpcs[--live->num_rpcs]);
	sock_release(live->sock);
	live_set_mtu(live->mtu);
	memcpy((void *)&live->hn->sysctl + lock_size,
	       (void *)&live->saved + lock_size,
	       sizeof(live->saved) - lock_size);
}

/* The key of a peer on this machine: 127.0.0.@last. */
static inline struct homa_peer_key live_peer(u8 last)
{
	struct homa_peer_key key = {};

	ipv6_addr_set_v4mapped(htonl(0x7f000000 + last), &key.addr);
	return key;
}

/* An RPC that can be found; @id 0: client. NULL: it cannot be published. */
static inline struct homa_rpc *live_rpc_at(struct kunit *test, u8 last,
					   u16 dport, u64 id)
{
	struct homa_peer_key key = live_peer(last);
	struct live *live = test->priv;
	struct homa_rpc *rpc;

	KUNIT_ASSERT_LT(test, live->num_rpcs, LIVE_MAX_RPCS);
	rpc = homa_rpc_alloc(live->hsk, &key, htons(dport), id, homa_now(), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, rpc);
	if (homa_rpc_publish(rpc)) {
		homa_rpc_put(rpc);
		return NULL;
	}
	live->rpcs[live->num_rpcs++] = rpc;
	return rpc;
}

static inline struct homa_rpc *live_rpc(struct kunit *test, u64 id)
{
	struct homa_rpc *rpc = live_rpc_at(test, 1, 99, id);

	KUNIT_ASSERT_NOT_NULL(test, rpc);
	return rpc;
}

#endif /* _HOST_H */
