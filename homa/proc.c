// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* /proc/net/homa_metrics: a host's counters, for everybody to read.
 *
 * A line is a name, a number and a description. The time of the copy and the
 * unit of times come first; then each possible CPU has a line "core" followed
 * by its counters. Times are nanoseconds, which cpu_khz says in the way that
 * tools for cycle counters understand.
 */

#include <linux/mm.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <net/net_namespace.h>

#include "net.h"

#define PROC_NAME "homa_metrics"

/* Lines before those of the first core, and lines of a core. */
#define HEAD_LINES 2
#define CORE_LINES (1 + HOMA_METRIC_ROWS)

/* Items are positions plus one, so that none is NULL. */
static void *metrics_item(struct seq_file *seq, loff_t pos)
{
	struct homa_metrics_snapshot *snap = seq->private;

	if (pos >= HEAD_LINES + (loff_t)snap->count * CORE_LINES)
		return NULL;
	return (void *)(unsigned long)(pos + 1);
}

static void *metrics_start(struct seq_file *seq, loff_t *pos)
{
	return metrics_item(seq, *pos);
}

static void *metrics_next(struct seq_file *seq, void *item, loff_t *pos)
{
	return metrics_item(seq, ++*pos);
}

static void metrics_stop(struct seq_file *seq, void *item)
{
}

static void metrics_line(struct seq_file *seq, const char *name, u64 value,
			 const char *description)
{
	seq_printf(seq, "%-30s %20llu %s\n", name, value, description);
}

static void core_line(struct seq_file *seq, unsigned int line)
{
	struct homa_metrics_snapshot *snap = seq->private;
	unsigned int core = line / CORE_LINES;
	unsigned int row = line % CORE_LINES;
	struct homa_metric_label label;

	if (row == 0) {
		metrics_line(seq, "core", snap->cores[core].cpu,
			     "CPU that counted what follows");
		return;
	}
	homa_metrics_label(&label, row - 1);
	metrics_line(seq, label.name,
		     ((u64 *)&snap->cores[core].metrics)[row - 1],
		     label.description);
}

static int metrics_show(struct seq_file *seq, void *item)
{
	struct homa_metrics_snapshot *snap = seq->private;
	unsigned long pos = (unsigned long)item - 1;

	if (pos == 0)
		metrics_line(seq, "time_cycles", snap->ns,
			     "Time when these metrics were read");
	else if (pos == 1)
		metrics_line(seq, "cpu_khz", 1000000,
			     "Rate of all times here: they are nanoseconds");
	else
		core_line(seq, pos - HEAD_LINES);
	return 0;
}

static const struct seq_operations metrics_seq_ops = {
	.start = metrics_start,
	.next = metrics_next,
	.stop = metrics_stop,
	.show = metrics_show,
};

static int metrics_open(struct inode *inode, struct file *file)
{
	struct homa_metrics_snapshot *snap;
	struct seq_file *seq;
	int err;

	snap = homa_metrics_snapshot(pde_data(inode));
	if (!snap)
		return -ENOMEM;
	err = seq_open(file, &metrics_seq_ops);
	if (err) {
		kvfree(snap);
		return err;
	}
	seq = file->private_data;
	seq->private = snap;
	return 0;
}

static int metrics_release(struct inode *inode, struct file *file)
{
	struct seq_file *seq = file->private_data;

	kvfree(seq->private);
	return seq_release(inode, file);
}

static const struct proc_ops metrics_proc_ops = {
	.proc_open = metrics_open,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_release = metrics_release,
};

/**
 * homa_proc_net_init() - make a host's /proc/net/homa_metrics
 * @hn: host whose counters exist
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
int homa_proc_net_init(struct homa_net *hn)
{
	if (!proc_create_data(PROC_NAME, 0444, hn->net->proc_net,
			      &metrics_proc_ops, hn))
		return -ENOMEM;
	return 0;
}

/**
 * homa_proc_net_exit() - remove it; files that are open are cut off
 * @hn: host
 *
 * Context: process.
 */
void homa_proc_net_exit(struct homa_net *hn)
{
	remove_proc_entry(PROC_NAME, hn->net->proc_net);
}
