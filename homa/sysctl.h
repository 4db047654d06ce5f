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
	int timeout_ticks;	  /* silence before an RPC fails */
	int request_ack_ticks;	  /* response complete until NEED_ACK */

	/* Sending (msgout.c, output.c). */
	int unsched_bytes;	  /* first bytes of a message, sent unasked */
	int max_gso_size;	  /* bytes per GSO packet; 0: the device's limit */
	int gso_force_software;	  /* segment in software whatever the device */
	int wmem_max;		  /* a new socket's limit of bytes being sent */

	/* Receiving (grant.c, input.c, af_homa.c). */
	int window;		  /* bytes granted ahead; 0: dynamic */
	int max_incoming;	  /* bytes granted and not received, all RPCs */
	int max_overcommit;	  /* messages that are granted to at a time */
	int max_grantable_rpcs;	  /* statistic: most RPCs waiting for grants */
	int poll_usecs;		  /* recvmsg polls so long before it sleeps */
	int bpage_lease_usecs;	  /* a core owns a receive page so long */
	int verify_checksum;	  /* ours: drop DATA whose checksum is wrong */
	int accept_freeze;	  /* ours: a FREEZE packet freezes the timetrace */

	/* Priorities (prio.c). */
	int num_priorities;
	int priority_map[HOMA_SYSCTL_PRIORITIES];    /* ours to the wire's */
	int unsched_cutoffs[HOMA_SYSCTL_PRIORITIES]; /* longest message */
	int cutoff_version;	  /* read-only; of unsched_cutoffs */
	int max_sched_prio;	  /* read-only; highest scheduled level */

	/* Bounds (rpc.c, peer.c). */
	int max_server_rpcs;	  /* ours: server RPCs alive in one socket */
	int max_tombstones;	  /* ours: ended RPCs that the host remembers */
	int tombstone_msecs;	  /* ours: for so long */
	int max_peers;		  /* ours: remote hosts in the table */
	int peer_gc_threshold;	  /* peers before any is evicted */
	int peer_idle_secs_min;	  /* never evict a peer used more recently */
	int peer_idle_secs_max;	  /* always evict a peer idle for longer */
	int peer_net_max;	  /* peers before idle ones go early */
	int reap_limit;		  /* packet buffers freed at a time */
	int dead_buffs_limit;	  /* dead buffers that make freeing urgent */
	int max_dead_buffs;	  /* statistic: most dead buffers seen */
	int verbose;		  /* more in the kernel log */

	/* Kept for scripts: grants in FIFO order, pacing, qdisc. */
	int fifo_grant_increment;
	int grant_fifo_fraction;
	int defer_min_bytes;
	int flags;
	int homa_share;
	int link_mbps;		  /* 0: the device's own speed */
	int max_link_usage;
	int max_nic_est_backlog_usecs;
	int max_nic_queue_usecs;
	int pacer_fifo_fraction;

	/* Kept for scripts: steering and GRO, encapsulation, page cache. */
	int busy_usecs;
	int gro_busy_usecs;
	int gro_policy;
	int max_gro_skbs;
	int *gen3_softirq_cores;  /* a CPU and 3 targets, for each CPU */
	int hijack_tcp;
	int skb_page_frees_per_sec;
	int skb_page_pool_min_kb;

	/* Kept for scripts: debugging. */
	int accept_bits;
	int drop_bits;
	int freeze_type;
	int temp[4];
	int timeout_resends;
};

struct ctl_table *homa_sysctl_table_alloc(struct homa_net *hn, size_t *rows);

int homa_sysctl_init(struct homa_net *hn);
void homa_sysctl_exit(struct homa_net *hn);

int homa_sysctl_net_init(struct homa_net *hn);
void homa_sysctl_net_exit(struct homa_net *hn);

#endif /* _HOMA_SYSCTL_H */
