// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* tt/kmod/ring.c: what is recorded, when it is not, and in which order it is read. */

#include <kunit/test.h>
#include <linux/preempt.h>

#define EVENTS 8
#include "traced.h"

/* Like a program that reads the file: the texts, joined by ';'. */
static const char *read_all(struct kunit *test, struct traced *owner)
{
	struct tt_reader *reader = tt_reader_alloc();
	const size_t size = 4096;
	char *texts = kunit_kzalloc(test, size, GFP_KERNEL);
	const struct tt_event *event;
	char line[TT_LINE_BYTES];
	int length = 0;
	int cpu;

	KUNIT_ASSERT_NOT_NULL(test, reader);
	KUNIT_ASSERT_NOT_NULL(test, texts);
	tt_read_begin(&owner->tt);
	tt_reader_start(reader, &owner->tt);
	while ((event = tt_reader_peek(reader, &cpu))) {
		tt_event_print(line, event, cpu);
		length += scnprintf(texts + length, size - length, "%s;",
				    strstr(line, "] ") + 2);
		tt_reader_next(reader);
	}
	tt_read_end(&owner->tt);
	tt_reader_free(reader);
	return texts;
}

static void tt_record__keeps_values_and_order(struct kunit *test)
{
	struct traced *owner = test->priv;

	tt_record(owner, "none");
	tt_record(owner, "one %u", 1);
	tt_record(owner, "two %u %d", 1, -2);
	tt_record(owner, "three %u %u 0x%x", 1, 2, 0xabc);
	tt_record(owner, "four %u %u %u %u", 1, 2, 3, 0x100000004);
	KUNIT_EXPECT_STREQ(test, read_all(test, owner),
			   "none;one 1;two 1 -2;three 1 2 0xabc;four 1 2 3 4;");
}

static void tt_record__without_rings_does_nothing(struct kunit *test)
{
	struct traced *owner = test->priv;

	tt_rings_free(&owner->tt);
	tt_record(owner, "lost");
	KUNIT_EXPECT_STREQ(test, read_all(test, owner), "");
}

static void tt_record__switched_off(struct kunit *test)
{
	struct traced *owner = test->priv;
	int evaluated = 0;

	static_branch_disable(&tt_enabled);
	tt_record(owner, "lost %d", ++evaluated);
	static_branch_enable(&tt_enabled);
	tt_record(owner, "kept %d", ++evaluated);
	KUNIT_EXPECT_STREQ(test, read_all(test, owner), "kept 1;");
}

static void tt_record__full_ring_forgets_the_oldest(struct kunit *test)
{
	struct traced *owner = test->priv;
	int i;

	/* All on one CPU, or more than EVENTS would fit. */
	preempt_disable();
	for (i = 0; i < EVENTS + 3; i++)
		tt_record(owner, "%u", i);
	preempt_enable();
	KUNIT_EXPECT_STREQ(test, read_all(test, owner), "3;4;5;6;7;8;9;10;");
}

static void tt_record__exactly_full_ring_is_complete(struct kunit *test)
{
	struct traced *owner = test->priv;
	int i;

	preempt_disable();
	for (i = 0; i < EVENTS; i++)
		tt_record(owner, "%u", i);
	preempt_enable();
	KUNIT_EXPECT_STREQ(test, read_all(test, owner), "0;1;2;3;4;5;6;7;");
}

static void tt_record__times_are_the_clock(struct kunit *test)
{
	struct traced *owner = test->priv;
	struct tt_reader *reader = tt_reader_alloc();
	const struct tt_event *event;
	u64 before, after;
	int cpu;

	KUNIT_ASSERT_NOT_NULL(test, reader);
	before = tt_clock();
	tt_record(owner, "now");
	after = tt_clock();
	tt_read_begin(&owner->tt);
	tt_reader_start(reader, &owner->tt);
	event = tt_reader_peek(reader, &cpu);
	KUNIT_EXPECT_NOT_NULL(test, event);
	if (event) {
		KUNIT_EXPECT_GE(test, event->ns, before);
		KUNIT_EXPECT_LE(test, event->ns, after);
	}
	tt_read_end(&owner->tt);
	tt_reader_free(reader);
}

static void tt_freeze__stops_and_keeps(struct kunit *test)
{
	struct traced *owner = test->priv;

	tt_record(owner, "before");
	tt_freeze(&owner->tt);
	tt_freeze(&owner->tt);
	KUNIT_EXPECT_EQ(test, owner->tt.stops, 1);
	tt_record(owner, "lost");
	KUNIT_EXPECT_STREQ(test, read_all(test, owner),
			   "before;Freezing timetrace;");
}

