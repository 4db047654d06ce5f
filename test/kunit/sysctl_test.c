// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/sysctl.c: names, defaults, ranges, and what writing does. */

#include <kunit/test.h>
#include <linux/mm.h>
#include <linux/sysctl.h>
#include <net/net_namespace.h>

#include "net.h"

/* A host that is not registered anywhere, and its knobs. */
struct knobs {
	struct homa_net hn;
	struct ctl_table *table;
	size_t rows;
	bool ready;
};

static int sysctl_test_init(struct kunit *test)
{
	struct knobs *knobs = kunit_kzalloc(test, sizeof(*knobs), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, knobs);
	test->priv = knobs;
	knobs->hn.net = &init_net;
	tt_host_init(&knobs->hn.tt);
	KUNIT_ASSERT_EQ(test, homa_metrics_net_init(&knobs->hn), 0);
	KUNIT_ASSERT_EQ(test, homa_sysctl_init(&knobs->hn), 0);
	knobs->ready = true;
	knobs->table = homa_sysctl_table_alloc(&knobs->hn, &knobs->rows);
	KUNIT_ASSERT_NOT_NULL(test, knobs->table);
	return 0;
}

static void sysctl_test_exit(struct kunit *test)
{
	struct knobs *knobs = test->priv;

	if (!knobs)
		return;
	kfree(knobs->table);
	if (knobs->ready)
		homa_sysctl_exit(&knobs->hn);
	homa_metrics_net_exit(&knobs->hn);
}

static struct ctl_table *row_find(struct knobs *knobs, const char *name)
{
	size_t i;

	for (i = 0; i < knobs->rows; i++) {
		if (!strcmp(knobs->table[i].procname, name))
			return &knobs->table[i];
	}
	return NULL;
}

/* Like echo: the errno. */
static int knob_write(struct kunit *test, const char *name, const char *text)
{
	struct ctl_table *row = row_find(test->priv, name);
	size_t length = strlen(text);
	loff_t pos = 0;
	char buffer[200];

	KUNIT_ASSERT_NOT_NULL(test, row);
	strscpy(buffer, text, sizeof(buffer));
	return row->proc_handler(row, 1, buffer, &length, &pos);
}

/* Like cat, with spaces for tabs and no newline. */
static const char *knob_read(struct kunit *test, const char *name)
{
	struct ctl_table *row = row_find(test->priv, name);
	const size_t size = 4096;
	char *buffer = kunit_kzalloc(test, size, GFP_KERNEL);
	size_t length = size - 1;
	loff_t pos = 0;

	KUNIT_ASSERT_NOT_NULL(test, row);
	KUNIT_ASSERT_NOT_NULL(test, buffer);
	KUNIT_ASSERT_EQ(test, row->proc_handler(row, 0, buffer, &length, &pos), 0);
	buffer[length] = 0;
	strreplace(buffer, '\t', ' ');
	return strim(buffer);
}

struct knob_case {
	const char *name;
	const char *value;	/* default */
	umode_t mode;
};

