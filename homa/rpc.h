/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* One remote procedure call: a request and its response. */
#ifndef _HOMA_RPC_H
#define _HOMA_RPC_H

#include <linux/hrtimer.h>
#include <linux/refcount.h>
#include <linux/wait.h>
#include <net/ipv6.h>

#include "grant.h"
#include "msgin.h"
#include "msgout.h"
#include "peer.h"

struct homa_dev;
struct homa_sock;

/**
 * enum homa_rpc_state - where an RPC is
 * @HOMA_OUTGOING: client: request being sent or answered; server: response
 *	being sent, or not yet acknowledged
 * @HOMA_INCOMING: client: response arriving or waiting for recvmsg(2);
 *	server: same for the request
 * @HOMA_IN_SERVICE: server: the application has the request
 * @HOMA_DEAD: ended; unfindable, and nobody may start anything with it
 *
 * Client: OUTGOING -> INCOMING -> DEAD. Server: INCOMING -> IN_SERVICE ->
 * OUTGOING -> DEAD. Any state may go to DEAD. The values appear in traces.
 */
enum homa_rpc_state {
	HOMA_OUTGOING	= 5,
	HOMA_INCOMING	= 6,
	HOMA_IN_SERVICE = 8,
	HOMA_DEAD	= 9,
};

/**
 * struct homa_rpc_key - identifies RPCs in homa_net.rpcs
 * @addr: server RPCs: the client; client RPCs: all zeros, since a host's own
 *	ids are unique and recvmsg(2) knows nothing but the id
 * @id: as known on this host: even if this host is the client
 * @hash: of the other two, with homa_net.rpc_seed
 *
 * Several clients behind one address may use the same id, so lookups go on
 * to compare ports.
 */
struct homa_rpc_key {
	struct in6_addr addr;
	u64 id;
	u32 hash;
};

/**
 * struct homa_rpc - one RPC
 *
 * Constant after creation:
 * @hash: link in homa_net.rpcs
 * @key: who and which
 * @daddr: the peer's address; IPv4 addresses are mapped
 * @dport: the peer's port
 * @oif: interface of a link-local peer, or VRF that the peer is in, else 0
 * @saddr: our address, or all zeros until a route has chosen one
 * @hn: this host
 * @hsk: socket; a reference is held
 * @peer: the other host; a reference is held
 * @tomb: server RPCs that can be found: remembers the request
 * @cookie: homa_sendmsg_args.completion_cookie
 * @private: the response is for one particular recvmsg(2)
 * @created: time of creation, ns
 * @refs: see DOC: Objects in net.h
 * @findable: it is, or was, in the table
 *
 * Under @lock:
 * @lock: one RPC's lock
 * @state: written only by homa_rpc_set_state()
 * @error: negative errno to be reported by recvmsg(2), or 0
 * @soft_error: negative errno to be reported if the peer stays silent, or 0
 * @dst: route to the peer, or NULL
 * @dst_cookie: tells whether @dst is still good
 * @dst_checked: when it last was, jiffies
 * @max_data: how much of a message fits in a packet on that route; 0 if its MTU is too
 *	small for Homa
 * @dev: the device that @dst goes through, or NULL; a reference is held
 * @incast: client: the response shall have few unscheduled bytes; server: the
 *	client wants that
 * @unanswered: counted in homa_net.unanswered
 * @window: server: homa_common_hdr.window of the client's socket
 * @out: outgoing message
 * @in: incoming message
 * @timer: acts if nothing happens, see timer.c
 * @loss_timer: finds losses in @in, see loss.c; nothing before the first gap
 * @loss_timer_set: @loss_timer can be used
 * @last_heard: time when the peer last showed that it lives, ns
 * @next_action: time of the next RESEND or NEED_ACK, ns
 * @tries: NEED_ACKs sent since the client was last heard
 * @asked: RESENDs sent since the peer was last heard
 * @patience: BUSYs received since the peer last sent anything else, up to
 *	TIMER_MAX_PATIENCE
 * @backoff: NEED_ACKs sent so far, for the next interval
 * @silent_kb: what it holds though its sender is silent, see silent.c
 * @unfinished: counted in homa_peer.unfinished
 * @stranger: counted in homa_net.strangers
 * @restarted: the request has been sent again because of RPC_UNKNOWN
 * @waiters: thread that waits for this private RPC
 * @waiting: there is such a thread
 * @announced: counted in homa_sock.private_ready
 *
 * Under hsk->lock:
 * @sock_links: in homa_sock.rpcs
 * @ready_links: in homa_sock.ready or homa_sock.early, or empty
 * @buf_node: in homa_sock.buf_waiters, or cleared
 *
 * @grant: the incoming message in grant.c; locks: see there
 *
 * Under the lock of the pacer:
 * @pacer_node: in homa_pacer.tree of @dev, or cleared
 * @pacer_age: in homa_pacer.ages at the same time
 * @pacer_left: sort key there: bytes that were left to send
 */
