// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Life of a Homa host: what is made with a namespace, and freed with it. */
#include <kunit/visibility.h>

#include "dev.h"
#include "encap.h"
#include "freeze.h"
#include "inspect.h"
#include "ktrace.h"
#include "net.h"
#include "peer.h"
#include "prio.h"
#include "rpc.h"
#include "rxmem.h"
#include "snapshot.h"
#include "sock.h"
#include "steer.h"
#include "tomb.h"
#include "txpages.h"

unsigned int homa_net_id __read_mostly;
EXPORT_SYMBOL_IF_KUNIT(homa_net_id);

static int homa_tt_net_init(struct homa_net *hn)
{
	return tt_net_init(&hn->tt, hn->net);
}

static void homa_tt_net_exit(struct homa_net *hn)
{
	homa_ktrace_set(hn, false);
	tt_net_exit(&hn->tt);
}

static int homa_queues_net_init(struct homa_net *hn)
{
	spin_lock_init(&hn->injection.lock);
	homa_encap_net_init(hn);
	homa_ports_net_init(hn);
	homa_devs_net_init(hn);
	return 0;
}

static void homa_queues_net_exit(struct homa_net *hn)
{
	homa_devs_net_exit(hn);
}

/* Parts of a host in order of initialisation; exit is in reverse order. */
static const struct {
	int (*init)(struct homa_net *hn);
	void (*exit)(struct homa_net *hn);
} parts[] = {
	{ homa_metrics_net_init, homa_metrics_net_exit },
	{ homa_tt_net_init, homa_tt_net_exit },
	{ homa_steer_net_init, homa_steer_net_exit },
	{ homa_queues_net_init, homa_queues_net_exit },
	{ homa_prio_net_init, homa_prio_net_exit },
	{ homa_tombs_net_init, homa_tombs_net_exit },
	{ homa_peers_net_init, homa_peers_net_exit },
	{ homa_rpcs_net_init, homa_rpcs_net_exit },
	{ homa_snapshots_net_init, homa_snapshots_net_exit },
	{ homa_freeze_net_init, homa_freeze_net_exit },
	{ homa_txpages_net_init, homa_txpages_net_exit },
	{ homa_sysctl_net_init, homa_sysctl_net_exit },
	{ homa_proc_net_init, homa_proc_net_exit },
	{ homa_inspect_net_init, homa_inspect_net_exit },
	{ homa_rxmem_net_init, homa_rxmem_net_exit },
};

static int __net_init homa_net_init(struct net *net)
{
	struct homa_net *hn = homa_net(net);
	int i, err;

	hn->net = net;
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		err = parts[i].init(hn);
		if (err)
			goto err_parts;
	}
	WRITE_ONCE(hn->live, true);
	return 0;

err_parts:
	while (--i >= 0)
		parts[i].exit(hn);
	return err;
}

/* No more packets; a grace period passes before homa_net_exit(). */
static void __net_exit homa_net_pre_exit(struct net *net)
{
	WRITE_ONCE(homa_net(net)->live, false);
	homa_encap_net_stop(homa_net(net));
}

static void __net_exit homa_net_exit(struct net *net)
{
	struct homa_net *hn = homa_net(net);
	int i;

	for (i = ARRAY_SIZE(parts) - 1; i >= 0; i--)
		parts[i].exit(hn);
}

/* Routes that were held until now count in what belongs to IPv6 in the namespaces, in
 * older kernels until a grace period is over.
 */
static void __net_exit homa_net_exit_batch(struct list_head *nets)
{
	rcu_barrier();
}

static struct pernet_operations homa_net_ops = {
	.init = homa_net_init,
	.pre_exit = homa_net_pre_exit,
	.exit = homa_net_exit,
	.exit_batch = homa_net_exit_batch,
	.id = &homa_net_id,
	.size = sizeof(struct homa_net),
};

/**
 * homa_net_register() - make a Homa host of each namespace
 *
 * Context: process, sleeps.
 * Return: 0 or a negative errno
 */
int homa_net_register(void)
{
	return register_pernet_subsys(&homa_net_ops);
}

/**
 * homa_net_unregister() - end all Homa hosts
 *
 * Context: process, sleeps. No packets come in and there are no sockets.
 */
void homa_net_unregister(void)
{
	unregister_pernet_subsys(&homa_net_ops);
}
