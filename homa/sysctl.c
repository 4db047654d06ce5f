// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* net.homa.*: a host's knobs, one line for each.
 *
 * Names, meanings and modes are the reference implementation's, so that its
 * scripts work; values out of range are refused with EINVAL and change nothing.
 * One default differs: link_mbps is 0, which asks each device, because a wrong
 * speed does more harm than none.
 *
 * Each namespace has its own copy of the table, with pointers into its host.
 */

#include <linux/capability.h>
#include <linux/cpumask.h>
#include <linux/limits.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/sysctl.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <kunit/visibility.h>

#include "dev.h"
#include "freeze.h"
#include "ktrace.h"
#include "net.h"
#include "prio.h"
#include "rpc.h"
#include "txpages.h"
#include "udp.h"

#define MSECS_MAX 1000000
#define USECS_MAX 1000000
#define BYTES_MAX 1000000000

/* K(name, default, lowest, highest): a bound of what a host keeps for others, see
 * bound_proc(). They are one int, as the knobs below.
 */
#define BOUNDS(K)						\
	K(max_host_rpcs, 100000, 1, 10000000)			\
	K(max_peer_rpcs, 10000, 1, 1000000)			\
	K(max_peer_silent_kbytes, 16384, 64, INT_MAX)		\
	K(max_peers, 20000, 1, 1000000)				\
	K(max_rx_kbytes, 2000000, 16384, INT_MAX)		\
	K(max_server_rpcs, 10000, 1, 1000000)			\
	K(max_silent_kbytes, 65536, 64, INT_MAX)		\
	K(max_strangers, 256, 1, 1000000)			\
	K(max_tombstones, 131072, 1, 10000000)			\
	K(wmem_max, 100000000, SOCK_MIN_SNDBUF, INT_MAX)

#define KNOBS(K)						\
	K(accept_bits, 0, 0, 31)				\
	K(accept_freeze, 1, 0, 1)				\
	K(bpage_lease_usecs, 10000, 0, USECS_MAX)		\
	K(busy_usecs, 100, 0, USECS_MAX)			\
	K(dead_buffs_limit, 5000, 1, INT_MAX)			\
	K(defer_min_bytes, 1000, 0, BYTES_MAX)			\
	K(drop_bits, 0, 0, 31)					\
	K(fifo_grant_increment, 50000, 0, BYTES_MAX)		\
	K(flags, 0, 0, INT_MAX)					\
	K(freeze_type, 0, 0, 5)					\
	K(grant_fifo_fraction, 50, 0, 500)			\
	K(gro_busy_usecs, 5, 0, USECS_MAX)			\
	K(gro_policy, 114, 0, 255)				\
	K(gso_force_software, 0, 0, 1)				\
	K(hijack_tcp, 0, 0, 1)					\
	K(hijack_udp, 0, 0, 1)					\
	K(homa_share, 50, 0, 100)				\
	K(incast_rpcs, 32, 0, 1000000)				\
	K(incast_unsched_bytes, 1400, 1, BYTES_MAX)		\
	K(link_mbps, 0, 0, 10000000)				\
	K(max_dead_buffs, 0, 0, INT_MAX)			\
	K(max_grantable_rpcs, 0, 0, INT_MAX)			\
	K(max_gro_skbs, 20, 1, 1000)				\
	K(max_gso_size, 0, 0, BYTES_MAX)			\
	K(max_incoming, 400000, 1, BYTES_MAX)			\
	K(max_link_usage, 99, 5, 100)				\
	K(max_nic_est_backlog_usecs, 5, 0, USECS_MAX)		\
	K(max_nic_queue_usecs, 40, 0, USECS_MAX)		\
	K(max_overcommit, 8, 1, 8)				\
	K(max_replies, 50, 1, INT_MAX)				\
	K(max_resends, 20, 1, INT_MAX)				\
	K(max_silent_percent, 50, 1, 100)			\
	K(native_tso, 0, 0, 1)					\
	K(pacer_fifo_fraction, 50, 0, 1000)			\
	K(peer_gc_threshold, 5000, 0, INT_MAX)			\
	K(peer_idle_secs_max, 120, 0, MSECS_MAX)		\
	K(peer_idle_secs_min, 10, 0, MSECS_MAX)			\
	K(peer_net_max, 10000, 1, INT_MAX)			\
	K(poll_usecs, 50, 0, USECS_MAX)				\
	K(reap_limit, 10, 1, INT_MAX)				\
	K(reorder_usecs, 25, 0, USECS_MAX)			\
	K(request_ack_ticks, 2, 1, MSECS_MAX)			\
	K(resend_interval, 5, 1, MSECS_MAX)			\
	K(resend_ticks, 5, 1, MSECS_MAX)			\
	K(timeout_resends, 5, 1, MSECS_MAX)			\
	K(timeout_ticks, 100, 1, MSECS_MAX)			\
	K(tombstone_msecs, 15000, 0, MSECS_MAX)			\
	K(unsched_bytes, 40000, 1, BYTES_MAX)			\
	K(verbose, 0, 0, INT_MAX)				\
	K(verify_checksum, 0, 0, 1)				\
	K(window, 0, 0, BYTES_MAX)

