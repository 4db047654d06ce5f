// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/grant.c: who gets grants, for how much, and when. */

#include <linux/delay.h>

#include "clock.h"
#include "grant_host.h"

struct window_case {
	int window;
	int max_incoming;
	int overcommit;
	int messages;
	u32 granted;	/* to each that is granted to */
};

static const struct window_case window_cases[] = {
	{ 0, 400000, 8, 1, 200000 },
	{ 0, 400000, 8, 3, 100000 },
	{ 0, 400000, 8, 7, 50000 },
	{ 0, 400000, 8, 8, 44444 },
	{ 0, 400000, 8, 20, 44444 },
	{ 0, 400000, 1, 20, 200000 },
	{ 0, 400000, 4, 20, 80000 },
	{ 0, 30000, 8, 20, 3333 },
	{ 70000, 400000, 8, 1, 70000 },
	{ 70000, 1000000, 8, 20, 70000 },
	{ 70000, 400000, 2, 20, 70000 },
	{ 1, 400000, 8, 3, 1 },
	{ 800000, 4000000, 2, 3, 800000 },
};

static void window_desc(const struct window_case *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%d/%d, %d of %d messages",
		 param->window, param->max_incoming, param->overcommit,
		 param->messages);
}

KUNIT_ARRAY_PARAM(window, window_cases, window_desc);

static void homa_grant_update__window(struct kunit *test)
{
	const struct window_case *param = test->param_value;
	struct homa_rpc *rpcs[MAX_MESSAGES];
	struct homa_net *hn = test->priv;
	struct homa_grant_batch batch;
	int i, active = min(param->overcommit, param->messages);

	hold();
	for (i = 0; i < param->messages; i++)
		rpcs[i] = waiting(test, i, 900000);
	KUNIT_EXPECT_EQ(test, grants->count, param->messages);
	KUNIT_EXPECT_EQ(test, hn->sysctl.max_grantable_rpcs, param->messages);

	let_go();
	hn->sysctl.max_incoming = param->max_incoming;
	hn->sysctl.max_overcommit = param->overcommit;
	hn->sysctl.window = param->window;
	update(rpcs[0], 0, &batch);
	KUNIT_EXPECT_EQ(test, batch.count, active);
	for (i = 0; i < param->messages; i++)
		KUNIT_EXPECT_EQ(test, rpcs[i]->in.granted,
				i < active ? param->granted : 0U);
	for (i = 0; i < param->messages; i++)
		remove(rpcs[i]);
}

struct order_case {
	const char *desc;
	u32 left[MAX_MESSAGES];
	int overcommit;
	int order[MAX_MESSAGES + 1];	/* of those that are granted to, -1 */
};

static const struct order_case order_cases[] = {
	{ "alone", { 500 }, 8, { 0, -1 } },
	{ "ascending", { 50001, 50002, 50003 }, 8, { 0, 1, 2, -1 } },
	{ "descending", { 50003, 50002, 50001 }, 8, { 2, 1, 0, -1 } },
	{ "mixed", { 70000, 60000, 90000, 80000 }, 8, { 1, 0, 3, 2, -1 } },
	{ "older first", { 60000, 60000, 60000 }, 8, { 0, 1, 2, -1 } },
	{ "one at a time", { 70000, 60000, 90000 }, 1, { 1, -1 } },
	{ "two at a time", { 70000, 60000, 90000 }, 2, { 1, 0, -1 } },
	{ "eight at most",
	  { 90000, 80000, 70000, 60000, 50000, 85000, 75000, 65000, 55000,
	    45000 },
	  8, { 9, 4, 8, 3, 7, 2, 6, 1, -1 } },
};

