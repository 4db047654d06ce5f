// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Grants: who gives how much to whom, and what is granted and has not come. */
#include "vmlinux.h"
#include "lib/events.h"		/* before bpf_helpers.h, which has an __array, too */
#include <bpf/bpf_helpers.h>

#include "homagrant.h"

#define INCOMING 6		/* HOMA_INCOMING of homa/rpc.h; values appear in traces */

const volatile u32 only_netns;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_PEERS);
	__type(key, struct grant_peer);
	__type(value, struct grant_sums);
} peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_MESSAGES);
	__type(key, u64);
	__type(value, struct grant_message);
} incoming SEC(".maps");

/* Since when outgoing messages wait. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_MESSAGES);
	__type(key, u64);
	__type(value, u64);
} waiting SEC(".maps");

u64 lost;

/* The sums of the peer of an event; NULL: it is of another host, or there is no room. */
static struct grant_sums *sums_of(const struct trace_event_raw_homa_range *e,
				  struct grant_peer *peer)
{
	struct grant_sums none = {}, *sums;

	if (only_netns && only_netns != e->netns)
		return NULL;
	__builtin_memcpy(peer->addr, e->peer, ADDR_BYTES);
	sums = bpf_map_lookup_elem(&peers, peer);
	if (sums)
		return sums;
	bpf_map_update_elem(&peers, peer, &none, BPF_NOEXIST);
	sums = bpf_map_lookup_elem(&peers, peer);
	if (!sums)
		__sync_fetch_and_add(&lost, 1);
	return sums;
}

SEC("tracepoint/homa/homa_grant_sent")
int on_grant_sent(struct trace_event_raw_homa_range *e)
{
	struct grant_message new = {}, *message;
	struct grant_sums *sums = sums_of(e, &new.peer);
	u64 id = e->id;
	u32 prio = e->prio;

	if (!sums)
		return 0;
	__sync_fetch_and_add(&sums->sent, 1);
	__sync_fetch_and_add(&sums->sent_bytes, e->length);
	if (prio < NUM_PRIOS)
		__sync_fetch_and_add(&sums->prios[prio], 1);
	message = bpf_map_lookup_elem(&incoming, &id);
	if (message) {
		message->granted += e->length;
		message->offset = e->offset;
	} else {
		new.granted = e->length;
		new.offset = e->offset;
		bpf_map_update_elem(&incoming, &id, &new, BPF_ANY);
	}
	return 0;
}

/* What comes from behind where grants began was granted; the rest needed none. */
SEC("tracepoint/homa/homa_data_rcvd")
int on_data_rcvd(struct trace_event_raw_homa_range *e)
{
	struct grant_message *message;
	u64 id = e->id;

	message = bpf_map_lookup_elem(&incoming, &id);
	if (message && e->offset + e->length > message->offset - message->granted)
		message->arrived += e->length;
	return 0;
}

SEC("tracepoint/homa/homa_rpc_ready")
int on_ready(struct trace_event_raw_homa_message *e)
{
	u64 id = e->id;

	bpf_map_delete_elem(&incoming, &id);
	return 0;
}

/* Whatever becomes of an RPC, it is not coming in any more. */
SEC("tracepoint/homa/homa_rpc_state")
int on_state(struct trace_event_raw_homa_rpc_state *e)
{
	u64 id = e->id;

	if (e->to != INCOMING)
		bpf_map_delete_elem(&incoming, &id);
	return 0;
}

SEC("tracepoint/homa/homa_grant_wait")
int on_grant_wait(struct trace_event_raw_homa_range *e)
{
	u64 id = e->id, now = bpf_ktime_get_ns();

	if (!only_netns || only_netns == e->netns)
		bpf_map_update_elem(&waiting, &id, &now, BPF_NOEXIST);
	return 0;
}

SEC("tracepoint/homa/homa_grant_rcvd")
int on_grant_rcvd(struct trace_event_raw_homa_range *e)
{
	struct grant_peer peer = {};
	struct grant_sums *sums = sums_of(e, &peer);
	u64 id = e->id, *since;

	if (!sums)
		return 0;
	__sync_fetch_and_add(&sums->rcvd, 1);
	__sync_fetch_and_add(&sums->rcvd_bytes, e->length);
	since = bpf_map_lookup_elem(&waiting, &id);
	if (!since)
		return 0;
	__sync_fetch_and_add(&sums->waits, 1);
	__sync_fetch_and_add(&sums->wait_ns, bpf_ktime_get_ns() - *since);
	bpf_map_delete_elem(&waiting, &id);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
