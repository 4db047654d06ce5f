// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/rcvbuf.c: where messages go, what is free, and who may give back. */

#include <linux/bitmap.h>

#include "host.h"

#define PAGE HOMA_BPAGE_SIZE
#define MAX_STEPS 8

/* A region at no particular address; these cases touch no user memory. */
static struct homa_rcvbuf *region(struct kunit *test, u32 pages)
{
	struct homa_rcvbuf *rb = homa_rcvbuf_alloc(0x10000000,
						   (u64)pages * PAGE);

	KUNIT_ASSERT_NOT_NULL(test, rb);
	return rb;
}

static int reserve(struct homa_rcvbuf *rb, struct homa_net *hn, u32 length,
		   u32 *offsets)
{
	int n;

	local_bh_disable();
	n = homa_rcvbuf_reserve(rb, hn, length, offsets);
	local_bh_enable();
	return n;
}

static void deliver(struct homa_rcvbuf *rb, const u32 *offsets, int count)
{
	local_bh_disable();
	homa_rcvbuf_deliver(rb, offsets, count);
	local_bh_enable();
}

struct layout_case {
	const char *desc;
	u32 pages;
	u32 lengths[MAX_STEPS];	/* messages, one after the other */
	int result;		/* of the last one */
	u32 offsets[HOMA_MAX_BPAGES];
};

static const struct layout_case layout_cases[] = {
	{ "one byte", 4, { 1 }, 1, { 0 } },
	{ "a page less one", 4, { PAGE - 1 }, 1, { 0 } },
	{ "a page", 4, { PAGE }, 1, { 0 } },
	{ "a page and one", 4, { PAGE + 1 }, 2, { 0, PAGE } },
	{ "the whole region", 4, { 4 * PAGE }, 4,
	  { 0, PAGE, 2 * PAGE, 3 * PAGE } },
	{ "longest", 16, { HOMA_MAX_MESSAGE_LENGTH }, 16,
	  { 0, PAGE, 2 * PAGE, 3 * PAGE, 4 * PAGE, 5 * PAGE, 6 * PAGE,
	    7 * PAGE, 8 * PAGE, 9 * PAGE, 10 * PAGE, 11 * PAGE, 12 * PAGE,
	    13 * PAGE, 14 * PAGE, 15 * PAGE } },
	{ "chunks on cache lines", 4, { 1, 1 }, 1, { 64 } },
	{ "a line is not wasted", 4, { 64, 1 }, 1, { 64 } },
	{ "a line and one", 4, { 65, 1 }, 1, { 128 } },
	{ "remainders share", 4, { PAGE + 100, PAGE + 200 }, 2,
	  { 2 * PAGE, PAGE + 128 } },
	{ "a page between", 4, { 100, PAGE, 100 }, 1, { 128 } },
	{ "exactly full", 4, { PAGE - 64, 64 }, 1, { PAGE - 64 } },
	{ "one too many", 4, { PAGE - 64, 65 }, 1, { PAGE } },
	{ "small one after a new shared page", 4, { 40000, 30000, 1 }, 1,
	  { PAGE + 30016 } },
	{ "no page", 0, { 1 }, -ENOSPC },
	{ "too long", 4, { 4 * PAGE + 1 }, -ENOSPC },
	{ "all pages taken", 2, { 2 * PAGE, 1 }, -ENOSPC },
	{ "rest of the shared page only", 1, { 65000, 512 }, 1, { 65024 } },
	{ "shared page full", 1, { 65000, 513 }, -ENOSPC },
	{ "page but no rest", 2, { 60000, PAGE + 10000 }, -ENOSPC },
	{ "page and shared rest", 2, { 50000, PAGE + 10000 }, 2,
	  { PAGE, 50048 } },
};

