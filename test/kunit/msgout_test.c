// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/msgout.c: pages in packets, what is sent when, and what again. */

#include "host.h"
#include "message.h"

#define MAX_PIECES 40

/* A message in pieces of the given lengths, with a page each. */
static struct homa_msgout *in_pieces(struct kunit *test, const u32 *lengths)
{
	struct homa_msgout *out = kunit_kzalloc(test, sizeof(*out), GFP_KERNEL);
	u32 i, j, offset = 0;

	KUNIT_ASSERT_NOT_NULL(test, out);
	homa_msgout_init(out);
	out->length = 0;
	out->pieces = kunit_kcalloc(test, MAX_PIECES, sizeof(*out->pieces),
				    GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, out->pieces);
	for (i = 0; lengths[i]; i++) {
		struct page *page = alloc_page(GFP_KERNEL);

		KUNIT_ASSERT_NOT_NULL(test, page);
		bvec_set_page(&out->pieces[i], page, lengths[i], 3 * i);
		for (j = 0; j < lengths[i]; j++)
			((u8 *)page_address(page))[3 * i + j] =
				pattern(offset + j);
		offset += lengths[i];
		out->num_pieces++;
	}
	out->length = offset;
	return out;
}

/* Frees the pages, which no packet may hold any more. */
static void pieces_free(struct kunit *test, struct homa_msgout *out)
{
	int i;

	for (i = 0; i < out->num_pieces; i++) {
		KUNIT_EXPECT_EQ(test, page_count(out->pieces[i].bv_page), 1);
		put_page(out->pieces[i].bv_page);
	}
}

static void attach_and_check(struct kunit *test, struct homa_msgout *out,
			     u32 start, u32 length, int expected)
{
	struct sk_buff *skb = alloc_skb(16, GFP_KERNEL);
	unsigned int before;
	int n;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	before = skb->truesize;
	n = homa_msgout_attach(out, skb, start, length);
	KUNIT_EXPECT_EQ(test, n, expected);
	KUNIT_EXPECT_EQ(test, skb->len, (u32)expected);
	KUNIT_EXPECT_EQ(test, skb->data_len, (u32)expected);
	KUNIT_EXPECT_EQ(test, skb->truesize, before + expected);
	KUNIT_EXPECT_LE(test, (int)skb_shinfo(skb)->nr_frags,
			(int)MAX_SKB_FRAGS);
	KUNIT_EXPECT_TRUE(test, packet_has(skb, start, expected));
	kfree_skb(skb);
}

/* All parts of a message in pieces of odd sizes. */
static void homa_msgout_attach__all_ranges(struct kunit *test)
{
	static const u32 lengths[] = { 1, 7, 3, 40, 10, 0 };
	struct homa_msgout *out = in_pieces(test, lengths);
	u32 start, length;

	for (start = 0; start < out->length; start++) {
		for (length = 1; start + length <= out->length; length++)
			attach_and_check(test, out, start, length, length);
	}
	pieces_free(test, out);
}

/* Packets have a limited number of fragments. */
static void homa_msgout_attach__too_many_pieces(struct kunit *test)
{
	u32 lengths[MAX_PIECES + 1] = {}, start, length;
	struct homa_msgout *out;
	int i;

	for (i = 0; i < MAX_SKB_FRAGS + 3 && i < MAX_PIECES; i++)
		lengths[i] = 10;
	out = in_pieces(test, lengths);
	for (start = 0; start < 30; start++) {
		for (length = 10 * MAX_SKB_FRAGS - 10;
		     start + length <= out->length; length++) {
			int fits = 10 * MAX_SKB_FRAGS - start % 10;

			attach_and_check(test, out, start, length,
					 min_t(int, length, fits));
		}
	}
	pieces_free(test, out);
}

static struct kunit_case msgout_cases[] = {
	KUNIT_CASE(homa_msgout_attach__all_ranges),
	KUNIT_CASE(homa_msgout_attach__too_many_pieces),
	{}
};

static struct kunit_suite msgout_suite = {
	.name = "homa_msgout",
	.init = host_init,
	.exit = host_exit,
	.test_cases = msgout_cases,
};

/* The rest makes packets of a live host's RPCs, and looks at them. */

