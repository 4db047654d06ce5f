// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Homa sockets under io_uring: what a program may put into a ring, and that
 * nothing is lost or mixed up there. vm/stock.sh runs it on a distribution's
 * kernel, too.
 *
 * desc: io_uring: sendmsg, recvmsg, poll, cancel, links, many in flight
 * lab: --no-topology
 * flavor: fast debug smp
 */

#define _GNU_SOURCE
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99
#define ENTRIES 256

static struct {
	int ns;
} env;

/**
 * struct op - one sendmsg or recvmsg in a ring
 * @mh: its message header
 * @send: msg_control of a sendmsg
 * @recv: msg_control of a recvmsg
 * @addr: msg_name
 * @iov: data to send
 * @buf: room for it
 * @res: result, once it is complete
 */
struct op {
	struct msghdr mh;
	struct homa_sendmsg_args send;
	struct homa_recvmsg_args recv;
	union haddr addr;
	struct iovec iov;
	char *buf;
	int res;
};

/**
 * struct pair - a server, a client, and a ring for both
 * @server: its socket
 * @client: its socket
 * @to: the server's address
 * @ring: io_uring
 */
struct pair {
	struct hsock server;
	struct hsock client;
	union haddr to;
	struct io_uring ring;
};

static void pair_open(struct pair *p, unsigned int flags)
{
	struct io_uring_params params = { .flags = flags,
					  .sq_thread_idle = 10 };

	/* The sockets of a ring outlive their process by some time. */
	env.ns = ns_new();
	/* In real time, on a busy machine, 100 ms of silence mean nothing. */
	ns_sysctl(env.ns, "timeout_ticks", "5000");
	p->server = hsock_server(env.ns, ktap_family, PORT);
	p->client = hsock_open(env.ns, ktap_family);
	p->to = haddr_of(ktap_family, ktap_family == AF_INET ? "127.0.0.1" :
			 "::1", PORT);
	ASSERT_RC(io_uring_queue_init_params(ENTRIES, &p->ring, &params), 0);
}

static struct io_uring_sqe *sqe_get(struct pair *p)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&p->ring);

	ASSERT(sqe, "no room in the submission queue");
	return sqe;
}

static void submit(struct pair *p, int count)
{
	ASSERT_RC(io_uring_submit(&p->ring), count);
}

/* Prepares a message of @len bytes that depend on @seed; id 0: a request. */
static struct io_uring_sqe *put_send(struct pair *p, const struct hsock *hs,
				     struct op *op, const union haddr *to,
				     uint64_t id, int len, uint32_t seed)
{
	struct io_uring_sqe *sqe = sqe_get(p);

	op->buf = realloc(op->buf, len);
	payload_fill(op->buf, len, seed);
	op->addr = *to;
	op->iov = (struct iovec){ op->buf, len };
	op->send.id = id;
	op->mh = (struct msghdr){
		.msg_name = &op->addr, .msg_namelen = haddr_len(&op->addr),
		.msg_iov = &op->iov, .msg_iovlen = 1, .msg_control = &op->send,
	};
	io_uring_prep_sendmsg(sqe, hs->fd, &op->mh, 0);
	io_uring_sqe_set_data(sqe, op);
	return sqe;
}

/* Prepares a receive; what @op->recv holds of bpages is handed back. */
static struct io_uring_sqe *put_recv(struct pair *p, const struct hsock *hs,
				     struct op *op, uint64_t id)
{
	struct io_uring_sqe *sqe = sqe_get(p);

	op->recv.id = id;
	op->mh = (struct msghdr){
		.msg_name = &op->addr, .msg_namelen = sizeof(op->addr),
		.msg_control = &op->recv, .msg_controllen = sizeof(op->recv),
	};
	io_uring_prep_recvmsg(sqe, hs->fd, &op->mh, 0);
	io_uring_sqe_set_data(sqe, op);
	return sqe;
}

