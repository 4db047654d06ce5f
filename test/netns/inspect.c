// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* What /proc/net/homa and sock_diag tell of a host.
 *
 * desc: /proc/net/homa and homa_ss show sockets, RPCs and peers, of one host only
 * lab: --no-topology
 * flavor: fast debug
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99

static struct {
	int ns, other, third;
	char *ss;	/* the program homa_ss */
} env;

/* Lines that a command prints in a namespace; the first that has @word is copied
 * to @line.
 */
static int lines(int ns, const char *command, const char *word, char *line)
{
	char text[1000];
	FILE *out;
	int n = 0;

	ns_enter(ns);
	out = popen(command, "r");
	ASSERT(out, "cannot run %s", command);
	*line = '\0';
	while (fgets(text, sizeof(text), out)) {
		n++;
		if (!*line && strstr(text, word))
			strcpy(line, text);
	}
	EXPECT_EQ(pclose(out), 0);
	return n;
}

/* Field number @n (from 1) of a line, as a number. */
static long long field(const char *line, int n)
{
	char text[1000], *word;

	strcpy(text, line);
	word = strtok(text, " \n");
	while (word && --n)
		word = strtok(NULL, " \n");
	return word ? (long long)strtoull(word, NULL, 0) : -1;	/* ids have 64 bits */
}

/* Sends requests that nobody answers: @n to each of two servers. */
static void load(struct hsock *hs, struct hsock servers[2], int n)
{
	static char buf[2000];
	union haddr to = haddr_of(AF_INET, "10.9.0.2", PORT);
	uint64_t id;

	servers[0] = hsock_server(env.other, AF_INET, PORT);
	servers[1] = hsock_server(env.ns, AF_INET, PORT);
	*hs = hsock_open(env.ns, AF_INET);
	for (int i = 0; i < 2 * n; i++) {
		to = haddr_of(AF_INET, i & 1 ? "127.0.0.1" : "10.9.0.2", PORT);
		ASSERT_RC(hsock_request(hs, &to, buf, sizeof(buf), &id), 0);
	}
	for (int i = 0; i < 2; i++)
		EXPECT(WAIT_FOR(hsock_num_rpcs(&servers[i]) == n, 1000),
		       "server %d has not got the requests", i);
}

static void proc_shows_sockets(void)
{
	const char *cat = "cat /proc/net/homa/socks";
	struct hsock hs, servers[2];
	char line[1000];

	EXPECT_EQ(lines(env.ns, cat, "family", line), 1);
	load(&hs, servers, 3);
	EXPECT_EQ(lines(env.ns, cat, " 99 ", line), 3);
	EXPECT_EQ(field(line, 1), 4);
	EXPECT_EQ(field(line, 3), PORT);
	EXPECT_EQ(field(line, 4), HOMA_SOCK_SERVER);
	EXPECT_EQ(field(line, 5), 0);
	EXPECT_EQ(field(line, 6), 3);
	EXPECT_EQ(field(line, 7), 1);
	EXPECT_EQ(field(line, 8), 3);
	EXPECT_GE(field(line, 10), 6000);
	EXPECT_EQ(field(line, 11), 0);
	EXPECT_EQ(field(line, 13), 16 << 20);
	lines(env.ns, cat, " 0 6 0 2 ", line);
	EXPECT_EQ(field(line, 3), hsock_port(&hs));
	lines(env.ns, cat, " 6 0 2 0 ", line);
	EXPECT_EQ(field(line, 3), hsock_port(&hs));
	EXPECT_GE(field(line, 11), 12000);
	EXPECT_EQ(lines(env.third, cat, "family", line), 1);
}

