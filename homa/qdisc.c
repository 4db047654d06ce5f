// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* The queueing discipline "homa": one network card for Homa and all else.
 *
 *	                  +-> ACKs and short packets that are not Homa's ------+
 *	stack --> what -->+-> Homa: control packets, short messages -----------+-> device
 *	          is it?  +-> Homa: messages, fewest bytes left first ---------+
 *	                  +-> everything else: a qdisc of its own, then cut ---+
 *
 *	tc qdisc replace dev eth0 root homa		(or below mq, for each queue)
 *
 * Packets of long Homa messages wait here in the order of SRPT, each message's in
 * the order in which they came, and pacer_fifo_fraction of them in the order of age.
 * What is not Homa's has a child qdisc, the system's default one unless the
 * administrator grafts another, which sees to it that flows are treated fairly.
 * While both wait, homa_share percent of the bytes are Homa's.
 *
 * The device gets no more than it needs: drivers say so with byte queue limits;
 * and where the speed of the link is known, its modelled backlog is kept below
 * max_nic_est_backlog_usecs, for all queues of the device together. Virtual
 * devices, and those that say nothing, get what they take.
 *
 * Control packets, and messages below defer_min_bytes, wait for neither and come
 * first, as long as Homa does not have much more than its share with them. So do,
 * of what is not Homa's, pure ACKs, and short packets while no longer ones wait,
 * which therefore do not overtake any of their flow.
 *
 * A frame that the device would have to cut (GSO) takes the link for as long as all
 * of it needs, 21 us for 64 kB at 25 Gb/s. Homa makes none that are so long
 * (homa_pacer_frame()); those of others are cut to half of that here while Homa is in
 * use: more would show in the latency of short messages.
 *
 * A packet is what its headers say (headers.c), not what its socket is: forwarded
 * packets, and those of containers and virtual machines are sorted like ours.
 *
 * Below mq each queue has such a qdisc. They share the modelled backlog and the
 * shares: a queue that has sent goes behind others that wait, and one that has
 * nothing of the kind whose turn it is lets those pass that have. The order among
 * Homa's messages is each queue's own; Homa's pacer keeps that of all.
 *
 * All is under the qdisc's own lock, but struct homa_link, which is atomic.
 */
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/rbtree.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <net/pkt_sched.h>
#ifdef HOMA_HAVE_NET_GSO_H
#include <net/gso.h>
#endif

#include "dev.h"
#include "headers.h"
#include "output.h"
#include "qdisc.h"

/* Packets that may wait here, beside those in the child. */
#define QDISC_LIMIT 10240

#define QDISC_BUCKET_BITS 8

/* Bytes by which packets that do not wait may exceed the share of their kind. */
#define QDISC_OVERDRAFT 65536

/* How much later than others a queue sends that has just sent, and one that leaves it
 * to them; and how often it does. The device has packets for longer than that.
 */
#define QDISC_YIELD_NS 1000
#define QDISC_YIELDS 8

/* Homa is in use for so long after each of its packets. */
#define QDISC_IN_USE_JIFFIES (1 + HZ / 20)

/* What a packet has on Ethernet's wire beside what a qdisc sees: preamble,
 * checksum and gap.
 */
#define QDISC_OVERHEAD 24

/* Frames that are cut into pieces which are frames again: nothing but TCP over IP,
 * without tunnels. Others are cut into packets.
 */
#define PIECE_GSO_TYPES (SKB_GSO_TCPV4 | SKB_GSO_TCPV6 | SKB_GSO_TCP_ECN | \
			 SKB_GSO_TCP_FIXEDID | SKB_GSO_DODGY)

/**
 * struct qdisc_message - packets of a message that wait
 * @links: in homa_qdisc.table
 * @node: in homa_qdisc.tree
 * @age: in homa_qdisc.ages
 * @key: which message
 * @left: bytes that had not been sent when the first packet of @packets was made
 * @packets: the packets, at least one
 */
