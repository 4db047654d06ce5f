// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Other hosts: what must be remembered between RPCs.
 *
 * A peer says which priorities its unscheduled packets should have (cutoffs),
 * and collects acknowledgments until they can ride on a packet (wire format,
 * ack piggyback rules). It also keeps the last route to it: routes belong to RPCs,
 * but most RPCs with a host go the same way, for which looking it up costs as much
 * as all the rest of IP.
 *
 * Peers that no RPC uses are forgotten after peer_idle_secs_max. The more there
 * are above peer_gc_threshold the sooner, down to peer_idle_secs_min when there
 * are peer_net_max. The table is bounded by max_peers: when it is full the one
 * that was idle longest makes room at once.
 */
#include <kunit/visibility.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/math64.h>
#include <linux/slab.h>
#include <net/ipv6.h>

#include "hash.h"
#include "peer.h"

static u32 peer_hash(const void *data, u32 length, u32 seed)
{
	const struct homa_peer_key *key = data;

	return homa_hash(&key->addr, key->scope, 0, seed);
}

static bool peer_is(const struct homa_peer *peer, const struct homa_peer_key *key)
{
	return peer->key.scope == key->scope &&
	       ipv6_addr_equal(&peer->key.addr, &key->addr);
}

static int peer_differs(struct rhashtable_compare_arg *arg, const void *obj)
{
	return !peer_is(obj, arg->key);
}

static const struct rhashtable_params peer_params = {
	.key_len = sizeof(struct homa_peer_key),
	.key_offset = offsetof(struct homa_peer, key),
	.head_offset = offsetof(struct homa_peer, hash),
	.hashfn = peer_hash,
	.obj_cmpfn = peer_differs,
	.automatic_shrinking = true,
};

/* Where a peer is if it was looked up lately. Hosts that choose their addresses so that
 * they share a place gain nothing: they are looked up as if there were none.
 */
static struct homa_peer __rcu **peer_recent(struct homa_net *hn,
					    const struct homa_peer_key *key)
{
	u32 last = (__force u32)key->addr.s6_addr32[3];

	return &hn->peers.recent[hash_32(last, HOMA_RECENT_PEER_BITS)];
}

/* Nobody but readers under RCU knows the peer any more. */
static void peer_free(struct homa_peer *peer)
{
	dst_release(peer->route.dst);
	kfree_rcu(peer, rcu);
}

/* Removes a peer from the table, if that has the only reference. */
static bool peer_evict(struct homa_net *hn, struct homa_peer *peer)
{
	struct homa_peer __rcu **recent = peer_recent(hn, &peer->key);

	lockdep_assert_held(&hn->peers.lock);

	/* Nobody can get a reference once the count is zero, so it is ours then. */
	if (!refcount_dec_if_one(&peer->refs))
		return false;
	if (rcu_access_pointer(*recent) == peer)
		RCU_INIT_POINTER(*recent, NULL);
	rhashtable_remove_fast(&hn->peers.table, &peer->hash, peer_params);
	list_del(&peer->lru);
	hn->peers.count--;
	tt_event(hn, PEER_EVICTED, tt_addr6(&peer->key.addr));
	peer_free(peer);
	return true;
}

/* For how long a peer may be idle, in jiffies. */
static unsigned long peers_idle_limit(const struct homa_net *hn)
{
	const struct homa_sysctls *s = &hn->sysctl;
	u64 most = READ_ONCE(s->peer_idle_secs_max);
	u64 least = min_t(u64, most, READ_ONCE(s->peer_idle_secs_min));
	int over = hn->peers.count - READ_ONCE(s->peer_gc_threshold);
	int range = READ_ONCE(s->peer_net_max) - READ_ONCE(s->peer_gc_threshold);

	if (over <= 0)
		return most * HZ;
	if (over >= range)
		return least * HZ;
	return most * HZ - div_u64((most - least) * HZ * over, range);
}

/* Peers that one run of the collector looks at, with bottom halves off. */
#define PEERS_GC_BATCH 64

/* It looks at least so often, since settings and numbers change. */
#define PEERS_GC_MAX_DELAY (10 * HZ)

