// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* libhoma's messages, in a region without a socket. */
#include <stdlib.h>
#include <sys/mman.h>

#include "../../util/libhoma/socket.h"
#include "unit.h"

/* A message of three parts, the last one of 100 bytes, in reverse order. */
static struct homa_msg make_message(struct homa *homa)
{
	struct homa_msg msg = HOMA_MSG_INIT;
	struct homa_space *space = calloc(1, sizeof(*space));
	uint32_t i;

	space->homa = homa;
	space->num = 3;
	for (i = 0; i < 3; i++) {
		space->args.bpage_offsets[i] = (2 - i) * HOMA_BPAGE_SIZE;
		space->iov[i].iov_base = homa->region + space->args.bpage_offsets[i];
		space->iov[i].iov_len = i < 2 ? HOMA_BPAGE_SIZE : 100;
		memset(space->iov[i].iov_base, 'a' + i, space->iov[i].iov_len);
		msg.length += space->iov[i].iov_len;
	}
	msg.space = space;
	msg.iov = space->iov;
	msg.iovcnt = 3;
	homa->refs++;
	return msg;
}

static struct homa *make_socket(void)
{
	struct homa *homa = calloc(1, sizeof(*homa));

	homa->fd = -1;
	homa->refs = 1;
	homa->length = 3 * HOMA_BPAGE_SIZE;
	homa->region = mmap(NULL, homa->length, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_mutex_init(&homa->lock, NULL);
	return homa;
}

static void homa_copy__finds_every_byte(void)
{
	struct homa *homa = make_socket();
	struct homa_msg msg = make_message(homa);
	size_t at;
	char got;

	for (at = 0; at < msg.length; at += at % HOMA_BPAGE_SIZE == 1 ? 65533 : 1) {
		EXPECT_EQ(homa_copy(&msg, at, &got, 1), 1);
		EXPECT_EQ(got, 'a' + at / HOMA_BPAGE_SIZE);
	}
	EXPECT_EQ(homa_copy(&msg, msg.length, &got, 1), 0);
	EXPECT_EQ(homa_copy(&msg, SIZE_MAX, &got, 1), 0);
	homa_release(&msg);
	homa_close(homa);
}

static void homa_copy__stops_at_the_end(void)
{
	struct homa *homa = make_socket();
	struct homa_msg msg = make_message(homa);
	char *copy = malloc(msg.length);

	EXPECT_EQ(homa_copy(&msg, 0, copy, msg.length), msg.length);
	EXPECT_EQ(homa_copy(&msg, 1, copy, msg.length), msg.length - 1);
	EXPECT_EQ(copy[msg.length - 2], 'c');
	free(copy);
	homa_release(&msg);
	homa_close(homa);
}

static void homa_release__gives_back_once(void)
{
	struct homa *homa = make_socket();
	struct homa_msg msg = make_message(homa);
	char *whole = homa_data(&msg);

	EXPECT(whole && whole[0] == 'a' && whole[msg.length - 1] == 'c');
	EXPECT(homa_data(&msg) == whole);
	homa_release(&msg);
	EXPECT_EQ(homa->num_spare, 3);
	EXPECT_EQ(homa->spare[0], 2 * HOMA_BPAGE_SIZE);
	EXPECT(!homa_data(&msg));
	homa_release(&msg);
	EXPECT_EQ(homa->num_spare, 3);
	EXPECT_EQ(homa->refs, 1);
	homa_close(homa);
}

/* More is given back than the list of spare bpages holds. */
static void homa_release__never_overflows(void)
{
	struct homa *homa = make_socket();
	int i;

	for (i = 0; i < 20; i++) {
		struct homa_msg msg = make_message(homa);

		homa_release(&msg);
		EXPECT(homa->num_spare <= HOMA_MAX_BPAGES);
	}
	homa_close(homa);
}

static void homa_close__leaves_messages_alone(void)
{
	struct homa *homa = make_socket();
	struct homa_msg msg = make_message(homa);

	homa_close(homa);
	EXPECT_EQ(*(char *)msg.iov[2].iov_base, 'c');
	homa_release(&msg);
	homa_close(NULL);
}

static const struct unit_case cases[] = {
	UNIT_CASE(homa_copy__finds_every_byte),
	UNIT_CASE(homa_copy__stops_at_the_end),
	UNIT_CASE(homa_release__gives_back_once),
	UNIT_CASE(homa_release__never_overflows),
	UNIT_CASE(homa_close__leaves_messages_alone),
};

UNIT_MAIN(cases)
