// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa/inflight.c: what it makes of devices of several kinds. */

#include <kunit/test.h>
#include <linux/math64.h>

#include "inflight.h"

#define PACKET 1538
#define MAX_PACKETS 1024

/* Time that the devices below are given to learn, and are then measured. */
#define LEARN_NS (80 * NSEC_PER_MSEC)
#define MEASURE_NS (40 * NSEC_PER_MSEC)

/**
 * struct device_kind - a simulated device, always with messages waiting for it
 * @desc: name of the case
 * @mbps: rate
 * @early: a packet is completed when its transmission begins, as by a shaper;
 *	else when it ends
 * @late_ns: completions come so much later
 * @batch_ns: ... and then with all others at the next multiple of this
 * @max_limit: what the result may be at most, most of the time
 */
struct device_kind {
	const char *desc;
	u32 mbps;
	bool early;
	u32 late_ns;
	u32 batch_ns;
	u32 max_limit;
};

static const struct device_kind device_kinds[] = {
	{ "shaper, 10G", 10000, true, 0, 0, 1 },
	{ "shaper, 25G", 25000, true, 0, 0, 1 },
	{ "shaper, 100M", 100, true, 0, 0, 1 },
	{ "prompt, 1G", 1000, false, 0, 0, PACKET + 1 },
	{ "prompt, 25G", 25000, false, 500, 0, 3 * PACKET },
	{ "late, 10G", 10000, false, 20000, 0, 40000 },
	{ "batches of 50 us, 10G", 10000, false, 0, 50000, 140000 },
	{ "batches of 8 us, 100G", 100000, false, 2000, 8000, 260000 },
	{ "batches of 1 ms, 1G", 1000, false, 0, 1000000, 270000 },
};

