/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Counters of one Homa host, and the file /proc/net/homa_metrics.
 *
 * One line of HOMA_METRICS() makes a counter: its field, and its name,
 * description and place in the file. Names and order up to temp9 are those of
 * the reference implementation, since tools match on them; new counters go to
 * the end. Each CPU counts in its own copy, without locks, from any context.
 */
#ifndef _HOMA_METRICS_H
#define _HOMA_METRICS_H

#include <linux/percpu.h>
#include <linux/types.h>

struct homa_net;

/* Entries of packets_sent and packets_rcvd: packet types 0x10 (DATA) to 0x18. */
#define HOMA_METRIC_FIRST_TYPE 0x10
#define HOMA_METRIC_TYPES 9

#define HOMA_METRIC_PRIORITIES 8

/* Message lengths: steps of 64 bytes up to 4096, of 1024 below 131072. */
#define HOMA_METRIC_SMALL_MSGS 64
#define HOMA_METRIC_MEDIUM_MSGS 124
#define HOMA_METRIC_LARGE_MSG 131072

/* M(name, description): one counter.
 * A(name, entries, label): entries counters, named by label() in metrics.c.
 */
#define HOMA_METRICS(M, A)						\
	A(small_msg_bytes, HOMA_METRIC_SMALL_MSGS, small_msg_label)	\
	A(medium_msg_bytes, HOMA_METRIC_MEDIUM_MSGS, medium_msg_label)	\
	M(large_msg_count, "Incoming messages of 131072 bytes or more")	\
	M(large_msg_bytes, "Bytes in messages of 131072 bytes or more")	\
	M(client_requests_started, "Requests that clients began to send") \
	M(client_request_bytes_started, "Bytes in those requests")	\
	M(client_request_bytes_done, "Request bytes sent at least once") \
	M(client_requests_done, "Requests sent entirely")		\
	M(client_responses_started, "Responses that began to arrive")	\
	M(client_response_bytes_started, "Bytes in those responses")	\
	M(client_response_bytes_done, "Response bytes received")	\
	M(client_responses_done, "Responses received entirely")		\
	M(server_requests_started, "Requests that began to arrive")	\
	M(server_request_bytes_started, "Bytes in those requests")	\
	M(server_request_bytes_done, "Request bytes received")		\
	M(server_requests_done, "Requests received entirely")		\
	M(server_responses_started, "Responses that servers began to send") \
	M(server_response_bytes_started, "Bytes in those responses")	\
	M(server_response_bytes_done, "Response bytes sent at least once") \
	M(server_responses_done, "Responses sent entirely")		\
	M(sent_msg_bytes, "Bytes in all messages copied in for sending") \
	A(packets_sent, HOMA_METRIC_TYPES, packets_sent_label)		\
	A(packets_rcvd, HOMA_METRIC_TYPES, packets_rcvd_label)		\
	A(priority_bytes, HOMA_METRIC_PRIORITIES, priority_bytes_label)	\
	A(priority_packets, HOMA_METRIC_PRIORITIES, priority_packets_label) \
	M(skb_allocs, "Packet buffers allocated for sending")		\
	M(skb_alloc_cycles, "Time spent allocating packet buffers")	\
	M(skb_frees, "Data packet buffers freed on normal paths")	\
	M(skb_free_cycles, "Time spent freeing data packet buffers")	\
	M(skb_page_allocs, "Pages allocated for packet buffers")	\
	M(skb_page_alloc_cycles, "Time spent allocating such pages")	\
	M(requests_received, "Server RPCs created")			\
	M(responses_received, "Client RPCs that got a first response packet") \
	M(gaps_created, "Gaps that appeared in incoming messages")	\
	M(wait_none, "Messages that recvmsg found waiting")		\
	M(wait_fast, "Messages that arrived while recvmsg polled")	\
	M(wait_block, "Messages that arrived while recvmsg slept")	\
	M(handoffs_thread_waiting, "Messages handed to a waiting thread") \
	M(handoffs_alt_thread, "Handed to another as the first was busy") \
	M(poll_cycles, "Time spent polling for messages")		\
	M(softirq_calls, "Calls of the packet handler")			\
	M(softirq_cycles, "Time spent in the packet handler")		\
	M(bypass_softirq_cycles, "Time in the packet handler within GRO") \
	M(linux_softirq_cycles, "Time in all softirqs (patched kernels)") \
	M(napi_cycles, "Time in NAPI (patched kernels)")		\
	M(linux_softirqd_actions, "Work done by ksoftirqd (patched kernels)") \
	M(send_cycles, "Time spent in sendmsg for requests")		\
	M(send_calls, "Calls of sendmsg for requests")			\
	M(recv_cycles, "Time spent in recvmsg, not asleep")		\
	M(recv_calls, "Calls of recvmsg")				\
	M(blocked_cycles, "Time spent asleep in recvmsg")		\
	M(reply_cycles, "Time spent in sendmsg for responses")		\
	M(reply_calls, "Calls of sendmsg for responses")		\
	M(abort_cycles, "Time spent in ioctl(HOMAIOCABORT)")		\
	M(abort_calls, "Calls of ioctl(HOMAIOCABORT)")			\
	M(so_set_buf_cycles, "Time spent in setsockopt(SO_HOMA_RCVBUF)") \
	M(so_set_buf_calls, "Calls of setsockopt(SO_HOMA_RCVBUF)")	\
	M(grant_lock_cycles, "Time that the grant lock was held")	\
	M(timer_cycles, "Time spent in the timer")			\
	M(timer_reap_cycles, "Time that the timer spent reaping RPCs")	\
	M(data_pkt_reap_cycles, "Time that the packet handler spent reaping") \
	M(idle_time_conflicts, "Races for the link-idle estimate")	\
	M(nic_backlog_cycles, "Time with packets held back from the NIC") \
	M(pacer_cycles, "Time spent in the pacer")			\
	M(pacer_xmit_cycles, "Time that the pacer spent sending")	\
	M(pacer_homa_packets, "Homa packets sent by the pacer")		\
	M(pacer_homa_bytes, "Homa bytes sent by the pacer")		\
	M(pacer_fifo_bytes, "Bytes that the pacer sent for the oldest message") \
	M(pacer_tcp_packets, "Other packets sent by the pacer")		\
	M(pacer_tcp_bytes, "Other bytes sent by the pacer")		\
	M(pacer_help_bytes, "Bytes sent for the pacer by other code")	\
	M(qdisc_tcp_packets, "Other packets that entered the qdisc")	\
	M(homa_cycles, "Time spent in all of the above")		\
	M(resent_packets, "DATA packets sent again because of a RESEND") \
	M(peer_allocs, "Remote hosts added to the table")		\
	M(peer_kmalloc_errors, "Remote hosts for which memory was lacking") \
	M(peer_route_errors, "Remote hosts without a route")		\
	M(peer_dst_refreshes, "Routes looked up anew")			\
	M(control_xmit_errors, "Control packets refused by IP")		\
	M(data_xmit_errors, "DATA packets refused by IP")		\
	M(unknown_rpcs, "Packets dropped: their RPC is unknown")	\
	M(server_cant_create_rpcs, "DATA dropped: no RPC could be created") \
	M(unknown_packet_types, "Packets dropped: their type is unknown") \
	M(short_packets, "Packets dropped: too short for their type")	\
	M(packet_discards, "DATA dropped: all of it was received before") \
	M(resent_discards, "Resent DATA dropped: received before")	\
	M(resent_packets_used, "Resent DATA that filled a gap")		\
	M(rpc_timeouts, "RPCs that ended since the peer was silent")	\
	M(server_rpc_discards, "Server RPCs ended by an error")		\
	M(server_rpcs_unknown, "Server RPCs ended by RPC_UNKNOWN")	\
	M(client_lock_misses, "Client RPC locks that were contended")	\
	M(client_lock_miss_cycles, "Time spent waiting for them")	\
	M(server_lock_misses, "Server RPC locks that were contended")	\
	M(server_lock_miss_cycles, "Time spent waiting for them")	\
	M(socket_lock_misses, "Socket locks that were contended")	\
	M(socket_lock_miss_cycles, "Time spent waiting for them")	\
	M(throttle_lock_misses, "Throttle locks that were contended")	\
	M(throttle_lock_miss_cycles, "Time spent waiting for them")	\
	M(peer_ack_lock_misses, "Peer locks that were contended")	\
	M(peer_ack_lock_miss_cycles, "Time spent waiting for them")	\
	M(grant_locks, "Grant locks taken")				\
	M(grant_lock_misses, "Grant locks that were contended")		\
	M(grant_lock_miss_cycles, "Time spent waiting for them")	\
	M(grantable_rpcs_integral, "RPCs waiting for grants, times time") \
	M(grant_check_calls, "Checks whether a grant is due")		\
	M(needy_grants, "RPCs that waited for incoming to fall")	\
	M(fifo_grant_bytes, "Bytes granted to the oldest message")	\
	M(disabled_reaps, "Reaping put off: the socket was protected")	\
	M(deferred_rpc_reaps, "RPCs not reaped: still referenced")	\
	M(reaper_calls, "Calls of the reaper")				\
	M(reaper_dead_skbs, "Sum of dead buffers at those calls")	\
	M(reaper_active_skbs, "RPCs not reaped: buffers still being sent") \
	M(throttle_list_adds, "RPCs added to the throttle list")	\
	M(throttle_list_checks, "RPCs looked at while adding")		\
	M(ack_overflows, "ACKs sent since no more could be stored")	\
	M(ignored_need_acks, "NEED_ACKs for an incomplete response")	\
	M(bpage_reuses, "Receive pages used again while owned")		\
	M(buffer_alloc_failures, "Messages that found no receive buffer") \
	M(linux_pkt_alloc_bytes, "Bytes in new packets (patched kernels)") \
	M(dropped_data_no_bufs, "Bytes dropped: no receive buffer")	\
	M(gen3_handoffs, "GRO batches handed to another core")		\
	M(gen3_alt_handoffs, "Handed to other than the first choice")	\
	M(gro_grant_bypasses, "GRANTs handled within GRO")		\
	M(gro_data_bypasses, "DATA handled within GRO")			\
	M(temp0, "Scratch")						\
	M(temp1, "Scratch")						\
	M(temp2, "Scratch")						\
	M(temp3, "Scratch")						\
	M(temp4, "Scratch")						\
	M(temp5, "Scratch")						\
	M(temp6, "Scratch")						\
	M(temp7, "Scratch")						\
	M(temp8, "Scratch")						\
	M(temp9, "Scratch")						\
	HOMA_OWN_METRICS(M)