static const u32 fill_lengths[] = { 1, 4095, 4096, 4097, 65536, 100000,
				    HOMA_MAX_MESSAGE_LENGTH };

static void length_desc(const u32 *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u bytes", *param);
}

KUNIT_ARRAY_PARAM(fill, fill_lengths, length_desc);

static void homa_msgout_fill__copies_and_charges(struct kunit *test)
{
	u32 start, n, length = *(const u32 *)test->param_value;
	struct live *live = test->priv;
	struct homa_msgout out;

	KUNIT_EXPECT_EQ(test, fill(test, &out, length, length), 0);
	KUNIT_EXPECT_EQ(test, (u32)out.length, length);
	KUNIT_EXPECT_GE(test, out.charged, length);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&live->hsk->tx_mem),
			(int)out.charged);
	for (start = 0; start < length; start += n) {
		n = min(length - start, 10000U);
		attach_and_check(test, &out, start, n, n);
	}
	homa_msgout_free(&out, live->hsk);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&live->hsk->tx_mem), 0);
}

static void homa_msgout_fill__unreadable(struct kunit *test)
{
	struct live *live = test->priv;
	struct homa_msgout out;

	KUNIT_EXPECT_EQ(test, fill(test, &out, 50000, 60000), -EFAULT);
	homa_msgout_free(&out, live->hsk);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&live->hsk->tx_mem), 0);
}

struct start_case {
	const char *desc;
	u32 length;
	u32 unscheduled;
	u32 sent;
};

static const struct start_case start_cases[] = {
	{ "one byte", 1, 40000, 1 },
	{ "one packet", LIVE_MAX_DATA, 40000, LIVE_MAX_DATA },
	{ "two packets", LIVE_MAX_DATA + 1, 40000, LIVE_MAX_DATA + 1 },
	{ "all unscheduled", 40000, 40000, 40000 },
	{ "one byte scheduled", 40001, 40000, 40000 },
	{ "longest", HOMA_MAX_MESSAGE_LENGTH, 40000, 40000 },
	{ "whole packets unscheduled", 50000, 10 * LIVE_MAX_DATA,
	  10 * LIVE_MAX_DATA },
	{ "less than a packet unscheduled", 50000, 100, 100 },
};

static void start_desc(const struct start_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(start, start_cases, start_desc);

static void homa_msgout_start__unscheduled(struct kunit *test)
{
	const struct start_case *param = test->param_value;
	struct sk_buff_head txq;
	struct homa_rpc *rpc;

	rpc = begin(test, param->length, param->unscheduled, &txq);
	KUNIT_EXPECT_EQ(test, rpc->out.next, param->sent);
	KUNIT_EXPECT_EQ(test, rpc->out.granted, param->sent);
	KUNIT_EXPECT_EQ(test, !!rpc->out.done_at,
			param->sent == param->length);
	expect_packets(test, rpc, &txq, 0, param->sent, false);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&txq), 0U);
}

/**
 * struct begun - a message of which only the first part was copied in
 * @rpc: client RPC
 * @iter: the rest
 * @vec: all of it
 */
struct begun {
	struct homa_rpc *rpc;
	struct iov_iter iter;
	struct kvec vec;
};

#define PARTS_LENGTH 300000
#define PARTS_UNSCHED 40000

/* Where packets end of which all has been copied in. */
static u32 parts_ready(const struct homa_rpc *rpc)
{
	return PARTS_UNSCHED + rounddown(rpc->out.copied - PARTS_UNSCHED,
					 LIVE_MAX_DATA);
}

static void begin_part(struct kunit *test, struct begun *b,
		       struct sk_buff_head *txq)
{
	struct live *live = test->priv;
	struct homa_msgout filled;
	u8 *data = kunit_kmalloc(test, PARTS_LENGTH, GFP_KERNEL);
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, data);
	for (i = 0; i < PARTS_LENGTH; i++)
		data[i] = pattern(i);
	b->vec = (struct kvec){ data, PARTS_LENGTH };
	iov_iter_kvec(&b->iter, ITER_SOURCE, &b->vec, 1, PARTS_LENGTH);
	b->rpc = live_rpc(test, 0);
	__skb_queue_head_init(txq);
	live->hn->sysctl.flags = HOMA_FLAG_DONT_THROTTLE;
	live->hn->sysctl.unsched_bytes = PARTS_UNSCHED;
	homa_msgout_init(&filled);
	KUNIT_ASSERT_EQ(test, homa_msgout_fill(&filled, live->hsk, &b->iter,
					       PARTS_LENGTH, 70000), 0);
	KUNIT_ASSERT_LT(test, filled.copied, PARTS_LENGTH);
	spin_lock_bh(&b->rpc->lock);
	homa_msgout_start(b->rpc, &filled, txq);
	spin_unlock_bh(&b->rpc->lock);
	expect_packets(test, b->rpc, txq, 0, PARTS_UNSCHED, false);
	KUNIT_EXPECT_EQ(test, skb_queue_len(txq), 0U);
}

