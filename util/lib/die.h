/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* One-line errors, and allocation that cannot fail. */
#ifndef UTIL_DIE_H
#define UTIL_DIE_H

#include <stddef.h>

/* Name that precedes each error line; set by main(). */
void die_set_name(const char *argv0);

/* Print "name: message" on stderr and exit with status 1. */
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Print "name: message" on stderr and return -1, for the caller to return. */
int fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Zeroed memory for @n objects of @size bytes; ends the program if there is none. */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *old, size_t n, size_t size);

#endif
