// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Pages of sent messages: used again, released at the configured rate down to the
 * configured floor, and all given back when the machine wants memory.
 *
 * desc: pages of sent messages are kept, and go as skb_page_* and the machine want it
 * lab: --no-topology
 * flavor: fast debug
 * timeout: 200
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "counters.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99
#define LENGTH 1000000
#define PAGE_KB 32	/* what is kept: 8 pages of the usual size */
#define PAGES (LENGTH / (PAGE_KB << 10) + 1)

static struct {
	int a;		/* 10.9.0.1 */
	int b;		/* 10.9.0.2 */
	struct hsock client;
	struct echoer server;
	struct counters before;
} env;

/* Messages of 1 MB that the client's host sends, one after the other. */
static void send_some(int n)
{
	union haddr to = haddr_of(AF_INET, "10.9.0.2", PORT);

	while (n-- > 0)
		ASSERT_RC(round_trip(&env.client, &to, LENGTH, n, 60000), 0);
}

static int64_t grew(const char *name)
{
	return counters_grew(env.a, &env.before, name);
}

static void set_up(const char *min_kb, const char *frees_per_sec)
{
	env.client = hsock_open(env.a, AF_INET);
	echoer_start(&env.server, env.b, AF_INET, PORT);
	EXPECT_RC(ns_sysctl(env.a, "skb_page_pool_min_kb", min_kb), 0);
	EXPECT_RC(ns_sysctl(env.a, "skb_page_frees_per_sec", frees_per_sec), 0);
	counters_read(env.a, &env.before);
}

static void tear_down(void)
{
	echoer_stop(&env.server);
	hsock_close(&env.client);
}

static void pages_are_used_again(void)
{
	set_up("3000", "1000");
	send_some(1);
	EXPECT_GE(grew("skb_page_allocs"), PAGES - 1);
	EXPECT_GE(grew("skb_page_alloc_cycles"), 0);
	counters_read(env.a, &env.before);
	send_some(10);
	EXPECT_GE(grew("skb_page_reuses"), 9 * PAGES);
	EXPECT_GE(10, grew("skb_page_allocs"));
	EXPECT_EQ(grew("skb_page_frees"), 0);
	tear_down();
}

/* A host that is idle gives back what is beyond the floor, which serves the next
 * message.
 */
static void floor_is_kept(void)
{
	set_up("320", "1000");
	send_some(3);
	sleep_ms(10000);
	EXPECT_GE(grew("skb_page_frees"), PAGES - 12);
	counters_read(env.a, &env.before);
	sleep_ms(10000);
	EXPECT_EQ(grew("skb_page_frees"), 0);
	send_some(1);
	EXPECT_EQ(grew("skb_page_reuses"), 320 / PAGE_KB);
	EXPECT_GE(grew("skb_page_allocs"), PAGES - 320 / PAGE_KB - 1);
	tear_down();
}

static void released_at_the_rate(void)
{
	set_up("0", "5");
	send_some(3);
	sleep_ms(1500);		/* first it is seen that they are idle */
	counters_read(env.a, &env.before);
	sleep_ms(1000);
	EXPECT_EQ(grew("skb_page_frees"), 5);
	sleep_ms(2000);
	EXPECT_EQ(grew("skb_page_frees"), 15);
	tear_down();
}

/* 0 a second: nothing goes. What is set later takes effect without another message. */
static void settings_take_effect_at_once(void)
{
	set_up("0", "0");
	send_some(3);
	sleep_ms(5000);
	EXPECT_EQ(grew("skb_page_frees"), 0);
	EXPECT_RC(ns_sysctl(env.a, "skb_page_frees_per_sec", "1000"), 0);
	sleep_ms(3000);
	EXPECT_GE(grew("skb_page_frees"), PAGES - 2);
	tear_down();
}

/* The machine takes back even what the floor would leave. */
static void given_back_for_others(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	ASSERT(fd >= 0, "no drop_caches");
	set_up("3000", "1000");
	send_some(3);
	EXPECT_EQ(grew("skb_page_frees"), 0);
	EXPECT_EQ(write(fd, "2", 1), 1);
	EXPECT_GE(grew("skb_page_frees"), PAGES - 2);
	counters_read(env.a, &env.before);
	send_some(1);
	EXPECT_EQ(grew("skb_page_reuses"), 0);
	EXPECT_GE(grew("skb_page_allocs"), PAGES - 1);
	tear_down();
	close(fd);
}

/* A socket that was shut down keeps nothing, though it is open. */
static void shut_down_sockets_keep_nothing(void)
{
	set_up("3000", "1000");
	send_some(3);
	EXPECT_EQ(grew("skb_page_frees"), 0);
	shutdown(env.client.fd, SHUT_RDWR);
	EXPECT_GE(grew("skb_page_frees"), PAGES - 2);
	tear_down();
}

static const struct ktap_case cases[] = {
	KTAP_CASE(pages_are_used_again),
	KTAP_SLOW(floor_is_kept, 60),
	KTAP_SLOW(released_at_the_rate, 60),
	KTAP_SLOW(settings_take_effect_at_once, 60),
	KTAP_CASE(given_back_for_others),
	KTAP_CASE(shut_down_sockets_keep_nothing),
};

int main(int argc, char **argv)
{
	env.a = ns_new();
	env.b = ns_new();
	ns_join(env.a, env.b, 1500);
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