/* The reference's names and defaults; ours differ in link_mbps only. */
static const struct knob_case knob_cases[] = {
	{ "accept_bits", "0", 0644 }, { "action", "0", 0644 },
	{ "bpage_lease_usecs", "10000", 0644 }, { "busy_usecs", "100", 0644 },
	{ "cutoff_version", "1", 0444 }, { "dead_buffs_limit", "5000", 0644 },
	{ "defer_min_bytes", "1000", 0644 }, { "drop_bits", "0", 0644 },
	{ "fifo_grant_increment", "50000", 0644 }, { "flags", "0", 0644 },
	{ "freeze_type", "0", 0644 }, { "grant_fifo_fraction", "50", 0644 },
	{ "gro_busy_usecs", "5", 0644 }, { "gro_policy", "114", 0644 },
	{ "gso_force_software", "0", 0644 }, { "hijack_tcp", "0", 0644 },
	{ "hijack_udp", "0", 0644 }, { "udp_encap_port", "0", 0644 },
	{ "homa_share", "50", 0644 }, { "link_mbps", "0", 0644 },
	{ "max_dead_buffs", "0", 0644 }, { "max_grantable_rpcs", "0", 0644 },
	{ "max_gro_skbs", "20", 0644 }, { "max_gso_size", "0", 0644 },
	{ "max_incoming", "400000", 0644 }, { "max_link_usage", "99", 0644 },
	{ "max_nic_est_backlog_usecs", "5", 0644 },
	{ "max_nic_queue_usecs", "40", 0644 }, { "max_overcommit", "8", 0644 },
	{ "max_sched_prio", "3", 0444 }, { "native_tso", "0", 0644 },
	{ "next_id", "0", 0644 }, { "num_priorities", "8", 0644 },
	{ "pacer_fifo_fraction", "50", 0644 },
	{ "peer_gc_threshold", "5000", 0644 },
	{ "peer_idle_secs_max", "120", 0644 },
	{ "peer_idle_secs_min", "10", 0644 }, { "peer_net_max", "10000", 0644 },
	{ "poll_usecs", "50", 0644 }, { "priority_map", "0 1 2 3 4 5 6 7", 0644 },
	{ "reap_limit", "10", 0644 }, { "request_ack_ticks", "2", 0644 },
	{ "resend_interval", "5", 0644 }, { "resend_ticks", "5", 0644 },
	{ "skb_page_frees_per_sec", "1000", 0644 },
	{ "skb_page_pool_min_kb", "3000", 0644 }, { "temp", "0 0 0 0", 0644 },
	{ "timeout_resends", "5", 0644 }, { "timeout_ticks", "100", 0644 },
	{ "unsched_bytes", "40000", 0644 },
	{ "unsched_cutoffs", "0 0 0 0 1000000 15000 2800 200", 0644 },
	{ "verbose", "0", 0644 }, { "window", "0", 0644 },
	{ "wmem_max", "100000000", 0644 },
};

static void homa_sysctl__default(struct kunit *test)
{
	const struct knob_case *param = test->param_value;
	struct ctl_table *row = row_find(test->priv, param->name);

	KUNIT_ASSERT_NOT_NULL(test, row);
	KUNIT_EXPECT_EQ(test, row->mode, param->mode);
	KUNIT_EXPECT_STREQ(test, knob_read(test, param->name), param->value);
}

