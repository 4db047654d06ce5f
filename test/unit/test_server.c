// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "../../util/cp_node/server.h"
#include "unit.h"

struct fixture {
	struct server server;
	struct server_port port;
	struct server_thread thread;
};

static struct fixture *setup(bool verify)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->server.o.verify = verify;
	pthread_mutex_init(&f->server.lock, NULL);
	seen_init(&f->server.seen, 1000);
	f->port.server = &f->server;
	f->thread.port = &f->port;
	return f;
}

static void teardown(struct fixture *f)
{
	seen_free(&f->server.seen);
	free(f);
}

static struct sockaddr_in6 address(const char *text)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };
	struct sockaddr_in *in = (struct sockaddr_in *)&a;

	if (strchr(text, ':')) {
		EXPECT_EQ(inet_pton(AF_INET6, text, &a.sin6_addr), 1);
	} else {
		in->sin_family = AF_INET;
		EXPECT_EQ(inet_pton(AF_INET, text, &in->sin_addr), 1);
	}
	return a;
}

/* Bring a request; return how many repetitions that made. */
static int request(struct fixture *f, const char *from, uint64_t id, uint32_t size,
		   uint32_t number, uint16_t session)
{
	struct sockaddr_in6 a = address(from);
	uint64_t before = f->thread.counts.repeated;
	struct msg m, response;

	msg_request(&m, size, (struct msg_header){ .number = number, .session = session,
						   .flags = MSG_VERIFY });
	server_handle(&f->thread, (struct sockaddr *)&a, id, &m, false, &response);
	EXPECT_EQ(response.size, size);
	return f->thread.counts.repeated - before;
}

static void handle__numbered_requests_execute_once(void)
{
	struct fixture *f = setup(true);

	EXPECT_EQ(request(f, "10.0.0.1", 11, 100, 1, 7), 0);
	EXPECT_EQ(request(f, "10.0.0.1", 13, 100, 2, 7), 0);
	/* The same number again is a repetition, whatever id the transport gives it. */
	EXPECT_EQ(request(f, "10.0.0.1", 15, 100, 1, 7), 1);
	EXPECT_EQ(request(f, "10.0.0.2", 11, 100, 1, 7), 0);
	EXPECT_EQ(request(f, "10.0.0.1", 11, 100, 1, 8), 0);
	EXPECT_EQ(request(f, "10.0.0.1", 11, 16, 2, 7), 1);
	EXPECT_EQ(f->thread.counts.requests, 6);
	teardown(f);
}

static void handle__short_requests_are_known_by_address_and_id(void)
{
	struct fixture *f = setup(true);

	EXPECT_EQ(request(f, "fd00::1", 21, 1, 1, 7), 0);
	EXPECT_EQ(request(f, "fd00::1", 23, 1, 1, 7), 0);
	EXPECT_EQ(request(f, "fd00::2", 21, 1, 1, 7), 0);
	EXPECT_EQ(request(f, "fd00::1", 21, 15, 9, 9), 1);
	/* A transport without ids cannot tell. */
	EXPECT_EQ(request(f, "fd00::1", 0, 1, 1, 7), 0);
	EXPECT_EQ(request(f, "fd00::1", 0, 1, 1, 7), 0);
	teardown(f);
}

static void handle__mapped_addresses_are_the_same_host(void)
{
	struct fixture *f = setup(true);

	EXPECT_EQ(request(f, "10.0.0.1", 11, 100, 1, 7), 0);
	EXPECT_EQ(request(f, "::ffff:10.0.0.1", 11, 100, 1, 7), 1);
	teardown(f);
}

static void handle__without_verify_nothing_is_checked(void)
{
	struct fixture *f = setup(false);

	EXPECT_EQ(request(f, "10.0.0.1", 11, 100, 1, 7), 0);
	EXPECT_EQ(request(f, "10.0.0.1", 11, 100, 1, 7), 0);
	EXPECT_EQ(f->thread.counts.bytes_in, 200);
	EXPECT_EQ(f->thread.counts.bytes_out, 200);
	teardown(f);
}

static void handle__wrong_contents_are_counted(void)
{
	struct sockaddr_in6 a = address("10.0.0.1");
	struct fixture *f = setup(true);
	struct msg m, response;

	msg_request(&m, 100, (struct msg_header){ .flags = MSG_VERIFY });
	server_handle(&f->thread, (struct sockaddr *)&a, 1, &m, true, &response);
	EXPECT_EQ(f->thread.counts.bad, 1);
	EXPECT_EQ(f->thread.counts.repeated, 0);
	teardown(f);
}

static const struct unit_case cases[] = {
	UNIT_CASE(handle__numbered_requests_execute_once),
	UNIT_CASE(handle__short_requests_are_known_by_address_and_id),
	UNIT_CASE(handle__mapped_addresses_are_the_same_host),
	UNIT_CASE(handle__without_verify_nothing_is_checked),
	UNIT_CASE(handle__wrong_contents_are_counted),
};

UNIT_MAIN(cases)
