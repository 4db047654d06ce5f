/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* One network namespace is one Homa host: struct homa_net and its map. */
#ifndef _HOMA_NET_H
#define _HOMA_NET_H

#include <linux/atomic.h>
#include <linux/interrupt.h>
#include <linux/rbtree.h>
#include <linux/rhashtable.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "clock.h"
#include "metrics.h"
#include "sysctl.h"
#include "../tt/kmod/timetrace.h"

/**
 * DOC: Objects
 *
 * struct homa_net (a host)
 *   Part of the network namespace, created and freed with it. Sockets hold
 *   their namespace, so it outlives them and everything below.
 *
 * struct homa_sock (sock.h)
 *   A struct sock. Held by its file, by each of its RPCs and by each packet
 *   that it has given to IP. Found by port under RCU (SOCK_RCU_FREE).
 *   homa_sock_shutdown() makes it dead: unfindable, its RPCs ended.
 *
 * struct homa_rpc (rpc.h)
 *   Reference counted. One reference belongs to the state machine and is
 *   dropped by homa_rpc_end(), which also makes the RPC unfindable. Others:
 *   a pending timer; the ready list, the list of waiters for buffer space,
 *   the pacer and the grant scheduler never hold one (homa_rpc_end() takes the
 *   RPC off them), but who takes an RPC from them does; a thread in sendmsg
 *   or recvmsg, the packet handler, a walk over a socket's RPCs. Lookups are
 *   under RCU, where freed memory may be another RPC already: who has got a
 *   reference looks again (rpc.c). Holds socket and peer.
 *
 * struct homa_peer (peer.h)
 *   Another host, reference counted: the table holds one reference, each RPC
 *   one. Evicted from the table, when it was idle for long or another needs
 *   the room, but only if nobody else holds it.
 *
 * struct homa_dev (dev.h)
 *   A network device that Homa packets use, reference counted: the table holds
 *   one reference until the device leaves the host, packets on their way to the
 *   device, RPCs and schedulers hold others. Found by net_device under RCU.
 *   Freed by a work item, since what it schedules must stop before.
 *
 * struct homa_tombstone (tomb.h)
 *   Remembers executed requests; owned by its table, freed by age, by number,
 *   and with the namespace, but not while a live RPC points at it.
 */

/**
 * DOC: Locks
 *
 * Outermost first. All are taken with bottom halves off. No lock is held
 * while a packet is given to IP or while user memory is touched.
 *
 *  #  lock                protects                               may then take
 *  1  rpc->lock           one RPC: state, messages, timer        2, 3
 *  2  hsk->lock           a socket's lists of RPCs, ready RPCs,  3 (not ports)
 *                         threads and RPCs that wait, shutdown
 *  3  rcvbuf->lock        owners of bpages, free list            leaf
 *     grants->lock        messages that need grants              leaf
 *     dev->pacer.lock     messages that wait for the device      leaf
 *     hn->peers.lock      list of peers                          leaf
 *     hn->devs.lock       devices: table, dead ones              leaf
 *     hn->tombs.lock      tombstones                             leaf
 *     hn->ports.lock      port table (writers; readers use RCU)  leaf
 *     peer->lock          stored acks, cutoffs, last route       leaf
 *     hsk->txpages.lock   pages kept for sending                 leaf
 *     sk->sk_lock.slock   homa_sock.rx_pool (rxmem.c)            leaf
 *     hn->tt.guard        whether the timetrace records          leaf
 *     hn->injection.lock  packets dropped on purpose             leaf
 *
 * A qdisc (qdisc.c) works under the kernel's lock of it, inside which hn->devs.lock is
 * taken; what the queues of a device share (struct homa_link) is atomic.
 *
 * The RPC table (hn->rpcs) has bucket locks of its own, taken inside 1 or 2.
 * hn->sysctl.lock is a mutex, for writers of settings and for those parts that
 * compute settings; packets never wait for it. hn->snapshots.lock is one, for
 * who takes or reads snapshots; only leaves are taken inside it. ktrace.mutex
 * (ktrace.c) is one, for who switches tracing of the kernel on or off; no other
 * lock is held. hn->encap.lock is one, for who makes a host's first socket or changes
 * its UDP port; none of the above is held.
 */

/**
 * enum homa_lock_class - locks as timetraces name them, where they are waited for
 * @HOMA_LOCK_GRANTS: grants->lock
 * @HOMA_LOCK_PACER: dev->pacer.lock
 */
enum homa_lock_class {
	HOMA_LOCK_GRANTS = 1,
	HOMA_LOCK_PACER = 2,
};

#define HOMA_PORT_BUCKETS 256

