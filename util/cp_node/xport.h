/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What a transport does for cp_node. The load, the timing, the contents and the
 * results are the same for all of them (client.c, server.c).
 */
#ifndef CP_NODE_XPORT_H
#define CP_NODE_XPORT_H

#include <stdint.h>

struct port;
struct receiver;
struct rpc;
struct server_port;
struct server_thread;

struct xport {
	const char *name;
	/* Defaults for --first-port, a client's --ports and a server's. */
	int first_port, client_ports, server_ports;

	/* Make the sockets and connections of a client port.
	 * Return: 0, or -1 after an error line.
	 */
	int (*open)(struct port *port);

	/* Send a request. Once this is called, the response may be reported before
	 * it returns. Return: 0, or -errno if the request failed and nothing else
	 * will report it.
	 */
	int (*send)(struct port *port, struct rpc *rpc);

	/* Wait for responses and report each with port_done().
	 * Return: 0, or -1 when the port has been woken to stop.
	 */
	int (*receive)(struct receiver *receiver);

	/* Make receive() return -1 in all threads, now and later. */
	void (*wake)(struct port *port);

	/* Free everything; no thread uses the port any more. */
	void (*close)(struct port *port);

	/* The same for a server port: make its socket; answer requests with
	 * server_handle() until woken; wake; free.
	 */
	int (*listen)(struct server_port *port);
	void (*serve)(struct server_thread *thread);
	void (*hang_up)(struct server_port *port);
	void (*unlisten)(struct server_port *port);
};

extern const struct xport xport_homa, xport_tcp, xport_dctcp, xport_udp;

/* Run this thread on one core; negative: on any. A warning tells if that cannot be. */
void thread_pin(int core);

/* The transport of that name; NULL after an error line. */
const struct xport *xport_find(const char *name);

#endif
