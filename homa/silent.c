// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* What unfinished requests may occupy, if their senders are silent or unknown.
 *
 * The first packet of a message reserves room for all of it (msgin.c), and that
 * packet may be all that ever comes, from an address that nobody has. So
 *
 *	one peer	may have no more unfinished requests than its socket, and the
 *			host, can still take: so at most half of all
 *	strangers	hosts of whom no message has ever arrived entirely, may have
 *			max_strangers unfinished requests, all of them together
 *	silent ones	requests of whom nothing came for resend_ticks, may hold
 *			max_peer_silent_kbytes of one peer, max_silent_kbytes of the
 *			host, and max_silent_percent of their socket's region
 *
 * A request that falls silent beyond these is forgotten at once, as is one that stays
 * silent after it has been asked for, if others wait for the room or the memory that
 * it has; and a silent one of a stranger, even if it is this host's turn, if strangers
 * have half of what they may. While a peer has as much silent as it may, or strangers
 * have as many as they may, only requests are taken that come in one packet. What is
 * refused or forgotten costs an honest client time and nothing else: it asks for its
 * response, is told that nothing is known of it (RPC_UNKNOWN), and sends its request
 * again.
 *
 * Responses are not counted: a client has begun all of its RPCs itself.
 */
#include "rpc.h"
#include "rxmem.h"
#include "silent.h"
#include "sock.h"

/* A message holds whole bpages, and at least keeps one from becoming free. */
static int silent_kbytes(const struct homa_rpc *rpc)
{
	return DIV_ROUND_UP(rpc->in.length, HOMA_BPAGE_SIZE) *
	       (HOMA_BPAGE_SIZE >> 10);
}

/* Has a peer that is known as many RPCs, or as much silent, as it may? @left: RPCs
 * that others may still begin.
 */
static enum homa_drop silent_admit_peer(const struct homa_sysctls *s,
					const struct homa_peer *peer, bool whole,
					int left)
{
	if (atomic_read(&peer->server_rpcs) >= READ_ONCE(s->max_peer_rpcs))
		return HOMA_DROP_PEER_LIMIT;
	if (!whole && atomic_read(&peer->unfinished) > left)
		return HOMA_DROP_PEER_LIMIT;
	if (!whole && atomic_read(&peer->silent_kb) >=
		      READ_ONCE(s->max_peer_silent_kbytes))
		return HOMA_DROP_SILENT;
	return HOMA_CONSUMED;
}

/**
 * homa_silent_admit() - may another request begin to arrive?
 * @hsk: socket that it is for
 * @key: who sends it
 * @whole: it is all in one packet
 *
 * A storm of first packets is to cost little, so this comes before anything is
 * allocated. homa_rpc_publish() asks again, exactly.
 *
 * Context: softirq.
 * Return: HOMA_CONSUMED, or why not
 */
enum homa_drop homa_silent_admit(struct homa_sock *hsk,
				 const struct homa_peer_key *key, bool whole)
{
	struct homa_net *hn = homa_sock_net(hsk);
	const struct homa_sysctls *s = &hn->sysctl;
	enum homa_drop drop = HOMA_CONSUMED;
	struct homa_peer *peer;
	bool stranger = true;
	int left, host_left;

	left = READ_ONCE(s->max_server_rpcs) - READ_ONCE(hsk->num_server_rpcs);
	if (left <= 0)
		return HOMA_DROP_LIMIT;
	host_left = READ_ONCE(s->max_host_rpcs) - atomic_read(&hn->server_rpcs);
	if (host_left <= 0)
		return HOMA_DROP_HOST_LIMIT;
	if (whole && atomic_read(&hn->server_rpcs) < READ_ONCE(s->max_peer_rpcs))
		return HOMA_CONSUMED;	/* nor can this peer have too many */
	peer = homa_peer_find(hn, key);
	if (peer) {
		stranger = !READ_ONCE(peer->proven);
		drop = silent_admit_peer(s, peer, whole, min(left, host_left));
		homa_peer_put(peer);
	}
	if (drop == HOMA_CONSUMED && stranger && !whole &&
	    atomic_read(&hn->strangers) >= READ_ONCE(s->max_strangers))
		drop = HOMA_DROP_SILENT;
	return drop;
}

