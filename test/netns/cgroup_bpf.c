// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Programs of a cgroup, and of a socket, see and change what Homa sockets do.
 *
 * A part of vm/stock.sh, in a cgroup of its own, whose folder is the first
 * argument: the kernels of User-Mode Linux have no programs of cgroups.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99
#define OTHER_PORT 98

/* Instructions, as the kernel's filter.h has them. */
#define INSN(op, dst, src, off_, imm_) ((struct bpf_insn){ .code = (op), \
	.dst_reg = (dst), .src_reg = (src), .off = (off_), .imm = (imm_) })
#define SET(reg, value) INSN(BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, 0, value)
#define GET(reg, off) INSN(BPF_LDX | BPF_MEM | BPF_W, reg, BPF_REG_1, off, 0)
#define PUT(reg, off) INSN(BPF_STX | BPF_MEM | BPF_W, BPF_REG_1, reg, off, 0)
#define SKIP_UNLESS(reg, value, count) \
	INSN(BPF_JMP | BPF_JNE | BPF_K, reg, 0, count, value)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static struct {
	int ns;
	int cgroup;
} env;

/**
 * struct hook - where programs of a cgroup are called
 * @program: type of program
 * @v4: where it is attached for IPv4
 * @v6: where it is attached for IPv6
 */
struct hook {
	enum bpf_prog_type program;
	enum bpf_attach_type v4;
	enum bpf_attach_type v6;
};

#define ADDRESS_HOOK(name, last) { BPF_PROG_TYPE_CGROUP_SOCK_ADDR, \
	BPF_CGROUP_##name##4_##last, BPF_CGROUP_##name##6_##last }
static const struct hook at_bind = ADDRESS_HOOK(INET, BIND);
static const struct hook at_connect = ADDRESS_HOOK(INET, CONNECT);
static const struct hook at_getpeername = ADDRESS_HOOK(INET, GETPEERNAME);
static const struct hook at_getsockname = ADDRESS_HOOK(INET, GETSOCKNAME);
static const struct hook at_send = ADDRESS_HOOK(UDP, SENDMSG);
static const struct hook at_recv = ADDRESS_HOOK(UDP, RECVMSG);
static const struct hook at_ingress = { BPF_PROG_TYPE_CGROUP_SKB,
	BPF_CGROUP_INET_INGRESS, BPF_CGROUP_INET_INGRESS };
static const struct hook at_egress = { BPF_PROG_TYPE_CGROUP_SKB,
	BPF_CGROUP_INET_EGRESS, BPF_CGROUP_INET_EGRESS };
static const struct hook at_create = { BPF_PROG_TYPE_CGROUP_SOCK,
	BPF_CGROUP_INET_SOCK_CREATE, BPF_CGROUP_INET_SOCK_CREATE };

static enum bpf_attach_type attach_type(const struct hook *hook)
{
	return ktap_family == AF_INET ? hook->v4 : hook->v6;
}

static int load(enum bpf_prog_type type, enum bpf_attach_type attach,
		const struct bpf_insn *insns, int count)
{
	static char log[8192];
	union bpf_attr attr = {
		.prog_type = type,
		.expected_attach_type = attach,
		.insns = (uintptr_t)insns,
		.insn_cnt = count,
		.license = (uintptr_t)"GPL",
		.log_buf = (uintptr_t)log,
		.log_size = sizeof(log),
		.log_level = 1,
	};
	int fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	ASSERT(fd >= 0, "program is refused: %s: %.200s", strerror(errno), log);
	return fd;
}

static void attach(const struct hook *hook, const struct bpf_insn *insns,
		   int count)
{
	union bpf_attr attr = {
		.target_fd = env.cgroup,
		.attach_bpf_fd = load(hook->program, attach_type(hook), insns,
				      count),
		.attach_type = attach_type(hook),
	};

	ASSERT_RC(syscall(SYS_bpf, BPF_PROG_ATTACH, &attr, sizeof(attr)) ?
		  -errno : 0, 0);
}

static void detach(const struct hook *hook)
{
	union bpf_attr attr = {
		.target_fd = env.cgroup,
		.attach_type = attach_type(hook),
	};

	EXPECT_RC(syscall(SYS_bpf, BPF_PROG_DETACH, &attr, sizeof(attr)) ?
		  -errno : 0, 0);
}

