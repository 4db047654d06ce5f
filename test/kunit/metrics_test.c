// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/metrics.c: names of counters, lengths to buckets, derived values. */

#include <kunit/test.h>
#include <linux/ctype.h>
#include <linux/mm.h>

#include "net.h"

/* Lines that the reference prints for a core, 351, less the line "core". */
#define REFERENCE_ROWS 350

static int metrics_test_init(struct kunit *test)
{
	struct homa_net *hn = kunit_kzalloc(test, sizeof(*hn), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, hn);
	KUNIT_ASSERT_EQ(test, homa_metrics_net_init(hn), 0);
	test->priv = hn;
	return 0;
}

static void metrics_test_exit(struct kunit *test)
{
	if (test->priv)
		homa_metrics_net_exit(test->priv);
}

/* The row with a name, or -1. */
static int row_find(const char *name)
{
	struct homa_metric_label label;
	unsigned int row;

	for (row = 0; row < HOMA_METRIC_ROWS; row++) {
		homa_metrics_label(&label, row);
		if (!strcmp(label.name, name))
			return row;
	}
	return -1;
}

/* Sum over cores of the counter with a name. */
static u64 counter_sum(struct kunit *test, const char *name)
{
	struct homa_metrics_snapshot *snap = homa_metrics_snapshot(test->priv);
	int row = row_find(name);
	unsigned int i;
	u64 sum = 0;

	KUNIT_ASSERT_NOT_NULL(test, snap);
	KUNIT_EXPECT_GE(test, row, 0);
	for (i = 0; row >= 0 && i < snap->count; i++)
		sum += ((u64 *)&snap->cores[i].metrics)[row];
	kvfree(snap);
	return sum;
}

struct label_case {
	unsigned int row;
	const char *name;
	const char *description;
};

static const struct label_case label_cases[] = {
	{ 0, "msg_bytes_64", "Bytes in incoming messages of 1 to 64 bytes" },
	{ 63, "msg_bytes_4096", "Bytes in incoming messages of 4033 to 4096 bytes" },
	{ 64, "msg_bytes_5120", "Bytes in incoming messages of 4097 to 5120 bytes" },
	{ 187, "msg_bytes_131072",
	  "Bytes in incoming messages of 130049 to 131072 bytes" },
	{ 188, "large_msg_count", "Incoming messages of 131072 bytes or more" },
	{ 207, "packets_sent_DATA", "DATA packets sent" },
	{ 215, "packets_sent_ACK", "ACK packets sent" },
	{ 216, "packets_rcvd_DATA", "DATA packets received" },
	{ 222, "packets_rcvd_FREEZE", "FREEZE packets received" },
	{ 225, "priority0_bytes", "Bytes sent at priority 0, with headers" },
	{ 240, "priority7_packets", "Packets sent at priority 7" },
	{ 241, "skb_allocs", "Packet buffers allocated for sending" },
};

static void homa_metrics_label__row(struct kunit *test)
{
	const struct label_case *param = test->param_value;
	struct homa_metric_label label;

	homa_metrics_label(&label, param->row);
	KUNIT_EXPECT_STREQ(test, label.name, param->name);
	KUNIT_EXPECT_STREQ(test, label.description, param->description);
}

