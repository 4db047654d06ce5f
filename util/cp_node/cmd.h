/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* The commands of cp_node. */
#ifndef CP_NODE_CMD_H
#define CP_NODE_CMD_H

#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "server.h"

struct app {
	struct client *clients;
	struct server_list servers;
	int signal_fd;
	int signal;		/* that arrived: end the program; 0: none */
	int trouble;		/* a client's results could not be written, or are bad */
	bool exiting;		/* the command "exit" was given */
	uint64_t next_tick_ns;	/* of statistics */
};

/* Run the command in @argv. Return: 0, or -1 after an error line. */
int cmd_run(struct app *app, int argc, char **argv);

/* Print what the program does; with @name, what that command does. */
void cmd_help(const char *name);

/* Wait until @fd is readable (if it isn't negative), all clients have finished
 * (if @clients), or a signal arrives; print statistics each second meanwhile.
 */
void app_wait(struct app *app, int fd, bool clients);

/* End all clients and servers, the clients after at most @drain seconds
 * (negative: what each was told).
 */
void app_stop_clients(struct app *app, double drain);
void app_stop_servers(struct app *app);

#endif
