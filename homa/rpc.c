// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Remote procedure calls: how they are made, found, and ended.
 *
 *	alloc --publish--> findable --end--> dead --last put--> freed
 *
 * Client and server RPCs are in one table. Looking up gives a reference, not
 * a lock: the caller locks the RPC and must then look at its state, since it
 * may have ended meanwhile.
 */
#include <kunit/visibility.h>
#include <linux/slab.h>
#include <net/dst.h>

#include "dev.h"
#include "grant.h"
#include "hash.h"
#include "pacer.h"
#include "rpc.h"
#include "rxmem.h"
#include "silent.h"
#include "sock.h"
#include "timer.h"
#include "tomb.h"
#include "trace.h"
#include "waiter.h"

static struct kmem_cache *rpc_cache;

/* Hashing is done once for an RPC and once for a search, not again to insert, compare and
 * remove: @seed, which the table changes if its chains are long, need only be mixed in.
 */
static u32 rpc_hash(const void *data, u32 length, u32 seed)
{
	const struct homa_rpc_key *key = data;

	return ror32((key->hash ^ seed) * GOLDEN_RATIO_32, 16);
}

static u32 rpc_object_hash(const void *data, u32 length, u32 seed)
{
	const struct homa_rpc *rpc = data;

	return rpc_hash(&rpc->key, length, seed);
}

static void rpc_key_finish(struct homa_net *hn, struct homa_rpc_key *key)
{
	key->hash = homa_hash(&key->addr, lower_32_bits(key->id),
			      upper_32_bits(key->id), hn->rpc_seed);
}

static bool rpc_has_key(const struct homa_rpc *rpc,
			const struct homa_rpc_key *key)
{
	return rpc->key.id == key->id &&
	       ipv6_addr_equal(&rpc->key.addr, &key->addr);
}

static int rpc_differs(struct rhashtable_compare_arg *arg, const void *obj)
{
	return !rpc_has_key(obj, arg->key);
}

static const struct rhashtable_params rpc_params = {
	.key_len = sizeof(struct homa_rpc_key),
	.key_offset = offsetof(struct homa_rpc, key),
	.head_offset = offsetof(struct homa_rpc, hash),
	.hashfn = rpc_hash,
	.obj_hashfn = rpc_object_hash,
	.obj_cmpfn = rpc_differs,
	.automatic_shrinking = true,
};

/* An RPC leaves behind what is set here as it was. */
static void rpc_construct(void *object)
{
	struct homa_rpc *rpc = object;

	memset(rpc, 0, sizeof(*rpc));
	init_waitqueue_head(&rpc->waiters);
	INIT_LIST_HEAD(&rpc->sock_links);
	INIT_LIST_HEAD(&rpc->ready_links);
	RB_CLEAR_NODE(&rpc->buf_node);
	RB_CLEAR_NODE(&rpc->pacer_node);
}

/**
 * homa_rpcs_init() - prepare memory for RPCs
 *
 * A freed RPC may become another one at once, while its memory is still in the
 * caches: under RCU it remains an RPC, but maybe not the same. What links it to
 * others in the table is not cleared, since a lookup may be on its way there.
 *
 * Context: process.
 * Return: 0 or -ENOMEM
 */
int homa_rpcs_init(void)
{
	rpc_cache = kmem_cache_create("homa_rpc", sizeof(struct homa_rpc), 0,
				      SLAB_HWCACHE_ALIGN | SLAB_TYPESAFE_BY_RCU,
				      rpc_construct);
	return rpc_cache ? 0 : -ENOMEM;
}

/**
 * homa_rpcs_exit() - undo homa_rpcs_init()
 *
 * Context: process, sleeps; there are no RPCs.
 */
void homa_rpcs_exit(void)
{
	kmem_cache_destroy(rpc_cache);
}