/* Forgets peers that were idle for long. */
static void peers_gc(struct work_struct *work)
{
	struct homa_peers *peers = container_of(to_delayed_work(work),
						struct homa_peers, gc);
	struct homa_net *hn = container_of(peers, struct homa_net, peers);
	unsigned long now = jiffies, limit = 0, idle = 0;
	struct homa_peer *peer;
	int i;

	spin_lock_bh(&peers->lock);
	for (i = 0; i < PEERS_GC_BATCH && !list_empty(&peers->lru); i++) {
		peer = list_first_entry(&peers->lru, struct homa_peer, lru);
		limit = peers_idle_limit(hn);
		idle = now - peer->last_used;
		if (idle < limit)
			break;
		if (!peer_evict(hn, peer)) {	/* its RPC takes long */
			peer->last_used = now;
			list_move_tail(&peer->lru, &peers->lru);
		}
	}
	if (!list_empty(&peers->lru))
		schedule_delayed_work(&peers->gc, i == PEERS_GC_BATCH ? 1 :
				      min_t(unsigned long, limit - idle,
					    PEERS_GC_MAX_DELAY));
	spin_unlock_bh(&peers->lock);
}

/**
 * homa_peers_net_init() - prepare a host's table of peers
 * @hn: host
 *
 * Context: process.
 * Return: 0 or a negative errno
 */
int homa_peers_net_init(struct homa_net *hn)
{
	spin_lock_init(&hn->peers.lock);
	INIT_LIST_HEAD(&hn->peers.lru);
	INIT_DELAYED_WORK(&hn->peers.gc, peers_gc);
	return rhashtable_init(&hn->peers.table, &peer_params);
}
EXPORT_SYMBOL_IF_KUNIT(homa_peers_net_init);

static void peer_free_fn(void *peer, void *arg)
{
	peer_free(peer);
}

/**
 * homa_peers_net_exit() - free all peers of a host that is going away
 * @hn: host; it has no sockets left
 *
 * Context: process.
 */
void homa_peers_net_exit(struct homa_net *hn)
{
	cancel_delayed_work_sync(&hn->peers.gc);
	rhashtable_free_and_destroy(&hn->peers.table, peer_free_fn, NULL);
}
EXPORT_SYMBOL_IF_KUNIT(homa_peers_net_exit);

/**
 * homa_peer_put() - give a reference back
 * @peer: peer
 *
 * Context: any.
 */
void homa_peer_put(struct homa_peer *peer)
{
	if (refcount_dec_and_test(&peer->refs))
		peer_free(peer);
}
EXPORT_SYMBOL_IF_KUNIT(homa_peer_put);

/**
 * homa_peer_find() - look a peer up, without making one
 * @hn: host
 * @key: who
 *
 * Context: any.
 * Return: the peer with a reference, or NULL
 */
struct homa_peer *homa_peer_find(struct homa_net *hn,
				 const struct homa_peer_key *key)
{
	struct homa_peer __rcu **recent = peer_recent(hn, key);
	struct homa_peer *peer;

	rcu_read_lock();
	peer = rcu_dereference(*recent);
	if (!peer || !peer_is(peer, key))
		peer = rhashtable_lookup(&hn->peers.table, key, peer_params);
	if (peer && !refcount_inc_not_zero(&peer->refs))
		peer = NULL;
	/* Who evicts it has the only reference, and clears the place then. */
	if (peer && rcu_access_pointer(*recent) != peer)
		rcu_assign_pointer(*recent, peer);
	rcu_read_unlock();
	return peer;
}
EXPORT_SYMBOL_IF_KUNIT(homa_peer_find);

/**
 * homa_peers_list() - who is there
 * @hn: host
 * @keys: is set to an array for kvfree(), or NULL
 *
 * Context: process, sleeps.
 * Return: entries of @keys; 0 if there are none, or no memory
 */
int homa_peers_list(struct homa_net *hn, struct homa_peer_key **keys)
{
	int n = 0, room = READ_ONCE(hn->peers.count);
	struct homa_peer *peer;

	*keys = kvmalloc_array(room, sizeof(**keys), GFP_KERNEL);
	if (!*keys)
		return 0;
	spin_lock_bh(&hn->peers.lock);
	list_for_each_entry(peer, &hn->peers.lru, lru) {
		if (n == room)
			break;
		(*keys)[n++] = peer->key;
	}
	spin_unlock_bh(&hn->peers.lock);
	return n;
}

static struct homa_peer *peer_alloc(struct homa_net *hn,
				    const struct homa_peer_key *key)
{
	struct homa_peer *peer = kzalloc(sizeof(*peer), GFP_ATOMIC | __GFP_NOWARN);

	if (!peer) {
		homa_metric_inc(hn, peer_kmalloc_errors);
		return NULL;
	}
	peer->hn = hn;
	peer->key = *key;
	refcount_set(&peer->refs, 2);	/* the table's and the caller's */
	spin_lock_init(&peer->lock);
	peer->cutoffs_sent = jiffies - HZ;
	peer->last_heard = homa_now();

	/* Until the peer says more: everything at the second highest level. */
	peer->cutoffs[HOMA_MAX_PRIORITIES - 2] = INT_MAX;
	return peer;
}