#define DEFAULT(name, value, low, high) .name = value,

static const struct homa_sysctls defaults = {
	BOUNDS(DEFAULT)
	KNOBS(DEFAULT)
	.skb_page_frees_per_sec = 1000,
	.skb_page_pool_min_kb = 3000,
	.num_priorities = HOMA_SYSCTL_PRIORITIES,
	.priority_map = { 0, 1, 2, 3, 4, 5, 6, 7 },
	.unsched_cutoffs = { 0, 0, 0, 0, 1000000, 15000, 2800, 200 },
	.cutoff_version = 1,
	.max_sched_prio = 3,
	.auto_cutoffs = 1,
	.udp_encap_port = 0,
};

/* A bound of memory. Whoever makes a namespace owns its settings, and could have it
 * keep as much as he likes; so it takes power over the machine to go beyond the
 * default, which follows the highest value in the row.
 */
static int bound_proc(homa_ctl_table *ctl, int write, void *buffer, size_t *lenp,
		      loff_t *ppos)
{
	const int *limits = ctl->extra2;
	struct ctl_table copy = *ctl;
	int *data = ctl->data;
	int value = READ_ONCE(*data);
	int err;

	copy.data = &value;
	err = proc_dointvec_minmax(&copy, write, buffer, lenp, ppos);
	if (err || !write)
		return err;
	if (value > limits[1] && !capable(CAP_NET_ADMIN))
		return -EPERM;
	WRITE_ONCE(*data, value);
	return 0;
}

/* Parse or print, on a copy that becomes the value only if all of it is right. */
static int array_proc(homa_ctl_table *ctl, int write, void *buffer,
		      size_t *lenp, loff_t *ppos)
{
	int values[HOMA_SYSCTL_PRIORITIES];
	struct ctl_table copy = *ctl;
	int *data = ctl->data;
	unsigned int i;
	int err;

	if (WARN_ON_ONCE(copy.maxlen > sizeof(values)))
		return -EINVAL;
	copy.data = values;
	memcpy(values, data, copy.maxlen);
	err = proc_dointvec_minmax(&copy, write, buffer, lenp, ppos);
	if (err || !write)
		return err;
	for (i = 0; i < copy.maxlen / sizeof(int); i++)
		WRITE_ONCE(data[i], values[i]);
	return 0;
}

/* How many pages are kept may be too many now. */
static int pages_proc(struct homa_net *hn, homa_ctl_table *ctl, int write,
		      void *buffer, size_t *lenp, loff_t *ppos)
{
	int err = proc_dointvec_minmax(ctl, write, buffer, lenp, ppos);

	if (!err && write)
		homa_txpages_look(hn);
	return err;
}

