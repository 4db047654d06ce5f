// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa_ss: the Homa sockets of this host, as ss lists those of other protocols.
 *
 * Asks the kernel by sock_diag(7), for which it loads homa_diag.ko. One line a
 * socket: addresses, queues as memory, RPCs, and what there is of the receive region.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <homa.h>

#include "lib/die.h"
#include "lib/opts.h"

#define REPLY_BYTES 65536

static struct opts {
	bool ipv4, ipv6, no_header, servers;
} o;

static const struct opt table[] = {
	OPT_FLAG("4", &o.ipv4, "only sockets of AF_INET"),
	OPT_FLAG("6", &o.ipv6, "only sockets of AF_INET6"),
	OPT_FLAG("servers", &o.servers, "only sockets that accept requests"),
	OPT_FLAG("no-header", &o.no_header, "no line with the names of the columns"),
	OPT_END
};

/* "ADDR:PORT"; "*" stands for what is not set. */
static const char *address(char *text, size_t size, int family, const void *addr,
			   uint16_t port)
{
	static const uint8_t none[16];
	char ip[INET6_ADDRSTRLEN] = "*", number[8] = "*";
	bool ipv4 = family == AF_INET;

	if (memcmp(addr, none, ipv4 ? 4 : 16))
		inet_ntop(family, addr, ip, sizeof(ip));
	if (port)
		snprintf(number, sizeof(number), "%u", ntohs(port));
	snprintf(text, size, strchr(ip, ':') ? "[%s]:%s" : "%s:%s", ip, number);
	return text;
}

static void print_header(void)
{
	printf("%-6s %9s %9s %-28s %-28s %6s %6s %6s %6s %7s %9s %9s %6s %s\n",
	       "State", "Recv-Mem", "Send-Mem", "Local", "Peer", "Client", "Server",
	       "Peers", "Ready", "Stalled", "Region", "Free", "UID", "Inode");
}

static void print_socket(const struct inet_diag_msg *msg,
			 const struct homa_sock_info *info)
{
	char local[80], peer[80];
	const char *state = "client";

	if (info->flags & HOMA_SOCK_SERVER)
		state = "server";
	else if (o.servers)
		return;
	printf("%-6s %9llu %9u %-28s %-28s %6u %6u %6u %6u %7u %9llu %9llu %6u %u\n", state,
	       (unsigned long long)info->rx_mem, info->tx_mem,
	       address(local, sizeof(local), msg->idiag_family, msg->id.idiag_src,
		       msg->id.idiag_sport),
	       address(peer, sizeof(peer), msg->idiag_family, msg->id.idiag_dst,
		       msg->id.idiag_dport),
	       info->client_rpcs, info->server_rpcs, info->peers, info->ready,
	       info->stalled, (unsigned long long)info->region_bytes,
	       (unsigned long long)info->region_avail, msg->idiag_uid,
	       msg->idiag_inode);
}

/* One message of the answer. Kernels with another size of info tell what they know. */
static void take_socket(const struct nlmsghdr *nh)
{
	const struct inet_diag_msg *msg = NLMSG_DATA(nh);
	struct homa_sock_info info = { 0 };
	const struct rtattr *attr = (const struct rtattr *)(msg + 1);
	int left = nh->nlmsg_len - NLMSG_LENGTH(sizeof(*msg));

	for (; RTA_OK(attr, left); attr = RTA_NEXT(attr, left)) {
		size_t n = RTA_PAYLOAD(attr);

		if (attr->rta_type == INET_DIAG_INFO)
			memcpy(&info, RTA_DATA(attr), n < sizeof(info) ? n : sizeof(info));
	}
	print_socket(msg, &info);
}

static void ask(int fd, int family)
{
	struct {
		struct nlmsghdr nh;
		struct inet_diag_req_v2 req;
	} m = {
		.nh = {
			.nlmsg_len = sizeof(m),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.req = {
			.sdiag_family = family,
			.sdiag_protocol = IPPROTO_HOMA,
			.idiag_ext = 1 << (INET_DIAG_INFO - 1),
			.idiag_states = -1,
		},
	};

	if (send(fd, &m, sizeof(m), 0) < 0)
		die("cannot ask the kernel: %s", strerror(errno));
}

/* Return: false after the last message of the answer. */
static bool take_answer(const struct nlmsghdr *nh, int n)
{
	const struct nlmsgerr *err;

	for (; NLMSG_OK(nh, n); nh = NLMSG_NEXT(nh, n)) {
		if (nh->nlmsg_type == NLMSG_DONE)
			return false;
		if (nh->nlmsg_type != NLMSG_ERROR) {
			take_socket(nh);
			continue;
		}
		err = NLMSG_DATA(nh);
		if (err->error == -ENOENT)
			die("the kernel tells nothing of Homa sockets (is homa_diag.ko there?)");
		die("the kernel answers: %s", strerror(-err->error));
	}
	return true;
}

static void list(int fd, int family)
{
	static char buf[REPLY_BYTES] __attribute__((aligned(8)));
	ssize_t n;

	ask(fd, family);
	do {
		n = recv(fd, buf, sizeof(buf), 0);
		if (n < 0)
			die("no answer from the kernel: %s", strerror(errno));
	} while (take_answer((struct nlmsghdr *)buf, n));
}

static void help(void)
{
	printf("Usage: homa_ss [options]\n\n"
	       "Lists the Homa sockets of this host (of this network namespace).\n\nOptions:\n");
	opts_help(table, stdout);
	printf("\nExamples:\n"
	       "  homa_ss\n"
	       "  homa_ss --servers --6\n"
	       "  ip netns exec h2 homa_ss --no-header\n");
}

int main(int argc, char **argv)
{
	int fd, words;

	die_set_name(argv[0]);
	if (opts_want_help(argc, argv)) {
		help();
		return 0;
	}
	words = opts_parse(table, argc, argv);
	if (words < 0)
		return 1;
	if (words)
		die("want no words but options");
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		die("no sock_diag: %s", strerror(errno));
	if (!o.no_header)
		print_header();
	if (o.ipv4 || !o.ipv6)
		list(fd, AF_INET);
	if (o.ipv6 || !o.ipv4)
		list(fd, AF_INET6);
	close(fd);
	return 0;
}
