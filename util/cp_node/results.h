/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What a run leaves behind; json.md describes the files. */
#ifndef CP_NODE_RESULTS_H
#define CP_NODE_RESULTS_H

struct client;
struct server;

/* Return: -1 after an error line if @name is given and there is such a file. */
int results_check_new(const char *option, const char *name);

/* Write the files that the options ask for. Return: 0, or -1 after an error line. */
int results_client(struct client *c);
int results_server(const struct server *s);

/* Write the round trips of all clients, or of those labelled @exp, to file @name
 * and forget them. Return: 0 or -1.
 */
int results_dump_times(struct client *clients, const char *name, const char *exp);

#endif
