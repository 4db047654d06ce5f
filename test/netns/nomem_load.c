// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Loading the module, and making namespaces, when an allocation fails.
 *
 * desc: module load and new namespaces fail cleanly at any allocation
 * lab: --no-topology
 * flavor: debug@check
 *
 * Needs a kernel with fault injection. What the module loader allocates comes first,
 * then what the module does for itself and for each namespace.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define SAMPLES 80	/* failures in one case */
#define MOST 100000	/* more chances than there are */

static int try_load(void)
{
	int fd = open(getenv("LAB_MODULE"), O_RDONLY), rc;

	ASSERT(fd >= 0, "no LAB_MODULE");
	rc = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return rc;
}

static int unload(void)
{
	return syscall(SYS_delete_module, "homa", O_NONBLOCK) ? -errno : 0;
}

static int try_namespace(void)
{
	return unshare(CLONE_NEWNET) ? -errno : 0;
}

/* Calls @call with its @n-th chance taken; @undo follows if it works. */
static int attempt(int n, int (*call)(void), int (*undo)(void))
{
	int rc;

	fault_nth(n);
	rc = call();
	fault_nth(0);
	EXPECT(!rc || rc == -ENOMEM || rc == -ENOBUFS || rc == -ENFILE,
	       "chance %d: %s", n, ktap_errno_name(rc));
	if (!rc && undo)
		EXPECT_RC(undo(), 0);
	return rc;
}

/* Finds how many chances there are, and takes every so many-th of the last half, in
 * which Homa's own are.
 */
static void sweep(int (*call)(void), int (*undo)(void))
{
	int all = 1, refused = 0, step;

	fault_prepare();
	while (all < MOST && attempt(all, call, undo))
		all *= 2;
	step = all / 2 / SAMPLES + 1;
	for (int n = all / 4; n < all; n += step)
		refused += attempt(n, call, undo) < 0;
	printf("# %d refusals, up to chance %d\n", refused, all);
	EXPECT_GE(refused, 10);
}

static void load_out_of_memory(void)
{
	ASSERT_RC(unload(), 0);
	sweep(try_load, unload);
	EXPECT_RC(try_load(), 0);
}

static void namespace_out_of_memory(void)
{
	struct hsock hs;

	sweep(try_namespace, NULL);
	ASSERT(!system("ip link set lo up"), "no lo");
	hs = hsock_server(open("/proc/thread-self/ns/net", O_RDONLY), AF_INET, 99);
	EXPECT_EQ(hsock_num_rpcs(&hs), 0);
	hsock_close(&hs);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_SLOW(load_out_of_memory, 300),
		KTAP_SLOW(namespace_out_of_memory, 300),
	};

	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
