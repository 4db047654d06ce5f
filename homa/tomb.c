// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Tombstones: at most once, also for packets that come late.
 *
 * While a server RPC lives, duplicates of its request find it and are
 * dropped. When it has ended its key (address, port, id) is remembered, if the
 * request was given to the application; packets that ask for it are dropped.
 *
 * A client numbers its RPCs in sequence, so one tombstone, with a bit for each,
 * does for all of TOMB_IDS ids in a row:
 *
 *	enter	an RPC is created: the tombstone is found or made, so that
 *		remembering takes no memory and cannot fail
 *	leave	the RPC has ended: its bit is set if it was executed
 *	expire	when no RPC uses the tombstone, and none did for so long that
 *		neither the network nor a client can bring the request again
 *
 * A client may ask for as long as it likes, but it asks often: each question
 * prolongs the life. There are at most net.homa.max_tombstones on a host, if
 * live RPCs do not need more; the longest unused go first, and each such early
 * death is counted. Old ones are removed while new ones are made, so that a busy
 * host needs no timer; on a quiet one a work item removes them.
 */
#include <kunit/visibility.h>
#include <linux/bitmap.h>
#include <linux/hash.h>
#include <linux/slab.h>
#include <net/ipv6.h>

#include "hash.h"
#include "tomb.h"

/* Neighbouring ids that share a tombstone. A host's clients number their RPCs
 * together, so a server sees but some of them: with more bits memory would be
 * lost on clients that talk to hundreds of servers, with fewer on the headers.
 */
#define TOMB_IDS 512

/* A silent peer is given up after timeout_ticks, here and (with the same settings) there;
 * the factor is for one that is told to be more patient.
 */
#define TOMB_TIMEOUTS 4

/**
 * struct homa_tomb_key - identifies TOMB_IDS requests
 * @addr: client
 * @ids: their ids, without the lowest bits
 * @scope: see struct homa_peer_key
 * @port: client's port
 */
struct homa_tomb_key {
	struct in6_addr addr;
	u64 ids;
	u32 scope;
	u32 port;
};

/**
 * struct homa_tombstone - executed requests
 * @hash: link in homa_tombs.table
 * @fifo_links: in homa_tombs.fifo while no RPC uses it
 * @rcu: defers freeing until lookups are over
 * @key: which requests
 * @until: end of its life, ns; U64_MAX while an RPC uses it
 * @users: live RPCs among these requests
 * @executed: a bit for each request
 */
struct homa_tombstone {
	struct rhash_head hash;
	struct list_head fifo_links;
	struct rcu_head rcu;
	struct homa_tomb_key key;
	u64 until;
	int users;
	DECLARE_BITMAP(executed, TOMB_IDS);
};

static u32 tomb_hash(const void *data, u32 length, u32 seed)
{
	const struct homa_tomb_key *key = data;

	/* The port is the client's choice, too: it may not undo what ids do. */
	return homa_hash(&key->addr, lower_32_bits(key->ids) ^ key->scope,
			 upper_32_bits(key->ids),
			 seed + key->port * GOLDEN_RATIO_32);
}

static int tomb_differs(struct rhashtable_compare_arg *arg, const void *obj)
{
	const struct homa_tomb_key *key = arg->key;
	const struct homa_tombstone *t = obj;

	return t->key.ids != key->ids || t->key.port != key->port ||
	       t->key.scope != key->scope ||
	       !ipv6_addr_equal(&t->key.addr, &key->addr);
}

static const struct rhashtable_params tomb_params = {
	.key_len = sizeof(struct homa_tomb_key),
	.key_offset = offsetof(struct homa_tombstone, key),
	.head_offset = offsetof(struct homa_tombstone, hash),
	.hashfn = tomb_hash,
	.obj_cmpfn = tomb_differs,
	.automatic_shrinking = true,
};

static void tombs_expire(struct work_struct *work);

/**
 * homa_tombs_net_init() - prepare a host's tombstones
 * @hn: host
 *
 * Context: process.
 * Return: 0 or a negative errno
 */
int homa_tombs_net_init(struct homa_net *hn)
{
	spin_lock_init(&hn->tombs.lock);
	INIT_LIST_HEAD(&hn->tombs.fifo);
	INIT_DELAYED_WORK(&hn->tombs.expiry, tombs_expire);
	return rhashtable_init(&hn->tombs.table, &tomb_params);
}
EXPORT_SYMBOL_IF_KUNIT(homa_tombs_net_init);

