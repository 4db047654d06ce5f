// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* The network devices of a host, as far as Homa has used them.
 *
 *	first packet --> in the table --device leaves the host--> dead --last
 *	put--> freed by a work item
 *
 * What is scheduled for one device (packets to send, grants for what comes in)
 * has its state here. RPCs and packets hold a struct homa_dev, never the
 * net_device, so nobody keeps a device from being removed.
 *
 * A device's speed is asked for in a work item, since that needs RTNL and may
 * sleep: when Homa first uses the device, when it comes up, when its link
 * changes. Devices without hardware of their own (veth, tun, bridge, ...) are
 * not asked: whatever they say, it is not the speed of what carries their packets.
 * The same holds for all devices of virtual machines.
 */
#include <kunit/visibility.h>
#include <linux/ethtool.h>
#include <linux/hash.h>
#include <linux/netdevice.h>
#include <linux/rculist.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "dev.h"

static struct hlist_head *dev_bucket(struct homa_net *hn,
				     const struct net_device *ndev)
{
	return &hn->devs.table[hash_ptr(ndev, HOMA_DEV_BUCKET_BITS)];
}

/* What is known of a device, with a reference, or NULL. Under RCU or lock. */
static struct homa_dev *dev_find(struct homa_net *hn,
				 const struct net_device *ndev)
{
	struct homa_dev *dev;

	hlist_for_each_entry_rcu(dev, dev_bucket(hn, ndev), links,
				 lockdep_is_held(&hn->devs.lock)) {
		if (dev->ndev == ndev && refcount_inc_not_zero(&dev->refs))
			return dev;
	}
	return NULL;
}

/* False once a device is leaving this host: dev_event() has removed what was
 * known of it, or is going to, and nothing may be added behind its back. A
 * device is taken down before it leaves for another namespace.
 */
static bool dev_usable(const struct homa_net *hn, const struct net_device *ndev)
{
	/* Not READ_ONCE(): a bit-field in the older ones of 6.1. */
	return data_race(ndev->reg_state) == NETREG_REGISTERED &&
	       READ_ONCE(ndev->flags) & IFF_UP &&
	       net_eq(dev_net(ndev), hn->net);
}

static struct homa_dev *dev_alloc(struct homa_net *hn, struct net_device *ndev)
{
	struct homa_dev *dev = kzalloc(sizeof(*dev), GFP_ATOMIC | __GFP_NOWARN);

	if (!dev)
		return NULL;
	dev->hn = hn;
	dev->ndev = ndev;
	dev->ifindex = ndev->ifindex;
	dev->mtu = READ_ONCE(ndev->mtu);
	INIT_LIST_HEAD(&dev->dead_links);
	homa_grant_init(&dev->grants, hn);
	dev->link.used = jiffies - HZ;		/* not lately */
	refcount_set(&dev->refs, 2);	/* the table's, the caller's */
	homa_pacer_dev_init(dev);
	return dev;
}

static struct homa_dev *dev_add(struct homa_net *hn, struct net_device *ndev)
{
	struct homa_dev *dev = NULL, *new;

	new = dev_alloc(hn, ndev);
	if (!new)
		return NULL;
	spin_lock_bh(&hn->devs.lock);
	if (dev_usable(hn, ndev))
		dev = dev_find(hn, ndev);
	else
		ndev = NULL;
	if (!dev && ndev) {
		hlist_add_head_rcu(&new->links, dev_bucket(hn, ndev));
		swap(dev, new);
	}
	spin_unlock_bh(&hn->devs.lock);
	kfree(new);
	if (dev)
		schedule_work(&hn->devs.speeds);
	return dev;
}

/**
 * homa_dev_get() - what a host knows of a device
 * @hn: host
 * @ndev: device that sends or has received one of its packets
 *
 * Context: any but hard interrupts; under RCU, or @ndev is held.
 * Return: with a reference; NULL: no memory, or the device is leaving
 */
struct homa_dev *homa_dev_get(struct homa_net *hn, struct net_device *ndev)
{
	struct homa_dev *dev;

	rcu_read_lock();
	dev = dev_find(hn, ndev);
	rcu_read_unlock();
	return dev ? dev : dev_add(hn, ndev);
}
EXPORT_SYMBOL_IF_KUNIT(homa_dev_get);

/**
 * homa_dev_hold() - take another reference
 * @dev: device that the caller has a reference to
 *
 * Context: any.
 */
void homa_dev_hold(struct homa_dev *dev)
{
	refcount_inc(&dev->refs);
}
EXPORT_SYMBOL_IF_KUNIT(homa_dev_hold);

/**
 * homa_dev_put() - give a reference back
 * @dev: device, or NULL; must not be used afterwards
 *
 * Context: any.
 */
void homa_dev_put(struct homa_dev *dev)
{
	if (dev && refcount_dec_and_test(&dev->refs))
		schedule_work(&dev->hn->devs.reaper);
}
EXPORT_SYMBOL_IF_KUNIT(homa_dev_put);

/**
 * homa_dev_mbps() - speed of a device
 * @dev: device
 *
 * Context: any.
 * Return: 10^6 bit/s: what link_mbps says, else the device; 0: not known
 */
int homa_dev_mbps(const struct homa_dev *dev)
{
	int mbps = READ_ONCE(dev->hn->sysctl.link_mbps);

	return mbps ? mbps : READ_ONCE(dev->mbps);
}
EXPORT_SYMBOL_IF_KUNIT(homa_dev_mbps);

/**
 * homa_devs_for_each() - do something with each device of a host
 * @hn: host
 * @fn: what; under RCU, so that the net_device is there, too
 *
 * Context: process.
 */
