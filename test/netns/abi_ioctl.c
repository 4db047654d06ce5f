// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* HOMAIOCABORT, HOMAIOCINFO, HOMAIOCFREEZE, and two hosts side by side.
 *
 * desc: ioctls, and two hosts side by side
 * lab: --no-topology
 * flavor: fast@quick debug
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "counters.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define BAD_PTR ((void *)8)
#define PORT 99

_Static_assert(sizeof(struct homa_sendmsg_args) == 24, "sendmsg args");
_Static_assert(sizeof(struct homa_recvmsg_args) == 88, "recvmsg args");
_Static_assert(sizeof(struct homa_abort_args) == 32, "abort args");
_Static_assert(sizeof(struct homa_rcvbuf_args) == 16, "rcvbuf args");
_Static_assert(sizeof(struct homa_rpc_info) == 184, "rpc info");
_Static_assert(sizeof(struct homa_info) == 136, "info");
_Static_assert(offsetof(struct homa_rpc_info, tx_length) == 144, "tx_length");
_Static_assert(offsetof(struct homa_rpc_info, flags) == 180, "flags");
_Static_assert(HOMAIOCINFO == 0xC0886890, "HOMAIOCINFO");
_Static_assert(HOMAIOCABORT == 0xC0206891, "HOMAIOCABORT");
_Static_assert(HOMAIOCFREEZE == 0x6892, "HOMAIOCFREEZE");

static struct {
	int ns;
	char *buf;
} env;

static union haddr local(int family)
{
	return haddr_of(family, family == AF_INET ? "127.0.0.1" : "::1", PORT);
}

static int abort_rc(const struct hsock *hs, void *args)
{
	return ioctl(hs->fd, HOMAIOCABORT, args) ? -errno : 0;
}

static void abort_errors_in_order(void)
{
	struct hsock hs = hsock_open(env.ns, ktap_family);
	struct homa_abort_args a;

	EXPECT_RC(abort_rc(&hs, BAD_PTR), -EFAULT);
	a = (struct homa_abort_args){ ._pad1 = 1 };
	EXPECT_RC(abort_rc(&hs, &a), -EINVAL);
	a = (struct homa_abort_args){ ._pad2 = { 0, 1 } };
	EXPECT_RC(abort_rc(&hs, &a), -EINVAL);
	a = (struct homa_abort_args){ ._pad2 = { 1, 0 } };
	EXPECT_RC(abort_rc(&hs, &a), -EINVAL);
	a = (struct homa_abort_args){ .id = 0x123456 };
	EXPECT_RC(abort_rc(&hs, &a), -EINVAL);
	a = (struct homa_abort_args){ 0 };
	EXPECT_RC(abort_rc(&hs, &a), 0);
}

static void abort_spares_server_rpcs(void)
{
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(ktap_family);
	struct hmsg m;
	uint64_t id;

	ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
	ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 1);
	EXPECT_RC(hsock_abort(&server, id ^ 1, 0), -EINVAL);
	EXPECT_RC(hsock_abort(&server, 0, 0), 0);
	EXPECT_EQ(hsock_num_rpcs(&server), 1);
	EXPECT_RC(hsock_abort(&hs, id ^ 1, 0), -EINVAL);
	EXPECT_RC(hsock_reply(&server, &m.from, m.args.id, "yes", 3), 0);
	EXPECT_RC(hsock_recv_within(&hs, &m, 0, 1000), 3);
}

static void abort_one_or_all(void)
{
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(ktap_family);
	uint64_t id[4];
	struct hmsg m;

	(void)server;
	for (int i = 0; i < 4; i++)
		ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id[i]), 0);
	EXPECT_RC(hsock_abort(&hs, id[0], 0), 0);
	EXPECT_EQ(hsock_num_rpcs(&hs), 3);
	EXPECT_RC(hsock_recv(&hs, &m, 0, MSG_DONTWAIT), -EAGAIN);
	EXPECT_RC(hsock_abort(&hs, id[1], ENODATA), 0);
	EXPECT_RC(hsock_recv(&hs, &m, 0, MSG_DONTWAIT), -ENODATA);
	EXPECT_EQ(m.args.id, id[1]);
	EXPECT_EQ(hsock_num_rpcs(&hs), 2);
	EXPECT_RC(hsock_abort(&hs, 0, ECONNABORTED), 0);
	for (int i = 0; i < 2; i++)
		EXPECT_RC(hsock_recv(&hs, &m, 0, MSG_DONTWAIT), -ECONNABORTED);
	EXPECT_EQ(hsock_num_rpcs(&hs), 0);
	EXPECT_RC(hsock_abort(&hs, id[1], 0), -EINVAL);
}