static void tomb_make_key(struct homa_tomb_key *k,
			  const struct in6_addr *addr, u32 scope, __be16 port,
			  u64 id)
{
	k->addr = *addr;
	k->ids = id / (2 * TOMB_IDS);
	k->scope = scope;
	k->port = (__force u16)port;
}

static unsigned int tomb_bit(u64 id)
{
	return id / 2 % TOMB_IDS;
}

static u64 tomb_life(const struct homa_net *hn)
{
	u64 msecs = max_t(u64, READ_ONCE(hn->sysctl.tombstone_msecs),
			  TOMB_TIMEOUTS *
			  (u64)READ_ONCE(hn->sysctl.timeout_ticks));

	return msecs * NSEC_PER_MSEC;
}

static void tomb_remove_oldest(struct homa_tombs *tombs)
{
	struct homa_tombstone *t;

	t = list_first_entry(&tombs->fifo, struct homa_tombstone, fifo_links);
	rhashtable_remove_fast(&tombs->table, &t->hash, tomb_params);
	list_del_init(&t->fifo_links);
	tombs->count--;
	kfree_rcu(t, rcu);
}

/* Tombstones that one run removes, with bottom halves off. */
#define TOMBS_BATCH 64

static void tombs_expire(struct work_struct *work)
{
	struct homa_tombs *tombs = container_of(to_delayed_work(work),
						struct homa_tombs, expiry);
	struct homa_tombstone *t;
	u64 now = homa_now();
	int i;

	spin_lock_bh(&tombs->lock);
	for (i = 0; i < TOMBS_BATCH && !list_empty(&tombs->fifo); i++) {
		t = list_first_entry(&tombs->fifo, struct homa_tombstone,
				     fifo_links);
		if (t->until > now) {
			schedule_delayed_work(&tombs->expiry,
					      nsecs_to_jiffies(t->until - now) + 1);
			break;
		}
		tomb_remove_oldest(tombs);
	}
	if (i == TOMBS_BATCH)
		schedule_delayed_work(&tombs->expiry, 1);
	spin_unlock_bh(&tombs->lock);
}

/**
 * homa_tombs_net_exit() - free all tombstones
 * @hn: host; it has no sockets left
 *
 * Context: process.
 */
void homa_tombs_net_exit(struct homa_net *hn)
{
	cancel_delayed_work_sync(&hn->tombs.expiry);
	while (!list_empty(&hn->tombs.fifo))
		tomb_remove_oldest(&hn->tombs);
	rhashtable_destroy(&hn->tombs.table);
}
EXPORT_SYMBOL_IF_KUNIT(homa_tombs_net_exit);

/* Removes what is too old, or too much. At most a few each time, so that
 * adding stays cheap; two for each one added keep up.
 */
static void tombs_trim(struct homa_net *hn, u64 now)
{
	int max = READ_ONCE(hn->sysctl.max_tombstones);
	struct homa_tombs *tombs = &hn->tombs;
	struct homa_tombstone *t;
	int i;

	for (i = 0; i < 2 && !list_empty(&tombs->fifo); i++) {
		t = list_first_entry(&tombs->fifo, struct homa_tombstone,
				     fifo_links);
		if (t->until > now && tombs->count < max)
			return;
		if (t->until > now)
			homa_metric_inc(hn, tombstone_evictions);
		tomb_remove_oldest(tombs);
	}
}

/* Nobody uses it now: its time begins, or begins anew. */
static void tomb_rest(struct homa_net *hn, struct homa_tombstone *t, u64 now)
{
	lockdep_assert_held(&hn->tombs.lock);
	WRITE_ONCE(t->until, now + tomb_life(hn));
	list_move_tail(&t->fifo_links, &hn->tombs.fifo);
	if (!delayed_work_pending(&hn->tombs.expiry))
		schedule_delayed_work(&hn->tombs.expiry,
				      nsecs_to_jiffies(tomb_life(hn)) + 1);
}

