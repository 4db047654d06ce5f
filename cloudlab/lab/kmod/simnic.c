// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* A network card with the properties that a veth lacks, over a veth that is its
 * cable:
 *
 *	stack -> qdisc -> ring -> transmitter -> cable        cable -> queue -> NAPI, GRO -> stack
 *	             <- completion, late, several at a time
 *
 * The ring has `ring` slots, one a packet however large it is; when all are
 * taken the queue is stopped. The transmitter cuts packets into frames (TSO) and
 * sends at `rate`. A packet completes (its socket is relieved, its slot is free,
 * BQL hears of it if `bql`) `completion` ns after its last bit is gone, at the next
 * interrupt: one comes at least `tx_coalesce` ns after what it reports. Frames from
 * the cable reach NAPI `rx_coalesce` ns after the first of them. ethtool
 * reports `speed` Mb/s, true or not; 0 is unknown. TSO and GRO are switched with
 * ethtool -K.
 *
 * /proc/net/simnic: "add e0 on c0 rate=10000000000 ring=64" makes card e0 over
 * device c0, "set e0 speed=40000" changes it; a read tells what each card did. A
 * card goes when its cable does.
 */
#include <linux/ethtool.h>
#include <linux/etherdevice.h>
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/proc_fs.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include <net/net_namespace.h>
#include <net/rtnetlink.h>

#include "lab_wire.h"

#define NIC_FEATURES (NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_ALL_TSO)

/**
 * struct nic_settings - what a card is like
 * @rate: bits per second
 * @ring: packets that have not completed; frames that NAPI has not seen
 * @completion: ns from a packet's last bit to its completion
 * @tx_coalesce: ns from a completion to the interrupt that reports it
 * @rx_coalesce: ns from a frame's arrival to NAPI
 * @bql: 1: byte queue limits
 * @speed: Mb/s as reported; 0: unknown
 */
struct nic_settings {
	u64 rate;
	u64 ring;
	u64 completion;
	u64 tx_coalesce;
	u64 rx_coalesce;
	u64 bql;
	u64 speed;
};

/**
 * struct nic - a card
 * @dev: its device
 * @cable: the device below
 * @is: settings; RTNL to change them
 * @lock: covers all below but @napi and @received's own
 * @wire: frames to be sent
 * @sending: in the transmitter
 * @sending_ends: ps
 * @done: packets whose last bit is gone, until they complete
 * @in_ring: packets that have not completed
 * @most: of them at a time
 * @packets: taken from the stack
 * @frames: sent
 * @interrupts: that reported completions
 * @tx_timer: @sending_ends
 * @done_timer: the next interrupt
 * @received: frames for @napi
 * @rx_timer: schedules @napi
 * @napi: receives
 */
struct nic {
	struct net_device *dev;
	struct net_device *cable;
	struct nic_settings is;
	spinlock_t lock;
	struct sk_buff_head wire;
	struct sk_buff *sending;
	u64 sending_ends;
	struct sk_buff_head done;
	u32 in_ring;
	u32 most;
	u64 packets;
	u64 frames;
	u64 interrupts;
	struct hrtimer tx_timer;
	struct hrtimer done_timer;
	struct sk_buff_head received;
	struct hrtimer rx_timer;
	struct napi_struct napi;
};

/**
 * struct nic_cb - what we know of a frame or packet
 * @packet: of a frame: the packet that it is the last of, or NULL
 * @due: of a packet: when it completes, ns
 * @bytes: of a packet: that BQL was told of
 */
struct nic_cb {
	struct sk_buff *packet;
	u64 due;
	u32 bytes;
};

static struct nic_cb *nic_cb(struct sk_buff *skb)
{
	BUILD_BUG_ON(sizeof(struct nic_cb) > sizeof(skb->cb));
	return (struct nic_cb *)skb->cb;
}

static void nic_arm(struct hrtimer *timer, u64 ns)
{
	hrtimer_start(timer, ns_to_ktime(ns), HRTIMER_MODE_ABS_SOFT);
}