static int page_frees_proc(homa_ctl_table *ctl, int write, void *buffer,
			   size_t *lenp, loff_t *ppos)
{
	return pages_proc(container_of(ctl->data, struct homa_net,
				       sysctl.skb_page_frees_per_sec),
			  ctl, write, buffer, lenp, ppos);
}

static int page_pool_proc(homa_ctl_table *ctl, int write, void *buffer,
			  size_t *lenp, loff_t *ppos)
{
	return pages_proc(container_of(ctl->data, struct homa_net,
				       sysctl.skb_page_pool_min_kb),
			  ctl, write, buffer, lenp, ppos);
}

static int priority_map_proc(homa_ctl_table *ctl, int write, void *buffer,
			     size_t *lenp, loff_t *ppos)
{
	struct homa_net *hn = container_of(ctl->data, struct homa_net,
					   sysctl.priority_map[0]);
	int err;

	mutex_lock(&hn->sysctl.lock);
	err = array_proc(ctl, write, buffer, lenp, ppos);
	mutex_unlock(&hn->sysctl.lock);
	return err;
}

static int unsched_cutoffs_proc(homa_ctl_table *ctl, int write, void *buffer,
				size_t *lenp, loff_t *ppos)
{
	struct homa_net *hn = container_of(ctl->data, struct homa_net,
					   sysctl.unsched_cutoffs[0]);
	int err;

	mutex_lock(&hn->sysctl.lock);
	err = array_proc(ctl, write, buffer, lenp, ppos);
	if (!err && write)
		homa_prio_cutoffs_written(hn);
	mutex_unlock(&hn->sysctl.lock);
	return err;
}

static int num_priorities_proc(homa_ctl_table *ctl, int write, void *buffer,
			       size_t *lenp, loff_t *ppos)
{
	struct homa_net *hn = container_of(ctl->data, struct homa_net,
					   sysctl.num_priorities);
	int err;

	mutex_lock(&hn->sysctl.lock);
	err = proc_dointvec_minmax(ctl, write, buffer, lenp, ppos);
	if (!err && write)
		homa_prio_num_written(hn);
	mutex_unlock(&hn->sysctl.lock);
	return err;
}

static int auto_cutoffs_proc(homa_ctl_table *ctl, int write, void *buffer,
			     size_t *lenp, loff_t *ppos)
{
	struct homa_net *hn = container_of(ctl->data, struct homa_net,
					   sysctl.auto_cutoffs);
	int err;

	mutex_lock(&hn->sysctl.lock);
	err = proc_dointvec_minmax(ctl, write, buffer, lenp, ppos);
	if (!err && write)
		homa_prio_auto_written(hn);
	mutex_unlock(&hn->sysctl.lock);
	return err;
}

static int udp_encap_port_proc(homa_ctl_table *ctl, int write, void *buffer,
			       size_t *lenp, loff_t *ppos)
{
	struct homa_net *hn = container_of(ctl->data, struct homa_net,
					   sysctl.udp_encap_port);
	int port = READ_ONCE(hn->sysctl.udp_encap_port);
	struct ctl_table copy = *ctl;
	int err;

	copy.data = &port;
	err = proc_dointvec_minmax(&copy, write, buffer, lenp, ppos);
	return err || !write ? err : homa_udp_set_port(hn, port);
}

/* Those that change nothing outside the namespace. The kernel log, to which the
 * others write, belongs to the whole machine: it takes more than power over one
 * namespace.
 */
static bool action_is_local(unsigned long action)
{
	return action == 3 || action == 6 || action == 7 || action == 10;
}

/* One command for debugging; what is none is the id of an RPC, or 0: all. */
static int action_run(struct homa_net *hn, unsigned long action)
{
	if (!ns_capable(hn->net->user_ns, CAP_NET_ADMIN) ||
	    (!action_is_local(action) && !capable(CAP_NET_ADMIN)))
		return -EPERM;
	switch (action) {
	case 2:
		homa_rpc_log(hn, 0);
		break;
	case 3:
		tt_freeze(&hn->tt);
		break;
	case 4:
		homa_devs_for_each(hn, homa_pacer_log);
		break;
	case 5:
		return tt_dump(&hn->tt);
	case 6:
	case 7:
		homa_freeze(hn, action == 7);
		break;
	case 8:
		homa_devs_for_each(hn, homa_grant_log);
		break;
	case 9:
		homa_metrics_log(hn);
		break;
	case 10:
		tt_unfreeze(&hn->tt);
		break;
	default:
		homa_rpc_log(hn, action);
	}
	return 0;
}