/* Refuses sockets, addresses or packets whose 32 bits at @offset are @value. */
static void refuse(const struct hook *hook, int offset, uint32_t value)
{
	struct bpf_insn insns[] = {
		GET(BPF_REG_2, offset),
		SET(BPF_REG_0, 0),
		SKIP_UNLESS(BPF_REG_2, value, 1),
		EXIT,
		SET(BPF_REG_0, 1),
		EXIT,
	};

	attach(hook, insns, ARRAY_LEN(insns));
}

static void refuse_all(const struct hook *hook)
{
	struct bpf_insn insns[] = { SET(BPF_REG_0, 0), EXIT };

	attach(hook, insns, ARRAY_LEN(insns));
}

/* Makes port @from @to. */
static void change_port(const struct hook *hook, int from, int to)
{
	int at = offsetof(struct bpf_sock_addr, user_port);
	struct bpf_insn insns[] = {
		GET(BPF_REG_2, at),
		SKIP_UNLESS(BPF_REG_2, htons(from), 2),
		SET(BPF_REG_2, htons(to)),
		PUT(BPF_REG_2, at),
		SET(BPF_REG_0, 1),
		EXIT,
	};

	attach(hook, insns, ARRAY_LEN(insns));
}

static union haddr local(int port)
{
	return haddr_of(ktap_family, ktap_family == AF_INET ? "127.0.0.1" :
			"::1", port);
}

static int call(const struct hsock *hs, int port)
{
	union haddr to = local(port);

	return round_trip(hs, &to, 2000, 1, 1000);
}

static void sockets_are_refused(void)
{
	ns_enter(env.ns);
	refuse(&at_create, offsetof(struct bpf_sock, protocol), IPPROTO_HOMA);
	EXPECT_RC(socket(ktap_family, SOCK_DGRAM, IPPROTO_HOMA) < 0 ? -errno : 0,
		  -EPERM);
	detach(&at_create);
	hsock_bare(env.ns, ktap_family);
}

static void bind_is_refused_or_moved(void)
{
	struct hsock hs = hsock_bare(env.ns, ktap_family);

	refuse(&at_bind, offsetof(struct bpf_sock_addr, user_port), htons(PORT));
	EXPECT_RC(hsock_bind(&hs, PORT), -EPERM);
	EXPECT_GE(hsock_port(&hs), HOMA_MIN_DEFAULT_PORT);
	EXPECT_RC(hsock_bind(&hs, OTHER_PORT), 0);
	detach(&at_bind);
	change_port(&at_bind, 50, 51);
	EXPECT_RC(hsock_bind(&hs, 50), 0);
	detach(&at_bind);
	EXPECT_EQ(hsock_port(&hs), 51);
}

static int connect_to(const struct hsock *hs, int port)
{
	union haddr to = local(port);

	return connect(hs->fd, &to.sa, haddr_len(&to)) ? -errno : 0;
}

static int peer_port(const struct hsock *hs)
{
	union haddr name;
	socklen_t len = sizeof(name);

	if (getpeername(hs->fd, &name.sa, &len))
		return -errno;
	return haddr_port(&name);
}

static void connect_is_refused_or_moved(void)
{
	struct hsock hs = hsock_bare(env.ns, ktap_family);

	refuse(&at_connect, offsetof(struct bpf_sock_addr, user_port),
	       htons(PORT));
	EXPECT_RC(connect_to(&hs, PORT), -EPERM);
	EXPECT_RC(connect_to(&hs, OTHER_PORT), 0);
	detach(&at_connect);
	change_port(&at_connect, PORT, OTHER_PORT);
	EXPECT_RC(connect_to(&hs, PORT), 0);
	detach(&at_connect);
	EXPECT_EQ(peer_port(&hs), OTHER_PORT);
}

