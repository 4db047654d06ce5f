// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/dev.c: how devices come to be known, and what becomes of them. */

#include <linux/etherdevice.h>
#include <linux/ethtool.h>

#include "host.h"

/* What devices of these tests say their speed is. */
#define TEST_MBPS 40000

static netdev_tx_t test_xmit(struct sk_buff *skb, struct net_device *ndev)
{
	kfree_skb(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops test_netdev_ops = {
	.ndo_start_xmit = test_xmit,
};

static int test_link_ksettings(struct net_device *ndev,
			       struct ethtool_link_ksettings *link)
{
	link->base.speed = TEST_MBPS;
	return 0;
}

static const struct ethtool_ops test_ethtool_ops = {
	.get_link_ksettings = test_link_ksettings,
};

static void test_setup(struct net_device *ndev)
{
	ether_setup(ndev);
	ndev->netdev_ops = &test_netdev_ops;
	ndev->ethtool_ops = &test_ethtool_ops;
	eth_hw_addr_random(ndev);
}

/* A device that is up; with a parent it looks like hardware. */
static struct net_device *test_device(struct kunit *test, struct device *parent)
{
	struct net_device *ndev;
	int err;

	ndev = alloc_netdev(0, "homatest%d", NET_NAME_ENUM, test_setup);
	KUNIT_ASSERT_NOT_NULL(test, ndev);
	SET_NETDEV_DEV(ndev, parent);
	rtnl_lock();
	err = register_netdevice(ndev);
	if (!err)
		err = dev_change_flags(ndev, ndev->flags | IFF_UP, NULL);
	rtnl_unlock();
	KUNIT_ASSERT_EQ(test, err, 0);
	return ndev;
}

static void test_device_end(struct net_device *ndev)
{
	unregister_netdev(ndev);
	free_netdev(ndev);
}

static void homa_dev_get__same(struct kunit *test)
{
	struct net_device *a = test_device(test, NULL);
	struct net_device *b = test_device(test, NULL);
	struct homa_net *hn = homa_net(&init_net);
	struct homa_dev *dev = homa_dev_get(hn, a);
	struct homa_dev *other = homa_dev_get(hn, b);

	KUNIT_ASSERT_NOT_NULL(test, dev);
	KUNIT_ASSERT_NOT_NULL(test, other);
	KUNIT_EXPECT_PTR_NE(test, dev, other);
	KUNIT_EXPECT_PTR_EQ(test, homa_dev_get(hn, a), dev);
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->refs), 3U);
	homa_dev_put(dev);
	homa_dev_put(dev);
	homa_dev_put(other);
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->refs), 1U);
	test_device_end(a);
	test_device_end(b);
}

/* Whoever has it may use it to the end; nobody else finds it. */
static void homa_dev_get__unregistered(struct kunit *test)
{
	struct net_device *ndev = test_device(test, NULL);
	struct homa_net *hn = homa_net(&init_net);
	struct homa_dev *dev = homa_dev_get(hn, ndev);

	KUNIT_ASSERT_NOT_NULL(test, dev);
	unregister_netdev(ndev);
	KUNIT_EXPECT_TRUE(test, dev->gone);
	KUNIT_EXPECT_EQ(test, refcount_read(&dev->refs), 1U);
	KUNIT_EXPECT_NULL(test, homa_dev_get(hn, ndev));
	free_netdev(ndev);
	homa_dev_put(dev);
	flush_work(&hn->devs.reaper);
	spin_lock_bh(&hn->devs.lock);
	KUNIT_EXPECT_TRUE(test, list_empty(&hn->devs.dead));
	spin_unlock_bh(&hn->devs.lock);
}

static void homa_dev_get__down_or_foreign(struct kunit *test)
{
	struct net_device *ndev = test_device(test, NULL);
	struct homa_net *hn = homa_net(&init_net);
	struct homa_net *stranger = test->priv;
	struct homa_dev *dev;

	KUNIT_EXPECT_NULL(test, homa_dev_get(stranger, ndev));
	rtnl_lock();
	dev_change_flags(ndev, ndev->flags & ~IFF_UP, NULL);
	rtnl_unlock();
	KUNIT_EXPECT_NULL(test, homa_dev_get(hn, ndev));
	rtnl_lock();
	dev_change_flags(ndev, ndev->flags | IFF_UP, NULL);
	rtnl_unlock();
	dev = homa_dev_get(hn, ndev);
	KUNIT_EXPECT_NOT_NULL(test, dev);

	/* What is known already stays known. */
	rtnl_lock();
	dev_change_flags(ndev, ndev->flags & ~IFF_UP, NULL);
	rtnl_unlock();
	KUNIT_EXPECT_PTR_EQ(test, homa_dev_get(hn, ndev), dev);
	homa_dev_put(dev);
	homa_dev_put(dev);
	test_device_end(ndev);
}

/* Hardware is believed, others are not, and the administrator knows best. */
static void homa_dev_mbps__sources(struct kunit *test)
{
	struct device *parent = __root_device_register("homatest", NULL);
	struct homa_net *hn = homa_net(&init_net);
	int link_mbps = hn->sysctl.link_mbps;
	struct net_device *real, *virtual;
	struct homa_dev *a, *b;

	KUNIT_ASSERT_FALSE(test, IS_ERR(parent));
	real = test_device(test, parent);
	virtual = test_device(test, NULL);
	a = homa_dev_get(hn, real);
	b = homa_dev_get(hn, virtual);
	flush_work(&hn->devs.speeds);
	hn->sysctl.link_mbps = 0;
	KUNIT_EXPECT_EQ(test, homa_dev_mbps(a), TEST_MBPS);
	KUNIT_EXPECT_EQ(test, homa_dev_mbps(b), 0);
	hn->sysctl.link_mbps = 1000;
	KUNIT_EXPECT_EQ(test, homa_dev_mbps(a), 1000);
	KUNIT_EXPECT_EQ(test, homa_dev_mbps(b), 1000);
	hn->sysctl.link_mbps = link_mbps;

	/* A change of the link makes us ask again. */
	WRITE_ONCE(a->mbps, 1);
	rtnl_lock();
	netdev_state_change(real);
	rtnl_unlock();
	flush_work(&hn->devs.speeds);
	KUNIT_EXPECT_EQ(test, a->mbps, TEST_MBPS);
	homa_dev_put(a);
	homa_dev_put(b);
	test_device_end(real);
	test_device_end(virtual);
	root_device_unregister(parent);
}

static struct kunit_case dev_cases[] = {
	KUNIT_CASE(homa_dev_get__same),
	KUNIT_CASE(homa_dev_get__unregistered),
	KUNIT_CASE(homa_dev_get__down_or_foreign),
	KUNIT_CASE(homa_dev_mbps__sources),
	{}
};

static struct kunit_suite dev_suite = {
	.name = "homa_dev",
	.init = host_init,
	.exit = host_exit,
	.test_cases = dev_cases,
};

kunit_test_suites(&dev_suite);