static void knob_case_desc(const struct knob_case *param, char *desc)
{
	strscpy(desc, param->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(knob, knob_cases, knob_case_desc);

static void homa_sysctl__gen3_default_pairs_cores(struct kunit *test)
{
	char want[40];

	snprintf(want, sizeof(want), "0 %d -1 -1", cpu_possible(1) ? 1 : -1);
	KUNIT_EXPECT_EQ(test, strncmp(knob_read(test, "gen3_softirq_cores"), want,
				      strlen(want)), 0);
}

static void homa_sysctl__names_differ_and_table_ends(struct kunit *test)
{
	struct knobs *knobs = test->priv;
	size_t i;

	for (i = 0; i < knobs->rows; i++)
		KUNIT_EXPECT_PTR_EQ(test, &knobs->table[i],
				    row_find(knobs, knobs->table[i].procname));
	KUNIT_EXPECT_NULL(test, knobs->table[knobs->rows].procname);
}

struct write_case {
	const char *name;
	const char *text;
	int err;
	const char *result;	/* what it reads afterwards */
};

static const struct write_case write_cases[] = {
	{ "resend_interval", "1", 0, "1" },
	{ "resend_interval", "0", -EINVAL, "5" },
	{ "resend_ticks", "-1", -EINVAL, "5" },
	{ "timeout_ticks", "1000000", 0, "1000000" },
	{ "timeout_ticks", "1000001", -EINVAL, "100" },
	{ "max_overcommit", "8", 0, "8" },
	{ "max_overcommit", "9", -EINVAL, "8" },
	{ "max_overcommit", "0", -EINVAL, "8" },
	{ "grant_fifo_fraction", "500", 0, "500" },
	{ "grant_fifo_fraction", "501", -EINVAL, "50" },
	{ "max_link_usage", "4", -EINVAL, "99" },
	{ "max_link_usage", "5", 0, "5" },
	{ "homa_share", "101", -EINVAL, "50" },
	{ "link_mbps", "100000", 0, "100000" },
	{ "poll_usecs", "0", 0, "0" },
	{ "wmem_max", "100", -EINVAL, "100000000" },
	{ "wmem_max", "99999999999", -EINVAL, "100000000" },
	{ "verify_checksum", "1", 0, "1" },
	{ "verify_checksum", "2", -EINVAL, "0" },
	{ "verify_checksum", "on", -EINVAL, "0" },
	{ "max_peers", "0", -EINVAL, "20000" },
	{ "temp", "1 -2 3", 0, "1 -2 3 0" },
	{ "priority_map", "7 6 5 4 3 2 1 0", 0, "7 6 5 4 3 2 1 0" },
	{ "priority_map", "7 6", 0, "7 6 2 3 4 5 6 7" },
	{ "priority_map", "7 6 8", -EINVAL, "0 1 2 3 4 5 6 7" },
	{ "priority_map", "7 -1", -EINVAL, "0 1 2 3 4 5 6 7" },
	{ "unsched_cutoffs", "0 0 1000000 -1", -EINVAL,
	  "0 0 0 0 1000000 15000 2800 200" },
	{ "num_priorities", "0", -EINVAL, "8" },
	{ "num_priorities", "9", -EINVAL, "8" },
	{ "action", "no", -EINVAL, "0" },
	{ "action", "-1", -EINVAL, "0" },
	{ "next_id", "7", -EINVAL, "0" },
	{ "next_id", "12345678", 0, "0" },
	{ "gen3_softirq_cores", "0 0 0", -EINVAL, NULL },
	{ "gen3_softirq_cores", "100000 0 0 0", -EINVAL, NULL },
	{ "gen3_softirq_cores", "0 0 100000 0", -EINVAL, NULL },
	{ "gen3_softirq_cores", "-1 0 0 0", -EINVAL, NULL },
};

static void homa_sysctl__write(struct kunit *test)
{
	const struct write_case *param = test->param_value;
	const char *want = param->result;

	if (!want)
		want = knob_read(test, param->name);
	KUNIT_EXPECT_EQ(test, knob_write(test, param->name, param->text),
			param->err);
	KUNIT_EXPECT_STREQ(test, knob_read(test, param->name), want);
}

static void write_case_desc(const struct write_case *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%s=%s", param->name, param->text);
}

KUNIT_ARRAY_PARAM(write, write_cases, write_case_desc);

static void homa_sysctl__gen3_write_sets_a_group(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, knob_write(test, "gen3_softirq_cores", "0 -1 0 -1"),
			0);
	KUNIT_EXPECT_EQ(test, strncmp(knob_read(test, "gen3_softirq_cores"),
				      "0 -1 0 -1", 9), 0);
}

static void homa_sysctl__next_id_is_the_next(struct kunit *test)
{
	struct knobs *knobs = test->priv;

	atomic64_set(&knobs->hn.next_id, 1000);
	KUNIT_EXPECT_EQ(test, knob_write(test, "next_id", "0"), 0);
	KUNIT_EXPECT_EQ(test, knob_write(test, "next_id", "1235"), -EINVAL);
	KUNIT_EXPECT_EQ(test, atomic64_read(&knobs->hn.next_id), 1000LL);
	KUNIT_EXPECT_EQ(test, knob_write(test, "next_id", "1234"), 0);
	KUNIT_EXPECT_EQ(test, atomic64_read(&knobs->hn.next_id), 1234LL);
}

static void homa_sysctl__cutoffs_have_consequences(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, knob_write(test, "unsched_cutoffs",
					 "0 0 0 0 0 1000000 5000 500"), 0);
	KUNIT_EXPECT_STREQ(test, knob_read(test, "unsched_cutoffs"),
			   "2147483647 0 0 0 0 1000000 5000 500");
	KUNIT_EXPECT_STREQ(test, knob_read(test, "max_sched_prio"), "4");
	KUNIT_EXPECT_STREQ(test, knob_read(test, "cutoff_version"), "2");
	KUNIT_EXPECT_EQ(test, knob_write(test, "unsched_cutoffs", "0 -5"), -EINVAL);
	KUNIT_EXPECT_STREQ(test, knob_read(test, "cutoff_version"), "2");
}

