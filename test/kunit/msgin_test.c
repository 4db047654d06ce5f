// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/msgin.c: what has arrived, what is missing, and who waits for room. */

#include <linux/bitmap.h>

#include "host.h"

/* Gives a socket that is none what the accounting of memory looks at. */
static void charge_like_a_socket(struct kunit *test, struct sock *sk)
{
	struct socket *real;

	KUNIT_ASSERT_EQ(test, sock_create_kern(&init_net, AF_INET, SOCK_DGRAM,
					       IPPROTO_HOMA, &real), 0);
	spin_lock_init(&sk->sk_lock.slock);
	sock_net_set(sk, &init_net);
	sk->sk_prot = real->sk->sk_prot;
	sock_release(real);
}

/* A message that may come whole, on a plain host with a region for it. */
static struct homa_rpc *incoming_to(struct kunit *test, u32 length, u32 pages)
{
	struct homa_sock *hsk = kunit_kzalloc(test, sizeof(*hsk), GFP_KERNEL);
	struct homa_rpc *rpc = host_rpc(test, 3);

	KUNIT_ASSERT_NOT_NULL(test, hsk);
	spin_lock_init(&hsk->lock);
	hsk->buf_waiters = RB_ROOT_CACHED;
	hsk->hn = homa_net(&init_net);
	charge_like_a_socket(test, &hsk->inet.sk);
	hsk->rcvbuf = homa_rcvbuf_alloc(0x10000000, pages << HOMA_BPAGE_SHIFT);
	KUNIT_ASSERT_NOT_NULL(test, hsk->rcvbuf);
	rpc->hsk = hsk;
	rpc->state = HOMA_INCOMING;
	spin_lock_bh(&rpc->lock);
	homa_msgin_start(rpc, length, length, 0);
	spin_unlock_bh(&rpc->lock);
	KUNIT_EXPECT_TRUE(test, rpc->in.has_bpages);
	return rpc;
}

static struct homa_rpc *incoming(struct kunit *test, u32 length)
{
	return incoming_to(test, length, 32);
}

/* Frees it, and checks that its space is free again. */
static void finish(struct kunit *test, struct homa_rpc *rpc)
{
	struct homa_rcvbuf *rb = rpc->hsk->rcvbuf;

	homa_msgin_free(rpc);
	KUNIT_EXPECT_EQ(test, homa_rcvbuf_available(rb),
			(u64)rb->num_bpages << HOMA_BPAGE_SHIFT);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&rpc->hsk->rx_mem), 0L);
	KUNIT_EXPECT_EQ(test, rpc->hsk->rx_pool, 0L);
	KUNIT_EXPECT_EQ(test, rpc->hsk->inet.sk.sk_forward_alloc, 0);
	KUNIT_EXPECT_EQ(test, rpc->in.num_gaps, 0);
	KUNIT_EXPECT_TRUE(test, skb_queue_empty(&rpc->in.queue));
	homa_rcvbuf_free(rb);
}

/* Bytes @start to @end arrive in a packet that occupies @truesize. */
static enum homa_drop arrive_sized(struct homa_rpc *rpc, u32 start, u32 end,
				   bool retransmit, u32 truesize)
{
	struct sk_buff *skb = alloc_skb(16, GFP_KERNEL);
	enum homa_drop drop;

	if (!skb)
		return HOMA_DROP_NO_MEMORY;
	if (truesize)
		skb->truesize = truesize;
	spin_lock_bh(&rpc->lock);
	drop = homa_msgin_add(rpc, skb, start, end - start, retransmit, 0);
	spin_unlock_bh(&rpc->lock);
	if (drop != HOMA_ACCEPTED)
		kfree_skb(skb);
	return drop;
}

static enum homa_drop arrive(struct homa_rpc *rpc, u32 start, u32 end)
{
	return arrive_sized(rpc, start, end, false, 0);
}

/* All gaps as text, such as "100-200 300-400". */
static const char *gaps_text(struct kunit *test, struct homa_rpc *rpc)
{
	const size_t size = 256;
	char *text = kunit_kzalloc(test, size, GFP_KERNEL);
	struct homa_gap *gap;
	size_t n = 0;

	KUNIT_ASSERT_NOT_NULL(test, text);
	list_for_each_entry(gap, &rpc->in.gaps, links)
		n += scnprintf(text + n, size - n, "%s%u-%u", n ? " " : "",
			       gap->start, gap->end);
	return text;
}

