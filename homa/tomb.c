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
#include <linux/jhash.h>
#include <linux/slab.h>

#include "tomb.h"

/**
 * struct homa_tombstone - an executed request
 * @links: in homa_tombs.buckets
 * @fifo_links: in homa_tombs.fifo
 * @key: who and which
 * @port: client's port
 * @until: end of its life, ns
 */
struct homa_tombstone {
	struct hlist_node links;
	struct list_head fifo_links;
	struct homa_rpc_key key;
	__be16 port;
	u64 until;
};

/**
 * homa_tombs_net_init() - prepare a host's tombstones
 * @hn: host
 *
 * Context: process.
 */
void homa_tombs_net_init(struct homa_net *hn)
{
	spin_lock_init(&hn->tombs.lock);
	INIT_LIST_HEAD(&hn->tombs.fifo);
}
EXPORT_SYMBOL_IF_KUNIT(homa_tombs_net_init);

static u32 tomb_hash(const struct homa_rpc_key *key, __be16 port)
{
	return jhash(key, sizeof(*key), (__force u32)port) %
	       HOMA_TOMB_BUCKETS;
}

static void tomb_remove_oldest(struct homa_tombs *tombs)
{
	struct homa_tombstone *t;

	t = list_first_entry(&tombs->fifo, struct homa_tombstone, fifo_links);
	hlist_del(&t->links);
	list_del(&t->fifo_links);
	tombs->count--;
	kfree(t);
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
	kfree(hn->tombs.buckets);
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

	t = kmalloc(sizeof(*t), GFP_ATOMIC);
	if (!t) {
		homa_metric_inc(hn, tombstone_evictions);
		return;
	}
	t->key = rpc->key;
	t->port = rpc->dport;
	t->until = now + (u64)READ_ONCE(hn->sysctl.tombstone_msecs) *
		   NSEC_PER_MSEC;

	spin_lock_bh(&tombs->lock);
	if (!tombs->buckets)
		tombs->buckets = kcalloc(HOMA_TOMB_BUCKETS,
					 sizeof(*tombs->buckets), GFP_ATOMIC);
	tombs_trim(hn, now);
	if (tombs->buckets) {
		hlist_add_head(&t->links,
			       &tombs->buckets[tomb_hash(&t->key, t->port)]);
		list_add_tail(&t->fifo_links, &tombs->fifo);
		WRITE_ONCE(tombs->count, tombs->count + 1);
		t = NULL;
	}
	spin_unlock_bh(&tombs->lock);
	if (t) {
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
	struct homa_tombs *tombs = &hn->tombs;
	struct homa_tombstone *t;
	u64 now = homa_now();
	bool found = false;

	if (!READ_ONCE(tombs->count))
		return false;
	spin_lock_bh(&tombs->lock);
	if (tombs->buckets) {
		hlist_for_each_entry(t, &tombs->buckets[tomb_hash(key, port)],
				     links) {
			if (t->port == port && t->until > now &&
			    !memcmp(&t->key, key, sizeof(*key))) {
				found = true;
				break;
			}
		}
	}
	spin_unlock_bh(&tombs->lock);
	return found;
}
EXPORT_SYMBOL_IF_KUNIT(homa_tomb_find);
