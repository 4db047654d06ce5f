// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Timetrace rings: recording, freezing, reading in order of time.
 *
 * Each host has a ring for each CPU. A record is written with interrupts off,
 * by the CPU that owns the ring, so that recording needs no atomic operation
 * and the times in one ring never decrease. In User-Mode Linux's virtual time
 * it also makes the reading of the clock free: a traced run takes exactly as
 * long as an untraced one.
 *
 * Recording stops while tt_host.freezes is positive. Each open reader counts
 * one, and waits for recorders on other CPUs once it has done so; nobody writes
 * to a ring that is being read. tt_freeze() counts one more, which stays until
 * the last reader closes or tt_unfreeze() is called. Either way the rings are
 * empty afterwards: what was read is gone, and what follows has no gap.
 */

#include <linux/cpumask.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/topology.h>
#include <kunit/visibility.h>

#include "timetrace.h"

DEFINE_STATIC_KEY_TRUE(tt_enabled);
EXPORT_SYMBOL_IF_KUNIT(tt_enabled);

static int enabled_set(const char *value, const struct kernel_param *param)
{
	bool on;
	int err = kstrtobool(value, &on);

	if (err)
		return err;
	if (on)
		static_branch_enable(&tt_enabled);
	else
		static_branch_disable(&tt_enabled);
	return 0;
}

static int enabled_get(char *buffer, const struct kernel_param *param)
{
	return sysfs_emit(buffer, "%c\n",
			  static_key_enabled(&tt_enabled) ? 'Y' : 'N');
}

static const struct kernel_param_ops enabled_ops = {
	.set = enabled_set,
	.get = enabled_get,
};

module_param_cb(timetrace, &enabled_ops, NULL, 0644);
MODULE_PARM_DESC(timetrace, "Record timetraces (default Y); hosts whose first socket is made while it is N get none");

/**
 * tt_rings_alloc() - give a host its rings
 * @host: host without rings
 * @events: records in each ring; a power of two
 *
 * Memory is charged to the caller's memory cgroup. CPUs that are not present
 * now get no ring, and what happens on them later is not recorded.
 *
 * Context: process.
 * Return: 0 or -ENOMEM; then the host has no rings.
 */
int tt_rings_alloc(struct tt_host *host, unsigned int events)
{
	struct tt_ring __percpu *rings;
	int cpu;

	rings = alloc_percpu(struct tt_ring);
	if (!rings)
		return -ENOMEM;
	for_each_present_cpu(cpu) {
		struct tt_ring *ring = per_cpu_ptr(rings, cpu);

		ring->mask = events - 1;
		ring->events = kvmalloc_node(array_size(events,
							sizeof(struct tt_event)),
					     GFP_KERNEL_ACCOUNT | __GFP_NOWARN,
					     cpu_to_node(cpu));
		if (!ring->events)
			goto err_events;
	}
	/* Pairs with the acquire in __tt_record(). */
	smp_store_release(&host->rings, rings);
	return 0;

err_events:
	for_each_present_cpu(cpu)
		kvfree(per_cpu_ptr(rings, cpu)->events);
	free_percpu(rings);
	return -ENOMEM;
}
EXPORT_SYMBOL_IF_KUNIT(tt_rings_alloc);

/**
 * tt_rings_free() - take a host's rings away
 * @host: host for which nobody records or reads any more
 *
 * Context: process.
 */
void tt_rings_free(struct tt_host *host)
{
	int cpu;

	if (!host->rings)
		return;
	for_each_possible_cpu(cpu)
		kvfree(per_cpu_ptr(host->rings, cpu)->events);
	free_percpu(host->rings);
	host->rings = NULL;
}
EXPORT_SYMBOL_IF_KUNIT(tt_rings_free);

/* Forget all records. Recording is stopped, or a late one may survive. */
static void rings_empty(struct tt_host *host)
{
	int cpu;

	if (!host->rings)
		return;
	for_each_possible_cpu(cpu) {
		struct tt_ring *ring = per_cpu_ptr(host->rings, cpu);

		WRITE_ONCE(ring->first, READ_ONCE(ring->next));
	}
}

/**
 * __tt_record() - record an event; use tt_record() or tt_event()
 * @host: host that it happened on
 * @format: string literal
 * @a: first value that @format prints
 * @b: second
 * @c: third
 * @d: fourth
 *
 * Context: any but NMI.
 */
void __tt_record(struct tt_host *host, const char *format,
		 u32 a, u32 b, u32 c, u32 d)
{
	/* Pairs with the release in tt_rings_alloc(). */
	struct tt_ring __percpu *rings = smp_load_acquire(&host->rings);
	struct tt_event *event;
	struct tt_ring *ring;
	unsigned long flags;

	if (!rings)
		return;
	/* Also the read side of the synchronize_rcu() in tt_read_begin(). */
	local_irq_save(flags);
	ring = this_cpu_ptr(rings);
	if (atomic_read(&host->freezes) == 0 && ring->events) {
		event = &ring->events[ring->next & ring->mask];
		event->ns = tt_clock();
		event->format = format;
		event->arg[0] = a;
		event->arg[1] = b;
		event->arg[2] = c;
		event->arg[3] = d;
		WRITE_ONCE(ring->next, ring->next + 1);
	}
	local_irq_restore(flags);
}
EXPORT_SYMBOL_IF_KUNIT(__tt_record);