static void names_are_changed(void)
{
	struct hsock hs = hsock_bare(env.ns, ktap_family);

	ASSERT_RC(hsock_bind(&hs, OTHER_PORT), 0);
	change_port(&at_getsockname, OTHER_PORT, PORT);
	EXPECT_EQ(hsock_port(&hs), PORT);
	detach(&at_getsockname);
	EXPECT_EQ(hsock_port(&hs), OTHER_PORT);
	ASSERT_RC(connect_to(&hs, OTHER_PORT), 0);
	change_port(&at_getpeername, OTHER_PORT, PORT);
	EXPECT_EQ(peer_port(&hs), PORT);
	detach(&at_getpeername);
}

/* A service has one port for clients and another one where it is, as behind
 * a load balancer that works with sockets.
 */
static void peers_are_refused_or_changed(void)
{
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(OTHER_PORT);
	struct echoer e;
	struct hmsg m;
	uint64_t id;

	echoer_start(&e, env.ns, ktap_family, PORT);
	refuse(&at_send, offsetof(struct bpf_sock_addr, user_port), htons(PORT));
	EXPECT_RC(call(&hs, PORT), -EPERM);
	detach(&at_send);
	EXPECT_RC(call(&hs, PORT), 0);
	change_port(&at_send, OTHER_PORT, PORT);
	change_port(&at_recv, PORT, OTHER_PORT);
	ASSERT_RC(hsock_request(&hs, &to, "hello", 5, &id), 0);
	EXPECT_RC(hsock_recv_within(&hs, &m, 0, 2000), 5);
	EXPECT_EQ(haddr_port(&m.from), OTHER_PORT);
	detach(&at_send);
	detach(&at_recv);
	echoer_stop(&e);
}

/* A mapped address is one of IPv4 for programs, too. */
static void mapped_peers_are_refused(void)
{
	struct hsock hs = hsock_open(env.ns, AF_INET6);
	union haddr to = haddr_of(AF_INET6, "127.0.0.1", PORT);
	uint64_t id;

	refuse_all(&at_send);
	EXPECT_RC(hsock_request(&hs, &to, "x", 1, &id), -EPERM);
	detach(&at_send);
	EXPECT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
}

static void packets_are_dropped(void)
{
	static const struct hook *hooks[] = { &at_ingress, &at_egress };
	struct hsock hs = hsock_open(env.ns, ktap_family);
	struct echoer e;

	echoer_start(&e, env.ns, ktap_family, PORT);
	ns_sysctl(env.ns, "timeout_ticks", "100");
	for (int i = 0; i < ARRAY_LEN(hooks); i++) {
		ktap_label(i ? "egress" : "ingress");
		refuse_all(hooks[i]);
		EXPECT_RC(call(&hs, PORT), -ETIMEDOUT);
		detach(hooks[i]);
		EXPECT_RC(call(&hs, PORT), 0);
	}
	echoer_stop(&e);
}

/* Not of a cgroup, but of the socket. */
static void socket_filter_drops(void)
{
	struct bpf_insn drop[] = { SET(BPF_REG_0, 0), EXIT };
	int prog = load(BPF_PROG_TYPE_SOCKET_FILTER, 0, drop, 2);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	struct echoer e;

	echoer_start(&e, env.ns, ktap_family, PORT);
	ns_sysctl(env.ns, "timeout_ticks", "100");
	ASSERT_EQ(setsockopt(hs.fd, SOL_SOCKET, SO_ATTACH_BPF, &prog,
			     sizeof(prog)), 0);
	EXPECT_RC(call(&hs, PORT), -ETIMEDOUT);
	ASSERT_EQ(setsockopt(hs.fd, SOL_SOCKET, SO_DETACH_BPF, &prog,
			     sizeof(prog)), 0);
	EXPECT_RC(call(&hs, PORT), 0);
	echoer_stop(&e);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_EACH(sockets_are_refused),
		KTAP_EACH(bind_is_refused_or_moved),
		KTAP_EACH(connect_is_refused_or_moved),
		KTAP_EACH(names_are_changed),
		KTAP_EACH(peers_are_refused_or_changed),
		KTAP_CASE(mapped_peers_are_refused),
		KTAP_EACH(packets_are_dropped),
		KTAP_EACH(socket_filter_drops),
	};

	env.cgroup = argc > 1 ? open(argv[1], O_RDONLY | O_DIRECTORY) : -1;
	env.ns = ns_new();
	return ktap_main(argc - 1, argv + 1, cases, ARRAY_LEN(cases));
}
