// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Tombstones: at most once, also for packets that come late.
 *
 * While a server RPC lives, duplicates of its request find it and are
 * dropped. When it has ended a tombstone takes its place: the key (address,
 * port, id) of a request that was given to the application. A packet that
 * finds a tombstone is dropped.
 *
 * A tombstone lives for net.homa.tombstone_msecs, which must exceed the
 * longest time that the network can hold a packet back; there are at most
 * net.homa.max_tombstones on a host, the oldest go first (each such early
 * death is counted). Old ones are removed while new ones are added, so no
 * timer is needed and a quiet host keeps no more than it had.
 */
#include <kunit/visibility.h>
#include <linux/slab.h>

#include "tomb.h"

/**
 * struct homa_tomb_key - identifies an executed request
 * @rpc: who and which
 * @port: client's port
 */
struct homa_tomb_key {
	struct homa_rpc_key rpc;
	u64 port;
};

/**
 * struct homa_tombstone - an executed request
 * @hash: link in homa_tombs.table
 * @fifo_links: in homa_tombs.fifo
 * @rcu: defers freeing until lookups are over
 * @key: the request
 * @until: end of its life, ns
 */
struct homa_tombstone {
	struct rhash_head hash;
	struct list_head fifo_links;
	struct rcu_head rcu;
	struct homa_tomb_key key;
	u64 until;
};

static const struct rhashtable_params tomb_params = {
	.key_len = sizeof(struct homa_tomb_key),
	.key_offset = offsetof(struct homa_tombstone, key),
	.head_offset = offsetof(struct homa_tombstone, hash),
	.automatic_shrinking = true,
};

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
	return rhashtable_init(&hn->tombs.table, &tomb_params);
}
EXPORT_SYMBOL_IF_KUNIT(homa_tombs_net_init);

static void tomb_remove_oldest(struct homa_tombs *tombs)
{
	struct homa_tombstone *t;

	t = list_first_entry(&tombs->fifo, struct homa_tombstone, fifo_links);
	rhashtable_remove_fast(&tombs->table, &t->hash, tomb_params);
	list_del(&t->fifo_links);
	tombs->count--;
	kfree_rcu(t, rcu);
}

/**
 * homa_tombs_net_exit() - free all tombstones
 * @hn: host; it has no sockets left
 *
 * Context: process.
 */
void homa_tombs_net_exit(struct homa_net *hn)
{
	while (hn->tombs.count)
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

	for (i = 0; i < 2 && tombs->count; i++) {
		t = list_first_entry(&tombs->fifo, struct homa_tombstone,
				     fifo_links);
		if (t->until > now && tombs->count < max)
			return;
		if (t->until > now)
			homa_metric_inc(hn, tombstone_evictions);
		tomb_remove_oldest(tombs);
	}
}

/**
 * homa_tomb_add() - remember that a request has been executed
 * @rpc: server RPC that ends
 *
 * Without memory the request is not remembered, which is counted.
 *
 * Context: any.
 */
void homa_tomb_add(const struct homa_rpc *rpc)
{
	struct homa_net *hn = rpc->hn;
	struct homa_tombs *tombs = &hn->tombs;
	struct homa_tombstone *t;
	u64 now = homa_now();
	int err = -ENOMEM;

	t = kzalloc(sizeof(*t), GFP_ATOMIC | __GFP_NOWARN);
	if (t) {
		t->key.rpc = rpc->key;
		t->key.port = (__force u16)rpc->dport;
		t->until = now + NSEC_PER_MSEC *
			   (u64)READ_ONCE(hn->sysctl.tombstone_msecs);
		spin_lock_bh(&tombs->lock);
		tombs_trim(hn, now);
		err = rhashtable_insert_fast(&tombs->table, &t->hash,
					     tomb_params);
		if (!err) {
			list_add_tail(&t->fifo_links, &tombs->fifo);
			tombs->count++;
		}
		spin_unlock_bh(&tombs->lock);
	}
	if (err) {
		homa_metric_inc(hn, tombstone_evictions);
		kfree(t);
	}
}
EXPORT_SYMBOL_IF_KUNIT(homa_tomb_add);

/**
 * homa_tomb_find() - has this request been executed?
 * @hn: host
 * @key: who and which, as known here (odd id)
 * @port: client's port
 *
 * Context: any.
 * Return: true if it has, so that it must not be executed now
 */
bool homa_tomb_find(struct homa_net *hn, const struct homa_rpc_key *key,
		    __be16 port)
{
	struct homa_tomb_key k = { .rpc = *key, .port = (__force u16)port };
	struct homa_tombstone *t;
	bool found;

	rcu_read_lock();
	t = rhashtable_lookup(&hn->tombs.table, &k, tomb_params);
	found = t && t->until > homa_now();
	rcu_read_unlock();
	return found;
}
EXPORT_SYMBOL_IF_KUNIT(homa_tomb_find);