static void layout_desc(const struct layout_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(layout, layout_cases, layout_desc);

static void homa_rcvbuf_reserve__layout(struct kunit *test)
{
	const struct layout_case *param = test->param_value;
	struct homa_rcvbuf *rb = region(test, param->pages);
	u32 offsets[HOMA_MAX_BPAGES] = {};
	int i, n = 0;

	for (i = 0; i < MAX_STEPS && param->lengths[i]; i++)
		n = reserve(rb, test->priv, param->lengths[i],
			    offsets);
	KUNIT_EXPECT_EQ(test, n, param->result);
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_EQ(test, offsets[i], param->offsets[i]);
	homa_rcvbuf_free(rb);
}

static void homa_rcvbuf_reserve__failure_takes_nothing(struct kunit *test)
{
	struct homa_rcvbuf *rb = region(test, 2);
	u32 offsets[HOMA_MAX_BPAGES];

	KUNIT_EXPECT_EQ(test, reserve(rb, test->priv, 3 * PAGE,
				      offsets), -ENOSPC);
	KUNIT_EXPECT_EQ(test, homa_rcvbuf_available(rb), 2ULL * PAGE);
	KUNIT_EXPECT_EQ(test, reserve(rb, test->priv, 2 * PAGE,
				      offsets), 2);
	homa_rcvbuf_free(rb);
}

/* The only page of a region is used again and again. */
static void homa_rcvbuf_reserve__empty_shared_page_is_renewed(struct kunit *test)
{
	struct homa_rcvbuf *rb = region(test, 1);
	u32 offset, whole[1];
	int i;

	for (i = 0; i < 10; i++) {
		KUNIT_EXPECT_EQ(test, reserve(rb, test->priv, 50000,
					      &offset), 1);
		KUNIT_EXPECT_EQ(test, offset, 0U);
		deliver(rb, &offset, 1);
		KUNIT_EXPECT_EQ(test, homa_rcvbuf_give_back(rb, &offset, 1), 0);
		KUNIT_EXPECT_EQ(test, homa_rcvbuf_available(rb), (u64)PAGE);
	}
	KUNIT_EXPECT_EQ(test, host_counter(test->priv, bpage_reuses), 9ULL);
	KUNIT_EXPECT_EQ(test, reserve(rb, test->priv, PAGE, whole),
			1);
	homa_rcvbuf_free(rb);
}

static void homa_rcvbuf_reserve__retired_page_lives_on(struct kunit *test)
{
	struct homa_rcvbuf *rb = region(test, 2);
	u32 a, b, c;

	KUNIT_EXPECT_EQ(test, reserve(rb, test->priv, 40000, &a), 1);
	KUNIT_EXPECT_EQ(test, reserve(rb, test->priv, 40000, &b), 1);
	KUNIT_EXPECT_EQ(test, rb->num_free, 0U);
	KUNIT_EXPECT_EQ(test, reserve(rb, test->priv, 40000, &c),
			-ENOSPC);
	homa_rcvbuf_release(rb, &a, 1);
	KUNIT_EXPECT_EQ(test, rb->num_free, 1U);
	KUNIT_EXPECT_EQ(test, reserve(rb, test->priv, 40000, &c), 1);
	KUNIT_EXPECT_EQ(test, c, a);
	homa_rcvbuf_free(rb);
}

struct misuse_case {
	const char *desc;
	u32 offsets[4];
	int count;
	int result;
	u32 free_pages;	/* afterwards, of 6 */
};

/* Delivered: pages 0 and 1, a chunk of 2. Not delivered: page 3, a chunk of 2. */
static const struct misuse_case misuse_cases[] = {
	{ "nothing", {}, 0, 0, 2 },
	{ "all that is due", { 0, PAGE, 2 * PAGE }, 3, 0, 4 },
	{ "any order", { 2 * PAGE, PAGE, 0 }, 3, 0, 4 },
	{ "within a page", { 12345 }, 1, 0, 3 },
	{ "twice", { PAGE, PAGE }, 2, -EINVAL, 3 },
	{ "shared twice", { 2 * PAGE, 2 * PAGE }, 2, -EINVAL, 2 },
	{ "not delivered", { 3 * PAGE }, 1, -EINVAL, 2 },
	{ "free page", { 4 * PAGE }, 1, -EINVAL, 2 },
	{ "after the end", { 6 * PAGE }, 1, -EINVAL, 2 },
	{ "far away", { 0xffffffff }, 1, -EINVAL, 2 },
	{ "stops there", { 0, 0xffffffff, PAGE }, 3, -EINVAL, 3 },
};

static void misuse_desc(const struct misuse_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(misuse, misuse_cases, misuse_desc);

static void homa_rcvbuf_give_back__misuse(struct kunit *test)
{
	const struct misuse_case *param = test->param_value;
	struct homa_rcvbuf *rb = region(test, 6);
	u32 mine[3], other[2];

	KUNIT_EXPECT_EQ(test, reserve(rb, test->priv, 2 * PAGE + 1,
				      mine), 3);
	KUNIT_EXPECT_EQ(test, reserve(rb, test->priv, PAGE + 1,
				      other), 2);
	deliver(rb, mine, 3);
	KUNIT_EXPECT_EQ(test, rb->num_free, 2U);

	KUNIT_EXPECT_EQ(test, homa_rcvbuf_give_back(rb, param->offsets,
						    param->count),
			param->result);
	KUNIT_EXPECT_EQ(test, rb->num_free, param->free_pages);

	/* The message that was not delivered has kept its space. */
	KUNIT_EXPECT_EQ(test, rb->bpages[2].kernel, 1U);
	KUNIT_EXPECT_EQ(test, rb->bpages[3].kernel, 1U);
	homa_rcvbuf_free(rb);
}

struct available_case {
	const char *desc;
	u32 lengths[MAX_STEPS];
	u64 available;	/* of 4 pages */
};

static const struct available_case available_cases[] = {
	{ "fresh", {}, 4 * PAGE },
	{ "a page", { PAGE }, 3 * PAGE },
	{ "one byte", { 1 }, 4 * PAGE - 64 },
	{ "two chunks", { 64, 100 }, 4 * PAGE - 192 },
	{ "shared page full", { PAGE - 1 }, 3 * PAGE },
	{ "retired rest is lost", { 40000, 40000 }, 3 * PAGE - 40000 },
	{ "all", { 4 * PAGE }, 0 },
};

static void available_desc(const struct available_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(available, available_cases, available_desc);

static void homa_rcvbuf_available__bytes(struct kunit *test)
{
	const struct available_case *param = test->param_value;
	struct homa_rcvbuf *rb = region(test, 4);
	u32 offsets[HOMA_MAX_BPAGES];
	int i;

	for (i = 0; param->lengths[i]; i++)
		KUNIT_EXPECT_GT(test, reserve(rb, test->priv, param->lengths[i],
					      offsets), 0);
	KUNIT_EXPECT_EQ(test, homa_rcvbuf_available(rb), param->available);
	homa_rcvbuf_free(rb);
}

struct iter_case {
	const char *desc;
	u32 offset;
	u64 addr;	/* from the start of the region */
	int length;
};

/* A message of 2 pages and 100 bytes at pages 7 and 3, and in 5. */
static const struct iter_case iter_cases[] = {
	{ "first byte", 0, 7 * PAGE, PAGE },
	{ "middle", 100, 7 * PAGE + 100, PAGE - 100 },
	{ "last of a page", PAGE - 1, 7 * PAGE + PAGE - 1, 1 },
	{ "first of the next", PAGE, 3 * PAGE, PAGE },
	{ "remainder", 2 * PAGE, 5 * PAGE + 640, 100 },
	{ "last byte", 2 * PAGE + 99, 5 * PAGE + 739, 1 },
};

static void iter_desc(const struct iter_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(iter, iter_cases, iter_desc);

static void homa_rcvbuf_iter__place(struct kunit *test)
{
	static const u32 offsets[] = { 7 * PAGE, 3 * PAGE, 5 * PAGE + 640 };
	const struct iter_case *param = test->param_value;
	struct homa_rcvbuf *rb = region(test, 8);
	struct iov_iter iter;

	KUNIT_EXPECT_EQ(test, homa_rcvbuf_iter(rb, offsets, 2 * PAGE + 100,
					       param->offset, &iter),
			param->length);
	KUNIT_EXPECT_EQ(test, iov_iter_count(&iter), (size_t)param->length);
	KUNIT_EXPECT_EQ(test, (u64)(uintptr_t)iter.ubuf,
			rb->start + param->addr);
	homa_rcvbuf_free(rb);
}

#define STRESS_MESSAGES 64

/* What the case believes of one message. */
struct held {
	u32 length;	/* 0: unused */
	bool delivered;
	int count;
	u32 offsets[HOMA_MAX_BPAGES];
};

struct stress {
	struct kunit *test;
	struct homa_rcvbuf *rb;
	struct rnd_state rnd;
	struct held held[STRESS_MESSAGES];
	unsigned long *lines;	/* bitmap of cache lines in use */
};

static u32 chunk_bytes(const struct held *held, int i)
{
	return i < (int)(held->length >> HOMA_BPAGE_SHIFT) ? PAGE :
	       ALIGN(held->length & (PAGE - 1), 64);
}

/* No two messages overlap, and all chunks are within the region. */
static void stress_check_space(struct stress *s)
{
	u32 total = s->rb->num_bpages * (PAGE / 64);
	int i, j;

	bitmap_zero(s->lines, total);
	for (i = 0; i < STRESS_MESSAGES; i++) {
		struct held *held = &s->held[i];

		for (j = 0; held->length && j < held->count; j++) {
			u32 first = held->offsets[j] / 64;
			u32 n = chunk_bytes(held, j) / 64;

			KUNIT_EXPECT_EQ(s->test, held->offsets[j] % 64, 0U);
			KUNIT_EXPECT_LE(s->test, first + n, total);
			if (first + n > total)
				continue;
			KUNIT_EXPECT_GE(s->test,
					find_next_bit(s->lines, first + n,
						      first),
					(unsigned long)(first + n));
			bitmap_set(s->lines, first, n);
		}
	}
}

/* Pages have the owners that the messages say, and are free without one. */
static void stress_check_pages(struct stress *s)
{
	u32 page, i, j, in_use = 0;

	for (page = 0; page < s->rb->num_bpages; page++) {
		u32 owners[2] = {};
		u32 listed = 0;

		for (i = 0; i < STRESS_MESSAGES; i++) {
			struct held *held = &s->held[i];

			for (j = 0; held->length && j < held->count; j++)
				owners[held->delivered] +=
					held->offsets[j] / PAGE == page;
		}
		for (i = 0; i < s->rb->num_free; i++)
			listed += s->rb->free[i] == page;
		KUNIT_EXPECT_EQ(s->test, s->rb->bpages[page].kernel, owners[0]);
		KUNIT_EXPECT_EQ(s->test, s->rb->bpages[page].user, owners[1]);
		if (owners[0] || owners[1] || page == s->rb->shared)
			in_use++;
		else
			KUNIT_EXPECT_EQ(s->test, listed, 1U);
	}
	KUNIT_EXPECT_EQ(s->test, in_use + s->rb->num_free, s->rb->num_bpages);
}

static void stress_reserve(struct stress *s, struct held *held)
{
	static const u32 limits[] = { 100, 3000, PAGE, 3 * PAGE,
				      HOMA_MAX_MESSAGE_LENGTH };
	u32 length = 1 + prandom_u32_state(&s->rnd) %
			 limits[prandom_u32_state(&s->rnd) % ARRAY_SIZE(limits)];
	u64 before = homa_rcvbuf_available(s->rb);
	int n = reserve(s->rb, s->test->priv, length, held->offsets);

	if (n < 0) {
		/* Refused only if there is no room as pages go. */
		KUNIT_EXPECT_LT(s->test, before, (u64)length + PAGE);
		KUNIT_EXPECT_EQ(s->test, homa_rcvbuf_available(s->rb), before);
		return;
	}
	KUNIT_EXPECT_EQ(s->test, n, (int)DIV_ROUND_UP(length, PAGE));
	held->length = length;
	held->delivered = false;
	held->count = n;
}

static void stress_step(struct stress *s)
{
	struct held *held = &s->held[prandom_u32_state(&s->rnd) %
				     STRESS_MESSAGES];

	if (!held->length) {
		stress_reserve(s, held);
	} else if (held->delivered) {
		KUNIT_EXPECT_EQ(s->test, homa_rcvbuf_give_back(s->rb,
							       held->offsets,
							       held->count), 0);
		held->length = 0;
	} else if (prandom_u32_state(&s->rnd) % 4) {
		deliver(s->rb, held->offsets, held->count);
		held->delivered = true;
	} else {
		homa_rcvbuf_release(s->rb, held->offsets, held->count);
		held->length = 0;
	}
}

struct stress_case {
	u32 pages;
	u64 seed;
};

static const struct stress_case stress_cases[] = {
	{ 1, 1 }, { 2, 2 }, { 16, 3 }, { 40, 4 }, { 100, 5 },
};

static void stress_desc(const struct stress_case *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u pages", param->pages);
}

KUNIT_ARRAY_PARAM(stress, stress_cases, stress_desc);

static void homa_rcvbuf__random_use_keeps_invariants(struct kunit *test)
{
	const struct stress_case *param = test->param_value;
	struct stress *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, s);
	s->test = test;
	s->lines = kunit_kzalloc(test, param->pages * (PAGE / 64 / 8),
				 GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, s->lines);
	s->rb = region(test, param->pages);
	prandom_seed_state(&s->rnd, param->seed);
	for (i = 0; i < 3000; i++) {
		stress_step(s);
		if (i % 10 == 0) {
			stress_check_space(s);
			stress_check_pages(s);
		}
	}

	/* Everything comes back. */
	for (i = 0; i < STRESS_MESSAGES; i++) {
		struct held *held = &s->held[i];

		if (held->length && !held->delivered)
			homa_rcvbuf_release(s->rb, held->offsets, held->count);
		else if (held->length)
			homa_rcvbuf_give_back(s->rb, held->offsets,
					      held->count);
		held->length = 0;
	}
	stress_check_pages(s);
	KUNIT_EXPECT_EQ(test, homa_rcvbuf_available(s->rb),
			(u64)param->pages * PAGE);
	homa_rcvbuf_free(s->rb);
}

static struct kunit_case rcvbuf_cases[] = {
	KUNIT_CASE_PARAM(homa_rcvbuf_reserve__layout, layout_gen_params),
	KUNIT_CASE(homa_rcvbuf_reserve__failure_takes_nothing),
	KUNIT_CASE(homa_rcvbuf_reserve__empty_shared_page_is_renewed),
	KUNIT_CASE(homa_rcvbuf_reserve__retired_page_lives_on),
	KUNIT_CASE_PARAM(homa_rcvbuf_give_back__misuse, misuse_gen_params),
	KUNIT_CASE_PARAM(homa_rcvbuf_available__bytes, available_gen_params),
	KUNIT_CASE_PARAM(homa_rcvbuf_iter__place, iter_gen_params),
	KUNIT_CASE_PARAM(homa_rcvbuf__random_use_keeps_invariants,
			 stress_gen_params),
	{}
};

static struct kunit_suite rcvbuf_suite = {
	.name = "homa_rcvbuf",
	.init = host_init,
	.exit = host_exit,
	.test_cases = rcvbuf_cases,
};

kunit_test_suites(&rcvbuf_suite);