/**
 * homa_rpcs_net_init() - prepare a host's table of RPCs
 * @hn: host
 *
 * Ids start at a random even number, so that a server which remembers an
 * earlier life of this host does not take new requests for old ones, and so
 * that ids are hard to guess.
 *
 * Context: process.
 * Return: 0 or a negative errno
 */
int homa_rpcs_net_init(struct homa_net *hn)
{
	hn->rpc_seed = get_random_u32();
	atomic64_set(&hn->next_id, get_random_u64() & ~1ULL);
	return rhltable_init(&hn->rpcs, &rpc_params);
}

/**
 * homa_rpcs_net_exit() - free the table
 * @hn: host; it has no sockets left, so no RPCs
 *
 * Context: process.
 */
void homa_rpcs_net_exit(struct homa_net *hn)
{
	rhltable_destroy(&hn->rpcs);
}

static u64 rpc_next_id(struct homa_net *hn)
{
	u64 id;

	do {
		id = atomic64_fetch_add(2, &hn->next_id);
	} while (!id);	/* 0 means "new" in the ABI, "none" in acks */
	return id;
}

/**
 * homa_rpc_alloc() - make an RPC that nobody can find yet
 * @hsk: its socket, which the caller keeps alive
 * @peer: the other host
 * @dport: the other host's port
 * @id: for a server RPC its id, odd; 0 makes a client RPC with a new id
 * @now: homa_now()
 * @gfp: allocation flags
 *
 * The caller ends it with homa_rpc_put() if it does not publish it.
 *
 * Context: any that @gfp allows.
 * Return: the RPC, with one reference, or NULL: no memory, or too many peers
 */
struct homa_rpc *homa_rpc_alloc(struct homa_sock *hsk,
				const struct homa_peer_key *peer,
				__be16 dport, u64 id, u64 now, gfp_t gfp)
{
	struct homa_net *hn = homa_sock_net(hsk);
	struct homa_rpc *rpc;

	rpc = homa_rxmem_alloc(hsk, rpc_cache, gfp);
	if (!rpc)
		return NULL;
	/* What is between has its own beginning. */
	memset((void *)rpc + offsetof(struct homa_rpc, key), 0,
	       offsetof(struct homa_rpc, out) - offsetof(struct homa_rpc, key));
	memset_startat(rpc, 0, loss_timer_set);
	rpc->peer = homa_peer_get(hn, peer);
	if (!rpc->peer) {
		kmem_cache_free(rpc_cache, rpc);
		return NULL;
	}
	rpc->hn = hn;
	rpc->hsk = hsk;
	rpc->daddr = peer->addr;
	rpc->oif = peer->scope;
	rpc->dport = dport;
	rpc->key.id = id ? id : rpc_next_id(hn);
	if (id)
		rpc->key.addr = peer->addr;
	rpc_key_finish(hn, &rpc->key);
	rpc->state = id ? HOMA_INCOMING : HOMA_OUTGOING;
	rpc->created = now;
	rpc->last_heard = rpc->created;
	spin_lock_init(&rpc->lock);
	homa_msgout_init(&rpc->out);
	homa_msgin_init(&rpc->in);
	homa_timer_init(rpc);	/* debugging forgets it with the memory */
	sock_hold(homa_sock_sk(hsk));

	/* Now who looks at it for what it was before may have it for a moment. */
	smp_wmb();	/* pairs with rpc_get_live() */
	refcount_set(&rpc->refs, 1);
	return rpc;
}
EXPORT_SYMBOL_IF_KUNIT(homa_rpc_alloc);

/* Takes a reference for @who, unless the RPC is being freed. */
static bool rpc_get_live(struct homa_rpc *rpc, unsigned long who)
{
	if (!refcount_inc_not_zero(&rpc->refs))
		return false;
	smp_acquire__after_ctrl_dep();	/* pairs with homa_rpc_alloc() */
	trace_homa_rpc_ref(rpc, 1, who);
	return true;
}