struct gap_case {
	const char *desc;
	struct homa_range arrives[8];
	const char *gaps;	/* afterwards */
	u32 end;
	u32 left;		/* of 1000 */
	enum homa_drop result;	/* of the last packet */
};

static const struct gap_case gap_cases[] = {
	{ "in order", { { 0, 100 }, { 100, 200 } }, "", 200, 800 },
	{ "second first", { { 100, 200 } }, "0-100", 200, 900 },
	{ "gap filled", { { 100, 200 }, { 0, 100 } }, "", 200, 800 },
	{ "start of a gap", { { 100, 200 }, { 0, 30 } }, "30-100", 200, 870 },
	{ "end of a gap", { { 100, 200 }, { 70, 100 } }, "0-70", 200, 870 },
	{ "middle of a gap", { { 100, 200 }, { 40, 60 } }, "0-40 60-100", 200,
	  880 },
	{ "over both ends", { { 50, 60 }, { 100, 200 }, { 55, 150 } }, "0-50",
	  200, 850 },
	{ "over several gaps",
	  { { 10, 20 }, { 30, 40 }, { 50, 60 }, { 5, 45 } }, "0-5 45-50", 60,
	  950 },
	{ "over all gaps and the end",
	  { { 10, 20 }, { 30, 40 }, { 0, 100 } }, "", 100, 900 },
	{ "touches the end", { { 0, 100 }, { 50, 150 } }, "", 150, 850 },
	{ "whole message", { { 0, 1000 } }, "", 1000, 0 },
	{ "last byte", { { 999, 1000 } }, "0-999", 1000, 999 },
	{ "duplicate", { { 0, 100 }, { 0, 100 } }, "", 100, 900,
	  HOMA_DROP_DUPLICATE },
	{ "part of an old one", { { 0, 100 }, { 20, 30 } }, "", 100, 900,
	  HOMA_DROP_DUPLICATE },
	{ "after a gap again", { { 50, 100 }, { 50, 100 } }, "0-50", 100, 950,
	  HOMA_DROP_DUPLICATE },
	{ "old up to a gap", { { 50, 100 }, { 150, 200 }, { 60, 100 } },
	  "0-50 100-150", 200, 900, HOMA_DROP_DUPLICATE },
	{ "between gaps, one byte new", { { 50, 100 }, { 150, 200 }, { 49, 100 } },
	  "0-49 100-150", 200, 899 },
};

static void gap_desc(const struct gap_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(gap, gap_cases, gap_desc);

static void homa_msgin_add__gaps(struct kunit *test)
{
	const struct gap_case *param = test->param_value;
	struct homa_rpc *rpc = incoming(test, 1000);
	enum homa_drop drop = HOMA_ACCEPTED;
	int i, accepted = 0;

	for (i = 0; param->arrives[i].end; i++) {
		drop = arrive(rpc, param->arrives[i].start,
			      param->arrives[i].end);
		accepted += drop == HOMA_ACCEPTED;
	}
	KUNIT_EXPECT_EQ(test, drop, param->result);
	KUNIT_EXPECT_STREQ(test, gaps_text(test, rpc), param->gaps);
	KUNIT_EXPECT_EQ(test, rpc->in.end, param->end);
	KUNIT_EXPECT_EQ(test, rpc->in.left, param->left);
	KUNIT_EXPECT_EQ(test, homa_msgin_complete(&rpc->in), !param->left);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&rpc->in.queue), (u32)accepted);
	finish(test, rpc);
}

#define STRESS_LENGTH 3000

/* What is missing, according to a bitmap, is what the list of gaps says. */
static void stress_check(struct kunit *test, struct homa_rpc *rpc,
			 const unsigned long *got)
{
	unsigned long end = find_last_bit(got, STRESS_LENGTH) + 1;
	unsigned long start = 0, stop;
	struct homa_gap *gap;
	int n = 0;

	KUNIT_EXPECT_EQ(test, rpc->in.left, STRESS_LENGTH -
			bitmap_weight(got, STRESS_LENGTH));
	KUNIT_EXPECT_EQ(test, (unsigned long)rpc->in.end, end);
	list_for_each_entry(gap, &rpc->in.gaps, links) {
		start = find_next_zero_bit(got, STRESS_LENGTH, start);
		stop = find_next_bit(got, STRESS_LENGTH, start);
		KUNIT_EXPECT_EQ(test, (unsigned long)gap->start, start);
		KUNIT_EXPECT_EQ(test, (unsigned long)gap->end, stop);
		start = stop;
		n++;
	}
	KUNIT_EXPECT_GE(test, find_next_zero_bit(got, STRESS_LENGTH, start),
			end);
	KUNIT_EXPECT_EQ(test, (int)rpc->in.num_gaps, n);
}

