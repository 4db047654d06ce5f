// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../lib/die.h"
#include "stream.h"

#define FIRST_QUEUE 16
#define BATCH 16			/* messages in one system call */
#define FILL_BYTES 65536

void stream_init(struct stream *s, int fd, bool check)
{
	memset(s, 0, sizeof(*s));
	s->fd = fd;
	s->check = check;
}

void stream_free(struct stream *s)
{
	free(s->queue);
	s->queue = NULL;
}

static struct stream_out *nth(struct stream *s, uint32_t i)
{
	return &s->queue[(s->first + i) % s->size];
}

static void queue_grow(struct stream *s)
{
	uint32_t size = s->size ? 2 * s->size : FIRST_QUEUE, i;
	struct stream_out *queue = xcalloc(size, sizeof(*queue));

	for (i = 0; i < s->queued; i++)
		queue[i] = *nth(s, i);
	free(s->queue);
	s->queue = queue;
	s->first = 0;
	s->size = size;
}

void stream_queue(struct stream *s, const struct msg *m)
{
	struct stream_out *out;

	if (s->queued == s->size)
		queue_grow(s);
	out = nth(s, s->queued++);
	out->frame = m->size;
	out->msg = *m;
	memcpy(out->head, m->head, MSG_HEAD);
}

/* Describe @out less its first @skip bytes, or as much as there are zeros for.
 * Return: vectors used, at most 2.
 */
static int fill_vectors(const struct stream_out *out, uint32_t skip,
			struct iovec *v)
{
	uint32_t size = out->msg.size;
	uint32_t start = STREAM_FRAME + (size < MSG_HEAD ? size : MSG_HEAD);
	int n = 0;

	if (skip < start)
		v[n++] = (struct iovec){ (uint8_t *)out + skip, start - skip };
	if (size <= MSG_HEAD)
		return n;
	skip = skip > start ? skip - start : 0;
	size -= MSG_HEAD + skip;
	v[n++] = (struct iovec){ (void *)msg_zeros, size < MSG_MAX_SIZE ? size : MSG_MAX_SIZE };
	return n;
}

/* One system call's worth of the messages at the front of the queue. */
static ssize_t write_batch(struct stream *s)
{
	struct iovec v[2 * BATCH];
	struct msghdr h = { .msg_iov = v };
	struct stream_out *out;
	uint32_t i;

	for (i = 0; i < s->queued && i < BATCH; i++) {
		out = nth(s, i);
		if (out->msg.patterned)
			break;
		h.msg_iovlen += fill_vectors(out, i ? 0 : s->written, v + h.msg_iovlen);
		if (out->msg.size > MSG_MAX_SIZE)
			break;		/* it may go on in the next call */
	}
	return sendmsg(s->fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* The same for a message with a pattern, alone. */
static ssize_t write_pattern(struct stream *s)
{
	const struct stream_out *out = nth(s, 0);
	uint32_t left = STREAM_FRAME + out->msg.size - s->written;
	uint32_t n = left < FILL_BYTES ? left : FILL_BYTES, frame = 0;
	uint8_t buf[FILL_BYTES];

	if (s->written < STREAM_FRAME) {
		frame = STREAM_FRAME - s->written;
		memcpy(buf, (uint8_t *)out + s->written, frame);
	}
	msg_fill(&out->msg, s->written + frame - STREAM_FRAME, buf + frame, n - frame);
	return send(s->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL |
		    (n < left ? MSG_MORE : 0));
}

/* Drop @n bytes that were written from the queue. */
static void advance(struct stream *s, uint32_t n)
{
	uint32_t left;

	while (s->queued) {
		left = STREAM_FRAME + nth(s, 0)->msg.size - s->written;
		if (n < left)
			break;
		n -= left;
		s->written = 0;
		s->first = (s->first + 1) % s->size;
		s->queued--;
	}
	s->written += n;
}

int stream_flush(struct stream *s)
{
	ssize_t n;

	while (s->queued) {
		n = nth(s, 0)->msg.patterned ? write_pattern(s) : write_batch(s);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 1 : -errno;
		advance(s, n);
	}
	return 0;
}

uint32_t stream_missing(const struct stream *s)
{
	return s->got < STREAM_FRAME ? 0 : STREAM_FRAME + s->frame - s->got;
}

/* Take bytes that belong to the frame or to the head. Return: how many. */
static uint32_t take_start(struct stream *s, const uint8_t *from, uint32_t len)
{
	uint32_t size = s->in.size < MSG_HEAD ? s->in.size : MSG_HEAD, n;

	if (s->got < STREAM_FRAME) {
		n = STREAM_FRAME - s->got < len ? STREAM_FRAME - s->got : len;
		memcpy((uint8_t *)&s->frame + s->got, from, n);
		if (s->got + n == STREAM_FRAME)
			s->in = (struct msg){ .size = s->frame };
		return n;
	}
	size += STREAM_FRAME - s->got;
	n = size < len ? size : len;
	memcpy(s->in.head + s->got - STREAM_FRAME, from, n);
	if (n == size)
		s->bad = !msg_parse(&s->in);
	return n;
}

/* Take bytes after the head. Return: how many. */
static uint32_t take_body(struct stream *s, const uint8_t *from, uint32_t len)
{
	uint32_t at = s->got - STREAM_FRAME, n = s->in.size - at;

	if (n > len)
		n = len;
	if (s->check && !msg_check(&s->in, at, from, n))
		s->bad = true;
	return n;
}

int stream_input(struct stream *s, const void *buf, uint32_t len,
		 stream_handler handler, void *arg)
{
	const uint8_t *from = buf;
	uint32_t n;

	while (len) {
		n = s->got < STREAM_FRAME + MSG_HEAD ? take_start(s, from, len) :
						       take_body(s, from, len);
		from += n;
		len -= n;
		s->got += n;
		if (s->got < STREAM_FRAME)
			continue;
		if (!s->frame || s->frame > STREAM_MAX_SIZE)
			return -EPROTO;
		if (s->got == STREAM_FRAME + s->frame) {
			s->got = 0;
			handler(arg, &s->in, s->bad);
		}
	}
	return 0;
}
