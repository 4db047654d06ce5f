// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/pacer.c: who must wait, and in which order. */

#include <linux/delay.h>

#include "host.h"

#define FULL 100000000

/* A message of which @left bytes have not been sent. Nothing of it may be
 * sent now, so the pacer only forgets it when its turn comes.
 */
static struct homa_rpc *message(struct kunit *test, struct homa_dev *dev,
				u64 number, int length, u32 left)
{
	struct homa_rpc *rpc = host_rpc(test, 2 * number);

	rpc->dev = dev;
	rpc->out.length = length;
	rpc->out.next = length - left;
	rpc->out.granted = rpc->out.next;
	return rpc;
}

static bool defer(struct homa_rpc *rpc, bool paced)
{
	bool result;

	spin_lock_bh(&rpc->lock);
	result = homa_pacer_defer(rpc, paced);
	spin_unlock_bh(&rpc->lock);
	return result;
}

static void forget(struct homa_rpc *rpc)
{
	spin_lock_bh(&rpc->lock);
	homa_pacer_remove(rpc);
	spin_unlock_bh(&rpc->lock);
}

static void finish(struct homa_dev *dev, u32 bytes)
{
	local_bh_disable();
	homa_pacer_completed(dev, bytes, false);
	local_bh_enable();	/* the tasklet runs here */
}

struct defer_case {
	const char *desc;
	int length;
	int outstanding;
	int limit;	/* of bytes in the device */
	int mbps;	/* of the link; 0: not known */
	int usecs;	/* max_nic_est_backlog_usecs */
	bool deferred;
};

static const struct defer_case defer_cases[] = {
	{ "idle device", 100000, 0, 1, 0, 5, false },
	{ "one packet", 100000, 1538, 1, 0, 5, true },
	{ "one packet, room for two", 100000, 1538, 1539, 0, 5, false },
	{ "below a high limit", 100000, 49999, 50000, 0, 5, false },
	{ "at it", 100000, 50000, 50000, 0, 5, true },
	{ "short message", 999, FULL, 1, 0, 5, false },
	{ "not quite short", 1000, FULL, 1, 0, 5, true },
	{ "no backlog", 100000, 0, 50000, 1, 1000000, false },
	{ "backlog of 12 ms", 100000, 1538, 50000, 1, 5000, true },
	{ "less than is allowed", 100000, 1538, 50000, 1, 900000, false },
	{ "limit and backlog", 100000, 1538, 1, 1, 5000, true },
};

static void defer_desc(const struct defer_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(defer, defer_cases, defer_desc);

static void homa_pacer_defer__limit(struct kunit *test)
{
	const struct defer_case *param = test->param_value;
	struct homa_dev *dev = host_dev(test);
	struct homa_rpc *rpc = message(test, dev, 1, param->length, 500);
	struct homa_net *hn = test->priv;

	hn->sysctl.link_mbps = param->mbps;
	hn->sysctl.max_nic_est_backlog_usecs = param->usecs;
	dev->pacer.inflight.limit = param->limit;
	if (param->outstanding)
		homa_pacer_charge(dev, param->outstanding);
	KUNIT_EXPECT_EQ(test, defer(rpc, false), param->deferred);
	KUNIT_EXPECT_EQ(test, !RB_EMPTY_NODE(&rpc->pacer_node),
			param->deferred);
	KUNIT_EXPECT_EQ(test, defer(rpc, true), param->deferred);

	hn->sysctl.flags = HOMA_FLAG_DONT_THROTTLE;
	KUNIT_EXPECT_FALSE(test, defer(rpc, false));
	forget(rpc);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&dev->pacer.tree.rb_root));
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&dev->pacer.ages.rb_root));
}

struct model_case {
	const char *desc;
	int mbps;
	int usage;	/* max_link_usage */
	int packets;	/* of 1250 bytes, which are 10000 bits */
	u64 ns;		/* until they are sent */
};

