// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* A port of a switch, or the wire behind a host's network card, as a queueing
 * discipline without options:
 *
 *	frame --> delay line --> 8 queues, one buffer --> transmitter --> device
 *
 * A frame reaches the queues `delay` after it was sent to the port. There it is
 * dropped if the buffer cannot take it, marked (ECN) if more than `mark` bytes
 * would be in the port with it, and queued by the class selector in its DSCP. The
 * transmitter takes a frame of the highest class, and holds it for as long as its
 * bits take on the link, preamble, checksum and gap included; then the device
 * has it. The buffer keeps a frame until its last bit is gone. With `shared`
 * it is the buffer of all such ports of the namespace. With `host` the port is a
 * card instead: one queue, and frames remain charged to their sockets.
 *
 * Everything happens in the order of its virtual time (port_run()), however late
 * a timer is, so what a port does is a matter of arithmetic. A busy port needs
 * one timer event a frame: arrivals wait for the transmitter's next one.
 *
 * /proc/net/sch_port: a write such as "rate=10000000000 delay=2000" is for ports
 * that are made in this namespace from then on, "reset" clears what was counted;
 * a read tells what each port did.
 */
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/inet_ecn.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>
#include <net/pkt_sched.h>

#include "lab_wire.h"

#define PORT_CLASSES 8
#define PORT_NEVER U64_MAX

/* Occupancy is counted in units of 64 bytes, 16 steps to each doubling. */
#define PORT_UNIT_SHIFT 6
#define PORT_STEPS_SHIFT 4
#define PORT_STEPS BIT(PORT_STEPS_SHIFT)
#define PORT_BINS (26 * PORT_STEPS)

/**
 * struct port_settings - what a port is like
 * @rate: bits per second
 * @delay: ns from being sent to the port to being in its queues
 * @buffer: bytes
 * @mark: bytes above which frames are marked; 0: never
 * @shared: the buffer is that of all shared ports of the namespace
 * @host: a host's card
 */
struct port_settings {
	u64 rate;
	u64 delay;
	u64 buffer;
	u64 mark;
	u64 shared;
	u64 host;
};

/**
 * struct port_net - the ports of a namespace
 * @ports: all of them; RTNL
 * @defaults: for new ones; RTNL
 * @used: bytes in the shared buffer
 */
struct port_net {
	struct list_head ports;
	struct port_settings defaults;
	atomic64_t used;
};

/**
 * struct port_counts - what a port did since the last "reset"
 * @since: when that was, ps
 * @peak: most bytes that it held
 * @marked: frames
 * @packets: sent, by class
 * @bytes: sent, by class, as on the wire
 * @drops: by class
 * @occupancy: ps that it held so many bytes
 */
struct port_counts {
	u64 since;
	u32 peak;
	u64 marked;
	u64 packets[PORT_CLASSES];
	u64 bytes[PORT_CLASSES];
	u64 drops[PORT_CLASSES];
	u64 occupancy[PORT_BINS];
};

/**
 * struct port - a port; the qdisc's root lock covers what changes
 * @node: in port_net.ports
 * @sch: our qdisc
 * @pn: our namespace's
 * @is: settings
 * @coming: in the delay line
 * @queue: by class
 * @sending: in the transmitter
 * @sent: frames that the device may have
 * @sending_ends: ps; PORT_NEVER if @sending is NULL
 * @held: bytes in the buffer, @sending included
 * @held_since: when that last changed, ps
 * @counts: for the user
 * @watchdog: runs the qdisc when something is to happen
 */
struct port {
	struct list_head node;
	struct Qdisc *sch;
	struct port_net *pn;
	struct port_settings is;
	struct sk_buff_head coming;
	struct sk_buff_head queue[PORT_CLASSES];
	struct sk_buff *sending;
	struct sk_buff_head sent;
	u64 sending_ends;
	u32 held;
	u64 held_since;
	struct port_counts *counts;
	struct qdisc_watchdog watchdog;
};

/**
 * struct port_cb - what we know of a frame
 * @due: when it reaches the queues, ps
 * @class: 0..7
 */
struct port_cb {
	u64 due;
	u8 class;
};

static unsigned int port_net_id;

static struct port_cb *port_cb(const struct sk_buff *skb)
{
	qdisc_cb_private_validate(skb, sizeof(struct port_cb));
	return (struct port_cb *)qdisc_skb_cb(skb)->data;
}

static int port_bin(u32 bytes)
{
	u32 units = DIV_ROUND_UP(bytes, 1 << PORT_UNIT_SHIFT);
	int shift = fls(units) - PORT_STEPS_SHIFT - 1;

	if (shift < 0)
		return units;
	return (shift << PORT_STEPS_SHIFT) + (units >> shift);
}

