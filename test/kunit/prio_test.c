// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/prio.c: levels of unscheduled and scheduled packets, and cutoffs. */

#include "host.h"

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
	{ "seven levels here", DEFAULT_CUTOFFS, 7, 1, 6 },
	{ "five levels here", DEFAULT_CUTOFFS, 5, 1, 4 },
	{ "four levels here", DEFAULT_CUTOFFS, 4, 1, 0 },
	{ "one level here", DEFAULT_CUTOFFS, 1, 1, 0 },
	{ "peer without cutoffs", {}, 8, 1, 0 },
	{ "new peer", { 0, 0, 0, 0, 0, 0, INT_MAX, 0 }, 8, 1, 6 },
	{ "new peer, longest", { 0, 0, 0, 0, 0, 0, INT_MAX, 0 }, 8, 1000000, 6 },
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
	{}
};

static struct kunit_suite prio_suite = {
	.name = "homa_prio",
	.init = host_init,
	.exit = host_exit,
	.test_cases = prio_cases,
};

kunit_test_suites(&prio_suite);
