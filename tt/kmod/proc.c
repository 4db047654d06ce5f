// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* /proc/net/timetrace: a host's records, merged over CPUs in order of time.
 *
 *	cpu_khz: 1000000
 *	5123456789 [C03] DATA accepted, id 4242 peer 0xa000001 offset 0 length 1400
 *
 * Times are nanoseconds, and cpu_khz says so to programs that expect cycles.
 * Opening stops recording, and the last close empties the rings, so not anybody
 * may: it takes CAP_NET_ADMIN over the namespace. /proc/timetrace, where older
 * programs look, leads to the file of the namespace of who opens it.
 */

#include <linux/capability.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <net/net_namespace.h>

#include "timetrace.h"

#define PROC_NAME "timetrace"

/* Position 0 is the heading, position n the record n - 1. */
static void *trace_start(struct seq_file *seq, loff_t *pos)
{
	struct tt_reader *reader = seq->private;
	int cpu;

	if (*pos == 0) {
		tt_reader_rewind(reader);
		return SEQ_START_TOKEN;
	}
	/* It is almost always where the last read ended; not after a seek. */
	if (reader->index >= *pos)
		tt_reader_rewind(reader);
	while (reader->index < *pos - 1 && tt_reader_peek(reader, &cpu))
		tt_reader_next(reader);
	return tt_reader_peek(reader, &cpu) ? reader : NULL;
}

static void *trace_next(struct seq_file *seq, void *item, loff_t *pos)
{
	struct tt_reader *reader = seq->private;
	int cpu;

	++*pos;
	if (item != SEQ_START_TOKEN)
		tt_reader_next(reader);
	return tt_reader_peek(reader, &cpu) ? reader : NULL;
}

static void trace_stop(struct seq_file *seq, void *item)
{
}

static int trace_show(struct seq_file *seq, void *item)
{
	char line[TT_LINE_BYTES];
	const struct tt_event *event;
	int cpu;

	if (item == SEQ_START_TOKEN) {
		seq_puts(seq, "cpu_khz: 1000000\n");
		return 0;
	}
	event = tt_reader_peek(item, &cpu);
	tt_event_print(line, event, cpu);
	seq_printf(seq, "%s\n", line);
	return 0;
}

static const struct seq_operations trace_seq_ops = {
	.start = trace_start,
	.next = trace_next,
	.stop = trace_stop,
	.show = trace_show,
};

static int trace_open(struct inode *inode, struct file *file)
{
	struct tt_host *host = pde_data(inode);
	struct tt_reader *reader;
	struct seq_file *seq;
	int err;

	if (!ns_capable(host->net->user_ns, CAP_NET_ADMIN))
		return -EPERM;
	reader = tt_reader_alloc();
	if (!reader)
		return -ENOMEM;
	err = seq_open(file, &trace_seq_ops);
	if (err) {
		tt_reader_free(reader);
		return err;
	}
	tt_read_begin(host);
	tt_reader_start(reader, host);
	seq = file->private_data;
	seq->private = reader;
	return 0;
}

/* Called when the file is closed, or before tt_net_exit() removes it. */
static int trace_release(struct inode *inode, struct file *file)
{
	struct seq_file *seq = file->private_data;

	tt_reader_free(seq->private);
	tt_read_end(pde_data(inode));
	return seq_release(inode, file);
}

static const struct proc_ops trace_proc_ops = {
	.proc_open = trace_open,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_release = trace_release,
};

/**
 * tt_net_init() - prepare the timetrace of a host
 * @host: host; zeroed
 * @net: its namespace, where the file is made
 *
 * Nothing is recorded before tt_net_start().
 *
 * Context: process.
 * Return: 0 or -errno.
 */
int tt_net_init(struct tt_host *host, struct net *net)
{
	mutex_init(&host->lock);
	host->net = net;
	if (!proc_create_data(PROC_NAME, 0440, net->proc_net, &trace_proc_ops,
			      host))
		return -ENOMEM;
	return 0;
}

/**
 * tt_net_start() - begin to record, if tracing is on
 * @host: host; may have been started before
 *
 * Called for a host's first socket: hosts without sockets need no memory.
 *
 * Context: process.
 * Return: 0 or -ENOMEM, in which case the host goes untraced.
 */
int tt_net_start(struct tt_host *host)
{
	int err = 0;

	mutex_lock(&host->lock);
	if (!host->rings && static_key_enabled(&tt_enabled))
		err = tt_rings_alloc(host, TT_RING_EVENTS);
	mutex_unlock(&host->lock);
	return err;
}

/**
 * tt_net_exit() - undo tt_net_init() and tt_net_start()
 * @host: host for which nobody records any more
 *
 * Files that are open are cut off first.
 *
 * Context: process.
 */
void tt_net_exit(struct tt_host *host)
{
	remove_proc_entry(PROC_NAME, host->net->proc_net);
	tt_rings_free(host);
}

/**
 * tt_init() - what all hosts share: the link /proc/timetrace
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
int tt_init(void)
{
	return proc_symlink(PROC_NAME, NULL, "self/net/" PROC_NAME) ? 0 : -ENOMEM;
}

/**
 * tt_exit() - undo tt_init()
 *
 * Context: process.
 */
void tt_exit(void)
{
	remove_proc_entry(PROC_NAME, NULL);
}
