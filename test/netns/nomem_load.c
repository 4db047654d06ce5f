// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Loads of the module whose n-th allocation fails.
 *
 * desc: a module load that runs out of memory half-way leaves nothing behind
 * lab: --no-topology --leaks
 * flavor: smp@check
 * timeout: 200
 *
 * For n = 1, 2, ... the n-th allocation that the module asks for while it is loaded
 * fails, until there are not so many. Needs a kernel that asks who called before it
 * counts, as 6.1 does not. The kernel's log, and leaks, are judged by whoever runs this.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99
#define CHANCES 1000	/* more than a load has */
#define LEAST 20	/* fewer than a load has */

static int load(int fd)
{
	return syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
}

static int unload(void)
{
	return syscall(SYS_delete_module, "homa", O_NONBLOCK) ? -errno : 0;
}

/* What a load that has failed may not leave. */
static void nothing_is_there(int n)
{
	EXPECT(socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA) < 0, "allocation %d: sockets", n);
	EXPECT(access("/proc/net/homa_metrics", F_OK), "allocation %d: metrics", n);
	EXPECT(access("/proc/sys/net/homa", F_OK), "allocation %d: settings", n);
}

static void rpcs_work(int ns, int family)
{
	union haddr to = haddr_of(family, family == AF_INET ? "127.0.0.1" : "::1", PORT);
	struct hsock client = hsock_open(ns, family);
	struct echoer echoer;

	echoer_start(&echoer, ns, family, PORT);
	EXPECT_RC(round_trip(&client, &to, 1000, 100000, 10000), 0);
	echoer_stop(&echoer);
	hsock_close(&client);
}

/* Loads the module while its @n-th allocation fails; false: it has none. Where the
 * kernel tries another way, the load succeeds.
 */
static bool nth_load(int fd, int n, int *failed)
{
	bool over;
	int rc;

	fault_nth(n);
	rc = load(fd);
	over = fault_is_left();
	fault_nth(0);
	if (!rc) {
		EXPECT(WAIT_FOR(!unload(), 5000), "load %d: it cannot be unloaded", n);
	} else {
		EXPECT(rc == -ENOMEM || rc == -ENOBUFS, "allocation %d: %s", n,
		       ktap_errno_name(-rc));
		++*failed;
	}
	nothing_is_there(n);
	return !over;
}

static void each_allocation_of_a_load_fails(void)
{
	int fd = open(getenv("LAB_MODULE"), O_RDONLY | O_CLOEXEC);
	int n = 1, failed = 0, ns;

	ASSERT(fd >= 0, "LAB_MODULE: %s", strerror(errno));
	ns = ns_new();	/* one of two hosts is ready when the other one fails */
	ASSERT_RC(unload(), 0);
	fault_prepare();
	fault_only_modules();
	while (n < CHANCES && nth_load(fd, n, &failed))
		n++;
	printf("# %d loads, of which %d failed\n", n, failed);
	EXPECT_GE(failed, LEAST);
	EXPECT_GE(CHANCES - 1, n);
	ASSERT_RC(load(fd), 0);
	rpcs_work(ns, AF_INET);
	rpcs_work(ns, AF_INET6);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_SLOW(each_allocation_of_a_load_fails, 600),
	};

	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
