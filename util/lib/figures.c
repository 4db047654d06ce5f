// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <stddef.h>
#include <string.h>

#include "figures.h"

#define MAX_TERMS 6

/* How a figure is made of the sums of two lists of counters. */
enum how {
	PER_SECOND,			/* above / seconds */
	GBPS,				/* 8 * above / seconds */
	CORES,				/* above, a time, / elapsed time */
	TIME_PERCENT,			/* the same in percent */
	US_EACH,			/* above, a time, / below */
	NS_EACH,
	PERCENT,			/* above / below */
	EACH,
	AVERAGE,			/* above, an integral over time, / elapsed time */
	GBPS_PER_CORE,			/* 8 * above / below, a time */
	PER_BUSY_SECOND,		/* above / below, a time */
};

static const char * const units[] = {
	[PER_SECOND] = "/s", [GBPS] = "Gbps", [CORES] = "cores", [TIME_PERCENT] = "%",
	[US_EACH] = "us", [NS_EACH] = "ns", [PERCENT] = "%", [EACH] = "", [AVERAGE] = "",
	[GBPS_PER_CORE] = "Gbps", [PER_BUSY_SECOND] = "/s",
};

/* A name with "-" in front is subtracted. "packets_sent_*" means all types. */
struct formula {
	const char *section, *label;
	enum how how;
	const char *above[MAX_TERMS], *below[MAX_TERMS];
};

#define BUSY { "softirq_cycles", "send_cycles", "recv_cycles", "reply_cycles", "timer_cycles", \
	       "pacer_cycles" }
#define WAITS { "wait_none", "wait_fast", "wait_block" }
#define LOCK(text, name)							\
	{ "Lock misses", text ": misses", PER_SECOND, { name "_misses" }, { NULL } },	\
	{ "Lock misses", text ": wait", NS_EACH, { name "_miss_cycles" },		\
	  { name "_misses" } },								\
	{ "Lock misses", text ": share of a core", TIME_PERCENT,			\
	  { name "_miss_cycles" }, { NULL } }

