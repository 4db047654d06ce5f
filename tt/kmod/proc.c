// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* /proc/net/timetrace: a host's records, merged over CPUs in order of time.
 *
 *	cpu_khz: 1000000
 *	5123456789 [C00] trace version, events 1 lost 0 cpus 4
 *	5123456789 [C00] trace begins at wall clock, seconds 1700000005 nanoseconds 6789
 *	5123456789 [C00] trace is of host 0xa000002
 *	5123456789 [C03] DATA accepted, id 4242 peer 0xa000001 offset 0 length 1400
 *
 * Times are nanoseconds, and cpu_khz says so to programs that expect cycles.
 * What comes before the first record looks like records of its time, because
 * those programs expect no other heading. /proc/net/timetrace_bin has the same
 * in the form that tracefile.h describes.
 *
 * Opening stops recording, and the last close empties the rings, so not anybody
 * may: it takes CAP_NET_ADMIN over the namespace. /proc/timetrace, where older
 * programs look, leads to the file of the namespace of who opens it.
 */

#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <net/net_namespace.h>
#include <kunit/visibility.h>

#include "image.h"
#include "timetrace.h"

#define PROC_NAME "timetrace"
#define PROC_NAME_BIN "timetrace_bin"

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

static void trace_show_event(struct seq_file *seq, const struct tt_event *event,
			     int cpu)
{
	char line[TT_LINE_BYTES];

	tt_event_print(line, event, cpu);
	seq_printf(seq, "%s\n", line);
}

static void trace_show_heading(struct seq_file *seq, struct tt_reader *reader)
{
	struct net *net = reader->host->net;
	struct in6_addr addrs[TT_FILE_ADDRS];
	struct tt_event event;
	const struct tt_event *first;
	u64 now = tt_clock();
	u64 wall_ns;
	u32 rest;
	int cpu, i, n;

	first = tt_reader_peek(reader, &cpu);
	event.ns = first ? first->ns : now;
	wall_ns = ktime_get_real_ns() - (now - event.ns);
	seq_puts(seq, "cpu_khz: 1000000\n");

	event.format = tt_TRACE_VERSION;
	event.arg[0] = TT_EVENTS_VERSION;
	event.arg[1] = min_t(u64, reader->lost, U32_MAX);
	event.arg[2] = nr_cpu_ids;
	trace_show_event(seq, &event, 0);

	event.format = tt_TRACE_CLOCK;
	event.arg[0] = div_u64_rem(wall_ns, NSEC_PER_SEC, &rest);
	event.arg[1] = rest;
	trace_show_event(seq, &event, 0);

	event.format = tt_TRACE_HOST;
	n = tt_addrs(net, addrs, ARRAY_SIZE(addrs));
	for (i = 0; i < n; i++) {
		event.arg[0] = tt_addr6(&addrs[i]);
		trace_show_event(seq, &event, 0);
	}
}

static int trace_show(struct seq_file *seq, void *item)
{
	const struct tt_event *event;
	int cpu;

	if (item == SEQ_START_TOKEN) {
		trace_show_heading(seq, seq->private);
		return 0;
	}
	event = tt_reader_peek(item, &cpu);
	trace_show_event(seq, event, cpu);
	return 0;
}

static const struct seq_operations trace_seq_ops = {
	.start = trace_start,
	.next = trace_next,
	.stop = trace_stop,
	.show = trace_show,
};

/* Stop recording and begin to read. */
static struct tt_reader *reader_open(struct tt_host *host)
{
	struct tt_reader *reader;

	if (!ns_capable(host->net->user_ns, CAP_NET_ADMIN))
		return ERR_PTR(-EPERM);
	reader = tt_reader_alloc();
	if (!reader)
		return ERR_PTR(-ENOMEM);
	tt_read_begin(host);
	tt_reader_start(reader, host);
	return reader;
}

static int trace_open(struct inode *inode, struct file *file)
{
	struct tt_host *host = pde_data(inode);
	struct tt_reader *reader;
	struct seq_file *seq;
	int err;

	reader = reader_open(host);
	if (IS_ERR(reader))
		return PTR_ERR(reader);
	err = seq_open(file, &trace_seq_ops);
	if (err) {
		tt_read_end(host);
		tt_reader_free(reader);
		return err;
	}
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

static int bin_open(struct inode *inode, struct file *file)
{
	struct tt_host *host = pde_data(inode);
	struct tt_reader *reader;
	struct tt_image *image;

	reader = reader_open(host);
	if (IS_ERR(reader))
		return PTR_ERR(reader);
	image = tt_image_alloc(reader, host);
	if (IS_ERR(image)) {
		tt_read_end(host);
		tt_reader_free(reader);
		return PTR_ERR(image);
	}
	file->private_data = image;
	return 0;
}

static ssize_t bin_read(struct kiocb *iocb, struct iov_iter *to)
{
	return tt_image_read(iocb->ki_filp->private_data, to, &iocb->ki_pos);
}

static loff_t bin_lseek(struct file *file, loff_t offset, int whence)
{
	return fixed_size_llseek(file, offset, whence,
				 tt_image_bytes(file->private_data));
}

/* Called when the file is closed, or before tt_net_exit() removes it. */
static int bin_release(struct inode *inode, struct file *file)
{
	tt_image_free(file->private_data);
	tt_read_end(pde_data(inode));
	return 0;
}

static const struct proc_ops bin_proc_ops = {
	.proc_open = bin_open,
	.proc_read_iter = bin_read,
	.proc_lseek = bin_lseek,
	.proc_release = bin_release,
};

/**
 * tt_host_init() - initialise what needs it in a zeroed host
 * @host: host
 *
 * Context: any.
 */
void tt_host_init(struct tt_host *host)
{
	mutex_init(&host->lock);
	spin_lock_init(&host->guard);
}
EXPORT_SYMBOL_IF_KUNIT(tt_host_init);

/**
 * tt_net_init() - prepare the timetrace of a host
 * @host: host; zeroed
 * @net: its namespace, where the files are made
 *
 * Nothing is recorded before tt_net_start().
 *
 * Context: process.
 * Return: 0 or -errno.
 */
int tt_net_init(struct tt_host *host, struct net *net)
{
	tt_host_init(host);
	host->net = net;
	if (!proc_create_data(PROC_NAME, 0440, net->proc_net, &trace_proc_ops,
			      host))
		return -ENOMEM;
	if (proc_create_data(PROC_NAME_BIN, 0440, net->proc_net, &bin_proc_ops,
			     host))
		return 0;
	remove_proc_entry(PROC_NAME, net->proc_net);
	return -ENOMEM;
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
		err = tt_rings_alloc(host, tt_ring_size());
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
	remove_proc_entry(PROC_NAME_BIN, host->net->proc_net);
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
