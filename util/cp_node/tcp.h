/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What TCP clients (xport_tcp.c) and servers (tcp_server.c) have in common. */
#ifndef CP_NODE_TCP_H
#define CP_NODE_TCP_H

#include "stream.h"
#include "xport.h"

/* Bytes taken in one read. Large, because a system call costs more than a copy. */
#define TCP_READ_BYTES (256 * 1024)
#define TCP_EVENTS 64			/* handled for each epoll_wait */

/* No Nagle delay, and DCTCP where the transport asks for it.
 * Return: 0, or -1 after an error line.
 */
int tcp_tune(int fd, const struct xport *xport);

/* Wait for events of @fd on @epfd; they carry @ptr. @op: EPOLL_CTL_*. */
void tcp_watch(int epfd, int op, int fd, uint32_t events, void *ptr);

/* Have epoll report @s when much of the message that is arriving is there, instead of
 * at every packet. It never waits for more than the message lacks.
 */
void tcp_expect(struct stream *s);

int tcp_listen(struct server_port *port);
void tcp_serve(struct server_thread *thread);
void tcp_hang_up(struct server_port *port);
void tcp_unlisten(struct server_port *port);

#endif