static const struct formula formulas[] = {
	{ "Core utilization", "send", CORES, { "send_cycles" }, { NULL } },
	{ "Core utilization", "send, each", US_EACH, { "send_cycles" }, { "send_calls" } },
	{ "Core utilization", "recv, without polling", CORES,
	  { "recv_cycles", "-poll_cycles" }, { NULL } },
	{ "Core utilization", "recv, each", US_EACH, { "recv_cycles", "-poll_cycles" },
	  { "recv_calls" } },
	{ "Core utilization", "reply", CORES, { "reply_cycles" }, { NULL } },
	{ "Core utilization", "reply, each", US_EACH, { "reply_cycles" }, { "reply_calls" } },
	{ "Core utilization", "NAPI", CORES, { "napi_cycles" }, { NULL } },
	{ "Core utilization", "packet handler", CORES, { "softirq_cycles" }, { NULL } },
	{ "Core utilization", "packet handler, each call", US_EACH, { "softirq_cycles" },
	  { "softirq_calls" } },
	{ "Core utilization", "packet handler within GRO", CORES,
	  { "bypass_softirq_cycles" }, { NULL } },
	{ "Core utilization", "all softirqs", CORES, { "linux_softirq_cycles" }, { NULL } },
	{ "Core utilization", "pacer", CORES, { "pacer_cycles" }, { NULL } },
	{ "Core utilization", "timer", CORES, { "timer_cycles" }, { NULL } },
	{ "Core utilization", "total", CORES, BUSY, { NULL } },
	{ "Core utilization", "polling", CORES, { "poll_cycles" }, { NULL } },
	{ "Core utilization", "packet buffers, each", US_EACH, { "skb_alloc_cycles" },
	  { "skb_allocs" } },
	{ "Core utilization", "freeing buffers, each", US_EACH, { "skb_free_cycles" },
	  { "skb_frees" } },

	LOCK("client RPC", "client_lock"),
	LOCK("server RPC", "server_lock"),
	LOCK("socket", "socket_lock"),
	LOCK("grant", "grant_lock"),
	LOCK("throttle", "throttle_lock"),
	LOCK("peer", "peer_ack_lock"),

	{ "Receiving messages", "were waiting", PERCENT, { "wait_none" }, WAITS },
	{ "Receiving messages", "arrived while polling", PERCENT, { "wait_fast" }, WAITS },
	{ "Receiving messages", "arrived while asleep", PERCENT, { "wait_block" }, WAITS },
	{ "Receiving messages", "handed to another thread than the first", PERCENT,
	  { "handoffs_alt_thread" }, { "handoffs_thread_waiting" } },
	{ "Receiving messages", "GRO batches handed to another core than the first", PERCENT,
	  { "gen3_alt_handoffs" }, { "gen3_handoffs" } },
	{ "Receiving messages", "DATA handled within GRO", PERCENT, { "gro_data_bypasses" },
	  { "packets_rcvd_DATA" } },
	{ "Receiving messages", "GRANTs handled within GRO", PERCENT,
	  { "gro_grant_bypasses" }, { "packets_rcvd_GRANT" } },

	{ "Pacer", "Homa packets", PER_SECOND, { "pacer_homa_packets" }, { NULL } },
	{ "Pacer", "Homa", GBPS, { "pacer_homa_bytes" }, { NULL } },
	{ "Pacer", "for the oldest message", PERCENT, { "pacer_fifo_bytes" },
	  { "pacer_homa_bytes" } },
	{ "Pacer", "sent by others' help", PERCENT, { "pacer_help_bytes" },
	  { "pacer_homa_bytes" } },
	{ "Pacer", "other packets", PER_SECOND, { "pacer_tcp_packets" }, { NULL } },
	{ "Pacer", "other traffic", GBPS, { "pacer_tcp_bytes" }, { NULL } },
	{ "Pacer", "packets are held back", TIME_PERCENT, { "nic_backlog_cycles" }, { NULL } },
	{ "Pacer", "Homa, while they are", GBPS_PER_CORE, { "pacer_homa_bytes" },
	  { "nic_backlog_cycles" } },
	{ "Pacer", "duty cycle", PERCENT, { "pacer_xmit_cycles" }, { "pacer_cycles" } },
	{ "Pacer", "time for a packet", US_EACH, { "pacer_xmit_cycles" },
	  { "pacer_homa_packets", "pacer_tcp_packets" } },

	{ "Grants", "sent", PER_SECOND, { "packets_sent_GRANT" }, { NULL } },
	{ "Grants", "waited for room", PER_SECOND, { "needy_grants" }, { NULL } },
	{ "Grants", "for the oldest message", GBPS, { "fifo_grant_bytes" }, { NULL } },
	{ "Grants", "messages that need grants, at a time", AVERAGE,
	  { "grantable_rpcs_integral" }, { NULL } },
	{ "Grants", "granted and not here, KB at a time", AVERAGE, { "granted_kb_integral" },
	  { NULL } },
	{ "Grants", "lock taken", PER_SECOND, { "grant_locks" }, { NULL } },
	{ "Grants", "lock taken, for each check", EACH, { "grant_locks" },
	  { "grant_check_calls" } },
	{ "Grants", "lock contended", PERCENT, { "grant_lock_misses" }, { "grant_locks" } },
	{ "Grants", "lock held, each time", NS_EACH, { "grant_lock_cycles" },
	  { "grant_locks" } },

	{ "Packets and messages", "packets out", PER_SECOND, { "packets_sent_*" }, { NULL } },
	{ "Packets and messages", "packets in", PER_SECOND, { "packets_rcvd_*" }, { NULL } },
	{ "Packets and messages", "packets for a busy core", PER_BUSY_SECOND,
	  { "packets_sent_*", "packets_rcvd_*" }, BUSY },
	{ "Packets and messages", "message bytes in a DATA packet sent", EACH,
	  { "client_request_bytes_done", "server_response_bytes_done" },
	  { "packets_sent_DATA" } },
	{ "Packets and messages", "message bytes out", GBPS,
	  { "client_request_bytes_done", "server_response_bytes_done" }, { NULL } },
	{ "Packets and messages", "message bytes in", GBPS,
	  { "server_request_bytes_done", "client_response_bytes_done" }, { NULL } },
	{ "Packets and messages", "message bytes for a busy core", GBPS_PER_CORE,
	  { "client_request_bytes_done", "server_response_bytes_done",
	    "server_request_bytes_done", "client_response_bytes_done" }, BUSY },
	{ "Packets and messages", "RPCs as a client", PER_SECOND, { "client_responses_done" },
	  { NULL } },
	{ "Packets and messages", "RPCs as a server", PER_SECOND, { "server_requests_done" },
	  { NULL } },
	{ "Packets and messages", "ACK packets for each RPC as a client", EACH,
	  { "packets_sent_ACK" }, { "client_responses_done" } },
};

static const char * const types[] = {
	"DATA", "GRANT", "RESEND", "RPC_UNKNOWN", "BUSY", "CUTOFFS", "FREEZE", "NEED_ACK",
	"ACK", NULL
};

