// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Messages whose copying in hangs in the middle, because the sender's memory is not there
 * yet (userfaultfd), and what may happen meanwhile.
 *
 * A part of vm/stock.sh: the kernels of User-Mode Linux have no userfaultfd.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "counters.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99
#define LENGTH HOMA_MAX_MESSAGE_LENGTH
#define ROOM (1 << 20)
#define HALF (ROOM / 2)
#define SEED 5
#define MS 20000

/**
 * struct held - a message that is being sent, and how
 * @uffd: tells when the second half is wanted
 * @buf: LENGTH bytes; the second half is not there until held_let_go()
 * @data: all of them
 * @hs: socket that sends
 * @to: to whom
 * @args: with the id, if it is a response
 * @rc: what sendmsg() gave
 */
static struct held {
	int uffd;
	char *buf;
	char *data;
	struct hsock *hs;
	union haddr to;
	struct homa_sendmsg_args args;
	int rc;
	pthread_t thread;
} held;

static struct {
	int a, b;	/* 10.9.0.1, 10.9.0.2 */
	struct hsock client, server;
	struct counters before;
} env;

static void *held_run(void *arg)
{
	struct held *h = arg;

	h->rc = hsock_sendmsg(h->hs, &h->to, h->buf, LENGTH, &h->args, 0);
	return NULL;
}

/* Begins to send and returns when the thread wants the second half. */
static void held_send(struct hsock *hs, const union haddr *to, uint64_t id)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct pollfd pfd;

	held.buf = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	held.data = malloc(ROOM);
	payload_fill(held.data, ROOM, SEED);
	memcpy(held.buf, held.data, HALF);
	held.uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	ASSERT(held.uffd >= 0, "no userfaultfd: %d", errno);
	ASSERT(!ioctl(held.uffd, UFFDIO_API, &api), "UFFDIO_API: %d", errno);
	reg.range.start = (unsigned long)held.buf + HALF;
	reg.range.len = HALF;
	ASSERT(!ioctl(held.uffd, UFFDIO_REGISTER, &reg), "UFFDIO_REGISTER: %d", errno);
	held.hs = hs;
	held.to = *to;
	held.args = (struct homa_sendmsg_args){ .id = id };
	held.rc = 1;
	pthread_create(&held.thread, NULL, held_run, &held);
	pfd = (struct pollfd){ .fd = held.uffd, .events = POLLIN };
	ASSERT_EQ(poll(&pfd, 1, MS), 1);
}

/* The second half is there; what sendmsg() gives. */
static int held_let_go(void)
{
	struct uffdio_copy copy = {
		.dst = (unsigned long)held.buf + HALF,
		.src = (unsigned long)held.data + HALF,
		.len = HALF,
	};

	ASSERT(!ioctl(held.uffd, UFFDIO_COPY, &copy), "UFFDIO_COPY: %d", errno);
	pthread_join(held.thread, NULL);
	return held.rc;
}

static void set_up(void)
{
	env.server = hsock_server(env.b, AF_INET, PORT);
	env.client = hsock_open(env.a, AF_INET);
	counters_read(env.b, &env.before);
}

static void send_request(void)
{
	union haddr to = haddr_of(AF_INET, "10.9.0.2", PORT);

	set_up();
	held_send(&env.client, &to, 0);
}

static void tear_down(void)
{
	hsock_close(&env.client);
	hsock_close(&env.server);
}

/* What the server has got while the client copies: no more than that, but no less than
 * what needs no grants; and both wait for as long as it takes.
 */
