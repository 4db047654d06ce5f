// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Times of the phases of client RPCs: each event moves one RPC on. */
#include "vmlinux.h"
#include "lib/events.h"		/* before bpf_helpers.h, which has an __array, too */
#include <bpf/bpf_helpers.h>

#include "homalat.h"
#include "lib/hist.bpf.h"

#define MAX_RPCS 65536
#define INCOMING 6		/* HOMA_INCOMING of homa/rpc.h; values appear in traces */
#define DEAD 9			/* HOMA_DEAD */

const volatile u32 only_netns;
const volatile u16 only_port;	/* of servers */

/* One RPC under way; times in ns, 0: not yet. */
struct span {
	u64 start;
	u64 first;		/* packet given to IP */
	u64 last;
	u64 response;		/* begins to arrive */
	u64 ready;
	u64 found;
	u64 grant_since;	/* waits for a grant, or 0 */
	u64 grant;		/* has waited */
	u64 pacer_since;
	u64 pacer;
	u64 early;		/* of @pacer: before the first packet */
	u32 request_bytes;
	u32 response_bytes;
};

/* What is never finished, since the socket is closed or sendmsg() fails, makes room for others. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_RPCS);
	__type(key, u64);
	__type(value, struct span);
} spans SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NUM_CLASSES * NUM_PHASES);
	__type(key, u32);
	__type(value, struct hist);
} hists SEC(".maps");

u64 counts[NUM_COUNTS];

/* Ids of clients are even; server RPCs are somebody else's clients. */
static struct span *span_find(u64 id)
{
	return id & 1 ? NULL : bpf_map_lookup_elem(&spans, &id);
}

SEC("tracepoint/homa/homa_sendmsg")
int on_sendmsg(struct trace_event_raw_homa_message *e)
{
	struct span span = { .request_bytes = e->length };
	u64 id = e->id;

	if (id & 1 || (only_port && only_port != e->peer_port) ||
	    (only_netns && only_netns != e->netns))
		return 0;
	span.start = bpf_ktime_get_ns();
	bpf_map_update_elem(&spans, &id, &span, BPF_ANY);
	return 0;
}

SEC("tracepoint/homa/homa_data_sent")
int on_data_sent(struct trace_event_raw_homa_range *e)
{
	struct span *span = span_find(e->id);
	u64 now = bpf_ktime_get_ns();

	if (!span || span->response)
		return 0;
	if (!span->first) {
		span->first = now;
		span->early = span->pacer;
		if (span->pacer_since)
			span->early += now - span->pacer_since;
	}
	span->last = now;
	return 0;
}

SEC("tracepoint/homa/homa_grant_wait")
int on_grant_wait(struct trace_event_raw_homa_range *e)
{
	struct span *span = span_find(e->id);

	if (span && !span->grant_since)
		span->grant_since = bpf_ktime_get_ns();
	return 0;
}

SEC("tracepoint/homa/homa_grant_rcvd")
int on_grant_rcvd(struct trace_event_raw_homa_range *e)
{
	struct span *span = span_find(e->id);

	if (!span || !span->grant_since)
		return 0;
	span->grant += bpf_ktime_get_ns() - span->grant_since;
	span->grant_since = 0;
	return 0;
}

SEC("tracepoint/homa/homa_pacer_wait")
int on_pacer_wait(struct trace_event_raw_homa_pacer *e)
{
	struct span *span = span_find(e->id);

	if (span)
		span->pacer_since = bpf_ktime_get_ns();
	return 0;
}

SEC("tracepoint/homa/homa_pacer_done")
int on_pacer_done(struct trace_event_raw_homa_pacer *e)
{
	struct span *span = span_find(e->id);

	if (!span || !span->pacer_since)
		return 0;
	span->pacer += bpf_ktime_get_ns() - span->pacer_since;
	span->pacer_since = 0;
	return 0;
}

SEC("tracepoint/homa/homa_rpc_state")
int on_state(struct trace_event_raw_homa_rpc_state *e)
{
	struct span *span = span_find(e->id);
	u64 id = e->id;

	if (!span)
		return 0;
	if (e->to == INCOMING && !span->response) {
		span->response = bpf_ktime_get_ns();
	} else if (e->to == DEAD && !span->found) {
		__sync_fetch_and_add(&counts[RPCS_ABANDONED], 1);
		bpf_map_delete_elem(&spans, &id);
	}
	return 0;
}

SEC("tracepoint/homa/homa_rpc_ready")
int on_ready(struct trace_event_raw_homa_message *e)
{
	struct span *span = span_find(e->id);

	if (!span)
		return 0;
	span->ready = bpf_ktime_get_ns();
	span->response_bytes = e->length;
	return 0;
}

SEC("tracepoint/homa/homa_wait_found")
int on_found(struct trace_event_raw_homa_message *e)
{
	struct span *span = span_find(e->id);

	if (span)
		span->found = bpf_ktime_get_ns();
	return 0;
}

static __always_inline u32 size_class(u32 bytes)
{
	u32 class = hist_log2(bytes);

	return class < NUM_CLASSES ? class : NUM_CLASSES - 1;
}

static __noinline void record(u32 class, enum phase phase, u64 ns)
{
	u32 key = HIST_KEY(class, phase);
	struct hist *h = bpf_map_lookup_elem(&hists, &key);

	if (h)
		hist_count(h, ns);
}

/* A packet that is sent again late may make a difference negative. */
static __always_inline u64 since(u64 from, u64 to)
{
	return to > from ? to - from : 0;
}

static void finish(const struct span *span, u64 now)
{
	u64 waited = span->grant + span->pacer - span->early;
	u32 class = size_class(span->request_bytes > span->response_bytes ?
			       span->request_bytes : span->response_bytes);

	record(class, PHASE_total, now - span->start);
	record(class, PHASE_prepare, since(span->start + span->early, span->first));
	record(class, PHASE_transmit, since(span->first + waited, span->last));
	record(class, PHASE_grant, span->grant);
	record(class, PHASE_pacer, span->pacer);
	record(class, PHASE_remote, since(span->last, span->response));
	record(class, PHASE_receive, since(span->response, span->ready));
	record(class, PHASE_wakeup, since(span->ready, span->found));
	record(class, PHASE_copyout, since(span->found, now));
}

SEC("tracepoint/homa/homa_recvmsg")
int on_recvmsg(struct trace_event_raw_homa_recvmsg *e)
{
	u64 id = e->id, now = bpf_ktime_get_ns();
	struct span *span = span_find(id);

	if (!span)
		return 0;
	if (e->result < 0) {
		__sync_fetch_and_add(&counts[RPCS_FAILED], 1);
	} else {
		__sync_fetch_and_add(&counts[RPCS_DONE], 1);
		finish(span, now);
	}
	bpf_map_delete_elem(&spans, &id);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
