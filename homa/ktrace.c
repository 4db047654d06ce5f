// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* What the rest of the kernel does with packets, in a host's timetrace: when they
 * come to queueing disciplines, devices and softirqs, or are dropped, those of TCP,
 * too; when devices are polled and their queues stop; when threads take turns. The
 * reference needs a patched kernel for that; here probes are put on the kernel's own
 * tracepoints, found by name, so that a kernel without one of them lacks its events
 * and nothing else.
 *
 * net.homa.trace_kernel switches it on for a host, and is off otherwise: then no
 * tracepoint has a probe, and nothing is slower. Probes are put there for the first
 * host that wants them, and removed after the last. A packet is recorded by the
 * host whose device it meets, at each device if there are several; what belongs to
 * no host, by all that want it.
 *
 * A probe finds its host by a device, a socket or a thread. Each keeps its namespace
 * from ending, so hosts are there while a probe runs; those that it finds on the list
 * are there until a grace period after they were taken off.
 */
#include <linux/capability.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/nsproxy.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/tcp.h>
#include <linux/tracepoint.h>
#include <net/inet_sock.h>
#include <net/sch_generic.h>
#include <trace/events/irq.h>
#include <trace/events/napi.h>
#include <trace/events/net.h>
#include <trace/events/sched.h>
#include <trace/events/skb.h>
#include <trace/events/tcp.h>

#include "ktrace.h"
#include "net.h"
#include "offload.h"
#include "wire.h"

/**
 * struct ktrace_homa - what a Homa header says
 * @type: packet type
 * @id: as timetraces show it
 * @offset: of DATA or GRANT; else 0
 * @length: bytes of data
 */
struct ktrace_homa {
	u8 type;
	u32 id;
	u32 offset;
	u32 length;
};

/**
 * struct ktrace_tcp - what a TCP header says
 * @from: low halves of the sender's address, and port
 * @to: of the receiver's
 * @bytes: of data
 * @seq: of the first of them; without any, the acknowledged number
 */
struct ktrace_tcp {
	u32 from;
	u32 to;
	u32 bytes;
	u32 seq;
};

/**
 * struct ktrace_pkt - what a packet's headers say
 * @proto: IPPROTO_HOMA or IPPROTO_TCP
 * @prio: the three highest bits of the DSCP
 * @src: address of the sender, as timetraces show it
 * @dst: of the receiver
 * @l4: offset of the header of @proto in the packet
 * @bytes: after the IP header
 * @homa: if @proto is Homa's
 * @tcp: if it is TCP's
 */
struct ktrace_pkt {
	u8 proto;
	u8 prio;
	u32 src;
	u32 dst;
	int l4;
	u32 bytes;
	union {
		struct ktrace_homa homa;
		struct ktrace_tcp tcp;
	};
};

/* Reads the IP header at an offset. */
static bool pkt_ip(const struct sk_buff *skb, int at, struct ktrace_pkt *pkt)
{
	union {
		struct iphdr v4;
		struct ipv6hdr v6;
	} buf;
	const struct ipv6hdr *ip6;
	const struct iphdr *ip;

	if (skb->protocol == htons(ETH_P_IP)) {
		ip = skb_header_pointer(skb, at, sizeof(*ip), &buf);
		if (!ip || ip->frag_off & htons(IP_OFFSET))
			return false;
		*pkt = (struct ktrace_pkt) {
			.proto = ip->protocol, .prio = ip->tos >> 5,
			.src = ntohl(ip->saddr), .dst = ntohl(ip->daddr),
			.l4 = at + ip->ihl * 4,
		};
	} else if (skb->protocol == htons(ETH_P_IPV6)) {
		ip6 = skb_header_pointer(skb, at, sizeof(*ip6), &buf);
		if (!ip6)
			return false;
		*pkt = (struct ktrace_pkt) {
			.proto = ip6->nexthdr, .prio = ip6->priority >> 1,
			.src = tt_addr6(&ip6->saddr), .dst = tt_addr6(&ip6->daddr),
			.l4 = at + sizeof(*ip6),
		};
	} else {
		return false;
	}
	pkt->bytes = (int)skb->len > pkt->l4 ? skb->len - pkt->l4 : 0;
	return true;
}