struct qdisc_message {
	struct hlist_node links;
	struct rb_node node;
	struct list_head age;
	struct homa_msg_key key;
	u32 left;
	struct sk_buff_head packets;
};

/**
 * struct homa_qdisc - a qdisc
 * @hn: host that the device belongs to
 * @dev: what it knows of the device; NULL until there is a packet
 * @other: child, for what is not Homa's
 * @other_qlen: packets in it that our own counts have
 * @other_backlog: bytes in it that our own counts have
 * @pieces: the rest of a frame that was cut, which has left @other
 * @small: packets that are not Homa's and go at once
 * @urgent: Homa's that do
 * @seed: of the hashes in @table, so that nobody can choose keys for one bucket
 * @table: struct qdisc_message by key
 * @tree: the same by bytes left, fewest first
 * @ages: the same, oldest first
 * @count: packets in @urgent and messages: those of Homa
 * @own: of a queue for which no link is modelled
 * @link: that, or what all queues of the device share
 * @homa_noted: @link counts this queue as one where packets of Homa's wait
 * @others_noted: likewise, of others
 * @turn_ns: time when the other queues have had their turn
 * @yields: how often since it has been left to them
 * @srpt_budget: bytes until it is the turn of the oldest message
 * @watchdog: fires when the device's backlog is short enough
 */
struct homa_qdisc {
	struct homa_net *hn;
	struct homa_dev *dev;
	struct Qdisc *other;
	u32 other_qlen;
	u32 other_backlog;
	struct sk_buff_head pieces;
	struct sk_buff_head small;
	struct sk_buff_head urgent;
	u32 seed;
	struct hlist_head table[1 << QDISC_BUCKET_BITS];
	struct rb_root_cached tree;
	struct list_head ages;
	u32 count;
	struct homa_link own;
	struct homa_link *link;
	bool homa_noted;
	bool others_noted;
	u64 turn_ns;
	u32 yields;
	s64 srpt_budget;
	struct qdisc_watchdog watchdog;
};

/**
 * struct qdisc_cb - what is remembered of a packet that waits in a message
 * @left: bytes of the message that had not been sent when it was made
 */
struct qdisc_cb {
	u32 left;
};

static struct qdisc_cb *qdisc_cb(const struct sk_buff *skb)
{
	qdisc_cb_private_validate(skb, sizeof(struct qdisc_cb));
	return (struct qdisc_cb *)qdisc_skb_cb(skb)->data;
}

static struct hlist_head *message_bucket(struct homa_qdisc *q,
					 const struct homa_msg_key *key)
{
	u32 hash = jhash2((const u32 *)key, sizeof(*key) / sizeof(u32),
			  q->seed);

	return &q->table[hash_32(hash, QDISC_BUCKET_BITS)];
}

static bool message_before(struct rb_node *a, const struct rb_node *b)
{
	return rb_entry(a, struct qdisc_message, node)->left <
	       rb_entry(b, struct qdisc_message, node)->left;
}

static struct qdisc_message *message_find(struct homa_qdisc *q,
					  const struct homa_msg_key *key)
{
	struct qdisc_message *m;

	hlist_for_each_entry(m, message_bucket(q, key), links) {
		if (!memcmp(&m->key, key, sizeof(*key)))
			return m;
	}
	return NULL;
}

/* The message that a packet belongs to, or NULL: there is no memory. */
static struct qdisc_message *message_get(struct homa_qdisc *q,
					 const struct homa_headers *p)
{
	struct qdisc_message *m = message_find(q, &p->key);

	if (m)
		return m;
	m = kmalloc(sizeof(*m), GFP_ATOMIC | __GFP_NOWARN);
	if (!m)
		return NULL;
	m->key = p->key;
	m->left = p->left;
	__skb_queue_head_init(&m->packets);
	hlist_add_head(&m->links, message_bucket(q, &p->key));
	list_add_tail(&m->age, &q->ages);
	rb_add_cached(&m->node, &q->tree, message_before);
	return m;
}