static void copy_part(struct kunit *test, struct begun *b, u32 bytes,
		      struct sk_buff_head *txq)
{
	struct live *live = test->priv;

	KUNIT_ASSERT_EQ(test, homa_msgout_copy(&b->rpc->out, live->hsk, &b->iter,
					       bytes), 0);
	spin_lock_bh(&b->rpc->lock);
	homa_msgout_copied(b->rpc, txq);
	spin_unlock_bh(&b->rpc->lock);
}

static void grant_all(struct kunit *test, struct begun *b, struct sk_buff_head *txq)
{
	spin_lock_bh(&b->rpc->lock);
	homa_msgout_grant(b->rpc, PARTS_LENGTH, 3, txq);
	spin_unlock_bh(&b->rpc->lock);
}

/* Granted or not, no packet has what is not there, and all are as if all were there. */
static void homa_msgout_copied__same_packets(struct kunit *test)
{
	struct live *live = test->priv;
	u64 early = host_counter(live->hn, early_bytes);
	struct sk_buff_head txq;
	u32 sent, ready;
	struct begun b;

	begin_part(test, &b, &txq);
	grant_all(test, &b, &txq);
	sent = parts_ready(b.rpc);
	expect_packets(test, b.rpc, &txq, PARTS_UNSCHED, sent, false);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&txq), 0U);
	KUNIT_EXPECT_FALSE(test, homa_msgout_pending(&b.rpc->out));

	copy_part(test, &b, 50000, &txq);
	ready = parts_ready(b.rpc);
	expect_packets(test, b.rpc, &txq, sent, ready, false);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&txq), 0U);

	copy_part(test, &b, PARTS_LENGTH, &txq);
	KUNIT_EXPECT_EQ(test, b.rpc->out.copied, PARTS_LENGTH);
	expect_packets(test, b.rpc, &txq, ready, PARTS_LENGTH, false);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&txq), 0U);
	KUNIT_EXPECT_EQ(test, host_counter(live->hn, early_bytes) - early, ready);
}

/* Without grants nothing more leaves, however much is there. */
static void homa_msgout_copied__waits_for_grants(struct kunit *test)
{
	struct sk_buff_head txq;
	struct begun b;

	begin_part(test, &b, &txq);
	copy_part(test, &b, PARTS_LENGTH, &txq);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&txq), 0U);
	grant_all(test, &b, &txq);
	expect_packets(test, b.rpc, &txq, PARTS_UNSCHED, PARTS_LENGTH, false);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&txq), 0U);
}

/* Who asks for what is not there is told to wait, and gets it when it is there. */
static void homa_msgout_resend__not_copied_yet(struct kunit *test)
{
	struct sk_buff_head txq;
	struct begun b;
	u32 ready;

	begin_part(test, &b, &txq);
	ready = parts_ready(b.rpc);
	spin_lock_bh(&b.rpc->lock);
	KUNIT_EXPECT_FALSE(test, homa_msgout_resend(b.rpc, 200000, 1000, 5, &txq));
	expect_packets(test, b.rpc, &txq, PARTS_UNSCHED, ready, false);
	KUNIT_EXPECT_FALSE(test, homa_msgout_resend(b.rpc, ready, 1, 5, &txq));
	KUNIT_EXPECT_EQ(test, skb_queue_len(&txq), 0U);

	/* All that is asked for, of which the beginning is there. */
	KUNIT_EXPECT_TRUE(test, homa_msgout_resend(b.rpc, 0, PARTS_LENGTH, 5, &txq));
	expect_packets(test, b.rpc, &txq, 0, ready, true);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&txq), 0U);
	spin_unlock_bh(&b.rpc->lock);
	copy_part(test, &b, PARTS_LENGTH, &txq);
	expect_packets(test, b.rpc, &txq, ready, PARTS_LENGTH, false);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&txq), 0U);
}