static bool pkt_homa(const struct sk_buff *skb, struct ktrace_pkt *pkt)
{
	struct homa_data_hdr buf;
	const struct homa_common_hdr *h;
	const struct homa_grant_hdr *grant;
	const struct homa_data_hdr *data;

	h = skb_header_pointer(skb, pkt->l4, sizeof(*h), &buf);
	if (!h)
		return false;
	pkt->homa = (struct ktrace_homa) {
		.type = h->type,
		.id = homa_id_traced(be64_to_cpu(h->sender_id)),
	};
	if (h->type == HOMA_DATA) {
		data = skb_header_pointer(skb, pkt->l4, sizeof(*data), &buf);
		if (!data)
			return false;
		pkt->homa.offset = homa_data_offset(data);
		pkt->homa.length = homa_offload_data(skb, data, pkt->bytes);
	} else if (h->type == HOMA_GRANT) {
		grant = skb_header_pointer(skb, pkt->l4, sizeof(*grant), &buf);
		if (!grant)
			return false;
		pkt->homa.offset = ntohl(grant->offset);
	}
	return true;
}

static bool pkt_tcp(const struct sk_buff *skb, struct ktrace_pkt *pkt)
{
	const struct tcphdr *h;
	struct tcphdr buf;
	u32 header, bytes;

	h = skb_header_pointer(skb, pkt->l4, sizeof(*h), &buf);
	if (!h)
		return false;
	header = h->doff * 4;
	bytes = pkt->bytes > header ? pkt->bytes - header : 0;
	pkt->tcp = (struct ktrace_tcp) {
		.from = pkt->src << 16 | ntohs(h->source),
		.to = pkt->dst << 16 | ntohs(h->dest),
		.bytes = bytes,
		.seq = ntohl(bytes ? h->seq : h->ack_seq),
	};
	return true;
}

/* Reads the headers of a packet, the IP header being at an offset; false if it is
 * neither Homa's nor TCP's.
 */
static bool pkt_read(const struct sk_buff *skb, int at, struct ktrace_pkt *pkt)
{
	if (!pkt_ip(skb, at, pkt))
		return false;
	if (pkt->proto == IPPROTO_HOMA)
		return pkt_homa(skb, pkt);
	return pkt->proto == IPPROTO_TCP && pkt_tcp(skb, pkt);
}

/* The host of a namespace, if it wants to know. */
static struct homa_net *ktrace_host(struct net *net)
{
	struct homa_net *hn;

	/* What drivers have a dummy device for is in no namespace. */
	if (!net)
		return NULL;
	hn = homa_net(net);

	/* NULL in a namespace that is being made. */
	return hn && READ_ONCE(hn->live) && READ_ONCE(hn->ktrace.on) ? hn : NULL;
}

/* The host of a socket that keeps its namespace; those of the kernel need not. */
static struct homa_net *sock_host(const struct sock *sk)
{
	if (!sk || !sk_fullsock(sk) || !sk->sk_net_refcnt)
		return NULL;
	return ktrace_host(sock_net(sk));
}

#define tcp_event(hn, name, pkt)					\
do {									\
	const struct ktrace_tcp *tcp = &(pkt).tcp;			\
									\
	tt_event(hn, name, tcp->from, tcp->to, tcp->bytes, tcp->seq);	\
} while (0)

/* A packet, of whatever protocol, is given to a device: is its queue stopped? The
 * kernel does not ask a discipline for packets then, so this is where it shows.
 */
static void record_stopped(struct homa_net *hn, const struct sk_buff *skb)
{
	u16 queue = skb_get_queue_mapping(skb);
	const struct netdev_queue *txq = netdev_get_tx_queue(skb->dev, queue);

	if (netif_xmit_frozen_or_stopped(txq))
		tt_event(hn, TXQ_STOPPED, queue,
			 qdisc_qlen_sum(rcu_dereference_bh(txq->qdisc)));
}

/* A packet is given to the queueing discipline of a device. */
static void probe_queue(void *data, struct sk_buff *skb)
{
	struct homa_net *hn = ktrace_host(dev_net(skb->dev));
	struct ktrace_pkt pkt;

	if (!hn)
		return;
	record_stopped(hn, skb);
	if (!pkt_read(skb, skb_network_offset(skb), &pkt))
		return;
	if (pkt.proto == IPPROTO_TCP)
		tcp_event(hn, TCP_QUEUE, pkt);
	else if (pkt.homa.type == HOMA_DATA)
		tt_event(hn, QDISC_DATA, pkt.homa.id, pkt.homa.offset,
			 skb_get_queue_mapping(skb));
}

