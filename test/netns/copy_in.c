// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Long messages leave while they are being copied in; what becomes of those of which
 * only the beginning can be read.
 *
 * desc: messages leave while they are copied in; half of one cannot be read: both ends
 * lab: --no-topology
 * flavor: fast debug smp
 * timeout: 120
 */

#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "counters.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99
#define LENGTH HOMA_MAX_MESSAGE_LENGTH
#define HALF (512 << 10)
#define MS 20000

static struct {
	int a;		/* 10.9.0.1 fd09::1 */
	int b;		/* 10.9.0.2 fd09::2 */
	char *half;	/* LENGTH bytes, of which HALF can be read */
} env;

static union haddr server_addr(void)
{
	return haddr_of(ktap_family, ktap_family == AF_INET ? "10.9.0.2" : "fd09::2",
			PORT);
}

static void long_messages_leave_early(void)
{
	static const int sizes[] = { 131072, 131073, 200000, 500000, 999999, LENGTH };
	struct hsock client = hsock_open(env.a, ktap_family);
	union haddr to = server_addr();
	struct echoer server;

	echoer_start(&server, env.b, ktap_family, PORT);
	for (int i = 0; i < ARRAY_LEN(sizes); i++) {
		struct counters before[2];

		ktap_label("%d bytes", sizes[i]);
		counters_read(env.a, &before[0]);
		counters_read(env.b, &before[1]);
		EXPECT_RC(round_trip(&client, &to, sizes[i], i, MS), 0);
		for (int j = 0; j < 2; j++) {
			int ns = j ? env.b : env.a;
			int early = counters_grew(ns, &before[j], "early_bytes");

			EXPECT_GE(early, sizes[i] > 131072 ? 40000 : 0);
			EXPECT_GE(sizes[i] > 131072 ? sizes[i] - 1 : 0, early);
			EXPECT_EQ(counters_grew(ns, &before[j], "sent_msg_bytes"),
				  sizes[i]);
			if (!ns_real_time())	/* a slow machine may ask early */
				EXPECT_EQ(counters_grew(ns, &before[j],
							"resent_packets"), 0);
		}
	}
	echoer_stop(&server);
	hsock_close(&client);
}

/* The server has the beginning, asks for more, hears that there is no such RPC, and has
 * all of its room back.
 */
static void half_a_request(void)
{
	struct hsock server = hsock_server(env.b, ktap_family, PORT);
	struct hsock client = hsock_open(env.a, ktap_family);
	struct homa_sendmsg_args args = { .completion_cookie = 7 };
	int64_t room = hsock_avail(&server);
	union haddr to = server_addr();
	struct counters before;
	struct hmsg m;

	counters_read(env.b, &before);
	EXPECT_RC(hsock_sendmsg(&client, &to, env.half, LENGTH, &args, 0), -EFAULT);
	EXPECT_EQ(args.id, 0);
	EXPECT_EQ(hsock_num_rpcs(&client), 0);
	EXPECT(WAIT_FOR(counters_grew(env.b, &before, "server_requests_started") == 1,
			MS), "nothing has left");
	EXPECT(WAIT_FOR(!hsock_num_rpcs(&server), MS), "the server keeps it");
	EXPECT_EQ(counters_grew(env.b, &before, "server_rpcs_unknown"), 1);
	EXPECT_EQ(hsock_avail(&server), room);

	/* Both ends go on as ever. */
	args.id = 0;
	EXPECT_RC(hsock_sendmsg(&client, &to, env.half, HALF, &args, 0), 0);
	EXPECT_RC(hsock_recv_within(&server, &m, 0, MS), HALF);
	EXPECT_EQ(m.args.id, args.id ^ 1);
	EXPECT_EQ(counters_grew(env.b, &before, "server_requests_done"), 1);
	hsock_close(&client);
	hsock_close(&server);
}

/* The client hears no more of it, and asks in vain: the request was executed, and is not
 * executed again.
 */
static void half_a_response(void)
{
	struct hsock server = hsock_server(env.b, ktap_family, PORT);
	struct hsock client = hsock_open(env.a, ktap_family);
	union haddr to = server_addr();
	struct counters before[2];
	struct hmsg m;
	uint64_t id;

	counters_read(env.a, &before[0]);
	counters_read(env.b, &before[1]);
	ASSERT_RC(hsock_request(&client, &to, env.half, 100, &id), 0);
	ASSERT_RC(hsock_recv_within(&server, &m, 0, MS), 100);
	EXPECT_RC(hsock_reply(&server, &m.from, m.args.id, env.half, LENGTH), -EFAULT);
	EXPECT_EQ(hsock_num_rpcs(&server), 0);
	EXPECT_EQ(counters_grew(env.b, &before[1], "server_rpc_discards"), 1);
	EXPECT(WAIT_FOR(counters_grew(env.a, &before[0],
				      "client_responses_started") == 1, MS),
	       "nothing has left");

	EXPECT_RC(hsock_recv_within(&client, &m, 0, MS), -ETIMEDOUT);
	EXPECT_EQ(m.args.id, id);
	EXPECT_RC(hsock_recv_within(&server, &m, 0, 100), -EAGAIN);
	EXPECT_EQ(counters_grew(env.b, &before[1], "requests_received"), 1);
	hsock_close(&client);
	hsock_close(&server);
}

static const struct ktap_case cases[] = {
	KTAP_SLOW_EACH(long_messages_leave_early, 60),
	KTAP_SLOW_EACH(half_a_request, 60),
	KTAP_SLOW_EACH(half_a_response, 60),
};

int main(int argc, char **argv)
{
	env.a = ns_new();
	env.b = ns_new();
	ns_join(env.a, env.b, 1500);
	env.half = mmap(NULL, 2 * HALF, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (env.half == MAP_FAILED || mprotect(env.half + HALF, HALF, PROT_NONE))
		return 1;
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
