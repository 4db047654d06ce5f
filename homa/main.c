// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Loading and unloading the module. */
#include <linux/module.h>
#include <linux/net.h>

#include "af_homa.h"
#include "dev.h"
#include "input.h"
#include "net.h"
#include "offload.h"
#include "qdisc.h"
#include "rpc.h"
#include "wire.h"

static int __init homa_init(void)
{
	int err;

	err = tt_init();
	if (err)
		return err;
	err = homa_rpcs_init();
	if (err)
		goto err_tt;
	err = homa_net_register();
	if (err)
		goto err_rpcs;
	err = homa_dev_register();
	if (err)
		goto err_net;
	err = homa_qdisc_register();
	if (err)
		goto err_dev;
	err = homa_offload_register();
	if (err)
		goto err_qdisc;
	err = homa_input_register();
	if (err)
		goto err_offload;
	err = homa_af_register();
	if (err)
		goto err_input;
	return 0;

err_input:
	homa_input_unregister();
err_offload:
	homa_offload_unregister();
err_qdisc:
	homa_qdisc_unregister();
err_dev:
	homa_dev_unregister();
err_net:
	homa_net_unregister();
err_rpcs:
	homa_rpcs_exit();
err_tt:
	tt_exit();
	return err;
}

/* Sockets hold the module, so there are none. */
static void __exit homa_exit(void)
{
	homa_af_unregister();
	homa_input_unregister();
	homa_offload_unregister();
	homa_qdisc_unregister();
	homa_dev_unregister();
	homa_net_unregister();
	tt_exit();
	rcu_barrier();
	homa_rpcs_exit();
}

module_init(homa_init);
module_exit(homa_exit);

MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("Homa transport protocol");
MODULE_VERSION("1.0");

/* socket(2) loads the module: protocol 146, type SOCK_DGRAM (2). */
MODULE_ALIAS_NET_PF_PROTO_TYPE(PF_INET, 146, 2);
MODULE_ALIAS_NET_PF_PROTO_TYPE(PF_INET6, 146, 2);

/* So does tc(8), by one of two names. */
MODULE_ALIAS("sch_homa");
MODULE_ALIAS("net-sch-homa");