/* Waits for one completion; the op it belongs to has its result. */
static struct op *next_done(struct pair *p)
{
	struct __kernel_timespec limit = { .tv_sec = 10 };
	struct io_uring_cqe *cqe;
	struct op *op;

	ASSERT_RC(io_uring_wait_cqe_timeout(&p->ring, &cqe, &limit), 0);
	op = io_uring_cqe_get_data(cqe);
	if (op)
		op->res = cqe->res;
	io_uring_cqe_seen(&p->ring, cqe);
	return op;
}

/* Nothing completes although there was time for it. */
static void expect_quiet(struct pair *p)
{
	struct __kernel_timespec limit = { .tv_nsec = 30000000 };
	struct io_uring_cqe *cqe;

	EXPECT_RC(io_uring_wait_cqe_timeout(&p->ring, &cqe, &limit), -ETIME);
}

static bool op_payload_ok(const struct hsock *hs, const struct op *op,
			  uint32_t seed)
{
	struct hmsg m = { .args = op->recv, .rc = op->res };

	return payload_ok(hs, &m, seed);
}

static void server_replies(struct pair *p, struct op *request, struct op *reply,
			   int len, uint32_t seed)
{
	put_send(p, &p->server, reply, &request->addr, request->recv.id, len,
		 seed);
}

/* Receives wait before anything is sent, so each is polled for. */
static void messages_arrive_where_they_are_awaited(void)
{
	static const int lengths[] = { 1, 1400, 65536, 200001, 1000000 };
	struct op request = { 0 }, at_server = { 0 }, reply = { 0 },
		  at_client = { 0 };
	struct pair p;

	pair_open(&p, 0);
	for (int i = 0; i < ARRAY_LEN(lengths); i++) {
		ktap_label("%d bytes", lengths[i]);
		put_recv(&p, &p.server, &at_server, 0);
		put_recv(&p, &p.client, &at_client, 0);
		submit(&p, 2);
		expect_quiet(&p);
		put_send(&p, &p.client, &request, &p.to, 0, lengths[i], i);
		submit(&p, 1);
		next_done(&p);
		next_done(&p);
		EXPECT_RC(request.res, 0);
		ASSERT_RC(at_server.res, lengths[i]);
		EXPECT_EQ(at_server.recv.id, request.send.id ^ 1);
		EXPECT_EQ(at_server.mh.msg_controllen, 0);
		EXPECT_EQ(at_server.mh.msg_namelen, haddr_len(&p.to));
		EXPECT(op_payload_ok(&p.server, &at_server, i), "wrong request");
		server_replies(&p, &at_server, &reply, lengths[i], i + 100);
		submit(&p, 1);
		next_done(&p);
		next_done(&p);
		EXPECT_RC(reply.res, 0);
		ASSERT_RC(at_client.res, lengths[i]);
		EXPECT_EQ(at_client.recv.id, request.send.id);
		EXPECT(op_payload_ok(&p.client, &at_client, i + 100),
		       "wrong response");
	}
}

/**
 * struct crowd - many RPCs at a time, all in one ring
 * @p: where they run
 * @at_server: receives of requests; @num of them, as of the others
 * @reply: the answers to these
 * @request: requests
 * @at_client: receives of responses
 * @num: RPCs at a time
 * @sent: requests sent so far; also the next one's cookie
 * @done: responses received
 * @total: requests to send
 */
struct crowd {
	struct pair *p;
	struct op *at_server;
	struct op *reply;
	struct op *request;
	struct op *at_client;
	int num;
	int sent;
	int done;
	int total;
};

static int crowd_length(uint64_t cookie)
{
	return 1 + (cookie * 7919) % 5000;
}

static void crowd_request(struct crowd *c, int i)
{
	if (c->sent == c->total)
		return;
	put_recv(c->p, &c->p->client, &c->at_client[i], 0);
	c->request[i].send.completion_cookie = c->sent;
	put_send(c->p, &c->p->client, &c->request[i], &c->p->to, 0,
		 crowd_length(c->sent), c->sent);
	c->sent++;
}