/* The most bytes that bin @bin counts; bin 0 counts an empty port only. */
static u64 port_bin_end(int bin)
{
	int shift = (bin >> PORT_STEPS_SHIFT) - 1;
	u64 units = bin;

	if (shift >= 0)
		units = ((PORT_STEPS + (bin & (PORT_STEPS - 1)) + 1) << shift) - 1;
	return units << PORT_UNIT_SHIFT;
}

/* The buffer holds @bytes more, or fewer, from @when on. */
static void port_hold(struct port *p, int bytes, u64 when)
{
	p->counts->occupancy[port_bin(p->held)] += when - p->held_since;
	p->held_since = when;
	p->held += bytes;
	p->counts->peak = max(p->counts->peak, p->held);
	if (p->is.shared)
		atomic64_add(bytes, &p->pn->used);
}

static int port_class(struct sk_buff *skb)
{
	if (!pskb_network_may_pull(skb, sizeof(struct iphdr)))
		return 0;
	switch (skb_protocol(skb, true)) {
	case htons(ETH_P_IP):
		return ipv4_get_dsfield(ip_hdr(skb)) >> 5;
	case htons(ETH_P_IPV6):
		return ipv6_get_dsfield(ipv6_hdr(skb)) >> 5;
	}
	return 0;
}

/* Begin to send the next frame, if there is one. */
static void port_start(struct port *p, u64 when)
{
	int class;

	p->sending_ends = PORT_NEVER;
	for (class = PORT_CLASSES - 1; class >= 0; class--) {
		p->sending = __skb_dequeue(&p->queue[class]);
		if (p->sending) {
			p->sending_ends = when + lab_wire_time(p->sending, p->is.rate);
			return;
		}
	}
}

/* A frame reaches the queues. Return: false if there is no room */
static bool port_admit(struct port *p, struct sk_buff *skb, u64 when)
{
	u64 used = p->is.shared ? atomic64_read(&p->pn->used) : p->held;
	int class = port_cb(skb)->class;

	if (used + skb->len > p->is.buffer) {
		p->counts->drops[class]++;
		return false;
	}
	if (p->is.mark && p->held + skb->len > p->is.mark && INET_ECN_set_ce(skb))
		p->counts->marked++;
	port_hold(p, skb->len, when);
	__skb_queue_tail(&p->queue[class], skb);
	if (!p->sending)
		port_start(p, when);
	return true;
}

/* The last bit of a frame is gone. */
static void port_finish(struct port *p)
{
	struct sk_buff *skb = p->sending;
	u64 when = p->sending_ends;
	int class = port_cb(skb)->class;

	port_hold(p, -(int)skb->len, when);
	p->counts->packets[class]++;
	p->counts->bytes[class] += lab_wire_bytes(skb);
	__skb_queue_tail(&p->sent, skb);
	port_start(p, when);
}

static void port_forget(struct Qdisc *sch, struct sk_buff *skb)
{
	qdisc_qstats_backlog_dec(sch, skb);
	WRITE_ONCE(sch->q.qlen, sch->q.qlen - 1);
}

/* A frame from the delay line finds no room. */
static void port_refuse(struct port *p, struct sk_buff *skb)
{
	port_forget(p->sch, skb);
	qdisc_tree_reduce_backlog(p->sch, 1, qdisc_pkt_len(skb));
	qdisc_qstats_drop(p->sch);
	kfree_skb(skb);
}

static u64 port_next_arrival(const struct port *p)
{
	const struct sk_buff *skb = skb_peek(&p->coming);

	return skb ? port_cb(skb)->due : PORT_NEVER;
}

/* Do all that is to happen until @now, each at its own time. */
static void port_run(struct port *p, u64 now)
{
	struct sk_buff *skb;
	u64 arrival;

	for (;;) {
		arrival = port_next_arrival(p);
		if (min(arrival, p->sending_ends) > now)
			return;
		if (arrival > p->sending_ends) {
			port_finish(p);
			continue;
		}
		skb = __skb_dequeue(&p->coming);
		if (!port_admit(p, skb, arrival))
			port_refuse(p, skb);
	}
}

static int port_enqueue_frame(struct port *p, struct sk_buff *skb, u64 now,
			      struct sk_buff **to_free)
{
	struct Qdisc *sch = p->sch;