/* Takes the first packet of a message, which is gone when it was the last. */
static struct sk_buff *message_take(struct homa_qdisc *q,
				    struct qdisc_message *m)
{
	struct sk_buff *skb = __skb_dequeue(&m->packets);

	q->count--;
	rb_erase_cached(&m->node, &q->tree);
	if (skb_queue_empty(&m->packets)) {
		hlist_del(&m->links);
		list_del(&m->age);
		kfree(m);
	} else {
		m->left = qdisc_cb(skb_peek(&m->packets))->left;
		rb_add_cached(&m->node, &q->tree, message_before);
	}
	return skb;
}

/* Takes from the message whose turn it is. */
static struct sk_buff *message_next(struct homa_qdisc *q)
{
	u32 fraction = READ_ONCE(q->hn->sysctl.pacer_fifo_fraction);
	struct qdisc_message *m;
	struct sk_buff *skb;
	u32 len;

	if (q->srpt_budget > 0 || !fraction)
		m = rb_entry(rb_first_cached(&q->tree), struct qdisc_message,
			     node);
	else
		m = list_first_entry(&q->ages, struct qdisc_message, age);
	skb = message_take(q, m);
	len = qdisc_pkt_len(skb);
	if (q->srpt_budget > 0 || !fraction)
		q->srpt_budget = max_t(s64, q->srpt_budget - len, 0);
	else
		q->srpt_budget += div_u64((u64)len * (1000 - fraction), fraction);
	return skb;
}

/* One packet more, or less, is here. */
static void qdisc_count(struct Qdisc *sch, int packets, int bytes)
{
	WRITE_ONCE(sch->q.qlen, sch->q.qlen + packets);
	WRITE_ONCE(sch->qstats.backlog, sch->qstats.backlog + bytes);
}

/* Makes room: drops the first packet of the message that has most left. */
static void message_drop(struct Qdisc *sch, struct sk_buff **to_free)
{
	struct homa_qdisc *q = qdisc_priv(sch);
	struct rb_node *last = rb_last(&q->tree.rb_root);
	struct sk_buff *skb;

	skb = message_take(q, rb_entry(last, struct qdisc_message, node));
	qdisc_count(sch, -1, -qdisc_pkt_len(skb));
	qdisc_tree_reduce_backlog(sch, 1, qdisc_pkt_len(skb));
	qdisc_drop(skb, sch, to_free);
}

/* Counts what has become of the child's packets, which it may drop at any time:
 * for those above us, @packets and @bytes are no news.
 */
static void other_sync(struct Qdisc *sch, int packets, int bytes)
{
	struct homa_qdisc *q = qdisc_priv(sch);
	int n = q->other->q.qlen - q->other_qlen;
	int len = q->other->qstats.backlog - q->other_backlog;

	q->other_qlen += n;
	q->other_backlog += len;
	qdisc_count(sch, n, len);
	if (n != packets || len != bytes)
		qdisc_tree_reduce_backlog(sch, packets - n, bytes - len);
}

static bool other_waits(const struct homa_qdisc *q)
{
	return q->other->q.qlen || !skb_queue_empty(&q->pieces);
}

/* Tells the other queues of the device what waits in this one. */
static void link_note(struct homa_qdisc *q)
{
	bool homa = q->count, others = other_waits(q);

	if (homa != q->homa_noted)
		atomic_add(homa ? 1 : -1, &q->link->homa);
	if (others != q->others_noted)
		atomic_add(others ? 1 : -1, &q->link->others);
	q->homa_noted = homa;
	q->others_noted = others;
}

static void link_leave(struct homa_qdisc *q)
{
	atomic_sub(q->homa_noted, &q->link->homa);
	atomic_sub(q->others_noted, &q->link->others);
	q->homa_noted = false;
	q->others_noted = false;
}