/**
 * struct homa_ports - sockets by port
 * @lock: for writers
 * @next_default: next default port to try
 * @buckets: struct homa_sock, by port modulo HOMA_PORT_BUCKETS
 */
struct homa_ports {
	spinlock_t lock;
	u16 next_default;
	struct hlist_head buckets[HOMA_PORT_BUCKETS];
};

#define HOMA_RECENT_PEER_BITS 6

/**
 * struct homa_peers - other hosts
 * @table: struct homa_peer by address
 * @lock: protects @lru and @count
 * @lru: struct homa_peer, longest unused first
 * @count: number of peers in the table
 * @gc: forgets peers that were idle for long; pending while there are peers
 * @recent: peers of @table that were looked up last, by their addresses; under RCU
 */
struct homa_peers {
	struct rhashtable table;
	spinlock_t lock;
	struct list_head lru;
	int count;
	struct delayed_work gc;
	struct homa_peer __rcu *recent[1 << HOMA_RECENT_PEER_BITS];
};

#define HOMA_DEV_BUCKET_BITS 4

/**
 * struct homa_devs - network devices, see dev.c
 * @table: struct homa_dev by net_device; readers use RCU
 * @lock: protects @dead, and changes of @table
 * @dead: struct homa_dev of devices that have left this host
 * @reaper: frees what is in @dead and unused
 * @speeds: asks all devices for their speed
 */
struct homa_devs {
	struct hlist_head table[1 << HOMA_DEV_BUCKET_BITS];
	spinlock_t lock;
	struct list_head dead;
	struct work_struct reaper;
	struct work_struct speeds;
};

/**
 * struct homa_tombs - requests that must not be executed again, see tomb.c
 * @table: struct homa_tombstone by key; readers use RCU
 * @lock: protects the rest, and changes of @table
 * @fifo: struct homa_tombstone that no RPC uses, oldest first
 * @count: number of tombstones
 * @expiry: removes old ones; pending while there are any in @fifo
 */
struct homa_tombs {
	struct rhashtable table;
	spinlock_t lock;
	struct list_head fifo;
	int count;
	struct delayed_work expiry;
};

/* Message lengths are told apart by their four highest bits. */
#define HOMA_PRIO_BUCKETS 144

/**
 * struct homa_prio_counts - incoming messages by length
 * @messages: number of messages
 * @scheduled: bytes that came because of grants
 * @unsched: bytes that came without, by prio_bucket() of the message's length
 */
struct homa_prio_counts {
	u64 messages;
	u64 scheduled;
	u64 unsched[HOMA_PRIO_BUCKETS];
};

/**
 * struct homa_prio - what unscheduled cutoffs are computed from, see prio.c
 * @counts: what each core has counted since the host began
 * @next: jiffies; the first message after it makes @work run
 * @interval: jiffies between two runs
 * @work: computes the cutoffs
 * @levels: number of unscheduled levels that was decided last; 0: none was
 * @halved: jiffies; when @weights were last halved
 * @seen: sum of @counts when @work last ran
 * @weights: @counts, the older the lighter
 *
 * All after @work is under sysctl.lock.
 */
struct homa_prio {
	struct homa_prio_counts __percpu *counts;
	unsigned long next;
	unsigned long interval;
	struct work_struct work;
	int levels;
	unsigned long halved;
	struct homa_prio_counts seen;
	struct homa_prio_counts weights;
};

/**
 * struct homa_freezer - a freeze that a thread has to do, see freeze.c
 * @work: does it
 * @tell: other hosts are to be told
 */
struct homa_freezer {
	struct work_struct work;
	bool tell;
};

/**
 * struct homa_injection - packets dropped on purpose, see drop.c
 * @lock: protects the rest
 * @accept: packets to accept before
 * @drop: so many are dropped
 */
struct homa_injection {
	spinlock_t lock;
	u32 accept;
	u32 drop;
};

/* What there is of snapshots, and counts in each. */
#define HOMA_SNAPSHOTS 1000
#define HOMA_SNAPSHOT_COUNTS 16

/**
 * struct homa_snapshot - how far messages were at one moment
 * @ns: the moment
 * @counts: of requests and responses, of clients and servers: messages begun,
 *	bytes begun, bytes done, messages done
 */
struct homa_snapshot {
	u64 ns;
	u64 counts[HOMA_SNAPSHOT_COUNTS];
};

/**
 * struct homa_snapshots - the last of them, see snapshot.c
 * @work: takes one
 * @running: @work is scheduled
 * @ring: NULL before the first socket, or without memory
 * @lock: protects the rest, and what @ring has
 * @taken: how many there have been
 * @idle: the last so many were equal
 */