/* Is an RPC with this peer? Two links, or VRFs, may have hosts of the same
 * address, but a client may have left open which one, and a response that is
 * found by any port is for an address only.
 */
static bool rpc_is_with(const struct homa_rpc *rpc,
			const struct homa_peer_key *peer, bool any_port)
{
	return ipv6_addr_equal(&rpc->daddr, &peer->addr) &&
	       (rpc->oif == peer->scope || (any_port && !peer->scope) ||
		(!rpc->oif && homa_is_client(rpc)));
}

/**
 * homa_rpc_get_live() - take a reference to an RPC found without any
 * @rpc: RPC that was in the table; by now it may be another one, of another host
 *
 * Context: any, under RCU since it was found.
 * Return: false if it is being freed, or was
 */
bool homa_rpc_get_live(struct homa_rpc *rpc)
{
	return rpc_get_live(rpc, _RET_IP_);
}
EXPORT_SYMBOL_IF_KUNIT(homa_rpc_get_live);

/**
 * struct rpc_search - which RPC is looked for, and what was found
 * @hsk: its socket
 * @key: its key
 * @peer: the other host, or NULL: any
 * @dport: the other host's port, unless @any_port
 * @any_port: any port will do
 * @found: the last RPC that fits
 * @fitting: how many do
 * @namesakes: how many have @key
 */
struct rpc_search {
	struct homa_sock *hsk;
	struct homa_rpc_key key;
	const struct homa_peer_key *peer;
	__be16 dport;
	bool any_port;
	struct homa_rpc *found;
	int fitting;
	int namesakes;
};

static bool rpc_fits(const struct homa_rpc *rpc, const struct rpc_search *s)
{
	/* Pairs with the release in homa_rpc_publish(). */
	return smp_load_acquire(&rpc->findable) && rpc->hsk == s->hsk &&
	       (s->any_port || rpc->dport == s->dport) &&
	       (!s->peer || rpc_is_with(rpc, s->peer, s->any_port));
}

/* Looks at all RPCs with the key. False if one of them was freed and used again
 * meanwhile, which may have led away from the others. Under RCU.
 */
static bool rpc_search_once(struct rpc_search *s)
{
	struct rhlist_head *pos, *next;

	s->found = NULL;
	s->fitting = 0;
	s->namesakes = 0;
	pos = rhltable_lookup(&homa_sock_net(s->hsk)->rpcs, &s->key, rpc_params);
	for (; pos; pos = next) {
		struct homa_rpc *rpc = container_of(pos, struct homa_rpc, hash);

		if (rpc_fits(rpc, s)) {
			s->found = rpc;
			s->fitting++;
		}
		s->namesakes++;
		next = rcu_dereference(pos->next);
		smp_rmb();	/* pairs with homa_rpc_publish() */
		if (!rpc_has_key(rpc, &s->key))
			return false;
	}
	return true;
}

static void rpc_search(struct rpc_search *s)
{
	while (!rpc_search_once(s))
		cpu_relax();
}

/* The one RPC that fits, without a reference; NULL if there are several. Of a single one
 * that has the key the caller has to find out whether it fits.
 */
static struct homa_rpc *rpc_search_fitting(struct rpc_search *s)
{
	struct rhlist_head *pos;

	pos = rhltable_lookup(&homa_sock_net(s->hsk)->rpcs, &s->key, rpc_params);
	if (!pos)
		return NULL;
	s->namesakes = 1;
	if (likely(!rcu_access_pointer(pos->next)))
		return container_of(pos, struct homa_rpc, hash);
	rpc_search(s);
	return s->fitting == 1 ? s->found : NULL;
}

/* The same with a reference for @who. What a search finds without one may be another RPC
 * already. The key's address is filled in.
 */
static struct homa_rpc *rpc_get_fitting(struct rpc_search *s, unsigned long who)
{
	struct homa_rpc *rpc;