/* Counters that the reference does not have; append freely. */
#define HOMA_OWN_METRICS(M)						\
	M(rx_bad_checksum, "Packets dropped: wrong checksum") \
	M(rx_bad_address, "Packets dropped: address not unicast, or port 0") \
	M(rx_no_socket, "Packets dropped: no socket for their port") \
	M(rx_policy, "Packets dropped: refused by IPsec policy or filter") \
	M(rx_bad_role, "Packets dropped: not for a client or server") \
	M(rx_bad_length, "DATA dropped: impossible message length") \
	M(rx_bad_offset, "Packets dropped: impossible offset") \
	M(rx_too_large, "DATA dropped: message longer than its socket takes") \
	M(rx_bad_state, "Packets dropped: make no sense in the RPC's state") \
	M(rx_tombstones, "Packets dropped: request was executed before") \
	M(rx_limits, "DATA dropped: too many RPCs, peers, gaps or bytes") \
	M(rx_peer_limits, "DATA dropped: too many RPCs of one peer") \
	M(rx_host_limits, "DATA dropped: too many RPCs or bytes of the host") \
	M(rx_memory_limits, "DATA dropped: the machine lets sockets have no more") \
	M(rx_no_buffers, "DATA packets dropped: no receive buffer") \
	M(rx_no_memory, "DATA dropped: no memory") \
	M(rx_injected_drops, "Packets dropped on purpose (accept_bits)") \
	M(tx_no_memory, "Packets not sent: no memory") \
	M(tx_no_route, "Packets not sent: no route to the peer") \
	M(resend_overflows, "RESENDs dropped: too many for one message") \
	M(need_acks_abandoned, "Server RPCs ended: NEED_ACK never answered") \
	M(tombstone_evictions, "Executed requests forgotten early: too many") \
	M(grant_stalls, "Messages set aside: grants were not used") \
	M(rpc_restarts, "Requests sent again because of RPC_UNKNOWN") \
	M(large_questions, "Servers asked whether they take a large request") \
	M(large_refusals, "Large requests that servers do not say they take") \
	M(incast_requests, "Requests for a response with few unscheduled bytes") \
	M(incast_responses, "Responses with fewer unscheduled bytes therefore") \
	M(cutoff_changes, "Unscheduled cutoffs that were computed anew") \
	M(reply_limits, "Packets for no RPC not answered: too many") \
	M(resend_limits, "Times RESENDs had to wait: too many to one peer") \
	M(early_resends, "RESENDs for gaps that order proves to be losses") \
	M(pacer_stalls, "Times that nothing was completed though packets waited") \
	M(granted_kb_integral, "Kilobytes granted and not here yet, times time") \
	M(rx_silent_limits, "DATA dropped: too much of silent or new peers") \
	M(silent_discards, "Server RPCs ended: silent, and their room was wanted") \
	M(rx_helped, "Messages helped to be complete: memory was short") \
	M(skb_page_reuses, "Pages of sent messages used again") \
	M(skb_page_frees, "Pages kept for sending and given back unused") \
	M(early_bytes, "Bytes sent before their message was copied in entirely") \
	M(encap_rcvd, "Packets that came as TCP's (hijack_tcp)") \
	M(udp_encap_rcvd, "Packets that came in UDP's (udp_encap_port)") \
	M(qdisc_foreign_packets, "Homa packets in the qdisc that this host did not make") \
	M(packets_joined, "DATA packets taken in with the one that they continue") \
	M(copied_early_bytes, "Bytes copied out before their message was complete")

