/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Lines on standard output or in a file, each with the wall-clock time. */
#ifndef CP_NODE_LOG_H
#define CP_NODE_LOG_H

#include <stdbool.h>

/* Append to file @name from now on; "-" is standard output. Return: 0 or -1. */
int log_to(const char *name);
void log_set_verbose(bool verbose);

void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Only at level "verbose". */
void log_detail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