/* Peers looked at to find one that can be evicted. */
#define PEERS_MAX_TRIES 16

/* Makes room in a full table. Caller holds peers.lock. */
static bool peers_evict_one(struct homa_net *hn)
{
	struct homa_peer *peer;
	int i;

	lockdep_assert_held(&hn->peers.lock);
	for (i = 0; i < PEERS_MAX_TRIES && !list_empty(&hn->peers.lru); i++) {
		peer = list_first_entry(&hn->peers.lru, struct homa_peer, lru);

		if (peer_evict(hn, peer))
			return true;
		list_move_tail(&peer->lru, &hn->peers.lru);
	}
	return false;
}

/* Adds a new peer; somebody else may have been faster. */
static struct homa_peer *peer_insert(struct homa_net *hn,
				     struct homa_peer *peer)
{
	struct homa_peer *other = NULL;

	spin_lock_bh(&hn->peers.lock);
	if (hn->peers.count >= READ_ONCE(hn->sysctl.max_peers) &&
	    !peers_evict_one(hn))
		goto fail;
	other = rhashtable_lookup_get_insert_fast(&hn->peers.table,
						  &peer->hash, peer_params);
	if (IS_ERR(other)) {
		other = NULL;
		goto fail;
	}
	if (other) {
		/* Evictions need peers.lock, so the table still holds it. */
		refcount_inc(&other->refs);
		goto fail;
	}
	peer->last_used = jiffies;
	list_add_tail(&peer->lru, &hn->peers.lru);
	hn->peers.count++;
	schedule_delayed_work(&hn->peers.gc, HZ);	/* if it does not run already */
	spin_unlock_bh(&hn->peers.lock);
	homa_metric_inc(hn, peer_allocs);
	tt_event(hn, PEER_NEW, tt_addr6(&peer->key.addr));
	return peer;

fail:
	spin_unlock_bh(&hn->peers.lock);
	kfree(peer);
	return other;
}

/**
 * homa_peer_get() - look a peer up, making it if it is new
 * @hn: host
 * @key: who
 *
 * Context: any.
 * Return: the peer with a reference, or NULL: no memory or too many peers
 */
struct homa_peer *homa_peer_get(struct homa_net *hn,
				const struct homa_peer_key *key)
{
	struct homa_peer *peer = homa_peer_find(hn, key);

	if (!peer) {
		peer = peer_alloc(hn, key);
		if (peer)
			peer = peer_insert(hn, peer);
		if (!peer)
			return NULL;
	}
	if (peer->last_used != jiffies) {
		spin_lock_bh(&hn->peers.lock);
		peer->last_used = jiffies;
		if (!list_empty(&peer->lru))
			list_move_tail(&peer->lru, &hn->peers.lru);
		spin_unlock_bh(&hn->peers.lock);
	}
	return peer;
}
EXPORT_SYMBOL_IF_KUNIT(homa_peer_get);

/* All RPCs of a peer write here; more often than this tells nothing new. */
#define PEER_HEARD_NSECS 500000

/**
 * homa_peer_heard() - a packet of a peer shows that it lives
 * @peer: peer
 * @now: homa_now()
 *
 * Context: any.
 */
void homa_peer_heard(struct homa_peer *peer, u64 now)
{
	if (now - READ_ONCE(peer->last_heard) >= PEER_HEARD_NSECS)
		WRITE_ONCE(peer->last_heard, now);
	if (atomic_read(&peer->asked))
		atomic_set(&peer->asked, 0);
}
EXPORT_SYMBOL_IF_KUNIT(homa_peer_heard);

/**
 * homa_peer_may_ask() - may an RPC ask a silent peer now?
 * @peer: peer
 * @now: homa_now()
 *
 * A peer that has too much to do becomes silent for many RPCs at once; if all
 * of them asked it would have more to do.
 *
 * Context: any.
 * Return: true if it may, which is counted; false: later
 */
bool homa_peer_may_ask(struct homa_peer *peer, u64 now)
{
	u64 interval = (u64)READ_ONCE(peer->hn->sysctl.resend_interval) *
		       NSEC_PER_MSEC;

	if (!homa_rate_allow(&peer->resends, now,
			     READ_ONCE(peer->hn->sysctl.max_resends))) {
		homa_metric_inc(peer->hn, resend_limits);
		return false;
	}
	if (atomic_read(&peer->asked) &&
	    now - READ_ONCE(peer->asked_last) < interval)
		return true;
	WRITE_ONCE(peer->asked_last, now);
	if (!atomic_fetch_inc(&peer->asked))
		WRITE_ONCE(peer->asked_since, now);
	return true;
}
EXPORT_SYMBOL_IF_KUNIT(homa_peer_may_ask);

