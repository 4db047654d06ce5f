// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <errno.h>
#include <sched.h>
#include <string.h>

#include "../lib/die.h"
#include "log.h"
#include "xport.h"

void thread_pin(int core)
{
	cpu_set_t set;

	if (core < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(core, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		log_line("WARNING: --pin %d: %s", core, strerror(errno));
}

const struct xport *xport_find(const char *name)
{
	static const struct xport *const all[] = {
		&xport_homa, &xport_tcp, &xport_dctcp, &xport_udp
	};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(name, all[i]->name))
			return all[i];
	fail("--protocol %s: want homa, tcp, dctcp or udp", name);
	return NULL;
}
