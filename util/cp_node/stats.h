/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Lines that say how things go, in the form that the field's scripts know. */
#ifndef CP_NODE_STATS_H
#define CP_NODE_STATS_H

struct client;
struct server;
struct server_list;

/* A line for each client and server that did something since the last call. */
void stats_print(struct client *clients, struct server_list *servers);

/* Totals since the start of each, whatever happened. */
void stats_totals(struct client *clients, struct server_list *servers);
/* The same for one client or server. */
void stats_client_totals(struct client *c);
void stats_server_totals(const struct server *s);

#endif