static const struct model_case model_cases[] = {
	{ "unknown speed", 0, 100, 100, 0 },
	{ "10 Gb/s", 10000, 100, 1, 1000 },
	{ "100 packets", 10000, 100, 100, 100000 },
	{ "400 Gb/s", 400000, 100, 2, 50 },
	{ "half of a link", 10000, 50, 3, 6000 },
	{ "no more than a second", 1, 100, 200, NSEC_PER_SEC },
};

static void model_desc(const struct model_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(model, model_cases, model_desc);

static void homa_pacer_charge__model(struct kunit *test)
{
	const struct model_case *param = test->param_value;
	struct homa_dev *dev = host_dev(test);
	struct homa_net *hn = test->priv;
	u64 before, after, idle;
	int i;

	hn->sysctl.link_mbps = param->mbps;
	hn->sysctl.max_link_usage = param->usage;
	before = homa_now();
	for (i = 0; i < param->packets; i++)
		homa_pacer_charge(dev, 1250);
	after = homa_now();
	idle = atomic64_read(&dev->pacer.idle_ns);
	if (!param->ns) {
		KUNIT_EXPECT_EQ(test, idle, 0ULL);
		return;
	}
	KUNIT_EXPECT_GE(test, idle, before + param->ns);
	KUNIT_EXPECT_LE(test, idle, after + param->ns);
}

/* The backlog goes away by itself, and with it what waits. */
static void homa_pacer_defer__backlog_ends(struct kunit *test)
{
	struct homa_dev *dev = host_dev(test);
	struct homa_rpc *rpc = message(test, dev, 1, 100000, 50000);
	struct homa_net *hn = test->priv;
	int i;

	hn->sysctl.link_mbps = 10;
	hn->sysctl.max_nic_est_backlog_usecs = 100;
	homa_pacer_charge(dev, 1250);	/* 1 ms */
	finish(dev, 1250);
	KUNIT_EXPECT_TRUE(test, defer(rpc, false));
	KUNIT_EXPECT_TRUE(test, hrtimer_is_queued(&dev->pacer.hrtimer));
	for (i = 0; i < 1000 && !RB_EMPTY_NODE(&rpc->pacer_node); i++)
		usleep_range(100, 200);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_NODE(&rpc->pacer_node));
	KUNIT_EXPECT_GE(test, homa_now() + 100 * NSEC_PER_USEC,
			(u64)atomic64_read(&dev->pacer.idle_ns));
}

/* While somebody waits nobody else may push in, but short messages. */
static void homa_pacer_defer__behind_others(struct kunit *test)
{
	struct homa_dev *dev = host_dev(test);
	struct homa_rpc *first = message(test, dev, 1, 100000, 50000);
	struct homa_rpc *other = message(test, dev, 2, 100000, 60000);
	struct homa_rpc *small = message(test, dev, 3, 999, 999);

	homa_pacer_charge(dev, FULL);
	KUNIT_EXPECT_TRUE(test, defer(first, false));

	/* Room, but nobody has told the pacer. */
	atomic64_add(FULL, &dev->pacer.completed);
	KUNIT_EXPECT_FALSE(test, defer(small, false));
	KUNIT_EXPECT_FALSE(test, defer(first, true));
	KUNIT_EXPECT_TRUE(test, defer(other, false));

	/* That sent both on their way: the tasklet has run. */
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_NODE(&first->pacer_node));
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_NODE(&other->pacer_node));
	KUNIT_EXPECT_EQ(test, refcount_read(&first->refs), 1U);
}

/* What one device has to do does not concern another. */
static void homa_pacer_defer__two_devices(struct kunit *test)
{
	struct homa_dev *full = host_dev(test), *idle = host_dev(test);
	struct homa_rpc *a = message(test, full, 1, 100000, 50000);
	struct homa_rpc *b = message(test, idle, 2, 100000, 60000);

	homa_pacer_charge(full, FULL);
	KUNIT_EXPECT_TRUE(test, defer(a, false));
	KUNIT_EXPECT_FALSE(test, defer(b, false));
	homa_pacer_charge(idle, FULL);
	KUNIT_EXPECT_TRUE(test, defer(b, false));
	finish(idle, FULL);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_NODE(&b->pacer_node));
	KUNIT_EXPECT_FALSE(test, RB_EMPTY_NODE(&a->pacer_node));
	forget(a);
}