	if (!homa_id_is_client(s->key.id))
		s->key.addr = s->peer->addr;
	rpc_key_finish(homa_sock_net(s->hsk), &s->key);
	rcu_read_lock();
	while ((rpc = rpc_search_fitting(s))) {
		bool same;

		if (!rpc_get_live(rpc, who)) {
			rpc = NULL;
			break;
		}
		same = rpc_has_key(rpc, &s->key);
		if (same && rpc_fits(rpc, s))
			break;
		homa_rpc_put(rpc);
		rpc = NULL;
		if (same && s->namesakes == 1)
			break;
	}
	rcu_read_unlock();
	return rpc;
}

/* Most RPCs that differ in nothing but ports: clients behind one address. */
#define RPC_MAX_NAMESAKES 64

/* May there be this server RPC, for all that there are? -EEXIST: it is there;
 * -ENOBUFS: so many have its address and id that looking them up would take
 * long. Under RCU.
 */
static int rpc_check_new(const struct homa_rpc *rpc)
{
	struct homa_peer_key peer = { rpc->daddr, rpc->oif };
	struct rpc_search s = {
		.hsk = rpc->hsk,
		.key = rpc->key,
		.peer = &peer,
		.dport = rpc->dport,
	};

	rpc_search(&s);
	if (s.fitting)
		return -EEXIST;
	return s.namesakes < RPC_MAX_NAMESAKES ? 0 : -ENOBUFS;
}

/* May a new server RPC begin? See homa_rpc_publish(). Under RCU and hsk->lock. */
static int rpc_admit(struct homa_rpc *rpc)
{
	int err = rpc_check_new(rpc);

	if (err)
		return err;
	if (rpc->hsk->num_server_rpcs >=
	    READ_ONCE(rpc->hn->sysctl.max_server_rpcs))
		return -ENOBUFS;
	return homa_tomb_enter(rpc);	/* after the lookup, see homa_rpc_end() */
}

/* Counts a server RPC for its peer and its host, if these may have another. */
static int rpc_count(struct homa_rpc *rpc)
{
	struct homa_sysctls *s = &rpc->hn->sysctl;

	if (atomic_inc_return(&rpc->peer->server_rpcs) >
	    READ_ONCE(s->max_peer_rpcs)) {
		atomic_dec(&rpc->peer->server_rpcs);
		return -EDQUOT;
	}
	if (atomic_inc_return(&rpc->hn->server_rpcs) >
	    READ_ONCE(s->max_host_rpcs)) {
		atomic_dec(&rpc->hn->server_rpcs);
		atomic_dec(&rpc->peer->server_rpcs);
		return -ENFILE;
	}
	return 0;
}

static void rpc_uncount(struct homa_rpc *rpc)
{
	atomic_dec(&rpc->hn->server_rpcs);
	atomic_dec(&rpc->peer->server_rpcs);
}

/* Adds an RPC to the table, if there may be another one. */
static int rpc_insert(struct homa_rpc *rpc)
{
	bool client = homa_is_client(rpc);
	int err = client ? 0 : rpc_count(rpc);

	if (err)
		return err;
	smp_wmb();	/* the key before the link; pairs with rpc_search_once() */
	if (!rhltable_insert(&rpc->hn->rpcs, &rpc->hash, rpc_params))
		return 0;
	if (!client)
		rpc_uncount(rpc);
	return -ENOMEM;	/* or the table could not grow fast enough */
}

/**
 * homa_rpc_publish() - let an RPC be found
 * @rpc: from homa_rpc_alloc()
 *
 * Context: any. Takes the socket's lock.
 * Return: 0; -ESHUTDOWN: the socket is dead; -EEXIST: a server RPC with this
 *	key is there already; -EALREADY: it was, and has been executed;
 *	-ENOBUFS: too many server RPCs, or too many with this id; -EDQUOT: too
 *	many of this peer; -ENFILE: too many of this host; -ENOMEM
 */