/* An RPC that ends while its message is copied in frees all that was copied. */
static void homa_msgout_free__half_copied(struct kunit *test)
{
	struct live *live = test->priv;
	struct sk_buff_head txq;
	struct begun b;

	begin_part(test, &b, &txq);
	KUNIT_ASSERT_EQ(test, homa_msgout_copy(&b.rpc->out, live->hsk, &b.iter,
					       50000), 0);
	KUNIT_EXPECT_GT(test, b.rpc->out.num_copied, b.rpc->out.num_pieces);
	homa_msgout_free(&b.rpc->out, live->hsk);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&live->hsk->tx_mem), 0);
}

/* A question is on the queue, and nothing else. */
static void expect_question(struct kunit *test, struct homa_rpc *rpc,
			    struct sk_buff_head *txq)
{
	struct sk_buff *skb = __skb_dequeue(txq);
	struct homa_resend_hdr *h;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	h = (struct homa_resend_hdr *)skb->data;
	KUNIT_EXPECT_EQ(test, h->common.type, HOMA_RESEND);
	KUNIT_EXPECT_EQ(test, h->offset, 0U);
	KUNIT_EXPECT_EQ(test, ntohl(h->length), HOMA_RESEND_ALL);
	kfree_skb(skb);
	KUNIT_EXPECT_EQ(test, skb_queue_len(txq), 0U);
	KUNIT_EXPECT_EQ(test, rpc->out.granted, 0U);
	KUNIT_EXPECT_EQ(test, rpc->out.next, 0U);
}

struct answer_case {
	const char *desc;
	enum homa_ask ask;
	u32 max_length;
	enum homa_ask state;
	int error;
};

#define LARGE (HOMA_MAX_MESSAGE_LENGTH + 1)

static const struct answer_case answer_cases[] = {
	{ "taken", HOMA_ASK_SYNC, LARGE, HOMA_ASK_NONE, 0 },
	{ "taken, nobody waits", HOMA_ASK_ASYNC, LARGE, HOMA_ASK_NONE, 0 },
	{ "refused", HOMA_ASK_SYNC, LARGE - 1, HOMA_ASK_REFUSED, 0 },
	{ "refused, nobody waits", HOMA_ASK_ASYNC, LARGE - 1, HOMA_ASK_ASYNC,
	  -EMSGSIZE },
};

static void answer_desc(const struct answer_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(answer, answer_cases, answer_desc);

static void homa_msgout_answered__sends_or_fails(struct kunit *test)
{
	const struct answer_case *param = test->param_value;
	struct sk_buff_head txq;
	struct homa_rpc *rpc;

	rpc = begin_asking(test, LARGE, 40000, param->ask, &txq);
	expect_question(test, rpc, &txq);
	spin_lock_bh(&rpc->lock);
	homa_msgout_answered(rpc, param->max_length, &txq);
	KUNIT_EXPECT_EQ(test, rpc->out.ask, param->state);
	KUNIT_EXPECT_EQ(test, rpc->error, param->error);
	spin_unlock_bh(&rpc->lock);
	if (param->state == HOMA_ASK_NONE)
		expect_packets(test, rpc, &txq, 0, 40000, false);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&txq), 0U);
}

static void grant(struct homa_rpc *rpc, u32 offset, u8 prio,
		  struct sk_buff_head *txq)
{
	spin_lock_bh(&rpc->lock);
	homa_msgout_grant(rpc, offset, prio, txq);
	spin_unlock_bh(&rpc->lock);
}

struct grant_case {
	const char *desc;
	u32 offsets[4];
	u32 granted;
	u32 sent;
	u8 prio;	/* of the n-th grant: n */
};

/* Of 20000 bytes, 10000 unscheduled. A packet that begins within what is
 * granted is as long as others.
 */
