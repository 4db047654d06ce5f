// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* The receive region: where messages lie, and pages in and out.
 *
 * desc: receive region: layout, pages in and out
 * lab: --no-topology
 * flavor: fast@quick debug
 */

#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99
#define PAGE HOMA_BPAGE_SIZE

static struct {
	int ns;
	char *buf;
} env;

struct pair {
	struct hsock server;
	struct hsock client;
	union haddr to;
};

/* The server gets the smallest region that fits all cases: 40 pages. */
static struct pair pair_open(void)
{
	struct pair p = {
		.server = hsock_sized(env.ns, ktap_family, 40 * PAGE),
		.client = hsock_open(env.ns, ktap_family),
		.to = haddr_of(ktap_family, ktap_family == AF_INET ?
			       "127.0.0.1" : "::1", PORT),
	};

	ASSERT_RC(hsock_bind(&p.server, PORT), 0);
	return p;
}

/* Sends a request and receives it at the server. */
static void deliver(struct pair *p, size_t len, struct hmsg *m)
{
	uint64_t id;

	payload_fill(env.buf, len, len);
	ASSERT_RC(hsock_request(&p->client, &p->to, env.buf, len, &id), 0);
	ASSERT_RC(hsock_recv_within(&p->server, m, 0, 3000), len);
	EXPECT(payload_ok(&p->server, m, len), "wrong bytes of %zu", len);
}

static void layout_of_200000_bytes(void)
{
	struct pair p = pair_open();
	int64_t before = hsock_avail(&p.server);
	struct hmsg m;

	EXPECT_EQ(before, 40 * PAGE);
	deliver(&p, 200000, &m);
	EXPECT_EQ(m.args.num_bpages, 4);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(m.args.bpage_offsets[i] % PAGE, 0);
	EXPECT(m.args.bpage_offsets[3] % PAGE + 3392 <= PAGE,
	       "last chunk crosses a page: offset %u", m.args.bpage_offsets[3]);
	for (int i = 0; i < 4; i++)
		for (int j = 0; j < i; j++)
			EXPECT(m.args.bpage_offsets[i] / PAGE !=
			       m.args.bpage_offsets[j] / PAGE,
			       "chunks %d and %d share a page", i, j);
	EXPECT_EQ(hsock_avail(&p.server), before - 3 * PAGE - 3392);
	EXPECT_RC(hsock_return(&p.server, &m), 0);
	EXPECT_GE(hsock_avail(&p.server), before - 3392);
}

static void number_of_pages_by_length(void)
{
	static const struct {
		size_t len;
		unsigned int pages;
	} rows[] = {
		{ 1, 1 }, { PAGE - 1, 1 }, { PAGE, 1 }, { PAGE + 1, 2 },
		{ 2 * PAGE, 2 }, { 15 * PAGE, 15 }, { 1000000, 16 },
	};
	struct pair p = pair_open();
	struct hmsg m;

	for (int i = 0; i < ARRAY_LEN(rows); i++) {
		ktap_label("%zu bytes", rows[i].len);
		deliver(&p, rows[i].len, &m);
		EXPECT_EQ(m.args.num_bpages, rows[i].pages);
		EXPECT_RC(hsock_return(&p.server, &m), 0);
	}
}

static void small_messages_share_a_page(void)
{
	struct pair p = pair_open();
	int64_t before = hsock_avail(&p.server);
	struct hmsg m[50];

	for (int i = 0; i < 50; i++)
		deliver(&p, 100, &m[i]);
	EXPECT_GE(hsock_avail(&p.server), before - 2 * PAGE);
	for (int i = 0; i < 50; i++) {
		EXPECT(payload_ok(&p.server, &m[i], 100), "overwritten");
		for (int j = 0; j < i; j++)
			EXPECT(m[i].args.bpage_offsets[0] !=
			       m[j].args.bpage_offsets[0], "same place");
	}
	for (int i = 0; i < 50; i++)
		EXPECT_RC(hsock_return(&p.server, &m[i]), 0);
}

static void pages_come_back_in_any_order(void)
{
	struct pair p = pair_open();
	struct hmsg m[3], back;
	int64_t before;

	for (int i = 0; i < 3; i++)
		deliver(&p, 3 * PAGE, &m[i]);
	before = hsock_avail(&p.server);
	memset(&back, 0, sizeof(back));
	for (int i = 0; i < 9; i++)
		back.args.bpage_offsets[8 - i] =
			m[i % 3].args.bpage_offsets[i / 3];
	back.args.num_bpages = 9;
	EXPECT_RC(hsock_recvmsg(&p.server, &back, MSG_DONTWAIT), -EAGAIN);
	EXPECT_EQ(hsock_avail(&p.server), before + 9 * PAGE);
}

static int give_back(const struct hsock *hs, uint64_t id, int num,
		     const uint32_t *offsets, unsigned int *num_after)
{
	struct hmsg back = { .args = { .id = id, .num_bpages = num } };

	memcpy(back.args.bpage_offsets, offsets, num * sizeof(*offsets));
	hsock_recvmsg(hs, &back, MSG_DONTWAIT);
	*num_after = back.args.num_bpages;
	return back.rc;
}