static int action_proc(homa_ctl_table *ctl, int write, void *buffer,
		       size_t *lenp, loff_t *ppos)
{
	unsigned long action = write ? ULONG_MAX : 0;
	struct ctl_table copy = *ctl;
	int err;

	copy.data = &action;
	copy.maxlen = sizeof(action);
	copy.extra1 = NULL;
	copy.extra2 = NULL;
	err = proc_doulongvec_minmax(&copy, write, buffer, lenp, ppos);
	/* A write that goes on where an earlier one ended holds no number. */
	if (err || !write || action == ULONG_MAX)
		return err;
	return action_run(ctl->data, action);
}

/* Whoever may do this sees when softirqs run that are other hosts', too. */
static int trace_kernel_proc(homa_ctl_table *ctl, int write, void *buffer,
			     size_t *lenp, loff_t *ppos)
{
	struct homa_net *hn = ctl->data;
	struct ctl_table copy = *ctl;
	int on = READ_ONCE(hn->ktrace.on);
	int err;

	if (write && !capable(CAP_NET_ADMIN))
		return -EPERM;
	copy.data = &on;
	copy.maxlen = sizeof(on);
	copy.extra1 = SYSCTL_ZERO;
	copy.extra2 = SYSCTL_ONE;
	err = proc_dointvec_minmax(&copy, write, buffer, lenp, ppos);
	return err || !write ? err : homa_ktrace_set(hn, on);
}

static int next_id_proc(homa_ctl_table *ctl, int write, void *buffer,
			size_t *lenp, loff_t *ppos)
{
	struct ctl_table copy = *ctl;
	struct homa_net *hn = ctl->data;
	unsigned long id = 0;
	int err;

	copy.data = &id;
	copy.maxlen = sizeof(id);
	copy.extra1 = NULL;
	copy.extra2 = NULL;
	err = proc_doulongvec_minmax(&copy, write, buffer, lenp, ppos);
	if (err || !write || !id)
		return err;
	/* The ids of clients are even. */
	if (id & 1)
		return -EINVAL;
	atomic64_set(&hn->next_id, id);
	return 0;
}

/* gen3_softirq_cores has a group of four ints for each possible CPU: itself,
 * and the CPUs that may run softirqs for it, or -1.
 */
#define GEN3_GROUP (1 + HOMA_SYSCTL_GEN3_TARGETS)

/* What no written number is. */
#define GEN3_UNSET INT_MIN

static bool gen3_cpu_valid(int cpu)
{
	return cpu >= 0 && cpu < nr_cpu_ids && cpu_possible(cpu);
}

static int gen3_init(struct homa_sysctls *sysctl)
{
	int *group;
	int cpu;

	group = kvmalloc_array(num_possible_cpus(), GEN3_GROUP * sizeof(int),
			       GFP_KERNEL_ACCOUNT);
	if (!group)
		return -ENOMEM;
	sysctl->gen3_softirq_cores = group;
	for_each_possible_cpu(cpu) {
		group[0] = cpu;
		group[1] = gen3_cpu_valid(cpu ^ 1) ? cpu ^ 1 : -1;
		group[2] = -1;
		group[3] = -1;
		group += GEN3_GROUP;
	}
	return 0;
}

static bool gen3_group_valid(const int *group)
{
	int i;

	for (i = 1; i < GEN3_GROUP; i++) {
		if (group[i] != -1 && !gen3_cpu_valid(group[i]))
			return false;
	}
	return gen3_cpu_valid(group[0]);
}

