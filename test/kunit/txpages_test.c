// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/txpages.c: which pages a socket keeps, and until when. */

#include <linux/delay.h>
#include <linux/mm.h>

#include "host.h"

static struct homa_sock *socket_of(struct kunit *test)
{
	return ((struct live *)test->priv)->hsk;
}

static int kept(struct kunit *test)
{
	return socket_of(test)->txpages.count;
}

/* A page such as messages are copied to, with one reference. */
static struct page *new_page(struct kunit *test)
{
	struct page *page = alloc_pages(GFP_KERNEL | __GFP_COMP, get_order(32768));

	KUNIT_ASSERT_NOT_NULL(test, page);
	return page;
}

/* A thread's fragment that is used up, by somebody who still needs its page. */
static void used_up(struct kunit *test, struct page_frag *pf)
{
	pf->page = new_page(test);
	pf->size = PAGE_SIZE << get_order(32768);
	pf->offset = pf->size;
	get_page(pf->page);
}

static void homa_txpages_refill__takes_what_was_put(struct kunit *test)
{
	struct homa_sock *hsk = socket_of(test);
	struct page *page = new_page(test), *old;
	struct page_frag pf;

	homa_txpages_put(hsk, page);
	KUNIT_EXPECT_EQ(test, kept(test), 1);
	used_up(test, &pf);
	old = pf.page;
	KUNIT_EXPECT_TRUE(test, homa_txpages_refill(hsk, &pf, 100));
	KUNIT_EXPECT_PTR_EQ(test, pf.page, page);
	KUNIT_EXPECT_EQ(test, pf.offset, 0);
	KUNIT_EXPECT_EQ(test, pf.size, PAGE_SIZE << get_order(32768));
	KUNIT_EXPECT_EQ(test, page_ref_count(page), 1);
	KUNIT_EXPECT_EQ(test, page_ref_count(old), 1);
	KUNIT_EXPECT_EQ(test, kept(test), 0);
	put_page(old);

	/* Nothing is kept any more. */
	pf.offset = pf.size;
	get_page(pf.page);
	KUNIT_EXPECT_TRUE(test, homa_txpages_refill(hsk, &pf, 100));
	KUNIT_EXPECT_PTR_NE(test, pf.page, page);
	put_page(page);
	put_page(pf.page);
}

/* While there is room in a fragment it is used, and so is one that nobody needs. */
static void homa_txpages_refill__fragment_first(struct kunit *test)
{
	struct homa_sock *hsk = socket_of(test);
	struct page_frag pf;
	struct page *page;

	homa_txpages_put(hsk, new_page(test));
	used_up(test, &pf);
	page = pf.page;
	pf.offset = pf.size - 100;
	KUNIT_EXPECT_TRUE(test, homa_txpages_refill(hsk, &pf, 100));
	KUNIT_EXPECT_PTR_EQ(test, pf.page, page);
	KUNIT_EXPECT_EQ(test, pf.offset, pf.size - 100);
	put_page(page);
	KUNIT_EXPECT_TRUE(test, homa_txpages_refill(hsk, &pf, PAGE_SIZE));
	KUNIT_EXPECT_PTR_EQ(test, pf.page, page);
	KUNIT_EXPECT_EQ(test, pf.offset, 0);
	KUNIT_EXPECT_EQ(test, kept(test), 1);
	put_page(page);
}

static void homa_txpages_put__shared_page(struct kunit *test)
{
	struct page *page = new_page(test);

	get_page(page);
	homa_txpages_put(socket_of(test), page);
	KUNIT_EXPECT_EQ(test, kept(test), 0);
	KUNIT_EXPECT_EQ(test, page_ref_count(page), 1);
	put_page(page);
}

static void homa_txpages_put__small_page(struct kunit *test)
{
	struct page *page = alloc_page(GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, page);
	homa_txpages_put(socket_of(test), page);
	KUNIT_EXPECT_EQ(test, kept(test), 0);
}

static void homa_txpages_put__so_many(struct kunit *test)
{
	int i;

	for (i = 0; i < HOMA_TX_PAGES + 3; i++)
		homa_txpages_put(socket_of(test), new_page(test));
	KUNIT_EXPECT_EQ(test, kept(test), HOMA_TX_PAGES);
}

/* Who sends nothing keeps nothing: all are gone after two looks. */
static void homa_txpages_put__not_for_ever(struct kunit *test)
{
	struct homa_sock *hsk = socket_of(test);
	struct page_frag pf;
	struct page *old;
	int i;

	for (i = 0; i < 4; i++)
		homa_txpages_put(hsk, new_page(test));
	used_up(test, &pf);
	old = pf.page;
	KUNIT_EXPECT_TRUE(test, homa_txpages_refill(hsk, &pf, 100));
	put_page(old);
	put_page(pf.page);
	msleep(1500);
	KUNIT_EXPECT_EQ(test, kept(test), 3);
	msleep(1000);
	KUNIT_EXPECT_EQ(test, kept(test), 0);
}

static struct kunit_case txpages_cases[] = {
	KUNIT_CASE(homa_txpages_refill__takes_what_was_put),
	KUNIT_CASE(homa_txpages_refill__fragment_first),
	KUNIT_CASE(homa_txpages_put__shared_page),
	KUNIT_CASE(homa_txpages_put__small_page),
	KUNIT_CASE(homa_txpages_put__so_many),
	KUNIT_CASE(homa_txpages_put__not_for_ever),
	{}
};

static struct kunit_suite txpages_suite = {
	.name = "homa_txpages",
	.init = live_init,
	.exit = live_exit,
	.test_cases = txpages_cases,
};

kunit_test_suites(&txpages_suite);