struct homa_rpc {
	struct rhlist_head hash;
	struct homa_rpc_key key;
	struct in6_addr daddr;
	__be16 dport;
	int oif;
	struct in6_addr saddr;
	struct homa_net *hn;
	struct homa_sock *hsk;
	struct homa_peer *peer;
	struct homa_tombstone *tomb;
	u64 cookie;
	bool private;
	u64 created;
	refcount_t refs;
	bool findable;

	spinlock_t lock;
	enum homa_rpc_state state;
	int error;
	int soft_error;
	struct dst_entry *dst;
	u32 dst_cookie;
	u32 dst_checked;
	u32 max_data;
	struct homa_dev *dev;
	bool incast;
	bool unanswered;
	u16 window;
	struct homa_msgout out;
	struct homa_msgin in;

	/* Not cleared: an RPC leaves lists and nodes empty, and the rest is set where it
	 * begins to be used.
	 */
	struct timer_list timer;
	struct hrtimer loss_timer;
	wait_queue_head_t waiters;
	struct list_head sock_links;
	struct list_head ready_links;
	struct rb_node buf_node;
	struct rb_node pacer_node;
	struct rb_node pacer_age;
	u32 pacer_left;

	/* Cleared for each. */
	bool loss_timer_set;
	bool restarted;
	bool unfinished;
	bool stranger;
	bool waiting;
	bool announced;
	u64 last_heard;
	u64 next_action;
	int tries;
	int asked;
	int patience;
	int backoff;
	int silent_kb;
	struct homa_grantee grant;
};

static inline bool homa_is_client(const struct homa_rpc *rpc)
{
	return homa_id_is_client(rpc->key.id);
}

static inline u32 homa_trace_id(const struct homa_rpc *rpc)
{
	return homa_id_traced(rpc->key.id);
}

/* The peer's address as timetraces show it. */
static inline u32 homa_trace_peer(const struct homa_rpc *rpc)
{
	return tt_addr6(&rpc->daddr);
}

int homa_rpcs_init(void);
void homa_rpcs_exit(void);
int homa_rpcs_net_init(struct homa_net *hn);
void homa_rpcs_net_exit(struct homa_net *hn);

struct homa_rpc *homa_rpc_alloc(struct homa_sock *hsk,
				const struct homa_peer_key *peer,
				__be16 dport, u64 id, u64 now, gfp_t gfp);
int homa_rpc_publish(struct homa_rpc *rpc);
struct homa_rpc *homa_rpc_find(struct homa_sock *hsk,
			       const struct homa_peer_key *peer, __be16 dport,
			       u64 id);
struct homa_rpc *homa_rpc_find_any_port(struct homa_sock *hsk,
					const struct homa_peer_key *peer,
					u64 id);
struct homa_rpc *homa_rpc_find_client(struct homa_sock *hsk, u64 id);

bool homa_rpc_get_live(struct homa_rpc *rpc);
void homa_rpc_get(struct homa_rpc *rpc);
void homa_rpc_put(struct homa_rpc *rpc);

void homa_rpc_set_state(struct homa_rpc *rpc, enum homa_rpc_state state);
void homa_rpc_answered(struct homa_rpc *rpc);
void homa_rpc_wake(struct homa_rpc *rpc);
void homa_rpc_end(struct homa_rpc *rpc);
void homa_rpc_fail(struct homa_rpc *rpc, int error);
void homa_rpc_abort(struct homa_rpc *rpc, int error);
void homa_rpc_ready(struct homa_rpc *rpc, u64 at);
void homa_rpc_ready_again(struct homa_rpc *rpc);
bool homa_rpc_is_ready(const struct homa_rpc *rpc);
void homa_rpc_log(struct homa_net *hn, u64 id);
void homa_rpc_trace_all(struct homa_net *hn);

#endif /* _HOMA_RPC_H */
