// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* tt/kmod/image.c: header, texts and events of a binary trace, however it is read. */

#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/preempt.h>
#include <linux/uio.h>

#include "image.h"
#define EVENTS 16
#include "traced.h"

static struct tt_image *image_open(struct kunit *test)
{
	struct traced *owner = test->priv;
	struct tt_reader *reader = tt_reader_alloc();
	struct tt_image *image;

	KUNIT_ASSERT_NOT_NULL(test, reader);
	tt_read_begin(&owner->tt);
	tt_reader_start(reader, &owner->tt);
	image = tt_image_alloc(reader, &owner->tt);
	KUNIT_ASSERT_FALSE(test, IS_ERR(image));
	return image;
}

static void image_close(struct kunit *test, struct tt_image *image)
{
	struct traced *owner = test->priv;

	tt_image_free(image);
	tt_read_end(&owner->tt);
}

/* Reads all of it, chunk bytes at a time. */
static void *image_bytes(struct kunit *test, struct tt_image *image, size_t chunk)
{
	size_t size = tt_image_bytes(image);
	char *bytes = kunit_kzalloc(test, size + chunk, GFP_KERNEL);
	struct iov_iter iter;
	struct kvec vec;
	loff_t pos = 0;
	ssize_t n;

	KUNIT_ASSERT_NOT_NULL(test, bytes);
	do {
		vec = (struct kvec) { bytes + pos, chunk };
		iov_iter_kvec(&iter, ITER_DEST, &vec, 1, chunk);
		n = tt_image_read(image, &iter, &pos);
	} while (n > 0);
	KUNIT_EXPECT_EQ(test, n, 0);
	KUNIT_EXPECT_EQ(test, pos, (loff_t)size);
	return bytes;
}

static void tt_image__header_texts_events(struct kunit *test)
{
	/* An array of its own, so that the text is at another address. */
	static const char again[] = "two %u %u";
	struct traced *owner = test->priv;
	const struct tt_file_event *event;
	const struct tt_file_header *h;
	struct tt_image *image;
	const char *texts;

	preempt_disable();
	tt_record(owner, "two %u %u", 1, 2);
	tt_record(owner, "one %d", -3);
	tt_record(owner, again, 4, 0x100000005);
	preempt_enable();
	image = image_open(test);
	h = image_bytes(test, image, 4096);

	KUNIT_EXPECT_EQ(test, memcmp(h->magic, "HOMATT\r\n", 8), 0);
	KUNIT_EXPECT_EQ(test, h->version, 1U);
	KUNIT_EXPECT_EQ(test, h->header_bytes, 280U);
	KUNIT_EXPECT_EQ(test, h->event_bytes, 32U);
	KUNIT_EXPECT_EQ(test, h->events_version, (u32)TT_EVENTS_VERSION);
	KUNIT_EXPECT_EQ(test, h->num_events, 3ULL);
	KUNIT_EXPECT_EQ(test, h->lost, 0ULL);
	KUNIT_EXPECT_EQ(test, h->num_formats, 2U);
	KUNIT_EXPECT_EQ(test, h->num_rings, nr_cpu_ids);
	KUNIT_EXPECT_EQ(test, h->clock_khz, 1000000ULL);
	KUNIT_EXPECT_EQ(test, h->events_offset % 32, 0ULL);
	KUNIT_EXPECT_EQ(test, h->events_offset + 3 * 32, tt_image_bytes(image));

	texts = (const char *)h + h->header_bytes;
	KUNIT_EXPECT_STREQ(test, texts, "two %u %u");
	KUNIT_EXPECT_STREQ(test, texts + sizeof("two %u %u"), "one %d");

	event = (const void *)h + h->events_offset;
	KUNIT_EXPECT_EQ(test, event[0].format, 0U);
	KUNIT_EXPECT_EQ(test, event[1].format, 1U);
	KUNIT_EXPECT_EQ(test, event[2].format, 0U);
	KUNIT_EXPECT_EQ(test, event[0].arg[1], 2U);
	KUNIT_EXPECT_EQ(test, event[1].arg[0], (u32)-3);
	KUNIT_EXPECT_EQ(test, event[2].arg[1], 5U);
	KUNIT_EXPECT_LE(test, event[0].time, event[1].time);
	KUNIT_EXPECT_LE(test, event[2].time, h->clock_now);
	KUNIT_EXPECT_EQ(test, event[0].ring, event[2].ring);
	KUNIT_EXPECT_EQ(test, event[0].zero, 0);
	image_close(test, image);
}

static void tt_image__empty(struct kunit *test)
{
	struct tt_image *image = image_open(test);
	const struct tt_file_header *h = image_bytes(test, image, 4096);

	KUNIT_EXPECT_EQ(test, h->num_events, 0ULL);
	KUNIT_EXPECT_EQ(test, h->num_formats, 0U);
	KUNIT_EXPECT_EQ(test, tt_image_bytes(image), h->events_offset);
	image_close(test, image);
}