struct random_case {
	u32 longest;	/* packet */
	u64 seed;
};

static const struct random_case random_cases[] = {
	{ 20, 1 }, { 100, 2 }, { 100, 3 }, { 1000, 4 }, { 3000, 5 },
};

static void random_desc(const struct random_case *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "packets up to %u, seed %llu",
		 param->longest, param->seed);
}

KUNIT_ARRAY_PARAM(random, random_cases, random_desc);

/* Packets of any size, anywhere, overlapping and again, until all is there. */
static void homa_msgin_add__random_order(struct kunit *test)
{
	const struct random_case *param = test->param_value;
	struct homa_rpc *rpc = incoming(test, STRESS_LENGTH);
	unsigned long *got = kunit_kzalloc(test, STRESS_LENGTH / 8 + 8,
					   GFP_KERNEL);
	struct rnd_state rnd;
	u32 start, end, fresh;

	KUNIT_ASSERT_NOT_NULL(test, got);
	prandom_seed_state(&rnd, param->seed);
	while (rpc->in.left) {
		start = prandom_u32_state(&rnd) % STRESS_LENGTH;
		end = min_t(u32, start + 1 + prandom_u32_state(&rnd) %
					     param->longest, STRESS_LENGTH);
		fresh = bitmap_weight(got, STRESS_LENGTH);
		bitmap_set(got, start, end - start);
		fresh = bitmap_weight(got, STRESS_LENGTH) - fresh;
		KUNIT_EXPECT_EQ(test, arrive(rpc, start, end),
				fresh ? HOMA_ACCEPTED : HOMA_DROP_DUPLICATE);
		stress_check(test, rpc, got);
	}
	KUNIT_EXPECT_TRUE(test, homa_msgin_complete(&rpc->in));
	finish(test, rpc);
}

/* Packets of one size in all sorts of order; each arrives twice. */
static void homa_msgin_add__permutations(struct kunit *test)
{
	u32 order[16], i, j, round;
	struct homa_rpc *rpc;
	struct rnd_state rnd;

	prandom_seed_state(&rnd, 1);
	for (i = 0; i < ARRAY_SIZE(order); i++)
		order[i] = i;
	for (round = 0; round < 50; round++) {
		rpc = incoming(test, 1600);
		for (i = ARRAY_SIZE(order) - 1; i > 0; i--) {
			j = prandom_u32_state(&rnd) % (i + 1);
			swap(order[i], order[j]);
		}
		for (i = 0; i < ARRAY_SIZE(order); i++) {
			u32 start = order[i] * 100;

			KUNIT_EXPECT_EQ(test, arrive(rpc, start, start + 100),
					HOMA_ACCEPTED);
			KUNIT_EXPECT_EQ(test, arrive(rpc, start, start + 100),
					HOMA_DROP_DUPLICATE);
		}
		KUNIT_EXPECT_TRUE(test, homa_msgin_complete(&rpc->in));
		KUNIT_EXPECT_EQ(test, skb_queue_len(&rpc->in.queue), 16U);
		finish(test, rpc);
	}
}

