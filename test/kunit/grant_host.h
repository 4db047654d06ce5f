/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* A scheduler of grants without a network, for grant_test.c and grant_random_test.c. */
#ifndef _GRANT_HOST_H
#define _GRANT_HOST_H

#include "dev.h"
#include "host.h"

#define MAX_MESSAGES 20
#define MAX_SENDERS 6

/* The device of a case, and what is tested. */
static struct homa_dev *device;
static struct homa_grants *grants;

/* Bytes of a message that have arrived. */
static inline u32 received(const struct homa_rpc *rpc)
{
	return rpc->in.length - rpc->in.left;
}

/* Data has arrived. The batch's references are gone afterwards. */
static inline void update(struct homa_rpc *rpc, u32 bytes,
			  struct homa_grant_batch *batch)
{
	int i;

	batch->count = 0;
	spin_lock_bh(&rpc->lock);
	rpc->in.left -= bytes;
	homa_grant_update(rpc, batch);
	spin_unlock_bh(&rpc->lock);
	for (i = 0; i < batch->count; i++)
		refcount_dec(&batch->grants[i].rpc->refs);
}

static inline void remove(struct homa_rpc *rpc)
{
	spin_lock_bh(&rpc->lock);
	homa_grant_remove(rpc);
	spin_unlock_bh(&rpc->lock);
}

static inline struct homa_peer *sender(struct kunit *test)
{
	struct homa_peer *peer = kunit_kzalloc(test, sizeof(*peer), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, peer);
	spin_lock_init(&peer->lock);
	return peer;
}

/* Bytes that a message may send and that have not arrived. */
static inline u32 outstanding_of(const struct homa_rpc *rpc)
{
	return max(rpc->in.granted, received(rpc)) - received(rpc);
}

/* A message of which nothing has arrived. Those with larger numbers are
 * younger.
 */
static inline struct homa_rpc *message_of(struct kunit *test,
					  struct homa_peer *peer, u64 number,
					  u32 length, u32 unscheduled)
{
	struct homa_rpc *rpc = host_rpc(test, 2 * number);

	rpc->peer = peer;
	rpc->in.length = length;
	rpc->in.left = length;
	rpc->in.unsched = unscheduled;
	rpc->in.granted = unscheduled;
	rpc->in.scheduled = unscheduled < length;
	spin_lock_bh(&rpc->lock);
	if (rpc->in.scheduled)
		homa_grant_start(rpc, device);
	spin_unlock_bh(&rpc->lock);
	return rpc;
}

/* One from a sender of its own, of which nothing is unscheduled. */
static inline struct homa_rpc *message(struct kunit *test, u64 number, u32 length)
{
	return message_of(test, sender(test), number, length, 0);
}

/* As if so much were on its way already that nobody gets a grant. */
static inline void hold(void)
{
	grants->incoming += S32_MAX;
}

static inline void let_go(void)
{
	grants->incoming -= S32_MAX;
}

/* A message that is known to the scheduler, which is on hold. */
static inline struct homa_rpc *waiting(struct kunit *test, u64 number, u32 length)
{
	struct homa_rpc *rpc = message(test, number, length);
	struct homa_grant_batch batch;

	update(rpc, 0, &batch);
	KUNIT_EXPECT_EQ(test, batch.count, 0);
	return rpc;
}

/* Each slot holds an active message, in order of rank. */
static inline void check_slots(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	const struct homa_grants *g = grants;
	int i;

	KUNIT_EXPECT_LE(test, g->active, hn->sysctl.max_overcommit);
	if (g->active < hn->sysctl.max_overcommit)
		KUNIT_EXPECT_TRUE(test, RB_EMPTY_ROOT(&g->peers.rb_root));
	for (i = 0; i < g->active; i++) {
		const struct homa_grant_slot *slot = &g->slots[i];

		KUNIT_EXPECT_EQ(test, (int)slot->rpc->grant.state,
				(int)HOMA_GRANT_ACTIVE);
		KUNIT_EXPECT_EQ(test, slot->left, slot->rpc->in.left);
		KUNIT_EXPECT_PTR_EQ(test, slot->peer, slot->rpc->peer);
		if (i)
			KUNIT_EXPECT_LE(test, slot[-1].left, slot->left);
	}
}

/* Nobody holds two slots while another sender has none and needs one. */
static inline void check_fairness(struct kunit *test, struct homa_rpc **rpcs, int n)
{
	u32 most = 0, fewest = U32_MAX;
	int i;

	for (i = 0; i < n; i++) {
		if (!rpcs[i])
			continue;
		if (rpcs[i]->grant.state == HOMA_GRANT_ACTIVE)
			most = max(most, rpcs[i]->peer->grant.held);
		if (rpcs[i]->grant.state == HOMA_GRANT_WAITING)
			fewest = min(fewest, rpcs[i]->peer->grant.held);
	}
	KUNIT_EXPECT_FALSE(test, most > 1 && fewest == 0);
}

/* The invariants of grant.c. */
static inline void check_scheduler(struct kunit *test, struct homa_rpc **rpcs, int n)
{
	s64 incoming = 0, unsched = 0, stalled = 0;
	int i, count = 0;

	check_slots(test);
	check_fairness(test, rpcs, n);
	for (i = 0; i < n; i++) {
		const struct homa_rpc *rpc = rpcs[i];

		if (!rpc || rpc->grant.state == HOMA_GRANT_NONE)
			continue;
		count += rpc->grant.state != HOMA_GRANT_FULL;
		incoming += rpc->grant.incoming;
		unsched += rpc->grant.unsched;
		stalled += rpc->grant.stalled;
		KUNIT_EXPECT_EQ(test, rpc->grant.state == HOMA_GRANT_FULL,
				rpc->in.granted >= (u32)rpc->in.length);
	}
	KUNIT_EXPECT_EQ(test, grants->count, count);
	KUNIT_EXPECT_EQ(test, grants->incoming, incoming);
	KUNIT_EXPECT_EQ(test, grants->unsched, unsched);
	KUNIT_EXPECT_EQ(test, grants->stalled, stalled);
}

static inline int grant_init(struct kunit *test)
{
	int err = host_init(test);

	if (err)
		return err;
	device = kunit_kzalloc(test, sizeof(*device), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, device);
	device->hn = test->priv;
	refcount_set(&device->refs, 1);
	grants = &device->grants;
	homa_grant_init(grants, test->priv);
	return 0;
}

static inline void grant_exit(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, refcount_read(&device->refs), 1U);
	homa_grant_exit(grants);
	host_exit(test);
}

#endif /* _GRANT_HOST_H */
