/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* The knobs of one Homa host: net.homa.* of its network namespace.
 *
 * A new knob is a field here and a row in sysctl.c. Readers use READ_ONCE();
 * a plain int is written by the sysctl core with WRITE_ONCE(), arrays are
 * written element by element under @lock after the whole value was checked.
 */
#ifndef _HOMA_SYSCTL_H
#define _HOMA_SYSCTL_H

#include <linux/mutex.h>
#include <linux/types.h>

struct ctl_table;
struct homa_net;

/* Priority levels, and so entries of priority_map and unsched_cutoffs. */
#define HOMA_SYSCTL_PRIORITIES 8

/* Numbers that each possible CPU has in gen3_softirq_cores. */
#define HOMA_SYSCTL_GEN3_TARGETS 3

/* Values of net.homa.*; each field is called like its row. @lock serializes
 * writes of rows that hold or change more than one int.
 *
 * Fields stand under what uses them. Those under "kept for scripts" are stored
 * and checked, and change nothing yet: no code here does what they steer.
 */
struct homa_sysctls {
	struct mutex lock;

	/* Timeouts, in ticks of about 1 ms (timer.c). */
	int resend_ticks;	  /* silence before the first RESEND */
	int resend_interval;	  /* between later RESENDs */
	int reorder_usecs;	  /* ours: packets may be so late, and not lost */
	int timeout_ticks;	  /* silence before an RPC fails */
	int timeout_resends;	  /* unanswered RESENDs before it fails */
	int request_ack_ticks;	  /* response complete until NEED_ACK */

	/* Sending (msgout.c, sock.c, pacer.c). */
	int unsched_bytes;	  /* first bytes of a message, sent unasked */
	int wmem_max;		  /* a new socket's limit of bytes being sent */
	int defer_min_bytes;	  /* shorter messages never wait for the device */
	int flags;		  /* HOMA_FLAG_DONT_THROTTLE: none waits */
	int link_mbps;		  /* speed of all devices; 0: ask each */
	int max_link_usage;	  /* percent of it that messages may use */
	int max_nic_queue_usecs;  /* most bytes in a device, as a time */
	int max_nic_est_backlog_usecs; /* longest modelled backlog of a link */
	int pacer_fifo_fraction;  /* thousandths for the oldest message */
	int homa_share;		  /* percent, where others wait, too (qdisc.c) */

	/* Receiving (grant.c, input.c). */
	int window;		  /* bytes granted ahead; 0: dynamic */
	int max_incoming;	  /* bytes granted and not received, all RPCs */
	int incast_rpcs;	  /* ours: unanswered RPCs that are too many; 0: none */
	int incast_unsched_bytes; /* ours: of a response to a client with too many */
	int max_overcommit;	  /* messages that are granted to at a time */
	int grant_fifo_fraction;  /* thousandths of grants, for who starves */
	int fifo_grant_increment; /* bytes that it gets at a time; 0: none */
	int max_grantable_rpcs;	  /* statistic: most RPCs waiting for grants */
	int verify_checksum;	  /* ours: drop DATA whose checksum is wrong */
	int accept_freeze;	  /* ours: a FREEZE packet freezes the timetrace */

	/* Priorities (prio.c). */
	int num_priorities;
	int priority_map[HOMA_SYSCTL_PRIORITIES];    /* ours to the wire's */
	int unsched_cutoffs[HOMA_SYSCTL_PRIORITIES]; /* longest message */
	int cutoff_version;	  /* read-only; of unsched_cutoffs */
	int max_sched_prio;	  /* read-only; highest scheduled level */
	int auto_cutoffs;	  /* ours: compute them; writing them clears it */

	/* Bounds (rpc.c, silent.c, rxmem.c, tomb.c, peer.c). */
	int max_server_rpcs;	  /* ours: server RPCs alive in one socket */
	int max_peer_rpcs;	  /* ours: server RPCs alive of one peer */
	int max_host_rpcs;	  /* ours: server RPCs alive in all sockets */
	int max_strangers;	  /* ours: unfinished requests of unknown hosts */
	int max_peer_silent_kbytes; /* ours: room of silent requests of a peer, */
	int max_silent_kbytes;	  /* of all peers, */
	int max_silent_percent;	  /* and of a socket, in percent of its region */
	int max_rx_kbytes;	  /* ours: memory of packets not received yet */
	int max_tombstones;	  /* ours: what is remembered of ended RPCs */
	int tombstone_msecs;	  /* ours: for so long */
	int max_peers;		  /* ours: remote hosts in the table */
	int peer_net_max;	  /* with so many, */
	int peer_idle_secs_min;	  /* a peer is forgotten if idle for so long, */
	int peer_gc_threshold;	  /* and with no more than these, */
	int peer_idle_secs_max;	  /* for so long */
	int max_replies;	  /* ours: in a millisecond, if no RPC is known */
	int max_resends;	  /* ours: RESENDs to a peer in a millisecond */

	/* Frames of several packets */
	int max_gro_skbs;	  /* packets that are collected */
	int hijack_tcp;		  /* new sockets' packets travel as TCP (encap.c) */
	int hijack_udp;		  /* ours: or in UDP's (udp.c) */
	int udp_encap_port;	  /* ours: UDP port where such are taken; 0: none */
	int max_gso_size;	  /* bytes on IP's level; 0: the device's limit */
	int native_tso;		  /* ours: frames that cards cut, (offload.c) */
	int gso_force_software;	  /* but the kernel shall */

	/* Cores (steer.c, waiter.c). */
	int gro_policy;		  /* enum homa_gro_policy */
	int busy_usecs;		  /* for so long a core is busy with what it did */
	int gro_busy_usecs;	  /* the same for handling packets within GRO */
	int *gen3_softirq_cores;  /* a CPU and 3 targets, for each CPU */
	int poll_usecs;		  /* threads poll before they sleep */

	/* Page cache (txpages.c). */
	int skb_page_frees_per_sec;
	int skb_page_pool_min_kb;

	/* Kept for scripts: bpages have no lease. */
	int bpage_lease_usecs;

	/* Kept for scripts: ended RPCs are freed at once. */
	int reap_limit;
	int dead_buffs_limit;
	int max_dead_buffs;

	/* Debugging (drop.c, freeze.c). */
	int accept_bits;	  /* accept up to 2^n packets, then drop; 0: never */
	int drop_bits;		  /* up to 2^n of them */
	int freeze_type;	  /* enum homa_freeze_type; 0: none */
	int temp[4];		  /* what is slow, see homa_freeze_slow() */

	/* Kept for scripts: what is logged does not depend on it. */
	int verbose;
};

struct ctl_table *homa_sysctl_table_alloc(struct homa_net *hn, size_t *rows);

const int *homa_sysctl_gen3(const struct homa_sysctls *sysctl, int cpu);

int homa_sysctl_init(struct homa_net *hn);
void homa_sysctl_exit(struct homa_net *hn);

int homa_sysctl_net_init(struct homa_net *hn);
void homa_sysctl_net_exit(struct homa_net *hn);

#endif /* _HOMA_SYSCTL_H */