/* Where the speed of the link is known, all queues of the device share it. */
static void link_choose(struct homa_qdisc *q, struct Qdisc *sch)
{
	struct homa_link *link = &q->own;

	if (!q->dev)
		q->dev = homa_dev_get(q->hn, qdisc_dev(sch));
	if (q->dev && homa_dev_mbps(q->dev))
		link = &q->dev->link;
	if (link == q->link)
		return;
	link_leave(q);
	q->link = link;
	q->turn_ns = 0;
	link_note(q);
}

/* A packet that is not Homa's waits. */
static int other_enqueue(struct sk_buff *skb, struct Qdisc *sch,
			 struct sk_buff **to_free)
{
	struct homa_qdisc *q = qdisc_priv(sch);
	u32 len = qdisc_pkt_len(skb);
	int err;

	err = qdisc_enqueue(skb, q->other, to_free);
	if (err == NET_XMIT_SUCCESS) {
		other_sync(sch, 1, len);
	} else {
		other_sync(sch, 0, 0);
		if (net_xmit_drop_count(err))
			qdisc_qstats_drop(sch);
	}
	link_note(q);
	return err;
}

/* May a packet that is not Homa's go at once? ACKs may overtake others of their
 * flow, other short packets find none.
 */
static bool small_passes(const struct homa_qdisc *q, const struct sk_buff *skb,
			 bool ack)
{
	u32 min_bytes = READ_ONCE(q->hn->sysctl.defer_min_bytes);

	return (ack || (skb->len < min_bytes && !other_waits(q))) &&
	       atomic64_read(&q->link->credit) < QDISC_OVERDRAFT * 100 &&
	       skb_queue_len(&q->small) < QDISC_LIMIT;
}

static int homa_qdisc_enqueue(struct sk_buff *skb, struct Qdisc *sch,
			      struct sk_buff **to_free)
{
	struct homa_qdisc *q = qdisc_priv(sch);
	u32 min_bytes = READ_ONCE(q->hn->sysctl.defer_min_bytes);
	struct qdisc_message *m = NULL;
	struct homa_headers p;

	link_choose(q, sch);
	homa_headers_read(skb, &p);
	if (!p.homa) {
		homa_metric_inc(q->hn, qdisc_tcp_packets);
		if (!small_passes(q, skb, p.ack))
			return other_enqueue(skb, sch, to_free);
		__skb_queue_tail(&q->small, skb);
		qdisc_count(sch, 1, qdisc_pkt_len(skb));
		return NET_XMIT_SUCCESS;
	}
	if (!homa_output_made(skb))
		homa_metric_inc(q->hn, qdisc_foreign_packets);
	if (p.length >= min_bytes && p.length) {
		m = message_get(q, &p);
		if (!m)
			return qdisc_drop(skb, sch, to_free);
	}
	if (q->count >= QDISC_LIMIT && !m)
		return qdisc_drop(skb, sch, to_free);
	qdisc_cb(skb)->left = p.left;
	__skb_queue_tail(m ? &m->packets : &q->urgent, skb);
	q->count++;
	qdisc_count(sch, 1, qdisc_pkt_len(skb));
	if (q->count > QDISC_LIMIT)
		message_drop(sch, to_free);
	link_note(q);
	return NET_XMIT_SUCCESS;
}

/* Percent that are Homa's. Nobody has nothing, or one could not even say so. */
static int homa_share(const struct homa_qdisc *q)
{
	return clamp(READ_ONCE(q->hn->sysctl.homa_share), 1, 99);
}

/* A packet that was here, not in the child, leaves. */
static void own_taken(struct Qdisc *sch, const struct sk_buff *skb)
{
	qdisc_count(sch, -1, -qdisc_pkt_len(skb));
}

/* Do packets of others wait, here or in another queue of the device? */
static bool link_has_others(const struct homa_qdisc *q)
{
	return other_waits(q) || atomic_read(&q->link->others);
}