	port_cb(skb)->class = p->is.host ? 0 : port_class(skb);
	port_cb(skb)->due = now + p->is.delay * LAB_PS_PER_NS;
	if (!p->is.host)
		skb_orphan(skb);
	if (p->is.delay)
		__skb_queue_tail(&p->coming, skb);
	else if (!port_admit(p, skb, now))
		return qdisc_drop(skb, sch, to_free);
	qdisc_qstats_backlog_inc(sch, skb);
	WRITE_ONCE(sch->q.qlen, sch->q.qlen + 1);
	return NET_XMIT_SUCCESS;
}

/* What the stack left to the card: cut a large packet into frames. */
static int port_enqueue_segments(struct port *p, struct sk_buff *skb, u64 now,
				 struct sk_buff **to_free)
{
	netdev_features_t features = netif_skb_features(skb);
	u32 len = 0, before = qdisc_pkt_len(skb);
	struct sk_buff *segment, *next;
	int taken = 0;

	segment = skb_gso_segment(skb, features & ~NETIF_F_GSO_MASK);
	if (IS_ERR_OR_NULL(segment))
		return qdisc_drop(skb, p->sch, to_free);
	skb_list_walk_safe(segment, segment, next) {
		skb_mark_not_on_list(segment);
		qdisc_skb_cb(segment)->pkt_len = segment->len;
		if (port_enqueue_frame(p, segment, now, to_free) != NET_XMIT_SUCCESS)
			continue;
		len += qdisc_pkt_len(segment);
		taken++;
	}
	if (!taken) {
		kfree_skb(skb);
		return NET_XMIT_DROP;
	}
	qdisc_tree_reduce_backlog(p->sch, 1 - taken, before - len);
	consume_skb(skb);
	return NET_XMIT_SUCCESS;
}

static int port_enqueue(struct sk_buff *skb, struct Qdisc *sch, struct sk_buff **to_free)
{
	struct port *p = qdisc_priv(sch);
	u64 now = lab_now_ps();

	port_run(p, now);
	if (skb_is_gso(skb))
		return port_enqueue_segments(p, skb, now, to_free);
	qdisc_skb_cb(skb)->pkt_len = skb->len;
	return port_enqueue_frame(p, skb, now, to_free);
}

static struct sk_buff *port_dequeue(struct Qdisc *sch)
{
	struct port *p = qdisc_priv(sch);
	struct sk_buff *skb;
	u64 next;

	port_run(p, lab_now_ps());
	skb = __skb_dequeue(&p->sent);
	if (skb) {
		port_forget(sch, skb);
		_bstats_update(&sch->bstats, skb->len, 1);
		return skb;
	}
	next = p->sending ? p->sending_ends : port_next_arrival(p);
	if (next != PORT_NEVER)
		qdisc_watchdog_schedule_ns(&p->watchdog, lab_ps_to_ns(next));
	return NULL;
}

static void port_clear(struct port *p)
{
	memset(p->counts, 0, sizeof(*p->counts));
	p->counts->since = lab_now_ps();
	p->counts->peak = p->held;
	p->held_since = p->counts->since;
}

static void port_reset(struct Qdisc *sch)
{
	struct port *p = qdisc_priv(sch);
	int class;

	qdisc_watchdog_cancel(&p->watchdog);
	__skb_queue_purge(&p->coming);
	__skb_queue_purge(&p->sent);
	for (class = 0; class < PORT_CLASSES; class++)
		__skb_queue_purge(&p->queue[class]);
	kfree_skb(p->sending);
	p->sending = NULL;
	p->sending_ends = PORT_NEVER;
	port_hold(p, -(int)p->held, lab_now_ps());
}

static int port_init(struct Qdisc *sch, struct nlattr *opt, struct netlink_ext_ack *extack)
{
	struct port *p = qdisc_priv(sch);
	int class;

	ASSERT_RTNL();
	p->sch = sch;
	p->pn = net_generic(dev_net(qdisc_dev(sch)), port_net_id);
	p->is = p->pn->defaults;
	INIT_LIST_HEAD(&p->node);
	__skb_queue_head_init(&p->coming);
	__skb_queue_head_init(&p->sent);
	for (class = 0; class < PORT_CLASSES; class++)
		__skb_queue_head_init(&p->queue[class]);
	p->sending_ends = PORT_NEVER;
	qdisc_watchdog_init(&p->watchdog, sch);
	p->counts = kvzalloc(sizeof(*p->counts), GFP_KERNEL);
	if (!p->counts)
		return -ENOMEM;
	port_clear(p);
	list_add_tail(&p->node, &p->pn->ports);
	return 0;
}

static void port_destroy(struct Qdisc *sch)
{
	struct port *p = qdisc_priv(sch);

	ASSERT_RTNL();
	qdisc_watchdog_cancel(&p->watchdog);
	list_del(&p->node);
	kvfree(p->counts);
}

