// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Who may do what: a user, and the same user as root of namespaces of his own.
 *
 * desc: what a user may read, write and freeze, and how much memory a tenant pins
 * lab: --no-topology
 * flavor: fast debug
 *
 * A tenant is a user without privileges who has made a user and a network namespace.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "hsock.h"
#include "klog.h"
#include "ktap.h"
#include "ns.h"

#define USER 12345
#define PORT 99
#define KNOBS "/proc/sys/net/homa/"
#define MB (1 << 20)
#define RPCS 20000	/* that the tenant begins with itself */

static int host_ns;

/* Writes to a file; 0 or -errno. */
static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), rc = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

/* The number at the beginning of a file, or -errno. */
static long long get(const char *path)
{
	char text[64] = "";
	int fd = open(path, O_RDONLY);
	long long value = fd < 0 ? -errno : 0;

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
		value = -errno;
	else if (fd >= 0)
		value = atoll(text);
	if (fd >= 0)
		close(fd);
	return value;
}

static void become_user(void)
{
	ASSERT(!setgid(USER) && !setuid(USER), "setuid: %s", strerror(errno));
	prctl(PR_SET_DUMPABLE, 1);	/* else /proc/self is root's */
}

/* From now on a tenant: root of namespaces that belong to the user. */
static void become_tenant(void)
{
	char map[40];

	become_user();
	ASSERT(!unshare(CLONE_NEWUSER), "unshare: %s", strerror(errno));
	ASSERT_RC(put("/proc/self/setgroups", "deny"), 0);
	snprintf(map, sizeof(map), "0 %d 1", USER);
	ASSERT_RC(put("/proc/self/uid_map", map), 0);
	ASSERT_RC(put("/proc/self/gid_map", map), 0);

	/* Now that it is known who is root, files of the namespace are his. */
	ASSERT(!unshare(CLONE_NEWNET), "unshare: %s", strerror(errno));
	ASSERT(!system("ip link set lo up"), "no lo");
}

/* A socket of the namespace that the caller is in. */
static struct hsock my_socket(int port)
{
	struct hsock hs = { .fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_HOMA),
			    .family = AF_INET };

	ASSERT(hs.fd >= 0, "socket: %s", strerror(errno));
	ASSERT_RC(hsock_set_region(&hs, 16 * MB), 0);
	if (port)
		ASSERT_RC(hsock_bind(&hs, port), 0);
	return hs;
}

static int freeze(void)
{
	struct hsock hs = my_socket(0);
	int rc = ioctl(hs.fd, HOMAIOCFREEZE, 0) ? -errno : 0;

	hsock_close(&hs);
	return rc;
}

/* Files, and what opening them for reading and for writing gives. */
static const struct access {
	const char *path;
	int user_read, user_write, tenant_read, tenant_write;
} files[] = {
	{ KNOBS "max_peers", 0, -EACCES, 0, 0 },
	{ KNOBS "action", 0, -EACCES, 0, 0 },
	{ KNOBS "cutoff_version", 0, -EACCES, 0, -EACCES },
	{ "/proc/net/homa_metrics", 0, -EACCES, 0, -EACCES },
	{ "/proc/net/homa/socks", 0, -EACCES, 0, -EACCES },
	{ "/proc/net/homa/rpcs", -EACCES, -EACCES, 0, -EACCES },
	{ "/proc/net/homa/peers", -EACCES, -EACCES, 0, -EACCES },
	{ "/proc/net/timetrace", -EACCES, -EACCES, 0, -EACCES },
};

/* @mode: of open(2); 0 or -errno. Root of a namespace may open for writing what has no
 * handler for it.
 */
