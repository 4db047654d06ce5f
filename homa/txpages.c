// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Pages of messages that were sent, for the next ones.
 *
 * A page that the kernel hands out is cleared first on most machines, and finding and
 * freeing it costs as much again: together nearly half of what a long message costs
 * beside copying. So a socket keeps some of the pages that its messages were copied
 * to, once nobody else has them: no packet in a device, no receiver on this machine.
 * What was in them is never sent again, for a message is copied over it first.
 *
 * They are what threads take fragments from (task_frag), and were charged to the
 * cgroup of a thread that sends by this socket. So no socket gives them to another one:
 * that could be of another cgroup, and would use memory that it has not paid for.
 *
 * How much is kept is a matter of the host: its sockets together keep what they like,
 * but while that is more than net.homa.skb_page_pool_min_kb, those pages that were not
 * needed for a second are given back, so many a second as skb_page_frees_per_sec says.
 * When the machine is short of memory, all are (the shrinker). Who has no more than the
 * minimum has no timer for it.
 */
#include <kunit/visibility.h>
#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/skbuff.h>
#include <net/sock.h>

#include "net.h"
#include "sock.h"
#include "txpages.h"

/* Size of the pages that skb_page_frag_refill() finds when memory is not short. */
#define TX_PAGE_ORDER get_order(32768)
#define TX_PAGE_BYTES (PAGE_SIZE << TX_PAGE_ORDER)

/* Pages that a host keeps and need not. */
static int txpages_spare(struct homa_net *hn)
{
	u64 floor = READ_ONCE(hn->sysctl.skb_page_pool_min_kb) * 1024ULL;

	return atomic_read(&hn->txpool.count) -
	       (int)div_u64(floor, TX_PAGE_BYTES);
}

/* Gives the pages back that were not used for longest, @n of a socket's. */
static void txpages_drop(struct homa_sock *hsk, int n)
{
	struct homa_txpages *t = &hsk->txpages;
	struct homa_net *hn = homa_sock_net(hsk);
	int i;

	lockdep_assert_held(&t->lock);
	if (!n)
		return;
	for (i = 0; i < n; i++)
		put_page(t->pages[i]);
	WRITE_ONCE(t->count, t->count - n);
	memmove(t->pages, t->pages + n, t->count * sizeof(*t->pages));
	t->idle = min(t->idle, t->count);
	atomic_sub(n, &hn->txpool.count);
	homa_metric_add(hn, skb_page_frees, n);
}

/**
 * struct txpages_back - pages to be given back
 * @left: so many
 * @all: also those that were used lately
 */
struct txpages_back {
	int left;
	bool all;
};

static void txpages_give_back(struct homa_sock *hsk, void *arg)
{
	struct homa_txpages *t = &hsk->txpages;
	struct txpages_back *back = arg;
	int n;

	if (!READ_ONCE(t->count))
		return;
	spin_lock_bh(&t->lock);
	n = min(back->all ? t->count : t->idle, back->left);
	txpages_drop(hsk, n);
	back->left -= n;
	if (!back->all)
		t->idle = t->count;
	spin_unlock_bh(&t->lock);
}

/**
 * homa_txpages_look() - pages may have to be given back
 * @hn: host; it keeps more pages, or its settings are new
 *
 * Context: any.
 */
void homa_txpages_look(struct homa_net *hn)
{
	if (txpages_spare(hn) > 0 &&
	    READ_ONCE(hn->sysctl.skb_page_frees_per_sec) &&
	    !delayed_work_pending(&hn->txpool.work))
		schedule_delayed_work(&hn->txpool.work, HZ);
}
EXPORT_SYMBOL_IF_KUNIT(homa_txpages_look);

/* Once a second while there are too many. */
static void txpages_work(struct work_struct *work)
{
	struct homa_net *hn = container_of(to_delayed_work(work),
					   struct homa_net, txpool.work);
	int left = min(txpages_spare(hn),
		       READ_ONCE(hn->sysctl.skb_page_frees_per_sec));
	struct txpages_back back = { .left = max(left, 0) };

	homa_sock_for_each(hn, txpages_give_back, &back);
	homa_txpages_look(hn);
}

/* What the kernel reckons with are pages of the usual size. */
static unsigned long txpages_count(struct shrinker *shrinker,
				   struct shrink_control *sc)
{
	struct homa_net *hn = homa_shrinker_owner(shrinker);
	unsigned long n = atomic_read(&hn->txpool.count);

	return n ? n << TX_PAGE_ORDER : SHRINK_EMPTY;
}

static unsigned long txpages_scan(struct shrinker *shrinker,
				  struct shrink_control *sc)
{
	struct homa_net *hn = homa_shrinker_owner(shrinker);
	int wanted = min_t(unsigned long, INT_MAX,
			   DIV_ROUND_UP(sc->nr_to_scan, 1UL << TX_PAGE_ORDER));
	struct txpages_back back = { .left = wanted, .all = true };

	homa_sock_for_each(hn, txpages_give_back, &back);
	return (unsigned long)(wanted - back.left) << TX_PAGE_ORDER;
}

/**
 * homa_txpages_net_init() - prepare a host
 * @hn: host
 *
 * Context: process, sleeps.
 * Return: 0 or -ENOMEM
 */