/* One that is not Homa's has left: it owes something only if Homa waited. */
static void other_spent(struct homa_qdisc *q, const struct sk_buff *skb)
{
	s64 credit = atomic64_add_return((s64)qdisc_pkt_len(skb) * homa_share(q),
					 &q->link->credit);

	if (credit > 0 && !q->count && !atomic_read(&q->link->homa))
		atomic64_set(&q->link->credit, 0);
	homa_metric_inc(q->hn, pacer_tcp_packets);
	homa_metric_add(q->hn, pacer_tcp_bytes, qdisc_pkt_len(skb));
}

/* Homa has sent a packet; likewise. */
static void homa_spent(struct homa_qdisc *q, const struct sk_buff *skb)
{
	if (link_has_others(q))
		atomic64_sub((s64)qdisc_pkt_len(skb) * (100 - homa_share(q)),
			     &q->link->credit);
	else
		atomic64_set(&q->link->credit, 1);
	WRITE_ONCE(q->link->used, jiffies);
}

/* Has Homa had so much more than its share that not even urgent packets may go? */
static bool homa_overdrawn(const struct homa_qdisc *q)
{
	return link_has_others(q) &&
	       atomic64_read(&q->link->credit) < -QDISC_OVERDRAFT * 100;
}

static struct sk_buff *small_next(struct Qdisc *sch)
{
	struct homa_qdisc *q = qdisc_priv(sch);
	struct sk_buff *skb = __skb_dequeue(&q->small);

	if (!skb)
		return NULL;
	own_taken(sch, skb);
	other_spent(q, skb);
	return skb;
}

static struct sk_buff *urgent_next(struct Qdisc *sch)
{
	struct homa_qdisc *q = qdisc_priv(sch);
	struct sk_buff *skb = __skb_dequeue(&q->urgent);

	if (!skb)
		return NULL;
	q->count--;
	own_taken(sch, skb);
	homa_spent(q, skb);
	return skb;
}

/* How many segments there may be in a piece of a frame; 0: it shall not be cut. */
static u32 piece_segs(const struct homa_qdisc *q, const struct sk_buff *skb)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	u32 limit;

	if (q->link == &q->own || !skb_is_gso(skb) ||
	    shinfo->gso_size == GSO_BY_FRAGS ||
	    time_after(jiffies, READ_ONCE(q->link->used) +
				QDISC_IN_USE_JIFFIES))
		return 0;
	limit = homa_pacer_frame(q->dev) / 2;
	if (skb->len <= limit)
		return 0;
	if (shinfo->gso_type & ~PIECE_GSO_TYPES)
		return 1;
	return max(limit / shinfo->gso_size, 1U);
}

/* A piece of a frame; it is a frame again if it is longer than one segment, unless
 * @size is 0.
 */
static void piece_init(struct sk_buff *piece, u32 size, u32 type)
{
	struct skb_shared_info *shinfo = skb_shinfo(piece);
	u32 headers = 0, segs = 1;

	if (size) {
		headers = skb_transport_offset(piece) + tcp_hdrlen(piece);
		segs = DIV_ROUND_UP(piece->len - headers, size);
	}
	if (segs > 1) {
		shinfo->gso_size = size;
		shinfo->gso_segs = segs;
		shinfo->gso_type = type;
	}
	qdisc_skb_cb(piece)->pkt_len = piece->len + (segs - 1) * headers;
	homa_set_pkt_segs(piece, segs);
}

/* Cuts a frame into pieces of @segs segments, which the device cuts further. */
static struct sk_buff *frame_pieces(struct sk_buff *skb, u32 segs)
{
	netdev_features_t features = netif_skb_features(skb);
	u32 type = skb_shinfo(skb)->gso_type & ~SKB_GSO_DODGY;
	u32 size = skb_shinfo(skb)->gso_size;
	struct sk_buff *list, *piece;

	/* TCP keeps a clone, which has the same gso_size. */
	if (segs > 1) {
		if (skb_unclone(skb, GFP_ATOMIC))
			return NULL;
		skb_shinfo(skb)->gso_size = segs * size;
	}
	list = skb_gso_segment(skb, features & ~NETIF_F_GSO_MASK);
	skb_shinfo(skb)->gso_size = size;
	if (IS_ERR_OR_NULL(list))
		return NULL;
	for (piece = list; piece; piece = piece->next)
		piece_init(piece, segs > 1 ? size : 0, type);
	return list;
}

