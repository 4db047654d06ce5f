// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Where outgoing messages and packets wait: for the pacer, in the queueing discipline, in
 * the device. A packet is its sk_buff; of one that is cut into segments these are counted, and
 * no times known.
 */
#include "vmlinux.h"
#include "lib/events.h"		/* before bpf_helpers.h, which has an __array, too */
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "homaqueue.h"
#include "lib/hist.bpf.h"
#include "lib/packet.bpf.h"

#define MAX_WAITING 65536

const volatile u32 only_netns;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_DEVICES);
	__type(key, struct queue_dev);
	__type(value, struct device_sums);
} devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NUM_QUEUES);
	__type(key, u32);
	__type(value, struct hist);
} hists SEC(".maps");

/* Messages that wait for the pacer: since when. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_WAITING);
	__type(key, u64);
	__type(value, u64);
} messages SEC(".maps");

/* A packet on its way out. */
struct way {
	u64 queued;		/* given to the queueing discipline */
	u64 started;		/* given to the device, or 0 */
	u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_WAITING);
	__type(key, u64);
	__type(value, struct way);
} packets SEC(".maps");

u64 lost;

static struct device_sums *sums_of(u32 netns, u32 ifindex)
{
	struct queue_dev dev = { netns, ifindex };
	struct device_sums none = {}, *sums;

	if (only_netns && only_netns != netns)
		return NULL;
	sums = bpf_map_lookup_elem(&devices, &dev);
	if (sums)
		return sums;
	bpf_map_update_elem(&devices, &dev, &none, BPF_NOEXIST);
	sums = bpf_map_lookup_elem(&devices, &dev);
	if (!sums)
		__sync_fetch_and_add(&lost, 1);
	return sums;
}

static __always_inline void level_add(struct level *level, s64 change)
{
	s64 now = __sync_fetch_and_add(&level->now, change) + change;

	if (now > level->max)
		level->max = now;
}

static __noinline void record(enum queue queue, u64 ns)
{
	u32 key = queue;
	struct hist *h = bpf_map_lookup_elem(&hists, &key);

	if (h)
		hist_count(h, ns);
}

SEC("tracepoint/homa/homa_pacer_wait")
int on_pacer_wait(struct trace_event_raw_homa_pacer *e)
{
	struct device_sums *sums = sums_of(e->netns, e->ifindex);
	u64 id = e->id, now = bpf_ktime_get_ns();

	if (!sums)
		return 0;
	__sync_fetch_and_add(&sums->waits, 1);
	level_add(&sums->messages, 1);
	sums->limit = e->limit;
	bpf_map_update_elem(&messages, &id, &now, BPF_ANY);
	return 0;
}

SEC("tracepoint/homa/homa_pacer_done")
int on_pacer_done(struct trace_event_raw_homa_pacer *e)
{
	struct device_sums *sums = sums_of(e->netns, e->ifindex);
	u64 id = e->id, *since;

	since = bpf_map_lookup_elem(&messages, &id);
	if (!sums || !since)
		return 0;
	record(QUEUE_pacer, bpf_ktime_get_ns() - *since);
	level_add(&sums->messages, -1);
	bpf_map_delete_elem(&messages, &id);
	return 0;
}

SEC("tp_btf/net_dev_queue")
int BPF_PROG(on_queue, struct sk_buff *skb)
{
	struct way way = { .queued = bpf_ktime_get_ns(), .bytes = skb->len };
	struct net_device *dev = skb->dev;
	struct packet packet = {};
	struct device_sums *sums;
	u64 key = (u64)skb;

	if (!packet_homa(skb, &packet))
		return 0;
	sums = sums_of(dev->nd_net.net->ns.inum, dev->ifindex);
	if (!sums)
		return 0;
	if (!sums->name[0])
		bpf_probe_read_kernel_str(sums->name, NAME_BYTES, dev->name);
	level_add(&sums->qdisc, 1);
	bpf_map_update_elem(&packets, &key, &way, BPF_ANY);
	return 0;
}

SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(on_start, struct sk_buff *skb, struct net_device *dev)
{
	u64 key = (u64)skb, now = bpf_ktime_get_ns();
	struct way *way = bpf_map_lookup_elem(&packets, &key);
	struct device_sums *sums;
	struct packet packet = {};

	if (!way && !packet_homa(skb, &packet))
		return 0;
	sums = sums_of(dev->nd_net.net->ns.inum, dev->ifindex);
	if (!sums)
		return 0;
	__sync_fetch_and_add(&sums->packets, 1);
	__sync_fetch_and_add(&sums->bytes, skb->len);
	if (!way)
		return 0;	/* part of what was given to the discipline as one */
	if (!way->started) {	/* else the device was busy, and it is tried again */
		record(QUEUE_qdisc, now - way->queued);
		level_add(&sums->qdisc, -1);
		level_add(&sums->device, way->bytes);
	}
	way->started = now;
	return 0;
}

SEC("tracepoint/homa/homa_tx_done")
int on_done(struct trace_event_raw_homa_tx_done *e)
{
	u64 key = (u64)e->skb;
	struct way *way = bpf_map_lookup_elem(&packets, &key);
	struct device_sums *sums = sums_of(e->netns, e->ifindex);

	if (!way || !sums)
		return 0;
	if (way->started) {
		record(QUEUE_device, bpf_ktime_get_ns() - way->started);
		level_add(&sums->device, -way->bytes);
	} else {
		level_add(&sums->qdisc, -1);
	}
	bpf_map_delete_elem(&packets, &key);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