/**
 * homa_sysctl_gen3() - what gen3_softirq_cores has for a core
 * @sysctl: a host's settings
 * @cpu: core
 *
 * Context: any; what is returned may change, so use READ_ONCE().
 * Return: HOMA_SYSCTL_GEN3_TARGETS cores, or -1 in place of one
 */
const int *homa_sysctl_gen3(const struct homa_sysctls *sysctl, int cpu)
{
	/* Groups are in the order of cores, with one for each that is possible. */
	int i = min_t(int, cpu, num_possible_cpus() - 1);

	while (sysctl->gen3_softirq_cores[i * GEN3_GROUP] > cpu)
		i--;
	return &sysctl->gen3_softirq_cores[i * GEN3_GROUP + 1];
}

/* Set the groups of the CPUs that values, up to GEN3_UNSET, name. */
static int gen3_set(int *groups, const int *values, unsigned int count)
{
	const int *from, *end;

	for (end = values; end < values + count && *end != GEN3_UNSET;
	     end += GEN3_GROUP) {
		if (!gen3_group_valid(end))
			return -EINVAL;
	}
	for (from = values; from < end; from += GEN3_GROUP) {
		int *group = groups;
		int i;

		while (*group != *from)
			group += GEN3_GROUP;
		for (i = 1; i < GEN3_GROUP; i++)
			WRITE_ONCE(group[i], from[i]);
	}
	return 0;
}

static int gen3_proc(homa_ctl_table *ctl, int write, void *buffer,
		     size_t *lenp, loff_t *ppos)
{
	struct homa_net *hn = ctl->data;
	unsigned int i, count = num_possible_cpus() * GEN3_GROUP;
	struct ctl_table copy = *ctl;
	int *values;
	int err;

	values = kvmalloc_array(count, sizeof(int), GFP_KERNEL);
	if (!values)
		return -ENOMEM;
	copy.data = values;
	copy.maxlen = count * sizeof(int);
	mutex_lock(&hn->sysctl.lock);
	for (i = 0; i < count; i++)
		values[i] = write ? GEN3_UNSET : hn->sysctl.gen3_softirq_cores[i];
	err = proc_dointvec(&copy, write, buffer, lenp, ppos);
	if (!err && write)
		err = gen3_set(hn->sysctl.gen3_softirq_cores, values, count);
	mutex_unlock(&hn->sysctl.lock);
	kvfree(values);
	return err;
}

/* Rows hold offsets from struct homa_net until they are copied for a host. */
#define ROW(field, entries, access, handler, low, high)			\
{									\
	.procname = #field,						\
	.data = (void *)offsetof(struct homa_net, sysctl.field),	\
	.maxlen = (entries) * sizeof(int),				\
	.mode = (access),						\
	.proc_handler = (handler),					\
	.extra1 = (void *)&(const int) { low },				\
	.extra2 = (void *)&(const int) { high },			\
},
#define KNOB(field, value, low, high)					\
	ROW(field, 1, 0644, proc_dointvec_minmax, low, high)

#define BOUND(field, value, low, high)					\
{									\
	.procname = #field,						\
	.data = (void *)offsetof(struct homa_net, sysctl.field),	\
	.maxlen = sizeof(int),						\
	.mode = 0644,							\
	.proc_handler = bound_proc,					\
	.extra1 = (void *)&(const int) { low },				\
	.extra2 = (void *)(const int[]) { high, value },		\
},

/* A row whose handler wants the host itself. */
#define COMMAND(name, handler)						\
{									\
	.procname = #name,						\
	.mode = 0644,							\
	.proc_handler = (handler),					\
},

