/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Who may send to this host, and how much. */
#ifndef _HOMA_GRANT_H
#define _HOMA_GRANT_H

#include <linux/interrupt.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>

struct homa_dev;
struct homa_net;
struct homa_peer;
struct homa_rpc;

/* Most messages that have grants at a time; bound of sysctl max_overcommit. */
#define HOMA_MAX_GRANTS 8

/**
 * enum homa_grantee_state - where a message stands
 * @HOMA_GRANT_NONE: it needs no grants, or nothing of it has been taken in yet
 * @HOMA_GRANT_WAITING: in the tree of its peer
 * @HOMA_GRANT_ACTIVE: in a slot
 * @HOMA_GRANT_STALLED: set aside until its sender is heard again
 * @HOMA_GRANT_FULL: granted to its end
 */
enum homa_grantee_state {
	HOMA_GRANT_NONE,
	HOMA_GRANT_WAITING,
	HOMA_GRANT_ACTIVE,
	HOMA_GRANT_STALLED,
	HOMA_GRANT_FULL,
};

/**
 * enum homa_grant_due - whether a slot has to be looked at
 * @HOMA_GRANT_IDLE: no, its message has what it is due
 * @HOMA_GRANT_DUE: yes, something has changed
 * @HOMA_GRANT_NEEDY: yes, as soon as there is room below max_incoming
 */
enum homa_grant_due {
	HOMA_GRANT_IDLE,
	HOMA_GRANT_DUE,
	HOMA_GRANT_NEEDY,
};

/**
 * struct homa_grantee - an incoming message as the scheduler knows it
 * @dev: whose scheduler it has, with a reference; NULL: it needs no grants.
 *	Under homa_rpc.lock
 * @look: nothing is to be done while more bytes than this are missing
 *
 * Under homa_grants.lock:
 * @state: where it stands
 * @wait_node: in homa_grant_peer.waiting, if it waits
 * @age_node: in homa_grants.ages, if it waits or is active
 * @length_node: in homa_grants.lengths, at the same time
 * @left: bytes that had not arrived when it was last looked at
 * @unsched: its share of homa_grants.unsched
 * @incoming: its share of homa_grants.incoming
 * @stalled: its share of homa_grants.stalled
 */
struct homa_grantee {
	struct homa_dev *dev;
	u32 look;
	enum homa_grantee_state state;
	struct rb_node wait_node;
	struct rb_node age_node;
	struct rb_node length_node;
	u32 left;
	u32 unsched;
	u32 incoming;
	u32 stalled;
};

/**
 * struct homa_grant_peer - a sender as the scheduler knows it
 * @dev: whose scheduler all its messages have, and hold. Under homa_peer.lock
 * @users: number of those messages. Under homa_peer.lock
 *
 * Under homa_grants.lock:
 * @node: in homa_grants.peers, if @waiting is not empty
 * @waiting: struct homa_rpc that wait, fewest missing bytes first
 * @held: number of its messages that are active or stalled
 */
struct homa_grant_peer {
	struct homa_dev *dev;
	u32 users;
	struct rb_node node;
	struct rb_root_cached waiting;
	u32 held;
};

/**
 * struct homa_grant_slot - an active message; two fit in a cache line
 * @rpc: RPC; no reference is held
 * @peer: its sender
 * @left: bytes that have not arrived
 * @overtaken: bytes that arrived for less urgent messages since it was heard
 * @due: whether there may be something to grant
 */
struct homa_grant_slot {
	struct homa_rpc *rpc;
	struct homa_peer *peer;
	u32 left;
	u32 overtaken;
	enum homa_grant_due due;
};

/**
 * struct homa_grants - messages that need grants, see grant.c
 * @hn: this host
 * @lock: protects the rest, and homa_msgin.granted of these messages
 * @active: entries in @slots
 * @count: messages that are not fully granted
 * @incoming: bytes that were granted and have not arrived
 * @unsched: bytes that senders send unasked and that have not arrived
 * @stalled: bytes that stalled messages may still send; not in those sums
 * @fifo_debt: what the FIFO share should have been and was not, in thousandths of
 *	bytes
 * @slots: active messages, fewest missing bytes first
 * @peers: struct homa_grant_peer that have messages waiting: who holds fewest
 *	slots first, then by the best of those messages
 * @ages: struct homa_rpc that wait or are active, oldest first
 * @lengths: the same, longest first, then oldest
 * @fifo_turn: whose turn it is to get the FIFO share; 0: the oldest
 * @short_of_room: a grant was put off for want of room below max_incoming
 * @locks: times that @lock was taken
 * @locked_at: when, if this time is to be measured
 * @counted_at: when @count last changed
 * @integrated: what granted_kb_integral counts since @integrated_at
 * @integrated_at: when @incoming last changed
 * @tasklet: grants to those who move up when a message leaves without traffic
 */
struct homa_grants {
	struct homa_net *hn;
	spinlock_t lock;
	int active;
	int count;
	s64 incoming;
	s64 unsched;
	s64 stalled;
	u64 fifo_debt;
	struct homa_grant_slot slots[HOMA_MAX_GRANTS];
	struct rb_root_cached peers;
	struct rb_root_cached ages;
	struct rb_root_cached lengths;
	int fifo_turn;
	bool short_of_room;
	u32 locks;
	u64 locked_at;
	u64 counted_at;
	s64 integrated;
	u64 integrated_at;
	struct tasklet_struct tasklet;
};

/**
 * struct homa_grant - one GRANT packet to be sent
 * @rpc: RPC; a reference is held
 * @offset: new value of homa_msgin.granted
 * @increment: by how much that is more than before
 * @prio: priority for the sender
 */
struct homa_grant {
	struct homa_rpc *rpc;
	u32 offset;
	u32 increment;
	u8 prio;
};

/**
 * struct homa_grant_batch - GRANT packets to be sent when no lock is held
 * @count: entries in @grants
 * @grants: the grants
 */
struct homa_grant_batch {
	int count;
	struct homa_grant grants[HOMA_MAX_GRANTS];
};

void homa_grant_init(struct homa_grants *g, struct homa_net *hn);
void homa_grant_exit(struct homa_grants *g);
void homa_grant_start(struct homa_rpc *rpc, struct homa_dev *dev);
void homa_grant_update(struct homa_rpc *rpc, struct homa_grant_batch *batch);
bool homa_grant_silent(struct homa_rpc *rpc);
void homa_grant_remove(struct homa_rpc *rpc);
void homa_grant_send(struct homa_grant_batch *batch);
void homa_grant_log(struct homa_dev *dev);

/**
 * homa_grant_flush() - send the grants that were decided upon, if any
 * @batch: from homa_grant_update(); empty afterwards
 *
 * Context: bottom halves off, no locks held.
 */
static inline void homa_grant_flush(struct homa_grant_batch *batch)
{
	if (batch->count)
		homa_grant_send(batch);
}

#endif /* _HOMA_GRANT_H */
