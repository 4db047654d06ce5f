// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* sendmsg: each errno of requests and replies, alone and with all later ones.
 *
 * desc: sendmsg: every errno, in order
 * lab: --no-topology
 * flavor: fast@quick debug
 */

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "counters.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define BAD_PTR ((void *)8)
#define PORT 99

static struct {
	int ns;		/* has lo only */
	char *buf;	/* HOMA_MAX_MESSAGE_LENGTH + 1 bytes */
	char *rdonly;	/* a page that cannot be written */
} env;

/* Faults of a request, in the order in which they must be noticed. */
enum {
	NO_NAME = 1,
	CONTROL_LEN = 2,
	BAD_ARGS = 4,
	BAD_FLAGS = 8,
	NO_WMEM = 0x10,
	BAD_FAMILY = 0x20,
	SHORT_NAME = 0x40,
	NO_ROUTE = 0x80,
	IS_SHUT = 0x100,
	BAD_LENGTH = 0x200,
	BAD_IOV = 0x400,
	ARGS_RDONLY = 0x800,
	FAULTS = 0x1000,
};

static union haddr local(int family, int port)
{
	return haddr_of(family, family == AF_INET ? "127.0.0.1" : "::1", port);
}

/* An address that no route of env.ns leads to. */
static union haddr far_away(int family)
{
	return haddr_of(family, family == AF_INET ? "192.0.2.1" :
			"2001:db8::1", PORT);
}

/* Makes the socket hold more tx memory than it may. */
static void fill_wmem(struct hsock *hs)
{
	union haddr to = local(hs->family, PORT);
	int small = 4608;
	uint64_t id;

	ASSERT_EQ(setsockopt(hs->fd, SOL_SOCKET, SO_SNDBUF, &small,
			     sizeof(small)), 0);
	ASSERT_RC(hsock_request(hs, &to, env.buf, 500000, &id), 0);
}

/* msg_control for a call with @faults; holds valid arguments where it can. */
static void *make_control(struct homa_sendmsg_args *args, int faults)
{
	if (faults & BAD_ARGS)
		return faults & CONTROL_LEN ? args : BAD_PTR;
	if (faults & ARGS_RDONLY && !(faults & BAD_FLAGS))
		return env.rdonly;
	return args;
}

static int send_with_faults(int family, const struct hsock *hs, int faults)
{
	union haddr to = faults & NO_ROUTE ? far_away(family) :
					     local(family, PORT);
	struct iovec iov = {
		.iov_base = faults & BAD_IOV ? BAD_PTR : env.buf,
		.iov_len = faults & BAD_LENGTH ? HOMA_MAX_MESSAGE_LENGTH + 1 :
						 100,
	};
	struct homa_sendmsg_args args = {
		.flags = faults & BAD_FLAGS ? 2 : 0,
	};
	struct msghdr mh = {
		.msg_name = faults & NO_NAME ? NULL : &to,
		.msg_namelen = haddr_len(&to) - (faults & SHORT_NAME ? 1 : 0),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = make_control(&args, faults),
		.msg_controllen = faults & CONTROL_LEN ? sizeof(args) : 0,
	};
	int flags = faults & NO_WMEM ? MSG_DONTWAIT : 0;

	if (faults & BAD_FAMILY)
		to.sa.sa_family = family == AF_INET ? AF_INET6 : AF_INET;
	return sendmsg(hs->fd, &mh, flags) < 0 ? -errno : 0;
}

static int request_with_faults(int family, int faults)
{
	struct hsock sink = hsock_server(env.ns, family, PORT);
	struct hsock hs = hsock_open(env.ns, family);
	int before, rc;

	if (faults & NO_WMEM)
		fill_wmem(&hs);
	if (faults & IS_SHUT && !(faults & NO_WMEM))
		shutdown(hs.fd, SHUT_RDWR);
	before = hsock_num_rpcs(&hs);
	rc = send_with_faults(family, &hs, faults);
	if (rc)
		EXPECT_EQ(hsock_num_rpcs(&hs), before);
	hsock_close(&hs);
	hsock_close(&sink);
	return rc;
}