static void homa_msgin_add__gap_limit(struct kunit *test)
{
	struct homa_rpc *rpc = incoming(test, 100000);
	u32 i;

	for (i = 0; i < HOMA_MAX_GAPS; i++)
		KUNIT_EXPECT_EQ(test, arrive(rpc, 200 * i + 100, 200 * i + 200),
				HOMA_ACCEPTED);
	KUNIT_EXPECT_EQ(test, rpc->in.num_gaps, HOMA_MAX_GAPS);

	/* Neither one more at the end, nor one more in the middle ... */
	KUNIT_EXPECT_EQ(test, arrive(rpc, 90000, 90001), HOMA_DROP_LIMIT);
	KUNIT_EXPECT_EQ(test, arrive(rpc, 50, 51), HOMA_DROP_LIMIT);
	KUNIT_EXPECT_EQ(test, rpc->in.end, 200U * HOMA_MAX_GAPS);
	KUNIT_EXPECT_EQ(test, rpc->in.left, 100000U - 100 * HOMA_MAX_GAPS);
	KUNIT_EXPECT_EQ(test, rpc->in.num_gaps, HOMA_MAX_GAPS);

	/* ... but all that makes no gap. */
	KUNIT_EXPECT_EQ(test, arrive(rpc, rpc->in.end, rpc->in.end + 100),
			HOMA_ACCEPTED);
	KUNIT_EXPECT_EQ(test, arrive(rpc, 0, 50), HOMA_ACCEPTED);
	KUNIT_EXPECT_EQ(test, arrive(rpc, 50, 100), HOMA_ACCEPTED);
	KUNIT_EXPECT_EQ(test, arrive(rpc, 90000, 90001), HOMA_ACCEPTED);
	KUNIT_EXPECT_EQ(test, arrive(rpc, 0, 100000), HOMA_ACCEPTED);
	KUNIT_EXPECT_TRUE(test, homa_msgin_complete(&rpc->in));
	finish(test, rpc);
}

struct memory_case {
	const char *desc;
	u32 length;
	u32 truesize;
	enum homa_drop result;
};

static const struct memory_case memory_cases[] = {
	{ "small message", 10, (1 << 20) + 80, HOMA_ACCEPTED },
	{ "too much for it", 10, (1 << 20) + 81, HOMA_DROP_LIMIT },
	{ "long message", 1000000, (1 << 20) + 8000000, HOMA_ACCEPTED },
	{ "too much for that", 1000000, (1 << 20) + 8000001, HOMA_DROP_LIMIT },
	{ "large message", 10000000, (1 << 20) + 80000000, HOMA_ACCEPTED },
	{ "too much for one", 10000000, (1 << 20) + 80000001, HOMA_DROP_LIMIT },
};