/**
 * tt_freeze() - stop recording for a host, and keep what there is
 * @host: host; may be frozen already
 *
 * Lasts until the records have been read, or until tt_unfreeze().
 *
 * Context: any but NMI.
 */
void tt_freeze(struct tt_host *host)
{
	if (test_and_set_bit(0, &host->frozen))
		return;
	__tt_record(host, tt_FREEZING, 0, 0, 0, 0);
	atomic_inc(&host->freezes);
}
EXPORT_SYMBOL_IF_KUNIT(tt_freeze);

/**
 * tt_unfreeze() - undo tt_freeze() and start with empty rings
 * @host: host; nothing happens if it is not frozen
 *
 * Context: process.
 */
void tt_unfreeze(struct tt_host *host)
{
	mutex_lock(&host->lock);
	if (test_and_clear_bit(0, &host->frozen)) {
		rings_empty(host);
		atomic_dec(&host->freezes);
	}
	mutex_unlock(&host->lock);
}
EXPORT_SYMBOL_IF_KUNIT(tt_unfreeze);

/**
 * tt_read_begin() - stop recording in order to read
 * @host: host
 *
 * Context: process; when it returns, no recorder is under way.
 */
void tt_read_begin(struct tt_host *host)
{
	mutex_lock(&host->lock);
	host->readers++;
	atomic_inc(&host->freezes);
	mutex_unlock(&host->lock);
	synchronize_rcu();
}
EXPORT_SYMBOL_IF_KUNIT(tt_read_begin);

/**
 * tt_read_end() - a reader is done
 * @host: host
 *
 * The last reader ends a freeze. The rings are emptied unless something else
 * still stops recording.
 *
 * Context: process.
 */
void tt_read_end(struct tt_host *host)
{
	bool last;

	mutex_lock(&host->lock);
	last = --host->readers == 0;
	if (last) {
		if (test_and_clear_bit(0, &host->frozen))
			atomic_dec(&host->freezes);
		if (atomic_read(&host->freezes) == 1)
			rings_empty(host);
	}
	atomic_dec(&host->freezes);
	mutex_unlock(&host->lock);
	if (last)
		__tt_record(host, tt_RECORDING, 0, 0, 0, 0);
}
EXPORT_SYMBOL_IF_KUNIT(tt_read_end);

/**
 * tt_reader_alloc() - make a reader, to be started with tt_reader_start()
 *
 * Context: process.
 * Return: reader, to be freed with tt_reader_free(), or NULL.
 */
struct tt_reader *tt_reader_alloc(void)
{
	struct tt_reader *reader;

	return kvzalloc(struct_size(reader, cursors, nr_cpu_ids),
			GFP_KERNEL_ACCOUNT);
}
EXPORT_SYMBOL_IF_KUNIT(tt_reader_alloc);

/**
 * tt_reader_free() - free a reader
 * @reader: reader or NULL
 *
 * Context: process.
 */
void tt_reader_free(struct tt_reader *reader)
{
	kvfree(reader);
}
EXPORT_SYMBOL_IF_KUNIT(tt_reader_free);

static const struct tt_event *ring_event(const struct tt_ring *ring,
					 unsigned long index)
{
	return &ring->events[index & ring->mask];
}

static bool ring_wrapped(const struct tt_ring *ring)
{
	return ring->next - READ_ONCE(ring->first) > ring->mask + 1;
}

/**
 * tt_reader_add() - have a reader read a ring
 * @reader: reader with room for one more
 * @ring: ring that nobody writes to
 * @cpu: whose it is
 *
 * Context: any.
 */
void tt_reader_add(struct tt_reader *reader, const struct tt_ring *ring, int cpu)
{
	struct tt_cursor *cursor = &reader->cursors[reader->count++];

	cursor->ring = ring;
	cursor->cpu = cpu;
	cursor->end = ring->next;
	cursor->begin = ring_wrapped(ring) ? ring->next - ring->mask - 1 :
					     READ_ONCE(ring->first);
}
EXPORT_SYMBOL_IF_KUNIT(tt_reader_add);

/**
 * tt_reader_trim() - leave out what would have gaps, and go to the beginning
 * @reader: reader to which all rings were added
 *
 * From the oldest record of a ring that overflowed onwards that ring is
 * complete. Nothing is shown from before the latest such moment.
 *
 * Context: any.
 */
void tt_reader_trim(struct tt_reader *reader)
{
	struct tt_cursor *cursor, *end = &reader->cursors[reader->count];
	u64 start_ns = 0;

	for (cursor = reader->cursors; cursor < end; cursor++) {
		if (ring_wrapped(cursor->ring))
			start_ns = max(start_ns, ring_event(cursor->ring,
							    cursor->begin)->ns);
	}
	for (cursor = reader->cursors; cursor < end; cursor++) {
		while (cursor->begin != cursor->end &&
		       ring_event(cursor->ring, cursor->begin)->ns < start_ns)
			cursor->begin++;
	}
	tt_reader_rewind(reader);
}
EXPORT_SYMBOL_IF_KUNIT(tt_reader_trim);

