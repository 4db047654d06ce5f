// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* A program that knows the interface from its description only: it uses neither
 * homa.h nor libhoma, but numbers and layouts of its own, as a program that was
 * built elsewhere has them.
 *
 * desc: a program built without our headers: calls, waiting, abort, close
 * lab: --no-topology
 * flavor: fast@quick debug smp
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ktap.h"
#include "ns.h"

#define PROTOCOL 146
#define OPT_REGION 10
#define PRIVATE 1
#define CMD_INFO 0xC0886890u
#define CMD_ABORT 0xC0206891u
#define PAGE 65536
#define MAX_LENGTH 1000000
#define REGION (64u << 20)
#define PORT 7000

struct send_args {
	uint64_t id, cookie;
	uint32_t flags, reserved;
};

struct recv_args {
	uint64_t id, cookie;
	uint32_t num_pages, reserved, offsets[16];
};

struct abort_args {
	uint64_t id;
	uint32_t error, zero[5];
};

struct rpc_info {
	uint64_t id;
	char peer[128];
	uint64_t cookie;
	int32_t tx_length;
	uint32_t tx_sent, tx_granted, tx_prio;
	int32_t rx_length;
	uint32_t rx_remaining, rx_gaps, rx_gap_bytes, rx_granted;
	uint16_t flags;
};

struct info {
	uint64_t rpcs, rpcs_size, avail;
	uint32_t port, num_rpcs;
	char why[104];
};

_Static_assert(sizeof(struct send_args) == 24 && sizeof(struct recv_args) == 88 &&
	       sizeof(struct abort_args) == 32 && sizeof(struct rpc_info) == 184 &&
	       sizeof(struct info) == 136, "layouts");

/**
 * struct end - a socket, and a message that it has received
 * @fd: socket
 * @region: where messages are placed
 * @peer: address of the last message's sender
 * @args: what the last recvmsg left; its pages go back with the next one
 */
struct end {
	int fd;
	char *region;
	struct sockaddr_storage peer;
	struct recv_args args;
};

static struct {
	int ns;
	char *out;	/* to send, MAX_LENGTH bytes */
	char *in;	/* received, the same */
} env;

static socklen_t addr_len(void)
{
	return ktap_family == AF_INET ? 16 : 28;
}

static struct sockaddr_storage loopback(int port)
{
	struct sockaddr_storage addr = { .ss_family = ktap_family };

	if (ktap_family == AF_INET) {
		((struct sockaddr_in *)&addr)->sin_addr.s_addr =
			htonl(INADDR_LOOPBACK);
		((struct sockaddr_in *)&addr)->sin_port = htons(port);
	} else {
		((struct sockaddr_in6 *)&addr)->sin6_addr = in6addr_loopback;
		((struct sockaddr_in6 *)&addr)->sin6_port = htons(port);
	}
	return addr;
}

static struct end end_sized(size_t size)
{
	struct end e = { .fd = socket(ktap_family, SOCK_DGRAM, PROTOCOL) };
	uint64_t region[2] = { 0, size };

	ASSERT(e.fd >= 0, "socket: %s", strerror(errno));
	e.region = mmap(NULL, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	region[0] = (uintptr_t)e.region;
	ASSERT_RC(setsockopt(e.fd, PROTOCOL, OPT_REGION, region, 16) ?
		  -errno : 0, 0);
	return e;
}

static struct end end_open(void)
{
	return end_sized(REGION);
}

static void end_bind(struct end *e)
{
	struct sockaddr_storage addr = { .ss_family = ktap_family };

	((struct sockaddr_in *)&addr)->sin_port = htons(PORT);	/* in both */
	ASSERT_RC(bind(e->fd, (struct sockaddr *)&addr, addr_len()) ? -errno : 0,
		  0);
}

static struct end end_serve(void)
{
	struct end e = end_open();