/* So long at most a route is used again, since not all that could change it makes it
 * invalid: an address of ours may be out of favour by now.
 */
#define PEER_ROUTE_JIFFIES HZ

static bool flow_equal(const struct homa_flow *a, const struct homa_flow *b)
{
	return ipv6_addr_equal(&a->saddr, &b->saddr) && a->oif == b->oif &&
	       a->mark == b->mark && uid_eq(a->uid, b->uid) &&
	       a->sport == b->sport && a->dport == b->dport &&
	       a->protocol == b->protocol && a->tclass == b->tclass &&
	       a->flags == b->flags;
}

/**
 * homa_peer_route() - a route that was found before for the same flow
 * @peer: where it leads
 * @flow: what it would be looked up for
 * @saddr: result if there is a route: our address
 *
 * Context: any.
 * Return: the route, still valid, with a reference; or NULL
 */
struct dst_entry *homa_peer_route(struct homa_peer *peer,
				  const struct homa_flow *flow,
				  struct in6_addr *saddr)
{
	struct homa_route *route = &peer->route;
	struct dst_entry *dst = NULL;

	if (!READ_ONCE(route->dst))
		return NULL;
	spin_lock_bh(&peer->lock);
	if (route->dst && flow_equal(&route->flow, flow) &&
	    jiffies - route->since < PEER_ROUTE_JIFFIES &&
	    dst_check(route->dst, route->cookie)) {
		dst = dst_clone(route->dst);
		*saddr = route->saddr;
	}
	spin_unlock_bh(&peer->lock);
	return dst;
}

/**
 * homa_peer_set_route() - remember a route
 * @peer: where it leads
 * @flow: what it was looked up for
 * @saddr: our address
 * @dst: route
 * @cookie: for dst_check()
 *
 * Context: any.
 */
void homa_peer_set_route(struct homa_peer *peer, const struct homa_flow *flow,
			 const struct in6_addr *saddr, struct dst_entry *dst,
			 u32 cookie)
{
	struct homa_route *route = &peer->route;
	struct dst_entry *old;

	spin_lock_bh(&peer->lock);
	old = route->dst;
	route->flow = *flow;
	route->saddr = *saddr;
	route->since = jiffies;
	route->cookie = cookie;
	WRITE_ONCE(route->dst, dst_clone(dst));
	spin_unlock_bh(&peer->lock);
	dst_release(old);
}

/**
 * homa_peer_pop_ack() - take an acknowledgment along on a packet
 * @peer: where the packet goes
 * @ack: result; the newest stored one
 *
 * Context: any.
 * Return: false if there is none
 */
bool homa_peer_pop_ack(struct homa_peer *peer, struct homa_ack *ack)
{
	bool found = false;

	if (!READ_ONCE(peer->num_acks))
		return false;
	spin_lock_bh(&peer->lock);
	if (peer->num_acks) {
		WRITE_ONCE(peer->num_acks, peer->num_acks - 1);
		*ack = peer->acks[peer->num_acks];
		found = true;
	}
	spin_unlock_bh(&peer->lock);
	return found;
}
EXPORT_SYMBOL_IF_KUNIT(homa_peer_pop_ack);

/**
 * homa_peer_pop_acks() - take all stored acknowledgments
 * @peer: where they go
 * @acks: result; room for HOMA_MAX_ACKS
 *
 * Context: any.
 * Return: number of acknowledgments
 */
int homa_peer_pop_acks(struct homa_peer *peer, struct homa_ack *acks)
{
	int n;

	spin_lock_bh(&peer->lock);
	n = peer->num_acks;
	memcpy(acks, peer->acks, n * sizeof(*acks));
	WRITE_ONCE(peer->num_acks, 0);
	spin_unlock_bh(&peer->lock);
	return n;
}
EXPORT_SYMBOL_IF_KUNIT(homa_peer_pop_acks);

/**
 * homa_peer_push_ack() - store an acknowledgment until a packet goes out
 * @peer: where it goes
 * @ack: the acknowledgment
 *
 * Context: any.
 * Return: false if there is no room; an ACK packet is due then
 */
bool homa_peer_push_ack(struct homa_peer *peer, const struct homa_ack *ack)
{
	bool stored = false;

	spin_lock_bh(&peer->lock);
	if (peer->num_acks < HOMA_MAX_ACKS) {
		peer->acks[peer->num_acks] = *ack;
		WRITE_ONCE(peer->num_acks, peer->num_acks + 1);
		stored = true;
	}
	spin_unlock_bh(&peer->lock);
	return stored;
}
EXPORT_SYMBOL_IF_KUNIT(homa_peer_push_ack);