static uint64_t of_all_types(struct metrics *change, const char *pattern)
{
	uint64_t sum = 0;
	char name[64];
	size_t len = strlen(pattern) - 1;
	int i;

	memcpy(name, pattern, len);
	for (i = 0; types[i]; i++) {
		strcpy(name + len, types[i]);
		sum += metrics_value(change, name);
	}
	return sum;
}

static double sum_of(struct metrics *change, const char * const *names)
{
	double sum = 0;
	int i;

	for (i = 0; i < MAX_TERMS && names[i]; i++) {
		if (names[i][0] == '-')
			sum -= metrics_value(change, names[i] + 1);
		else if (names[i][strlen(names[i]) - 1] == '*')
			sum += of_all_types(change, names[i]);
		else
			sum += metrics_value(change, names[i]);
	}
	return sum;
}

static double scale_of(const struct metrics *change, enum how how)
{
	switch (how) {
	case GBPS:
		return 8e-9;
	case TIME_PERCENT:
	case PERCENT:
		return 100;
	case US_EACH:
		return 1e3 / change->khz;
	case NS_EACH:
		return 1e6 / change->khz;
	case GBPS_PER_CORE:
		return 8e-9 * change->khz * 1e3;
	case PER_BUSY_SECOND:
		return change->khz * 1e3;
	default:
		return 1;
	}
}

static double divisor_of(struct metrics *change, const struct formula *f)
{
	switch (f->how) {
	case PER_SECOND:
	case GBPS:
		return metrics_seconds(change);
	case CORES:
	case TIME_PERCENT:
	case AVERAGE:
		return change->cycles;
	default:
		return sum_of(change, f->below);
	}
}

bool figure_get(struct metrics *change, int i, struct figure *figure)
{
	const struct formula *f = &formulas[i];
	double above, below;

	*figure = (struct figure){ .section = NULL };
	if (i >= (int)(sizeof(formulas) / sizeof(formulas[0])))
		return false;
	above = sum_of(change, f->above);
	below = divisor_of(change, f);
	*figure = (struct figure){ f->section, f->label, units[f->how], 0 };
	if (above <= 0 || below <= 0)
		return false;
	figure->value = above / below * scale_of(change, f->how);
	return true;
}

/* One is ill if it counts more than @limit for each of @per: a counter, "second" or,
 * if that is NULL, at all.
 */