static const struct grant_case grant_cases[] = {
	{ "a packet", { 10000 + LIVE_MAX_DATA }, 10000 + LIVE_MAX_DATA,
	  10000 + LIVE_MAX_DATA, 1 },
	{ "a byte", { 10001 }, 10001, 10000 + LIVE_MAX_DATA, 1 },
	{ "twice", { 10001, 10002 }, 10002, 10000 + LIVE_MAX_DATA, 2 },
	{ "nothing new", { 10000 }, 10000, 10000, 0 },
	{ "zero and old", { 5, 11000, 10500 }, 11000, 10000 + LIVE_MAX_DATA, 2 },
	{ "all", { 20000 }, 20000, 20000, 1 },
	{ "beyond the end", { 0xffffffff }, 20000, 20000, 1 },
	{ "bit by bit", { 12000, 15000, 17000, 20000 }, 20000, 20000, 4 },
};

static void grant_desc(const struct grant_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(grant, grant_cases, grant_desc);

static void homa_msgout_grant__sends(struct kunit *test)
{
	const struct grant_case *param = test->param_value;
	struct sk_buff_head txq;
	struct homa_rpc *rpc;
	int i;

	rpc = begin(test, 20000, 10000, &txq);
	__skb_queue_purge(&txq);
	for (i = 0; i < 4 && param->offsets[i]; i++)
		grant(rpc, param->offsets[i], i + 1, &txq);
	KUNIT_EXPECT_EQ(test, rpc->out.granted, param->granted);
	KUNIT_EXPECT_EQ(test, rpc->out.next, param->sent);
	KUNIT_EXPECT_EQ(test, rpc->out.prio, param->prio);
	expect_packets(test, rpc, &txq, 10000, param->sent, false);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&txq), 0U);
}

#define P LIVE_MAX_DATA
/* The device is full, so that ranges wait and can be looked at. */
#define FULL 100000000

static void device_fill(struct live *live, struct homa_rpc *rpc)
{
	homa_pacer_charge(rpc->dev, FULL);
	live->hn->sysctl.flags = 0;
}

static void device_drain(struct homa_rpc *rpc)
{
	spin_lock_bh(&rpc->lock);
	homa_rpc_end(rpc);
	spin_unlock_bh(&rpc->lock);
	homa_pacer_completed(rpc->dev, FULL, false);
}

static bool resend(struct homa_rpc *rpc, u32 start, u32 end,
		   struct sk_buff_head *txq)
{
	bool sent;

	spin_lock_bh(&rpc->lock);
	sent = homa_msgout_resend(rpc, start, end == HOMA_RESEND_ALL ?
				  HOMA_RESEND_ALL : end - start, 5, txq);
	spin_unlock_bh(&rpc->lock);
	return sent;
}

struct resend_case {
	const char *desc;
	struct homa_range asked[6];
	struct homa_range waiting[6];
	bool sent;	/* result of the last one */
	u32 granted;	/* afterwards */
};

#define ALL HOMA_RESEND_ALL

/* Of 20000 bytes, 10000 are unscheduled: 7 packets and 32 bytes. Up to 15000
 * is granted: 4 more packets are sent, up to SENT.
 */
#define SENT (10000 + 4 * P)