/* An error that recvmsg could not return must not look like a length. */
static void abort_with_a_huge_error(void)
{
	static const uint32_t errors[] = { 4096, 0x7fffffff, 0x80000000,
					   0xffffffff, 0xfffffff0 };
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(ktap_family);
	uint64_t id;

	(void)server;
	for (int i = 0; i < ARRAY_LEN(errors); i++) {
		ktap_label("error %x", errors[i]);
		ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
		EXPECT_RC(hsock_abort(&hs, id, errors[i]), -EINVAL);
		EXPECT_EQ(hsock_num_rpcs(&hs), 1);
		EXPECT_RC(hsock_abort(&hs, id, 0), 0);
	}
}

static void info_errors(void)
{
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(ktap_family);
	struct homa_info info = { .rpc_info = 8, .rpc_info_length = 1000 };
	uint64_t id;

	EXPECT_RC(ioctl(hs.fd, HOMAIOCINFO, BAD_PTR) ? -errno : 0, -EFAULT);
	EXPECT_RC(hsock_info(&hs, &info), 0);
	hsock_server(env.ns, ktap_family, PORT);
	ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
	info.port = 0;
	EXPECT_RC(hsock_info(&hs, &info), -EFAULT);
	EXPECT_EQ(info.port, hsock_port(&hs));
	shutdown(hs.fd, SHUT_RDWR);
	EXPECT_RC(hsock_info(&hs, &info), -ESHUTDOWN);
}

static void info_describes_rpcs(void)
{
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(ktap_family);
	struct homa_sendmsg_args args = { .completion_cookie = 0x5555 };
	struct homa_rpc_info rpcs[3];
	struct homa_info info = {
		.rpc_info = (uintptr_t)rpcs, .rpc_info_length = sizeof(rpcs),
	};
	struct hmsg m;

	memset(rpcs, 0xee, sizeof(rpcs));
	ASSERT_RC(hsock_sendmsg(&hs, &to, env.buf, 5000, &args, 0), 0);
	ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 5000);
	EXPECT_RC(hsock_info(&hs, &info), 0);
	EXPECT_EQ(info.port, hsock_port(&hs));
	EXPECT_EQ(info.num_rpcs, 1);
	EXPECT_EQ(info.bpool_avail_bytes, 16 << 20);
	EXPECT_EQ(rpcs[0].id, args.id);
	EXPECT(!memcmp(&rpcs[0].peer, &to, haddr_len(&to)), "wrong peer");
	EXPECT_EQ(rpcs[0].completion_cookie, 0x5555);
	EXPECT_EQ(rpcs[0].tx_length, 5000);
	EXPECT_EQ(rpcs[0].tx_sent, 5000);
	EXPECT_EQ(rpcs[0].tx_granted, 5000);
	EXPECT_EQ(rpcs[0].rx_length, -1);
	EXPECT_EQ(((uint8_t *)&rpcs[0])[182], 0);
	EXPECT_EQ(((uint8_t *)&rpcs[1])[0], 0xee);
	EXPECT_RC(hsock_info(&server, &info), 0);
	EXPECT_EQ(info.num_rpcs, 1);
	EXPECT_EQ(rpcs[0].id, args.id ^ 1);
	EXPECT_EQ(rpcs[0].completion_cookie, 0);
	EXPECT_EQ(rpcs[0].tx_length, -1);
	EXPECT_EQ(rpcs[0].rx_length, 5000);
	EXPECT_EQ(rpcs[0].rx_remaining, 0);
	EXPECT_EQ(rpcs[0].rx_gaps, 0);
}

static void info_array_is_cut_to_whole_entries(void)
{
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(ktap_family);
	struct homa_rpc_info rpcs[3];
	struct homa_info info = { .rpc_info = (uintptr_t)rpcs };
	uint64_t id[3];

	(void)server;
	for (int i = 0; i < 3; i++)
		ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id[i]), 0);
	memset(rpcs, 0, sizeof(rpcs));
	info.rpc_info_length = 2 * sizeof(rpcs[0]) + 100;
	EXPECT_RC(hsock_info(&hs, &info), 0);
	EXPECT_EQ(info.num_rpcs, 3);
	EXPECT_EQ(rpcs[0].id, id[0]);
	EXPECT_EQ(rpcs[1].id, id[1]);
	EXPECT_EQ(rpcs[2].id, 0);
	info.rpc_info_length = 100;
	EXPECT_RC(hsock_info(&hs, &info), 0);
	EXPECT_EQ(info.num_rpcs, 3);
}