/* Begin to send the next frame, if there is one. Caller holds the lock. */
static void nic_start(struct nic *nic, u64 when)
{
	nic->sending = __skb_dequeue(&nic->wire);
	if (!nic->sending)
		return;
	nic->sending_ends = when + lab_wire_time(nic->sending, nic->is.rate);
	nic_arm(&nic->tx_timer, lab_ps_to_ns(nic->sending_ends));
}

/* A packet's last bit is gone. Caller holds the lock. */
static void nic_sent(struct nic *nic, struct sk_buff *packet)
{
	u64 due = lab_ps_to_ns(nic->sending_ends) + nic->is.completion;

	nic_cb(packet)->due = due;
	__skb_queue_tail(&nic->done, packet);
	if (skb_queue_len(&nic->done) == 1)
		nic_arm(&nic->done_timer, due + nic->is.tx_coalesce);
}

static enum hrtimer_restart nic_tx(struct hrtimer *timer)
{
	struct nic *nic = container_of(timer, struct nic, tx_timer);
	u64 now = lab_now_ps();
	struct sk_buff_head out;
	struct sk_buff *skb;

	__skb_queue_head_init(&out);
	spin_lock(&nic->lock);
	while (nic->sending && nic->sending_ends <= now) {
		skb = nic->sending;
		nic->frames++;
		if (nic_cb(skb)->packet)
			nic_sent(nic, nic_cb(skb)->packet);
		__skb_queue_tail(&out, skb);
		nic_start(nic, nic->sending_ends);
	}
	spin_unlock(&nic->lock);
	while ((skb = __skb_dequeue(&out))) {
		skb->dev = nic->cable;
		dev_queue_xmit(skb);
	}
	return HRTIMER_NORESTART;
}

/* The interrupt: all that have completed by now. */
static enum hrtimer_restart nic_completed(struct hrtimer *timer)
{
	struct nic *nic = container_of(timer, struct nic, done_timer);
	u32 packets = 0, bytes = 0;
	u64 now = ktime_get_ns();
	struct sk_buff_head gone;
	struct sk_buff *skb;

	__skb_queue_head_init(&gone);
	spin_lock(&nic->lock);
	nic->interrupts++;
	while ((skb = skb_peek(&nic->done)) && nic_cb(skb)->due <= now) {
		__skb_unlink(skb, &nic->done);
		__skb_queue_tail(&gone, skb);
		packets++;
		bytes += nic_cb(skb)->bytes;
	}
	if (skb)
		nic_arm(&nic->done_timer, nic_cb(skb)->due + nic->is.tx_coalesce);
	nic->in_ring -= packets;
	netdev_completed_queue(nic->dev, packets, bytes);
	if (netif_queue_stopped(nic->dev) && nic->in_ring < nic->is.ring)
		netif_wake_queue(nic->dev);
	spin_unlock(&nic->lock);
	while ((skb = __skb_dequeue(&gone)))
		dev_consume_skb_any(skb);
	return HRTIMER_NORESTART;
}

/* The frames of @skb, which remains whole until it completes; NULL without memory. */
static struct sk_buff *nic_frames(struct nic *nic, struct sk_buff *skb)
{
	struct sk_buff *copy = skb_clone(skb, GFP_ATOMIC), *frames;

	if (!copy || !skb_is_gso(copy))
		return copy;
	frames = skb_gso_segment(copy, nic->dev->features & ~NETIF_F_GSO_MASK);
	if (IS_ERR_OR_NULL(frames)) {
		kfree_skb(copy);
		return NULL;
	}
	consume_skb(copy);
	return frames;
}

