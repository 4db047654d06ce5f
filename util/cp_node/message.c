// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <string.h>

#include "message.h"
#include "../lib/rng.h"

const uint8_t msg_zeros[MSG_MAX_SIZE];

_Static_assert(sizeof(struct msg_header) == MSG_HEAD, "header layout");

struct msg_header msg_header(const struct msg *m)
{
	struct msg_header h;

	memcpy(&h, m->head, sizeof(h));
	return h;
}

/* Derive the pattern from the head. */
static void set_pattern(struct msg *m)
{
	uint64_t words[2];

	memcpy(words, m->head, sizeof(words));
	m->key = rng_mix(words[0] ^ rng_mix(words[1]));
	m->patterned = m->size >= MSG_HEADER && (msg_header(m).flags & MSG_VERIFY);
}

/* Take @h, or as much of it as fits. */
static void set_head(struct msg *m, const struct msg_header *h)
{
	memset(m->head, 0, MSG_HEAD);
	memcpy(m->head, h, m->size < MSG_HEAD ? m->size : MSG_HEAD);
	set_pattern(m);
}

void msg_request(struct msg *m, uint32_t size, struct msg_header h)
{
	uint64_t words[2];

	m->size = size;
	h.length = size;
	if (size >= MSG_HEADER) {
		set_head(m, &h);
		return;
	}
	words[0] = rng_mix(((uint64_t)h.session << 32) ^ h.number);
	words[1] = rng_mix(words[0]);
	memcpy(&h, words, sizeof(h));
	set_head(m, &h);
}

void msg_response(struct msg *m, const struct msg *request)
{
	struct msg_header h = msg_header(request);

	m->size = request->size;
	if (m->size >= MSG_HEADER) {
		m->size = msg_response_size(m->size, h.flags & MSG_SHORT_RESPONSE);
		h.length = m->size;
		h.flags ^= MSG_RESPONSE;	/* a request that claims to be one shows */
	}
	set_head(m, &h);
}

bool msg_parse(struct msg *m)
{
	set_pattern(m);
	return m->size < MSG_HEADER || (uint32_t)msg_header(m).length == m->size;
}

/* The 8 bytes of the pattern at byte 8 * @word of the message. */
static inline uint64_t pattern(const struct msg *m, uint32_t word)
{
	return m->patterned ? rng_mix(m->key + word) : 0;
}

/* Bytes from @at to the end of its pattern word, or to @end if that is nearer. */
static inline uint32_t piece(uint32_t at, uint32_t end)
{
	uint32_t n = 8 - at % 8;

	return n < end - at ? n : end - at;
}

void msg_fill(const struct msg *m, uint32_t start, void *buf, uint32_t len)
{
	uint32_t at = start, end = start + len, n;
	uint8_t *to = buf;
	uint64_t word;

	if (at < MSG_HEAD) {
		n = len < MSG_HEAD - at ? len : MSG_HEAD - at;
		memcpy(to, m->head + at, n);
		to += n;
		at += n;
	}
	if (!m->patterned) {
		memset(to, 0, end - at);
		return;
	}
	for (; at < end; at += n, to += n) {
		n = piece(at, end);
		word = pattern(m, at / 8);
		memcpy(to, (uint8_t *)&word + at % 8, n);
	}
}

bool msg_check(const struct msg *m, uint32_t start, const void *buf, uint32_t len)
{
	uint32_t at = start, end = start + len, n;
	const uint8_t *from = buf;
	uint64_t word;

	if (at < MSG_HEAD) {
		n = len < MSG_HEAD - at ? len : MSG_HEAD - at;
		from += n;
		at += n;
	}
	for (; at < end; at += n, from += n) {
		n = piece(at, end);
		word = pattern(m, at / 8);
		if (memcmp(from, (uint8_t *)&word + at % 8, n))
			return false;
	}
	return true;
}