static void tt_unfreeze__starts_empty(struct kunit *test)
{
	struct traced *owner = test->priv;

	tt_record(owner, "before");
	tt_freeze(&owner->tt);
	tt_unfreeze(&owner->tt);
	tt_record(owner, "after");
	KUNIT_EXPECT_STREQ(test, read_all(test, owner), "after;");
}

static void tt_unfreeze__of_unfrozen_changes_nothing(struct kunit *test)
{
	struct traced *owner = test->priv;

	tt_record(owner, "before");
	tt_unfreeze(&owner->tt);
	KUNIT_EXPECT_EQ(test, owner->tt.stops, 0);
	KUNIT_EXPECT_STREQ(test, read_all(test, owner), "before;");
}

static void tt_read_end__empties_and_records_again(struct kunit *test)
{
	struct traced *owner = test->priv;

	tt_record(owner, "before");
	tt_read_begin(&owner->tt);
	tt_record(owner, "lost");
	tt_read_end(&owner->tt);
	tt_record(owner, "after");
	KUNIT_EXPECT_STREQ(test, read_all(test, owner),
			   "timetrace records again;after;");
}

static void tt_read_end__only_the_last_reader_empties(struct kunit *test)
{
	struct traced *owner = test->priv;

	tt_record(owner, "before");
	tt_read_begin(&owner->tt);
	tt_read_begin(&owner->tt);
	tt_read_end(&owner->tt);
	tt_record(owner, "lost");
	KUNIT_EXPECT_STREQ(test, read_all(test, owner), "before;");
	tt_read_end(&owner->tt);
	KUNIT_EXPECT_STREQ(test, read_all(test, owner),
			   "timetrace records again;");
	KUNIT_EXPECT_EQ(test, owner->tt.stops, 0);
}

static void tt_read_end__ends_a_freeze(struct kunit *test)
{
	struct traced *owner = test->priv;

	tt_freeze(&owner->tt);
	tt_read_begin(&owner->tt);
	KUNIT_EXPECT_EQ(test, owner->tt.stops, 2);
	tt_read_end(&owner->tt);
	KUNIT_EXPECT_EQ(test, owner->tt.stops, 0);
	KUNIT_EXPECT_EQ(test, owner->tt.frozen, 0UL);
	tt_record(owner, "after");
	KUNIT_EXPECT_STREQ(test, read_all(test, owner),
			   "timetrace records again;after;");
}

static void tt_read_end__keeps_records_while_another_holds(struct kunit *test)
{
	struct traced *owner = test->priv;

	tt_record(owner, "before");
	tt_stop(&owner->tt);
	tt_read_begin(&owner->tt);
	tt_read_end(&owner->tt);
	KUNIT_EXPECT_STREQ(test, read_all(test, owner), "before;");
	tt_go(&owner->tt);
}

static void tt_freeze__of_one_host_leaves_others_alone(struct kunit *test)
{
	struct traced *owner = test->priv;
	struct traced *other = kunit_kzalloc(test, sizeof(*other), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, other);
	tt_host_init(&other->tt);
	KUNIT_ASSERT_EQ(test, tt_rings_alloc(&other->tt, EVENTS), 0);
	tt_freeze(&owner->tt);
	tt_record(owner, "lost");
	tt_record(other, "other's");
	KUNIT_EXPECT_STREQ(test, read_all(test, other), "other's;");
	KUNIT_EXPECT_STREQ(test, read_all(test, owner), "Freezing timetrace;");
	tt_rings_free(&other->tt);
}

/* Rings of three CPUs, by time of each record; the text is the time. */
struct merge_case {
	const char *desc;
	unsigned long next[3];
	u64 ns[3][4];
	const char *result;
};

static const struct merge_case merge_cases[] = {
	{ "no records", { 0, 0, 0 }, {}, "" },
	{ "one CPU", { 2, 0, 0 }, { { 1, 2 } }, "C00 1;C00 2;" },
	{ "interleaved", { 3, 2, 1 }, { { 1, 4, 6 }, { 2, 5 }, { 3 } },
	  "C00 1;C01 2;C02 3;C00 4;C01 5;C00 6;" },
	{ "the first CPU wins a tie", { 1, 1, 1 }, { { 7 }, { 7 }, { 6 } },
	  "C02 6;C00 7;C01 7;" },
	{ "full but not wrapped", { 4, 1, 0 }, { { 3, 4, 5, 6 }, { 1 } },
	  "C01 1;C00 3;C00 4;C00 5;C00 6;" },
	{ "wrapped: older records of others are left out", { 6, 3, 0 },
	  { { 14, 15, 12, 13 }, { 1, 12, 16 } },
	  "C00 12;C01 12;C00 13;C00 14;C00 15;C01 16;" },
	{ "two wrapped: the later start counts", { 5, 7, 1 },
	  { { 14, 11, 12, 13 }, { 16, 17, 18, 15 }, { 10 } },
	  "C01 15;C01 16;C01 17;C01 18;" },
};

