// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/txpages.c: which pages a socket keeps, and until when. */

#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/shrinker.h>

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

/* Puts @n pages there, the host being one that keeps @floor of them without need and
 * gives @rate of the others back in a second.
 */
static void keep(struct kunit *test, int n, int floor, int rate)
{
	struct homa_sysctls *s = &socket_of(test)->hn->sysctl;
	int i;

	KUNIT_ASSERT_EQ(test, atomic_read(&socket_of(test)->hn->txpool.count), 0);
	cancel_delayed_work_sync(&socket_of(test)->hn->txpool.work);
	s->skb_page_pool_min_kb = floor * (PAGE_SIZE >> 10 << get_order(32768));
	s->skb_page_frees_per_sec = rate;
	for (i = 0; i < n; i++)
		homa_txpages_put(socket_of(test), new_page(test));
}

static bool is_looked_at(struct kunit *test)
{
	return delayed_work_pending(&socket_of(test)->hn->txpool.work);
}

/* Who sends nothing keeps nothing: all are gone after two looks. */
static void homa_txpages_put__not_for_ever(struct kunit *test)
{
	struct homa_sock *hsk = socket_of(test);
	struct page_frag pf;
	struct page *old;

	keep(test, 4, 0, 1000);
	used_up(test, &pf);
	old = pf.page;
	KUNIT_EXPECT_TRUE(test, homa_txpages_refill(hsk, &pf, 100));
	put_page(old);
	put_page(pf.page);
	msleep(1500);
	KUNIT_EXPECT_EQ(test, kept(test), 3);
	msleep(1000);
	KUNIT_EXPECT_EQ(test, kept(test), 0);
	KUNIT_EXPECT_FALSE(test, is_looked_at(test));
}

/* Pages that were taken since the last look are needed. */
static void homa_txpages_look__only_idle_ones(struct kunit *test)
{
	struct homa_sock *hsk = socket_of(test);
	struct page *old[3];
	struct page_frag pf;
	int i;

	keep(test, 5, 0, 1000);
	msleep(1500);
	used_up(test, &pf);
	for (i = 0; i < ARRAY_SIZE(old); i++) {
		old[i] = pf.page;
		get_page(pf.page);
		pf.offset = pf.size;
		KUNIT_EXPECT_TRUE(test, homa_txpages_refill(hsk, &pf, 100));
	}
	put_page(old[0]);
	put_page(old[0]);
	homa_txpages_put(hsk, old[1]);
	homa_txpages_put(hsk, old[2]);
	homa_txpages_put(hsk, pf.page);
	KUNIT_EXPECT_EQ(test, kept(test), 5);
	msleep(1000);
	KUNIT_EXPECT_EQ(test, kept(test), 3);
	msleep(1000);
	KUNIT_EXPECT_EQ(test, kept(test), 0);
}

static void homa_txpages_look__floor(struct kunit *test)
{
	keep(test, 5, 2, 1000);
	KUNIT_EXPECT_TRUE(test, is_looked_at(test));
	msleep(3500);
	KUNIT_EXPECT_EQ(test, kept(test), 2);
	KUNIT_EXPECT_FALSE(test, is_looked_at(test));
}

/* A host that keeps no more than it may has no timer. */
static void homa_txpages_look__nothing_to_do(struct kunit *test)
{
	keep(test, 2, 2, 1000);
	KUNIT_EXPECT_FALSE(test, is_looked_at(test));
}

static void homa_txpages_look__rate(struct kunit *test)
{
	keep(test, 7, 0, 2);
	msleep(2500);
	KUNIT_EXPECT_EQ(test, kept(test), 5);
	msleep(1000);
	KUNIT_EXPECT_EQ(test, kept(test), 3);
}

static void homa_txpages_look__rate_0(struct kunit *test)
{
	keep(test, 3, 0, 0);
	KUNIT_EXPECT_FALSE(test, is_looked_at(test));
	socket_of(test)->hn->sysctl.skb_page_frees_per_sec = 1;
	homa_txpages_look(socket_of(test)->hn);
	KUNIT_EXPECT_TRUE(test, is_looked_at(test));
}

/* Short of memory: those that were used longest ago go first, in units of 4 kB. */
static void homa_txpages__shrinker(struct kunit *test)
{
	struct shrinker *s = socket_of(test)->hn->txpool.shrinker;
	struct shrink_control sc = { .gfp_mask = GFP_KERNEL };
	unsigned long unit = 1UL << get_order(32768);
	struct page *last;

	KUNIT_EXPECT_EQ(test, s->count_objects(s, &sc), SHRINK_EMPTY);
	keep(test, 4, 1000, 1000);
	last = socket_of(test)->txpages.pages[3];
	KUNIT_EXPECT_EQ(test, s->count_objects(s, &sc), 4 * unit);
	sc.nr_to_scan = 2 * unit + 1;
	KUNIT_EXPECT_EQ(test, s->scan_objects(s, &sc), 3 * unit);
	KUNIT_EXPECT_EQ(test, kept(test), 1);
	KUNIT_EXPECT_PTR_EQ(test, socket_of(test)->txpages.pages[0], last);
	sc.nr_to_scan = 128;
	KUNIT_EXPECT_EQ(test, s->scan_objects(s, &sc), unit);
	KUNIT_EXPECT_EQ(test, s->count_objects(s, &sc), SHRINK_EMPTY);
}

/* A dead socket gives all back, and keeps nothing of messages that end later. */
static void homa_txpages_stop__keeps_nothing(struct kunit *test)
{
	struct homa_sock *hsk = socket_of(test);

	keep(test, 4, 1000, 1000);
	homa_sock_shutdown(hsk);
	KUNIT_EXPECT_EQ(test, kept(test), 0);
	homa_txpages_put(hsk, new_page(test));
	KUNIT_EXPECT_EQ(test, kept(test), 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&hsk->hn->txpool.count), 0);
}

static struct kunit_case txpages_cases[] = {
	KUNIT_CASE(homa_txpages_refill__takes_what_was_put),
	KUNIT_CASE(homa_txpages_refill__fragment_first),
	KUNIT_CASE(homa_txpages_put__shared_page),
	KUNIT_CASE(homa_txpages_put__small_page),
	KUNIT_CASE(homa_txpages_put__so_many),
	KUNIT_CASE(homa_txpages_put__not_for_ever),
	KUNIT_CASE(homa_txpages_look__only_idle_ones),
	KUNIT_CASE(homa_txpages_look__floor),
	KUNIT_CASE(homa_txpages_look__nothing_to_do),
	KUNIT_CASE(homa_txpages_look__rate),
	KUNIT_CASE(homa_txpages_look__rate_0),
	KUNIT_CASE(homa_txpages__shrinker),
	KUNIT_CASE(homa_txpages_stop__keeps_nothing),
	{}
};

static struct kunit_suite txpages_suite = {
	.name = "homa_txpages",
	.init = live_init,
	.exit = live_exit,
	.test_cases = txpages_cases,
};

kunit_test_suites(&txpages_suite);
