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
 * cgroup of a thread that sends by this socket. Who has sent nothing for a second or
 * two keeps none.
 */
#include <kunit/visibility.h>
#include <linux/mm.h>
#include <linux/skbuff.h>
#include <net/sock.h>

#include "net.h"
#include "sock.h"
#include "txpages.h"

/* Size of the pages that skb_page_frag_refill() finds when memory is not short. */
#define TX_PAGE_BYTES (PAGE_SIZE << get_order(32768))

/* After so long without use pages are given back. */
#define TX_PAGES_JIFFIES HZ

static void txpages_drop(struct homa_txpages *t)
{
	while (t->count) {
		WRITE_ONCE(t->count, t->count - 1);
		put_page(t->pages[t->count]);
	}
}

/* Gives the pages of a socket back, unless it has used some since the last time. */
static void txpages_look(struct homa_sock *hsk, void *arg)
{
	struct homa_txpages *t = &hsk->txpages;
	bool *left = arg;

	if (!READ_ONCE(t->count))
		return;
	spin_lock_bh(&t->lock);
	if (!t->used)
		txpages_drop(t);
	t->used = false;
	*left |= t->count;
	spin_unlock_bh(&t->lock);
}

static void txpages_work(struct work_struct *work)
{
	struct homa_net *hn = container_of(to_delayed_work(work),
					   struct homa_net, txpages);
	bool left = false;

	homa_sock_for_each(hn, txpages_look, &left);
	if (left)
		schedule_delayed_work(&hn->txpages, TX_PAGES_JIFFIES);
}

/**
 * homa_txpages_net_init() - prepare a host
 * @hn: host
 *
 * Context: process.
 * Return: 0
 */
int homa_txpages_net_init(struct homa_net *hn)
{
	INIT_DELAYED_WORK(&hn->txpages, txpages_work);
	return 0;
}

/**
 * homa_txpages_net_exit() - undo homa_txpages_net_init()
 * @hn: host; it has no sockets left
 *
 * Context: process, sleeps.
 */
void homa_txpages_net_exit(struct homa_net *hn)
{
	cancel_delayed_work_sync(&hn->txpages);
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
 * homa_txpages_free() - give a socket's pages back
 * @hsk: socket that nobody uses any more
 *
 * Context: any.
 */
void homa_txpages_free(struct homa_sock *hsk)
{
	txpages_drop(&hsk->txpages);
}

static struct page *txpages_get(struct homa_txpages *t)
{
	struct page *page = NULL;

	if (!READ_ONCE(t->count))
		return NULL;
	spin_lock_bh(&t->lock);
	if (t->count && page_to_nid(t->pages[t->count - 1]) == numa_mem_id()) {
		WRITE_ONCE(t->count, t->count - 1);
		page = t->pages[t->count];
		t->used = true;
	}
	spin_unlock_bh(&t->lock);
	return page;
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

	if (pf->page && page_ref_count(pf->page) != 1 &&
	    pf->offset + bytes > pf->size) {
		page = txpages_get(&hsk->txpages);
		if (page) {
			put_page(pf->page);
			pf->page = page;
			pf->offset = 0;
			pf->size = TX_PAGE_BYTES;
			return true;
		}
	}
	return skb_page_frag_refill(bytes, pf, GFP_KERNEL_ACCOUNT);
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
	bool first = false;

	if (!txpages_wanted(page) || READ_ONCE(t->count) == HOMA_TX_PAGES) {
		put_page(page);
		return;
	}
	spin_lock_bh(&t->lock);
	if (t->count < HOMA_TX_PAGES) {
		first = !t->count;
		t->pages[t->count] = page;
		WRITE_ONCE(t->count, t->count + 1);
		page = NULL;
	}
	spin_unlock_bh(&t->lock);
	if (page)
		put_page(page);
	else if (first)		/* does nothing if it runs already */
		schedule_delayed_work(&homa_sock_net(hsk)->txpages,
				      TX_PAGES_JIFFIES);
}
EXPORT_SYMBOL_IF_KUNIT(homa_txpages_put);