static void request_errors_in_order(void)
{
	static const struct {
		int fault;
		int err;
	} rows[] = {
		{ NO_NAME, EINVAL },
		{ CONTROL_LEN, EINVAL },
		{ BAD_ARGS, EFAULT },
		{ BAD_FLAGS, EINVAL },
		{ NO_WMEM, EAGAIN },
		{ BAD_FAMILY, EAFNOSUPPORT },
		{ SHORT_NAME, EINVAL },
		{ NO_ROUTE, ENETUNREACH },
		{ IS_SHUT, ESHUTDOWN },
		{ BAD_LENGTH, EINVAL },
		{ BAD_IOV, EFAULT },
		{ ARGS_RDONLY, EFAULT },
	};

	for (int f = 0; f < 2; f++) {
		int family = f ? AF_INET6 : AF_INET, later;

		EXPECT_RC(request_with_faults(family, 0), 0);
		for (int i = 0; i < ARRAY_LEN(rows); i++) {
			later = (FAULTS - 1) & ~(rows[i].fault - 1);
			ktap_label("family %d row %d", family, i + 1);
			EXPECT_RC(request_with_faults(family, rows[i].fault),
				  -rows[i].err);
			EXPECT_RC(request_with_faults(family, later),
				  -rows[i].err);
		}
	}
}

static void request_reasons_in_order(void)
{
	static const int rows[] = {
		NO_NAME, CONTROL_LEN, BAD_ARGS, BAD_FLAGS, BAD_FAMILY,
		SHORT_NAME, BAD_LENGTH,
	};

	for (int i = 0; i < ARRAY_LEN(rows); i++) {
		int later = (FAULTS - 1) & ~(rows[i] - 1) & ~NO_WMEM & ~NO_ROUTE;
		struct hsock hs = hsock_open(env.ns, ktap_family);
		struct homa_info alone = { 0 }, all = { 0 };

		later &= ~IS_SHUT;
		ktap_label("fault %x", rows[i]);
		send_with_faults(ktap_family, &hs, rows[i]);
		EXPECT_RC(hsock_info(&hs, &alone), 0);
		EXPECT(alone.error_msg[0], "no reason given");
		send_with_faults(ktap_family, &hs, later);
		EXPECT_RC(hsock_info(&hs, &all), 0);
		EXPECT(!strcmp(alone.error_msg, all.error_msg),
		       "reason \"%s\" became \"%s\"", alone.error_msg,
		       all.error_msg);
		hsock_close(&hs);
	}
}

static void request_flags_and_reserved(void)
{
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(ktap_family, PORT);

	for (int bit = 0; bit < 64; bit++) {
		struct homa_sendmsg_args args = {
			.flags = bit < 32 ? 1u << bit : 0,
			.reserved = bit < 32 ? 0 : 1u << (bit - 32),
		};

		ktap_label("bit %d", bit);
		EXPECT_RC(hsock_sendmsg(&hs, &to, "x", 1, &args, 0),
			  bit ? -EINVAL : 0);
	}
}

static void request_name_lengths(void)
{
	struct hsock v4 = hsock_open(env.ns, AF_INET);
	struct hsock v6 = hsock_open(env.ns, AF_INET6);

	for (int len = 0; len <= 128; len++) {
		struct homa_sendmsg_args args = { 0 };
		union haddr to4 = local(AF_INET, PORT);
		union haddr to6 = local(AF_INET6, PORT);
		struct iovec iov = { "x", 1 };
		struct msghdr mh = {
			.msg_name = &to4, .msg_namelen = len, .msg_iov = &iov,
			.msg_iovlen = 1, .msg_control = &args,
		};
		int rc = sendmsg(v4.fd, &mh, 0) < 0 ? -errno : 0;

		ktap_label("length %d", len);
		if (len >= 2)
			EXPECT_RC(rc, len < 16 ? -EINVAL : 0);
		else
			EXPECT(rc == -EINVAL || rc == -EAFNOSUPPORT,
			       "got %d", rc);
		mh.msg_name = &to6;
		args.id = 0;
		rc = sendmsg(v6.fd, &mh, 0) < 0 ? -errno : 0;
		if (len >= 2)
			EXPECT_RC(rc, len < 28 ? -EINVAL : 0);
	}
}