/* Cuts a frame that has left the child. Return: its first piece, or all of it */
static struct sk_buff *frame_cut(struct Qdisc *sch, struct sk_buff *skb)
{
	struct homa_qdisc *q = qdisc_priv(sch);
	int packets = 1, bytes = qdisc_pkt_len(skb);
	u32 segs = piece_segs(q, skb);
	struct sk_buff *first, *piece, *next;

	first = segs ? frame_pieces(skb, segs) : NULL;
	if (!first)
		return skb;
	piece = first->next;
	skb_mark_not_on_list(first);
	bytes -= qdisc_pkt_len(first);
	skb_list_walk_safe(piece, piece, next) {
		skb_mark_not_on_list(piece);
		__skb_queue_tail(&q->pieces, piece);
		qdisc_count(sch, 1, qdisc_pkt_len(piece));
		packets++;
		bytes -= qdisc_pkt_len(piece);
	}
	qdisc_tree_reduce_backlog(sch, 1 - packets, bytes);
	consume_skb(skb);
	return first;
}

/* Takes from the child; it may have packets and yet give none. */
static struct sk_buff *other_next(struct Qdisc *sch)
{
	struct homa_qdisc *q = qdisc_priv(sch);
	struct sk_buff *skb = __skb_dequeue(&q->pieces);

	if (skb) {
		own_taken(sch, skb);
	} else {
		if (q->other->q.qlen)
			skb = q->other->dequeue(q->other);
		other_sync(sch, skb ? -1 : 0, skb ? -qdisc_pkt_len(skb) : 0);
		if (!skb)
			return NULL;
		skb = frame_cut(sch, skb);
	}
	other_spent(q, skb);
	return skb;
}

/* Takes from who may send now: Homa, or the others. */
static struct sk_buff *shared_next(struct Qdisc *sch)
{
	struct homa_qdisc *q = qdisc_priv(sch);
	struct sk_buff *skb = NULL;

	if (!q->count || atomic64_read(&q->link->credit) <= 0)
		skb = other_next(sch);
	if (skb)
		return skb;
	if (RB_EMPTY_ROOT(&q->tree.rb_root))
		return urgent_next(sch);
	skb = message_next(q);
	own_taken(sch, skb);
	homa_spent(q, skb);
	return skb;
}

/* Do packets wait in other queues of the device? */
static bool link_crowded(const struct homa_qdisc *q)
{
	return atomic_read(&q->link->homa) - q->homa_noted +
	       atomic_read(&q->link->others) - q->others_noted > 0;
}

/* Is it the turn of packets that wait in other queues alone? They may be stuck there,
 * so we ask only so many times.
 */
static bool link_yields(struct homa_qdisc *q)
{
	bool homa = atomic64_read(&q->link->credit) > 0;

	if ((homa ? q->count : other_waits(q)) ||
	    !atomic_read(homa ? &q->link->homa : &q->link->others))
		return false;
	return q->yields++ < QDISC_YIELDS;
}

/* When may packets that have to wait be sent? 0: now */
static u64 link_due(struct homa_qdisc *q)
{
	u64 now, due;

	if (q->link == &q->own)
		return 0;
	now = homa_now();
	due = now + homa_link_wait(q->dev, &q->link->idle_ns);
	if (due == now && q->turn_ns <= now && link_yields(q))
		due = now + QDISC_YIELD_NS;
	due = max(due, q->turn_ns);
	return due > now ? due : 0;
}

/* It has had its turn: others who wait go first when the link is free again. */
static void link_turn_over(struct homa_qdisc *q)
{
	q->yields = 0;
	q->turn_ns = 0;
	if (q->link != &q->own && link_crowded(q))
		q->turn_ns = homa_now() + QDISC_YIELD_NS +
			     homa_link_wait(q->dev, &q->link->idle_ns);
}