static void tt_reader__merges_in_order_of_time(struct kunit *test)
{
	const struct merge_case *param = test->param_value;
	struct tt_event events[3][4] = {};
	struct tt_ring rings[3] = {};
	const struct tt_event *event;
	struct tt_reader *reader;
	char texts[200] = "";
	int i, j, cpu, length = 0;

	reader = kunit_kzalloc(test, struct_size(reader, cursors, 3), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, reader);
	for (i = 0; i < 3; i++) {
		for (j = 0; j < 4; j++)
			events[i][j].ns = param->ns[i][j];
		rings[i] = (struct tt_ring) {
			.next = param->next[i] * sizeof(struct tt_event),
			.mask = sizeof(events[i]) - 1, .events = events[i],
		};
		tt_reader_add(reader, &rings[i], i);
	}
	tt_reader_trim(reader);
	while ((event = tt_reader_peek(reader, &cpu))) {
		length += scnprintf(texts + length, sizeof(texts) - length,
				    "C%02d %llu;", cpu, event->ns);
		tt_reader_next(reader);
	}
	KUNIT_EXPECT_STREQ(test, texts, param->result);
	i = reader->index;
	tt_reader_next(reader);
	KUNIT_EXPECT_EQ(test, reader->index, (u64)i);
	tt_reader_rewind(reader);
	KUNIT_EXPECT_EQ(test, reader->index, 0ULL);
	KUNIT_EXPECT_EQ(test, !tt_reader_peek(reader, &cpu), !*param->result);
}

static void merge_case_desc(const struct merge_case *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(merge, merge_cases, merge_case_desc);

static void tt_event_print__shape(struct kunit *test)
{
	const struct tt_event event = {
		.ns = 5123456789, .format = "id %u peer 0x%x", .arg = { 42, 10 },
	};
	char line[TT_LINE_BYTES];

	tt_event_print(line, &event, 3);
	KUNIT_EXPECT_STREQ(test, line, "5123456789 [C03] id 42 peer 0xa");
	tt_event_print(line, &event, 123);
	KUNIT_EXPECT_STREQ(test, line, "5123456789 [C123] id 42 peer 0xa");
}

static void tt_event_print__long_text_is_cut(struct kunit *test)
{
	char *text = kunit_kzalloc(test, 2 * TT_LINE_BYTES, GFP_KERNEL);
	struct tt_event event = { .format = text };
	char line[TT_LINE_BYTES + 1];

	KUNIT_ASSERT_NOT_NULL(test, text);
	memset(text, 'x', 2 * TT_LINE_BYTES - 1);
	line[TT_LINE_BYTES] = '!';
	tt_event_print(line, &event, 0);
	KUNIT_EXPECT_EQ(test, strlen(line), (size_t)TT_LINE_BYTES - 1);
	KUNIT_EXPECT_EQ(test, line[TT_LINE_BYTES], '!');
}

static struct kunit_case ring_cases[] = {
	KUNIT_CASE(tt_record__keeps_values_and_order),
	KUNIT_CASE(tt_record__without_rings_does_nothing),
	KUNIT_CASE(tt_record__switched_off),
	KUNIT_CASE(tt_record__full_ring_forgets_the_oldest),
	KUNIT_CASE(tt_record__exactly_full_ring_is_complete),
	KUNIT_CASE(tt_record__times_are_the_clock),
	KUNIT_CASE(tt_freeze__stops_and_keeps),
	KUNIT_CASE(tt_freeze__of_one_host_leaves_others_alone),
	KUNIT_CASE(tt_unfreeze__starts_empty),
	KUNIT_CASE(tt_unfreeze__of_unfrozen_changes_nothing),
	KUNIT_CASE(tt_read_end__empties_and_records_again),
	KUNIT_CASE(tt_read_end__only_the_last_reader_empties),
	KUNIT_CASE(tt_read_end__ends_a_freeze),
	KUNIT_CASE(tt_read_end__keeps_records_while_another_holds),
	KUNIT_CASE_PARAM(tt_reader__merges_in_order_of_time, merge_gen_params),
	KUNIT_CASE(tt_event_print__shape),
	KUNIT_CASE(tt_event_print__long_text_is_cut),
	{}
};

static struct kunit_suite ring_suite = {
	.name = "homa_ring",
	.init = traced_init,
	.exit = traced_exit,
	.test_cases = ring_cases,
};

kunit_test_suites(&ring_suite);
