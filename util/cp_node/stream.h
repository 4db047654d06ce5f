/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Messages over a TCP connection: each is preceded by its length, 4 bytes in
 * host byte order, that count as framing and not as payload.
 *
 * Output never blocks: messages are queued as descriptions (a few words each, whatever
 * their size) and written as far as the socket takes them. Not locked.
 */
#ifndef CP_NODE_STREAM_H
#define CP_NODE_STREAM_H

#include "message.h"

#define STREAM_FRAME 4
#define STREAM_MAX_SIZE (32 << 20)	/* longest message, bytes; W5 has 29.4 MB */

/* A message waiting to be written; the first three fields are sent as they lie. */
struct stream_out {
	uint32_t frame;
	uint8_t head[MSG_HEAD];
	struct msg msg;
};

struct stream {
	int fd;
	bool check;			/* compare incoming bodies with their patterns */

	struct stream_out *queue;	/* a ring */
	uint32_t first, queued, size;
	uint32_t written;		/* bytes of the first message, frame included */

	int lowat;			/* SO_RCVLOWAT of the socket, as tcp.h leaves it; 0: default */
	uint32_t got;			/* bytes of the incoming message, frame included */
	uint32_t frame;
	struct msg in;
	bool bad;
};

void stream_init(struct stream *s, int fd, bool check);
void stream_free(struct stream *s);

void stream_queue(struct stream *s, const struct msg *m);

/* Write what can be written. Return: 0 if nothing is left, 1 if the socket is
 * full, or -errno.
 */
int stream_flush(struct stream *s);

/* Bytes that the message which is arriving lacks; 0 if that isn't known yet. */
uint32_t stream_missing(const struct stream *s);

/* Takes a complete message; @bad: something in it was wrong. */
typedef void (*stream_handler)(void *arg, const struct msg *m, bool bad);

/* Digest @len bytes that were read from the socket.
 * Return: 0, or -EPROTO if the peer does not speak this protocol.
 */
int stream_input(struct stream *s, const void *buf, uint32_t len,
		 stream_handler handler, void *arg);

#endif