static netdev_tx_t nic_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct nic *nic = netdev_priv(dev);
	struct sk_buff *frame = nic_frames(nic, skb), *next;

	if (!frame) {
		dev->stats.tx_dropped++;
		dev_kfree_skb_any(skb);
		return NETDEV_TX_OK;
	}
	spin_lock_bh(&nic->lock);
	nic_cb(skb)->bytes = nic->is.bql ? skb->len : 0;
	skb_list_walk_safe(frame, frame, next) {
		skb_mark_not_on_list(frame);
		nic_cb(frame)->packet = next ? NULL : skb;
		__skb_queue_tail(&nic->wire, frame);
	}
	nic->packets++;
	nic->most = max(nic->most, ++nic->in_ring);
	dev->stats.tx_packets++;
	dev->stats.tx_bytes += skb->len;
	if (nic->is.bql)
		netdev_sent_queue(dev, skb->len);
	if (nic->in_ring >= nic->is.ring)
		netif_stop_queue(dev);
	if (!nic->sending)
		nic_start(nic, lab_now_ps());
	spin_unlock_bh(&nic->lock);
	return NETDEV_TX_OK;
}

static rx_handler_result_t nic_receive(struct sk_buff **pskb)
{
	struct nic *nic = rcu_dereference((*pskb)->dev->rx_handler_data);
	struct sk_buff *skb = skb_share_check(*pskb, GFP_ATOMIC);

	if (!skb)
		return RX_HANDLER_CONSUMED;
	if (!netif_running(nic->dev) || skb_queue_len(&nic->received) >= nic->is.ring) {
		nic->dev->stats.rx_dropped++;
		kfree_skb(skb);
		return RX_HANDLER_CONSUMED;
	}
	skb->dev = nic->dev;
	skb_queue_tail(&nic->received, skb);
	if (!nic->is.rx_coalesce)
		napi_schedule(&nic->napi);
	else if (!hrtimer_is_queued(&nic->rx_timer))
		nic_arm(&nic->rx_timer, ktime_get_ns() + nic->is.rx_coalesce);
	return RX_HANDLER_CONSUMED;
}

static enum hrtimer_restart nic_rx(struct hrtimer *timer)
{
	napi_schedule(&container_of(timer, struct nic, rx_timer)->napi);
	return HRTIMER_NORESTART;
}

static int nic_poll(struct napi_struct *napi, int budget)
{
	struct nic *nic = container_of(napi, struct nic, napi);
	struct sk_buff *skb;
	int work = 0;

	while (work < budget && (skb = skb_dequeue(&nic->received))) {
		nic->dev->stats.rx_packets++;
		nic->dev->stats.rx_bytes += skb->len;
		napi_gro_receive(napi, skb);
		work++;
	}
	if (work < budget)
		napi_complete_done(napi, work);
	return work;
}

static int nic_open(struct net_device *dev)
{
	struct nic *nic = netdev_priv(dev);

	netdev_reset_queue(dev);
	napi_enable(&nic->napi);
	netif_start_queue(dev);
	return 0;
}

static int nic_stop(struct net_device *dev)
{
	struct nic *nic = netdev_priv(dev);
	struct sk_buff *skb;

	netif_stop_queue(dev);
	hrtimer_cancel(&nic->rx_timer);
	napi_disable(&nic->napi);
	hrtimer_cancel(&nic->tx_timer);
	hrtimer_cancel(&nic->done_timer);
	spin_lock_bh(&nic->lock);
	if (nic->sending)
		__skb_queue_head(&nic->wire, nic->sending);
	nic->sending = NULL;
	while ((skb = __skb_dequeue(&nic->wire))) {
		kfree_skb(nic_cb(skb)->packet);
		kfree_skb(skb);
	}
	__skb_queue_purge(&nic->done);
	nic->in_ring = 0;
	spin_unlock_bh(&nic->lock);
	skb_queue_purge(&nic->received);
	return 0;
}

static void nic_uninit(struct net_device *dev)
{
	struct nic *nic = netdev_priv(dev);

	netdev_rx_handler_unregister(nic->cable);
	netif_napi_del(&nic->napi);
}