static void homa_pacer_completed__wakes(struct kunit *test)
{
	struct homa_dev *dev = host_dev(test);
	struct homa_rpc *rpc = message(test, dev, 1, 100000, 50000);

	dev->pacer.inflight.keep = 32768;
	dev->pacer.inflight.limit = 32768;
	homa_pacer_charge(dev, 32768 + 1000);
	KUNIT_EXPECT_TRUE(test, defer(rpc, false));
	finish(dev, 1000);
	KUNIT_EXPECT_FALSE(test, RB_EMPTY_NODE(&rpc->pacer_node));
	finish(dev, 1);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_NODE(&rpc->pacer_node));
}

/* A device that completes nothing holds its messages up for some ms only, and
 * packets that come to an end after all are not taken for others.
 */
static void homa_pacer_timer__stall(struct kunit *test)
{
	struct homa_dev *dev = host_dev(test);
	struct homa_rpc *rpc = message(test, dev, 1, 100000, 50000);
	struct homa_net *hn = test->priv;
	int i;

	homa_pacer_charge(dev, FULL);
	KUNIT_EXPECT_TRUE(test, defer(rpc, false));
	for (i = 0; i < 1000 && !RB_EMPTY_NODE(&rpc->pacer_node); i++)
		usleep_range(100, 200);
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_NODE(&rpc->pacer_node));
	KUNIT_EXPECT_EQ(test, host_counter(hn, pacer_stalls), 1ULL);

	/* Now there is room for 32 KB beside what is stuck. */
	homa_pacer_charge(dev, 30000);
	KUNIT_EXPECT_FALSE(test, defer(rpc, false));
	homa_pacer_charge(dev, 3000);
	KUNIT_EXPECT_TRUE(test, defer(rpc, false));
	forget(rpc);
	finish(dev, 33000);
	KUNIT_EXPECT_EQ(test, (s64)dev->pacer.forgiven, (s64)FULL);
	finish(dev, FULL);
	KUNIT_EXPECT_EQ(test, (s64)dev->pacer.forgiven, 0LL);
}

/* Nobody waits for a device that has left. */
static void homa_pacer_dev_gone__wakes(struct kunit *test)
{
	struct homa_dev *dev = host_dev(test);
	struct homa_rpc *rpc = message(test, dev, 1, 100000, 50000);

	homa_pacer_charge(dev, FULL);
	KUNIT_EXPECT_TRUE(test, defer(rpc, false));
	WRITE_ONCE(dev->gone, true);
	KUNIT_EXPECT_FALSE(test, defer(rpc, true));
	local_bh_disable();
	homa_pacer_dev_gone(dev);
	local_bh_enable();
	KUNIT_EXPECT_TRUE(test, RB_EMPTY_NODE(&rpc->pacer_node));
	WRITE_ONCE(dev->gone, false);
}

#define MAX_WAITING 8

struct order_case {
	const char *desc;
	u32 left[MAX_WAITING];
	int order[MAX_WAITING];
};

static const struct order_case order_cases[] = {
	{ "ascending", { 1, 2, 3 }, { 0, 1, 2 } },
	{ "descending", { 3, 2, 1 }, { 2, 1, 0 } },
	{ "mixed", { 500, 100, 900, 300 }, { 1, 3, 0, 2 } },
	{ "older first", { 7, 7, 7, 5 }, { 3, 0, 1, 2 } },
	{ "huge and small", { 100, 0x80000, 99 }, { 2, 0, 1 } },
};