/**
 * homa_silent_begun() - a request has begun to arrive
 * @rpc: its server RPC, which can be found
 * @whole: it is all in one packet
 *
 * Context: rpc->lock held.
 */
void homa_silent_begun(struct homa_rpc *rpc, bool whole)
{
	lockdep_assert_held(&rpc->lock);
	if (whole)
		return;
	rpc->unfinished = true;
	atomic_inc(&rpc->peer->unfinished);
	if (READ_ONCE(rpc->peer->proven))
		return;
	rpc->stranger = true;
	atomic_inc(&rpc->hn->strangers);
}

/**
 * homa_silent_unwelcome() - is a request in the way of those of other strangers?
 * @rpc: server RPC
 *
 * Context: rpc->lock held.
 */
bool homa_silent_unwelcome(const struct homa_rpc *rpc)
{
	return rpc->stranger && !READ_ONCE(rpc->peer->proven) &&
	       atomic_read(&rpc->hn->strangers) >
	       READ_ONCE(rpc->hn->sysctl.max_strangers) / 2;
}

/* Does somebody want what a silent message holds? */
static bool silent_wanted(const struct homa_rpc *rpc)
{
	return !RB_EMPTY_ROOT(&rpc->hsk->buf_waiters.rb_root) ||
	       homa_rxmem_scarce(rpc->hsk);
}

/* Is there too much that is silent, with @kb more? One message always may be. */
static bool silent_beyond(int kb, atomic_t *sum, u64 limit)
{
	int all = atomic_add_return(kb, sum);

	return all > kb && all > limit;
}

/**
 * homa_silent_tolerate() - nothing came for a message for some time
 * @rpc: RPC whose message is incomplete, though its sender may send
 *
 * Context: rpc->lock held.
 * Return: false: the caller shall forget it
 */
bool homa_silent_tolerate(struct homa_rpc *rpc)
{
	const struct homa_sysctls *s = &rpc->hn->sysctl;
	struct homa_sock *hsk = rpc->hsk;
	bool beyond;
	u64 region;
	int kb;

	lockdep_assert_held(&rpc->lock);
	if (homa_is_client(rpc) || rpc->in.length < 0)
		return true;
	if (rpc->in.refused)	/* it sends, and is not silent */
		return true;
	if (rpc->silent_kb)
		return !silent_wanted(rpc);
	if (!rpc->in.has_bpages)
		return true;
	region = (u64)hsk->rcvbuf->num_bpages << (HOMA_BPAGE_SHIFT - 10);
	kb = silent_kbytes(rpc);
	rpc->silent_kb = kb;

	/* All three, since homa_silent_heard() takes it off all. */
	beyond = silent_beyond(kb, &rpc->peer->silent_kb,
			       READ_ONCE(s->max_peer_silent_kbytes));
	beyond |= silent_beyond(kb, &hsk->silent_kb,
				region * READ_ONCE(s->max_silent_percent) / 100);
	beyond |= silent_beyond(kb, &rpc->hn->silent_kb,
				READ_ONCE(s->max_silent_kbytes));
	return !beyond;
}

/**
 * homa_silent_heard() - a message is not silent any more
 * @rpc: RPC
 *
 * Context: rpc->lock held.
 */
void homa_silent_heard(struct homa_rpc *rpc)
{
	int kb = rpc->silent_kb;

	lockdep_assert_held(&rpc->lock);
	if (!kb)
		return;
	rpc->silent_kb = 0;
	atomic_sub(kb, &rpc->peer->silent_kb);
	atomic_sub(kb, &rpc->hsk->silent_kb);
	atomic_sub(kb, &rpc->hn->silent_kb);
}

/**
 * homa_silent_over() - an RPC's message needs no sender any more
 * @rpc: RPC
 *
 * Context: rpc->lock held.
 */
void homa_silent_over(struct homa_rpc *rpc)
{
	homa_silent_heard(rpc);
	if (rpc->unfinished)
		atomic_dec(&rpc->peer->unfinished);
	if (rpc->stranger)
		atomic_dec(&rpc->hn->strangers);
	rpc->unfinished = false;
	rpc->stranger = false;
}