/* Echoes a request, then receives another one there. */
static void crowd_echo(struct crowd *c, int i)
{
	struct op *op = &c->at_server[i], *reply = &c->reply[i];
	struct hmsg m = { .args = op->recv, .rc = op->res };

	ASSERT(op->res > 0, "receive: %s", ktap_errno_name(op->res));
	put_send(c->p, &c->p->server, reply, &op->addr, op->recv.id, op->res, 0);
	payload_gather(&c->p->server, &m, reply->buf);
	put_recv(c->p, &c->p->server, op, 0);
}

static void crowd_response(struct crowd *c, int i)
{
	struct op *op = &c->at_client[i];
	uint64_t cookie = op->recv.completion_cookie;

	EXPECT_RC(op->res, crowd_length(cookie));
	EXPECT(op_payload_ok(&c->p->client, op, cookie), "wrong bytes");
	c->done++;
	crowd_request(c, i);
}

static bool is_in(const struct op *op, const struct op *array, int num)
{
	return op >= array && op < array + num;
}

static void crowd_run(struct pair *p, int num, int total)
{
	struct crowd c = {
		.p = p, .num = num, .total = total,
		.at_server = calloc(num, sizeof(struct op)),
		.reply = calloc(num, sizeof(struct op)),
		.request = calloc(num, sizeof(struct op)),
		.at_client = calloc(num, sizeof(struct op)),
	};
	struct op *op;

	for (int i = 0; i < num; i++) {
		put_recv(p, &p->server, &c.at_server[i], 0);
		crowd_request(&c, i);
		io_uring_submit(&p->ring);
	}
	while (c.done < total && !ktap_failed()) {
		op = next_done(p);
		if (is_in(op, c.at_server, num))
			crowd_echo(&c, op - c.at_server);
		else if (is_in(op, c.at_client, num))
			crowd_response(&c, op - c.at_client);
		else
			EXPECT_RC(op->res, 0);
		io_uring_submit(&p->ring);
	}
	EXPECT_EQ(c.sent, total);
	EXPECT_EQ(hsock_num_rpcs(&p->client), 0);
}

static void many_are_in_flight(void)
{
	struct pair p;

	pair_open(&p, 0);
	crowd_run(&p, 60, 1000);
}

static void kernel_thread_submits(void)
{
	struct pair p;

	pair_open(&p, IORING_SETUP_SQPOLL);
	crowd_run(&p, 20, 200);
}

/* Receives of private responses wait side by side with one of anything, and end
 * in reverse order; every other one waits in a thread of the ring.
 */
static void private_responses_are_awaited(void)
{
	enum { NUM = 8 };
	struct op requests[NUM] = { 0 }, replies[NUM] = { 0 }, at_server[NUM] = { 0 },
		  at_client[NUM] = { 0 }, shared = { 0 }, *op;
	struct pair p;

	pair_open(&p, 0);
	for (int i = 0; i < NUM; i++) {
		requests[i].send.flags = HOMA_SENDMSG_PRIVATE;
		put_send(&p, &p.client, &requests[i], &p.to, 0, 10 + i, i);
		submit(&p, 1);
		op = next_done(&p);
		ASSERT_RC(op->res, 0);
		put_recv(&p, &p.server, &at_server[i], 0);
		submit(&p, 1);
		op = next_done(&p);
		ASSERT_RC(op->res, 10 + i);
	}
	put_recv(&p, &p.client, &shared, 0);
	for (int i = 0; i < NUM; i++)
		put_recv(&p, &p.client, &at_client[i], requests[i].send.id)->flags |=
			i & 1 ? IOSQE_ASYNC : 0;
	submit(&p, NUM + 1);
	expect_quiet(&p);
	for (int i = NUM - 1; i >= 0; i--) {
		ktap_label("response %d", i);
		server_replies(&p, &at_server[i], &replies[i], 20 + i, i);
		submit(&p, 1);
		next_done(&p);
		next_done(&p);
		EXPECT_RC(replies[i].res, 0);
		ASSERT_RC(at_client[i].res, 20 + i);
		EXPECT_EQ(at_client[i].recv.id, requests[i].send.id);
		EXPECT(op_payload_ok(&p.client, &at_client[i], i), "wrong bytes");
	}
	expect_quiet(&p);
}