static void memory_desc(const struct memory_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(memory, memory_cases, memory_desc);

static void homa_msgin_add__memory_limit(struct kunit *test)
{
	const struct memory_case *param = test->param_value;
	struct homa_rpc *rpc = incoming_to(test, param->length, 200);

	KUNIT_EXPECT_EQ(test, arrive_sized(rpc, 0, 1, false, 1000),
			HOMA_ACCEPTED);
	KUNIT_EXPECT_EQ(test, arrive_sized(rpc, 1, 2, false,
					   param->truesize - 1000),
			param->result);
	KUNIT_EXPECT_EQ(test, rpc->in.left, param->length - 1 -
			(param->result == HOMA_ACCEPTED));
	KUNIT_EXPECT_EQ(test, rpc->in.truesize,
			param->result == HOMA_ACCEPTED ? param->truesize :
							 1000U);
	finish(test, rpc);
}

/* All messages of a socket together may occupy 8 times its region. */
static void homa_msgin_add__memory_of_a_socket(struct kunit *test)
{
	struct homa_rpc *rpc = incoming_to(test, 1000, 1);
	const u32 limit = 8 * HOMA_BPAGE_SIZE;

	KUNIT_EXPECT_EQ(test, arrive_sized(rpc, 0, 1, false, limit - 5000),
			HOMA_ACCEPTED);
	KUNIT_EXPECT_EQ(test, arrive_sized(rpc, 1, 2, false, 5001),
			HOMA_DROP_LIMIT);
	KUNIT_EXPECT_EQ(test, arrive_sized(rpc, 1, 2, false, 5000),
			HOMA_ACCEPTED);
	KUNIT_EXPECT_EQ(test, atomic_long_read(&rpc->hsk->rx_mem), (long)limit);
	finish(test, rpc);
}

static void homa_msgin_add__retransmit_is_counted(struct kunit *test)
{
	struct homa_rpc *rpc = incoming(test, 1000);
	struct homa_net *hn = test->priv;

	KUNIT_EXPECT_EQ(test, arrive_sized(rpc, 0, 10, true, 0),
			HOMA_ACCEPTED);
	KUNIT_EXPECT_EQ(test, arrive_sized(rpc, 0, 10, true, 0),
			HOMA_DROP_RESENT_DUPLICATE);
	KUNIT_EXPECT_EQ(test, arrive_sized(rpc, 0, 10, false, 0),
			HOMA_DROP_DUPLICATE);
	KUNIT_EXPECT_EQ(test, host_counter(hn, resent_packets_used), 1ULL);
	KUNIT_EXPECT_EQ(test, host_counter(hn, server_request_bytes_done),
			10ULL);
	KUNIT_EXPECT_EQ(test, host_counter(hn, server_requests_done), 0ULL);
	arrive(rpc, 10, 1000);
	KUNIT_EXPECT_EQ(test, host_counter(hn, server_requests_done), 1ULL);
	KUNIT_EXPECT_EQ(test, host_counter(hn, server_request_bytes_done),
			1000ULL);
	finish(test, rpc);
}

#ifdef CONFIG_FAILSLAB	/* other kernels cannot make allocations fail */
static void homa_msgin_add__no_memory_for_a_gap(struct kunit *test)
{
	struct homa_rpc *rpc = incoming(test, 1000);
	struct sk_buff *skb = alloc_skb(16, GFP_KERNEL);
	enum homa_drop drop[2];
	int i;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	KUNIT_EXPECT_EQ(test, arrive(rpc, 100, 200), HOMA_ACCEPTED);
	spin_lock_bh(&rpc->lock);
	for (i = 0; i < 2; i++) {
		current->fail_nth = 1;
		drop[i] = homa_msgin_add(rpc, skb, i ? 50 : 500, 10, false, 0);
		current->fail_nth = 0;
	}
	spin_unlock_bh(&rpc->lock);
	kfree_skb(skb);
	KUNIT_EXPECT_EQ(test, drop[0], HOMA_DROP_LIMIT);
	KUNIT_EXPECT_EQ(test, drop[1], HOMA_DROP_LIMIT);

	/* Nothing has changed, and the same packets are welcome later. */
	KUNIT_EXPECT_STREQ(test, gaps_text(test, rpc), "0-100");
	KUNIT_EXPECT_EQ(test, rpc->in.end, 200U);
	KUNIT_EXPECT_EQ(test, rpc->in.left, 900U);
	KUNIT_EXPECT_EQ(test, arrive(rpc, 500, 510), HOMA_ACCEPTED);
	KUNIT_EXPECT_EQ(test, arrive(rpc, 50, 60), HOMA_ACCEPTED);
	KUNIT_EXPECT_STREQ(test, gaps_text(test, rpc), "0-50 60-100 200-500");
	finish(test, rpc);
}
#endif

static struct kunit_case msgin_cases[] = {
	KUNIT_CASE_PARAM(homa_msgin_add__gaps, gap_gen_params),
	KUNIT_CASE_PARAM(homa_msgin_add__random_order, random_gen_params),
	KUNIT_CASE(homa_msgin_add__permutations),
	KUNIT_CASE(homa_msgin_add__gap_limit),
	KUNIT_CASE_PARAM(homa_msgin_add__memory_limit, memory_gen_params),
	KUNIT_CASE(homa_msgin_add__memory_of_a_socket),
	KUNIT_CASE(homa_msgin_add__retransmit_is_counted),
#ifdef CONFIG_FAILSLAB
	KUNIT_CASE(homa_msgin_add__no_memory_for_a_gap),
#endif
	{}
};

static struct kunit_suite msgin_suite = {
	.name = "homa_msgin",
	.init = host_init,
	.exit = host_exit,
	.test_cases = msgin_cases,
};

/* The rest sends packets. */

static void start(struct homa_rpc *rpc, u32 length, u32 unscheduled)
{
	spin_lock_bh(&rpc->lock);
	homa_msgin_start(rpc, length, unscheduled, 0);
	spin_unlock_bh(&rpc->lock);
}

static void live_region(struct kunit *test, u32 pages)
{
	struct live *live = test->priv;

	live->hsk->rcvbuf = homa_rcvbuf_alloc(0x10000000,
					      pages << HOMA_BPAGE_SHIFT);
	KUNIT_ASSERT_NOT_NULL(test, live->hsk->rcvbuf);
}

struct missing_case {
	const char *desc;
	u32 length;	/* 0: not even the first packet has come */
	u32 granted;
	struct homa_range arrives[4];
	struct homa_range asked[5];	/* none: BUSY */
};

static const struct missing_case missing_cases[] = {
	{ "nothing came", 0, 0, {}, { { 0, HOMA_RESEND_ALL } } },
	{ "the rest", 1000, 1000, { { 0, 100 } }, { { 100, 1000 } } },
	{ "the rest of what may come", 1000, 600, { { 0, 100 } },
	  { { 100, 600 } } },
	{ "a gap", 1000, 1000, { { 0, 100 }, { 200, 1000 } },
	  { { 100, 200 } } },
	{ "gaps and the rest", 1000, 900,
	  { { 100, 200 }, { 300, 400 }, { 500, 600 } },
	  { { 0, 100 }, { 200, 300 }, { 400, 500 }, { 600, 900 } } },
	{ "all that may come is there", 1000, 600, { { 0, 600 } }, {} },
	{ "and more", 1000, 600, { { 0, 700 } }, {} },
	{ "a gap before it", 1000, 600, { { 0, 500 }, { 550, 600 } },
	  { { 500, 550 } } },
};

static void missing_desc(const struct missing_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(missing, missing_cases, missing_desc);

static void homa_msgin_request_missing__asks(struct kunit *test)
{
	const struct missing_case *param = test->param_value;
	struct homa_rpc *rpc = live_rpc(test, 3);
	const struct homa_range *asked = param->asked;
	struct homa_resend_hdr *h;
	struct sk_buff_head txq;
	struct sk_buff *skb;
	int i;

	live_region(test, 1);
	if (param->length)
		start(rpc, param->length, param->granted);
	for (i = 0; param->arrives[i].end; i++)
		arrive(rpc, param->arrives[i].start, param->arrives[i].end);
	__skb_queue_head_init(&txq);
	spin_lock_bh(&rpc->lock);
	homa_msgin_request_missing(rpc, &txq);
	spin_unlock_bh(&rpc->lock);

	KUNIT_EXPECT_GT(test, skb_queue_len(&txq), 0U);
	while ((skb = __skb_dequeue(&txq))) {
		h = (struct homa_resend_hdr *)skb->data;
		KUNIT_EXPECT_EQ(test, be64_to_cpu(h->common.sender_id), 3ULL);
		if (asked->end) {
			KUNIT_EXPECT_EQ(test, h->common.type, HOMA_RESEND);
			KUNIT_EXPECT_EQ(test, ntohl(h->offset), asked->start);
			KUNIT_EXPECT_EQ(test, ntohl(h->length),
					asked->end - asked->start);
			asked++;
		} else {
			KUNIT_EXPECT_EQ(test, h->common.type, HOMA_BUSY);
			KUNIT_EXPECT_EQ(test, asked - param->asked, 0);
		}
		kfree_skb(skb);
	}
	KUNIT_EXPECT_EQ(test, asked->end, 0U);
}

/* Messages without room wait, shortest first, older before younger. Each has
 * a port of its own, since nobody listens there, and ICMP says so.
 */
struct level_case {
	const char *desc;
	struct {
		u32 end;	/* bytes that have come, without a gap */
		bool gap;	/* ... or with one */
		u32 offset;	/* what is granted then */
		u8 level;
	} steps[5];
	u8 level;		/* lowest that packets on their way may have */
};

/* The message begins with unscheduled bytes up to 1000, at level 5. */
static const struct level_case level_cases[] = {
	{ "unscheduled", { }, 5 },
	{ "lower at once", { { 0, false, 2000, 2 } }, 2 },
	{ "higher later", { { 0, false, 2000, 6 } }, 5 },
	{ "higher when all have come", { { 1000, false, 2000, 6 } }, 6 },
	{ "but not with a gap", { { 1000, true, 2000, 6 } }, 5 },
	{ "the lowest of two", { { 0, false, 2000, 2 }, { 0, false, 3000, 1 } },
	  1 },
	{ "down and up", { { 0, false, 2000, 2 }, { 500, false, 3000, 6 } }, 2 },
	{ "up after the low ones", { { 0, false, 2000, 2 },
	  { 500, false, 3000, 6 }, { 2000, false, 4000, 6 } }, 6 },
	{ "not all of the middle ones have come", { { 0, false, 2000, 2 },
	  { 500, false, 3000, 3 }, { 2000, false, 4000, 6 } }, 3 },
	{ "the lowest of the later ones", { { 0, false, 2000, 2 },
	  { 500, false, 3000, 3 }, { 600, false, 4000, 6 },
	  { 2000, false, 5000, 6 } }, 3 },
	{ "all have come", { { 0, false, 2000, 2 }, { 500, false, 3000, 3 },
	  { 3000, false, 4000, 6 } }, 6 },
};

static void level_desc(const struct level_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(level, level_cases, level_desc);

static void homa_msgin_granted__lowest_level(struct kunit *test)
{
	const struct level_case *param = test->param_value;
	struct homa_msgin in = { .level = 5, .level_end = 1000 };
	struct homa_gap gap;
	int i;

	for (i = 0; param->steps[i].offset; i++) {
		INIT_LIST_HEAD(&in.gaps);
		if (param->steps[i].gap)
			list_add(&gap.links, &in.gaps);
		in.end = param->steps[i].end;
		homa_msgin_granted(&in, param->steps[i].offset,
				   param->steps[i].level);
	}
	KUNIT_EXPECT_EQ(test, in.level, param->level);
}

static void homa_msgin_start__waits_for_room(struct kunit *test)
{
	static const u32 lengths[] = { 3000, 1000, 2000, 1000 };
	static const int order[] = { 1, 3, 2, 0 };
	struct live *live = test->priv;
	struct homa_rpc *first, *rpcs[4];
	struct rb_node *node;
	int i;

	live_region(test, 1);
	first = live_rpc(test, 3);
	start(first, HOMA_BPAGE_SIZE, HOMA_BPAGE_SIZE);
	for (i = 0; i < 4; i++) {
		rpcs[i] = live_rpc_at(test, 1, 100 + i, 2 * i + 5);
		KUNIT_ASSERT_NOT_NULL(test, rpcs[i]);
		start(rpcs[i], lengths[i], lengths[i]);
		KUNIT_EXPECT_FALSE(test, rpcs[i]->in.has_bpages);
		KUNIT_EXPECT_EQ(test, arrive(rpcs[i], 0, 100),
				HOMA_DROP_NO_BUFFERS);
	}
	i = 0;
	for (node = rb_first_cached(&live->hsk->buf_waiters); node;
	     node = rb_next(node))
		KUNIT_EXPECT_PTR_EQ(test, node, &rpcs[order[i++]]->buf_node);
	KUNIT_EXPECT_EQ(test, i, 4);

	/* No room yet: nothing changes. */
	homa_msgin_serve_waiters(live->hsk);
	KUNIT_EXPECT_FALSE(test, rpcs[1]->in.has_bpages);

	/* The page is free: all of them fit. */
	homa_rcvbuf_release(live->hsk->rcvbuf, first->in.bpages, 1);
	first->in.num_bpages = 0;
	homa_msgin_serve_waiters(live->hsk);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&live->hsk->buf_waiters.rb_root));
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_TRUE(test, rpcs[i]->in.has_bpages);
	KUNIT_EXPECT_EQ(test, rpcs[1]->in.bpages[0], 0U);
	KUNIT_EXPECT_EQ(test, rpcs[3]->in.bpages[0], 1024U);
}

static void homa_msgin_serve_waiters__stops_at_one_too_long(struct kunit *test)
{
	struct homa_rpc *first, *fits, *huge;
	struct live *live = test->priv;

	live_region(test, 2);
	first = live_rpc(test, 3);
	start(first, 2 * HOMA_BPAGE_SIZE, 100);
	huge = live_rpc(test, 5);
	start(huge, 2 * HOMA_BPAGE_SIZE, 100);
	fits = live_rpc_at(test, 1, 100, 7);
	KUNIT_ASSERT_NOT_NULL(test, fits);
	start(fits, HOMA_BPAGE_SIZE, 100);
	homa_rcvbuf_release(live->hsk->rcvbuf, first->in.bpages, 2);
	first->in.num_bpages = 0;
	homa_msgin_serve_waiters(live->hsk);
	KUNIT_EXPECT_TRUE(test, fits->in.has_bpages);
	KUNIT_EXPECT_FALSE(test, huge->in.has_bpages);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_NODE(&fits->buf_node));
}

static struct kunit_case msgin_live_cases[] = {
	KUNIT_CASE_PARAM(homa_msgin_request_missing__asks, missing_gen_params),
	KUNIT_CASE_PARAM(homa_msgin_granted__lowest_level, level_gen_params),
	KUNIT_CASE(homa_msgin_start__waits_for_room),
	KUNIT_CASE(homa_msgin_serve_waiters__stops_at_one_too_long),
	{}
};

static struct kunit_suite msgin_live_suite = {
	.name = "homa_msgin_live",
	.init = live_init,
	.exit = live_exit,
	.test_cases = msgin_live_cases,
};

kunit_test_suites(&msgin_suite, &msgin_live_suite);