/* A new tombstone, or NULL without memory. */
static struct homa_tombstone *tomb_make(struct homa_net *hn,
					const struct homa_tomb_key *key)
{
	struct homa_tombs *tombs = &hn->tombs;
	struct homa_tombstone *t;

	t = kzalloc(sizeof(*t), GFP_ATOMIC | __GFP_NOWARN);
	if (!t)
		return NULL;
	t->key = *key;
	INIT_LIST_HEAD(&t->fifo_links);
	if (rhashtable_insert_fast(&tombs->table, &t->hash, tomb_params)) {
		kfree(t);
		return NULL;
	}
	tombs->count++;
	return t;
}

/**
 * homa_tomb_enter() - a request has arrived
 * @rpc: new server RPC
 *
 * Context: any. The caller calls homa_tomb_leave() if this has succeeded.
 * Return: 0; -EALREADY: the request has been executed; -ENOMEM
 */
int homa_tomb_enter(struct homa_rpc *rpc)
{
	struct homa_net *hn = rpc->hn;
	struct homa_tombs *tombs = &hn->tombs;
	struct homa_tomb_key key;
	struct homa_tombstone *t;
	u64 now = 0;
	int err = 0;

	tomb_make_key(&key, &rpc->key.addr, rpc->oif, rpc->dport, rpc->key.id);
	spin_lock_bh(&tombs->lock);
	t = rhashtable_lookup_fast(&tombs->table, &key, tomb_params);
	if (!t || !t->users)
		now = homa_now();
	if (!t) {
		tombs_trim(hn, now);
		t = tomb_make(hn, &key);
	} else if (t->until <= now) {
		bitmap_zero(t->executed, TOMB_IDS);
	}
	if (!t) {
		err = -ENOMEM;
	} else if (test_bit(tomb_bit(rpc->key.id), t->executed)) {
		err = -EALREADY;
		if (!t->users)
			tomb_rest(hn, t, now);
	} else {
		t->users++;
		WRITE_ONCE(t->until, U64_MAX);
		list_del_init(&t->fifo_links);
		rpc->tomb = t;
	}
	spin_unlock_bh(&tombs->lock);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(homa_tomb_enter);

/**
 * homa_tomb_leave() - a server RPC ends
 * @rpc: server RPC; nothing happens without homa_tomb_enter()
 * @executed: the application has got the request
 *
 * Context: any.
 */
void homa_tomb_leave(struct homa_rpc *rpc, bool executed)
{
	struct homa_tombs *tombs = &rpc->hn->tombs;
	struct homa_tombstone *t = rpc->tomb;

	if (!t)
		return;
	rpc->tomb = NULL;
	spin_lock_bh(&tombs->lock);
	if (executed)
		set_bit(tomb_bit(rpc->key.id), t->executed);
	if (!--t->users)
		tomb_rest(rpc->hn, t, homa_now());
	spin_unlock_bh(&tombs->lock);
}
EXPORT_SYMBOL_IF_KUNIT(homa_tomb_leave);

/* Somebody still asks: keeps a tombstone that no RPC uses. */
static void tomb_prolong(struct homa_net *hn, struct homa_tombstone *t, u64 now)
{
	spin_lock_bh(&hn->tombs.lock);
	if (!list_empty(&t->fifo_links))	/* neither used nor removed */
		tomb_rest(hn, t, now);
	spin_unlock_bh(&hn->tombs.lock);
}

/**
 * homa_tomb_find() - has this request been executed?
 * @hn: host
 * @peer: client
 * @port: client's port
 * @id: as known here, odd
 *
 * Context: any.
 * Return: true if it has, and its RPC has ended
 */
bool homa_tomb_find(struct homa_net *hn, const struct homa_peer_key *peer,
		    __be16 port, u64 id)
{
	struct homa_tombstone *t;
	struct homa_tomb_key k;
	u64 now = homa_now();
	bool found = false;

	tomb_make_key(&k, &peer->addr, peer->scope, port, id);
	rcu_read_lock();
	t = rhashtable_lookup(&hn->tombs.table, &k, tomb_params);
	if (t && READ_ONCE(t->until) > now)
		found = test_bit(tomb_bit(id), t->executed);
	if (found && READ_ONCE(t->until) < now + tomb_life(hn) / 2)
		tomb_prolong(hn, t, now);
	rcu_read_unlock();
	return found;
}
EXPORT_SYMBOL_IF_KUNIT(homa_tomb_find);