static void first_half_arrives(void)
{
	int64_t done;
	struct hmsg m;

	send_request();
	EXPECT(WAIT_FOR(counters_grew(env.b, &env.before,
				      "server_request_bytes_done") >= HALF / 2, MS),
	       "half of what is there has not come");
	sleep_ms(1000);		/* long after the timeout */
	done = counters_grew(env.b, &env.before, "server_request_bytes_done");
	EXPECT_GE(HALF, done);
	EXPECT_EQ(held.rc, 1);
	EXPECT_EQ(hsock_num_rpcs(&env.client), 1);
	EXPECT_EQ(hsock_num_rpcs(&env.server), 1);

	EXPECT_RC(held_let_go(), 0);
	EXPECT_RC(hsock_recv_within(&env.server, &m, 0, MS), LENGTH);
	EXPECT(payload_ok(&env.server, &m, SEED), "wrong contents");
	EXPECT_EQ(m.args.id, held.args.id ^ 1);
	EXPECT_RC(hsock_reply(&env.server, &m.from, m.args.id, "x", 1), 0);
	EXPECT_RC(hsock_recv_within(&env.client, &m, 0, MS), 1);
	tear_down();
}

static void response_is_held(void)
{
	union haddr to = haddr_of(AF_INET, "10.9.0.2", PORT);
	struct hmsg m;
	uint64_t id;

	set_up();
	ASSERT_RC(hsock_request(&env.client, &to, "x", 1, &id), 0);
	ASSERT_RC(hsock_recv_within(&env.server, &m, 0, MS), 1);
	held_send(&env.server, &m.from, m.args.id);
	sleep_ms(1000);
	EXPECT_EQ(held.rc, 1);
	EXPECT_RC(hsock_recv(&env.client, &m, 0, MSG_DONTWAIT), -EAGAIN);
	EXPECT_RC(held_let_go(), 0);
	EXPECT_RC(hsock_recv_within(&env.client, &m, 0, MS), LENGTH);
	EXPECT(payload_ok(&env.client, &m, SEED), "wrong contents");
	tear_down();
}

/* Nobody waits for the rest: the server forgets what it has. */
static void expect_forgotten(void)
{
	EXPECT_EQ(hsock_num_rpcs(&env.client), 0);
	EXPECT(WAIT_FOR(!hsock_num_rpcs(&env.server), MS), "the server keeps it");
	EXPECT_EQ(counters_grew(env.b, &env.before, "server_rpcs_unknown"), 1);
	tear_down();
}

static void aborted_silently(void)
{
	send_request();
	EXPECT_RC(hsock_abort(&env.client, 0, 0), 0);
	EXPECT_RC(held_let_go(), -EINVAL);
	EXPECT_EQ(held.args.id, 0);
	expect_forgotten();
}

/* The call was well: recvmsg() tells. */
static void aborted_with_an_error(void)
{
	struct hmsg m;

	send_request();
	EXPECT_RC(hsock_abort(&env.client, 0, ECANCELED), 0);
	EXPECT_RC(held_let_go(), 0);
	EXPECT_RC(hsock_recv_within(&env.client, &m, 0, MS), -ECANCELED);
	EXPECT_EQ(m.args.id, held.args.id);
	expect_forgotten();
}

static void shut_down(void)
{
	send_request();
	shutdown(env.client.fd, SHUT_RDWR);
	EXPECT_RC(held_let_go(), -EINVAL);
	tear_down();
}

static void server_shut_down(void)
{
	struct hmsg m;

	send_request();
	shutdown(env.server.fd, SHUT_RDWR);
	EXPECT_RC(held_let_go(), 0);
	EXPECT_RC(hsock_recv_within(&env.client, &m, 0, MS), -ENOTCONN);
	tear_down();
}

static const struct ktap_case cases[] = {
	KTAP_SLOW(first_half_arrives, 60),
	KTAP_SLOW(response_is_held, 60),
	KTAP_SLOW(aborted_silently, 60),
	KTAP_SLOW(aborted_with_an_error, 60),
	KTAP_SLOW(shut_down, 60),
	KTAP_SLOW(server_shut_down, 60),
};

int main(int argc, char **argv)
{
	env.a = ns_new();
	env.b = ns_new();
	ns_join(env.a, env.b, 1500);
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
