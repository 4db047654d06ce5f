/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What a host remembers about another one. */
#ifndef _HOMA_PEER_H
#define _HOMA_PEER_H

#include <linux/refcount.h>
#include <linux/rhashtable-types.h>
#include <linux/uidgid.h>

#include "grant.h"
#include "net.h"
#include "wire.h"

/**
 * struct homa_peer_key - identifies another host
 * @addr: its address; IPv4 addresses are mapped
 * @scope: interface of a link-local address, or VRF that the peer is in, else 0
 */
struct homa_peer_key {
	struct in6_addr addr;
	u32 scope;
};

/**
 * struct homa_flow - what the route to a peer depends on, beside the peer's address
 * @saddr: our address, or all zeros if the route shall choose one
 * @oif: interface that packets must use, or 0
 * @mark: of the socket
 * @uid: its owner
 * @sport: our port
 * @dport: the peer's
 * @protocol: of the IP header
 * @tclass: bits of the TOS byte or traffic class that the socket sets
 * @flags: of struct flowi_common
 */
struct homa_flow {
	struct in6_addr saddr;
	int oif;
	u32 mark;
	kuid_t uid;
	__be16 sport;
	__be16 dport;
	u8 protocol;
	u8 tclass;
	u8 flags;
};

/**
 * struct homa_route - the way that packets of some flow took last
 * @flow: what it was looked up for
 * @saddr: our address in it
 * @dst: the route, with a reference, or NULL
 * @cookie: tells whether @dst is still good
 * @since: when it was looked up, jiffies
 */
struct homa_route {
	struct homa_flow flow;
	struct in6_addr saddr;
	struct dst_entry *dst;
	u32 cookie;
	unsigned long since;
};

/**
 * struct homa_peer - another host
 * @hash: link in homa_peers.table
 * @key: who it is
 * @refs: the table has one reference, each RPC one
 * @rcu: defers freeing until lookups are over
 * @hn: this host
 * @lru: link in homa_peers.lru, under homa_peers.lock
 * @last_used: time of the last homa_peer_get(), jiffies
 * @cutoffs_sent: time of the last CUTOFFS to this peer, jiffies
 * @mark: the last count of peers that has met it, see inspect.c
 * @last_heard: time when an RPC last heard of it, ns; see homa_peer_heard()
 * @asked: RESENDs that it has not answered, of all RPCs; those that are sent within
 *	resend_interval count once, for one overflowing queue may lose them all
 * @asked_since: time of the first of them, ns
 * @asked_last: time of the last that was counted, ns
 * @resends: RESENDs to it
 * @server_rpcs: RPCs that it has begun and that are not over
 * @unfinished: of them, those whose request came in several packets and is not all
 *	here
 * @silent_kb: kilobytes of room that its silent requests hold, see silent.c
 * @proven: a message of it has arrived entirely
 * @lock: protects what follows
 * @cutoffs: the peer's cutoffs; priority i is for messages up to cutoffs[i]
 * @cutoff_version: version of @cutoffs, 0 until CUTOFFS arrived
 * @num_acks: number of valid entries in @acks
 * @acks: RPCs that this host, as a client, is done with
 * @route: of the last flow to it
 * @grant: its messages in grant.c; locks: see there
 */
struct homa_peer {
	struct rhash_head hash;
	struct homa_peer_key key;
	refcount_t refs;
	struct rcu_head rcu;
	struct homa_net *hn;
	struct list_head lru;
	unsigned long last_used;
	unsigned long cutoffs_sent;
	int mark;
	u64 last_heard;
	atomic_t asked;
	u64 asked_since;
	u64 asked_last;
	struct homa_rate resends;
	atomic_t server_rpcs;
	atomic_t unfinished;
	atomic_t silent_kb;
	bool proven;

	spinlock_t lock;
	u32 cutoffs[HOMA_MAX_PRIORITIES];
	__be16 cutoff_version;
	int num_acks;
	struct homa_ack acks[HOMA_MAX_ACKS];
	struct homa_route route;
	struct homa_grant_peer grant;
};

int homa_peers_net_init(struct homa_net *hn);
void homa_peers_net_exit(struct homa_net *hn);

int homa_peers_list(struct homa_net *hn, struct homa_peer_key **keys);
struct homa_peer *homa_peer_find(struct homa_net *hn,
				 const struct homa_peer_key *key);
struct homa_peer *homa_peer_get(struct homa_net *hn,
				const struct homa_peer_key *key);
void homa_peer_put(struct homa_peer *peer);

void homa_peer_heard(struct homa_peer *peer, u64 now);
bool homa_peer_may_ask(struct homa_peer *peer, u64 now);

struct dst_entry *homa_peer_route(struct homa_peer *peer,
				  const struct homa_flow *flow,
				  struct in6_addr *saddr);
void homa_peer_set_route(struct homa_peer *peer, const struct homa_flow *flow,
			 const struct in6_addr *saddr, struct dst_entry *dst,
			 u32 cookie);

bool homa_peer_pop_ack(struct homa_peer *peer, struct homa_ack *ack);
int homa_peer_pop_acks(struct homa_peer *peer, struct homa_ack *acks);
bool homa_peer_push_ack(struct homa_peer *peer, const struct homa_ack *ack);

#endif /* _HOMA_PEER_H */
