// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/prio.c: levels of unscheduled and scheduled packets, and cutoffs. */

#include "host.h"
#include "sizes.h"

/* Sets number of levels and cutoffs as sysctl(8) would. */
static void prio_set(struct homa_net *hn, int num, const int *cutoffs)
{
	mutex_lock(&hn->sysctl.lock);
	if (cutoffs) {
		memcpy(hn->sysctl.unsched_cutoffs, cutoffs,
		       sizeof(hn->sysctl.unsched_cutoffs));
		homa_prio_cutoffs_written(hn);
	}
	if (num) {
		hn->sysctl.num_priorities = num;
		homa_prio_num_written(hn);
	}
	mutex_unlock(&hn->sysctl.lock);
}

struct derive_case {
	const char *desc;
	int num;
	int cutoffs[HOMA_MAX_PRIORITIES];
	int max_sched;
};

static const struct derive_case derive_cases[] = {
	{ "defaults", 8, { 0, 0, 0, 0, 1000000, 15000, 2800, 200 }, 3 },
	{ "one unscheduled", 8, { 0, 0, 0, 0, 0, 0, 0, 1000000 }, 6 },
	{ "all unscheduled", 8, { 0, 1000000, 7, 6, 5, 4, 3, 2 }, 0 },
	{ "highest that takes all", 8, { 0, 0, INT_MAX, 0, 0, 1000000 }, 4 },
	{ "none takes all", 8, { 0, 0, 0, 0, 999999, 15000, 2800, 200 }, 0 },
	{ "no cutoffs", 8, {}, 0 },
	{ "seven levels", 7, { 0, 0, 0, 0, 1000000, 15000, 2800, 200 }, 3 },
	{ "five levels", 5, { 0, 0, 0, 0, 1000000, 15000, 2800, 200 }, 3 },
	{ "four levels", 4, { 0, 0, 0, 0, 1000000, 15000, 2800, 200 }, 0 },
	{ "four of four", 4, { 0, 0, 1000000, 5000 }, 1 },
	{ "three levels", 3, { 0, 0, 1000000 }, 1 },
	{ "two levels", 2, { 0, 1000000 }, 0 },
	{ "one level", 1, { 0 }, 0 },
};