static const struct resend_case resend_cases[] = {
	{ "a packet", { { P, 2 * P } }, { { P, 2 * P } }, true, 15000 },
	{ "part of one", { { P + 1, P + 2 } }, { { P, 2 * P } }, true, 15000 },
	{ "across two", { { P - 1, P + 1 } }, { { 0, 2 * P } }, true, 15000 },
	{ "first byte", { { 0, 1 } }, { { 0, P } }, true, 15000 },
	{ "short packet", { { 9990, 9991 } }, { { 7 * P, 10000 } }, true,
	  15000 },
	{ "first scheduled", { { 10000, 10001 } }, { { 10000, 10000 + P } },
	  true, 15000 },
	{ "across the boundary", { { 9999, 10001 } },
	  { { 7 * P, 10000 + P } }, true, 15000 },
	{ "last one sent", { { SENT - 1, SENT } },
	  { { SENT - P, SENT } }, true, SENT },
	{ "sent and not sent", { { SENT - 1, 20000 } },
	  { { SENT - P, SENT } }, true, 20000 },
	{ "not sent", { { SENT, 20000 } }, {}, false, 20000 },
	{ "past the end", { { SENT - 1, 2000000 } },
	  { { SENT - P, SENT } }, true, 20000 },
	{ "all", { { 0, ALL } }, { { 0, SENT } }, true, SENT },
	{ "all from the middle", { { 2 * P + 5, ALL } }, { { 2 * P, SENT } },
	  true, SENT },
	{ "apart", { { 0, P }, { 2 * P, 3 * P } },
	  { { 0, P }, { 2 * P, 3 * P } }, true, 15000 },
	{ "in order of asking", { { 4 * P, 5 * P }, { 0, P } },
	  { { 4 * P, 5 * P }, { 0, P } }, true, 15000 },
	{ "touching", { { 0, P }, { P, 2 * P } }, { { 0, 2 * P } }, true,
	  15000 },
	{ "touching from below", { { P, 2 * P }, { 0, P } }, { { 0, 2 * P } },
	  true, 15000 },
	{ "again", { { P, 2 * P }, { P, 2 * P } }, { { P, 2 * P } }, true,
	  15000 },
	{ "within", { { 0, 5 * P }, { P, 2 * P } }, { { 0, 5 * P } }, true,
	  15000 },
	{ "around", { { P, 2 * P }, { 0, 5 * P } }, { { 0, 5 * P } }, true,
	  15000 },
	{ "between two", { { 0, P }, { 2 * P, 3 * P }, { P, 2 * P } },
	  { { 0, 3 * P } }, true, 15000 },
	{ "around three", { { P, 2 * P }, { 5 * P, 6 * P }, { 3 * P, 4 * P },
			    { 0, ALL } },
	  { { 0, SENT } }, true, SENT },
};

static void resend_desc(const struct resend_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(resend, resend_cases, resend_desc);

static void homa_msgout_resend__ranges(struct kunit *test)
{
	const struct resend_case *param = test->param_value;
	struct live *live = test->priv;
	struct sk_buff_head txq;
	struct homa_rpc *rpc;
	bool sent = false;
	int i, n;

	rpc = begin(test, 20000, 10000, &txq);
	grant(rpc, 15000, 1, &txq);
	__skb_queue_purge(&txq);
	KUNIT_EXPECT_EQ(test, rpc->out.next, (u32)SENT);
	device_fill(live, rpc);
	for (i = 0; i < 6 && param->asked[i].end; i++)
		sent = resend(rpc, param->asked[i].start, param->asked[i].end,
			      &txq);
	KUNIT_EXPECT_EQ(test, sent, param->sent);
	KUNIT_EXPECT_EQ(test, rpc->out.granted, param->granted);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&txq), 0U);
	for (n = 0; n < 6 && param->waiting[n].end; n++) {
		KUNIT_EXPECT_EQ(test, rpc->out.resends[n].start,
				param->waiting[n].start);
		KUNIT_EXPECT_EQ(test, rpc->out.resends[n].end,
				param->waiting[n].end);
	}
	KUNIT_EXPECT_EQ(test, (int)rpc->out.num_resends, n);
	device_drain(rpc);
}

static void homa_msgout_resend__overflow(struct kunit *test)
{
	struct live *live = test->priv;
	struct sk_buff_head txq;
	struct homa_rpc *rpc;
	u64 before;
	u32 i;

	rpc = begin(test, 200000, 200000, &txq);
	__skb_queue_purge(&txq);
	device_fill(live, rpc);
	before = host_counter(live->hn, resend_overflows);
	for (i = 0; i < HOMA_MAX_RESENDS + 3; i++)
		KUNIT_EXPECT_TRUE(test, resend(rpc, 2 * i * P, (2 * i + 1) * P,
					       &txq));
	KUNIT_EXPECT_EQ(test, (int)rpc->out.num_resends, HOMA_MAX_RESENDS);
	KUNIT_EXPECT_EQ(test, host_counter(live->hn, resend_overflows) - before,
			3ULL);
	for (i = 0; i < HOMA_MAX_RESENDS; i++) {
		KUNIT_EXPECT_EQ(test, rpc->out.resends[i].start, 2 * i * P);
		KUNIT_EXPECT_EQ(test, rpc->out.resends[i].end, (2 * i + 1) * P);
	}

	/* What touches one that waits needs no room. */
	resend(rpc, P, 2 * P, &txq);
	KUNIT_EXPECT_EQ(test, host_counter(live->hn, resend_overflows) - before,
			3ULL);
	device_drain(rpc);
}