static int poll_next(struct pair *p, unsigned int *flags)
{
	struct __kernel_timespec limit = { .tv_sec = 5 };
	struct io_uring_cqe *cqe;
	int res;

	ASSERT_RC(io_uring_wait_cqe_timeout(&p->ring, &cqe, &limit), 0);
	res = cqe->res;
	*flags = cqe->flags;
	io_uring_cqe_seen(&p->ring, cqe);
	return res;
}

/* One poll tells of every message, and at last of the socket's end. */
static void multishot_poll_tells_every_message(void)
{
	struct io_uring_sqe *sqe;
	unsigned int flags;
	struct pair p;
	struct hmsg m;
	uint64_t id;

	pair_open(&p, 0);
	sqe = sqe_get(&p);
	io_uring_prep_poll_multishot(sqe, p.server.fd, POLLIN | POLLRDHUP);
	submit(&p, 1);
	expect_quiet(&p);
	for (int i = 0; i < 20; i++) {
		ASSERT_RC(hsock_request(&p.client, &p.to, "x", 1, &id), 0);
		EXPECT_EQ(poll_next(&p, &flags) & (POLLIN | POLLRDHUP), POLLIN);
		EXPECT_EQ(flags & IORING_CQE_F_MORE, IORING_CQE_F_MORE);
		EXPECT_RC(hsock_recv(&p.server, &m, 0, MSG_DONTWAIT), 1);
		EXPECT_EQ(m.args.id, id ^ 1);
	}
	expect_quiet(&p);
	shutdown(p.server.fd, SHUT_RDWR);
	EXPECT_EQ(poll_next(&p, &flags) & (POLLIN | POLLRDHUP | POLLHUP),
		  POLLIN | POLLRDHUP | POLLHUP);
}

/* Receives that wait, in a poll or in a worker, can be taken back. */
static void waiting_receives_are_cancelled(void)
{
	struct op shared = { 0 }, private = { 0 }, request = { 0 };
	struct io_uring_sqe *sqe;
	struct pair p;
	struct hmsg m;
	uint64_t id;

	pair_open(&p, 0);
	ASSERT_RC(hsock_private(&p.client, &p.to, "x", 1, &id), 0);
	put_recv(&p, &p.client, &shared, 0);
	put_recv(&p, &p.client, &private, id)->flags |= IOSQE_ASYNC;
	submit(&p, 2);
	expect_quiet(&p);
	for (int i = 0; i < 2; i++) {
		sqe = sqe_get(&p);
		io_uring_prep_cancel(sqe, i ? &private : &shared, 0);
		io_uring_sqe_set_data(sqe, NULL);
		submit(&p, 1);
		next_done(&p);
		next_done(&p);
		EXPECT_RC(i ? private.res : shared.res, -ECANCELED);
	}
	/* What was to come is there for others. */
	ASSERT_RC(hsock_recv_within(&p.server, &m, 0, 1000), 1);
	ASSERT_RC(hsock_reply(&p.server, &m.from, m.args.id, "yes", 3), 0);
	EXPECT_RC(hsock_recv_within(&p.client, &m, id, 1000), 3);
	put_send(&p, &p.client, &request, &p.to, 0, 5, 5);
	submit(&p, 1);
	EXPECT_RC(hsock_recv_within(&p.server, &m, 0, 1000), 5);
}

