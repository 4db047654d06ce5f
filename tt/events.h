/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Timetrace records that analysis tools parse: one list for C and for Python.
 *
 * C:      tt_event(hn, DATA_RCVD, id, tag, offset, length);
 * Python: ttlib/events.py reads this file and makes a pattern of each line.
 *
 * A line is TT_EVENT(NAME, "text"), the text in one string on that line. Each
 * value is preceded by its name ("id %u"), which is how Python calls it; at
 * most four; only %u, %d and 0x%x. Addresses are 32-bit tags (tt_addr6()), ids
 * are the low 32 bits, on both hosts the client's id (even): id & ~1 joins the
 * two traces. No text may be the beginning of another.
 *
 * Included without a guard by whoever defines TT_EVENT(). The version is one more
 * whenever a line is changed or removed, or what it says means something else; a
 * line more changes nothing for who reads older traces.
 */
#define TT_EVENTS_VERSION 2

/* System calls */
TT_EVENT(SENDMSG_REQUEST, "sendmsg request to peer 0x%x port %u id %u length %u")
TT_EVENT(SENDMSG_RESPONSE, "sendmsg response for id %u port %u pid %u length %u")
TT_EVENT(SENDMSG_DONE, "sendmsg finished, id %u")
TT_EVENT(SENDMSG_ERROR, "sendmsg failed, error %d id %u")
TT_EVENT(RECVMSG_START, "recvmsg starting, port %u pid %u")
TT_EVENT(RECVMSG_DONE, "recvmsg returning, status %d id %u length %u")
TT_EVENT(LONG_RTT, "long round trip, usecs %u id %u peer 0x%x length %u")
TT_EVENT(POLL, "poll, port %u mask 0x%x")

/* Copying in, sending */
TT_EVENT(COPY_IN_START, "copy-in starting, id %u length %u unscheduled %u")
TT_EVENT(COPY_IN_DONE, "copy-in finished, id %u length %u")
TT_EVENT(DATA_SEND, "DATA to IP, wire_bytes %u peer 0x%x id %u offset %u")
TT_EVENT(DATA_SENT, "DATA left IP, id %u offset %u length %u error %d")
TT_EVENT(DATA_RESENT, "DATA again, offset %u length %u id %u prio %u")
TT_EVENT(XMIT_BLOCKED, "message waits for grant, offset %u id %u granted %u")
TT_EVENT(PACER_DEFER, "message waits for device, id %u offset %u outstanding %d limit %u")
TT_EVENT(PACER_XMIT, "pacer sent, id %u offset %u left %u fifo %u")
TT_EVENT(WMEM_WAIT, "sendmsg waits for memory, port %u in_use %u")
TT_EVENT(WMEM_WAKE, "sendmsg has memory again, port %u in_use %u")

/* Receiving; those of GRO and softirq with net.homa.trace_kernel */
TT_EVENT(GRO_DATA, "GRO DATA from peer 0x%x id %u offset %u prio %u")
TT_EVENT(GRO_GRANT, "GRO GRANT from peer 0x%x id %u offset %u prio %u")
TT_EVENT(GRO_OTHER, "GRO other from peer 0x%x id %u type 0x%x")
TT_EVENT(SOFTIRQ_START, "softirq starting, first from peer 0x%x id %u type 0x%x")
TT_EVENT(DATA_RCVD, "DATA accepted, id %u peer 0x%x offset %u length %u")
TT_EVENT(MSG_NEW, "message begins, id %u peer 0x%x unscheduled %u length %u")
TT_EVENT(MSG_COMPLETE, "message complete, id %u length %u")
TT_EVENT(GAP_NEW, "gap appears, id %u start %u end %u")
TT_EVENT(GAP_FILLED, "gap shrinks, id %u start %u end %u")
TT_EVENT(DATA_REJECTED, "DATA rejected, id %u offset %u length %u retransmit %u")
TT_EVENT(PACKET_DROPPED, "packet dropped, peer 0x%x id %u type 0x%x reason %u")