static void label_case_desc(const struct label_case *param, char *desc)
{
	strscpy(desc, param->name, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(label, label_cases, label_case_desc);

static void homa_metrics_label__reference_rows_come_first(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, row_find("temp9") + 1, REFERENCE_ROWS);
	KUNIT_EXPECT_GT(test, HOMA_METRIC_ROWS, (size_t)REFERENCE_ROWS);
}

static void homa_metrics_label__names_fit_and_differ(struct kunit *test)
{
	struct homa_metric_label label;
	unsigned int row;

	for (row = 0; row < HOMA_METRIC_ROWS; row++) {
		const char *c;

		homa_metrics_label(&label, row);
		KUNIT_EXPECT_EQ_MSG(test, row_find(label.name), row, "%s",
				    label.name);
		KUNIT_EXPECT_LE(test, strlen(label.name), 30UL);
		KUNIT_EXPECT_GT(test, strlen(label.description), 0UL);
		KUNIT_EXPECT_LT(test, strlen(label.description),
				sizeof(label.description) - 1);
		for (c = label.name; *c; c++)
			KUNIT_EXPECT_TRUE(test, isalnum(*c) || *c == '_');
	}
}

struct length_case {
	unsigned int length;
	const char *name;
};

static const struct length_case length_cases[] = {
	{ 1, "msg_bytes_64" }, { 64, "msg_bytes_64" },
	{ 65, "msg_bytes_128" }, { 4032, "msg_bytes_4032" },
	{ 4033, "msg_bytes_4096" }, { 4096, "msg_bytes_4096" },
	{ 4097, "msg_bytes_5120" }, { 5120, "msg_bytes_5120" },
	{ 5121, "msg_bytes_6144" }, { 131071, "msg_bytes_131072" },
	{ 131072, "large_msg_bytes" }, { 1000000, "large_msg_bytes" },
};

static void homa_metric_msg_bytes__bucket(struct kunit *test)
{
	const struct length_case *param = test->param_value;
	struct homa_metrics_snapshot *snap;
	u64 total = 0;
	unsigned int i, row;

	homa_metric_msg_bytes(test->priv, param->length);
	homa_metric_msg_bytes(test->priv, param->length);
	KUNIT_EXPECT_EQ(test, counter_sum(test, param->name),
			2ULL * param->length);
	KUNIT_EXPECT_EQ(test, counter_sum(test, "large_msg_count"),
			param->length >= 131072 ? 2ULL : 0ULL);

	/* And nowhere else. */
	snap = homa_metrics_snapshot(test->priv);
	KUNIT_ASSERT_NOT_NULL(test, snap);
	for (i = 0; i < snap->count; i++) {
		for (row = 0; row < HOMA_METRIC_ROWS; row++)
			total += ((u64 *)&snap->cores[i].metrics)[row];
	}
	kvfree(snap);
	KUNIT_EXPECT_EQ(test, total, 2ULL * param->length +
			(param->length >= 131072 ? 2 : 0));
}

static void length_case_desc(const struct length_case *param, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u", param->length);
}

KUNIT_ARRAY_PARAM(length, length_cases, length_case_desc);

static void homa_metric_add__by_type_and_priority(struct kunit *test)
{
	struct homa_net *hn = test->priv;

	homa_metric_sent(hn, 0x10);
	homa_metric_sent(hn, 0x18);
	homa_metric_rcvd(hn, 0x13, 1);
	homa_metric_add(hn, priority_bytes[7], 1500);
	homa_metric_inc(hn, priority_packets[7]);
	KUNIT_EXPECT_EQ(test, counter_sum(test, "packets_sent_DATA"), 1ULL);
	KUNIT_EXPECT_EQ(test, counter_sum(test, "packets_sent_ACK"), 1ULL);
	KUNIT_EXPECT_EQ(test, counter_sum(test, "packets_rcvd_RPC_UNKNOWN"), 1ULL);
	KUNIT_EXPECT_EQ(test, counter_sum(test, "priority7_bytes"), 1500ULL);
	KUNIT_EXPECT_EQ(test, counter_sum(test, "priority7_packets"), 1ULL);
}

static void homa_metrics_snapshot__derives(struct kunit *test)
{
	struct homa_net *hn = test->priv;

	/* One CPU must count all of it: the values are combined per core. */
	preempt_disable();
	homa_metric_add(hn, recv_cycles, 1000);
	homa_metric_add(hn, blocked_cycles, 400);
	homa_metric_add(hn, softirq_cycles, 10);
	homa_metric_add(hn, napi_cycles, 20);
	homa_metric_add(hn, send_cycles, 30);
	homa_metric_add(hn, reply_cycles, 40);
	homa_metric_add(hn, timer_cycles, 50);
	homa_metric_add(hn, nic_backlog_cycles, 60);
	homa_metric_add(hn, abort_cycles, 7);
	preempt_enable();
	KUNIT_EXPECT_EQ(test, counter_sum(test, "recv_cycles"), 600ULL);
	KUNIT_EXPECT_EQ(test, counter_sum(test, "blocked_cycles"), 400ULL);
	KUNIT_EXPECT_EQ(test, counter_sum(test, "homa_cycles"), 810ULL);
	KUNIT_EXPECT_EQ(test, counter_sum(test, "reply_cycles"), 40ULL);
	KUNIT_EXPECT_EQ(test, counter_sum(test, "abort_cycles"), 7ULL);
}

static void homa_metrics_snapshot__derived_is_never_negative(struct kunit *test)
{
	struct homa_net *hn = test->priv;

	preempt_disable();
	homa_metric_add(hn, recv_cycles, 400);
	homa_metric_add(hn, blocked_cycles, 1000);
	preempt_enable();
	KUNIT_EXPECT_EQ(test, counter_sum(test, "recv_cycles"), 0ULL);
}

static void homa_metrics_snapshot__does_not_change(struct kunit *test)
{
	struct homa_net *hn = test->priv;
	struct homa_metrics_snapshot *snap;
	int row = row_find("temp0");
	unsigned int i, cores = 0;
	u64 sum = 0;

	homa_metric_inc(hn, temp0);
	snap = homa_metrics_snapshot(hn);
	KUNIT_ASSERT_NOT_NULL(test, snap);
	homa_metric_inc(hn, temp0);
	KUNIT_EXPECT_EQ(test, snap->count, num_possible_cpus());
	for (i = 0; i < snap->count; i++) {
		cores += cpu_possible(snap->cores[i].cpu);
		sum += ((u64 *)&snap->cores[i].metrics)[row];
	}
	KUNIT_EXPECT_EQ(test, cores, num_possible_cpus());
	KUNIT_EXPECT_EQ(test, sum, 1ULL);
	kvfree(snap);
}

static struct kunit_case metrics_cases[] = {
	KUNIT_CASE_PARAM(homa_metrics_label__row, label_gen_params),
	KUNIT_CASE(homa_metrics_label__reference_rows_come_first),
	KUNIT_CASE(homa_metrics_label__names_fit_and_differ),
	KUNIT_CASE_PARAM(homa_metric_msg_bytes__bucket, length_gen_params),
	KUNIT_CASE(homa_metric_add__by_type_and_priority),
	KUNIT_CASE(homa_metrics_snapshot__derives),
	KUNIT_CASE(homa_metrics_snapshot__derived_is_never_negative),
	KUNIT_CASE(homa_metrics_snapshot__does_not_change),
	{}
};

static struct kunit_suite metrics_suite = {
	.name = "homa_metrics",
	.init = metrics_test_init,
	.exit = metrics_test_exit,
	.test_cases = metrics_cases,
};

kunit_test_suites(&metrics_suite);