int homa_txpages_net_init(struct homa_net *hn)
{
	struct shrinker *shrinker = shrinker_alloc(0, "homa-txpages");
	int err;

	if (!shrinker)
		return -ENOMEM;
	atomic_set(&hn->txpool.count, 0);
	INIT_DELAYED_WORK(&hn->txpool.work, txpages_work);
	shrinker->count_objects = txpages_count;
	shrinker->scan_objects = txpages_scan;
	shrinker->seeks = DEFAULT_SEEKS;
	err = homa_shrinker_register(shrinker, hn, "homa-txpages");
	if (err)
		shrinker_free(shrinker);
	else
		hn->txpool.shrinker = shrinker;
	return err;
}

/**
 * homa_txpages_net_exit() - undo homa_txpages_net_init()
 * @hn: host; it has no sockets left, and its settings are gone
 *
 * Context: process, sleeps.
 */
void homa_txpages_net_exit(struct homa_net *hn)
{
	shrinker_free(hn->txpool.shrinker);
	cancel_delayed_work_sync(&hn->txpool.work);
}

/**
 * homa_txpages_init() - prepare a socket, which has no pages yet
 * @hsk: socket, zeroed
 *
 * Context: any.
 */
void homa_txpages_init(struct homa_sock *hsk)
{
	spin_lock_init(&hsk->txpages.lock);
}

/**
 * homa_txpages_stop() - give a socket's pages back; it keeps no others
 * @hsk: socket; @hsk->shutdown is set, as homa_txpages_put() sees afterwards
 *
 * Context: any.
 */
void homa_txpages_stop(struct homa_sock *hsk)
{
	spin_lock_bh(&hsk->txpages.lock);
	txpages_drop(hsk, hsk->txpages.count);
	spin_unlock_bh(&hsk->txpages.lock);
}

/* Takes the page that was used last, of those that are near. */
static struct page *txpages_get(struct homa_sock *hsk)
{
	struct homa_txpages *t = &hsk->txpages;
	struct homa_net *hn = homa_sock_net(hsk);
	struct page *page = NULL;
	int i;

	if (!READ_ONCE(t->count))
		return NULL;
	spin_lock_bh(&t->lock);
	for (i = t->count - 1; i >= 0; i--) {
		if (page_to_nid(t->pages[i]) != numa_mem_id())
			continue;
		page = t->pages[i];
		WRITE_ONCE(t->count, t->count - 1);
		t->pages[i] = t->pages[t->count];
		t->idle = min(t->idle, t->count);
		atomic_dec(&hn->txpool.count);
		homa_metric_inc(hn, skb_page_reuses);
		break;
	}
	spin_unlock_bh(&t->lock);
	return page;
}

static bool txpages_alloc(struct homa_net *hn, struct page_frag *pf, u32 bytes)
{
	u64 start = homa_now();

	if (!skb_page_frag_refill(bytes, pf, GFP_KERNEL_ACCOUNT))
		return false;
	homa_metric_inc(hn, skb_page_allocs);
	homa_metric_add(hn, skb_page_alloc_cycles, homa_now() - start);
	return true;
}

/**
 * homa_txpages_refill() - make sure that a thread has memory for part of a message
 * @hsk: socket that the message is sent by
 * @pf: the thread's fragment
 * @bytes: room wanted in it, a page at most
 *
 * As skb_page_frag_refill(), but takes a page that the socket keeps if it can.
 *
 * Context: process, sleeps.
 * Return: false: there is no memory
 */
bool homa_txpages_refill(struct homa_sock *hsk, struct page_frag *pf, u32 bytes)
{
	struct page *page;

	if (pf->page) {
		if (page_ref_count(pf->page) == 1) {
			pf->offset = 0;
			return true;
		}
		if (pf->offset + bytes <= pf->size)
			return true;
		page = txpages_get(hsk);
		if (page) {
			put_page(pf->page);
			pf->page = page;
			pf->offset = 0;
			pf->size = TX_PAGE_BYTES;
			return true;
		}
	}
	return txpages_alloc(homa_sock_net(hsk), pf, bytes);
}
EXPORT_SYMBOL_IF_KUNIT(homa_txpages_refill);

/* Has nobody but the caller the page, and is it of the kind that is kept? */
static bool txpages_wanted(struct page *page)
{
	return page_ref_count(page) == 1 &&
	       page_size(page) == TX_PAGE_BYTES &&
	       !page_is_pfmemalloc(page);
}

/**
 * homa_txpages_put() - a message does not need a page any more
 * @hsk: socket that the message was sent by
 * @page: page of homa_txpages_refill(); the caller's reference is taken over
 *
 * Context: any.
 */
void homa_txpages_put(struct homa_sock *hsk, struct page *page)
{
	struct homa_txpages *t = &hsk->txpages;
	struct homa_net *hn = homa_sock_net(hsk);

	if (!txpages_wanted(page) || READ_ONCE(t->count) == HOMA_TX_PAGES) {
		put_page(page);
		return;
	}
	spin_lock_bh(&t->lock);
	if (t->count < HOMA_TX_PAGES && !READ_ONCE(hsk->shutdown)) {
		t->pages[t->count] = page;
		WRITE_ONCE(t->count, t->count + 1);
		atomic_inc(&hn->txpool.count);
		page = NULL;
	}
	spin_unlock_bh(&t->lock);
	if (page)
		put_page(page);
	else
		homa_txpages_look(hn);
}
EXPORT_SYMBOL_IF_KUNIT(homa_txpages_put);