/* Grants */
TT_EVENT(GRANT_SENT, "GRANT to IP, id %u offset %u prio %u increment %u")
TT_EVENT(GRANT_RCVD, "GRANT accepted, id %u offset %u prio %u increment %u")
TT_EVENT(GRANT_CHECK_START, "grant check starting, id %u incoming %u")
TT_EVENT(GRANT_CHECK_DONE, "grant check finished, grants %u incoming %u")
TT_EVENT(GRANT_STALLED, "grants not used, id %u peer 0x%x outstanding %u")
TT_EVENT(GRANT_FIFO, "FIFO grant, id %u offset %u")

/* Recovery */
TT_EVENT(RESEND_SENT, "RESEND to IP, id %u peer 0x%x offset %u length %u")
TT_EVENT(RESEND_RCVD, "RESEND accepted, id %u offset %u length %u prio %u")
TT_EVENT(BUSY_SENT, "BUSY to IP, id %u peer 0x%x")
TT_EVENT(BUSY_RCVD, "BUSY accepted, id %u peer 0x%x")
TT_EVENT(UNKNOWN_SENT, "RPC_UNKNOWN to IP, id %u peer 0x%x")
TT_EVENT(UNKNOWN_RCVD, "RPC_UNKNOWN accepted, id %u peer 0x%x")
TT_EVENT(RPC_RESTART, "RPC starts over, id %u peer 0x%x")
TT_EVENT(NEED_ACK_SENT, "NEED_ACK to IP, id %u peer 0x%x")
TT_EVENT(NEED_ACK_RCVD, "NEED_ACK accepted, id %u peer 0x%x")
TT_EVENT(ACK_SENT, "ACK to IP, id %u peer 0x%x acks %u")
TT_EVENT(ACK_RCVD, "ACK accepted, id %u peer 0x%x acks %u")
TT_EVENT(CUTOFFS_NEW, "cutoffs computed, levels %u version %u")
TT_EVENT(CUTOFFS_SENT, "CUTOFFS to IP, peer 0x%x version %u")
TT_EVENT(CUTOFFS_RCVD, "CUTOFFS accepted, peer 0x%x version %u")

/* Hand-off to threads, copying out */
TT_EVENT(HANDOFF, "RPC handed to its thread, id %u port %u")
TT_EVENT(QUEUED, "RPC queued, id %u port %u")
TT_EVENT(WAIT_FOUND, "wait found RPC, id %u pid %u port %u blocked %u")
TT_EVENT(COPY_OUT_START, "copy-out starting, id %u")
TT_EVENT(COPY_OUT_DONE, "copy-out finished, start %u end %u id %u")
TT_EVENT(COPIED_EARLY, "copied out before the end, id %u bytes %u so_far %u")
TT_EVENT(SKBS_FREED, "packets freed, count %u id %u")
TT_EVENT(BUFFER_ALLOC, "receive buffer found, id %u length %u")
TT_EVENT(BUFFER_FAILED, "no receive buffer, id %u length %u")
TT_EVENT(BUFFER_RETRIED, "receive buffer found at last, id %u length %u")
TT_EVENT(BUFFER_RELEASED, "application releases buffers, port %u count %u")

/* Lives of objects */
TT_EVENT(RPC_END, "RPC ends, id %u port %u")
TT_EVENT(RPC_ABORT, "RPC aborted, id %u peer 0x%x error %d")
TT_EVENT(RPC_TIMEOUT, "RPC timed out, id %u peer 0x%x ticks %u")
TT_EVENT(RPC_REAPED, "RPC reaped, id %u port %u")
TT_EVENT(PEER_NEW, "peer added, peer 0x%x")
TT_EVENT(PEER_EVICTED, "peer evicted, peer 0x%x")
TT_EVENT(SOCK_SHUTDOWN, "socket shut down, port %u")
TT_EVENT(TIMER, "timer fired, id %u state %u asked %u")
TT_EVENT(LOCK_MISSED, "Homa waits for a lock, class %u")
TT_EVENT(LOCK_TAKEN, "Homa has the lock, class %u nsecs %u")