static void request_sizes(void)
{
	static const struct {
		size_t len;
		int err;
	} rows[] = {
		{ 0, EINVAL }, { 1, 0 }, { 1000000, 0 }, { 1000001, EINVAL },
	};
	struct echoer e;
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(ktap_family, PORT);
	uint64_t id;

	echoer_start(&e, env.ns, ktap_family, PORT);
	for (int i = 0; i < ARRAY_LEN(rows); i++) {
		ktap_label("%zu bytes", rows[i].len);
		if (rows[i].err)
			EXPECT_RC(hsock_request(&hs, &to, env.buf, rows[i].len,
						&id), -rows[i].err);
		else
			EXPECT_RC(round_trip(&hs, &to, rows[i].len, i, 5000),
				  0);
	}
	echoer_stop(&e);
}

static void request_over_an_iov_of_2_gigabytes(void)
{
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(ktap_family, PORT);
	struct homa_sendmsg_args args = { 0 };
	struct iovec iov[3] = {
		{ env.buf, 1UL << 30 }, { env.buf, 1UL << 30 },
		{ env.buf, 1UL << 30 },
	};
	struct msghdr mh = {
		.msg_name = &to, .msg_namelen = haddr_len(&to), .msg_iov = iov,
		.msg_iovlen = 3, .msg_control = &args,
	};

	EXPECT_RC(sendmsg(hs.fd, &mh, 0) < 0 ? -errno : 0, -EINVAL);
	mh.msg_iovlen = 0;
	EXPECT_RC(sendmsg(hs.fd, &mh, 0) < 0 ? -errno : 0, -EINVAL);
}

static void request_mtu_too_small(void)
{
	/* Below 1280 bytes a device loses IPv6, for good. */
	static const struct {
		int family;
		int mtu;
		int err;
	} rows[] = {
		{ AF_INET6, 1280, 0 }, { AF_INET6, 1279, ENETUNREACH },
		{ AF_INET, 68, EINVAL }, { AF_INET, 76, EINVAL },
		{ AF_INET, 77, 0 },
	};
	int ns = ns_new(), peer = ns_new();
	struct hsock hs;
	union haddr to;
	uint64_t id;

	ns_join(ns, peer, 1500);
	for (int i = 0; i < ARRAY_LEN(rows); i++) {
		hs = hsock_open(ns, rows[i].family);
		to = haddr_of(rows[i].family, rows[i].family == AF_INET ?
			      "10.9.0.2" : "fd09::2", PORT);
		ns_run(ns, "ip link set v0 mtu %d", rows[i].mtu);
		ktap_label("mtu %d", rows[i].mtu);
		EXPECT_RC(hsock_request(&hs, &to, env.buf, 10, &id),
			  -rows[i].err);
		hsock_close(&hs);
	}
}

static void request_ids_are_even_and_grow_by_2(void)
{
	int ns[2] = { ns_new(), ns_new() };
	struct hsock a[2], b[2];
	union haddr to = local(ktap_family, PORT);
	uint64_t id, last[2] = { 0 };

	for (int i = 0; i < 2; i++) {
		a[i] = hsock_open(ns[i], ktap_family);
		b[i] = hsock_open(ns[i], ktap_family);
	}
	for (int i = 0; i < 10; i++) {
		for (int n = 0; n < 2; n++) {
			ASSERT_RC(hsock_request(i & 1 ? &a[n] : &b[n], &to,
						"x", 1, &id), 0);
			EXPECT_EQ(id & 1, 0);
			EXPECT(id, "id is 0");
			if (i)
				EXPECT_EQ(id - last[n], 2);
			last[n] = id;
		}
	}
	EXPECT(last[0] != last[1], "two namespaces use the same ids");
}

/* A response needs one, and comes once there is one. */
static void request_before_there_is_a_region(void)
{
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_bare(env.ns, ktap_family);
	union haddr to = local(ktap_family, PORT);
	struct counters before;
	struct hmsg m, resp;
	uint64_t id;

	counters_read(env.ns, &before);
	ASSERT_RC(hsock_request(&hs, &to, "x", 1, &id), 0);
	ASSERT_RC(hsock_recv_within(&server, &m, 0, 2000), 1);
	EXPECT(WAIT_FOR(counters_grew(env.ns, &before, "packets_sent_RESEND") > 0,
			2000), "nothing was asked for");
	ASSERT_RC(hsock_reply(&server, &m.from, m.args.id, "yes", 3), 0);
	EXPECT(WAIT_FOR(counters_grew(env.ns, &before, "packets_sent_RESEND") > 1,
			2000), "nothing was asked for again");
	ASSERT_RC(hsock_set_region(&hs, 16 << 20), 0);
	ASSERT_RC(hsock_recv_within(&hs, &resp, 0, 2000), 3);
	EXPECT_EQ(resp.args.id, id);
}

