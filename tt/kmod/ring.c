// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Timetrace rings: who has them, and when nothing is recorded.
 *
 * Each host has a ring for each CPU. A record is written with interrupts off,
 * by the CPU that owns the ring (__tt_record()), so that recording needs no
 * atomic operation and the times in one ring never decrease. In User-Mode
 * Linux's virtual time it also makes the reading of the clock free: a traced
 * run takes exactly as long as an untraced one.
 *
 * Recorders look at one pointer, tt_host.active, which is NULL while there is a
 * reason not to record. Each open reader is one, and waits for recorders on
 * other CPUs once it has cleared the pointer; nobody writes to a ring that is
 * being read. tt_freeze() is one more, which stays until the last reader closes
 * or tt_unfreeze() is called. Either way the rings are empty afterwards: what
 * was read is gone, and what follows has no gap.
 */

#include <linux/cpumask.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>
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

static unsigned int tt_ring_events = TT_RING_EVENTS;

static int events_set(const char *value, const struct kernel_param *param)
{
	unsigned int events;
	int err = kstrtouint(value, 0, &events);

	if (err)
		return err;
	if (events < TT_RING_EVENTS_MIN || events > TT_RING_EVENTS_MAX ||
	    !is_power_of_2(events))
		return -EINVAL;
	WRITE_ONCE(tt_ring_events, events);
	return 0;
}

static const struct kernel_param_ops events_ops = {
	.set = events_set,
	.get = param_get_uint,
};

module_param_cb(timetrace_events, &events_ops, &tt_ring_events, 0644);
MODULE_PARM_DESC(timetrace_events, "Records in the ring of each CPU (default 16384), a power of two; for hosts whose first socket is made later");

/**
 * tt_ring_size() - how many records the ring of a CPU should have
 *
 * Context: any.
 */
unsigned int tt_ring_size(void)
{
	return READ_ONCE(tt_ring_events);
}

static void ring_free(struct tt_ring *ring)
{
	if (!tt_ring_is_spare(ring))
		kvfree(ring->events);
}

static int ring_alloc(struct tt_ring *ring, unsigned int events, int cpu)
{
	size_t bytes = array_size(events, sizeof(struct tt_event));
	void *memory;

	/* Zeroed: other memory's contents are for nobody to see. */
	memory = kvzalloc_node(bytes, GFP_KERNEL_ACCOUNT | __GFP_NOWARN,
			       cpu_to_node(cpu));
	if (!memory)
		return -ENOMEM;
	ring->mask = bytes - 1;
	ring->events = memory;
	return 0;
}

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
	for_each_possible_cpu(cpu) {
		struct tt_ring *ring = per_cpu_ptr(rings, cpu);

		ring->events = &ring->spare;
		ring->mask = sizeof(struct tt_event) - 1;
	}
	for_each_present_cpu(cpu) {
		if (ring_alloc(per_cpu_ptr(rings, cpu), events, cpu))
			goto err_events;
	}
	spin_lock_irq(&host->guard);
	host->rings = rings;
	if (!host->stops)
		/* Pairs with the acquire in __tt_record(). */
		smp_store_release(&host->active, rings);
	spin_unlock_irq(&host->guard);
	return 0;

err_events:
	for_each_present_cpu(cpu)
		ring_free(per_cpu_ptr(rings, cpu));
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
		ring_free(per_cpu_ptr(host->rings, cpu));
	free_percpu(host->rings);
	host->active = NULL;
	host->rings = NULL;
}
EXPORT_SYMBOL_IF_KUNIT(tt_rings_free);

/**
 * tt_stop() - one reason more not to record
 * @host: host; recorders that are under way may still finish
 *
 * Context: any but NMI.
 */
void tt_stop(struct tt_host *host)
{
	unsigned long flags;

	spin_lock_irqsave(&host->guard, flags);
	host->stops++;
	WRITE_ONCE(host->active, NULL);
	spin_unlock_irqrestore(&host->guard, flags);
}
EXPORT_SYMBOL_IF_KUNIT(tt_stop);

/**
 * tt_go() - one reason less; undoes one tt_stop()
 * @host: host
 *
 * Context: any but NMI.
 */
void tt_go(struct tt_host *host)
{
	unsigned long flags;

	spin_lock_irqsave(&host->guard, flags);
	if (!--host->stops)
		/* Pairs with the acquire in __tt_record(). */
		smp_store_release(&host->active, host->rings);
	spin_unlock_irqrestore(&host->guard, flags);
}
EXPORT_SYMBOL_IF_KUNIT(tt_go);

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
 * tt_freeze() - stop recording for a host, and keep what there is
 * @host: host; may be frozen already
 *
 * Lasts until the records have been read, or until tt_unfreeze().
 *
 * Context: any but NMI.
 * Return: whether it was this call that did it.
 */
bool tt_freeze(struct tt_host *host)
{
	if (test_and_set_bit(0, &host->frozen))
		return false;
	__tt_record(host, tt_FREEZING, 0, 0, 0, 0, 0);
	tt_stop(host);
	return true;
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
		tt_go(host);
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
	tt_stop(host);
	mutex_unlock(&host->lock);

	/* Recorders have interrupts off, which is a read side. */
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
			tt_go(host);
		if (READ_ONCE(host->stops) == 1)
			rings_empty(host);
	}
	tt_go(host);
	mutex_unlock(&host->lock);
	if (last)
		__tt_record(host, tt_RECORDING, 0, 0, 0, 0, 0);
}
EXPORT_SYMBOL_IF_KUNIT(tt_read_end);