static const struct net_device_ops nic_device_ops = {
	.ndo_open = nic_open,
	.ndo_stop = nic_stop,
	.ndo_uninit = nic_uninit,
	.ndo_start_xmit = nic_xmit,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_set_mac_address = eth_mac_addr,
};

static int nic_link_settings(struct net_device *dev, struct ethtool_link_ksettings *to)
{
	struct nic *nic = netdev_priv(dev);

	to->base.speed = nic->is.speed ? nic->is.speed : SPEED_UNKNOWN;
	to->base.duplex = DUPLEX_FULL;
	to->base.port = PORT_OTHER;
	return 0;
}

static const struct ethtool_ops nic_ethtool_ops = {
	.get_link = ethtool_op_get_link,
	.get_link_ksettings = nic_link_settings,
};

/* Cards are made by writing to the file; this only lets namespaces delete them. */
static int nic_refuse(struct nlattr *tb[], struct nlattr *data[], struct netlink_ext_ack *extack)
{
	NL_SET_ERR_MSG(extack, "write to /proc/net/simnic instead");
	return -EOPNOTSUPP;
}

static struct rtnl_link_ops nic_link_ops = {
	.kind = "simnic",
	.validate = nic_refuse,
	.dellink = unregister_netdevice_queue,
};

static void nic_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &nic_device_ops;
	dev->ethtool_ops = &nic_ethtool_ops;
	dev->rtnl_link_ops = &nic_link_ops;
	dev->needs_free_netdev = true;
	dev->hw_features = NIC_FEATURES;
	dev->features = NIC_FEATURES;
}

