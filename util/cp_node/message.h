/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What is in a message.
 *
 * Messages have exactly the size that the workload asks for, from 1 byte up;
 * TCP puts 4 bytes of length in front (see stream.h), which count as framing.
 *
 *   bytes  0-11  the header of the field's cp_node, in host byte order:
 *                int32 length of this message
 *                u8 client port index, client node, server port index, server
 *                u16 session: tells runs of one client from each other
 *                u16 flags: MSG_* below
 *   bytes 12-15  number of the request within its run (ours)
 *   bytes 16-    zeros; with MSG_VERIFY a pattern whose key is a hash of the
 *                first 16 bytes, so a receiver can check a message, header
 *                included, without knowing anything else
 *
 * A message shorter than 16 bytes is cut off. Below 12 bytes there are no
 * flags: such a request is filled from the session and number, and the response is
 * an exact copy, which the client compares. A response is as long as its
 * request; if MSG_SHORT_RESPONSE is set, no longer than MSG_SHORT_SIZE.
 */
#ifndef CP_NODE_MESSAGE_H
#define CP_NODE_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#define MSG_HEADER 12			/* bytes that the field's cp_node has */
#define MSG_HEAD 16			/* bytes before the pattern */
#define MSG_SHORT_SIZE 100		/* longest response with --one-way */
#define MSG_MAX_SIZE 1000000

#define MSG_SHORT_RESPONSE 0x02		/* bit 0 is the field's "freeze" */
#define MSG_RESPONSE 0x04
#define MSG_VERIFY 0x08

/* Zeros, for messages without a pattern. */
extern const uint8_t msg_zeros[MSG_MAX_SIZE];

struct msg_header {
	int32_t length;
	uint8_t client_port;
	uint8_t client_node;
	uint8_t server_port;
	uint8_t server;
	uint16_t session;
	uint16_t flags;
	uint32_t number;
};

/* A whole message, without its bytes. */
struct msg {
	uint32_t size;
	uint8_t head[MSG_HEAD];		/* the first bytes; zeros past the end */
	bool patterned;			/* a pattern follows the head, not zeros */
	uint64_t key;
};

/* Response size for a request of @size bytes. */
static inline uint32_t msg_response_size(uint32_t size, bool one_way)
{
	return one_way && size > MSG_SHORT_SIZE ? MSG_SHORT_SIZE : size;
}

/* Describe a request of @size bytes with header @h, whose length is set here. */
void msg_request(struct msg *m, uint32_t size, struct msg_header h);

/* Describe the response to @request. */
void msg_response(struct msg *m, const struct msg *request);

/* Complete the description of a message that was received: size and head are set.
 * Return: false if its length field is wrong.
 */
bool msg_parse(struct msg *m);

/* Header of @m; fields past its end are 0. */
struct msg_header msg_header(const struct msg *m);

/* Write bytes @start to @start + @len of message @m to @buf. */
void msg_fill(const struct msg *m, uint32_t start, void *buf, uint32_t len);

/* Are bytes @start to @start + @len as described? The head isn't compared. */
bool msg_check(const struct msg *m, uint32_t start, const void *buf, uint32_t len);

#endif
