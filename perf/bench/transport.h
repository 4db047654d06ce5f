/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* The three transports that rpc_cost compares, each used as a plain program
 * would: blocking calls, one process a side.
 *
 *   homa  one socket; the server answers out of its receive region; a client may have
 *         several, and several addresses of the server, each in its turn
 *   tcp   one connection, TCP_NODELAY; 4 bytes of length, then the message,
 *         in one write; the receiver reads twice
 *   udp   unconnected sockets, recvfrom() and sendto()
 *
 * Whatever fails ends the program.
 */
#ifndef BENCH_TRANSPORT_H
#define BENCH_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <netinet/in.h>

#include "../../util/cp_node/homa_sock.h"

#define FRAME_BYTES 4			/* of length, in front of a message over TCP */

struct homa_end {
	struct homa_sock sock;
	struct homa_recvmsg_args in;	/* bpages to give back */
};

struct endpoint {
	struct sockaddr_storage to;	/* client: the server */
	int fd;				/* server over TCP: the connection, or -1 */
	int listener;			/* server over TCP */
	struct homa_end *homa;		/* over Homa: a socket, or @sockets of a client */
	int sockets;
	int peers;			/* client over Homa: addresses from @to on */
	int turn;			/* RPCs begun so far: whose turn it is */
	uint8_t *buf;			/* a message and its frame */
	uint8_t *at;			/* client over TCP: what isn't written yet */
	size_t left;
	bool pipelined;			/* client: more than one RPC at a time */
};

struct transport {
	const char *name;
	uint32_t max_size;		/* of a message, bytes */
	void (*listen)(struct endpoint *e, int port);
	/* Receive one request and send the same bytes back. */
	void (*serve)(struct endpoint *e);
	void (*connect)(struct endpoint *e);
	/* Send a request of @size bytes. Return: whether it is gone; if not, the
	 * server waits for responses to be received: do that, then call again.
	 */
	bool (*request)(struct endpoint *e, uint32_t size);
	/* Wait for a response. Return: its length. */
	uint32_t (*response)(struct endpoint *e);
};

/* The transport called @name; ends the program if there is none. */
const struct transport *transport_find(const char *name);

#endif
