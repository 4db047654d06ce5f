// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Whose trace it is: the addresses of a host, by which others' traces call it. */

#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <linux/rcupdate.h>
#include <net/addrconf.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>

#include "image.h"

/* Adds those of one device to the n that there are. */
static int addrs_of_dev(struct net_device *dev, struct in6_addr *addrs, int n,
			int room)
{
	struct in_device *in_dev = __in_dev_get_rcu(dev);
	struct inet6_dev *in6_dev = __in6_dev_get(dev);
	const struct inet6_ifaddr *ifa6;
	const struct in_ifaddr *ifa;

	if (in_dev) {
		in_dev_for_each_ifa_rcu(ifa, in_dev) {
			if (n < room)
				ipv6_addr_set_v4mapped(ifa->ifa_local, &addrs[n++]);
		}
	}
	if (in6_dev) {
		list_for_each_entry_rcu(ifa6, &in6_dev->addr_list, if_list) {
			if (n < room)
				addrs[n++] = ifa6->addr;
		}
	}
	return n;
}

/**
 * tt_addrs() - addresses of a host, those of loopback devices aside
 * @net: its namespace
 * @addrs: result; IPv4 addresses are mapped
 * @room: entries of @addrs
 *
 * Context: any.
 * Return: number of entries; there may be more addresses.
 */
int tt_addrs(struct net *net, struct in6_addr *addrs, int room)
{
	struct net_device *dev;
	int n = 0;

	rcu_read_lock();
	for_each_netdev_rcu(net, dev) {
		if (!(dev->flags & IFF_LOOPBACK))
			n = addrs_of_dev(dev, addrs, n, room);
	}
	rcu_read_unlock();
	return n;
}
