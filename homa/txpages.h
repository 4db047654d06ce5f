/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Pages of messages that were sent, for the next ones. */
#ifndef _HOMA_TXPAGES_H
#define _HOMA_TXPAGES_H

#include <linux/spinlock.h>
#include <linux/types.h>

struct homa_net;
struct homa_sock;
struct page;
struct page_frag;

/* What a socket keeps at most: enough for the longest message that needs no leave. */
#define HOMA_TX_PAGES 32

/**
 * struct homa_txpages - pages that a socket keeps
 * @lock: protects what follows
 * @count: entries in @pages; READ_ONCE
 * @idle: so many at least were there all the time since they were last looked at
 * @pages: fragments' pages (TX_PAGE_BYTES) that nobody else has, those first that
 *	have been there for longest
 */
struct homa_txpages {
	spinlock_t lock;
	int count;
	int idle;
	struct page *pages[HOMA_TX_PAGES];
};

int homa_txpages_net_init(struct homa_net *hn);
void homa_txpages_net_exit(struct homa_net *hn);
void homa_txpages_look(struct homa_net *hn);
void homa_txpages_init(struct homa_sock *hsk);
void homa_txpages_stop(struct homa_sock *hsk);

bool homa_txpages_refill(struct homa_sock *hsk, struct page_frag *pf, u32 bytes);
void homa_txpages_put(struct homa_sock *hsk, struct page *page);

#endif /* _HOMA_TXPAGES_H */