static void order_desc(const struct order_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(order, order_cases, order_desc);

/* Fewest missing bytes first, whatever the length; priorities likewise. */
static void homa_grant_update__order(struct kunit *test)
{
	const struct order_case *param = test->param_value;
	struct homa_rpc *rpcs[MAX_MESSAGES];
	struct homa_net *hn = test->priv;
	struct homa_grant_batch batch;
	int i, n;

	hold();
	for (n = 0; param->left[n]; n++) {
		rpcs[n] = waiting(test, n, 1000000);
		rpcs[n]->in.granted = 1000000 - param->left[n];
		update(rpcs[n], 1000000 - param->left[n], &batch);
		KUNIT_EXPECT_EQ(test, batch.count, 0);
	}
	let_go();
	hn->sysctl.max_incoming = 100;
	hn->sysctl.max_overcommit = param->overcommit;
	hn->sysctl.max_sched_prio = HOMA_MAX_PRIORITIES - 1;
	update(rpcs[0], 0, &batch);
	for (i = 0; i < batch.count; i++) {
		KUNIT_EXPECT_GE(test, param->order[i], 0);
		if (param->order[i] < 0)
			break;
		KUNIT_EXPECT_PTR_EQ(test, batch.grants[i].rpc,
				    rpcs[param->order[i]]);
		KUNIT_EXPECT_EQ(test, batch.grants[i].prio,
				batch.count - 1 - i);
	}
	KUNIT_EXPECT_EQ(test, param->order[i], -1);
	for (i = 0; i < n; i++)
		remove(rpcs[i]);
	KUNIT_EXPECT_EQ(test, grants->count, 0);
}

struct increment_case {
	const char *desc;
	int window;
	u32 length;
	u32 arrives[8];	/* bytes, one update each */
	u32 grants[8];	/* offset, or 0: no grant */
};

static const struct increment_case increment_cases[] = {
	{ "first", 50000, 1000000, { 1000 }, { 51000 } },
	{ "too little", 50000, 1000000, { 1000, 9999 }, { 51000, 0 } },
	{ "enough", 50000, 1000000, { 1000, 10000 }, { 51000, 61000 } },
	{ "adds up", 50000, 1000000, { 1000, 5000, 4999, 1 },
	  { 51000, 0, 0, 61000 } },
	{ "small window", 2000, 1000000, { 1000, 1999, 1 },
	  { 3000, 0, 5000 } },
	{ "whole message", 50000, 50000, { 1000 }, { 50000 } },
	{ "window ends at the end", 50000, 51000, { 1000 }, { 51000 } },
	{ "last grant may be small", 50000, 52000, { 1000, 1000 },
	  { 51000, 52000 } },
	{ "not past the end", 50000, 55000, { 1000, 9000 },
	  { 51000, 55000 } },
	{ "nothing after the last", 50000, 52000, { 1000, 1000, 30000 },
	  { 51000, 52000, 0 } },
};

static void increment_desc(const struct increment_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(increment, increment_cases, increment_desc);

static void homa_grant_update__increment(struct kunit *test)
{
	const struct increment_case *param = test->param_value;
	struct homa_rpc *rpc = message(test, 1, param->length);
	struct homa_net *hn = test->priv;
	struct homa_grant_batch batch;
	u32 before;
	int i;

	hn->sysctl.window = param->window;
	for (i = 0; param->arrives[i]; i++) {
		before = rpc->in.granted;
		update(rpc, param->arrives[i], &batch);
		KUNIT_EXPECT_EQ(test, batch.count, param->grants[i] ? 1 : 0);
		if (!param->grants[i])
			continue;
		KUNIT_EXPECT_EQ(test, rpc->in.granted, param->grants[i]);
		KUNIT_EXPECT_EQ(test, batch.grants[0].offset, param->grants[i]);
		KUNIT_EXPECT_EQ(test, batch.grants[0].increment,
				param->grants[i] - before);
	}
	remove(rpc);
	KUNIT_EXPECT_EQ(test, refcount_read(&rpc->refs), 1U);
}

struct unscheduled_case {
	const char *desc;
	u32 length;
	u32 unscheduled;
	u32 arrived;
	u32 granted;	/* with a window of 30000 */
};

static const struct unscheduled_case unscheduled_cases[] = {
	{ "all of it", 20000, 20000, 1000, 20000 },
	{ "more than the window", 100000, 40000, 1000, 40000 },
	{ "just a window", 100000, 40000, 10000, 40000 },
	{ "worth a grant", 100000, 40000, 20000, 50000 },
	{ "none", 100000, 0, 1, 30001 },
	{ "sender went further", 100000, 1000, 60000, 90000 },
	{ "complete, not granted", 100000, 1000, 100000, 1000 },
};

static void unscheduled_desc(const struct unscheduled_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(unscheduled, unscheduled_cases, unscheduled_desc);

static void homa_grant_update__unscheduled(struct kunit *test)
{
	const struct unscheduled_case *param = test->param_value;
	struct homa_rpc *rpc = message_of(test, sender(test), 1, param->length,
					  param->unscheduled);
	struct homa_net *hn = test->priv;
	struct homa_grant_batch batch;

	hn->sysctl.window = 30000;
	update(rpc, param->arrived, &batch);
	KUNIT_EXPECT_EQ(test, rpc->in.granted, param->granted);
	KUNIT_EXPECT_EQ(test, grants->count,
			rpc->in.left && param->granted < param->length);
	remove(rpc);
}

static void homa_grant_remove__promotes_the_next(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_rpc *a, *b, *c;
	struct homa_grant_batch batch;

	hn->sysctl.max_overcommit = 1;
	hn->sysctl.window = 20000;
	a = message(test, 1, 100000);
	b = message(test, 2, 200000);
	c = message(test, 3, 300000);
	update(a, 0, &batch);
	update(c, 0, &batch);
	update(b, 0, &batch);
	KUNIT_EXPECT_EQ(test, a->in.granted, 20000U);
	KUNIT_EXPECT_EQ(test, b->in.granted, 0U);
	KUNIT_EXPECT_EQ(test, c->in.granted, 0U);

	/* Bottom halves run before remove() returns, with the tasklet. */
	remove(a);
	KUNIT_EXPECT_EQ(test, b->in.granted, 20000U);
	KUNIT_EXPECT_EQ(test, c->in.granted, 0U);
	remove(a);
	KUNIT_EXPECT_EQ(test, c->in.granted, 0U);
	remove(b);
	KUNIT_EXPECT_EQ(test, c->in.granted, 20000U);
	remove(c);
	KUNIT_EXPECT_EQ(test, grants->count, 0);
	KUNIT_EXPECT_EQ(test, refcount_read(&a->refs), 1U);
	KUNIT_EXPECT_EQ(test, refcount_read(&b->refs), 1U);
	KUNIT_EXPECT_EQ(test, refcount_read(&c->refs), 1U);
}

/* A message that has all its grants makes room for one that waits, even if no
 * other message gets data any more.
 */
static void homa_grant_update__last_grant_promotes_the_next(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_grant_batch batch;
	struct homa_rpc *a, *b;

	hn->sysctl.max_overcommit = 1;
	hn->sysctl.window = 20000;
	a = message(test, 1, 30000);
	b = message(test, 2, 200000);
	update(a, 0, &batch);
	update(b, 0, &batch);
	KUNIT_EXPECT_EQ(test, a->in.granted, 20000U);
	KUNIT_EXPECT_EQ(test, b->in.granted, 0U);
	update(a, 10000, &batch);
	KUNIT_EXPECT_EQ(test, a->in.granted, 30000U);
	update(a, 10000, &batch);
	update(a, 10000, &batch);
	remove(a);
	KUNIT_EXPECT_EQ(test, b->in.granted, 20000U);
	remove(b);
}

static void homa_grant_update__short_message_overtakes(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_grant_batch batch;
	struct homa_rpc *a, *b;

	hn->sysctl.max_overcommit = 1;
	hn->sysctl.window = 20000;
	a = message(test, 1, 500000);
	b = message(test, 2, 100000);
	update(a, 1000, &batch);
	KUNIT_EXPECT_EQ(test, a->in.granted, 21000U);
	update(b, 0, &batch);
	KUNIT_EXPECT_EQ(test, batch.count, 1);
	KUNIT_EXPECT_PTR_EQ(test, batch.grants[0].rpc, b);

	/* The long one gets no more while the short one is there. */
	update(a, 20000, &batch);
	KUNIT_EXPECT_EQ(test, batch.count, 0);
	KUNIT_EXPECT_EQ(test, a->in.granted, 21000U);
	remove(b);
	KUNIT_EXPECT_EQ(test, a->in.granted, 41000U);
	remove(a);
}

/* Messages of senders, in order of age, and who of them has a slot. */
struct slots_case {
	const char *desc;
	int overcommit;
	struct {
		int sender;
		u32 left;
	} messages[10];
	u32 active;		/* a bit for each message */
	int leaves;		/* this one ends, or -1 */
	u32 active_then;
};

static const struct slots_case slots_cases[] = {
	{ "one sender fills free slots", 4,
	  { { 1, 300 }, { 1, 200 }, { 1, 100 } }, 0x7, 0, 0x6 },
	{ "another sender takes the second slot", 2,
	  { { 1, 100 }, { 1, 200 }, { 2, 900 } }, 0x5, -1, 0 },
	{ "the worst of the greediest gives way", 4,
	  { { 1, 100 }, { 1, 400 }, { 1, 200 }, { 2, 900 }, { 3, 800 } },
	  0x1d, -1, 0 },
	{ "no second slot while others have none", 3,
	  { { 1, 300 }, { 2, 300 }, { 3, 300 }, { 1, 100 } }, 0xe, -1, 0 },
	{ "a shorter one of the same sender", 1,
	  { { 1, 300 }, { 1, 100 } }, 0x2, 1, 0x1 },
	{ "shorter messages of other senders", 2,
	  { { 1, 300 }, { 2, 400 }, { 3, 100 } }, 0x5, 2, 0x3 },
	{ "ties: the older one stays", 1,
	  { { 1, 300 }, { 2, 300 } }, 0x1, 0, 0x2 },
	{ "a free slot goes to who has none", 2,
	  { { 1, 100 }, { 2, 300 }, { 1, 200 }, { 3, 900 } }, 0x3, 1, 0x9 },
	{ "then to who holds fewest", 3,
	  { { 1, 100 }, { 1, 110 }, { 2, 120 }, { 1, 50 }, { 2, 900 } },
	  0xd, 3, 0x7 },
	{ "overcommitment of one", 1,
	  { { 1, 500 }, { 1, 400 }, { 2, 300 }, { 3, 600 } }, 0x4, 2, 0x2 },
};

static void slots_desc(const struct slots_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(slots, slots_cases, slots_desc);

static u32 active_messages(struct homa_rpc **rpcs, int n)
{
	u32 bits = 0;
	int i;

	for (i = 0; i < n; i++)
		if (rpcs[i]->grant.state == HOMA_GRANT_ACTIVE)
			bits |= 1u << i;
	return bits;
}

static void homa_grant_update__slots(struct kunit *test)
{
	const struct slots_case *param = test->param_value;
	struct homa_peer *peers[4] = {
		sender(test), sender(test), sender(test), sender(test)
	};
	struct homa_rpc *rpcs[ARRAY_SIZE(param->messages)];
	struct homa_net *hn = test->priv;
	struct homa_grant_batch batch;
	int i, n;

	hn->sysctl.max_overcommit = param->overcommit;
	hold();
	for (n = 0; n < ARRAY_SIZE(rpcs) && param->messages[n].left; n++) {
		rpcs[n] = message_of(test, peers[param->messages[n].sender],
				     n + 1, param->messages[n].left, 0);
		update(rpcs[n], 0, &batch);
	}
	let_go();
	KUNIT_EXPECT_EQ(test, active_messages(rpcs, n), param->active);
	check_scheduler(test, rpcs, n);
	hold();
	if (param->leaves >= 0) {
		remove(rpcs[param->leaves]);
		KUNIT_EXPECT_EQ(test, active_messages(rpcs, n),
				param->active_then);
	}
	for (i = 0; i < n; i++)
		remove(rpcs[i]);
	for (i = 1; i < ARRAY_SIZE(peers); i++)
		KUNIT_EXPECT_EQ(test, peers[i]->grant.held, 0U);
	let_go();
}

/* Bytes that arrive for one that waits bring it forward. */
static void homa_grant_update__waiting_message_overtakes(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_grant_batch batch;
	struct homa_rpc *a, *b;

	hn->sysctl.max_overcommit = 1;
	hn->sysctl.window = 20000;
	a = message(test, 1, 100000);
	b = message_of(test, sender(test), 2, 120000, 60000);
	update(a, 0, &batch);
	update(b, 10000, &batch);
	KUNIT_EXPECT_EQ(test, batch.count, 0);
	KUNIT_EXPECT_EQ(test, (int)b->grant.state, (int)HOMA_GRANT_WAITING);
	update(b, 20001, &batch);
	KUNIT_EXPECT_EQ(test, (int)b->grant.state, (int)HOMA_GRANT_ACTIVE);
	KUNIT_EXPECT_EQ(test, (int)a->grant.state, (int)HOMA_GRANT_WAITING);
	remove(a);
	remove(b);
}

/* Too little room: by rank, and the rest when there is room again. */
static void homa_grant_update__needy(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_grant_batch batch;
	struct homa_rpc *a, *b, *c;

	hn->sysctl.window = 50000;
	hn->sysctl.max_incoming = 135000;	/* a ninth is kept */
	a = message(test, 1, 300000);
	b = message(test, 2, 200000);
	c = message(test, 3, 100000);
	update(a, 0, &batch);
	update(b, 0, &batch);
	KUNIT_EXPECT_EQ(test, b->in.granted, 50000U);
	update(c, 0, &batch);
	KUNIT_EXPECT_EQ(test, c->in.granted, 20000U);
	KUNIT_EXPECT_EQ(test, host_counter(hn, needy_grants), 0ULL);

	/* What b makes room for goes to c first, though c gets no packet. */
	update(b, 10000, &batch);
	KUNIT_EXPECT_EQ(test, batch.count, 1);
	KUNIT_EXPECT_EQ(test, c->in.granted, 30000U);
	KUNIT_EXPECT_EQ(test, b->in.granted, 50000U);
	KUNIT_EXPECT_EQ(test, host_counter(hn, needy_grants), 1ULL);
	KUNIT_EXPECT_EQ(test, grants->incoming, 120000);
	update(a, 35000, &batch);
	KUNIT_EXPECT_EQ(test, c->in.granted, 50000U);
	KUNIT_EXPECT_EQ(test, b->in.granted, 60000U);
	remove(a);
	KUNIT_EXPECT_EQ(test, grants->incoming, 100000);
	remove(b);
	remove(c);
	KUNIT_EXPECT_EQ(test, grants->incoming, 0);
}

/* The end of a message that is little longer than what comes unasked: it gets
 * the room that is kept, and the level of a new message.
 */
static void homa_grant_update__tail(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_grant_batch batch;
	struct homa_rpc *a, *b, *c;

	hn->sysctl.window = 90000;
	hn->sysctl.max_incoming = 90000;
	a = message(test, 1, 900000);
	b = message_of(test, sender(test), 2, 80001, 40000);
	c = message_of(test, sender(test), 3, 50000, 40000);
	update(a, 0, &batch);
	KUNIT_EXPECT_EQ(test, a->in.granted, 80000U);
	KUNIT_EXPECT_EQ(test, batch.grants[0].prio, 0);
	update(b, 1000, &batch);
	KUNIT_EXPECT_EQ(test, batch.count, 0);
	update(c, 1000, &batch);
	KUNIT_EXPECT_EQ(test, c->in.granted, 50000U);
	KUNIT_EXPECT_EQ(test, batch.grants[0].prio, 4);
	KUNIT_EXPECT_EQ(test, grants->incoming, 90000);
	remove(a);
	remove(b);
	remove(c);
	KUNIT_EXPECT_EQ(test, grants->incoming, 0);
}

struct credit_case {
	const char *desc;
	u32 announced;	/* unscheduled bytes of a message, none arrived */
	u32 granted;	/* to another one, window 400000 */
};

static const struct credit_case credit_cases[] = {
	{ "nothing", 0, 400000 },
	{ "usual", 40000, 400000 },
	{ "a ninth", 50000, 400000 },
	{ "more", 60000, 390000 },
	{ "half", 225000, 225000 },
	{ "more than half", 225001, 225000 },
	{ "absurd", 999999, 225000 },
};

static void credit_desc(const struct credit_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(credit, credit_cases, credit_desc);

/* Unscheduled bytes take room from grants, but not all of it. */
static void homa_grant_update__unscheduled_credit(struct kunit *test)
{
	const struct credit_case *param = test->param_value;
	struct homa_net *hn = test->priv;
	struct homa_grant_batch batch;
	struct homa_rpc *a, *b;

	hn->sysctl.window = 400000;
	hn->sysctl.max_incoming = 450000;
	hn->sysctl.max_overcommit = 1;
	a = message_of(test, sender(test), 1, 1000000, param->announced);
	hold();
	update(a, 0, &batch);
	let_go();
	b = message(test, 2, 900000);
	update(b, 0, &batch);
	KUNIT_EXPECT_EQ(test, b->in.granted, param->granted);
	KUNIT_EXPECT_EQ(test, grants->unsched, (s64)param->announced);
	remove(a);
	KUNIT_EXPECT_EQ(test, grants->unsched, 0);
	remove(b);
}

struct fifo_case {
	int fraction;
	int increment;
	u32 share;	/* thousandths that the oldest message gets */
};

static const struct fifo_case fifo_cases[] = {
	{ 0, 50000, 0 }, { 50, 0, 0 }, { 50, 50000, 50 }, { 50, 10000, 50 },
	{ 200, 20000, 200 }, { 500, 30000, 500 }, { 1, 1000, 1 },
};

static void fifo_desc(const struct fifo_case *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%d thousandths, %d at a time",
		 param->fraction, param->increment);
}

KUNIT_ARRAY_PARAM(fifo, fifo_cases, fifo_desc);

/* Shorter messages occupy the only slot; what the oldest gets is its share of
 * all that is granted.
 */
static void homa_grant__fifo_share(struct kunit *test)
{
	const struct fifo_case *param = test->param_value;
	struct homa_net *hn = test->priv;
	struct homa_rpc *rpcs[MAX_MESSAGES];
	struct homa_grant_batch batch;
	u64 total = 0, share;
	int i;

	hn->sysctl.max_overcommit = 1;
	hn->sysctl.grant_fifo_fraction = param->fraction;
	hn->sysctl.fifo_grant_increment = param->increment;
	hold();
	for (i = 0; i < MAX_MESSAGES; i++) {
		rpcs[i] = message(test, i, i ? 200000 : 1000000);
		update(rpcs[i], 0, &batch);
	}
	let_go();
	for (i = 1; i < MAX_MESSAGES - 4 && rpcs[0]->in.granted < 600000; i++) {
		while (rpcs[i]->in.left) {
			update(rpcs[i], min(outstanding_of(rpcs[i]), 10000u),
			       &batch);
			update(rpcs[0], outstanding_of(rpcs[0]), &batch);
		}
	}
	for (i = 0; i < MAX_MESSAGES; i++)
		total += rpcs[i]->in.granted;
	share = rpcs[0]->in.granted;
	KUNIT_EXPECT_EQ(test, host_counter(hn, fifo_grant_bytes), share);
	KUNIT_EXPECT_LE(test, share * 1000, total * param->share);
	KUNIT_EXPECT_GE(test, (share + 2ull * param->increment) * 1000,
			total * param->share);
	for (i = 0; i < MAX_MESSAGES; i++)
		remove(rpcs[i]);
}

struct fifo_turns_case {
	const char *desc;
	int overcommit;
	u32 length[6];		/* of messages, oldest first */
	int turns[9];		/* who gets the share, -1 */
};

static const struct fifo_turns_case fifo_turns_cases[] = {
	{ "the oldest once, the longest three times", 1,
	  { 700000, 800000, 900000, 600000 },
	  { 0, 2, 2, 2, 0, 2, 2, 2, -1 } },
	{ "the oldest of the longest", 1,
	  { 700000, 900000, 900000, 600000 }, { 0, 1, 1, 1, 0, -1 } },
	{ "none for an active one", 2,
	  { 500000, 800000, 900000, 600000 }, { 1, 2, 2, 2, 1, -1 } },
	{ "none for an active one that is the longest of its sort", 2,
	  { 800000, 800000, 900000, 900000 }, { 2, 2, 2, 2, -1 } },
	{ "the oldest active one if nobody waits", 4,
	  { 700000, 800000, 900000, 600000 }, { 0, 0, 0, 0, 0, -1 } },
};

static void fifo_turns_desc(const struct fifo_turns_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(fifo_turns, fifo_turns_cases, fifo_turns_desc);

/* Whom the share goes to; each uses what it gets. */
static void homa_grant__fifo_turns(struct kunit *test)
{
	const struct fifo_turns_case *param = test->param_value;
	struct homa_net *hn = test->priv;
	struct homa_grant_batch batch;
	struct homa_rpc *rpcs[6];
	int i, n;

	hold();
	hn->sysctl.max_overcommit = param->overcommit;
	hn->sysctl.fifo_grant_increment = 1000;
	for (n = 0; n < ARRAY_SIZE(rpcs) && param->length[n]; n++) {
		rpcs[n] = message(test, n + 1, param->length[n]);
		update(rpcs[n], 0, &batch);
	}
	for (i = 0; param->turns[i] >= 0; i++) {
		struct homa_rpc *rpc = rpcs[param->turns[i]];
		u32 granted = rpc->in.granted;

		grants->fifo_debt = 1000ull * hn->sysctl.fifo_grant_increment;
		update(rpcs[0], 0, &batch);
		KUNIT_EXPECT_EQ(test, batch.count, 1);
		KUNIT_EXPECT_EQ(test, rpc->in.granted, granted + 1000);
	}
	let_go();
	for (i = 0; i < n; i++)
		remove(rpcs[i]);
}

/* The share is at the highest level of scheduled packets, and beyond
 * max_incoming.
 */
static void homa_grant__fifo_grant(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_grant_batch batch;
	struct homa_rpc *old, *rpc;

	hn->sysctl.max_overcommit = 1;
	hold();
	old = message(test, 1, 1000000);
	rpc = message(test, 2, 900000);
	update(old, 0, &batch);
	update(rpc, 0, &batch);
	grants->fifo_debt = 1000ull * hn->sysctl.fifo_grant_increment - 1;
	update(rpc, 0, &batch);
	KUNIT_EXPECT_EQ(test, batch.count, 0);
	grants->fifo_debt++;
	update(rpc, 0, &batch);
	KUNIT_ASSERT_EQ(test, batch.count, 1);
	KUNIT_EXPECT_PTR_EQ(test, batch.grants[0].rpc, old);
	KUNIT_EXPECT_EQ(test, batch.grants[0].offset, 50000U);
	KUNIT_EXPECT_EQ(test, batch.grants[0].prio, hn->sysctl.max_sched_prio);
	let_go();
	remove(rpc);
	remove(old);
}

/* An oldest message that does not use its share loses it to the next. */
static void homa_grant__fifo_skips_silent_ones(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_rpc *rpcs[3];
	struct homa_grant_batch batch;
	int i;

	hold();
	hn->sysctl.window = 10000;
	hn->sysctl.max_overcommit = 1;
	for (i = 0; i < 3; i++) {
		rpcs[i] = message(test, i + 1, i == 2 ? 500000 : 1000000);
		update(rpcs[i], 0, &batch);
	}
	for (i = 0; i < 4; i++) {
		grants->fifo_debt = 1000ull * hn->sysctl.fifo_grant_increment;
		update(rpcs[2], 0, &batch);
	}
	KUNIT_EXPECT_EQ(test, rpcs[0]->in.granted, 150000U);
	KUNIT_EXPECT_EQ(test, (int)rpcs[0]->grant.state,
			(int)HOMA_GRANT_STALLED);
	KUNIT_EXPECT_EQ(test, rpcs[1]->in.granted, 50000U);
	let_go();
	check_scheduler(test, rpcs, 3);

	/* Back with its next packet. */
	hold();
	update(rpcs[0], 100000, &batch);
	grants->fifo_debt = 1000ull * hn->sysctl.fifo_grant_increment;
	update(rpcs[0], 0, &batch);
	KUNIT_EXPECT_EQ(test, rpcs[0]->in.granted, 200000U);
	let_go();
	check_scheduler(test, rpcs, 3);
	for (i = 0; i < 3; i++)
		remove(rpcs[i]);
}

/* An active message that is overtaken for long loses its slot to one that
 * waits, and gets it back with its next packet.
 */
static void homa_grant__overtaken_message_stalls(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_grant_batch batch;
	struct homa_rpc *rpcs[3];

	hn->sysctl.max_overcommit = 2;
	hn->sysctl.max_incoming = 100000;
	hn->sysctl.grant_fifo_fraction = 0;
	rpcs[0] = message(test, 1, 300000);
	rpcs[1] = message(test, 2, 900000);
	update(rpcs[0], 0, &batch);
	update(rpcs[1], 0, &batch);
	update(rpcs[1], 199999, &batch);
	rpcs[2] = message(test, 3, 1000000);
	update(rpcs[2], 0, &batch);
	KUNIT_EXPECT_EQ(test, (int)rpcs[0]->grant.state,
			(int)HOMA_GRANT_ACTIVE);
	update(rpcs[1], 1, &batch);
	KUNIT_EXPECT_EQ(test, (int)rpcs[0]->grant.state,
			(int)HOMA_GRANT_STALLED);
	KUNIT_EXPECT_EQ(test, grants->stalled, (s64)rpcs[0]->in.granted);
	KUNIT_EXPECT_EQ(test, (int)rpcs[2]->grant.state,
			(int)HOMA_GRANT_ACTIVE);
	KUNIT_EXPECT_EQ(test, host_counter(hn, grant_stalls), 1ULL);
	check_scheduler(test, rpcs, 3);
	update(rpcs[0], 1000, &batch);
	KUNIT_EXPECT_EQ(test, (int)rpcs[0]->grant.state,
			(int)HOMA_GRANT_ACTIVE);
	KUNIT_EXPECT_EQ(test, grants->stalled, 0);
	check_scheduler(test, rpcs, 3);
	remove(rpcs[0]);
	remove(rpcs[1]);
	remove(rpcs[2]);
}

/* If nobody could use its slot or its room, it keeps them. */
static void homa_grant__overtaken_without_need(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_grant_batch batch;
	struct homa_rpc *a, *b;

	hn->sysctl.max_incoming = 100000;
	a = message(test, 1, 300000);
	b = message(test, 2, 900000);
	update(a, 0, &batch);
	update(b, 0, &batch);
	update(b, 450000, &batch);
	KUNIT_EXPECT_EQ(test, (int)a->grant.state, (int)HOMA_GRANT_ACTIVE);
	remove(a);
	remove(b);
}

static void silent(struct homa_rpc *rpc)
{
	spin_lock_bh(&rpc->lock);
	homa_grant_silent(rpc);
	spin_unlock_bh(&rpc->lock);
}

/* What the timer finds silent takes no room, whatever state it is in. */
static void homa_grant_silent__frees_room(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_grant_batch batch;
	struct homa_rpc *rpcs[3];
	int i;

	hn->sysctl.max_overcommit = 1;
	hn->sysctl.window = 60000;
	hn->sysctl.max_incoming = 112500;	/* a ninth is kept */
	rpcs[0] = message(test, 1, 50000);
	rpcs[1] = message(test, 2, 500000);
	rpcs[2] = message(test, 3, 600000);
	for (i = 0; i < 3; i++)
		update(rpcs[i], 0, &batch);
	KUNIT_EXPECT_EQ(test, (int)rpcs[0]->grant.state, (int)HOMA_GRANT_FULL);
	KUNIT_EXPECT_EQ(test, rpcs[1]->in.granted, 50000U);
	silent(rpcs[0]);	/* the tasklet has run when it returns */
	KUNIT_EXPECT_EQ(test, rpcs[1]->in.granted, 60000U);
	silent(rpcs[1]);
	KUNIT_EXPECT_EQ(test, (int)rpcs[1]->grant.state,
			(int)HOMA_GRANT_STALLED);
	KUNIT_EXPECT_EQ(test, rpcs[2]->in.granted, 60000U);
	check_scheduler(test, rpcs, 3);

	/* Not while it waits for us. */
	update(rpcs[2], 60000, &batch);
	hn->sysctl.max_incoming = 1;
	silent(rpcs[1]);
	KUNIT_EXPECT_EQ(test, grants->stalled, 60000);
	for (i = 0; i < 3; i++)
		remove(rpcs[i]);
	KUNIT_EXPECT_EQ(test, grants->stalled, 0);
	KUNIT_EXPECT_EQ(test, grants->incoming, 0);
	KUNIT_EXPECT_EQ(test, grants->count, 0);
}

/* Packets of a message that is fully granted do not even take the lock, until
 * they make enough room for a grant.
 */
static void homa_grant_update__full_costs_nothing(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_grant_batch batch;
	struct homa_rpc *rpc;
	int i;

	rpc = message(test, 1, 50000);
	update(rpc, 1000, &batch);
	KUNIT_EXPECT_EQ(test, (int)rpc->grant.state, (int)HOMA_GRANT_FULL);
	KUNIT_EXPECT_EQ(test, host_counter(hn, grant_locks), 1ULL);
	for (i = 0; i < 9; i++)
		update(rpc, 1000, &batch);
	KUNIT_EXPECT_EQ(test, host_counter(hn, grant_locks), 1ULL);
	KUNIT_EXPECT_EQ(test, grants->incoming, 49000);
	update(rpc, 1000, &batch);
	KUNIT_EXPECT_EQ(test, host_counter(hn, grant_locks), 2ULL);
	KUNIT_EXPECT_EQ(test, grants->incoming, 39000);
	update(rpc, 39000, &batch);
	KUNIT_EXPECT_EQ(test, grants->incoming, 0);
	KUNIT_EXPECT_NULL(test, rpc->grant.dev);
}

/* How long granted bytes are on their way: 30 kB from the grant on, then 10. */
static void homa_grant_update__integral(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_grant_batch batch;
	struct homa_rpc *rpc;
	u64 before[3], after[3];

	rpc = message(test, 1, 30000);
	before[0] = homa_now();
	update(rpc, 0, &batch);
	after[0] = homa_now();
	KUNIT_EXPECT_EQ(test, host_counter(hn, granted_kb_integral), 0ULL);
	usleep_range(1000, 1100);
	before[1] = homa_now();
	update(rpc, 20000, &batch);
	after[1] = homa_now();
	usleep_range(3000, 3100);
	before[2] = homa_now();
	update(rpc, 10000, &batch);
	after[2] = homa_now();
	KUNIT_EXPECT_GE(test, host_counter(hn, granted_kb_integral) + 2,
			30 * (before[1] - after[0]) +
			10 * (before[2] - after[1]));
	KUNIT_EXPECT_LE(test, host_counter(hn, granted_kb_integral),
			30 * (after[1] - before[0]) +
			10 * (after[2] - before[1]));
}

/* All messages of a sender are scheduled where the first one is. */
static void homa_grant_start__one_device_for_a_sender(struct kunit *test)
{
	struct homa_dev *other = kunit_kzalloc(test, sizeof(*other),
					       GFP_KERNEL);
	struct homa_rpc *a, *b;

	KUNIT_ASSERT_NOT_NULL(test, other);
	other->hn = test->priv;
	refcount_set(&other->refs, 1);
	homa_grant_init(&other->grants, test->priv);
	a = message(test, 1, 100000);
	b = message_of(test, a->peer, 2, 100000, 0);
	remove(b);
	spin_lock_bh(&b->lock);
	homa_grant_start(b, other);
	KUNIT_EXPECT_PTR_EQ(test, b->grant.dev, device);
	KUNIT_EXPECT_EQ(test, refcount_read(&device->refs), 3U);
	spin_unlock_bh(&b->lock);
	remove(a);
	remove(b);
	spin_lock_bh(&b->lock);
	homa_grant_start(b, other);
	KUNIT_EXPECT_PTR_EQ(test, b->grant.dev, other);
	spin_unlock_bh(&b->lock);
	remove(b);
	KUNIT_EXPECT_EQ(test, refcount_read(&other->refs), 1U);
	homa_grant_exit(&other->grants);
}

static struct kunit_case grant_cases[] = {
	KUNIT_CASE_PARAM(homa_grant_update__window, window_gen_params),
	KUNIT_CASE_PARAM(homa_grant_update__order, order_gen_params),
	KUNIT_CASE_PARAM(homa_grant_update__increment, increment_gen_params),
	KUNIT_CASE_PARAM(homa_grant_update__unscheduled,
			 unscheduled_gen_params),
	KUNIT_CASE(homa_grant_remove__promotes_the_next),
	KUNIT_CASE(homa_grant_update__last_grant_promotes_the_next),
	KUNIT_CASE(homa_grant_update__short_message_overtakes),
	KUNIT_CASE_PARAM(homa_grant_update__slots, slots_gen_params),
	KUNIT_CASE(homa_grant_update__waiting_message_overtakes),
	KUNIT_CASE(homa_grant_update__needy),
	KUNIT_CASE(homa_grant_update__tail),
	KUNIT_CASE_PARAM(homa_grant_update__unscheduled_credit,
			 credit_gen_params),
	KUNIT_CASE_PARAM(homa_grant__fifo_share, fifo_gen_params),
	KUNIT_CASE_PARAM(homa_grant__fifo_turns, fifo_turns_gen_params),
	KUNIT_CASE(homa_grant__fifo_grant),
	KUNIT_CASE(homa_grant__fifo_skips_silent_ones),
	KUNIT_CASE(homa_grant__overtaken_message_stalls),
	KUNIT_CASE(homa_grant__overtaken_without_need),
	KUNIT_CASE(homa_grant_silent__frees_room),
	KUNIT_CASE(homa_grant_update__full_costs_nothing),
	KUNIT_CASE(homa_grant_update__integral),
	KUNIT_CASE(homa_grant_start__one_device_for_a_sender),
	{}
};

static struct kunit_suite grant_suite = {
	.name = "homa_grant",
	.init = grant_init,
	.exit = grant_exit,
	.test_cases = grant_cases,
};

kunit_test_suites(&grant_suite);