static void request_writes_back_only_the_id(void)
{
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(ktap_family, PORT);
	struct homa_sendmsg_args args = {
		.completion_cookie = 0x1122334455667788,
		.flags = HOMA_SENDMSG_PRIVATE,
	};

	EXPECT_RC(hsock_sendmsg(&hs, &to, "x", 1, &args, 0), 0);
	EXPECT(args.id, "no id");
	EXPECT_EQ(args.completion_cookie, 0x1122334455667788);
	EXPECT_EQ(args.flags, HOMA_SENDMSG_PRIVATE);
	EXPECT_EQ(args.reserved, 0);
}

static void request_gathers_its_pieces(void)
{
	static const int sizes[] = { 1, 0, 7, 1400, 65536, 3, 40000, 12345 };
	struct hsock hs = hsock_open(env.ns, ktap_family);
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	union haddr to = local(ktap_family, PORT);
	struct homa_sendmsg_args args = { 0 };
	struct iovec iov[ARRAY_LEN(sizes)];
	struct msghdr mh = {
		.msg_name = &to, .msg_namelen = haddr_len(&to), .msg_iov = iov,
		.msg_iovlen = ARRAY_LEN(sizes), .msg_control = &args,
	};
	size_t total = 0;
	struct hmsg m;

	payload_fill(env.buf, HOMA_MAX_MESSAGE_LENGTH, 5);
	for (int i = 0; i < ARRAY_LEN(sizes); i++) {
		iov[i].iov_base = malloc(sizes[i] + 1);
		memcpy(iov[i].iov_base, env.buf + total, sizes[i]);
		iov[i].iov_len = sizes[i];
		total += sizes[i];
	}
	ASSERT_EQ(sendmsg(hs.fd, &mh, 0), 0);
	EXPECT_RC(hsock_recv_within(&server, &m, 0, 3000), total);
	EXPECT(payload_ok(&server, &m, 5), "wrong bytes");
}

/* Faults of a reply, in the order in which they must be noticed. */
enum {
	R_FAMILY = 1,
	R_SHORT = 2,
	R_COOKIE = 4,
	R_UNKNOWN = 8,
	R_STATE = 16,
	R_LENGTH = 32,
	R_IOV = 64,
	R_FAULTS = 128,
};

static int reply_call(const struct hsock *server, const struct hmsg *m,
		      int faults)
{
	union haddr to = m->from;
	struct homa_sendmsg_args args = {
		.id = m->args.id + (faults & R_UNKNOWN ? 1000000 : 0),
		.completion_cookie = faults & R_COOKIE ? 1 : 0,
	};
	struct iovec iov = {
		.iov_base = faults & R_IOV ? BAD_PTR : env.buf,
		.iov_len = faults & R_LENGTH ? HOMA_MAX_MESSAGE_LENGTH + 1 : 10,
	};
	struct msghdr mh = {
		.msg_name = &to,
		.msg_namelen = haddr_len(&to) - (faults & R_SHORT ? 1 : 0),
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &args,
	};

	if (faults & R_FAMILY)
		to.sa.sa_family = to.sa.sa_family == AF_INET ? AF_INET6 :
							       AF_INET;
	return sendmsg(server->fd, &mh, 0) < 0 ? -errno : 0;
}

static int reply_with_faults(int family, int faults)
{
	struct hsock server = hsock_server(env.ns, family, PORT);
	struct hsock hs = hsock_open(env.ns, family);
	union haddr to = local(family, PORT);
	struct hmsg m, resp;
	uint64_t id;
	int rc;

	ASSERT_RC(hsock_request(&hs, &to, env.buf, 50, &id), 0);
	ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 50);
	ASSERT_EQ(m.args.id, id ^ 1);
	if (faults & R_STATE)
		ASSERT_RC(hsock_reply(&server, &m.from, m.args.id, "yes", 3),
			  0);
	rc = reply_call(&server, &m, faults);
	if (!(faults & R_STATE) && (faults & (R_FAMILY | R_SHORT | R_COOKIE |
					      R_UNKNOWN)))
		EXPECT_RC(hsock_reply(&server, &m.from, m.args.id, "yes", 3),
			  0);
	if (faults & ~(R_LENGTH | R_IOV))
		EXPECT_RC(hsock_recv_within(&hs, &resp, 0, 1000), 3);
	else if (faults)
		EXPECT_EQ(hsock_num_rpcs(&server), 0);
	hsock_close(&hs);
	hsock_close(&server);
	return rc;
}

