// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <string.h>

#include "../lib/die.h"
#include "xport.h"

const struct xport *xport_find(const char *name)
{
	static const struct xport *const all[] = { &xport_homa, &xport_tcp, &xport_dctcp };
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(name, all[i]->name))
			return all[i];
	fail("--protocol %s: want homa, tcp or dctcp", name);
	return NULL;
}
