// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Who uses Homa most: bytes and RPCs of peers and sockets, and RPCs that live. */
#include "vmlinux.h"
#include "lib/events.h"		/* before bpf_helpers.h, which has an __array, too */
#include <bpf/bpf_helpers.h>

#include "homatop.h"

#define OUTGOING 5		/* HOMA_OUTGOING of homa/rpc.h; values appear in traces */
#define DEAD 9			/* HOMA_DEAD */

const volatile u32 only_netns;

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_PEERS);
	__type(key, struct peer_key);
	__type(value, struct sums);
} peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_SOCKETS);
	__type(key, struct sock_key);
	__type(value, struct sums);
} sockets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_RPCS);
	__type(key, u64);
	__type(value, struct top_rpc);
} rpcs SEC(".maps");

static __always_inline struct sums *sums_of(void *map, const void *key)
{
	struct sums none = {}, *sums;

	sums = bpf_map_lookup_elem(map, key);
	if (sums)
		return sums;
	bpf_map_update_elem(map, key, &none, BPF_NOEXIST);
	return bpf_map_lookup_elem(map, key);
}

static struct sums *peer_of(const u8 *addr)
{
	struct peer_key key;

	__builtin_memcpy(key.addr, addr, ADDR_BYTES);
	return sums_of(&peers, &key);
}

static struct sums *socket_of(u32 netns, u16 port)
{
	struct sock_key key = { netns, port };

	return sums_of(&sockets, &key);
}

static bool is_foreign(u32 netns)
{
	return only_netns && only_netns != netns;
}

/* An RPC that an event is of, which has its addresses; made if it is new. */
#define RPC_OF(e) rpc_of((e)->id, (e)->netns, (u32)(e)->port << 16 | (e)->peer_port, (e)->peer)

static __always_inline struct top_rpc *rpc_of(u64 id, u32 netns, u32 ports, const u8 *peer)
{
	struct top_rpc new = {}, *rpc = bpf_map_lookup_elem(&rpcs, &id);

	if (rpc)
		return rpc;
	new.netns = netns;
	new.port = ports >> 16;
	new.peer_port = ports;
	new.start = bpf_ktime_get_ns();
	__builtin_memcpy(new.peer.addr, peer, ADDR_BYTES);
	bpf_map_update_elem(&rpcs, &id, &new, BPF_NOEXIST);
	return bpf_map_lookup_elem(&rpcs, &id);
}

SEC("tracepoint/homa/homa_rpc_state")
int on_state(struct trace_event_raw_homa_rpc_state *e)
{
	struct sums *sums;
	u64 id = e->id;

	if (is_foreign(e->netns))
		return 0;
	if (e->to == DEAD)
		bpf_map_delete_elem(&rpcs, &id);
	else if (e->from == e->to)
		RPC_OF(e);
	/* A server has answered. */
	if (!(id & 1) || e->to != OUTGOING)
		return 0;
	sums = peer_of(e->peer);
	if (sums)
		__sync_fetch_and_add(&sums->rpcs, 1);
	sums = socket_of(e->netns, e->port);
	if (sums)
		__sync_fetch_and_add(&sums->rpcs, 1);
	return 0;
}

/* In the thread that sends: a client's RPC begins here, a server's has been there. */
SEC("tracepoint/homa/homa_sendmsg")
int on_sendmsg(struct trace_event_raw_homa_message *e)
{
	struct top_rpc *rpc;
	struct sums *sums;

	if (is_foreign(e->netns))
		return 0;
	rpc = RPC_OF(e);
	if (rpc) {
		rpc->length_out = e->length;
		rpc->pid = bpf_get_current_pid_tgid() >> 32;
		bpf_get_current_comm(rpc->comm, COMM_BYTES);
	}
	sums = socket_of(e->netns, e->port);
	if (sums) {
		__sync_fetch_and_add(&sums->bytes_out, e->length);
		sums->pid = bpf_get_current_pid_tgid() >> 32;
		bpf_get_current_comm(sums->comm, COMM_BYTES);
	}
	return 0;
}

/* In the thread that receives; a client's RPC has just ended. */
SEC("tracepoint/homa/homa_recvmsg")
int on_recvmsg(struct trace_event_raw_homa_recvmsg *e)
{
	struct sums *sums;

	if (is_foreign(e->netns) || e->result < 0)
		return 0;
	sums = socket_of(e->netns, e->port);
	if (!sums)
		return 0;
	__sync_fetch_and_add(&sums->bytes_in, e->result);
	sums->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(sums->comm, COMM_BYTES);
	return 0;
}

static __always_inline void add_time(struct sums *sums, u64 ns)
{
	if (!sums)
		return;
	__sync_fetch_and_add(&sums->rpcs, 1);
	__sync_fetch_and_add(&sums->timed, 1);
	__sync_fetch_and_add(&sums->ns, ns);
}

/* A client's thread takes a response: the RPC ends soon. */
SEC("tracepoint/homa/homa_wait_found")
int on_found(struct trace_event_raw_homa_message *e)
{
	struct top_rpc *rpc;
	u64 id = e->id, ns;

	if (is_foreign(e->netns) || id & 1)
		return 0;
	rpc = bpf_map_lookup_elem(&rpcs, &id);
	if (!rpc)
		return 0;
	ns = bpf_ktime_get_ns() - rpc->start;
	add_time(peer_of(e->peer), ns);
	add_time(socket_of(e->netns, e->port), ns);
	return 0;
}

/* Bytes of packets, out or in. */
static __always_inline int moved(struct trace_event_raw_homa_range *e, bool out)
{
	struct top_rpc *rpc;
	struct sums *sums;
	u64 id = e->id;

	if (is_foreign(e->netns))
		return 0;
	sums = peer_of(e->peer);
	if (sums)
		__sync_fetch_and_add(out ? &sums->bytes_out : &sums->bytes_in, e->length);
	rpc = bpf_map_lookup_elem(&rpcs, &id);
	if (rpc)
		__sync_fetch_and_add(out ? &rpc->bytes_out : &rpc->bytes_in, e->length);
	return 0;
}

SEC("tracepoint/homa/homa_data_sent")
int on_data_sent(struct trace_event_raw_homa_range *e)
{
	return moved(e, true);
}

SEC("tracepoint/homa/homa_data_rcvd")
int on_data_rcvd(struct trace_event_raw_homa_range *e)
{
	return moved(e, false);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