void homa_devs_for_each(struct homa_net *hn, void (*fn)(struct homa_dev *dev))
{
	struct homa_dev *dev;
	int i;

	rcu_read_lock();
	for (i = 0; i < ARRAY_SIZE(hn->devs.table); i++) {
		hlist_for_each_entry_rcu(dev, &hn->devs.table[i], links)
			fn(dev);
	}
	rcu_read_unlock();
}

/* Takes a device out of the table; who has it may go on to use it. */
static void dev_remove(struct homa_dev *dev)
{
	struct homa_net *hn = dev->hn;
	bool first;

	spin_lock_bh(&hn->devs.lock);
	first = !dev->gone;
	if (first) {
		WRITE_ONCE(dev->gone, true);
		hlist_del_rcu(&dev->links);
		list_add_tail(&dev->dead_links, &hn->devs.dead);
	}
	spin_unlock_bh(&hn->devs.lock);
	if (first) {
		homa_pacer_dev_gone(dev);
		homa_dev_put(dev);
	}
}

/* Frees dead devices that nobody has any more. */
static void devs_reap(struct homa_net *hn)
{
	struct homa_dev *dev, *next;
	LIST_HEAD(unused);

	spin_lock_bh(&hn->devs.lock);
	list_for_each_entry_safe(dev, next, &hn->devs.dead, dead_links) {
		if (!refcount_read(&dev->refs))
			list_move(&dev->dead_links, &unused);
	}
	spin_unlock_bh(&hn->devs.lock);
	list_for_each_entry_safe(dev, next, &unused, dead_links) {
		homa_grant_exit(&dev->grants);
		homa_pacer_dev_exit(dev);
		kfree_rcu(dev, rcu);
	}
}

static void devs_reaper(struct work_struct *work)
{
	devs_reap(container_of(work, struct homa_net, devs.reaper));
}

/* In a virtual machine cards say what their model once had; packets are as fast as
 * the host makes them.
 */
static bool dev_emulated(void)
{
#if IS_ENABLED(CONFIG_X86)
	return boot_cpu_has(X86_FEATURE_HYPERVISOR);
#else
	return false;
#endif
}

/* The speed of a device in 10^6 bit/s, or 0: not known, or not to be believed. */
static int dev_ask_speed(struct net_device *ndev)
{
	struct ethtool_link_ksettings link;

	if (!ndev->dev.parent || dev_emulated() ||
	    __ethtool_get_link_ksettings(ndev, &link) ||
	    link.base.speed > INT_MAX)
		return 0;
	return link.base.speed;
}

static void devs_speeds(struct work_struct *work)
{
	struct homa_net *hn = container_of(work, struct homa_net, devs.speeds);
	struct net_device *ndev;
	struct homa_dev *dev;

	rtnl_lock();
	for_each_netdev(hn->net, ndev) {
		rcu_read_lock();
		dev = dev_find(hn, ndev);
		rcu_read_unlock();
		if (dev)
			WRITE_ONCE(dev->mbps, dev_ask_speed(ndev));
		homa_dev_put(dev);
	}
	rtnl_unlock();
}

/* Called under RTNL, for the devices of all namespaces. */
static int dev_event(struct notifier_block *nb, unsigned long event, void *ptr)
{
	struct net_device *ndev = netdev_notifier_info_to_dev(ptr);
	struct homa_net *hn = homa_net(dev_net(ndev));
	struct homa_dev *dev;

	rcu_read_lock();
	dev = dev_find(hn, ndev);
	rcu_read_unlock();
	if (!dev)
		return NOTIFY_DONE;
	if (event == NETDEV_UNREGISTER)
		dev_remove(dev);
	else if (event == NETDEV_UP || event == NETDEV_CHANGE)
		schedule_work(&hn->devs.speeds);
	else if (event == NETDEV_CHANGEMTU)
		WRITE_ONCE(dev->mtu, ndev->mtu);
	homa_dev_put(dev);
	return NOTIFY_DONE;
}

static struct notifier_block homa_dev_notifier = {
	.notifier_call = dev_event,
};

/**
 * homa_dev_register() - begin to watch devices
 *
 * Context: process; hosts exist.
 * Return: 0 or a negative errno
 */
int homa_dev_register(void)
{
	return register_netdevice_notifier(&homa_dev_notifier);
}

/**
 * homa_dev_unregister() - stop to watch devices
 *
 * Context: process; hosts exist, but neither packets nor sockets.
 */
void homa_dev_unregister(void)
{
	unregister_netdevice_notifier(&homa_dev_notifier);
}

/**
 * homa_devs_net_init() - a host has used no device yet
 * @hn: host
 *
 * Context: process.
 */
void homa_devs_net_init(struct homa_net *hn)
{
	spin_lock_init(&hn->devs.lock);
	INIT_LIST_HEAD(&hn->devs.dead);
	INIT_WORK(&hn->devs.reaper, devs_reaper);
	INIT_WORK(&hn->devs.speeds, devs_speeds);
}
EXPORT_SYMBOL_IF_KUNIT(homa_devs_net_init);

/**
 * homa_devs_net_exit() - forget a host's devices
 * @hn: host; it has neither RPCs nor packets left, so nobody has a device
 *
 * Context: process, sleeps; without RTNL.
 */
void homa_devs_net_exit(struct homa_net *hn)
{
	struct hlist_node *next;
	struct homa_dev *dev;
	int i;

	cancel_work_sync(&hn->devs.speeds);
	for (i = 0; i < ARRAY_SIZE(hn->devs.table); i++) {
		hlist_for_each_entry_safe(dev, next, &hn->devs.table[i], links)
			dev_remove(dev);
	}
	cancel_work_sync(&hn->devs.reaper);
	devs_reap(hn);
	WARN_ON_ONCE(!list_empty(&hn->devs.dead));
}
EXPORT_SYMBOL_IF_KUNIT(homa_devs_net_exit);
