// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* How far messages were, every 20 ms: the counters of messages and bytes begun and
 * done, for the last 1000 such moments, in /proc/net/homa/snapshots. What went on
 * in the seconds before something was noticed can be seen there. When the timetrace
 * is frozen the last of them are written to it.
 *
 * No memory is needed before a host's first socket. Nothing is done before its first
 * RPC, nor after a second without progress, until the next RPC begins.
 */
#include <linux/math64.h>
#include <linux/mm.h>

#include "net.h"
#include "snapshot.h"

#define SNAPSHOT_MSECS 20
#define SNAPSHOT_IDLE 50	/* without change, until nothing more is done */
#define SNAPSHOT_TRACED 25	/* of the last ones, in a trace */

/* The counters are neighbours in struct homa_metrics. */
#define FIRST_COUNTER \
	(offsetof(struct homa_metrics, client_requests_started) / sizeof(u64))

static void snapshot_count(struct homa_net *hn, u64 *counts)
{
	int cpu, i;

	memset(counts, 0, HOMA_SNAPSHOT_COUNTS * sizeof(*counts));
	for_each_possible_cpu(cpu) {
		const u64 *metrics = (u64 *)per_cpu_ptr(hn->metrics, cpu);

		for (i = 0; i < HOMA_SNAPSHOT_COUNTS; i++)
			counts[i] += READ_ONCE(metrics[FIRST_COUNTER + i]);
	}
}

/* The one that was taken so many before the next one. */
static struct homa_snapshot *snapshot_at(struct homa_snapshots *s, u64 back)
{
	return &s->ring[(s->taken - back) % HOMA_SNAPSHOTS];
}

static u64 snapshot_kept(const struct homa_snapshots *s)
{
	return min_t(u64, s->taken, HOMA_SNAPSHOTS);
}

/* Whether anything has changed since the one before. */
static bool snapshot_take(struct homa_net *hn)
{
	struct homa_snapshots *s = &hn->snapshots;
	struct homa_snapshot *now = snapshot_at(s, 0);

	now->ns = homa_now();
	snapshot_count(hn, now->counts);
	s->taken++;
	return s->taken == 1 || memcmp(now->counts, snapshot_at(s, 2)->counts,
				       sizeof(now->counts));
}

static void snapshot_work(struct work_struct *work)
{
	struct homa_net *hn = container_of(work, struct homa_net,
					   snapshots.work.work);
	struct homa_snapshots *s = &hn->snapshots;

	mutex_lock(&s->lock);
	s->idle = snapshot_take(hn) ? 0 : s->idle + 1;
	if (s->idle >= SNAPSHOT_IDLE) {
		s->idle = 0;
		/* An RPC that begins just now may wait for the next one that does. */
		WRITE_ONCE(s->running, false);
	} else {
		schedule_delayed_work(&s->work, msecs_to_jiffies(SNAPSHOT_MSECS));
	}
	mutex_unlock(&s->lock);
}

/**
 * __homa_snapshots_start() - there is something to be seen
 * @hn: host
 *
 * Context: any.
 */
void __homa_snapshots_start(struct homa_net *hn)
{
	WRITE_ONCE(hn->snapshots.running, true);
	schedule_delayed_work(&hn->snapshots.work, 0);
}

/**
 * homa_snapshots_alloc() - make room for a host's snapshots
 * @hn: host, which may have it
 *
 * Without memory there are no snapshots, which is no reason to fail.
 *
 * Context: process, sleeps.
 */