/**
 * tt_reader_start() - begin to read a host's records
 * @reader: new reader
 * @host: host between tt_read_begin() and tt_read_end(), or stopped otherwise
 *
 * Context: process.
 */
void tt_reader_start(struct tt_reader *reader, struct tt_host *host)
{
	int cpu;

	if (host->rings) {
		for_each_possible_cpu(cpu) {
			const struct tt_ring *ring = per_cpu_ptr(host->rings, cpu);

			if (ring->events)
				tt_reader_add(reader, ring, cpu);
		}
	}
	tt_reader_trim(reader);
}
EXPORT_SYMBOL_IF_KUNIT(tt_reader_start);

/**
 * tt_reader_rewind() - go back to the oldest record
 * @reader: started reader
 *
 * Context: any.
 */
void tt_reader_rewind(struct tt_reader *reader)
{
	unsigned int i;

	for (i = 0; i < reader->count; i++)
		reader->cursors[i].pos = reader->cursors[i].begin;
	reader->index = 0;
}
EXPORT_SYMBOL_IF_KUNIT(tt_reader_rewind);

/* The cursor whose next record is the oldest, or NULL at the end. */
static struct tt_cursor *reader_oldest(struct tt_reader *reader)
{
	struct tt_cursor *oldest = NULL;
	u64 oldest_ns = 0;
	unsigned int i;

	for (i = 0; i < reader->count; i++) {
		struct tt_cursor *cursor = &reader->cursors[i];
		u64 ns;

		if (cursor->pos == cursor->end)
			continue;
		ns = ring_event(cursor->ring, cursor->pos)->ns;
		if (!oldest || ns < oldest_ns) {
			oldest = cursor;
			oldest_ns = ns;
		}
	}
	return oldest;
}

/**
 * tt_reader_peek() - look at the next record
 * @reader: started reader
 * @cpu: is set to the CPU that made it
 *
 * Context: any.
 * Return: the record, or NULL at the end.
 */
const struct tt_event *tt_reader_peek(struct tt_reader *reader, int *cpu)
{
	struct tt_cursor *oldest = reader_oldest(reader);

	if (!oldest)
		return NULL;
	*cpu = oldest->cpu;
	return ring_event(oldest->ring, oldest->pos);
}
EXPORT_SYMBOL_IF_KUNIT(tt_reader_peek);

/**
 * tt_reader_next() - go past the record that tt_reader_peek() returns
 * @reader: started reader
 *
 * Context: any.
 */
void tt_reader_next(struct tt_reader *reader)
{
	struct tt_cursor *oldest = reader_oldest(reader);

	if (!oldest)
		return;
	oldest->pos++;
	reader->index++;
}
EXPORT_SYMBOL_IF_KUNIT(tt_reader_next);

/**
 * tt_event_print() - render a record, without a newline
 * @line: TT_LINE_BYTES bytes for the result, which is cut if need be
 * @event: record
 * @cpu: who made it
 *
 * Context: any.
 */
void tt_event_print(char *line, const struct tt_event *event, int cpu)
{
	int length = scnprintf(line, TT_LINE_BYTES, "%llu [C%02d] ",
			       event->ns, cpu);

	scnprintf(line + length, TT_LINE_BYTES - length, event->format,
		  event->arg[0], event->arg[1], event->arg[2], event->arg[3]);
}
EXPORT_SYMBOL_IF_KUNIT(tt_event_print);

/* Step back from the end of all rings: the newest record not yet returned. */
static const struct tt_event *reader_pop_newest(struct tt_reader *reader,
						int *cpu)
{
	const struct tt_event *newest = NULL;
	struct tt_cursor *from = NULL;
	unsigned int i;

	for (i = 0; i < reader->count; i++) {
		struct tt_cursor *cursor = &reader->cursors[i];
		const struct tt_event *event;

		if (cursor->begin == cursor->end)
			continue;
		event = ring_event(cursor->ring, cursor->end - 1);
		if (!newest || event->ns > newest->ns) {
			newest = event;
			from = cursor;
		}
	}
	if (from) {
		from->end--;
		*cpu = from->cpu;
	}
	return newest;
}

/**
 * tt_dump() - write a host's records to the kernel log, the newest first
 * @host: host; recording pauses meanwhile, and the records stay
 *
 * Context: process; may take long.
 */
void tt_dump(struct tt_host *host)
{
	struct tt_reader *reader = tt_reader_alloc();
	const struct tt_event *event;
	char line[TT_LINE_BYTES];
	int cpu;

	if (!reader)
		return;
	atomic_inc(&host->freezes);
	synchronize_rcu();
	tt_reader_start(reader, host);
	while ((event = reader_pop_newest(reader, &cpu))) {
		tt_event_print(line, event, cpu);
		pr_info("%s\n", line);
		cond_resched();
	}
	atomic_dec(&host->freezes);
	tt_reader_free(reader);
}
