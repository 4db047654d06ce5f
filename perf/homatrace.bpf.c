// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* What the rest of the kernel does with packets, as records of a timetrace: the same
 * events that the module records itself with net.homa.trace_kernel, from the same
 * tracepoints, for hosts where nothing but tracing from outside is wanted.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "homatrace.h"
#include "lib/packet.bpf.h"
#include "homa_tracefile.h"

#define NET_TX 2			/* vectors of softirqs */
#define NET_RX 3
#define TXQ_OFF 7			/* bits of netdev_queue.state: stopped or frozen */

const volatile u32 netns;		/* the host */
const volatile u64 wake_bytes;		/* in the buffer: the program takes them at once */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 24);	/* homatrace --buffer */
} events SEC(".maps");

u64 lost;

static __noinline void trace(u32 event, u64 ab, u64 cd)
{
	struct tt_file_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	bool wake;

	if (!e) {
		__sync_fetch_and_add(&lost, 1);
		return;
	}
	e->time = bpf_ktime_get_ns();
	e->format = event;
	e->ring = bpf_get_smp_processor_id();
	e->zero = 0;
	e->arg[0] = ab >> 32;
	e->arg[1] = ab;
	e->arg[2] = cd >> 32;
	e->arg[3] = cd;

	/* To wake it for each event would cost more than all the rest. */
	wake = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > wake_bytes;
	bpf_ringbuf_submit(e, wake ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

/* Functions of BPF take five arguments at most. */
#define TRACE(event, a, b, c, d) \
	trace(TT_##event, (u64)(u32)(a) << 32 | (u32)(b), (u64)(u32)(c) << 32 | (u32)(d))

static __always_inline bool is_ours(struct net_device *dev)
{
	return dev && dev->nd_net.net->ns.inum == netns;
}

/* A Homa packet's header. */
struct homa {
	u32 id, offset, length;
	u8 type;
};

static __always_inline bool homa_parse(struct sk_buff *skb, const struct packet *p,
				       struct homa *homa)
{
	struct homa_data_hdr h;

	if (bpf_probe_read_kernel(&h, sizeof(h.common), skb->head + p->at))
		return false;
	homa->type = h.common.type;
	homa->id = bpf_be64_to_cpu(h.common.sender_id) & ~1ULL;
	homa->offset = homa->length = 0;
	if (homa->type != HOMA_DATA && homa->type != HOMA_GRANT)
		return true;
	if (bpf_probe_read_kernel(&h, sizeof(h), skb->head + p->at))
		return false;
	if (homa->type == HOMA_GRANT) {
		homa->offset = bpf_ntohl(((struct homa_grant_hdr *)&h)->offset);
		return true;
	}
	homa->offset = bpf_ntohl(h.offset == bpf_htonl(HOMA_OFFSET_IN_SEQUENCE) ?
				 h.common.sequence : h.offset);
	homa->length = p->bytes - sizeof(h);
	return true;
}

/* A TCP header; ends of a connection are the low halves of address and port. */
struct tcp {
	u32 from, to, bytes, seq;
};

static __always_inline bool tcp_parse(struct sk_buff *skb, const struct packet *p,
				      struct tcp *tcp)
{
	struct tcphdr h;
	u32 header;

	if (bpf_probe_read_kernel(&h, sizeof(h), skb->head + p->at))
		return false;
	header = h.doff * 4;
	tcp->from = p->saddr << 16 | bpf_ntohs(h.source);
	tcp->to = p->daddr << 16 | bpf_ntohs(h.dest);
	tcp->bytes = p->bytes > header ? p->bytes - header : 0;
	tcp->seq = bpf_ntohl(tcp->bytes ? h.seq : h.ack_seq);
	return true;
}

#define TRACE_TCP(event, skb, p) do { \
	struct tcp tcp; \
	if (tcp_parse(skb, p, &tcp)) \
		TRACE(event, tcp.from, tcp.to, tcp.bytes, tcp.seq); \
} while (0)

/* A packet, of whatever protocol, is given to a device: is its queue stopped? */
static __always_inline void trace_stopped(struct sk_buff *skb)
{
	u64 size = bpf_core_type_size(struct netdev_queue);
	struct netdev_queue *txq = (void *)((u64)skb->dev->_tx + skb->queue_mapping * size);

	if (BPF_CORE_READ(txq, state) & TXQ_OFF)
		TRACE(TXQ_STOPPED, skb->queue_mapping, BPF_CORE_READ(txq, qdisc, q.qlen), 0, 0);
}

SEC("tp_btf/net_dev_queue")
int BPF_PROG(on_queue, struct sk_buff *skb)
{
	struct packet p = {};
	struct homa homa;

	if (!is_ours(skb->dev))
		return 0;
	trace_stopped(skb);
	if (!packet_ip(skb, skb->network_header, &p))
		return 0;
	if (p.proto == IPPROTO_TCP)
		TRACE_TCP(TCP_QUEUE, skb, &p);
	else if (p.proto == IPPROTO_HOMA && homa_parse(skb, &p, &homa) &&
		 homa.type == HOMA_DATA)
		TRACE(QDISC_DATA, homa.id, homa.offset, skb->queue_mapping, 0);
	return 0;
}

SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(on_xmit, struct sk_buff *skb, struct net_device *dev)
{
	struct packet p = {};
	struct homa homa;

	if (!is_ours(dev) || !packet_ip(skb, skb->network_header, &p))
		return 0;
	if (p.proto == IPPROTO_TCP)
		TRACE_TCP(TCP_NIC, skb, &p);
	if (p.proto != IPPROTO_HOMA || !homa_parse(skb, &p, &homa))
		return 0;
	if (homa.type == HOMA_DATA)
		TRACE(NIC_DATA, homa.id, homa.offset, homa.length, skb->queue_mapping);
	else if (homa.type == HOMA_GRANT)
		TRACE(NIC_GRANT, homa.id, homa.offset, skb->queue_mapping, 0);
	return 0;
}

/* A device gives a packet to the kernel, before it is merged with others. */
static __always_inline int arrive(struct sk_buff *skb)
{
	struct packet p = {};
	struct homa homa;

	if (!is_ours(skb->dev) || !packet_ip(skb, skb->data - skb->head, &p))
		return 0;
	if (p.proto == IPPROTO_TCP)
		TRACE_TCP(TCP_GRO, skb, &p);
	if (p.proto != IPPROTO_HOMA || !homa_parse(skb, &p, &homa))
		return 0;
	if (homa.type == HOMA_DATA)
		TRACE(GRO_DATA, p.saddr, homa.id, homa.offset, p.prio);
	else if (homa.type == HOMA_GRANT)
		TRACE(GRO_GRANT, p.saddr, homa.id, homa.offset, p.prio);
	else
		TRACE(GRO_OTHER, p.saddr, homa.id, homa.type, 0);
	return 0;
}

SEC("tp_btf/napi_gro_receive_entry")
int BPF_PROG(on_gro, struct sk_buff *skb)
{
	return arrive(skb);
}

SEC("tp_btf/netif_rx_entry")
int BPF_PROG(on_rx, struct sk_buff *skb)
{
	return arrive(skb);
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(on_receive, struct sk_buff *skb)
{
	struct packet p = {};
	struct homa homa;

	if (!is_ours(skb->dev) || !packet_ip(skb, skb->data - skb->head, &p))
		return 0;
	if (p.proto == IPPROTO_TCP)
		TRACE_TCP(TCP_SOFTIRQ, skb, &p);
	else if (p.proto == IPPROTO_HOMA && homa_parse(skb, &p, &homa))
		TRACE(SOFTIRQ_START, p.saddr, homa.id, homa.type, 0);
	return 0;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(on_drop, struct sk_buff *skb, void *location, u32 reason)
{
	struct packet p = {};

	/* Packets that come in belong to no socket; the peer is the other host. */
	if (packet_homa(skb, &p) && packet_netns(skb) == netns)
		TRACE(KERNEL_DROP, skb->sk ? p.daddr : p.saddr, p.id, p.type, reason);
	return 0;
}

SEC("tp_btf/napi_poll")
int BPF_PROG(on_poll, struct napi_struct *napi, int work, int budget)
{
	struct net_device *dev = napi->dev;

	if (is_ours(dev))
		TRACE(NAPI_POLL, dev->ifindex, work, budget, 0);
	return 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(on_tcp_read, struct sock *sk)
{
	u32 seq = BPF_CORE_READ((struct tcp_sock *)sk, copied_seq);
	struct sock_common *c = &sk->__sk_common;

	if (c->skc_net.net->ns.inum == netns)
		TRACE(TCP_READ, bpf_ntohl(c->skc_daddr) << 16 | bpf_ntohs(c->skc_dport),
		      bpf_ntohl(c->skc_rcv_saddr) << 16 | c->skc_num, seq, 0);
	return 0;
}

SEC("tp_btf/softirq_entry")
int BPF_PROG(on_softirq, unsigned int vector)
{
	if (vector == NET_TX || vector == NET_RX)
		TRACE(SOFTIRQ_ENTRY, vector, 0, 0, 0);
	return 0;
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(on_softirq_exit, unsigned int vector)
{
	if (vector == NET_TX || vector == NET_RX)
		TRACE(SOFTIRQ_EXIT, vector, 0, 0, 0);
	return 0;
}

static __always_inline bool task_is_ours(struct task_struct *task)
{
	struct nsproxy *ns = task->nsproxy;

	return ns && ns->net_ns->ns.inum == netns;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	if (task_is_ours(prev) || task_is_ours(next))
		TRACE(TASK_SWITCH, prev->pid, next->pid, 0, 0);
	return 0;
}

SEC("tp_btf/contention_begin")
int BPF_PROG(on_contention, void *lock, unsigned int flags)
{
	TRACE(LOCK_WAIT, (u64)lock, flags, 0, 0);
	return 0;
}

SEC("tp_btf/contention_end")
int BPF_PROG(on_contention_end, void *lock, int result)
{
	TRACE(LOCK_GOT, (u64)lock, result, 0, 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
