// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <stdlib.h>

#include "../../util/cp_node/message.h"
#include "../../util/lib/rng.h"
#include "unit.h"

static const uint32_t sizes[] = {
	1, 2, 7, 8, 11, 12, 13, 15, 16, 17, 23, 24, 25, 99, 100, 101, 1400, 65535, 65536,
	65537, 131072, 999999, 1000000,
};

#define NUM_SIZES (sizeof(sizes) / sizeof(sizes[0]))

static struct msg_header header(uint16_t flags)
{
	return (struct msg_header){ .client_port = 1, .client_node = 2, .server_port = 3,
				    .server = 4, .session = 0x1234, .flags = flags,
				    .number = 77777 };
}

/* What a receiver makes of the bytes @buf. */
static bool receive(struct msg *m, const uint8_t *buf, uint32_t size)
{
	*m = (struct msg){ .size = size };
	memcpy(m->head, buf, size < MSG_HEAD ? size : MSG_HEAD);
	return msg_parse(m) && msg_check(m, 0, buf, size);
}

static void request__is_accepted_at_every_size(void)
{
	uint8_t *buf = malloc(MSG_MAX_SIZE);
	struct msg m, in;
	size_t i;

	for (i = 0; i < NUM_SIZES; i++) {
		msg_request(&m, sizes[i], header(MSG_VERIFY));
		EXPECT_EQ(m.size, sizes[i]);
		msg_fill(&m, 0, buf, sizes[i]);
		EXPECT(receive(&in, buf, sizes[i]));
		EXPECT(!memcmp(in.head, m.head, MSG_HEAD));
		if (sizes[i] >= MSG_HEADER)
			EXPECT_EQ(*(int32_t *)buf, sizes[i]);
		if (sizes[i] >= MSG_HEAD)
			EXPECT_EQ(msg_header(&in).number, 77777);
	}
	free(buf);
}

/* Any wrong byte must be noticed by the receiver, or by the client in the response. */
static void check__finds_every_wrong_byte(void)
{
	uint8_t *buf = malloc(MSG_MAX_SIZE);
	struct msg request, m, got, want;
	uint32_t at, step;
	size_t i;

	for (i = 0; i < NUM_SIZES; i++) {
		msg_request(&request, sizes[i], header(MSG_VERIFY));
		msg_response(&want, &request);
		msg_fill(&request, 0, buf, sizes[i]);
		step = sizes[i] > 2000 ? 997 : 1;
		for (at = 0; at < sizes[i]; at += step) {
			buf[at] ^= 1 << at % 8;
			if (receive(&m, buf, sizes[i])) {
				msg_response(&got, &m);
				EXPECT(at < MSG_HEAD);
				EXPECT(memcmp(got.head, want.head, MSG_HEAD));
			}
			buf[at] ^= 1 << at % 8;
		}
	}
	free(buf);
}

static void check__a_shifted_or_foreign_body_is_wrong(void)
{
	uint8_t *buf = malloc(MSG_MAX_SIZE);
	struct msg_header h = header(MSG_VERIFY);
	struct msg m, other;

	msg_request(&m, 5000, h);
	h.number++;
	msg_request(&other, 5000, h);
	msg_fill(&m, 0, buf, 5000);
	EXPECT(msg_check(&m, 1000, buf + 1000, 4000));
	EXPECT(!msg_check(&m, 1000, buf + 1008, 1000));
	EXPECT(!msg_check(&m, 1000, buf + 1001, 1000));
	EXPECT(!msg_check(&other, 16, buf + 16, 4984));
	free(buf);
}

static void fill__pieces_are_the_whole(void)
{
	uint8_t *whole = malloc(MSG_MAX_SIZE), *parts = malloc(MSG_MAX_SIZE);
	uint32_t at, n;
	struct rng r;
	struct msg m;
	int i;

	rng_init(&r, 1, 1, 1);
	msg_request(&m, 3001, header(MSG_VERIFY));
	msg_fill(&m, 0, whole, m.size);
	for (i = 0; i < 200; i++) {
		memset(parts, 0xff, m.size);
		for (at = 0; at < m.size; at += n) {
			n = 1 + rng_below(&r, i + 1);
			if (n > m.size - at)
				n = m.size - at;
			msg_fill(&m, at, parts + at, n);
			EXPECT(msg_check(&m, at, parts + at, n));
		}
		EXPECT(!memcmp(whole, parts, m.size));
	}
	free(whole);
	free(parts);
}

static void response__has_the_right_size_and_header(void)
{
	struct msg request, response;
	struct msg_header h;
	size_t i;

	for (i = 0; i < NUM_SIZES; i++) {
		msg_request(&request, sizes[i], header(MSG_VERIFY));
		msg_response(&response, &request);
		EXPECT_EQ(response.size, sizes[i]);
		msg_request(&request, sizes[i], header(MSG_SHORT_RESPONSE));
		msg_response(&response, &request);
		EXPECT_EQ(response.size, sizes[i] > 100 ? 100 : sizes[i]);
		EXPECT_EQ(msg_response_size(sizes[i], true), response.size);
		if (sizes[i] < MSG_HEAD)
			continue;
		h = msg_header(&response);
		EXPECT_EQ(h.length, response.size);
		EXPECT_EQ(h.flags, MSG_SHORT_RESPONSE | MSG_RESPONSE);
		EXPECT_EQ(h.number, 77777);
		EXPECT_EQ(h.session, 0x1234);
	}
}

static void response__differs_from_the_request_and_others(void)
{
	struct msg request, response, other;
	struct msg_header h = header(MSG_VERIFY);
	uint8_t buf[200];

	msg_request(&request, 200, h);
	msg_response(&response, &request);
	msg_fill(&request, 0, buf, 200);
	EXPECT(!msg_check(&response, 16, buf + 16, 184));
	h.number++;
	msg_request(&other, 200, h);
	EXPECT(other.key != request.key);
	/* The shortest requests differ as well, as far as they can. */
	msg_request(&request, 8, header(0));
	msg_request(&other, 8, h);
	EXPECT(memcmp(request.head, other.head, 8));
}

static void request__without_verify_is_zeros(void)
{
	uint8_t buf[500];
	struct msg m;

	msg_request(&m, 500, header(0));
	memset(buf, 1, sizeof(buf));
	msg_fill(&m, 0, buf, 500);
	EXPECT(!memcmp(buf + MSG_HEAD, msg_zeros, 500 - MSG_HEAD));
	EXPECT(!m.patterned);
}

static void parse__length_must_match(void)
{
	uint8_t buf[64];
	struct msg m;

	msg_request(&m, 64, header(MSG_VERIFY));
	msg_fill(&m, 0, buf, 64);
	EXPECT(!receive(&m, buf, 63));
	EXPECT(!receive(&m, buf, 12));
	EXPECT(receive(&m, buf, 11));		/* too short to tell */
}

static const struct unit_case cases[] = {
	UNIT_CASE(request__is_accepted_at_every_size),
	UNIT_CASE(check__finds_every_wrong_byte),
	UNIT_CASE(check__a_shifted_or_foreign_body_is_wrong),
	UNIT_CASE(fill__pieces_are_the_whole),
	UNIT_CASE(response__has_the_right_size_and_header),
	UNIT_CASE(response__differs_from_the_request_and_others),
	UNIT_CASE(request__without_verify_is_zeros),
	UNIT_CASE(parse__length_must_match),
};

UNIT_MAIN(cases)