static const struct {
	const char *name, *per;
	double limit;
	const char *sentence;
} canaries[] = {
	{ "resent_packets", "packets_sent_DATA", 0.001,
	  "Packets are lost on their way from here: look at the drops of switches and devices." },
	{ "packets_sent_RESEND", "packets_rcvd_DATA", 0.001,
	  "Packets are lost on their way to here, or their senders are slow." },
	{ "packet_discards", "packets_rcvd_DATA", 0.001,
	  "Data came that was here already: it was sent again without need." },
	{ "resent_discards", "packets_rcvd_DATA", 0.001,
	  "Data that was asked for again had been on its way: resend_ticks may be too short." },
	{ "gaps_created", "packets_rcvd_DATA", 0.01,
	  "Packets overtake each other, or are lost: paths differ, or queues drop." },
	{ "unknown_rpcs", "packets_rcvd_DATA", 0.01,
	  "Packets come for RPCs that have ended: peers were restarted, or sockets closed." },
	{ "rpc_timeouts", NULL, 0,
	  "RPCs timed out: their peers are down, cut off, or overwhelmed." },
	{ "rpc_restarts", NULL, 0,
	  "Servers knew nothing of RPCs: they were restarted." },
	{ "server_rpcs_unknown", NULL, 0,
	  "Clients knew nothing of RPCs: they were restarted, or gave up." },
	{ "need_acks_abandoned", NULL, 0,
	  "Clients never said that they have their responses: they are gone." },
	{ "peer_kmalloc_errors", NULL, 0, "Memory is lacking for new peers." },
	{ "rx_no_memory", NULL, 0, "Memory is lacking for packets that came." },
	{ "rx_memory_limits", NULL, 0, "Sockets of this machine hold all memory they may." },
	{ "tx_no_memory", NULL, 0, "Memory is lacking for packets to send." },
	{ "peer_route_errors", NULL, 0, "There is no route to a peer." },
	{ "tx_no_route", NULL, 0, "There is no route for packets to send." },
	{ "control_xmit_errors", NULL, 0,
	  "IP refused control packets: a queue is full or a firewall is in the way." },
	{ "data_xmit_errors", NULL, 0,
	  "IP refused DATA packets: a queue is full or a firewall is in the way." },
	{ "buffer_alloc_failures", NULL, 0,
	  "Messages find no receive buffer: regions are small, or their pages come back late." },
	{ "dropped_data_no_bufs", NULL, 0,
	  "Data was dropped, as its message has no receive buffer." },
	{ "server_cant_create_rpcs", NULL, 0, "Requests were refused: no RPC could be made." },
	{ "rx_limits", NULL, 0,
	  "Requests were refused: a socket has too many RPCs, or a message too many gaps." },
	{ "rx_peer_limits", NULL, 0, "Requests were refused: one peer has too many RPCs." },
	{ "rx_host_limits", NULL, 0, "Requests were refused: this host has too many." },
	{ "rx_too_large", NULL, 0,
	  "Messages are longer than the sockets they are for take." },
	{ "rx_no_socket", "second", 100, "Packets come for ports that nobody listens on." },
	{ "rx_bad_checksum", NULL, 0, "Packets are damaged on their way." },
	{ "rx_bad_length", NULL, 0, "A peer sends packets that make no sense, or an attacker does." },
	{ "rx_bad_offset", NULL, 0, "A peer sends packets that make no sense, or an attacker does." },
	{ "rx_bad_address", NULL, 0, "Packets come with forged addresses." },
	{ "short_packets", NULL, 0, "Packets come that are too short, or of no known type." },
	{ "rx_injected_drops", NULL, 0, "Packets are dropped on purpose: accept_bits is set." },
	{ "tombstone_evictions", NULL, 0,
	  "A late duplicate might be executed twice: max_tombstones is small for this load." },
	{ "grant_stalls", "packets_sent_GRANT", 0.01,
	  "Senders do not use their grants: they are busy with others." },
	{ "pacer_stalls", NULL, 0, "A device completes no packets though it has some." },
	{ "resend_limits", NULL, 0, "More losses than RESENDs may be sent: a path is broken." },
	{ "reply_limits", NULL, 0, "Floods of packets for no RPC are left unanswered." },
	{ "throttle_list_checks", "throttle_list_adds", 10,
	  "Many messages wait to be sent; finding each one's place takes time." },
	{ "ack_overflows", "client_responses_done", 0.3,
	  "Acknowledgments go in packets of their own: many more responses come than requests." },
	{ "grantable_rpcs_integral", "time", 100,
	  "Very many messages wait for grants at a time: receivers are overcommitted." },
	{ "grant_lock_miss_cycles", "time", 0.01, "Cores wait for the grant lock." },
	{ "socket_lock_miss_cycles", "time", 0.01,
	  "Cores wait for a socket's lock: use more ports." },
	{ "timer_reap_cycles", "time", 0.05, "Freeing ended RPCs takes much of a core." },
};

bool canary_get(struct metrics *change, int i, struct canary *canary)
{
	const char *per;
	double base = 1;

	*canary = (struct canary){ .name = NULL };
	if (i >= (int)(sizeof(canaries) / sizeof(canaries[0])))
		return false;
	per = canaries[i].per;
	if (per && !strcmp(per, "second"))
		base = metrics_seconds(change);
	else if (per && !strcmp(per, "time"))
		base = change->cycles;
	else if (per)
		base = metrics_value(change, per);
	canary->name = canaries[i].name;
	canary->sentence = canaries[i].sentence;
	canary->limit = canaries[i].limit;
	canary->value = metrics_value(change, canary->name);
	/* Without the other counter there is nothing that could excuse this one. */
	canary->is = canary->value / (base > 0 ? base : 1);
	return canary->is > canary->limit;
}

static const char * const core_parts[][2] = {
	{ "softirq", "softirq_cycles" }, { "send", "send_cycles" },
	{ "recv", "recv_cycles" }, { "reply", "reply_cycles" }, { "timer", "timer_cycles" },
	{ "pacer", "pacer_cycles" },
};

#define CORE_PARTS ((int)(sizeof(core_parts) / sizeof(core_parts[0])))

int core_rows(void)
{
	return CORE_PARTS + 1;
}

double core_use(struct metrics *change, int row, int core, const char **label)
{
	uint64_t cycles = 0;
	int i;

	*label = row < CORE_PARTS ? core_parts[row][0] : "total";
	for (i = 0; i < CORE_PARTS; i++)
		if (i == row || row == CORE_PARTS)
			cycles += metrics_core(change, core_parts[i][1], core);
	return (double)cycles / change->cycles;
}