static void derive_desc(const struct derive_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(derive, derive_cases, derive_desc);

static void homa_prio_cutoffs_written__derives(struct kunit *test)
{
	const struct derive_case *param = test->param_value;
	struct homa_net *hn = test->priv;
	int i;

	prio_set(hn, param->num, param->cutoffs);
	KUNIT_EXPECT_EQ(test, hn->sysctl.max_sched_prio, param->max_sched);
	KUNIT_EXPECT_EQ(test, hn->sysctl.unsched_cutoffs[0], INT_MAX);
	for (i = 1; i < HOMA_MAX_PRIORITIES; i++)
		KUNIT_EXPECT_EQ(test, hn->sysctl.unsched_cutoffs[i],
				i < param->num ? param->cutoffs[i] : 0);
	KUNIT_EXPECT_EQ(test, homa_prio_highest(hn), param->num - 1);
}

static void homa_prio_cutoffs_written__version_wraps(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_cutoffs_hdr h;
	int i;

	hn->sysctl.cutoff_version = 0xfffd;
	for (i = 0; i < 4; i++) {
		static const int expected[] = { 0xfffe, 0xffff, 1, 2 };

		prio_set(hn, 8, NULL);
		KUNIT_EXPECT_EQ(test, hn->sysctl.cutoff_version, expected[i]);
		homa_prio_fill_cutoffs(hn, &h);
		KUNIT_EXPECT_EQ(test, ntohs(h.version), expected[i]);
	}
}

static void homa_prio_fill_cutoffs__values(struct kunit *test)
{
	static const int cutoffs[] = { 0, 0, 0, 0, 1000000, 15000, 2800, 200 };
	struct homa_cutoffs_hdr h;
	int i;

	prio_set(test->priv, 7, cutoffs);
	homa_prio_fill_cutoffs(test->priv, &h);
	KUNIT_EXPECT_EQ(test, ntohl(h.cutoffs[0]), (u32)INT_MAX);
	for (i = 1; i < 7; i++)
		KUNIT_EXPECT_EQ(test, ntohl(h.cutoffs[i]), (u32)cutoffs[i]);
	KUNIT_EXPECT_EQ(test, ntohl(h.cutoffs[7]), 0U);
}

struct unsched_case {
	const char *desc;
	u32 cutoffs[HOMA_MAX_PRIORITIES];
	int num;
	int length;
	int prio;
};

#define DEFAULT_CUTOFFS { INT_MAX, 0, 0, 0, 1000000, 15000, 2800, 200 }

static const struct unsched_case unsched_cases[] = {
	{ "one byte", DEFAULT_CUTOFFS, 8, 1, 7 },
	{ "at the first cutoff", DEFAULT_CUTOFFS, 8, 200, 7 },
	{ "above it", DEFAULT_CUTOFFS, 8, 201, 6 },
	{ "at the second", DEFAULT_CUTOFFS, 8, 2800, 6 },
	{ "above the second", DEFAULT_CUTOFFS, 8, 2801, 5 },
	{ "at the third", DEFAULT_CUTOFFS, 8, 15000, 5 },
	{ "above the third", DEFAULT_CUTOFFS, 8, 15001, 4 },
	{ "longest", DEFAULT_CUTOFFS, 8, 1000000, 4 },
	{ "large", DEFAULT_CUTOFFS, 8, 1000001, 4 },
	{ "largest", DEFAULT_CUTOFFS, 8, HOMA_MAX_LARGE_LENGTH, 4 },
	{ "seven levels here", DEFAULT_CUTOFFS, 7, 1, 6 },
	{ "five levels here", DEFAULT_CUTOFFS, 5, 1, 4 },
	{ "four levels here", DEFAULT_CUTOFFS, 4, 1, 0 },
	{ "one level here", DEFAULT_CUTOFFS, 1, 1, 0 },
	{ "peer without cutoffs", {}, 8, 1, 0 },
	{ "new peer", { 0, 0, 0, 0, 0, 0, INT_MAX, 0 }, 8, 1, 6 },
	{ "new peer, longest", { 0, 0, 0, 0, 0, 0, INT_MAX, 0 }, 8, 1000000, 6 },
	{ "new peer, seven levels here", { 0, 0, 0, 0, 0, 0, INT_MAX, 0 }, 7, 1, 6 },
	{ "new peer, six levels here", { 0, 0, 0, 0, 0, 0, INT_MAX, 0 }, 6, 1, 0 },
	{ "new peer, one level here", { 0, 0, 0, 0, 0, 0, INT_MAX, 0 }, 1, 1, 0 },
	{ "too long for all", { 0, 9, 9, 9, 9, 9, 9, 9 }, 8, 10, 0 },
	{ "not ascending", { 0, 0, 50, 10, 0, 20, 0, 5 }, 8, 15, 5 },
	{ "huge cutoff", { 0, 0, 0, 0, 0, 0, 0, 0xffffffff }, 8, 1000000, 7 },
};

static void unsched_desc(const struct unsched_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(unsched, unsched_cases, unsched_desc);

static void homa_prio_unsched__length(struct kunit *test)
{
	const struct unsched_case *param = test->param_value;
	struct homa_peer *peer = kunit_kzalloc(test, sizeof(*peer), GFP_KERNEL);
	struct homa_rpc *rpc = host_rpc(test, 2);

	KUNIT_ASSERT_NOT_NULL(test, peer);
	memcpy(peer->cutoffs, param->cutoffs, sizeof(peer->cutoffs));
	rpc->peer = peer;
	rpc->out.length = param->length;
	prio_set(test->priv, param->num, NULL);
	KUNIT_EXPECT_EQ(test, homa_prio_unsched(rpc), param->prio);
}

struct sched_case {
	int top;	/* max_sched_prio */
	int rank;
	int active;
	int prio;
};

static const struct sched_case sched_cases[] = {
	{ 3, 0, 1, 0 }, { 3, 0, 2, 1 }, { 3, 1, 2, 0 }, { 3, 0, 4, 3 },
	{ 3, 3, 4, 0 }, { 3, 0, 5, 3 }, { 3, 3, 5, 0 }, { 3, 4, 5, 0 },
	{ 3, 7, 8, 0 }, { 6, 0, 8, 6 }, { 6, 6, 8, 0 }, { 6, 7, 8, 0 },
	{ 0, 0, 1, 0 }, { 0, 7, 8, 0 }, { 6, 0, 1, 0 },
};

static void sched_desc(const struct sched_case *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "rank %d of %d, %d levels",
		 param->rank, param->active, param->top + 1);
}

KUNIT_ARRAY_PARAM(sched, sched_cases, sched_desc);

static void homa_prio_sched__rank(struct kunit *test)
{
	const struct sched_case *param = test->param_value;
	struct homa_net *hn = test->priv;

	hn->sysctl.max_sched_prio = param->top;
	KUNIT_EXPECT_EQ(test, homa_prio_sched(hn, param->rank, param->active),
			param->prio);
}

/* For all settings: never above the scheduled levels, more urgent messages
 * never below others, all apart and from 0 up if there are enough levels.
 */
static void homa_prio_sched__order(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	int top, active, rank, prio, last;

	for (top = 0; top < HOMA_MAX_PRIORITIES; top++) {
		hn->sysctl.max_sched_prio = top;
		for (active = 1; active <= HOMA_MAX_GRANTS; active++) {
			last = HOMA_MAX_PRIORITIES;
			for (rank = 0; rank < active; rank++) {
				prio = homa_prio_sched(hn, rank, active);
				KUNIT_EXPECT_LE(test, prio, top);
				if (active <= top + 1)
					KUNIT_EXPECT_LT(test, prio, last);
				else
					KUNIT_EXPECT_LE(test, prio, last);
				last = prio;
			}
			KUNIT_EXPECT_EQ(test, last, 0);
		}
	}
}

static void homa_prio_clamp__all(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	int num, prio;

	for (num = 1; num <= HOMA_MAX_PRIORITIES; num++) {
		prio_set(hn, num, NULL);
		for (prio = 0; prio < 256; prio++)
			KUNIT_EXPECT_EQ(test, homa_prio_clamp(hn, prio),
					min(prio, num - 1));
	}
}

static void homa_prio_tclass__maps(struct kunit *test)
{
	static const int map[] = { 7, 6, 5, 4, 3, 2, 1, 0 };
	struct homa_net *hn = test->priv;
	int i;

	for (i = 0; i < HOMA_MAX_PRIORITIES; i++)
		KUNIT_EXPECT_EQ(test, homa_prio_tclass(hn, i), i << 5);
	memcpy(hn->sysctl.priority_map, map, sizeof(map));
	for (i = 0; i < HOMA_MAX_PRIORITIES; i++)
		KUNIT_EXPECT_EQ(test, homa_prio_tclass(hn, i), (7 - i) << 5);
}

/* Has the host look at what it has counted so far. */
static void prio_look(struct homa_net *hn)
{
	schedule_work(&hn->prio.work);
	flush_work(&hn->prio.work);
}

/* A host receives messages of at most @limit unscheduled bytes. */
static void prio_observe(struct homa_net *hn, u32 length, u32 limit, int count)
{
	local_bh_disable();
	while (count--)
		homa_prio_observe(hn, length, min(length, limit));
	local_bh_enable();
}

static void prio_observe_all(struct homa_net *hn, const struct sizes *sizes,
			     u32 limit)
{
	for (; sizes->length; sizes++)
		prio_observe(hn, sizes->length, limit, sizes->count);
}

/* Receives @count messages of random sizes. */
static void prio_observe_some(struct homa_net *hn, const struct sizes *sizes,
			      struct rnd_state *rnd, int count)
{
	while (count--) {
		u32 left = prandom_u32_state(rnd) % SIZES_MESSAGES;
		const struct sizes *s = sizes;

		for (; s[1].length && left >= s->count; s++)
			left -= s->count;
		prio_observe(hn, s->length, 10000, 1);
	}
}

struct workload_case {
	const char *desc;
	const struct sizes *sizes;
	u32 limit;		/* unscheduled bytes of each message */
	int levels;
	int cutoffs[HOMA_MAX_PRIORITIES];	/* from the highest level down */
};

/* The paper (10 Gb/s, about 10 kB unscheduled) has 7 unscheduled levels of 8 in
 * W1 and one in W4 and W5, where we have half; the longest messages of W5 fill
 * one and leave the other. Cutoffs: shares of the bytes of 200,000 messages, sorted
 * by length.
 */
static const struct workload_case workload_cases[] = {
	{ "W1", sizes_w1, 10000, 7, { 181, 334, 518, 780, 1175, 2109 } },
	{ "W2", sizes_w2, 10000, 6, { 301, 366, 465, 1024, 2926 } },
	{ "W3", sizes_w3, 10000, 4, { 1090, 5306, 12705 } },
	{ "W4", sizes_w4, 10000, 4, { 43205, 60746, 142227 } },
	{ "W5", sizes_w5, 10000, 3, { 29584, 85995 } },
	{ "W1, 40 kB", sizes_w1, 40000, 7,
	  { 181, 334, 518, 780, 1210, 2172 } },
	{ "W2, 40 kB", sizes_w2, 40000, 7,
	  { 284, 366, 465, 731, 2048, 6302 } },
	{ "W3, 40 kB", sizes_w3, 40000, 4, { 2979, 11582, 46618 } },
	{ "W4, 40 kB", sizes_w4, 40000, 4, { 49084, 73522, 170072 } },
	{ "W5, 40 kB", sizes_w5, 40000, 3, { 50621, 270000 } },
	{ "nothing unscheduled", sizes_w3, 0, 1, {} },
};

static void workload_desc(const struct workload_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(workload, workload_cases, workload_desc);

/* Unscheduled bytes by level, the highest first, if cutoffs were as they are. */
static void prio_shares(struct homa_net *hn, const struct workload_case *param,
			u64 *shares)
{
	const struct sizes *s;
	int i = 7;

	for (s = param->sizes; s->length; s++) {
		while (i > 0 && hn->sysctl.unsched_cutoffs[i] < s->length)
			i--;
		shares[7 - i] += (u64)min(s->length, param->limit) * s->count;
	}
}

static void homa_prio_observe__workloads(struct kunit *test)
{
	const struct workload_case *param = test->param_value;
	u64 shares[HOMA_MAX_PRIORITIES] = {}, sum = 0;
	struct homa_net *hn = test->priv;
	int i;

	prio_observe_all(hn, param->sizes, param->limit);
	prio_look(hn);
	KUNIT_EXPECT_EQ(test, 7 - hn->sysctl.max_sched_prio, param->levels);
	KUNIT_EXPECT_EQ(test, hn->sysctl.cutoff_version, 2);
	KUNIT_EXPECT_EQ(test, host_counter(hn, cutoff_changes), 1ULL);
	for (i = 0; i < param->levels - 1; i++) {
		int got = hn->sysctl.unsched_cutoffs[7 - i];
		int want = param->cutoffs[i];

		KUNIT_EXPECT_GE_MSG(test, got * 10, want * 7, "level %d", 7 - i);
		KUNIT_EXPECT_LE_MSG(test, got * 10, want * 13, "level %d", 7 - i);
	}
	KUNIT_EXPECT_EQ(test, hn->sysctl.unsched_cutoffs[7 - i],
			HOMA_MAX_MESSAGE_LENGTH);
	while (++i < 7)
		KUNIT_EXPECT_EQ(test, hn->sysctl.unsched_cutoffs[7 - i], 0);

	prio_shares(hn, param, shares);
	for (i = 0; i < param->levels; i++)
		sum += shares[i];
	for (i = 0; i < param->levels; i++) {
		KUNIT_EXPECT_LE(test, 2 * shares[i] * param->levels, 3 * sum);
		KUNIT_EXPECT_GE(test, 2 * shares[i] * param->levels, sum);
	}
}

static void homa_prio_observe__too_few(struct kunit *test)
{
	struct homa_net *hn = test->priv;

	prio_observe(hn, 100, 10000, 99);
	prio_look(hn);
	KUNIT_EXPECT_EQ(test, hn->sysctl.cutoff_version, 1);
	KUNIT_EXPECT_EQ(test, hn->sysctl.max_sched_prio, 3);
	prio_observe(hn, 100, 10000, 1);
	prio_look(hn);
	KUNIT_EXPECT_EQ(test, hn->sysctl.cutoff_version, 2);
}

/* Packets alone start the work, and not each one. */
static void homa_prio_observe__starts_work(struct kunit *test)
{
	struct homa_net *hn = test->priv;

	hn->prio.next = jiffies + 1000;
	prio_observe(hn, 100, 10000, 200);
	KUNIT_EXPECT_FALSE(test, flush_work(&hn->prio.work));
	hn->prio.next = jiffies;
	hn->prio.interval = 1000;
	prio_observe(hn, 100, 10000, 1);
	flush_work(&hn->prio.work);
	KUNIT_EXPECT_EQ(test, hn->sysctl.cutoff_version, 2);
	KUNIT_EXPECT_TRUE(test, time_after(hn->prio.next, jiffies + 500));
	KUNIT_EXPECT_GE(test, hn->prio.interval, 8UL);
}

/* Levels that messages of one length do not need go to scheduled packets, but
 * for one for longer messages.
 */
static void homa_prio_observe__one_length(struct kunit *test)
{
	struct homa_net *hn = test->priv;

	prio_observe(hn, 100, 10000, 1000);
	prio_look(hn);
	KUNIT_EXPECT_GE(test, hn->sysctl.unsched_cutoffs[7], 100);
	KUNIT_EXPECT_LT(test, hn->sysctl.unsched_cutoffs[7], 110);
	KUNIT_EXPECT_EQ(test, hn->sysctl.unsched_cutoffs[6],
			HOMA_MAX_MESSAGE_LENGTH);
	KUNIT_EXPECT_EQ(test, hn->sysctl.max_sched_prio, 5);
}

/* All lengths there are: no message is without a level. */
static void homa_prio_observe__extreme_lengths(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	u32 length;

	for (length = 1; length < HOMA_MAX_MESSAGE_LENGTH; length += 1 + length / 50)
		prio_observe(hn, length, length / 2, 1);
	prio_observe(hn, HOMA_MAX_MESSAGE_LENGTH, HOMA_MAX_MESSAGE_LENGTH, 1);
	prio_look(hn);
	KUNIT_EXPECT_GE(test, hn->sysctl.max_sched_prio, 2);
	KUNIT_EXPECT_EQ(test,
			hn->sysctl.unsched_cutoffs[hn->sysctl.max_sched_prio + 1],
			HOMA_MAX_MESSAGE_LENGTH);
}

/* Random messages of one workload: cutoffs soon stay as they are. */
static void homa_prio_observe__steady(struct kunit *test)
{
	const struct workload_case *param = test->param_value;
	struct homa_net *hn = test->priv;
	struct rnd_state rnd;
	int i, version;

	prandom_seed_state(&rnd, 1);
	for (i = 0; i < 40; i++) {
		prio_observe_some(hn, param->sizes, &rnd, 500);
		prio_look(hn);
	}
	version = hn->sysctl.cutoff_version;
	KUNIT_EXPECT_LE(test, version, 10);
	for (i = 0; i < 100; i++) {
		prio_observe_some(hn, param->sizes, &rnd, 1000);
		prio_look(hn);
	}
	KUNIT_EXPECT_LE(test, hn->sysctl.cutoff_version, version + 2);
}

static void homa_prio_observe__follows(struct kunit *test)
{
	struct homa_net *hn = test->priv;

	prio_observe_all(hn, sizes_w5, 10000);
	prio_look(hn);
	KUNIT_EXPECT_EQ(test, hn->sysctl.max_sched_prio, 4);
	prio_observe_all(hn, sizes_w1, 10000);
	prio_observe_all(hn, sizes_w1, 10000);
	prio_look(hn);
	KUNIT_EXPECT_EQ(test, hn->sysctl.max_sched_prio, 4);
	while (hn->sysctl.max_sched_prio && hn->sysctl.cutoff_version < 30) {
		prio_observe_all(hn, sizes_w1, 10000);
		prio_look(hn);
	}
	KUNIT_EXPECT_EQ(test, hn->sysctl.max_sched_prio, 0);
}

/* Few messages come: the past counts less as time goes by. */
static void homa_prio_observe__follows_slowly(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	int i;

	prio_observe(hn, 1000000, 10000, 400);
	prio_look(hn);
	KUNIT_EXPECT_EQ(test, hn->sysctl.max_sched_prio, 6);
	for (i = 0; i < 3; i++) {
		prio_observe(hn, 100, 10000, 100);
		prio_look(hn);
	}
	KUNIT_EXPECT_EQ(test, hn->sysctl.max_sched_prio, 6);
	for (i = 0; i < 20; i++) {
		hn->prio.halved = jiffies - 11 * HZ;
		prio_observe(hn, 100, 10000, 100);
		prio_look(hn);
	}
	KUNIT_EXPECT_LT(test, hn->sysctl.max_sched_prio, 6);
}

/* What the user writes stays, until it is to be computed again. */
static void homa_prio_auto_written__pins(struct kunit *test)
{
	static const int cutoffs[] = { 0, 0, 0, 0, 1000000, 15000, 2800, 200 };
	struct homa_net *hn = test->priv;

	prio_set(hn, 0, cutoffs);
	KUNIT_EXPECT_EQ(test, hn->sysctl.auto_cutoffs, 0);
	prio_observe_all(hn, sizes_w1, 10000);
	prio_look(hn);
	KUNIT_EXPECT_EQ(test, hn->sysctl.cutoff_version, 2);
	KUNIT_EXPECT_EQ(test, hn->sysctl.unsched_cutoffs[7], 200);

	mutex_lock(&hn->sysctl.lock);
	hn->sysctl.auto_cutoffs = 1;
	homa_prio_auto_written(hn);
	mutex_unlock(&hn->sysctl.lock);
	KUNIT_EXPECT_EQ(test, hn->sysctl.cutoff_version, 3);
	KUNIT_EXPECT_EQ(test, hn->sysctl.max_sched_prio, 0);
}

/* For any number of levels, with and without knowledge: both kinds of packets
 * have a level if there are two, and what is above does not exist.
 */
static void homa_prio_num_written__computes(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	int *cutoffs = hn->sysctl.unsched_cutoffs;
	int knows, num, i, unsched;

	for (knows = 0; knows < 2; knows++) {
		for (num = 1; num <= HOMA_MAX_PRIORITIES; num++) {
			prio_set(hn, num, NULL);
			unsched = num - 1 - hn->sysctl.max_sched_prio;
			if (num > 1) {
				KUNIT_EXPECT_EQ(test, unsched,
						knows ? num - 1 : num / 2);
				KUNIT_EXPECT_EQ(test, cutoffs[num - unsched],
						HOMA_MAX_MESSAGE_LENGTH);
			}
			for (i = num; i < HOMA_MAX_PRIORITIES; i++)
				KUNIT_EXPECT_EQ(test, cutoffs[i], 0);
		}
		prio_observe_all(hn, sizes_w1, 10000);
		prio_look(hn);
	}
	KUNIT_EXPECT_EQ(test, hn->sysctl.auto_cutoffs, 1);
}

static struct kunit_case prio_cases[] = {
	KUNIT_CASE_PARAM(homa_prio_cutoffs_written__derives,
			 derive_gen_params),
	KUNIT_CASE(homa_prio_cutoffs_written__version_wraps),
	KUNIT_CASE(homa_prio_fill_cutoffs__values),
	KUNIT_CASE_PARAM(homa_prio_unsched__length, unsched_gen_params),
	KUNIT_CASE_PARAM(homa_prio_sched__rank, sched_gen_params),
	KUNIT_CASE(homa_prio_sched__order),
	KUNIT_CASE(homa_prio_clamp__all),
	KUNIT_CASE(homa_prio_tclass__maps),
	KUNIT_CASE_PARAM(homa_prio_observe__workloads, workload_gen_params),
	KUNIT_CASE_PARAM(homa_prio_observe__steady, workload_gen_params),
	KUNIT_CASE(homa_prio_observe__too_few),
	KUNIT_CASE(homa_prio_observe__starts_work),
	KUNIT_CASE(homa_prio_observe__one_length),
	KUNIT_CASE(homa_prio_observe__extreme_lengths),
	KUNIT_CASE(homa_prio_observe__follows),
	KUNIT_CASE(homa_prio_observe__follows_slowly),
	KUNIT_CASE(homa_prio_auto_written__pins),
	KUNIT_CASE(homa_prio_num_written__computes),
	{}
};

static struct kunit_suite prio_suite = {
	.name = "homa_prio",
	.init = host_init,
	.exit = host_exit,
	.test_cases = prio_cases,
};

kunit_test_suites(&prio_suite);