static struct Qdisc_ops port_ops = {
	.id		= "port",
	.priv_size	= sizeof(struct port),
	.enqueue	= port_enqueue,
	.dequeue	= port_dequeue,
	.peek		= qdisc_peek_dequeued,
	.init		= port_init,
	.reset		= port_reset,
	.destroy	= port_destroy,
	.owner		= THIS_MODULE,
};

static void port_show_one(struct seq_file *m, const struct port *p)
{
	const char *name = qdisc_dev(p->sch)->name;
	const struct port_counts *c = p->counts;
	int i;

	seq_printf(m, "%s settings rate %llu delay %llu buffer %llu mark %llu shared %llu host %llu\n",
		   name, p->is.rate, p->is.delay, p->is.buffer, p->is.mark, p->is.shared,
		   p->is.host);
	seq_printf(m, "%s total ps %llu peak %u held %u marked %llu\n", name,
		   p->held_since - c->since, c->peak, p->held, c->marked);
	for (i = 0; i < PORT_CLASSES; i++)
		seq_printf(m, "%s class %d packets %llu bytes %llu drops %llu\n", name, i,
			   c->packets[i], c->bytes[i], c->drops[i]);
	for (i = 0; i < PORT_BINS; i++) {
		if (c->occupancy[i])
			seq_printf(m, "%s occupancy upto %llu ps %llu\n", name,
				   port_bin_end(i), c->occupancy[i]);
	}
}

static int port_show(struct seq_file *m, void *v)
{
	struct port_net *pn = net_generic(seq_file_single_net(m), port_net_id);
	struct port *p;
	u64 now;

	rtnl_lock();
	list_for_each_entry(p, &pn->ports, node) {
		sch_tree_lock(p->sch);
		now = lab_now_ps();
		port_run(p, now);
		port_hold(p, 0, now);
		port_show_one(m, p);
		sch_tree_unlock(p->sch);
	}
	rtnl_unlock();
	return 0;
}

static void port_clear_all(struct port_net *pn)
{
	struct port *p;

	list_for_each_entry(p, &pn->ports, node) {
		sch_tree_lock(p->sch);
		port_run(p, lab_now_ps());
		port_clear(p);
		sch_tree_unlock(p->sch);
	}
}

static const struct lab_key port_keys[] = {
	LAB_KEY(port_settings, rate, 1000000, 1000000000000),
	LAB_KEY(port_settings, delay, 0, 1000000000),
	LAB_KEY(port_settings, buffer, 0, 1 << 30),
	LAB_KEY(port_settings, mark, 0, 1 << 30),
	LAB_KEY(port_settings, shared, 0, 1),
	LAB_KEY(port_settings, host, 0, 1),
};

static int port_write(struct file *file, char *text, size_t size)
{
	struct port_net *pn = net_generic(seq_file_single_net(file->private_data), port_net_id);
	struct port_settings settings;
	char *word;
	int err = 0;

	rtnl_lock();
	settings = pn->defaults;
	while (!err && (word = strsep(&text, " \t\n"))) {
		if (!strcmp(word, "reset"))
			port_clear_all(pn);
		else if (*word)
			err = lab_set(&settings, port_keys, ARRAY_SIZE(port_keys), word);
	}
	if (!err)
		pn->defaults = settings;
	rtnl_unlock();
	return err;
}

static int __net_init port_net_init(struct net *net)
{
	struct port_net *pn = net_generic(net, port_net_id);

	INIT_LIST_HEAD(&pn->ports);
	pn->defaults = (struct port_settings){ .rate = 10000000000, .buffer = 1 << 20 };
	if (!proc_create_net_single_write("sch_port", 0600, net->proc_net, port_show,
					  port_write, NULL))
		return -ENOMEM;
	return 0;
}

static void __net_exit port_net_exit(struct net *net)
{
	remove_proc_entry("sch_port", net->proc_net);
}

static struct pernet_operations port_net_ops = {
	.init = port_net_init,
	.exit = port_net_exit,
	.id = &port_net_id,
	.size = sizeof(struct port_net),
};

static int __init port_module_init(void)
{
	int err = register_pernet_subsys(&port_net_ops);

	if (err)
		return err;
	err = register_qdisc(&port_ops);
	if (err)
		unregister_pernet_subsys(&port_net_ops);
	return err;
}

static void __exit port_module_exit(void)
{
	unregister_qdisc(&port_ops);
	unregister_pernet_subsys(&port_net_ops);
}

module_init(port_module_init);
module_exit(port_module_exit);
MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("A port of a simulated switch");