static void kind_desc(const struct device_kind *param, char *desc)
{
	strscpy(desc, param->desc, KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(kind, device_kinds, kind_desc);

/**
 * struct sim - a run of such a device
 * @kind: of device
 * @f: what is being tested
 * @now: time
 * @free_ns: time when the link is free again
 * @queued: bytes given to the device so far
 * @completed: bytes completed so far
 * @done_ns: of each packet in the device, when it is completed
 * @head: packets completed so far
 * @tail: packets given to the device so far
 * @high_events: completions after which the limit was above @kind->max_limit
 * @events: all completions that were looked at
 */
struct sim {
	const struct device_kind *kind;
	struct homa_inflight f;
	u64 now;
	u64 free_ns;
	u64 queued;
	u64 completed;
	u64 done_ns[MAX_PACKETS];
	u32 head;
	u32 tail;
	u32 high_events;
	u32 events;
};

static void sim_send(struct sim *sim)
{
	u64 start = max(sim->now, sim->free_ns), done;

	sim->free_ns = start + div_u64(PACKET * 8 * 1000, sim->kind->mbps);
	done = sim->kind->early ? start : sim->free_ns;
	done += sim->kind->late_ns;
	if (sim->kind->batch_ns)
		done = div_u64(done + sim->kind->batch_ns - 1,
			       sim->kind->batch_ns) * sim->kind->batch_ns;
	sim->done_ns[sim->tail++ % MAX_PACKETS] = done;
	sim->queued += PACKET;
}

/* Until the next completion, all at that time included. */
static void sim_step(struct sim *sim)
{
	while (sim->queued - sim->completed < sim->f.limit &&
	       sim->tail - sim->head < MAX_PACKETS)
		sim_send(sim);
	sim->f.blocked = true;
	sim->now = max(sim->now, sim->done_ns[sim->head % MAX_PACKETS]);
	while (sim->head != sim->tail &&
	       sim->done_ns[sim->head % MAX_PACKETS] <= sim->now) {
		sim->head++;
		sim->completed += PACKET;
	}
	homa_inflight_completed(&sim->f, sim->now, sim->queued,
				sim->completed, PACKET, 1 << 19);
	sim->events++;
	sim->high_events += sim->f.limit > sim->kind->max_limit;
}

static struct sim *sim_new(struct kunit *test, const struct device_kind *kind)
{
	struct sim *sim = kunit_kzalloc(test, sizeof(*sim), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, sim);
	sim->kind = kind;
	homa_inflight_init(&sim->f);
	return sim;
}

static void sim_run(struct sim *sim, u64 ns)
{
	u64 end = sim->now + ns;

	sim->high_events = 0;
	sim->events = 0;
	while (sim->now < end)
		sim_step(sim);
}

/* The device is never idle for long, and has little more than that takes. */
static void homa_inflight__finds_limit(struct kunit *test)
{
	struct sim *sim = sim_new(test, test->param_value);
	u64 completed, start, possible;

	sim_run(sim, LEARN_NS);
	completed = sim->completed;
	start = sim->now;
	sim_run(sim, MEASURE_NS);
	completed = sim->completed - completed;
	possible = div_u64((sim->now - start) * sim->kind->mbps, 8 * 1000);
	KUNIT_EXPECT_GE(test, completed * 100, possible * 97);
	KUNIT_EXPECT_LE(test, sim->high_events * 100, sim->events * 7);
}

/* A device that changes is found out again. */
static void homa_inflight__changes(struct kunit *test)
{
	static const struct device_kind batches = {
		.mbps = 10000, .batch_ns = 50000, .max_limit = 140000,
	};
	static const struct device_kind shaper = {
		.mbps = 10000, .early = true, .max_limit = 1,
	};
	struct sim *sim = sim_new(test, &batches);
	u64 completed, start;

	sim_run(sim, LEARN_NS);
	KUNIT_EXPECT_GE(test, sim->f.keep, 60000U);
	sim->kind = &shaper;
	sim_run(sim, 2000 * NSEC_PER_MSEC);
	sim_run(sim, MEASURE_NS);
	KUNIT_EXPECT_LE(test, sim->high_events * 100, sim->events * 7);
	sim->kind = &batches;
	sim_run(sim, 2 * LEARN_NS);
	completed = sim->completed;
	start = sim->now;
	sim_run(sim, MEASURE_NS);
	completed = sim->completed - completed;
	KUNIT_EXPECT_GE(test, completed * 100,
			div_u64((sim->now - start) * 10, 8) * 97);
}

/* What a shaper may have in the beginning does not last. */
static void homa_inflight__begins(struct kunit *test)
{
	static const struct device_kind shaper = {
		.mbps = 10000, .early = true, .max_limit = 1,
	};
	struct sim *sim = sim_new(test, &shaper);

	while (sim->f.limit > 1 && sim->events < 150)
		sim_step(sim);
	KUNIT_EXPECT_EQ(test, sim->f.limit, 1U);
}

/* No limit above the highest one that is allowed, nor below one byte. */
static void homa_inflight__bounds(struct kunit *test)
{
	struct homa_inflight f;
	u64 now = 0, bytes = 0;
	int i;

	homa_inflight_init(&f);
	KUNIT_EXPECT_EQ(test, f.limit, (u32)HOMA_INFLIGHT_START);
	for (i = 0; i < 100; i++) {
		bytes += 100000;
		now += 100000 / f.limit;	/* more is faster */
		f.blocked = true;
		homa_inflight_completed(&f, now, bytes, bytes, 1500, 50000);
		KUNIT_EXPECT_GE(test, f.limit, 1U);
		KUNIT_EXPECT_LE(test, f.limit, 50000U);
	}
	KUNIT_EXPECT_GE(test, f.keep, 25000U);
}

/* What is completed while nobody waits says nothing. */
static void homa_inflight__not_blocked(struct kunit *test)
{
	struct homa_inflight f, before;
	u64 now = 0, bytes = 0;
	int i;

	homa_inflight_init(&f);
	before = f;
	for (i = 0; i < 1000; i++) {
		bytes += PACKET;
		now += 1000;
		homa_inflight_completed(&f, now, bytes, bytes, 1500, 50000);
	}
	KUNIT_EXPECT_EQ(test, f.limit, before.limit);
	KUNIT_EXPECT_EQ(test, f.keep, before.keep);
	KUNIT_EXPECT_EQ(test, f.kept.rounds + f.events, 0U);
	KUNIT_EXPECT_EQ(test, f.last_completed, bytes);
}

static struct kunit_case inflight_cases[] = {
	KUNIT_CASE_PARAM(homa_inflight__finds_limit, kind_gen_params),
	KUNIT_CASE(homa_inflight__begins),
	KUNIT_CASE(homa_inflight__changes),
	KUNIT_CASE(homa_inflight__bounds),
	KUNIT_CASE(homa_inflight__not_blocked),
	{}
};

static struct kunit_suite inflight_suite = {
	.name = "homa_inflight",
	.test_cases = inflight_cases,
};

kunit_test_suites(&inflight_suite);