/* A packet is given to a device. */
static void probe_xmit(void *data, const struct sk_buff *skb,
		       const struct net_device *dev)
{
	struct homa_net *hn = ktrace_host(dev_net(dev));
	struct ktrace_pkt pkt;

	if (!hn || !pkt_read(skb, skb_network_offset(skb), &pkt))
		return;
	if (pkt.proto == IPPROTO_TCP)
		tcp_event(hn, TCP_NIC, pkt);
	else if (pkt.homa.type == HOMA_DATA)
		tt_event(hn, NIC_DATA, pkt.homa.id, pkt.homa.offset,
			 pkt.homa.length, skb_get_queue_mapping(skb));
	else if (pkt.homa.type == HOMA_GRANT)
		tt_event(hn, NIC_GRANT, pkt.homa.id, pkt.homa.offset,
			 skb_get_queue_mapping(skb));
}

/* A device gives a packet to the kernel, before it is merged with others. */
static void probe_arrive(void *data, const struct sk_buff *skb)
{
	struct homa_net *hn = ktrace_host(dev_net(skb->dev));
	struct ktrace_pkt pkt;

	if (!hn || !pkt_read(skb, 0, &pkt))
		return;
	if (pkt.proto == IPPROTO_TCP)
		tcp_event(hn, TCP_GRO, pkt);
	else if (pkt.homa.type == HOMA_DATA)
		tt_event(hn, GRO_DATA, pkt.src, pkt.homa.id,
			 pkt.homa.offset, pkt.prio);
	else if (pkt.homa.type == HOMA_GRANT)
		tt_event(hn, GRO_GRANT, pkt.src, pkt.homa.id,
			 pkt.homa.offset, pkt.prio);
	else
		tt_event(hn, GRO_OTHER, pkt.src, pkt.homa.id, pkt.homa.type);
}

/* A softirq begins to handle a packet. */
static void probe_receive(void *data, struct sk_buff *skb)
{
	struct homa_net *hn = ktrace_host(dev_net(skb->dev));
	struct ktrace_pkt pkt;

	if (!hn || !pkt_read(skb, 0, &pkt))
		return;
	if (pkt.proto == IPPROTO_TCP)
		tcp_event(hn, TCP_SOFTIRQ, pkt);
	else
		tt_event(hn, SOFTIRQ_START, pkt.src, pkt.homa.id,
			 pkt.homa.type);
}

static void probe_poll(void *data, struct napi_struct *napi, int work, int budget)
{
	struct homa_net *hn = napi->dev ? ktrace_host(dev_net(napi->dev)) : NULL;

	if (hn)
		tt_event(hn, NAPI_POLL, napi->dev->ifindex, work, budget);
}

/* Somebody drops a packet that a socket of the host has sent. Packets that come in
 * belong to no socket; and skb->dev cannot tell their host, since queues keep other
 * things in its place.
 */
static void record_drop(const struct sk_buff *skb, enum skb_drop_reason reason)
{
	struct homa_net *hn = sock_host(skb->sk);
	struct ktrace_pkt pkt;

	if (!hn || !pkt_read(skb, skb_network_offset(skb), &pkt))
		return;
	if (pkt.proto == IPPROTO_TCP)
		tt_event(hn, TCP_DROPPED, pkt.tcp.from, pkt.tcp.to,
			 pkt.tcp.seq, reason);
	else
		tt_event(hn, KERNEL_DROP, pkt.dst, pkt.homa.id, pkt.homa.type,
			 reason);
}

static void __maybe_unused probe_drop(void *data, struct sk_buff *skb,
				      void *location,
				      enum skb_drop_reason reason)
{
	record_drop(skb, reason);
}

static void __maybe_unused probe_drop_sk(void *data, struct sk_buff *skb,
					 void *location,
					 enum skb_drop_reason reason,
					 struct sock *receiver)
{
	record_drop(skb, reason);
}

static void __maybe_unused probe_drop_const_sk(void *data, struct sk_buff *skb,
					       void *location,
					       enum skb_drop_reason reason,
					       const struct sock *receiver)
{
	record_drop(skb, reason);
}