static void order_desc(const struct order_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(order, order_cases, order_desc);

static void check_order(struct kunit *test, struct homa_rpc **rpcs,
			const int *order, int n)
{
	struct homa_dev *dev = rpcs[0]->dev;
	struct rb_node *node = rb_first_cached(&dev->pacer.tree);
	struct rb_node *age = rb_first_cached(&dev->pacer.ages);
	int i;

	for (i = 0; i < n && node && age; i++) {
		KUNIT_EXPECT_PTR_EQ(test, rb_entry(node, struct homa_rpc,
						   pacer_node),
				    rpcs[order[i]]);
		KUNIT_EXPECT_PTR_EQ(test, rb_entry(age, struct homa_rpc,
						   pacer_age), rpcs[i]);
		node = rb_next(node);
		age = rb_next(age);
	}
	KUNIT_EXPECT_EQ(test, i, n);
	KUNIT_EXPECT_NULL(test, node);
	KUNIT_EXPECT_NULL(test, age);
}

/* Fewest bytes left first, whatever the length. */
static void homa_pacer_defer__order(struct kunit *test)
{
	const struct order_case *param = test->param_value;
	struct homa_dev *dev = host_dev(test);
	struct homa_rpc *rpcs[MAX_WAITING];
	int i, n;

	homa_pacer_charge(dev, FULL);
	for (n = 0; n < MAX_WAITING && param->left[n]; n++) {
		rpcs[n] = message(test, dev, n + 1, 0x80000, param->left[n]);
		KUNIT_EXPECT_TRUE(test, defer(rpcs[n], false));
	}
	check_order(test, rpcs, param->order, n);

	/* Asking again changes nothing. */
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_TRUE(test, defer(rpcs[i], false));
	check_order(test, rpcs, param->order, n);
	for (i = 0; i < n; i++)
		forget(rpcs[param->order[i]]);
	KUNIT_EXPECT_NULL(test, rb_first_cached(&dev->pacer.tree));
}

static void homa_pacer_defer__moves_up(struct kunit *test)
{
	static const int before[] = { 1, 0, 2 }, after[] = { 2, 1, 0 };
	struct homa_dev *dev = host_dev(test);
	struct homa_rpc *rpcs[3];
	int i;

	homa_pacer_charge(dev, FULL);
	rpcs[0] = message(test, dev, 1, 100000, 2000);
	rpcs[1] = message(test, dev, 2, 100000, 1000);
	rpcs[2] = message(test, dev, 3, 100000, 3000);
	for (i = 0; i < 3; i++)
		defer(rpcs[i], false);
	check_order(test, rpcs, before, 3);
	rpcs[2]->out.next += 2500;
	defer(rpcs[2], true);
	check_order(test, rpcs, after, 3);
	for (i = 0; i < 3; i++)
		forget(rpcs[i]);
}

static void homa_pacer_remove__twice(struct kunit *test)
{
	struct homa_dev *dev = host_dev(test);
	struct homa_rpc *rpc = message(test, dev, 1, 100000, 50000);

	forget(rpc);
	homa_pacer_charge(dev, FULL);
	defer(rpc, false);
	forget(rpc);
	forget(rpc);
	KUNIT_EXPECT_NULL(test, rb_first_cached(&dev->pacer.tree));
	KUNIT_EXPECT_EQ(test, refcount_read(&rpc->refs), 1U);
}

static struct kunit_case pacer_cases[] = {
	KUNIT_CASE_PARAM(homa_pacer_defer__limit, defer_gen_params),
	KUNIT_CASE_PARAM(homa_pacer_charge__model, model_gen_params),
	KUNIT_CASE(homa_pacer_defer__backlog_ends),
	KUNIT_CASE(homa_pacer_defer__behind_others),
	KUNIT_CASE(homa_pacer_defer__two_devices),
	KUNIT_CASE(homa_pacer_completed__wakes),
	KUNIT_CASE(homa_pacer_timer__stall),
	KUNIT_CASE(homa_pacer_dev_gone__wakes),
	KUNIT_CASE_PARAM(homa_pacer_defer__order, order_gen_params),
	KUNIT_CASE(homa_pacer_defer__moves_up),
	KUNIT_CASE(homa_pacer_remove__twice),
	{}
};

static struct kunit_suite pacer_suite = {
	.name = "homa_pacer",
	.init = host_init,
	.exit = host_exit,
	.test_cases = pacer_cases,
};

#define LIVE_LENGTH 60000

/* A request to a server on this host, all of it unscheduled, held back. */
static struct homa_rpc *live_message(struct kunit *test, void *data)
{
	struct live *live = test->priv;
	struct kvec vec = { .iov_base = data, .iov_len = LIVE_LENGTH };
	struct homa_msgout filled;
	struct sk_buff_head txq;
	struct iov_iter iter;
	struct homa_rpc *rpc;

	rpc = live_rpc_at(test, 1, live->hsk->port, 0);
	KUNIT_ASSERT_NOT_NULL(test, rpc);
	homa_msgout_init(&filled);
	iov_iter_kvec(&iter, ITER_SOURCE, &vec, 1, LIVE_LENGTH);
	KUNIT_ASSERT_EQ(test, homa_msgout_fill(&filled, live->hsk, &iter,
					       LIVE_LENGTH, LIVE_LENGTH), 0);
	__skb_queue_head_init(&txq);
	spin_lock_bh(&rpc->lock);
	homa_msgout_start(rpc, &filled, &txq);
	spin_unlock_bh(&rpc->lock);
	KUNIT_EXPECT_TRUE(test, skb_queue_empty(&txq));
	return rpc;
}

struct fifo_case {
	const char *desc;
	int fraction;	/* pacer_fifo_fraction */
};

static const struct fifo_case fifo_cases[] = {
	{ "nothing", 0 },
	{ "5%", 50 },
	{ "half", 500 },
	{ "all", 1000 },
};

static void fifo_desc(const struct fifo_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(fifo, fifo_cases, fifo_desc);

/* Of all that had to wait the oldest message gets its share, to a packet. */
static void homa_pacer_turn__fifo_share(struct kunit *test)
{
	const struct fifo_case *param = test->param_value;
	u64 all, fifo, messages = 4;
	struct live *live = test->priv;
	struct homa_net *hn = live->hn;
	struct homa_rpc *rpcs[4];
	struct homa_dev *dev;
	void *data;
	int i;

	data = kunit_kzalloc(test, LIVE_LENGTH, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, data);
	live->hsk->is_server = true;
	hn->sysctl.unsched_bytes = LIVE_LENGTH;
	hn->sysctl.pacer_fifo_fraction = param->fraction;
	dev = homa_dev_get(hn, init_net.loopback_dev);
	KUNIT_ASSERT_NOT_NULL(test, dev);
	dev->pacer.srpt_budget = 0;
	all = host_counter(hn, pacer_homa_bytes);
	fifo = host_counter(hn, pacer_fifo_bytes);
	homa_pacer_charge(dev, FULL);
	for (i = 0; i < messages; i++)
		rpcs[i] = live_message(test, data);
	finish(dev, FULL);
	for (i = 0; i < 1000 && !RB_EMPTY_ROOT(&dev->pacer.tree.rb_root); i++)
		usleep_range(100, 200);
	for (i = 0; i < messages; i++)
		KUNIT_EXPECT_EQ(test, rpcs[i]->out.next, (u32)LIVE_LENGTH);
	all = host_counter(hn, pacer_homa_bytes) - all;
	fifo = host_counter(hn, pacer_fifo_bytes) - fifo;
	KUNIT_EXPECT_GE(test, all, messages * LIVE_LENGTH);
	KUNIT_EXPECT_LE(test, fifo, all * param->fraction / 1000 + LIVE_MTU);
	KUNIT_EXPECT_GE(test, fifo + LIVE_MTU, all * param->fraction / 1000);
	homa_dev_put(dev);
}

static struct kunit_case live_cases[] = {
	KUNIT_CASE_PARAM(homa_pacer_turn__fifo_share, fifo_gen_params),
	{}
};

static struct kunit_suite live_suite = {
	.name = "homa_pacer_live",
	.init = live_init,
	.exit = live_exit,
	.test_cases = live_cases,
};

kunit_test_suites(&pacer_suite, &live_suite);