static void nic_prepare(struct nic *nic)
{
	spin_lock_init(&nic->lock);
	__skb_queue_head_init(&nic->wire);
	__skb_queue_head_init(&nic->done);
	skb_queue_head_init(&nic->received);
	hrtimer_setup(&nic->tx_timer, nic_tx, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	hrtimer_setup(&nic->done_timer, nic_completed, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	hrtimer_setup(&nic->rx_timer, nic_rx, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_SOFT);
	netif_napi_add(nic->dev, &nic->napi, nic_poll);
}

static int nic_add(struct net *net, const char *name, const char *cable_name,
		   const struct nic_settings *settings)
{
	struct net_device *cable = __dev_get_by_name(net, cable_name), *dev;
	struct nic *nic;
	int err;

	if (!cable)
		return -ENODEV;
	dev = alloc_netdev(sizeof(*nic), name, NET_NAME_USER, nic_setup);
	if (!dev)
		return -ENOMEM;
	dev_net_set(dev, net);
	eth_hw_addr_set(dev, cable->dev_addr);
	dev->mtu = cable->mtu;
	dev->max_mtu = cable->mtu;
	nic = netdev_priv(dev);
	nic->dev = dev;
	nic->cable = cable;
	nic->is = *settings;
	nic_prepare(nic);
	err = netdev_rx_handler_register(cable, nic_receive, nic);
	if (err)
		goto fail_device;
	err = register_netdevice(dev);
	if (err)
		goto fail_handler;
	return 0;

fail_handler:
	netdev_rx_handler_unregister(cable);
fail_device:
	free_netdev(dev);
	return err;
}

static bool nic_is(const struct net_device *dev)
{
	return dev->netdev_ops == &nic_device_ops;
}

static int nic_event(struct notifier_block *block, unsigned long event, void *ptr)
{
	struct net_device *cable = netdev_notifier_info_to_dev(ptr), *dev, *next;

	if (event != NETDEV_UNREGISTER)
		return NOTIFY_DONE;
	for_each_netdev_safe(dev_net(cable), dev, next) {
		if (nic_is(dev) && dev->reg_state == NETREG_REGISTERED &&
		    ((struct nic *)netdev_priv(dev))->cable == cable) {
			unregister_netdevice(dev);
			break;
		}
	}
	return NOTIFY_DONE;
}

static struct notifier_block nic_notifier = { .notifier_call = nic_event };

static int nic_show(struct seq_file *m, void *v)
{
	struct net_device *dev;
	struct nic *nic;

	rtnl_lock();
	for_each_netdev(seq_file_single_net(m), dev) {
		if (!nic_is(dev))
			continue;
		nic = netdev_priv(dev);
		seq_printf(m, "%s packets %llu frames %llu interrupts %llu in_ring %u most %u\n",
			   dev->name, nic->packets, nic->frames, nic->interrupts, nic->in_ring,
			   nic->most);
	}
	rtnl_unlock();
	return 0;
}

static const struct lab_key nic_keys[] = {
	LAB_KEY(nic_settings, rate, 1000000, 1000000000000),
	LAB_KEY(nic_settings, ring, 1, 1 << 20),
	LAB_KEY(nic_settings, completion, 0, 1000000000),
	LAB_KEY(nic_settings, tx_coalesce, 0, 1000000000),
	LAB_KEY(nic_settings, rx_coalesce, 0, 1000000000),
	LAB_KEY(nic_settings, bql, 0, 1),
	LAB_KEY(nic_settings, speed, 0, INT_MAX),
};

static int nic_parse(struct nic_settings *settings, char *text)
{
	char *word;
	int err = 0;

	while (!err && (word = strsep(&text, " \t\n"))) {
		if (*word)
			err = lab_set(settings, nic_keys, ARRAY_SIZE(nic_keys), word);
	}
	return err;
}

/* "add NAME on CABLE settings" or "set NAME settings"; under RTNL. */
static int nic_command(struct net *net, char *text)
{
	struct nic_settings settings = { .rate = 10000000000, .ring = 1024, .bql = 1 };
	const char *verb = strsep(&text, " "), *name = strsep(&text, "\n "), *cable;
	struct net_device *dev;
	int err;

	if (!name || !dev_valid_name(name))
		return -EINVAL;
	dev = __dev_get_by_name(net, name);
	if (!strcmp(verb, "set")) {
		if (!dev || !nic_is(dev))
			return -ENODEV;
		settings = ((struct nic *)netdev_priv(dev))->is;
		err = nic_parse(&settings, text);
		if (!err)
			((struct nic *)netdev_priv(dev))->is = settings;
		return err;
	}
	if (strcmp(verb, "add") || !text || strcmp(strsep(&text, " "), "on"))
		return -EINVAL;
	cable = strsep(&text, "\n ");
	if (!cable)
		return -EINVAL;
	err = nic_parse(&settings, text);
	return err ? err : nic_add(net, name, cable, &settings);
}

static int nic_write(struct file *file, char *text, size_t size)
{
	int err;

	rtnl_lock();
	err = nic_command(seq_file_single_net(file->private_data), text);
	rtnl_unlock();
	return err;
}

static int __net_init nic_net_init(struct net *net)
{
	return proc_create_net_single_write("simnic", 0600, net->proc_net, nic_show, nic_write,
					    NULL) ? 0 : -ENOMEM;
}

static void __net_exit nic_net_exit(struct net *net)
{
	remove_proc_entry("simnic", net->proc_net);
}

static struct pernet_operations nic_net_ops = { .init = nic_net_init, .exit = nic_net_exit };

static int __init nic_module_init(void)
{
	int err = rtnl_link_register(&nic_link_ops);

	if (err)
		return err;
	err = register_netdevice_notifier(&nic_notifier);
	if (err)
		goto fail_link;
	err = register_pernet_subsys(&nic_net_ops);
	if (err)
		goto fail_notifier;
	return 0;

fail_notifier:
	unregister_netdevice_notifier(&nic_notifier);
fail_link:
	rtnl_link_unregister(&nic_link_ops);
	return err;
}

/* Cards go with their link type. */
static void __exit nic_module_exit(void)
{
	unregister_pernet_subsys(&nic_net_ops);
	rtnl_link_unregister(&nic_link_ops);
	unregister_netdevice_notifier(&nic_notifier);
}

module_init(nic_module_init);
module_exit(nic_module_exit);
MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("A simulated network card");