#define HOMA_METRIC_FIELD(name, desc) u64 name;
#define HOMA_METRIC_ARRAY(name, entries, label) u64 name[entries];

/* What one CPU counted for one host. Nothing but u64s: row n of the file, the
 * "core" line not counted, is the n-th of them.
 */
struct homa_metrics {
	HOMA_METRICS(HOMA_METRIC_FIELD, HOMA_METRIC_ARRAY)
};

#undef HOMA_METRIC_FIELD
#undef HOMA_METRIC_ARRAY

#define HOMA_METRIC_ROWS (sizeof(struct homa_metrics) / sizeof(u64))

/**
 * struct homa_metrics_snapshot - all counters of a host at one moment
 * @ns: the moment, in homa_now() time
 * @count: entries of @cores
 * @cores: one for each possible CPU
 * @cores.cpu: its number
 * @cores.metrics: what it counted
 */
struct homa_metrics_snapshot {
	u64 ns;
	unsigned int count;
	struct {
		int cpu;
		struct homa_metrics metrics;
	} cores[];
};

/**
 * struct homa_metric_label - words for a row of the file
 * @name: name
 * @description: what the number means
 */
struct homa_metric_label {
	char name[32];
	char description[72];
};

/* Add n to counter, e.g. homa_metric_add(hn, priority_bytes[prio], len). */
#define homa_metric_add(hn, counter, n)					\
	this_cpu_add((hn)->metrics->counter, (u64)(n))
#define homa_metric_inc(hn, counter) homa_metric_add(hn, counter, 1)

/* One packet of a valid type went to IP, or some were dispatched. */
#define homa_metric_sent(hn, type)					\
	homa_metric_inc(hn, packets_sent[(type) - HOMA_METRIC_FIRST_TYPE])
#define homa_metric_rcvd(hn, type, n)					\
	homa_metric_add(hn, packets_rcvd[(type) - HOMA_METRIC_FIRST_TYPE], n)

void homa_metric_msg_bytes(struct homa_net *hn, unsigned int length);

int homa_metrics_net_init(struct homa_net *hn);
void homa_metrics_net_exit(struct homa_net *hn);

struct homa_metrics_snapshot *homa_metrics_snapshot(struct homa_net *hn);
void homa_metrics_log(struct homa_net *hn);
void homa_metrics_label(struct homa_metric_label *label, unsigned int row);

int homa_proc_net_init(struct homa_net *hn);
void homa_proc_net_exit(struct homa_net *hn);

#endif /* _HOMA_METRICS_H */