static void link_charge(struct homa_qdisc *q, const struct sk_buff *skb)
{
	u32 packets = skb_is_gso(skb) ? skb_shinfo(skb)->gso_segs : 1;

	if (q->link != &q->own)
		homa_link_charge(q->dev, &q->link->idle_ns,
				 qdisc_pkt_len(skb) + packets * QDISC_OVERHEAD);
}

static struct sk_buff *homa_qdisc_dequeue(struct Qdisc *sch)
{
	struct homa_qdisc *q = qdisc_priv(sch);
	struct sk_buff *skb;
	bool shared;
	u64 due;

	if (!sch->q.qlen)
		return NULL;
	skb = small_next(sch);
	if (!skb && !homa_overdrawn(q))
		skb = urgent_next(sch);
	shared = !skb;
	if (shared) {
		due = link_due(q);
		if (due) {
			qdisc_qstats_overlimit(sch);
			qdisc_watchdog_schedule_ns(&q->watchdog, due);
			return NULL;
		}
		skb = shared_next(sch);
	}
	link_note(q);
	if (!skb)
		return NULL;
	link_charge(q, skb);
	if (shared)
		link_turn_over(q);
	qdisc_bstats_update(sch, skb);
	return skb;
}

static void list_free(struct sk_buff_head *list)
{
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(list)))
		rtnl_kfree_skbs(skb, skb);
}

static void homa_qdisc_reset(struct Qdisc *sch)
{
	struct homa_qdisc *q = qdisc_priv(sch);
	struct sk_buff *skb;

	qdisc_watchdog_cancel(&q->watchdog);
	while (!RB_EMPTY_ROOT(&q->tree.rb_root)) {
		skb = message_next(q);
		rtnl_kfree_skbs(skb, skb);
	}
	list_free(&q->pieces);
	list_free(&q->small);
	list_free(&q->urgent);
	q->count = 0;
	q->srpt_budget = 0;
	qdisc_reset(q->other);
	q->other_qlen = 0;
	q->other_backlog = 0;
	link_leave(q);
}

/* Makes a child of the system's default kind, unless that is ours, or one that works
 * without its parent's lock, or needs options.
 */
static struct Qdisc *other_create(struct Qdisc *sch,
				  struct netlink_ext_ack *extack)
{
	const struct Qdisc_ops *ops = default_qdisc_ops;
	struct Qdisc *other = NULL;

	if (ops != sch->ops && !(ops->static_flags & TCQ_F_NOLOCK))
		other = qdisc_create_dflt(sch->dev_queue, ops,
					  TC_H_MAKE(sch->handle, 1), NULL);
	if (!other)
		other = qdisc_create_dflt(sch->dev_queue, &pfifo_qdisc_ops,
					  TC_H_MAKE(sch->handle, 1), extack);
	return other;
}

static int homa_qdisc_init(struct Qdisc *sch, struct nlattr *opt,
			   struct netlink_ext_ack *extack)
{
	struct homa_qdisc *q = qdisc_priv(sch);
	struct Qdisc *other;

	q->hn = homa_net(dev_net(qdisc_dev(sch)));
	q->other = &noop_qdisc;
	__skb_queue_head_init(&q->pieces);
	__skb_queue_head_init(&q->small);
	__skb_queue_head_init(&q->urgent);
	q->tree = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&q->ages);
	q->seed = get_random_u32();
	q->link = &q->own;
	qdisc_watchdog_init(&q->watchdog, sch);
	if (opt) {
		NL_SET_ERR_MSG(extack, "homa has no options; see net.homa");
		return -EINVAL;
	}
	other = other_create(sch, extack);
	if (!other)
		return -ENOMEM;
	other->flags |= TCQ_F_NOPARENT;		/* see other_sync() */
	qdisc_hash_add(other, true);
	q->other = other;
	return 0;
}

