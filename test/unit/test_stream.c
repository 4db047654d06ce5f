// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../util/cp_node/stream.h"
#include "../../util/lib/rng.h"
#include "unit.h"

/* What a receiver expects, in order. */
struct expected {
	struct msg *msgs;
	int n, total, bad;
};

static void on_message(void *arg, const struct msg *m, bool bad)
{
	struct expected *e = arg;

	EXPECT(e->n < e->total);
	EXPECT_EQ(m->size, e->msgs[e->n].size);
	EXPECT(!memcmp(m->head, e->msgs[e->n].head, MSG_HEAD));
	e->n++;
	e->bad += bad;
}

static void make_messages(struct expected *e, int n, bool verify, struct rng *r)
{
	struct msg_header h = { .session = 5, .flags = verify ? MSG_VERIFY : 0 };
	int i;

	*e = (struct expected){ .msgs = calloc(n, sizeof(*e->msgs)), .total = n };
	for (i = 0; i < n; i++) {
		h.number = i;
		msg_request(&e->msgs[i], 1 + (rng_next(r) >> 44 >> rng_below(r, 20)) % 1000000, h);
	}
}

/* Send messages through a socket that takes little at a time. */
static void exchange(bool verify, int n)
{
	uint8_t *buf = malloc(100000);
	struct stream out, in;
	struct expected e;
	int fd[2], i, rc;
	struct rng r;
	ssize_t got;

	rng_init(&r, verify, n, 0);
	make_messages(&e, n, verify, &r);
	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	stream_init(&out, fd[0], verify);
	stream_init(&in, fd[1], verify);
	for (i = 0; i < n; i++)
		stream_queue(&out, &e.msgs[i]);
	do {
		rc = stream_flush(&out);
		EXPECT(rc == 0 || rc == 1);
		while ((got = read(fd[1], buf, 1 + rng_below(&r, 99999))) > 0)
			EXPECT_EQ(stream_input(&in, buf, got, on_message, &e), 0);
	} while (rc == 1);
	EXPECT_EQ(e.n, n);
	EXPECT_EQ(e.bad, 0);
	EXPECT_EQ(out.queued, 0);
	stream_free(&out);
	stream_free(&in);
	close(fd[0]);
	close(fd[1]);
	free(e.msgs);
	free(buf);
}

static void flush__messages_arrive_whole_and_in_order(void)
{
	exchange(false, 1);
	exchange(false, 300);
}

static void flush__patterns_arrive_whole_and_in_order(void)
{
	exchange(true, 1);
	exchange(true, 300);
}

static void flush__reports_a_closed_peer(void)
{
	struct stream s;
	struct msg m;
	int fd[2];

	EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	stream_init(&s, fd[0], false);
	close(fd[1]);
	msg_request(&m, 100, (struct msg_header){ .session = 1 });
	stream_queue(&s, &m);
	EXPECT_EQ(stream_flush(&s), -EPIPE);
	stream_free(&s);
	close(fd[0]);
}

/* Give a stream @size as length and a message of @number with a wrong byte at @flip. */
static struct expected feed_one(uint32_t size, uint32_t flip, int chunk, bool check)
{
	static struct msg m;
	struct expected e = { .msgs = &m, .total = 1 };
	uint8_t *buf = malloc(STREAM_FRAME + size);
	struct stream s;
	uint32_t at, n;

	stream_init(&s, -1, check);
	msg_request(&m, size, (struct msg_header){ .flags = MSG_VERIFY, .number = 9 });
	memcpy(buf, &size, STREAM_FRAME);
	msg_fill(&m, 0, buf + STREAM_FRAME, size);
	if (flip)
		buf[STREAM_FRAME + flip] ^= 0x10;
	for (at = 0; at < STREAM_FRAME + size; at += n) {
		n = STREAM_FRAME + size - at < (uint32_t)chunk ? STREAM_FRAME + size - at : (uint32_t)chunk;
		EXPECT_EQ(stream_input(&s, buf + at, n, on_message, &e), 0);
	}
	free(buf);
	stream_free(&s);
	return e;
}

static void input__any_cut_will_do(void)
{
	uint32_t size;
	int chunk;

	for (size = 1; size < 60; size++)
		for (chunk = 1; chunk < 70; chunk++) {
			struct expected e = feed_one(size, 0, chunk, true);

			EXPECT_EQ(e.n, 1);
			EXPECT_EQ(e.bad, 0);
		}
}

static void missing__counts_down_to_the_end_of_the_message(void)
{
	struct msg m;
	struct expected e = { .msgs = &m, .total = 2 };
	uint8_t buf[STREAM_FRAME + 1000];
	uint32_t size = 1000, at;
	struct stream s;

	stream_init(&s, -1, true);
	msg_request(&m, size, (struct msg_header){ .number = 9 });
	memcpy(buf, &size, STREAM_FRAME);
	msg_fill(&m, 0, buf + STREAM_FRAME, size);
	for (at = 0; at < sizeof(buf); at++) {
		EXPECT_EQ(stream_missing(&s), at < STREAM_FRAME ? 0 : sizeof(buf) - at);
		EXPECT_EQ(stream_input(&s, buf + at, 1, on_message, &e), 0);
	}
	/* What comes next is unknown, so nothing may be waited for. */
	EXPECT_EQ(stream_missing(&s), 0);
	EXPECT_EQ(e.n, 1);
}

static void input__wrong_bytes_are_reported_if_asked_for(void)
{
	EXPECT_EQ(feed_one(1000, 500, 64, true).bad, 1);
	EXPECT_EQ(feed_one(1000, 999, 2000, true).bad, 1);
	EXPECT_EQ(feed_one(1000, 500, 64, false).bad, 0);
}

static void input__bad_lengths_end_the_stream(void)
{
	static const uint32_t bad[] = { 0, STREAM_MAX_SIZE + 1, 0xffffffff, 0x20544547 };
	struct expected e = { .total = 0 };
	struct stream s;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		stream_init(&s, -1, true);
		EXPECT_EQ(stream_input(&s, &bad[i], 4, on_message, &e), -EPROTO);
	}
	EXPECT_EQ(e.n, 0);
}

static const struct unit_case cases[] = {
	UNIT_CASE(flush__messages_arrive_whole_and_in_order),
	UNIT_CASE(flush__patterns_arrive_whole_and_in_order),
	UNIT_CASE(flush__reports_a_closed_peer),
	UNIT_CASE(input__any_cut_will_do),
	UNIT_CASE(missing__counts_down_to_the_end_of_the_message),
	UNIT_CASE(input__wrong_bytes_are_reported_if_asked_for),
	UNIT_CASE(input__bad_lengths_end_the_stream),
};

UNIT_MAIN(cases)