static void reply_errors_in_order(void)
{
	static const struct {
		int fault;
		int err;
	} rows[] = {
		{ R_FAMILY, EAFNOSUPPORT },
		{ R_SHORT, EINVAL },
		{ R_COOKIE, EINVAL },
		{ R_UNKNOWN, 0 },
		{ R_STATE, EINVAL },
		{ R_LENGTH, EINVAL },
		{ R_IOV, EFAULT },
	};

	for (int f = 0; f < 2; f++) {
		int family = f ? AF_INET6 : AF_INET, later;

		EXPECT_RC(reply_with_faults(family, 0), 0);
		for (int i = 0; i < ARRAY_LEN(rows); i++) {
			later = (R_FAULTS - 1) & ~(rows[i].fault - 1);
			ktap_label("family %d row %d", family, i + 1);
			EXPECT_RC(reply_with_faults(family, rows[i].fault),
				  -rows[i].err);
			EXPECT_RC(reply_with_faults(family, later),
				  -rows[i].err);
		}
	}
}

static void reply_after_shutdown_is_discarded(void)
{
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(ktap_family, PORT);
	struct hmsg m;
	uint64_t id;

	ASSERT_RC(hsock_request(&hs, &to, env.buf, 50, &id), 0);
	ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 50);
	shutdown(server.fd, SHUT_RDWR);
	EXPECT_RC(hsock_reply(&server, &m.from, m.args.id, "yes", 3), 0);
}

static void reply_ignores_port_and_private_flag(void)
{
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(ktap_family, PORT);
	struct homa_sendmsg_args args = { 0 };
	struct hmsg m, resp;
	uint64_t id;

	ASSERT_RC(hsock_request(&hs, &to, env.buf, 50, &id), 0);
	ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 50);
	m.from.in4.sin_port = htons(4321);
	args.id = m.args.id;
	args.flags = HOMA_SENDMSG_PRIVATE;
	EXPECT_RC(hsock_sendmsg(&server, &m.from, "yes", 3, &args, 0), 0);
	EXPECT_RC(hsock_recv_within(&hs, &resp, 0, 1000), 3);
	EXPECT_EQ(resp.args.id, id);
}

static void reply_by_the_wrong_address_goes_nowhere(void)
{
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(ktap_family, PORT), other;
	struct hmsg m, resp;
	uint64_t id;

	ASSERT_RC(hsock_request(&hs, &to, env.buf, 50, &id), 0);
	ASSERT_RC(hsock_recv_within(&server, &m, 0, 1000), 50);
	other = haddr_of(ktap_family, ktap_family == AF_INET ? "127.0.0.5" :
			 "fd00::5", haddr_port(&m.from));
	EXPECT_RC(hsock_reply(&server, &other, m.args.id, "no", 2), 0);
	EXPECT_RC(hsock_reply(&server, &m.from, m.args.id ^ 1, "no", 2), 0);
	EXPECT_RC(hsock_reply(&server, &m.from, m.args.id, "yes", 3), 0);
	EXPECT_RC(hsock_recv_within(&hs, &resp, 0, 1000), 3);
}