static void linked_timeout_ends_a_receive(void)
{
	struct __kernel_timespec limit = { .tv_nsec = 20000000 };
	struct op op = { 0 }, *done;
	struct io_uring_sqe *sqe;
	struct pair p;

	pair_open(&p, 0);
	put_recv(&p, &p.client, &op, 0)->flags |= IOSQE_IO_LINK;
	sqe = sqe_get(&p);
	io_uring_prep_link_timeout(sqe, &limit, 0);
	io_uring_sqe_set_data(sqe, NULL);
	submit(&p, 2);
	for (int i = 0; i < 2; i++) {
		done = next_done(&p);
		if (done)
			EXPECT_RC(done->res, -ECANCELED);
	}
}

/* Request and receive as one chain; it breaks where the request fails. */
static void linked_call_waits_for_its_response(void)
{
	struct op request = { 0 }, response = { 0 };
	struct echoer e;
	struct pair p;

	pair_open(&p, 0);
	hsock_close(&p.server);
	echoer_start(&e, env.ns, ktap_family, PORT);
	for (int i = 0; i < 20; i++) {
		put_send(&p, &p.client, &request, &p.to, 0, 3000, i)->flags |=
			IOSQE_IO_LINK;
		put_recv(&p, &p.client, &response, 0);
		submit(&p, 2);
		next_done(&p);
		next_done(&p);
		EXPECT_RC(request.res, 0);
		ASSERT_RC(response.res, 3000);
		EXPECT_EQ(response.recv.id, request.send.id);
		EXPECT(op_payload_ok(&p.client, &response, i), "wrong bytes");
	}
	request.send.reserved = 1;
	put_send(&p, &p.client, &request, &p.to, 0, 3000, 0)->flags |=
		IOSQE_IO_LINK;
	put_recv(&p, &p.client, &response, 0);
	submit(&p, 2);
	next_done(&p);
	next_done(&p);
	EXPECT_RC(request.res, -EINVAL);
	EXPECT_RC(response.res, -ECANCELED);
	echoer_stop(&e);
}

/* A sendmsg that finds no memory is polled for, and goes on by itself. */
static void send_waits_for_memory(void)
{
	struct op first = { 0 }, second = { 0 }, *op;
	int small = 4608;
	struct pair p;

	pair_open(&p, 0);
	ASSERT_EQ(setsockopt(p.client.fd, SOL_SOCKET, SO_SNDBUF, &small,
			     sizeof(small)), 0);
	put_send(&p, &p.client, &first, &p.to, 0, 300000, 1);
	submit(&p, 1);
	op = next_done(&p);
	ASSERT_RC(op->res, 0);
	put_send(&p, &p.client, &second, &p.to, 0, 5, 2);
	submit(&p, 1);
	expect_quiet(&p);
	EXPECT_RC(hsock_abort(&p.client, first.send.id, 0), 0);
	op = next_done(&p);
	EXPECT(op == &second, "another one ended");
	EXPECT_RC(op->res, 0);
	EXPECT_EQ(second.send.id, first.send.id + 2);
}

static void shutdown_ends_receives(void)
{
	struct op shared = { 0 }, private = { 0 };
	struct pair p;
	uint64_t id;

	pair_open(&p, 0);
	ASSERT_RC(hsock_private(&p.client, &p.to, "x", 1, &id), 0);
	put_recv(&p, &p.client, &shared, 0);
	put_recv(&p, &p.client, &private, id)->flags |= IOSQE_ASYNC;
	submit(&p, 2);
	expect_quiet(&p);
	io_uring_prep_shutdown(sqe_get(&p), p.client.fd, SHUT_RDWR);
	submit(&p, 1);
	next_done(&p);
	next_done(&p);
	next_done(&p);
	EXPECT_RC(shared.res, -ESHUTDOWN);
	EXPECT_RC(private.res, -EINVAL);	/* tried anew: there is no RPC */
}

