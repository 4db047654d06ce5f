// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Memory of packets that nobody receives: bounded, charged, and free again.
 *
 * desc: received packets are charged to cgroup and host, whose limit holds and recovers
 * lab: --no-topology
 * flavor: fast debug
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "counters.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99
#define MB (1 << 20)
#define CGROUP "/run/limits_cgroup"

static struct {
	int ns, other;
	char *buf;
} env;

static struct hsock big_server(void)
{
	struct hsock server = hsock_sized(env.other, AF_INET, 100 * MB);

	ASSERT_RC(hsock_bind(&server, PORT), 0);
	return server;
}

/* Sends the server @n requests of 1 MB. */
static struct hsock flood(int n)
{
	union haddr to = haddr_of(AF_INET, "10.9.0.2", PORT);
	struct hsock hs = hsock_open(env.ns, AF_INET);
	uint64_t id;

	for (int i = 0; i < n; i++)
		ASSERT_RC(hsock_request(&hs, &to, env.buf,
					HOMA_MAX_MESSAGE_LENGTH, &id), 0);
	return hs;
}

/* Receives and answers all requests, and checks their contents. */
static void drain(struct hsock *server, struct hsock *hs, int n)
{
	struct hmsg m;

	for (int i = 0; i < n; i++) {
		ktap_label("request %d of %d", i, n);
		ASSERT_RC(hsock_recv_within(server, &m, 0, 20000),
			  HOMA_MAX_MESSAGE_LENGTH);
		EXPECT(payload_ok(server, &m, 5), "wrong contents");
		hsock_return(server, &m);
		hsock_reply(server, &m.from, m.args.id, "yes", 3);
		ASSERT_RC(hsock_recv_within(hs, &m, 0, 1000), 3);
		hsock_return(hs, &m);
	}
}

/* Column 10 of /proc/net/homa/socks, for the server. */
static long long rx_mem(void)
{
	char line[64] = "0";
	FILE *out;

	ns_enter(env.other);
	out = popen("awk '$3 == 99 { print $10 }' /proc/net/homa/socks", "r");
	ASSERT(out, "no /proc/net/homa/socks");
	if (!fgets(line, sizeof(line), out))
		line[0] = '\0';
	pclose(out);
	return atoll(line);
}

static void host_limit_holds_and_recovers(void)
{
	struct hsock server = big_server(), hs;
	struct counters before;

	ASSERT_RC(ns_sysctl(env.other, "max_rx_kbytes", "16384"), 0);
	ASSERT_RC(ns_sysctl(env.ns, "timeout_ticks", "5000"), 0);
	counters_read(env.other, &before);
	hs = flood(40);
	EXPECT(WAIT_FOR(counters_grew(env.other, &before, "rx_host_limits") > 0,
			5000), "the limit was never reached");
	EXPECT_GE(rx_mem(), 12 * MB);
	EXPECT_GE(16 * MB + 65536, rx_mem());
	drain(&server, &hs, 40);
	EXPECT_EQ(rx_mem(), 0);
	ASSERT_RC(ns_sysctl(env.other, "max_rx_kbytes", "2000000"), 0);
}

static void put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY);

	ASSERT(fd >= 0 && write(fd, text, strlen(text)) > 0, "%s: %s", file,
	       strerror(errno));
	close(fd);
}

/* A number in a file of the cgroup; @word: in the line that begins with it. */
static long long cgroup_get(const char *file, const char *word)
{
	char path[200], line[200];
	long long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), CGROUP "/test/%s", file);
	f = fopen(path, "r");
	ASSERT(f, "%s: %s", path, strerror(errno));
	while (value < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, word, strlen(word)))
			value = atoll(line + strlen(word));
	fclose(f);
	return value;
}

/* A socket belongs to the cgroup of who made it, wherever that one goes then: so
 * nothing but the server's packets is charged to it.
 */
static struct hsock server_in_cgroup(void)
{
	struct hsock server;

	mkdir(CGROUP, 0755);
	ASSERT(!mount("none", CGROUP, "cgroup2", 0, NULL), "no cgroup2: %s",
	       strerror(errno));
	put(CGROUP "/cgroup.subtree_control", "+memory");
	mkdir(CGROUP "/test", 0755);
	put(CGROUP "/test/cgroup.procs", "0");
	server = big_server();
	put(CGROUP "/cgroup.procs", "0");
	return server;
}

static void cgroup_pays(void)
{
	struct hsock server = server_in_cgroup(), hs = flood(10);

	EXPECT(WAIT_FOR(rx_mem() > 10 * MB, 5000), "only %lld arrived",
	       rx_mem());
	EXPECT_GE(cgroup_get("memory.stat", "sock "), 10 * MB);
	drain(&server, &hs, 10);
	EXPECT(WAIT_FOR(cgroup_get("memory.stat", "sock ") < MB, 5000),
	       "%lld bytes stay", cgroup_get("memory.stat", "sock "));
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_SLOW(host_limit_holds_and_recovers, 120),
		KTAP_SLOW(cgroup_pays, 120),
	};

	env.ns = ns_new();
	env.other = ns_new();
	ns_join(env.ns, env.other, 9000);
	env.buf = malloc(HOMA_MAX_MESSAGE_LENGTH);
	payload_fill(env.buf, HOMA_MAX_MESSAGE_LENGTH, 5);
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