/* The tracepoint has got an argument, which has become const. */
#define PROBE_DROP _Generic(&trace_kfree_skb,				\
	void (*)(struct sk_buff *, void *, enum skb_drop_reason):	\
		probe_drop,						\
	void (*)(struct sk_buff *, void *, enum skb_drop_reason,	\
		 struct sock *):					\
		probe_drop_sk,						\
	void (*)(struct sk_buff *, void *, enum skb_drop_reason,	\
		 const struct sock *):					\
		probe_drop_const_sk)

/* An application has read from a TCP connection. */
static void probe_tcp_read(void *data, struct sock *sk)
{
	struct homa_net *hn = sock_host(sk);
	const struct inet_sock *inet = inet_sk(sk);

	if (hn)
		tt_event(hn, TCP_READ,
			 ntohl(inet->inet_daddr) << 16 | ntohs(inet->inet_dport),
			 ntohl(inet->inet_saddr) << 16 | ntohs(inet->inet_sport),
			 READ_ONCE(tcp_sk(sk)->copied_seq));
}

/* Hosts that trace the kernel. Written under mutex; read under RCU. */
static struct {
	struct mutex mutex;
	struct list_head hosts;
} ktrace = {
	.mutex = __MUTEX_INITIALIZER(ktrace.mutex),
	.hosts = LIST_HEAD_INIT(ktrace.hosts),
};

/* Record what belongs to no host. */
#define FOR_ALL_HOSTS(hn) \
	list_for_each_entry_rcu(hn, &ktrace.hosts, ktrace.links, \
				lockdep_is_held(&ktrace.mutex))

static void probe_softirq_entry(void *data, unsigned int vector)
{
	struct homa_net *hn;

	if (vector != NET_RX_SOFTIRQ && vector != NET_TX_SOFTIRQ)
		return;
	rcu_read_lock();
	FOR_ALL_HOSTS(hn)
		tt_event(hn, SOFTIRQ_ENTRY, vector);
	rcu_read_unlock();
}

static void probe_softirq_exit(void *data, unsigned int vector)
{
	struct homa_net *hn;

	if (vector != NET_RX_SOFTIRQ && vector != NET_TX_SOFTIRQ)
		return;
	rcu_read_lock();
	FOR_ALL_HOSTS(hn)
		tt_event(hn, SOFTIRQ_EXIT, vector);
	rcu_read_unlock();
}

/* The host of a thread: its own namespaces are changed by itself alone, and it does
 * not run on, so they stay as they are.
 */
static struct homa_net *task_host(struct task_struct *task)
{
	struct nsproxy *ns = READ_ONCE(task->nsproxy);

	return ns && !(task->flags & PF_KTHREAD) ? ktrace_host(ns->net_ns) : NULL;
}

static void probe_switch(void *data, bool preempt, struct task_struct *prev,
			 struct task_struct *next, unsigned int state)
{
	struct homa_net *from = task_host(prev);
	struct homa_net *to = task_host(next);

	if (from)
		tt_event(from, TASK_SWITCH, prev->pid, next->pid);
	if (to && to != from)
		tt_event(to, TASK_SWITCH, prev->pid, next->pid);
}

/**
 * struct ktrace_probe - a function to be called at a tracepoint
 * @name: the tracepoint's
 * @fn: the function
 * @tp: the tracepoint, if the kernel has it and @fn is called there
 */
struct ktrace_probe {
	const char *name;
	void *fn;
	struct tracepoint *tp;
};

#define PROBE(point, function) { .name = #point, .fn = function }

static struct ktrace_probe ktrace_probes[] = {
	PROBE(net_dev_queue, probe_queue),
	PROBE(net_dev_start_xmit, probe_xmit),
	PROBE(napi_gro_receive_entry, probe_arrive),
	PROBE(netif_rx_entry, probe_arrive),
	PROBE(netif_receive_skb, probe_receive),
	PROBE(napi_poll, probe_poll),
	PROBE(tcp_rcv_space_adjust, probe_tcp_read),
	PROBE(softirq_entry, probe_softirq_entry),
	PROBE(softirq_exit, probe_softirq_exit),
	PROBE(kfree_skb, PROBE_DROP),
	PROBE(sched_switch, probe_switch),
};