void homa_snapshots_alloc(struct homa_net *hn)
{
	struct homa_snapshots *s = &hn->snapshots;
	struct homa_snapshot *ring;

	if (READ_ONCE(s->ring))
		return;
	ring = kvcalloc(HOMA_SNAPSHOTS, sizeof(*ring),
			GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	/* Pairs with homa_snapshots_start(). */
	if (ring && cmpxchg_release(&s->ring, NULL, ring))
		kvfree(ring);
}

static void snapshot_trace(struct homa_net *hn, const struct homa_snapshot *snapshot,
			   u64 now)
{
	const u64 *c = snapshot->counts;

	tt_event(hn, SNAPSHOT, div_u64(now - snapshot->ns, NSEC_PER_USEC));
	tt_event(hn, SNAPSHOT_CLIENT_REQ, c[0], c[1] >> 10, c[2] >> 10, c[3]);
	tt_event(hn, SNAPSHOT_CLIENT_RESP, c[4], c[5] >> 10, c[6] >> 10, c[7]);
	tt_event(hn, SNAPSHOT_SERVER_REQ, c[8], c[9] >> 10, c[10] >> 10, c[11]);
	tt_event(hn, SNAPSHOT_SERVER_RESP, c[12], c[13] >> 10, c[14] >> 10, c[15]);
}

/**
 * homa_snapshots_trace() - write the last ones to the timetrace
 * @hn: host
 *
 * Bytes are in units of 1024.
 *
 * Context: process, sleeps.
 */
void homa_snapshots_trace(struct homa_net *hn)
{
	struct homa_snapshots *s = &hn->snapshots;
	u64 back, now = homa_now();

	mutex_lock(&s->lock);
	for (back = min_t(u64, snapshot_kept(s), SNAPSHOT_TRACED); back; back--)
		snapshot_trace(hn, snapshot_at(s, back), now);
	mutex_unlock(&s->lock);
}

/* Position 0 is the heading, n the n-th that was ever taken. */
static void *snapshots_at(struct seq_file *seq, loff_t *pos)
{
	struct homa_snapshots *s = &homa_net(seq_file_net(seq))->snapshots;
	u64 oldest = s->taken - snapshot_kept(s) + 1;

	if (*pos)
		*pos = max_t(u64, *pos, oldest);
	return *pos <= s->taken ? pos : NULL;
}

static void *snapshots_start(struct seq_file *seq, loff_t *pos)
{
	mutex_lock(&homa_net(seq_file_net(seq))->snapshots.lock);
	return snapshots_at(seq, pos);
}

static void *snapshots_next(struct seq_file *seq, void *item, loff_t *pos)
{
	++*pos;
	return snapshots_at(seq, pos);
}

static void snapshots_stop(struct seq_file *seq, void *item)
{
	mutex_unlock(&homa_net(seq_file_net(seq))->snapshots.lock);
}

static int snapshots_show(struct seq_file *seq, void *item)
{
	struct homa_snapshots *s = &homa_net(seq_file_net(seq))->snapshots;
	const struct homa_snapshot *snapshot;
	u64 pos = *(loff_t *)item;
	struct homa_metric_label label;
	int i;

	if (!pos) {
		seq_puts(seq, "ns");
		for (i = 0; i < HOMA_SNAPSHOT_COUNTS; i++) {
			homa_metrics_label(&label, FIRST_COUNTER + i);
			seq_printf(seq, " %s", label.name);
		}
		seq_putc(seq, '\n');
		return 0;
	}
	snapshot = snapshot_at(s, s->taken - pos + 1);
	seq_printf(seq, "%llu", snapshot->ns);
	for (i = 0; i < HOMA_SNAPSHOT_COUNTS; i++)
		seq_printf(seq, " %llu", snapshot->counts[i]);
	seq_putc(seq, '\n');
	return 0;
}

const struct seq_operations homa_snapshots_ops = {
	.start = snapshots_start,
	.next = snapshots_next,
	.stop = snapshots_stop,
	.show = snapshots_show,
};

/**
 * homa_snapshots_net_init() - prepare a host's snapshots
 * @hn: host
 *
 * Context: process.
 * Return: 0
 */
int homa_snapshots_net_init(struct homa_net *hn)
{
	mutex_init(&hn->snapshots.lock);
	INIT_DELAYED_WORK(&hn->snapshots.work, snapshot_work);
	return 0;
}

/**
 * homa_snapshots_net_exit() - end and free them
 * @hn: host without RPCs; nobody reads them any more
 *
 * Context: process, sleeps.
 */
void homa_snapshots_net_exit(struct homa_net *hn)
{
	cancel_delayed_work_sync(&hn->snapshots.work);
	kvfree(hn->snapshots.ring);
}