static int try_open(const char *path, int mode)
{
	int fd = open(path, mode);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static void files_of_a_user(void)
{
	ns_enter(host_ns);
	become_user();
	for (int i = 0; i < ARRAY_LEN(files); i++) {
		ktap_label("%s", files[i].path);
		EXPECT_RC(try_open(files[i].path, O_RDONLY), files[i].user_read);
		EXPECT_RC(try_open(files[i].path, O_WRONLY), files[i].user_write);
	}
	ktap_label("freeze");
	EXPECT_RC(freeze(), -EPERM);
}

static void files_of_a_tenant(void)
{
	become_tenant();
	for (int i = 0; i < ARRAY_LEN(files); i++) {
		ktap_label("%s", files[i].path);
		EXPECT_RC(try_open(files[i].path, O_RDONLY), files[i].tenant_read);
		if (!files[i].tenant_write)
			EXPECT_RC(try_open(files[i].path, O_WRONLY), 0);
	}
	ktap_label("freeze");
	EXPECT_RC(freeze(), 0);
}

/* A tenant steers its own host, without the log and the memory of the machine. */
static void settings_of_a_tenant(void)
{
	static const struct {
		const char *file, *text;
		int rc;
	} rows[] = {
		{ KNOBS "resend_ticks", "7", 0 },
		{ KNOBS "max_server_rpcs", "10", 0 },
		{ KNOBS "max_server_rpcs", "10000", 0 },
		{ KNOBS "max_server_rpcs", "10001", -EPERM },
		{ KNOBS "max_host_rpcs", "100001", -EPERM },
		{ KNOBS "max_peer_rpcs", "10001", -EPERM },
		{ KNOBS "max_peers", "20001", -EPERM },
		{ KNOBS "max_tombstones", "131073", -EPERM },
		{ KNOBS "max_rx_kbytes", "2000001", -EPERM },
		{ KNOBS "max_strangers", "1001", -EPERM },
		{ KNOBS "max_peer_silent_kbytes", "16385", -EPERM },
		{ KNOBS "max_silent_kbytes", "65537", -EPERM },
		{ KNOBS "wmem_max", "100000001", -EPERM },
		{ KNOBS "action", "3", 0 },
		{ KNOBS "action", "10", 0 },
		{ KNOBS "action", "6", 0 },
		{ KNOBS "action", "0", -EPERM },
		{ KNOBS "action", "2", -EPERM },
		{ KNOBS "action", "5", -EPERM },
		{ KNOBS "action", "9", -EPERM },
	};
	long long before;

	ns_enter(host_ns);
	before = get(KNOBS "resend_ticks");
	ASSERT_RC(ns_sysctl(host_ns, "max_server_rpcs", "10001"), 0);
	ASSERT_RC(ns_sysctl(host_ns, "max_server_rpcs", "10000"), 0);
	become_tenant();
	for (int i = 0; i < ARRAY_LEN(rows); i++) {
		ktap_label("%s > %s", rows[i].text, rows[i].file);
		EXPECT_RC(put(rows[i].file, rows[i].text), rows[i].rc);
	}
	ktap_label("what was written");
	EXPECT_EQ(get(KNOBS "resend_ticks"), 7);
	EXPECT_EQ(get(KNOBS "max_server_rpcs"), 10000);
	EXPECT(before != 7, "the default is 7");
}

static int lines_of(const char *command)
{
	FILE *out = popen(command, "r");
	char line[300];
	int n = 0;

	ASSERT(out, "cannot run %s", command);
	while (fgets(line, sizeof(line), out))
		n++;
	pclose(out);
	return n;
}

/* Nobody sees the sockets, peers or counters of another tenant. */
static void a_tenant_sees_its_own_sockets(void)
{
	struct hsock theirs, mine;

	theirs = hsock_server(host_ns, AF_INET, PORT);
	ns_enter(host_ns);
	EXPECT_EQ(lines_of("cat /proc/net/homa/socks"), 2);
	become_tenant();
	EXPECT_EQ(lines_of("cat /proc/net/homa/socks"), 1);
	mine = my_socket(PORT);
	EXPECT_EQ(lines_of("cat /proc/net/homa/socks"), 2);
	EXPECT_EQ(lines_of("cat /proc/net/homa/peers"), 1);
	hsock_close(&mine);
	hsock_close(&theirs);
}

/* Namespaces come and go without a word in the log. */
static void namespaces_are_not_logged(void)
{
	int fd = klog_open();

	for (int i = 0; i < 20; i++) {
		int ns = ns_new();
		struct hsock hs = hsock_server(ns, AF_INET, PORT);

		hsock_close(&hs);
		close(ns);
	}
	sleep_ms(500);
	EXPECT_EQ(klog_records(fd), 0);
}

/* Waits for a byte from, or tells, the other side of a pipe. */
static void await(int fd)
{
	char c;

	ASSERT(read(fd, &c, 1) == 1, "the other side has gone");
}

static void tell(int fd)
{
	ASSERT(write(fd, "", 1) == 1, "the other side has gone");
}

/* The tenant's part: requests to itself, more than its server takes, and nobody
 * receives them; then long ones, which therefore wait in the sender.
 */
static void pin_memory(int from, int to)
{
	union haddr self = haddr_of(AF_INET, "127.0.0.1", PORT);
	struct hsock server, hs;
	char *buf = calloc(1, MB);
	uint64_t id;

	become_tenant();
	ASSERT_RC(put(KNOBS "timeout_ticks", "100000"), 0);
	server = my_socket(PORT);
	hs = my_socket(0);
	tell(to);
	await(from);
	for (int i = 0; i < RPCS; i++)
		ASSERT_RC(hsock_request(&hs, &self, buf, 100, &id), 0);
	tell(to);
	await(from);
	for (int i = 0; i < 10; i++)
		ASSERT_RC(hsock_request(&hs, &self, buf,
					HOMA_MAX_MESSAGE_LENGTH, &id), 0);
	tell(to);
	await(from);
	hsock_close(&hs);
	hsock_close(&server);
	tell(to);
	await(from);
}

/* What RPCs and messages take is charged to the tenant's cgroup, the packets that
 * nobody receives, too; and it is all free when the sockets are closed.
 */
static void memory_of_a_tenant_is_charged(void)
{
	long long begin, rpcs, messages;
	int to[2], from[2];
	pid_t pid;

	cgroup_enter();
	ASSERT(!pipe(to) && !pipe(from), "no pipe");
	pid = fork();
	if (!pid) {
		pin_memory(to[0], from[1]);
		_exit(ktap_failed());
	}
	cgroup_leave();
	await(from[0]);
	begin = cgroup_get("memory.current", "");
	tell(to[1]);
	await(from[0]);
	rpcs = cgroup_get("memory.current", "");
	printf("# %d requests that nobody receives: %lld kB\n", RPCS,
	       (rpcs - begin) >> 10);
	EXPECT_GE(rpcs - begin, RPCS * 500LL);
	tell(to[1]);
	await(from[0]);
	messages = cgroup_get("memory.current", "");
	EXPECT_GE(messages - rpcs, 10 * 900000);
	tell(to[1]);
	await(from[0]);
	EXPECT(WAIT_FOR(cgroup_get("memory.current", "") < begin + 2 * MB, 5000),
	       "%lld kB stay", (cgroup_get("memory.current", "") - begin) >> 10);
	tell(to[1]);
	waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(files_of_a_user),
		KTAP_CASE(files_of_a_tenant),
		KTAP_CASE(settings_of_a_tenant),
		KTAP_CASE(a_tenant_sees_its_own_sockets),
		KTAP_CASE(namespaces_are_not_logged),
		KTAP_SLOW(memory_of_a_tenant_is_charged, 60),
	};

	host_ns = ns_new();
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
