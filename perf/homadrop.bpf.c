// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Which Homa packets are dropped: by Homa itself, and by the rest of the kernel.
 *
 * Homa tells why before it frees a packet; that the kernel then frees it, for a reason of
 * its own list, is the same drop, and not counted again.
 */
#include "vmlinux.h"
#include "lib/events.h"		/* before bpf_helpers.h, which has an __array, too */
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "homadrop.h"
#include "lib/packet.bpf.h"

const volatile u32 only_netns;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_KEYS);
	__type(key, struct drop_key);
	__type(value, u64);
} drops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, MAX_KEYS);
	__uint(key_size, sizeof(u32));
	__uint(value_size, STACK_FRAMES * sizeof(u64));
} stacks SEC(".maps");

/* The packet that Homa drops on this CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} own SEC(".maps");

u64 lost;

static void drop_count(void *ctx, struct drop_key *key)
{
	u64 zero = 0, *count;

	key->stack = bpf_get_stackid(ctx, &stacks, 0);
	bpf_map_update_elem(&drops, key, &zero, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&drops, key);
	__sync_fetch_and_add(count ? count : &lost, 1);
}

SEC("tracepoint/homa/homa_drop")
int on_homa_drop(struct trace_event_raw_homa_drop *e)
{
	struct drop_key key = { .by = BY_HOMA, .why = e->why, .type = e->type };
	u32 zero = 0;
	u64 skb = (u64)e->skb;

	bpf_map_update_elem(&own, &zero, &skb, BPF_ANY);
	if (!only_netns || only_netns == e->netns)
		drop_count(e, &key);
	return 0;
}

/* Homa's own, which has been counted? */
static bool drop_is_own(struct sk_buff *skb)
{
	u32 zero = 0;
	u64 *last = bpf_map_lookup_elem(&own, &zero);

	if (!last || *last != (u64)skb)
		return false;
	*last = 0;
	return true;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(on_kfree_skb, struct sk_buff *skb, void *location, u32 reason)
{
	struct drop_key key = { .by = BY_KERNEL, .why = reason };
	struct packet packet = {};
	u32 netns;

	if (drop_is_own(skb) || !packet_homa(skb, &packet))
		return 0;
	netns = packet_netns(skb);
	if (only_netns && netns && only_netns != netns)
		return 0;
	key.type = packet.type;
	drop_count(ctx, &key);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