/* State of a live RPC, recorded before a freeze */
TT_EVENT(DUMP_IN, "dump of incoming: id %u length %u received %u granted %u")
TT_EVENT(DUMP_OUT, "dump of outgoing: id %u length %u sent %u granted %u")

/* How far messages were before a freeze, oldest first; kilobytes are 1024 bytes */
TT_EVENT(SNAPSHOT, "snapshot taken before, usecs %u")
TT_EVENT(SNAPSHOT_CLIENT_REQ, "snapshot of client requests: begun %u kbytes_begun %u kbytes_done %u done %u")
TT_EVENT(SNAPSHOT_CLIENT_RESP, "snapshot of client responses: begun %u kbytes_begun %u kbytes_done %u done %u")
TT_EVENT(SNAPSHOT_SERVER_REQ, "snapshot of server requests: begun %u kbytes_begun %u kbytes_done %u done %u")
TT_EVENT(SNAPSHOT_SERVER_RESP, "snapshot of server responses: begun %u kbytes_begun %u kbytes_done %u done %u")

/* Heading of a trace in text form; never recorded */
TT_EVENT(TRACE_VERSION, "trace version, events %u lost %u cpus %u")
TT_EVENT(TRACE_CLOCK, "trace begins at wall clock, seconds %u nanoseconds %u")
TT_EVENT(TRACE_HOST, "trace is of host 0x%x")

/* The rest of the kernel, from its tracepoints (net.homa.trace_kernel); offset is 0 if
 * unknown. What passes several devices of a host is at each of them. TCP connections are
 * the low halves of address and port; acks have the acknowledged number for seq.
 * Vectors, reasons and device numbers are the kernel's. The last six are of the CPU,
 * and may have nothing to do with this host.
 */
TT_EVENT(QDISC_DATA, "qdisc gets DATA, id %u offset %u queue %u")
TT_EVENT(NIC_DATA, "NIC gets DATA, id %u offset %u length %u queue %u")
TT_EVENT(NIC_GRANT, "NIC gets GRANT, id %u offset %u queue %u")
TT_EVENT(DATA_FREED, "NIC done with DATA, id %u offset %u length %u queue %u")
TT_EVENT(GRANT_FREED, "NIC done with GRANT, id %u offset %u queue %u")
TT_EVENT(TXQ_STOPPED, "NIC queue is stopped, queue %u waiting %u")
TT_EVENT(KERNEL_DROP, "kernel drops packet, peer 0x%x id %u type 0x%x reason %u")
TT_EVENT(TCP_DROPPED, "kernel drops TCP, from 0x%x to 0x%x seq %u reason %u")
TT_EVENT(TCP_QUEUE, "qdisc gets TCP, from 0x%x to 0x%x bytes %u seq %u")
TT_EVENT(TCP_NIC, "NIC gets TCP, from 0x%x to 0x%x bytes %u seq %u")
TT_EVENT(TCP_GRO, "GRO TCP, from 0x%x to 0x%x bytes %u seq %u")
TT_EVENT(TCP_SOFTIRQ, "softirq gets TCP, from 0x%x to 0x%x bytes %u seq %u")
TT_EVENT(TCP_READ, "application has read TCP, from 0x%x to 0x%x seq %u")
TT_EVENT(NAPI_POLL, "device polled, device %u work %d budget %d")
TT_EVENT(SOFTIRQ_ENTRY, "softirq begins, vector %u")
TT_EVENT(SOFTIRQ_EXIT, "softirq ends, vector %u")
TT_EVENT(LOCK_WAIT, "waiting for lock 0x%x flags %u")
TT_EVENT(LOCK_GOT, "got lock 0x%x result %d")
TT_EVENT(TASK_SWITCH, "task switch, old %d new %d")

/* Freezing; the first two are made by the timetrace itself */
TT_EVENT(FREEZING, "Freezing timetrace")
TT_EVENT(RECORDING, "timetrace records again")
TT_EVENT(FREEZE_SENT, "FREEZE to IP, peer 0x%x")
TT_EVENT(FREEZE_REASON, "freeze wanted, type %u id %u peer 0x%x")
TT_EVENT(FREEZE_RCVD, "FREEZE accepted, peer 0x%x port %u")