static void wmem_nonblocking_and_timeout(void)
{
	struct hsock sink = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	union haddr to = local(ktap_family, PORT);
	struct homa_sendmsg_args args = { 0 };
	struct timeval tv = { 0, 50000 };
	int64_t start;

	(void)sink;
	fill_wmem(&hs);
	EXPECT_RC(hsock_sendmsg(&hs, &to, "x", 1, &args, MSG_DONTWAIT),
		  -EAGAIN);
	setsockopt(hs.fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	start = now_ms();
	EXPECT_RC(hsock_sendmsg(&hs, &to, "x", 1, &args, 0), -EAGAIN);
	EXPECT_GE(now_ms() - start, 48);
	EXPECT(now_ms() - start < 5000, "waited %lld ms",
	       (long long)(now_ms() - start));
}

struct sender {
	struct hsock *hs;
	int rc;
	int done;
	pthread_t thread;
};

static void *send_blocking(void *arg)
{
	struct sender *s = arg;
	union haddr to = local(s->hs->family, PORT);
	uint64_t id;

	s->rc = hsock_request(s->hs, &to, "x", 1, &id);
	__atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void sender_start(struct sender *s, struct hsock *hs)
{
	*s = (struct sender){ .hs = hs };
	pthread_create(&s->thread, NULL, send_blocking, s);
	sleep_ms(20);
	EXPECT(!__atomic_load_n(&s->done, __ATOMIC_ACQUIRE),
	       "send did not block: %d", s->rc);
}

static void on_signal(int sig)
{
	(void)sig;
}

static void wmem_wait_ends_by_signal(void)
{
	struct sigaction sa = { .sa_handler = on_signal,
				.sa_flags = SA_RESTART };
	struct hsock sink = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	struct sender s;

	(void)sink;
	sigaction(SIGUSR1, &sa, NULL);
	fill_wmem(&hs);
	sender_start(&s, &hs);
	pthread_kill(s.thread, SIGUSR1);
	pthread_join(s.thread, NULL);
	EXPECT_RC(s.rc, -EINTR);
}

static void wmem_wait_ends_by_shutdown(void)
{
	struct hsock sink = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	struct sender s;

	(void)sink;
	fill_wmem(&hs);
	sender_start(&s, &hs);
	shutdown(hs.fd, SHUT_RDWR);
	pthread_join(s.thread, NULL);
	EXPECT_RC(s.rc, -ESHUTDOWN);
}

static void wmem_wait_ends_when_memory_is_freed(void)
{
	struct hsock server = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	struct hmsg m, resp;
	struct sender s;

	fill_wmem(&hs);
	sender_start(&s, &hs);
	ASSERT_RC(hsock_recv_within(&server, &m, 0, 2000), 500000);
	ASSERT_RC(hsock_reply(&server, &m.from, m.args.id, "yes", 3), 0);
	ASSERT_RC(hsock_recv_within(&hs, &resp, 0, 2000), 3);
	pthread_join(s.thread, NULL);
	EXPECT_RC(s.rc, 0);
}

static void wmem_wait_ends_by_abort(void)
{
	struct hsock sink = hsock_server(env.ns, ktap_family, PORT);
	struct hsock hs = hsock_open(env.ns, ktap_family);
	struct sender s;

	(void)sink;
	fill_wmem(&hs);
	sender_start(&s, &hs);
	EXPECT_RC(hsock_abort(&hs, 0, 0), 0);
	pthread_join(s.thread, NULL);
	EXPECT_RC(s.rc, 0);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(request_errors_in_order),
		KTAP_EACH(request_reasons_in_order),
		KTAP_EACH(request_flags_and_reserved),
		KTAP_CASE(request_name_lengths),
		KTAP_EACH(request_sizes),
		KTAP_EACH(request_over_an_iov_of_2_gigabytes),
		KTAP_CASE(request_mtu_too_small),
		KTAP_EACH(request_ids_are_even_and_grow_by_2),
		KTAP_EACH(request_before_there_is_a_region),
		KTAP_EACH(request_writes_back_only_the_id),
		KTAP_EACH(request_gathers_its_pieces),
		KTAP_CASE(reply_errors_in_order),
		KTAP_EACH(reply_after_shutdown_is_discarded),
		KTAP_EACH(reply_ignores_port_and_private_flag),
		KTAP_EACH(reply_by_the_wrong_address_goes_nowhere),
		KTAP_EACH(wmem_nonblocking_and_timeout),
		KTAP_EACH(wmem_wait_ends_by_signal),
		KTAP_EACH(wmem_wait_ends_by_shutdown),
		KTAP_EACH(wmem_wait_ends_when_memory_is_freed),
		KTAP_EACH(wmem_wait_ends_by_abort),
	};

	env.ns = ns_new();
	env.buf = calloc(1, HOMA_MAX_MESSAGE_LENGTH + 1);
	env.rdonly = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
