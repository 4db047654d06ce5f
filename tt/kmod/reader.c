// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Reading a host's rings, while nobody writes to them: which records count, how
 * many were lost, and all of them in order of time.
 *
 * The rings of a host overflow at different times. What is older than the oldest
 * record of any ring that did is left out: a trace has no gaps.
 */

#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <kunit/visibility.h>

#include "timetrace.h"

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

/* Counts from the ring's making, as cursors do. */
static unsigned long ring_next(const struct tt_ring *ring)
{
	return ring->next / sizeof(struct tt_event);
}

static unsigned long ring_first(const struct tt_ring *ring)
{
	return READ_ONCE(ring->first) / sizeof(struct tt_event);
}

static unsigned long ring_entries(const struct tt_ring *ring)
{
	return (ring->mask + 1) / sizeof(struct tt_event);
}

static bool ring_wrapped(const struct tt_ring *ring)
{
	return ring_next(ring) - ring_first(ring) > ring_entries(ring);
}

/**
 * tt_ring_event() - a record by its number
 * @ring: ring that has not overwritten it
 * @index: number of records that were made before it
 *
 * Context: any.
 * Return: the record.
 */
const struct tt_event *tt_ring_event(const struct tt_ring *ring,
				     unsigned long index)
{
	return ring->events + (index * sizeof(struct tt_event) & ring->mask);
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
	cursor->end = ring_next(ring);
	cursor->begin = ring_wrapped(ring) ? cursor->end - ring_entries(ring) :
					     ring_first(ring);
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
			start_ns = max(start_ns, tt_ring_event(cursor->ring,
							       cursor->begin)->ns);
	}
	reader->lost = 0;
	reader->total = 0;
	for (cursor = reader->cursors; cursor < end; cursor++) {
		while (cursor->begin != cursor->end &&
		       tt_ring_event(cursor->ring, cursor->begin)->ns < start_ns)
			cursor->begin++;
		reader->lost += cursor->begin - ring_first(cursor->ring);
		reader->total += cursor->end - cursor->begin;
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

	reader->host = host;
	if (host->rings) {
		for_each_possible_cpu(cpu) {
			const struct tt_ring *ring = per_cpu_ptr(host->rings, cpu);

			if (!tt_ring_is_spare(ring))
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
		ns = tt_ring_event(cursor->ring, cursor->pos)->ns;
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
	return tt_ring_event(oldest->ring, oldest->pos);
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
		event = tt_ring_event(cursor->ring, cursor->end - 1);
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
 * Return: 0 or -ENOMEM
 */
int tt_dump(struct tt_host *host)
{
	struct tt_reader *reader = tt_reader_alloc();
	const struct tt_event *event;
	char line[TT_LINE_BYTES];
	int cpu;

	if (!reader)
		return -ENOMEM;
	tt_stop(host);
	synchronize_rcu();
	tt_reader_start(reader, host);
	while ((event = reader_pop_newest(reader, &cpu))) {
		tt_event_print(line, event, cpu);
		pr_info("%s\n", line);
		cond_resched();
	}
	tt_go(host);
	tt_reader_free(reader);
	return 0;
}