int homa_rpc_publish(struct homa_rpc *rpc)
{
	struct homa_sock *hsk = rpc->hsk;
	int err = 0;

	spin_lock_bh(&hsk->lock);
	rcu_read_lock();
	if (hsk->shutdown)
		err = -ESHUTDOWN;
	else if (!homa_is_client(rpc))
		err = rpc_admit(rpc);
	rcu_read_unlock();
	if (!err)
		err = rpc_insert(rpc);
	if (!err) {
		trace_homa_rpc_state(rpc, rpc->state);
		homa_sock_add_rpc(hsk, rpc);
		homa_rpc_get(rpc);	/* the state machine's */
		smp_store_release(&rpc->findable, true);
	} else {
		homa_tomb_leave(rpc, false);
	}
	spin_unlock_bh(&hsk->lock);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(homa_rpc_publish);

/**
 * homa_rpc_find() - look up the RPC that a packet belongs to
 * @hsk: socket that the packet is for
 * @peer: who sent the packet
 * @dport: packet's source port
 * @id: as known on this host
 *
 * Context: any.
 * Return: the RPC with a reference, or NULL
 */
struct homa_rpc *homa_rpc_find(struct homa_sock *hsk,
			       const struct homa_peer_key *peer, __be16 dport,
			       u64 id)
{
	struct rpc_search s = {
		.hsk = hsk,
		.key.id = id,
		.peer = peer,
		.dport = dport,
	};

	return rpc_get_fitting(&s, _RET_IP_);
}
EXPORT_SYMBOL_IF_KUNIT(homa_rpc_find);

/**
 * homa_rpc_find_any_port() - look up a server RPC without the client's port
 * @hsk: socket
 * @peer: client; without scope: any that has its address
 * @id: as known on this host
 *
 * For acknowledgments, which carry no client port.
 *
 * Context: any.
 * Return: the RPC with a reference; NULL if there is none, or more than one
 */
struct homa_rpc *homa_rpc_find_any_port(struct homa_sock *hsk,
					const struct homa_peer_key *peer,
					u64 id)
{
	struct rpc_search s = {
		.hsk = hsk,
		.key.id = id,
		.peer = peer,
		.any_port = true,
	};

	return rpc_get_fitting(&s, _RET_IP_);
}
EXPORT_SYMBOL_IF_KUNIT(homa_rpc_find_any_port);

/**
 * homa_rpc_find_client() - look up a client RPC by its id
 * @hsk: socket
 * @id: from user space
 *
 * Context: any.
 * Return: the RPC with a reference, or NULL
 */
struct homa_rpc *homa_rpc_find_client(struct homa_sock *hsk, u64 id)
{
	struct rpc_search s = {
		.hsk = hsk,
		.key.id = id,
		.any_port = true,
	};

	if (!homa_id_is_client(id))
		return NULL;
	return rpc_get_fitting(&s, _RET_IP_);
}
EXPORT_SYMBOL_IF_KUNIT(homa_rpc_find_client);

/**
 * homa_rpc_get() - take another reference
 * @rpc: RPC that the caller has a reference to, or a lock that keeps it
 *
 * Context: any.
 */
void homa_rpc_get(struct homa_rpc *rpc)
{
	refcount_inc(&rpc->refs);
	trace_homa_rpc_ref(rpc, 1, _RET_IP_);
}

static void rpc_free(struct homa_rpc *rpc)
{
	struct homa_sock *hsk = rpc->hsk;

	tt_event(rpc->hn, RPC_REAPED, homa_trace_id(rpc), hsk->port);
	if (homa_msgin_holds_any(&rpc->in))
		homa_msgin_free(rpc);
	homa_msgout_free(&rpc->out, hsk);
	dst_release(rpc->dst);
	homa_dev_put(rpc->dev);
	homa_peer_put(rpc->peer);
	kmem_cache_free(rpc_cache, rpc);
	sock_put(homa_sock_sk(hsk));
}

/**
 * homa_rpc_put() - give a reference back
 * @rpc: RPC; must not be used afterwards
 *
 * Context: any, without the lock of any RPC or socket: freeing an RPC may
 * serve others that wait for its buffers.
 */
void homa_rpc_put(struct homa_rpc *rpc)
{
	trace_homa_rpc_ref(rpc, -1, _RET_IP_);
	if (refcount_dec_and_test(&rpc->refs))
		rpc_free(rpc);
}
EXPORT_SYMBOL_IF_KUNIT(homa_rpc_put);

/**
 * homa_rpc_set_state() - the only way into a state
 * @rpc: RPC
 * @state: new state
 *
 * Context: rpc->lock held.
 */
void homa_rpc_set_state(struct homa_rpc *rpc, enum homa_rpc_state state)
{
	lockdep_assert_held(&rpc->lock);
	trace_homa_rpc_state(rpc, state);
	WRITE_ONCE(rpc->state, state);
}
EXPORT_SYMBOL_IF_KUNIT(homa_rpc_set_state);

/**
 * homa_rpc_answered() - a client does not wait for a response any more
 * @rpc: RPC of either role; nothing happens if it is a server's
 *
 * Context: rpc->lock held.
 */
void homa_rpc_answered(struct homa_rpc *rpc)
{
	lockdep_assert_held(&rpc->lock);
	if (!rpc->unanswered)
		return;
	rpc->unanswered = false;
	atomic_dec(&rpc->hn->unanswered);
}

/**
 * homa_rpc_wake() - something has changed for the thread that waits for an RPC
 * @rpc: RPC
 *
 * Who begins to wait joins @rpc->waiters first, and then looks at the RPC under its
 * lock; so nobody is missed here.
 *
 * Context: rpc->lock held.
 */
void homa_rpc_wake(struct homa_rpc *rpc)
{
	lockdep_assert_held(&rpc->lock);

	/* No barrier: what has changed is looked at under the lock. */
	if (waitqueue_active(&rpc->waiters))
		wake_up_all(&rpc->waiters);
}

/**
 * homa_rpc_end() - an RPC is over
 * @rpc: RPC; nothing happens if it is over already
 *
 * Nobody can find it afterwards, and no list, timer or scheduler knows it.
 * Memory is freed when the last reference goes.
 *
 * Context: rpc->lock held; the caller has a reference, too.
 */
void homa_rpc_end(struct homa_rpc *rpc)
{
	struct homa_sock *hsk = rpc->hsk;

	lockdep_assert_held(&rpc->lock);
	if (rpc->state == HOMA_DEAD)
		return;
	tt_event(rpc->hn, RPC_END, homa_trace_id(rpc), hsk->port);

	/* It must be remembered before it is gone. */
	homa_tomb_leave(rpc, rpc->state != HOMA_INCOMING);
	homa_rpc_set_state(rpc, HOMA_DEAD);
	rhltable_remove(&rpc->hn->rpcs, &rpc->hash, rpc_params);

	spin_lock(&hsk->lock);
	homa_sock_remove_rpc(hsk, rpc);
	if (!list_empty(&rpc->ready_links))
		list_del_init(&rpc->ready_links);
	spin_unlock(&hsk->lock);
	homa_msgin_stop_waiting(rpc);
	homa_silent_over(rpc);
	if (!homa_is_client(rpc))
		rpc_uncount(rpc);

	if (rpc->announced)
		atomic_dec(&hsk->private_ready);
	WRITE_ONCE(rpc->announced, false);

	homa_rpc_answered(rpc);
	homa_timer_cancel(rpc);
	homa_grant_remove(rpc);
	homa_pacer_remove(rpc);
	homa_rpc_wake(rpc);
	trace_homa_rpc_ref(rpc, -1, _RET_IP_);
	refcount_dec(&rpc->refs);	/* not the last: see Context */
}
EXPORT_SYMBOL_IF_KUNIT(homa_rpc_end);

/**
 * homa_rpc_fail() - a client RPC cannot succeed; tell the application
 * @rpc: client RPC
 * @error: negative errno
 *
 * A response that has arrived already is delivered nevertheless.
 *
 * Context: rpc->lock held.
 */
void homa_rpc_fail(struct homa_rpc *rpc, int error)
{
	lockdep_assert_held(&rpc->lock);
	if (rpc->state == HOMA_DEAD || rpc->error ||
	    homa_msgin_complete(&rpc->in))
		return;
	tt_event(rpc->hn, RPC_ABORT, homa_trace_id(rpc), homa_trace_peer(rpc),
		 error);
	rpc->error = error;
	homa_rpc_wake(rpc);
	homa_rpc_answered(rpc);
	homa_timer_cancel(rpc);
	homa_grant_remove(rpc);
	homa_pacer_remove(rpc);
	homa_msgin_stop_waiting(rpc);
	homa_rpc_ready(rpc, 0);
}
EXPORT_SYMBOL_IF_KUNIT(homa_rpc_fail);

/**
 * homa_rpc_abort() - the peer is gone, or cannot be reached
 * @rpc: RPC of either role
 * @error: negative errno for a client's application
 *
 * Context: rpc->lock held; the caller has a reference, too.
 */
void homa_rpc_abort(struct homa_rpc *rpc, int error)
{
	lockdep_assert_held(&rpc->lock);
	if (rpc->state == HOMA_DEAD)
		return;
	if (homa_is_client(rpc)) {
		homa_rpc_fail(rpc, error);
		return;
	}
	homa_metric_inc(rpc->hn, server_rpc_discards);
	homa_rpc_end(rpc);
}
EXPORT_SYMBOL_IF_KUNIT(homa_rpc_abort);

/**
 * homa_rpc_is_ready() - is there something for recvmsg(2)?
 * @rpc: RPC
 *
 * Context: rpc->lock held.
 */
bool homa_rpc_is_ready(const struct homa_rpc *rpc)
{
	lockdep_assert_held(&rpc->lock);
	return rpc->error || (rpc->state == HOMA_INCOMING &&
			      homa_msgin_complete(&rpc->in));
}
EXPORT_SYMBOL_IF_KUNIT(homa_rpc_is_ready);

/* A private RPC has a result: wakes who waits for it, and who polls for
 * EPOLLPRI; EPOLLIN is for shared messages. EPOLLRDNORM is for io_uring: a
 * receive there is not woken by EPOLLPRI alone.
 */
static void rpc_announce(struct homa_rpc *rpc)
{
	struct sock *sk = homa_sock_sk(rpc->hsk);
	struct socket_wq *wq;

	if (!rpc->announced) {
		WRITE_ONCE(rpc->announced, true);
		atomic_inc(&rpc->hsk->private_ready);
	}
	homa_rpc_wake(rpc);
	rcu_read_lock();
	wq = rcu_dereference(sk->sk_wq);
	if (skwq_has_sleeper(wq))
		wake_up_interruptible_poll(&wq->wait, EPOLLPRI | EPOLLRDNORM);
	rcu_read_unlock();
}

/* Puts a shared RPC into the socket's list, and tells a thread or a poller. */
static void rpc_queue(struct homa_rpc *rpc, bool first)
{
	struct homa_sock *hsk = rpc->hsk;
	struct sock *sk = homa_sock_sk(hsk);
	struct task_struct *task;

	spin_lock(&hsk->lock);
	if (rpc->in.early == HOMA_EARLY_OFFERED) {
		list_del_init(&rpc->ready_links);	/* if it is still there */
		rpc->in.early = HOMA_EARLY_NONE;
	}
	if (list_empty(&rpc->ready_links) && first)
		list_add(&rpc->ready_links, &hsk->ready);
	else if (list_empty(&rpc->ready_links))
		list_add_tail(&rpc->ready_links, &hsk->ready);
	task = homa_waiter_take(hsk);
	spin_unlock(&hsk->lock);

	/* RCU keeps the task: it waits for who has bottom halves off, too. */
	if (task)
		wake_up_process(task);
	sk->sk_data_ready(sk);
}

/**
 * homa_rpc_ready() - hand a complete message or an error to the application
 * @rpc: RPC
 * @at: homa_now() when its last packet came; or 0: now
 *
 * Context: rpc->lock held.
 */
void homa_rpc_ready(struct homa_rpc *rpc, u64 at)
{
	struct homa_sock *hsk = rpc->hsk;

	lockdep_assert_held(&rpc->lock);
	trace_homa_rpc_ready(rpc, rpc->in.length);
	if (rpc->private) {
		tt_event_at(rpc->hn, at, HANDOFF, homa_trace_id(rpc), hsk->port);
		rpc_announce(rpc);
		return;
	}
	tt_event_at(rpc->hn, at, QUEUED, homa_trace_id(rpc), hsk->port);
	rpc_queue(rpc, false);
}
EXPORT_SYMBOL_IF_KUNIT(homa_rpc_ready);

/**
 * homa_rpc_ready_again() - put back what a thread took and could not use
 * @rpc: shared RPC that was ready; it is the first again
 *
 * Context: rpc->lock held.
 */
void homa_rpc_ready_again(struct homa_rpc *rpc)
{
	lockdep_assert_held(&rpc->lock);
	rpc_queue(rpc, true);
}

static void rpc_log(struct homa_rpc *rpc, void *arg)
{
	const u64 *id = arg;

	if (*id && *id != rpc->key.id)
		return;
	spin_lock_bh(&rpc->lock);
	pr_info("RPC %llu state %d peer %pI6c:%u out %d/%u/%u in %d/%u/%u\n",
		rpc->key.id, rpc->state, &rpc->daddr, ntohs(rpc->dport),
		rpc->out.length, rpc->out.next, rpc->out.granted,
		rpc->in.length, rpc->in.left, rpc->in.granted);
	spin_unlock_bh(&rpc->lock);
}

static void sock_log(struct homa_sock *hsk, void *arg)
{
	homa_sock_visit_rpcs(hsk, rpc_log, arg);
}

/**
 * homa_rpc_log() - write RPCs of a host to the kernel log
 * @hn: host
 * @id: of the RPC here, odd for a server; 0: all
 *
 * Each line ends with length/sent/granted of the outgoing message, and
 * length/missing/granted of the incoming one.
 *
 * Context: process.
 */
void homa_rpc_log(struct homa_net *hn, u64 id)
{
	homa_sock_for_each(hn, sock_log, &id);
}

static void rpc_trace(struct homa_rpc *rpc, void *arg)
{
	spin_lock_bh(&rpc->lock);
	if (rpc->in.length >= 0)
		tt_event(rpc->hn, DUMP_IN, homa_trace_id(rpc), rpc->in.length,
			 rpc->in.length - rpc->in.left, rpc->in.granted);
	if (rpc->out.length >= 0)
		tt_event(rpc->hn, DUMP_OUT, homa_trace_id(rpc),
			 rpc->out.length, rpc->out.next, rpc->out.granted);
	spin_unlock_bh(&rpc->lock);
}

static void sock_trace(struct homa_sock *hsk, void *arg)
{
	homa_sock_visit_rpcs(hsk, rpc_trace, NULL);
}

/**
 * homa_rpc_trace_all() - record all RPCs of a host in its timetrace
 * @hn: host
 *
 * Context: process.
 */
void homa_rpc_trace_all(struct homa_net *hn)
{
	homa_sock_for_each(hn, sock_trace, NULL);
}