/* Each message takes a buffer of the ring: what recvmsg gave back is there, with
 * struct homa_recvmsg_args where other protocols have control messages.
 */
static void multishot_receive_takes_buffers(void)
{
	enum { NUM = 4, CONTROL = sizeof(struct homa_recvmsg_args) };
	static char bufs[NUM][sizeof(struct io_uring_recvmsg_out) +
			      sizeof(union haddr) + CONTROL];
	struct io_uring_recvmsg_out *out;
	struct io_uring_sqe *sqe;
	struct op op = { 0 };
	unsigned int flags;
	struct hmsg m;
	struct pair p;
	uint64_t id;
	int res;

	pair_open(&p, 0);
	io_uring_prep_provide_buffers(sqe_get(&p), bufs, sizeof(bufs[0]), NUM, 1, 0);
	submit(&p, 1);
	EXPECT_RC(poll_next(&p, &flags), 0);
	sqe = put_recv(&p, &p.server, &op, 0);
	sqe->ioprio |= IORING_RECV_MULTISHOT;
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 1;
	submit(&p, 1);
	for (int i = 0; i < NUM; i++) {
		char text[32];

		ktap_label("message %d", i);
		sprintf(text, "hello %d", i);
		ASSERT_RC(hsock_request(&p.client, &p.to, text, 8, &id), 0);
		res = poll_next(&p, &flags);
		ASSERT_RC(res, sizeof(bufs[0]));	/* no room for data */
		EXPECT_EQ(flags & IORING_CQE_F_MORE, IORING_CQE_F_MORE);
		out = (void *)bufs[flags >> IORING_CQE_BUFFER_SHIFT];
		EXPECT_EQ(out->payloadlen, 8);
		EXPECT_EQ(out->namelen, haddr_len(&p.to));
		memcpy(&m.args, (char *)(out + 1) + sizeof(union haddr), CONTROL);
		EXPECT_EQ(m.args.id, id ^ 1);
		ASSERT_EQ(m.args.num_bpages, 1);
		EXPECT(!memcmp(p.server.region + m.args.bpage_offsets[0], text, 8),
		       "wrong bytes");
	}
	ASSERT_RC(hsock_request(&p.client, &p.to, "more", 4, &id), 0);
	EXPECT_RC(poll_next(&p, &flags), -ENOBUFS);
	EXPECT_EQ(flags & IORING_CQE_F_MORE, 0);
	EXPECT_RC(hsock_recv(&p.server, &m, 0, MSG_DONTWAIT), 4);
}

/* A ring's thread looks for work until jiffies move, which since 6.12 they do not
 * meanwhile in virtual time.
 */
static bool thread_never_rests(void)
{
	const char *flavor = getenv("LAB_FLAVOR");
	struct utsname kernel;
	int major, minor;

	return flavor && !strcmp(flavor, "fast") && !uname(&kernel) &&
	       sscanf(kernel.release, "%d.%d", &major, &minor) == 2 &&
	       major * 100 + minor >= 612;
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_EACH(messages_arrive_where_they_are_awaited),
		KTAP_EACH(many_are_in_flight),
		KTAP_EACH(private_responses_are_awaited),
		KTAP_EACH(multishot_poll_tells_every_message),
		KTAP_EACH(waiting_receives_are_cancelled),
		KTAP_EACH(linked_timeout_ends_a_receive),
		KTAP_EACH(linked_call_waits_for_its_response),
		KTAP_EACH(send_waits_for_memory),
		KTAP_EACH(shutdown_ends_receives),
		KTAP_EACH(multishot_receive_takes_buffers),
		KTAP_EACH(kernel_thread_submits),
	};
	bool without_last = thread_never_rests();

	if (without_last)
		printf("# without kernel_thread_submits: this kernel's thread never rests\n");
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases) - without_last);
}