/* Also called when homa_qdisc_init() has failed. */
static void homa_qdisc_destroy(struct Qdisc *sch)
{
	struct homa_qdisc *q = qdisc_priv(sch);

	qdisc_watchdog_cancel(&q->watchdog);
	qdisc_put(q->other);
	homa_dev_put(q->dev);
}

/* There is nothing that could be said when it was made. */
static int homa_qdisc_dump(struct Qdisc *sch, struct sk_buff *skb)
{
	return skb->len;
}

/* One class, 1, so that another qdisc can be grafted for what is not Homa's. */

static int class_graft(struct Qdisc *sch, unsigned long arg, struct Qdisc *new,
		       struct Qdisc **old, struct netlink_ext_ack *extack)
{
	struct homa_qdisc *q = qdisc_priv(sch);

	if (!new)
		new = &noop_qdisc;
	else
		new->flags |= TCQ_F_NOPARENT;	/* see other_sync() */
	*old = qdisc_replace(sch, new, &q->other);
	sch_tree_lock(sch);
	other_sync(sch, 0, 0);		/* the old one's packets are gone */
	link_note(q);
	sch_tree_unlock(sch);
	return 0;
}

static struct Qdisc *class_leaf(struct Qdisc *sch, unsigned long arg)
{
	struct homa_qdisc *q = qdisc_priv(sch);

	return q->other;
}

static unsigned long class_find(struct Qdisc *sch, u32 classid)
{
	return TC_H_MIN(classid) == 1;
}

static int class_dump(struct Qdisc *sch, unsigned long class,
		      struct sk_buff *skb, struct tcmsg *tcm)
{
	struct homa_qdisc *q = qdisc_priv(sch);

	tcm->tcm_handle |= TC_H_MIN(1);
	tcm->tcm_info = q->other->handle;
	return 0;
}

static int class_stats(struct Qdisc *sch, unsigned long class,
		       struct gnet_dump *d)
{
	struct homa_qdisc *q = qdisc_priv(sch);
	struct Qdisc *other = q->other;

	if (gnet_stats_copy_basic(d, other->cpu_bstats, &other->bstats, true) < 0 ||
	    qdisc_qstats_copy(d, other) < 0)
		return -1;
	return 0;
}

static void class_walk(struct Qdisc *sch, struct qdisc_walker *walker)
{
	if (!walker->stop)
		tc_qdisc_stats_dump(sch, 1, walker);
}

static const struct Qdisc_class_ops homa_qdisc_class_ops = {
	.graft = class_graft,
	.leaf = class_leaf,
	.find = class_find,
	.walk = class_walk,
	.dump = class_dump,
	.dump_stats = class_stats,
};

static struct Qdisc_ops homa_qdisc_ops = {
	.cl_ops = &homa_qdisc_class_ops,
	.id = "homa",
	.priv_size = sizeof(struct homa_qdisc),
	.enqueue = homa_qdisc_enqueue,
	.dequeue = homa_qdisc_dequeue,
	.peek = qdisc_peek_dequeued,
	.init = homa_qdisc_init,
	.reset = homa_qdisc_reset,
	.destroy = homa_qdisc_destroy,
	.dump = homa_qdisc_dump,
	.owner = THIS_MODULE,
};

/**
 * homa_qdisc_is() - is this one of ours?
 * @sch: qdisc
 *
 * Context: any.
 * Return: true if it is
 */
bool homa_qdisc_is(const struct Qdisc *sch)
{
	return sch->ops == &homa_qdisc_ops;
}

/**
 * homa_qdisc_register() - let devices have the qdisc
 *
 * Context: process; hosts exist.
 * Return: 0 or a negative errno
 */
int homa_qdisc_register(void)
{
	return register_qdisc(&homa_qdisc_ops);
}

/**
 * homa_qdisc_unregister() - undo homa_qdisc_register()
 *
 * Context: process. No device has one, for each holds the module.
 */
void homa_qdisc_unregister(void)
{
	unregister_qdisc(&homa_qdisc_ops);
}