static void homa_sysctl__num_priorities_has_consequences(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, knob_write(test, "num_priorities", "1"), 0);
	KUNIT_EXPECT_STREQ(test, knob_read(test, "max_sched_prio"), "0");
	KUNIT_EXPECT_STREQ(test, knob_read(test, "unsched_cutoffs"),
			   "2147483647 0 0 0 0 0 0 0");
	KUNIT_EXPECT_STREQ(test, knob_read(test, "cutoff_version"), "2");
}

static void homa_sysctl__actions_freeze_and_unfreeze(struct kunit *test)
{
	struct knobs *knobs = test->priv;

	KUNIT_EXPECT_EQ(test, knob_write(test, "action", "3"), 0);
	KUNIT_EXPECT_EQ(test, knobs->hn.tt.frozen, 1UL);
	KUNIT_EXPECT_EQ(test, knob_write(test, "action", "5"), 0);
	KUNIT_EXPECT_EQ(test, knobs->hn.tt.stops, 1);
	KUNIT_EXPECT_EQ(test, knob_write(test, "action", "10"), 0);
	KUNIT_EXPECT_EQ(test, knobs->hn.tt.frozen, 0UL);
	KUNIT_EXPECT_EQ(test, knob_write(test, "action", "9"), 0);
	KUNIT_EXPECT_EQ(test, knobs->hn.tt.stops, 0);
	KUNIT_EXPECT_STREQ(test, knob_read(test, "action"), "0");
}

static void homa_sysctl__hosts_are_apart(struct kunit *test)
{
	struct knobs *first = test->priv;
	struct knobs *second;

	KUNIT_ASSERT_EQ(test, sysctl_test_init(test), 0);
	second = test->priv;
	KUNIT_EXPECT_EQ(test, knob_write(test, "unsched_bytes", "12345"), 0);
	KUNIT_EXPECT_EQ(test, knob_write(test, "priority_map", "1"), 0);
	KUNIT_EXPECT_EQ(test, second->hn.sysctl.unsched_bytes, 12345);
	KUNIT_EXPECT_EQ(test, first->hn.sysctl.unsched_bytes, 40000);
	KUNIT_EXPECT_EQ(test, first->hn.sysctl.priority_map[0], 0);
	sysctl_test_exit(test);
	test->priv = first;
}

static struct kunit_case sysctl_cases[] = {
	KUNIT_CASE_PARAM(homa_sysctl__default, knob_gen_params),
	KUNIT_CASE(homa_sysctl__gen3_default_pairs_cores),
	KUNIT_CASE(homa_sysctl__names_differ_and_table_ends),
	KUNIT_CASE_PARAM(homa_sysctl__write, write_gen_params),
	KUNIT_CASE(homa_sysctl__gen3_write_sets_a_group),
	KUNIT_CASE(homa_sysctl__next_id_is_the_next),
	KUNIT_CASE(homa_sysctl__cutoffs_have_consequences),
	KUNIT_CASE(homa_sysctl__num_priorities_has_consequences),
	KUNIT_CASE(homa_sysctl__actions_freeze_and_unfreeze),
	KUNIT_CASE(homa_sysctl__hosts_are_apart),
	{}
};

static struct kunit_suite sysctl_suite = {
	.name = "homa_sysctl",
	.init = sysctl_test_init,
	.exit = sysctl_test_exit,
	.test_cases = sysctl_cases,
};

kunit_test_suites(&sysctl_suite);