	end_bind(&e);
	return e;
}

static int message_send(struct end *e, struct sockaddr_storage *to, const void *data,
			size_t length, struct send_args *args, int flags)
{
	struct iovec iov = { (void *)data, length };
	struct msghdr mh = {
		.msg_name = to, .msg_namelen = addr_len(),
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = args,
	};

	return sendmsg(e->fd, &mh, flags) < 0 ? -errno : 0;
}

static int request(struct end *e, size_t length, uint32_t flags, uint64_t *id)
{
	struct sockaddr_storage to = loopback(PORT);
	struct send_args args = { .cookie = length, .flags = flags };
	int rc = message_send(e, &to, env.out, length, &args, 0);

	*id = args.id;
	return rc;
}

static int reply(struct end *e, const void *data, size_t length)
{
	struct send_args args = { .id = e->args.id };

	return message_send(e, &e->peer, data, length, &args, 0);
}

static ssize_t receive(struct end *e, uint64_t id, int flags)
{
	struct msghdr mh = {
		.msg_name = &e->peer, .msg_namelen = sizeof(e->peer),
		.msg_control = &e->args, .msg_controllen = sizeof(e->args),
	};
	ssize_t rc;

	e->args.id = id;
	rc = recvmsg(e->fd, &mh, flags);
	return rc < 0 ? -errno : rc;
}

/* Copies the last message out of the region. */
static void gather(const struct end *e, size_t length, char *data)
{
	for (size_t at = 0; at < length; at += PAGE)
		memcpy(data + at, e->region + e->args.offsets[at / PAGE],
		       length - at < PAGE ? length - at : PAGE);
}

static void fill(uint32_t seed)
{
	for (size_t i = 0; i < MAX_LENGTH; i++)
		env.out[i] = seed = seed * 1664525 + 1013904223;
}

static void ping_pong(void)
{
	static const size_t lengths[] = {
		1, 2, 99, 1400, 1401, 10000, 39999, 40001, 65536, 65537, 100000,
		500000, 999999, MAX_LENGTH,
	};
	struct end client = end_open(), server = end_serve();
	uint64_t id;

	for (int i = 0; i < ARRAY_LEN(lengths); i++) {
		size_t n = lengths[i];

		ktap_label("%zu bytes", n);
		fill(i);
		ASSERT_RC(request(&client, n, 0, &id), 0);
		ASSERT_RC(receive(&server, 0, 0), n);
		EXPECT_EQ(server.args.id, id ^ 1);
		EXPECT_EQ(server.args.cookie, 0);
		EXPECT_EQ(server.args.num_pages, (n + PAGE - 1) / PAGE);
		gather(&server, n, env.in);
		EXPECT(!memcmp(env.in, env.out, n), "wrong request");
		ASSERT_RC(reply(&server, env.in, n), 0);
		memset(env.in, 0, n);
		ASSERT_RC(receive(&client, 0, 0), n);
		EXPECT_EQ(client.args.id, id);
		EXPECT_EQ(client.args.cookie, n);
		gather(&client, n, env.in);
		EXPECT(!memcmp(env.in, env.out, n), "wrong response");
	}
}

static void private_ones_in_reverse(void)
{
	enum { NUM = 100 };
	struct end client = end_open(), server = end_serve();
	uint64_t id[NUM];

	fill(7);
	for (int i = 0; i < NUM; i++)
		ASSERT_RC(request(&client, 100 + i, PRIVATE, &id[i]), 0);
	for (int i = 0; i < NUM; i++) {
		ssize_t n = receive(&server, 0, 0);

		ASSERT(n >= 100, "request: %zd", n);
		ASSERT_RC(reply(&server, env.out, 10 * n), 0);
	}
	EXPECT_RC(receive(&client, 0, MSG_DONTWAIT), -EAGAIN);
	for (int i = NUM - 1; i >= 0; i--) {
		ASSERT_RC(receive(&client, id[i], 0), 10 * (100 + i));
		EXPECT_EQ(client.args.id, id[i]);
		EXPECT_EQ(client.args.cookie, 100 + i);
		gather(&client, 1000, env.in);
		EXPECT(!memcmp(env.in, env.out, 1000), "wrong bytes");
	}
}

/* A thread that makes one call. */
struct helper {
	struct end *end;
	uint64_t id;
	ssize_t rc;
	int done;
	pthread_t thread;
};

static void *helper_send(void *arg)
{
	struct helper *h = arg;

	h->rc = request(h->end, 10, 0, &h->id);
	__atomic_store_n(&h->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void *helper_receive(void *arg)
{
	struct helper *h = arg;

	h->rc = receive(h->end, h->id, 0);
	__atomic_store_n(&h->done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static void helper_start(struct helper *h, void *(*run)(void *))
{
	pthread_create(&h->thread, NULL, run, h);
	sleep_ms(30);
	EXPECT(!__atomic_load_n(&h->done, __ATOMIC_ACQUIRE), "did not wait: %zd",
	       h->rc);
}

static void full_socket_waits(void)
{
	struct end client = end_open(), server = end_serve();
	struct pollfd p = { .fd = client.fd, .events = POLLOUT };
	struct helper h = { .end = &client };
	struct sockaddr_storage to = loopback(PORT);
	struct send_args args = { 0 };
	int limit = 10000;
	uint64_t id;

	ASSERT_EQ(setsockopt(client.fd, SOL_SOCKET, SO_SNDBUF, &limit, 4), 0);
	ASSERT_RC(request(&client, 200000, 0, &id), 0);
	EXPECT_EQ(poll(&p, 1, 0), 0);
	EXPECT_RC(message_send(&client, &to, "x", 1, &args, MSG_DONTWAIT),
		  -EAGAIN);
	helper_start(&h, helper_send);
	ASSERT_RC(receive(&server, 0, 0), 200000);
	ASSERT_RC(reply(&server, "ok", 2), 0);
	ASSERT_RC(receive(&client, 0, 0), 2);
	EXPECT_EQ(poll(&p, 1, 5000), 1);
	EXPECT_EQ(p.revents, POLLOUT);
	pthread_join(h.thread, NULL);
	EXPECT_RC(h.rc, 0);
}

static void on_signal(int sig)
{
	(void)sig;
}

static void receive_is_interrupted(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct end client = end_open(), server = end_serve();

	(void)server;
	sigaction(SIGUSR1, &sa, NULL);
	for (int private = 0; private < 2; private++) {
		struct helper h = { .end = &client };

		ktap_label("private %d", private);
		if (private)
			ASSERT_RC(request(&client, 5, PRIVATE, &h.id), 0);
		helper_start(&h, helper_receive);
		pthread_kill(h.thread, SIGUSR1);
		pthread_join(h.thread, NULL);
		EXPECT_RC(h.rc, -EINTR);
		EXPECT_EQ(client.args.id, 0);
	}
	for (int private = 0; private < 2; private++) {
		struct end other = end_open();
		struct helper h = { .end = &other };

		if (private)
			ASSERT_RC(request(&other, 5, PRIVATE, &h.id), 0);
		helper_start(&h, helper_receive);
		shutdown(other.fd, SHUT_RDWR);
		pthread_join(h.thread, NULL);
		EXPECT_RC(h.rc, -ESHUTDOWN);
	}
}

static int abort_rpc(struct end *e, uint64_t id, uint32_t error)
{
	struct abort_args args = { .id = id, .error = error };

	return ioctl(e->fd, CMD_ABORT, &args) ? -errno : 0;
}

static void aborts(void)
{
	struct end client = end_open(), server = end_serve();
	uint64_t id[3];

	for (int i = 0; i < 3; i++)
		ASSERT_RC(request(&client, 20 + i, 0, &id[i]), 0);
	EXPECT_RC(abort_rpc(&client, id[0], 0), 0);
	EXPECT_RC(receive(&client, 0, MSG_DONTWAIT), -EAGAIN);
	EXPECT_RC(abort_rpc(&client, id[0], 0), -EINVAL);
	EXPECT_RC(abort_rpc(&client, id[1], ECANCELED), 0);
	EXPECT_RC(receive(&client, 0, 0), -ECANCELED);
	EXPECT_EQ(client.args.id, id[1]);
	EXPECT_EQ(client.args.cookie, 21);
	EXPECT_EQ(client.args.num_pages, 0);
	memset(client.args.offsets, 0, sizeof(client.args.offsets));

	/* The server was not told: it has all three, and one is answered. */
	for (int i = 0; i < 3; i++) {
		EXPECT_RC(receive(&server, 0, 0), 20 + i);
		EXPECT_RC(reply(&server, "ok", 2), 0);
	}
	EXPECT_RC(receive(&client, 0, 0), 2);
	EXPECT_EQ(client.args.id, id[2]);
	ASSERT_RC(request(&client, 30, 0, &id[0]), 0);
	EXPECT_RC(abort_rpc(&client, 0, EIO), 0);
	EXPECT_RC(receive(&client, 0, 0), -EIO);
}

static int info_get(struct end *e, struct info *info, struct rpc_info *rpcs,
		    int count)
{
	*info = (struct info){ .rpcs = (uintptr_t)rpcs,
			       .rpcs_size = count * sizeof(*rpcs) };
	return ioctl(e->fd, CMD_INFO, info) ? -errno : 0;
}

/* The server's region has room for one long message and a half, so that the rest
 * of the second one waits.
 */
static void info_tells_of_a_transfer(void)
{
	size_t least = 2000000 + PAGE * sysconf(_SC_NPROCESSORS_CONF);
	struct end client = end_open(), server = end_sized(least);
	struct rpc_info rpcs[8];
	struct info info;
	uint64_t id[8];
	int num = least / MAX_LENGTH + 1;

	ASSERT(num <= 8, "too many CPUs");
	end_bind(&server);
	for (int i = 0; i < num; i++)
		ASSERT_RC(request(&client, MAX_LENGTH, 0, &id[i]), 0);
	EXPECT(WAIT_FOR(!info_get(&server, &info, rpcs, 8) &&
			(int)info.num_rpcs == num && rpcs[0].rx_remaining == 0 &&
			rpcs[num - 1].flags & 1, 5000), "it does not stall");
	EXPECT_EQ(info.port, PORT);
	EXPECT_EQ(rpcs[0].id, id[0] ^ 1);
	EXPECT_EQ(rpcs[0].cookie, 0);
	EXPECT_EQ(rpcs[0].tx_length, -1);
	EXPECT_EQ(rpcs[0].rx_length, MAX_LENGTH);
	EXPECT_EQ(rpcs[0].rx_gaps, 0);
	EXPECT_EQ(rpcs[num - 1].rx_length, MAX_LENGTH);
	EXPECT_GE(rpcs[num - 1].rx_remaining, 1);
	ASSERT_RC(info_get(&client, &info, rpcs, 8), 0);
	EXPECT_GE(info.port, 0x8000);
	EXPECT_EQ(info.avail, REGION);
	EXPECT_EQ(info.num_rpcs, num);
	for (int i = 0; i < num; i++) {
		EXPECT_EQ(rpcs[i].id, id[i]);
		EXPECT_EQ(rpcs[i].cookie, MAX_LENGTH);
		EXPECT_EQ(rpcs[i].tx_length, MAX_LENGTH);
		EXPECT_EQ(rpcs[i].rx_length, -1);
	}
	EXPECT_EQ(rpcs[0].tx_sent, MAX_LENGTH);
	EXPECT_GE(rpcs[num - 1].tx_sent, 1);
	EXPECT(rpcs[num - 1].tx_sent < MAX_LENGTH, "all was sent");
	for (int i = 0; i < num; i++) {
		ASSERT_RC(receive(&server, 0, 0), MAX_LENGTH);
		ASSERT_RC(reply(&server, "ok", 2), 0);
		ASSERT_RC(receive(&client, 0, 0), 2);
	}
	ASSERT_RC(info_get(&client, &info, rpcs, 8), 0);
	EXPECT_EQ(info.num_rpcs, 0);
}

/* Answers requests with their first 12 bytes until its socket is shut down. */
static void *serve(void *arg)
{
	struct end *e = arg;
	ssize_t n;

	for (;;) {
		n = receive(e, 0, 0);
		if (n < 0)
			return NULL;
		reply(e, e->region + e->args.offsets[0], n < 12 ? n : 12);
	}
}

/* As many as @window requests are under way; then all responses are read at once
 * (window 0).
 */
static void stream(int window, int count, size_t length)
{
	struct end client = end_open(), server = end_serve();
	int sent = 0, received = 0;
	pthread_t thread;
	uint64_t id;

	fill(11);
	pthread_create(&thread, NULL, serve, &server);
	while (received < count) {
		if (sent < count && (!window || sent - received < window)) {
			ASSERT_RC(request(&client, length, 0, &id), 0);
			sent++;
			continue;
		}
		ASSERT_RC(receive(&client, 0, 0), 12);
		EXPECT(!memcmp(client.region + client.args.offsets[0], env.out, 12),
		       "wrong bytes");
		received++;
	}
	shutdown(server.fd, SHUT_RDWR);
	pthread_join(thread, NULL);
}

static void a_hundred_are_outstanding(void)
{
	stream(100, 1000, 20000);
}

static void none_is_read_before_all_are_sent(void)
{
	stream(0, 1000, 5000);
}

static void close_with_calls_under_way(void)
{
	for (int i = 0; i < 20; i++) {
		struct end client = end_open(), server = end_serve();
		uint64_t id;

		for (int j = 0; j < 10; j++)
			ASSERT_RC(request(&client, 1 + j * 90000,
					  j & 1 ? PRIVATE : 0, &id), 0);
		ASSERT(receive(&server, 0, 0) > 0, "no request");
		if (i & 1) {
			close(server.fd);
			EXPECT_RC(receive(&client, 0, 0), -ENOTCONN);
			close(client.fd);
		} else {
			close(client.fd);
			EXPECT_RC(reply(&server, env.out, 300000), 0);
			close(server.fd);
		}
		munmap(client.region, REGION);
		munmap(server.region, REGION);
	}
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_EACH(ping_pong),
		KTAP_EACH(private_ones_in_reverse),
		KTAP_EACH(full_socket_waits),
		KTAP_EACH(receive_is_interrupted),
		KTAP_EACH(aborts),
		KTAP_EACH(info_tells_of_a_transfer),
		KTAP_EACH(a_hundred_are_outstanding),
		KTAP_EACH(none_is_read_before_all_are_sent),
		KTAP_EACH(close_with_calls_under_way),
	};

	env.ns = ns_new();
	ns_enter(env.ns);
	env.out = malloc(MAX_LENGTH);
	env.in = malloc(MAX_LENGTH);
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
