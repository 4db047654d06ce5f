// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Counters: their memory, their names, and a consistent copy of them.
 *
 * proc.c prints what is here. A reader gets a copy of all CPUs' counters made
 * when it opened the file, so that a long read is not smeared over time.
 */

#include <linux/build_bug.h>
#include <linux/cpumask.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <kunit/visibility.h>

#include "clock.h"
#include "net.h"

#define SMALL_STEP 64
#define SMALL_MAX (HOMA_METRIC_SMALL_MSGS * SMALL_STEP)
#define MEDIUM_STEP 1024

static const char * const type_names[HOMA_METRIC_TYPES] = {
	"DATA", "GRANT", "RESEND", "RPC_UNKNOWN", "BUSY", "CUTOFFS", "FREEZE",
	"NEED_ACK", "ACK",
};

static void label_set(struct homa_metric_label *label, const char *name,
		      const char *description)
{
	strscpy(label->name, name, sizeof(label->name));
	strscpy(label->description, description, sizeof(label->description));
}

static void msg_label(struct homa_metric_label *label, unsigned int min,
		      unsigned int max)
{
	snprintf(label->name, sizeof(label->name), "msg_bytes_%u", max);
	snprintf(label->description, sizeof(label->description),
		 "Bytes in incoming messages of %u to %u bytes", min, max);
}

static void small_msg_label(struct homa_metric_label *label, unsigned int i)
{
	msg_label(label, i * SMALL_STEP + 1, (i + 1) * SMALL_STEP);
}

static void medium_msg_label(struct homa_metric_label *label, unsigned int i)
{
	unsigned int min = SMALL_MAX + i * MEDIUM_STEP + 1;

	msg_label(label, min, min + MEDIUM_STEP - 1);
}

static void packets_sent_label(struct homa_metric_label *label, unsigned int i)
{
	snprintf(label->name, sizeof(label->name), "packets_sent_%s",
		 type_names[i]);
	snprintf(label->description, sizeof(label->description),
		 "%s packets sent", type_names[i]);
}

static void packets_rcvd_label(struct homa_metric_label *label, unsigned int i)
{
	snprintf(label->name, sizeof(label->name), "packets_rcvd_%s",
		 type_names[i]);
	snprintf(label->description, sizeof(label->description),
		 "%s packets received", type_names[i]);
}

static void priority_bytes_label(struct homa_metric_label *label,
				 unsigned int i)
{
	snprintf(label->name, sizeof(label->name), "priority%u_bytes", i);
	snprintf(label->description, sizeof(label->description),
		 "Bytes sent at priority %u, with headers", i);
}

static void priority_packets_label(struct homa_metric_label *label,
				   unsigned int i)
{
	snprintf(label->name, sizeof(label->name), "priority%u_packets", i);
	snprintf(label->description, sizeof(label->description),
		 "Packets sent at priority %u", i);
}

/* A row, or with set_label the rows of an array. */
struct metric_rows {
	unsigned int count;
	void (*set_label)(struct homa_metric_label *label, unsigned int i);
	const char *name;
	const char *description;
};

#define ROW(field, text) { .count = 1, .name = #field, .description = text },
#define ROW_ARRAY(field, entries, label) { .count = entries, .set_label = label },

static const struct metric_rows metric_rows[] = {
	HOMA_METRICS(ROW, ROW_ARRAY)
};

#undef ROW
#undef ROW_ARRAY

/**
 * homa_metrics_label() - name and describe a row
 * @label: is filled in
 * @row: less than HOMA_METRIC_ROWS
 *
 * Context: any.
 */
void homa_metrics_label(struct homa_metric_label *label, unsigned int row)
{
	const struct metric_rows *rows = metric_rows;

	while (row >= rows->count)
		row -= rows++->count;
	if (rows->set_label)
		rows->set_label(label, row);
	else
		label_set(label, rows->name, rows->description);
}
EXPORT_SYMBOL_IF_KUNIT(homa_metrics_label);

/**
 * homa_metric_msg_bytes() - count an incoming message by its length
 * @hn: host
 * @length: of the message, at least 1
 *
 * Context: any.
 */
void homa_metric_msg_bytes(struct homa_net *hn, unsigned int length)
{
	if (length <= SMALL_MAX) {
		homa_metric_add(hn, small_msg_bytes[(length - 1) / SMALL_STEP],
				length);
	} else if (length < HOMA_METRIC_LARGE_MSG) {
		unsigned int i = (length - SMALL_MAX - 1) / MEDIUM_STEP;

		homa_metric_add(hn, medium_msg_bytes[i], length);
	} else {
		homa_metric_inc(hn, large_msg_count);
		homa_metric_add(hn, large_msg_bytes, length);
	}
}
EXPORT_SYMBOL_IF_KUNIT(homa_metric_msg_bytes);