struct homa_snapshots {
	struct delayed_work work;
	bool running;
	struct homa_snapshot *ring;
	struct mutex lock;
	u64 taken;
	int idle;
};

struct shrinker;

/**
 * struct homa_txpool - pages that sockets keep for sending, see txpages.c
 * @count: pages of all sockets
 * @work: gives some back; pending while there are too many
 * @shrinker: gives them back when the machine is short of memory
 */
struct homa_txpool {
	atomic_t count;
	struct delayed_work work;
	struct shrinker *shrinker;
};

/**
 * struct homa_ktrace - whether the timetrace has what the kernel does, see ktrace.c
 * @on: it has: 0 or 1
 * @links: then, with other such hosts
 */
struct homa_ktrace {
	int on;
	struct list_head links;
};

/**
 * struct homa_encap - packets that travel as others, see encap.c and udp.c
 * @lock: for who changes the rest
 * @hooked: those that look like TCP's are taken
 * @udp: sockets of the kernel's, for IPv4 and IPv6, at udp_encap_port
 */
struct homa_encap {
	struct mutex lock;
	bool hooked;
	struct socket *udp[2];
};

/**
 * struct homa_net - one Homa host
 * @net: the namespace
 * @live: cleared before the namespace goes away; no packet is handled then
 * @tt: timetrace of this host
 * @next_id: next RPC id of a client on this host; even
 * @unanswered: client RPCs whose response has not arrived entirely
 * @sysctl: settings
 * @sysctl_header: registration of the settings
 * @sysctl_table: the settings' table, relocated to this host
 * @metrics: counters, per core
 * @proc_dir: /proc/net/homa
 * @cores: what each core has done last, see steer.c
 * @rpc_seed: hashes the keys of RPCs
 * @server_rpcs: server RPCs of all sockets
 * @rx_mem: pools of all sockets, see rxmem.c
 * @silent_kb: kilobytes of room that silent requests hold, see silent.c
 * @strangers: unfinished requests of hosts that never finished one
 * @rx_help: helps incomplete messages, see rxmem.c
 * @txpool: pages that sockets keep for sending
 * @inspections: counts of peers in inspect.c so far
 * @replies: packets sent in answer to packets that belong to no RPC
 * @rpcs: all RPCs of this host, by peer address and id
 * @ports: sockets
 * @peers: other hosts
 * @devs: network devices
 * @tombs: requests that were executed
 * @prio: sizes of incoming messages
 * @ktrace: whether other parts of the kernel are traced
 * @encap: packets that travel as others
 * @freezer: what freezes the timetrace
 * @injection: what drops packets for tests
 * @snapshots: how far messages were
 */
struct homa_net {
	/* Constant once initialised. */
	struct net *net;
	bool live;
	struct homa_metrics __percpu *metrics;
	struct tt_host tt;
	struct ctl_table_header *sysctl_header;
	struct ctl_table *sysctl_table;
	struct proc_dir_entry *proc_dir;
	struct homa_core *cores;
	u32 rpc_seed;

	/* Read mostly; READ_ONCE where a change in the middle would hurt. */
	struct homa_sysctls sysctl;
	struct homa_ktrace ktrace;
	struct homa_encap encap;

	/* Each with the cores that use it; their locks do not share lines. */
	atomic64_t next_id ____cacheline_aligned_in_smp;
	atomic_t unanswered;
	atomic_t server_rpcs;
	atomic64_t rx_mem;
	atomic_t silent_kb;
	atomic_t strangers;
	struct delayed_work rx_help;
	struct homa_txpool txpool;
	atomic_t inspections;
	struct homa_rate replies;
	struct rhltable rpcs;
	struct homa_ports ports;
	struct homa_peers peers;
	struct homa_devs devs;
	struct homa_tombs tombs ____cacheline_aligned_in_smp;
	struct homa_prio prio ____cacheline_aligned_in_smp;
	struct homa_freezer freezer;
	struct homa_injection injection;
	struct homa_snapshots snapshots;
};

extern unsigned int homa_net_id;

/**
 * homa_net() - the Homa host of a namespace
 * @net: namespace
 *
 * Context: any.
 */
static inline struct homa_net *homa_net(struct net *net)
{
	return net_generic(net, homa_net_id);
}

/**
 * homa_net_rcu() - homa_net() for who handles packets
 * @net: namespace
 *
 * Context: RCU is read-locked.
 */
static inline struct homa_net *homa_net_rcu(struct net *net)
{
	return rcu_dereference(net->gen)->ptr[homa_net_id];
}

int homa_net_register(void);
void homa_net_unregister(void);

#endif /* _HOMA_NET_H */