static void misuse_stops_at_the_first_bad_page(void)
{
	struct pair p = pair_open();
	int64_t before = hsock_avail(&p.server);
	unsigned int after;
	uint32_t list[4];
	struct hmsg m;

	deliver(&p, 3 * PAGE, &m);
	list[0] = m.args.bpage_offsets[0];
	list[1] = m.args.bpage_offsets[0];
	list[2] = m.args.bpage_offsets[1];
	EXPECT_RC(give_back(&p.server, 0, 3, list, &after), -EINVAL);
	EXPECT_EQ(after, 0);
	EXPECT_EQ(hsock_avail(&p.server), before - 2 * PAGE);
	EXPECT_RC(give_back(&p.server, 0, 1, list, &after), -EINVAL);
	list[0] = m.args.bpage_offsets[1];
	list[1] = 40 * PAGE;
	list[2] = m.args.bpage_offsets[2];
	EXPECT_RC(give_back(&p.server, 0, 3, list, &after), -EINVAL);
	EXPECT_EQ(hsock_avail(&p.server), before - PAGE);
	EXPECT_RC(give_back(&p.server, 0, 1, &list[2], &after), -EAGAIN);
	EXPECT_EQ(hsock_avail(&p.server), before);
}

static void misuse_of_offsets(void)
{
	static const uint32_t bad[] = {
		40 * PAGE, 41 * PAGE, 0x7fff0000, 0x80000000, 0xffff0000,
		0xffffffff, 0, 12345, 39 * PAGE,
	};
	struct pair p = pair_open();
	unsigned int after;
	struct hmsg m;

	for (int i = 0; i < ARRAY_LEN(bad); i++) {
		ktap_label("offset %x", bad[i]);
		EXPECT_RC(give_back(&p.server, 0, 1, &bad[i], &after),
			  -EINVAL);
		EXPECT_EQ(after, 0);
	}
	deliver(&p, 100000, &m);
	EXPECT_RC(hsock_return(&p.server, &m), 0);
}

/* Pages are taken back before the id is looked at. */
static void pages_come_back_before_a_bad_id(void)
{
	struct pair p = pair_open();
	unsigned int after;
	int64_t before;
	struct hmsg m;

	deliver(&p, PAGE, &m);
	before = hsock_avail(&p.server);
	EXPECT_RC(give_back(&p.server, 0x7776, 1, m.args.bpage_offsets,
			    &after), -EINVAL);
	EXPECT_EQ(hsock_avail(&p.server), before + PAGE);
}

/* Messages wait, shortest first, until pages come back; nobody times out. */
static void exhausted_region_recovers(void)
{
	struct pair p = pair_open();
	struct hmsg held[2], m;
	uint64_t big, small;

	for (int i = 0; i < 2; i++)
		deliver(&p, 1000000, &held[i]);
	payload_fill(env.buf, 900000, 1);
	ASSERT_RC(hsock_request(&p.client, &p.to, env.buf, 900000, &big), 0);
	payload_fill(env.buf, 700000, 2);
	ASSERT_RC(hsock_request(&p.client, &p.to, env.buf, 700000, &small), 0);
	EXPECT_RC(hsock_recv_within(&p.server, &m, 0, 250), -EAGAIN);
	EXPECT_RC(hsock_recv_within(&p.client, &m, 0, 0), -EAGAIN);
	EXPECT_RC(hsock_return(&p.server, &held[0]), 0);
	EXPECT_RC(hsock_recv_within(&p.server, &m, 0, 3000), 700000);
	EXPECT_EQ(m.args.id, small ^ 1);
	EXPECT(payload_ok(&p.server, &m, 2), "wrong bytes");
	EXPECT_RC(hsock_return(&p.server, &held[1]), 0);
	EXPECT_RC(hsock_return(&p.server, &m), 0);
	EXPECT_RC(hsock_recv_within(&p.server, &m, 0, 3000), 900000);
	EXPECT_EQ(m.args.id, big ^ 1);
	EXPECT(payload_ok(&p.server, &m, 1), "wrong bytes");
}

/* Whatever was received and given back, the region is whole again. */
static void nothing_is_lost_over_many_messages(void)
{
	struct pair p = pair_open();
	struct hmsg m;
	size_t len = 1;

	for (int i = 0; i < 150; i++) {
		len = (len * 7919 + 13) % 300000 + 1;
		deliver(&p, len, &m);
		ASSERT_RC(hsock_return(&p.server, &m), 0);
	}
	EXPECT_GE(hsock_avail(&p.server), 39 * PAGE);
}

/* Pages of a message that the application never saw come back by themselves. */
static void abandoned_messages_free_their_pages(void)
{
	struct pair p = pair_open();
	struct hmsg m;
	uint64_t id;

	ASSERT_RC(hsock_request(&p.client, &p.to, "x", 1, &id), 0);
	ASSERT_RC(hsock_recv_within(&p.server, &m, 0, 1000), 1);
	ASSERT_RC(hsock_reply(&p.server, &m.from, m.args.id, env.buf, 500000),
		  0);
	ASSERT(readable_within(p.client.fd, 1000), "no response");
	EXPECT_RC(hsock_abort(&p.client, 0, 0), 0);
	EXPECT(WAIT_FOR(hsock_avail(&p.client) >= (16 << 20) - PAGE, 1000),
	       "only %lld bytes are free", (long long)hsock_avail(&p.client));
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_EACH(layout_of_200000_bytes),
		KTAP_EACH(number_of_pages_by_length),
		KTAP_EACH(small_messages_share_a_page),
		KTAP_EACH(pages_come_back_in_any_order),
		KTAP_EACH(misuse_stops_at_the_first_bad_page),
		KTAP_EACH(misuse_of_offsets),
		KTAP_EACH(pages_come_back_before_a_bad_id),
		KTAP_EACH(exhausted_region_recovers),
		KTAP_EACH(nothing_is_lost_over_many_messages),
		KTAP_EACH(abandoned_messages_free_their_pages),
	};

	env.ns = ns_new();
	env.buf = calloc(1, HOMA_MAX_MESSAGE_LENGTH);
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