static void info_gives_the_reason_of_the_last_failure(void)
{
	struct hsock hs = hsock_open(env.ns, ktap_family);
	struct homa_sendmsg_args args = { .reserved = 1 };
	union haddr to = local(ktap_family);
	struct homa_info info = { 0 };
	struct hmsg m;

	EXPECT_RC(hsock_info(&hs, &info), 0);
	EXPECT_EQ(info.error_msg[0], 0);
	EXPECT_RC(hsock_recv(&hs, &m, 0, MSG_DONTWAIT), -EAGAIN);
	EXPECT_RC(hsock_info(&hs, &info), 0);
	EXPECT_EQ(info.error_msg[0], 0);
	EXPECT_RC(hsock_sendmsg(&hs, &to, "x", 1, &args, 0), -EINVAL);
	EXPECT_RC(hsock_info(&hs, &info), 0);
	EXPECT(info.error_msg[0], "no reason");
	EXPECT(memchr(info.error_msg, 0, HOMA_ERROR_MSG_SIZE), "no end");
}

static void freeze_needs_net_admin(void)
{
	struct hsock hs = hsock_bare(env.ns, ktap_family);

	EXPECT_RC(ioctl(hs.fd, HOMAIOCFREEZE) ? -errno : 0, 0);
	ASSERT_EQ(setresuid(65534, 65534, 65534), 0);
	EXPECT_RC(ioctl(hs.fd, HOMAIOCFREEZE) ? -errno : 0, -EPERM);
}

static void unknown_commands(void)
{
	struct hsock hs = hsock_bare(env.ns, ktap_family);

	for (int nr = 0; nr < 256; nr++) {
		if (nr >= 0x90 && nr <= 0x92)
			continue;
		if (!EXPECT(ioctl(hs.fd, _IO('h', nr)) && errno == EINVAL,
			    "command %x: errno %d", nr, errno))
			return;
	}
}

/* Same ports, same RPC ids at first: neither host sees the other's messages. */
static void hosts_are_isolated(void)
{
	int ns[2] = { ns_new(), ns_new() };
	union haddr to = local(ktap_family);
	struct counters before[2];
	struct hsock server[2], client[2];
	struct hmsg m;
	uint64_t id;

	for (int i = 0; i < 2; i++) {
		server[i] = hsock_server(ns[i], ktap_family, PORT);
		client[i] = hsock_open(ns[i], ktap_family);
		counters_read(ns[i], &before[i]);
	}
	ASSERT_RC(hsock_request(&client[0], &to, "x", 1, &id), 0);
	EXPECT_RC(hsock_recv_within(&server[0], &m, 0, 1000), 1);
	EXPECT_RC(hsock_recv(&server[1], &m, 0, MSG_DONTWAIT), -EAGAIN);
	EXPECT_EQ(counters_grew(ns[0], &before[0], "requests_received"), 1);
	EXPECT_EQ(counters_grew(ns[1], &before[1], "requests_received"), 0);
	EXPECT_EQ(counters_grew(ns[1], &before[1], "packets_rcvd_DATA"), 0);
	EXPECT_RC(ns_sysctl(ns[0], "unsched_bytes", "1234"), 0);
	EXPECT_EQ(ns_try(ns[0], "test $(cat /proc/sys/net/homa/unsched_bytes) "
			 "= 1234"), 0);
	EXPECT_EQ(ns_try(ns[1], "test $(cat /proc/sys/net/homa/unsched_bytes) "
			 "= 40000"), 0);
}

/* A namespace goes while its sockets hold RPCs of every kind. */
static void namespace_goes_with_live_rpcs(void)
{
	for (int i = 0; i < 20; i++) {
		int ns = ns_new();
		struct hsock server = hsock_server(ns, ktap_family, PORT);
		struct hsock hs = hsock_open(ns, ktap_family);
		union haddr to = local(ktap_family);
		struct hmsg m;
		uint64_t id;

		for (int j = 0; j < 5; j++)
			ASSERT_RC(hsock_request(&hs, &to, env.buf,
						1 + j * 40000, &id), 0);
		hsock_recv_within(&server, &m, 0, 100);
		close(ns);
		hsock_close(i & 1 ? &hs : &server);
		hsock_close(i & 1 ? &server : &hs);
	}
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_EACH(abort_errors_in_order),
		KTAP_EACH(abort_spares_server_rpcs),
		KTAP_EACH(abort_one_or_all),
		KTAP_EACH(abort_with_a_huge_error),
		KTAP_EACH(info_errors),
		KTAP_EACH(info_describes_rpcs),
		KTAP_EACH(info_array_is_cut_to_whole_entries),
		KTAP_EACH(info_gives_the_reason_of_the_last_failure),
		KTAP_EACH(freeze_needs_net_admin),
		KTAP_EACH(unknown_commands),
		KTAP_EACH(hosts_are_isolated),
		KTAP_EACH(namespace_goes_with_live_rpcs),
	};

	env.ns = ns_new();
	env.buf = calloc(1, HOMA_MAX_MESSAGE_LENGTH);
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