static void proc_shows_rpcs(void)
{
	const char *cat = "cat /proc/net/homa/rpcs";
	struct hsock hs, servers[2];
	char line[1000];
	int fd;

	EXPECT_EQ(lines(env.ns, cat, "state", line), 1);
	load(&hs, servers, 200);
	EXPECT_EQ(lines(env.ns, cat, "outgoing", line), 601);
	EXPECT_EQ(field(line, 1) & 1, 0);
	EXPECT_EQ(field(line, 3), hsock_port(&hs));
	EXPECT_EQ(field(line, 5), PORT);
	EXPECT_EQ(field(line, 7), 2000);
	EXPECT_EQ(lines(env.other, cat, "incoming", line), 201);
	EXPECT_EQ(field(line, 1) & 1, 1);
	EXPECT_EQ(field(line, 10), 2000);
	EXPECT_EQ(field(line, 11), 0);
	EXPECT_EQ(lines(env.third, cat, "state", line), 1);
	ns_enter(env.ns);
	ASSERT_EQ(setgroups(0, NULL), 0);
	ASSERT_EQ(setegid(65534), 0);
	ASSERT_EQ(seteuid(65534), 0);
	fd = open("/proc/net/homa/rpcs", O_RDONLY);
	EXPECT_RC(fd < 0 ? -errno : 0, -EACCES);
	fd = open("/proc/net/homa/peers", O_RDONLY);
	EXPECT_RC(fd < 0 ? -errno : 0, -EACCES);
	fd = open("/proc/net/homa/socks", O_RDONLY);
	EXPECT(fd >= 0, "socks is not for everybody");
}

static void proc_shows_peers(void)
{
	const char *cat = "cat /proc/net/homa/peers";
	struct hsock hs, servers[2];
	char line[1000];

	load(&hs, servers, 1);
	EXPECT_EQ(lines(env.ns, cat, "::ffff:10.9.0.2", line), 3);
	EXPECT_EQ(field(line, 2), 0);
	EXPECT_EQ(lines(env.third, cat, "addr", line), 1);
}

static void ss_shows_sockets(void)
{
	struct hsock hs, servers[2], six = hsock_bare(env.ns, AF_INET6);
	char line[1000], command[300];

	load(&hs, servers, 3);
	snprintf(command, sizeof(command), "%s", env.ss);
	EXPECT_EQ(lines(env.ns, command, "*:99", line), 4);
	EXPECT_EQ(strncmp(line, "server", 6), 0);
	EXPECT_GE(field(line, 2), 6000);
	EXPECT_EQ(field(line, 3), 0);
	EXPECT_EQ(field(line, 6), 0);
	EXPECT_EQ(field(line, 7), 3);
	EXPECT_EQ(field(line, 8), 1);
	EXPECT_EQ(field(line, 9), 3);
	lines(env.ns, command, " 6      0      2 ", line);
	EXPECT_EQ(strncmp(line, "client", 6), 0);
	EXPECT_GE(field(line, 3), 12000);
	snprintf(command, sizeof(command), "%s --no-header --6", env.ss);
	EXPECT_EQ(lines(env.ns, command, "*", line), 1);
	EXPECT_EQ(field(line, 12), 0);
	EXPECT_EQ(lines(env.third, command, "*", line), 0);
	hsock_close(&six);
}

static void thousand_sockets(void)
{
	struct rlimit limit = { 4000, 4000 };
	char line[1000], command[300];
	int64_t start;

	ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
	ns_enter(env.third);
	for (int i = 0; i < 1000; i++)
		ASSERT(socket(i & 1 ? AF_INET : AF_INET6, SOCK_DGRAM,
			      IPPROTO_HOMA) >= 0, "socket %d", i);
	snprintf(command, sizeof(command), "%s --no-header", env.ss);
	start = now_ms();
	EXPECT_EQ(lines(env.third, command, "*", line), 1000);
	EXPECT_GE(999, now_ms() - start);
	EXPECT_EQ(lines(env.third, "cut -d' ' -f3 /proc/net/homa/socks | "
			"sort -u", "port", line), 1001);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(proc_shows_sockets),
		KTAP_CASE(proc_shows_rpcs),
		KTAP_CASE(proc_shows_peers),
		KTAP_CASE(ss_shows_sockets),
		KTAP_CASE(thousand_sockets),
	};
	const char *module = getenv("LAB_DIAG");
	int rc;

	env.ns = ns_new();
	env.other = ns_new();
	env.third = ns_new();
	ns_join(env.ns, env.other, 1500);
	/* out/bin/test/inspect and out/bin/homa_ss */
	if (asprintf(&env.ss, "%.*s/../homa_ss",
		     (int)(strrchr(argv[0], '/') - argv[0]), argv[0]) < 0)
		return 1;
	if (module && *module)
		ns_run(env.ns, "insmod %s", module);
	rc = ktap_main(argc, argv, cases, ARRAY_LEN(cases));
	if (module && *module)
		ns_run(env.ns, "rmmod homa_diag");
	return rc;
}