/* Packets have another size by now: the range is sent as it was asked for. */
static void homa_msgout_resend__other_mtu(struct kunit *test)
{
	struct live *live = test->priv;
	struct sk_buff_head txq;
	struct homa_rpc *rpc;

	rpc = begin(test, 20000, 20000, &txq);
	__skb_queue_purge(&txq);
	live_set_mtu(LIVE_MTU - 500);
	device_fill(live, rpc);
	resend(rpc, P + 7, P + 9, &txq);
	KUNIT_EXPECT_EQ(test, rpc->out.resends[0].start, P + 7U);
	KUNIT_EXPECT_EQ(test, rpc->out.resends[0].end, P + 9U);
	device_drain(rpc);
}

/* What is asked for again goes first, marked; then comes what is new. */
static void homa_msgout_pump__resends_first(struct kunit *test)
{
	struct live *live = test->priv;
	struct sk_buff_head txq;
	struct homa_rpc *rpc;

	rpc = begin(test, 20000, 10000, &txq);
	__skb_queue_purge(&txq);
	device_fill(live, rpc);
	resend(rpc, 3 * P, 5 * P, &txq);
	resend(rpc, 0, 1, &txq);
	grant(rpc, 12000, 2, &txq);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&txq), 0U);
	KUNIT_EXPECT_FALSE(test, RB_EMPTY_NODE(&rpc->pacer_node));

	live->hn->sysctl.flags = HOMA_FLAG_DONT_THROTTLE;
	spin_lock_bh(&rpc->lock);
	homa_msgout_pump(rpc, false, &txq);
	spin_unlock_bh(&rpc->lock);
	expect_packets(test, rpc, &txq, 3 * P, 5 * P, true);
	expect_packets(test, rpc, &txq, 0, P, true);
	expect_packets(test, rpc, &txq, 10000, 10000 + 2 * P, false);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&txq), 0U);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_NODE(&rpc->pacer_node));
	KUNIT_EXPECT_EQ(test, (int)rpc->out.num_resends, 0);
	device_drain(rpc);
}

/* Data of a message stays as long as a packet needs it. */
static void homa_msgout_free__packets_keep_pages(struct kunit *test)
{
	struct live *live = test->priv;
	struct sk_buff_head txq;
	struct homa_rpc *rpc;

	rpc = begin(test, 5000, 10000, &txq);
	spin_lock_bh(&rpc->lock);
	homa_msgout_free(&rpc->out, live->hsk);
	spin_unlock_bh(&rpc->lock);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&live->hsk->tx_mem), 0);
	expect_packets(test, rpc, &txq, 0, 5000, false);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&txq), 0U);
}

static struct kunit_case msgout_live_cases[] = {
	KUNIT_CASE_PARAM(homa_msgout_fill__copies_and_charges,
			 fill_gen_params),
	KUNIT_CASE(homa_msgout_fill__unreadable),
	KUNIT_CASE(homa_msgout_copied__same_packets),
	KUNIT_CASE(homa_msgout_copied__waits_for_grants),
	KUNIT_CASE(homa_msgout_resend__not_copied_yet),
	KUNIT_CASE(homa_msgout_free__half_copied),
	KUNIT_CASE_PARAM(homa_msgout_start__unscheduled, start_gen_params),
	KUNIT_CASE_PARAM(homa_msgout_answered__sends_or_fails,
			 answer_gen_params),
	KUNIT_CASE_PARAM(homa_msgout_grant__sends, grant_gen_params),
	KUNIT_CASE_PARAM(homa_msgout_resend__ranges, resend_gen_params),
	KUNIT_CASE(homa_msgout_resend__overflow),
	KUNIT_CASE(homa_msgout_resend__other_mtu),
	KUNIT_CASE(homa_msgout_pump__resends_first),
	KUNIT_CASE(homa_msgout_free__packets_keep_pages),
	{}
};

static struct kunit_suite msgout_live_suite = {
	.name = "homa_msgout_live",
	.init = live_init,
	.exit = live_exit,
	.test_cases = msgout_live_cases,
};

kunit_test_suites(&msgout_suite, &msgout_live_suite);