/* Tracepoints take any pointer: has the compiler compare the functions' types. */
static void __maybe_unused probes_check(void)
{
	check_trace_callback_type_net_dev_queue(probe_queue);
	check_trace_callback_type_net_dev_start_xmit(probe_xmit);
	check_trace_callback_type_napi_gro_receive_entry(probe_arrive);
	check_trace_callback_type_netif_rx_entry(probe_arrive);
	check_trace_callback_type_netif_receive_skb(probe_receive);
	check_trace_callback_type_napi_poll(probe_poll);
	check_trace_callback_type_tcp_rcv_space_adjust(probe_tcp_read);
	check_trace_callback_type_softirq_entry(probe_softirq_entry);
	check_trace_callback_type_softirq_exit(probe_softirq_exit);
	check_trace_callback_type_kfree_skb(PROBE_DROP);
	check_trace_callback_type_sched_switch(probe_switch);
}

static void probe_find(struct tracepoint *tp, void *arg)
{
	struct ktrace_probe *probe = arg;

	if (!strcmp(tp->name, probe->name))
		probe->tp = tp;
}

static void probes_remove(void)
{
	struct ktrace_probe *probe;

	for (probe = ktrace_probes;
	     probe < ktrace_probes + ARRAY_SIZE(ktrace_probes); probe++) {
		if (probe->tp)
			tracepoint_probe_unregister(probe->tp, probe->fn, NULL);
		probe->tp = NULL;
	}
}

static int probes_add(void)
{
	struct ktrace_probe *probe;
	int err;

	for (probe = ktrace_probes;
	     probe < ktrace_probes + ARRAY_SIZE(ktrace_probes); probe++) {
		for_each_kernel_tracepoint(probe_find, probe);
		if (!probe->tp)
			continue;
		err = tracepoint_probe_register(probe->tp, probe->fn, NULL);
		if (err) {
			probe->tp = NULL;
			probes_remove();
			return err;
		}
	}
	return 0;
}

static int ktrace_on(struct homa_net *hn)
{
	int err = list_empty(&ktrace.hosts) ? probes_add() : 0;

	if (err)
		return err;
	list_add_rcu(&hn->ktrace.links, &ktrace.hosts);
	WRITE_ONCE(hn->ktrace.on, 1);
	return 0;
}

static void ktrace_off(struct homa_net *hn)
{
	WRITE_ONCE(hn->ktrace.on, 0);
	list_del_rcu(&hn->ktrace.links);
	if (list_empty(&ktrace.hosts))
		probes_remove();

	/* The host may be freed, and the module: no probe runs any more, and none
	 * has the host from the list.
	 */
	tracepoint_synchronize_unregister();
	synchronize_rcu();
}

/**
 * homa_ktrace_set() - begin or cease to trace what the kernel does for a host
 * @hn: host
 * @on: begin
 *
 * Context: process, sleeps.
 * Return: 0 or a negative errno
 */
int homa_ktrace_set(struct homa_net *hn, bool on)
{
	int err = 0;

	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		return on ? -EOPNOTSUPP : 0;
	mutex_lock(&ktrace.mutex);
	if (on && !hn->ktrace.on)
		err = ktrace_on(hn);
	else if (!on && hn->ktrace.on)
		ktrace_off(hn);
	mutex_unlock(&ktrace.mutex);
	return err;
}

/**
 * __homa_ktrace_freed() - record that a device is done with a packet
 * @hn: host that sent it
 * @skb: packet, in whatever state the network has left it
 *
 * Of a frame that was cut only the last packet comes here.
 *
 * Context: any.
 */
void __homa_ktrace_freed(struct homa_net *hn, const struct sk_buff *skb)
{
	struct ktrace_pkt pkt;

	if (!pkt_read(skb, skb_network_offset(skb), &pkt) ||
	    pkt.proto != IPPROTO_HOMA)
		return;
	if (pkt.homa.type == HOMA_DATA)
		tt_event(hn, DATA_FREED, pkt.homa.id, pkt.homa.offset,
			 pkt.homa.length, skb_get_queue_mapping(skb));
	else if (pkt.homa.type == HOMA_GRANT)
		tt_event(hn, GRANT_FREED, pkt.homa.id, pkt.homa.offset,
			 skb_get_queue_mapping(skb));
}
