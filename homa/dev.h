/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* The network devices that a host's Homa traffic uses. */
#ifndef _HOMA_DEV_H
#define _HOMA_DEV_H

#include "grant.h"
#include "net.h"
#include "pacer.h"

struct net_device;

/**
 * struct homa_link - what the queues of a device share that have our qdisc (qdisc.c)
 * @idle_ns: time when the link will have sent what they gave it
 * @credit: bytes times percent that Homa may send before the others; negative: it
 *	has had more than its share
 * @homa: queues where packets of Homa's wait
 * @others: queues where packets of others wait
 * @used: value of jiffies when a packet of Homa's was sent
 */
struct homa_link {
	atomic64_t idle_ns;
	atomic64_t credit;
	atomic_t homa;
	atomic_t others;
	unsigned long used;
};

/**
 * struct homa_dev - what one host knows of one of its network devices
 *
 * Constant after creation:
 * @hn: this host
 * @ndev: the device, to be compared with; valid under RTNL while @gone is not
 *	set
 * @ifindex: of @ndev
 * @refs: see DOC: Objects in net.h
 * @rcu: defers freeing until lookups are over
 *
 * Under homa_devs.lock:
 * @links: in homa_devs.table, readers use RCU
 * @dead_links: in homa_devs.dead, once @gone
 * @gone: @ndev has left this host; packets will go elsewhere, or nowhere
 *
 * Any time:
 * @mbps: speed of the link as the driver says, 10^6 bit/s; 0: not known.
 *	See homa_dev_mbps().
 * @grants: what others may send here
 * @mtu: of the device
 * @pacer: what may be sent through it
 * @link: what its queues have in common that have our qdisc
 */
struct homa_dev {
	struct homa_net *hn;
	struct net_device *ndev;
	int ifindex;
	refcount_t refs;
	struct rcu_head rcu;

	struct hlist_node links;
	struct list_head dead_links;
	bool gone;

	int mbps;
	u32 mtu;

	struct homa_grants grants ____cacheline_aligned_in_smp;
	struct homa_pacer pacer ____cacheline_aligned_in_smp;
	struct homa_link link ____cacheline_aligned_in_smp;
};

void homa_devs_net_init(struct homa_net *hn);
void homa_devs_net_exit(struct homa_net *hn);
int homa_dev_register(void);
void homa_dev_unregister(void);

struct homa_dev *homa_dev_get(struct homa_net *hn, struct net_device *ndev);
void homa_dev_hold(struct homa_dev *dev);
void homa_dev_put(struct homa_dev *dev);
int homa_dev_mbps(const struct homa_dev *dev);
void homa_devs_for_each(struct homa_net *hn, void (*fn)(struct homa_dev *dev));

#endif /* _HOMA_DEV_H */