static const struct ctl_table knobs[] = {
	BOUNDS(BOUND)
	KNOBS(KNOB)
	ROW(auto_cutoffs, 1, 0644, auto_cutoffs_proc, 0, 1)
	ROW(cutoff_version, 1, 0444, proc_dointvec, 0, INT_MAX)
	ROW(max_sched_prio, 1, 0444, proc_dointvec, 0, INT_MAX)
	ROW(num_priorities, 1, 0644, num_priorities_proc, 1, HOMA_SYSCTL_PRIORITIES)
	ROW(priority_map, HOMA_SYSCTL_PRIORITIES, 0644, priority_map_proc, 0,
	    HOMA_SYSCTL_PRIORITIES - 1)
	ROW(skb_page_frees_per_sec, 1, 0644, page_frees_proc, 0, INT_MAX)
	ROW(skb_page_pool_min_kb, 1, 0644, page_pool_proc, 0, INT_MAX)
	ROW(temp, 4, 0644, proc_dointvec, INT_MIN, INT_MAX)
	ROW(udp_encap_port, 1, 0644, udp_encap_port_proc, 0, 65535)
	ROW(unsched_cutoffs, HOMA_SYSCTL_PRIORITIES, 0644, unsched_cutoffs_proc, 0,
	    INT_MAX)
	COMMAND(action, action_proc)
	COMMAND(gen3_softirq_cores, gen3_proc)
	COMMAND(next_id, next_id_proc)
	COMMAND(trace_kernel, trace_kernel_proc)
};

/**
 * homa_sysctl_table_alloc() - make a host's table
 * @hn: host
 * @rows: is set to the number of rows; an empty one follows them
 *
 * Context: process.
 * Return: the table, to be freed with kfree(), or NULL.
 */
struct ctl_table *homa_sysctl_table_alloc(struct homa_net *hn, size_t *rows)
{
	struct ctl_table *table;
	unsigned int i;

	table = kcalloc(ARRAY_SIZE(knobs) + 1, sizeof(*table),
			GFP_KERNEL_ACCOUNT);
	if (!table)
		return NULL;
	for (i = 0; i < ARRAY_SIZE(knobs); i++) {
		table[i] = knobs[i];
		table[i].data = (char *)hn + (unsigned long)knobs[i].data;
	}
	*rows = ARRAY_SIZE(knobs);
	return table;
}
EXPORT_SYMBOL_IF_KUNIT(homa_sysctl_table_alloc);

/**
 * homa_sysctl_init() - give a host's knobs their defaults
 * @hn: host
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
int homa_sysctl_init(struct homa_net *hn)
{
	hn->sysctl = defaults;
	mutex_init(&hn->sysctl.lock);
	return gen3_init(&hn->sysctl);
}
EXPORT_SYMBOL_IF_KUNIT(homa_sysctl_init);

/**
 * homa_sysctl_exit() - undo homa_sysctl_init()
 * @hn: host
 *
 * Context: process.
 */
void homa_sysctl_exit(struct homa_net *hn)
{
	kvfree(hn->sysctl.gen3_softirq_cores);
}
EXPORT_SYMBOL_IF_KUNIT(homa_sysctl_exit);

/**
 * homa_sysctl_net_init() - make net.homa for a host, with default values
 * @hn: host
 *
 * Context: process.
 * Return: 0 or -ENOMEM.
 */
int homa_sysctl_net_init(struct homa_net *hn)
{
	size_t rows;
	int err;

	err = homa_sysctl_init(hn);
	if (err)
		return err;
	err = -ENOMEM;
	hn->sysctl_table = homa_sysctl_table_alloc(hn, &rows);
	if (!hn->sysctl_table)
		goto err_table;
	hn->sysctl_header = register_net_sysctl_sz(hn->net, "net/homa",
						   hn->sysctl_table, rows);
	if (!hn->sysctl_header)
		goto err_header;
	return 0;

err_header:
	kfree(hn->sysctl_table);
err_table:
	homa_sysctl_exit(hn);
	return err;
}

/**
 * homa_sysctl_net_exit() - undo homa_sysctl_net_init()
 * @hn: host
 *
 * Context: process; waits for handlers that are running.
 */
void homa_sysctl_net_exit(struct homa_net *hn)
{
	unregister_net_sysctl_table(hn->sysctl_header);
	kfree(hn->sysctl_table);
	homa_sysctl_exit(hn);
}