static void tt_image__counts_what_is_lost(struct kunit *test)
{
	struct traced *owner = test->priv;
	const struct tt_file_event *event;
	const struct tt_file_header *h;
	struct tt_image *image;
	int i;

	preempt_disable();
	for (i = 0; i < EVENTS + 3; i++)
		tt_record(owner, "%u", i);
	preempt_enable();
	image = image_open(test);
	h = image_bytes(test, image, 4096);
	event = (const void *)h + h->events_offset;
	KUNIT_EXPECT_EQ(test, h->num_events, (u64)EVENTS);
	KUNIT_EXPECT_EQ(test, h->lost, 3ULL);
	KUNIT_EXPECT_EQ(test, event[0].arg[0], 3U);
	KUNIT_EXPECT_EQ(test, event[EVENTS - 1].arg[0], EVENTS + 2U);
	image_close(test, image);

	/* What was read is not lost. */
	tt_record(owner, "more");
	image = image_open(test);
	h = image_bytes(test, image, 4096);
	KUNIT_EXPECT_EQ(test, h->lost, 0ULL);
	KUNIT_EXPECT_EQ(test, h->num_events, 2ULL);
	image_close(test, image);
}

static void tt_image__read_in_any_chunks(struct kunit *test)
{
	static const size_t chunks[] = { 1, 7, 31, 32, 33, 500, 1000 };
	struct traced *owner = test->priv;
	struct tt_image *image;
	const void *whole;
	int i;

	for (i = 0; i < EVENTS; i++)
		tt_record(owner, "value %u", 0x01020304 * i);
	image = image_open(test);
	whole = image_bytes(test, image, 4096);
	for (i = 0; i < ARRAY_SIZE(chunks); i++) {
		const void *parts = image_bytes(test, image, chunks[i]);

		KUNIT_EXPECT_EQ_MSG(test,
				    memcmp(whole, parts, tt_image_bytes(image)),
				    0, "%zu bytes at a time", chunks[i]);
	}
	image_close(test, image);
}

/* The number of a CPU has 16 bits, and as many digits as it needs. */
static void tt_image__cpus_beyond_255(struct kunit *test)
{
	static const int cpus[] = { 255, 256, 300, 65535 };
	struct traced *owner = test->priv;
	const struct tt_file_event *event;
	const struct tt_file_header *h;
	const struct tt_event *first;
	struct tt_reader *reader;
	struct tt_image *image;
	char line[TT_LINE_BYTES], want[20];
	int cpu, i;

	tt_record(owner, "once");
	for (i = 0; i < ARRAY_SIZE(cpus); i++) {
		reader = tt_reader_alloc();
		KUNIT_ASSERT_NOT_NULL(test, reader);
		tt_stop(&owner->tt);
		tt_reader_start(reader, &owner->tt);
		KUNIT_ASSERT_EQ(test, reader->count, 1U);
		reader->cursors[0].cpu = cpus[i];
		first = tt_reader_peek(reader, &cpu);
		tt_event_print(line, first, cpu);
		snprintf(want, sizeof(want), "[C%d] once", cpus[i]);
		KUNIT_EXPECT_NOT_NULL(test, strstr(line, want));
		image = tt_image_alloc(reader, &owner->tt);
		KUNIT_ASSERT_FALSE(test, IS_ERR(image));
		h = image_bytes(test, image, 4096);
		event = (const void *)h + h->events_offset;
		KUNIT_EXPECT_EQ(test, event->ring, cpus[i]);
		KUNIT_EXPECT_EQ(test, event->zero, 0);
		tt_image_free(image);
		tt_go(&owner->tt);
		tt_record(owner, "once");
	}
}

/* What happens together has one time, but none before that of a record in between. */
static void tt_event_at__in_order(struct kunit *test)
{
	struct traced *owner = test->priv;
	const struct tt_file_event *event;
	const struct tt_file_header *h;
	struct tt_image *image;
	u64 first, later;

	preempt_disable();
	first = tt_event_now(owner, SENDMSG_DONE, 1);
	tt_event_at(owner, first, SENDMSG_DONE, 2);
	ndelay(1000);
	later = tt_event_now(owner, SENDMSG_DONE, 3);
	tt_event_at(owner, first, SENDMSG_DONE, 4);
	preempt_enable();
	image = image_open(test);
	h = image_bytes(test, image, 4096);
	KUNIT_ASSERT_EQ(test, h->num_events, 4ULL);
	event = (const void *)h + h->events_offset;
	KUNIT_EXPECT_EQ(test, event[0].time, first);
	KUNIT_EXPECT_EQ(test, event[1].time, first);
	KUNIT_EXPECT_EQ(test, event[2].time, later);
	KUNIT_EXPECT_GE(test, event[3].time, later);
	image_close(test, image);
}

static struct kunit_case image_cases[] = {
	KUNIT_CASE(tt_event_at__in_order),
	KUNIT_CASE(tt_image__header_texts_events),
	KUNIT_CASE(tt_image__empty),
	KUNIT_CASE(tt_image__counts_what_is_lost),
	KUNIT_CASE(tt_image__cpus_beyond_255),
	KUNIT_CASE(tt_image__read_in_any_chunks),
	{}
};

static struct kunit_suite image_suite = {
	.name = "homa_image",
	.init = traced_init,
	.exit = traced_exit,
	.test_cases = image_cases,
};

kunit_test_suites(&image_suite);