/* Fill in what is not counted but follows from what is. */
static void metrics_derive(struct homa_metrics *m)
{
	m->recv_cycles -= min(m->recv_cycles, m->blocked_cycles);
	m->homa_cycles = m->softirq_cycles + m->napi_cycles + m->send_cycles +
			 m->recv_cycles + m->reply_cycles + m->timer_cycles +
			 m->nic_backlog_cycles;
}

/* Word by word: the CPU may be counting. */
static void metrics_copy(struct homa_metrics *to, const struct homa_metrics *from)
{
	const u64 *source = (const u64 *)from;
	u64 *dest = (u64 *)to;
	unsigned int i;

	for (i = 0; i < HOMA_METRIC_ROWS; i++)
		dest[i] = READ_ONCE(source[i]);
}

/**
 * homa_metrics_snapshot() - copy all counters of a host
 * @hn: host
 *
 * The memory is charged to the caller, since anybody may ask for it.
 *
 * Context: process.
 * Return: the copy, to be freed with kvfree(), or NULL.
 */
struct homa_metrics_snapshot *homa_metrics_snapshot(struct homa_net *hn)
{
	struct homa_metrics_snapshot *snap;
	int cpu;

	snap = kvzalloc(struct_size(snap, cores, num_possible_cpus()),
			GFP_KERNEL_ACCOUNT);
	if (!snap)
		return NULL;
	snap->ns = homa_now();
	for_each_possible_cpu(cpu) {
		struct homa_metrics *copy = &snap->cores[snap->count].metrics;

		snap->cores[snap->count++].cpu = cpu;
		metrics_copy(copy, per_cpu_ptr(hn->metrics, cpu));
		metrics_derive(copy);
	}
	return snap;
}
EXPORT_SYMBOL_IF_KUNIT(homa_metrics_snapshot);

/* The counters of one kind of message: what began, what is done. */
static void log_progress(const char *what, u64 started, u64 done,
			 u64 bytes_started, u64 bytes_done)
{
	pr_info("%s: started %llu, done %llu, delta %lld; bytes %llu, done %llu, delta %lld\n",
		what, started, done, (s64)(started - done),
		bytes_started, bytes_done, (s64)(bytes_started - bytes_done));
}

/**
 * homa_metrics_log() - write how far a host's messages are to the kernel log
 * @hn: host
 *
 * Context: process.
 */
void homa_metrics_log(struct homa_net *hn)
{
	struct homa_metrics_snapshot *snap = homa_metrics_snapshot(hn);
	struct homa_metrics *sum;
	unsigned int i, row;

	if (!snap)
		return;
	/* There is a core 0 always; it takes the sum. */
	sum = &snap->cores[0].metrics;
	for (i = 1; i < snap->count; i++) {
		for (row = 0; row < HOMA_METRIC_ROWS; row++)
			((u64 *)sum)[row] += ((u64 *)&snap->cores[i].metrics)[row];
	}
#define LOG_PROGRESS(kind)						\
	log_progress(#kind, sum->kind##s_started, sum->kind##s_done,	\
		     sum->kind##_bytes_started, sum->kind##_bytes_done)
	LOG_PROGRESS(client_request);
	LOG_PROGRESS(client_response);
	LOG_PROGRESS(server_request);
	LOG_PROGRESS(server_response);
#undef LOG_PROGRESS
	kvfree(snap);
}

/**
 * homa_metrics_net_init() - allocate a host's counters
 * @hn: host
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
int homa_metrics_net_init(struct homa_net *hn)
{
	BUILD_BUG_ON(SMALL_MAX + HOMA_METRIC_MEDIUM_MSGS * MEDIUM_STEP !=
		     HOMA_METRIC_LARGE_MSG);
	hn->metrics = alloc_percpu(struct homa_metrics);
	return hn->metrics ? 0 : -ENOMEM;
}
EXPORT_SYMBOL_IF_KUNIT(homa_metrics_net_init);

/**
 * homa_metrics_net_exit() - free a host's counters
 * @hn: host that counts nothing any more
 *
 * Context: process.
 */
void homa_metrics_net_exit(struct homa_net *hn)
{
	free_percpu(hn->metrics);
	hn->metrics = NULL;
}
EXPORT_SYMBOL_IF_KUNIT(homa_metrics_net_exit);
