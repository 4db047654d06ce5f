// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"

static const char *name = "?";

void die_set_name(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');

	name = slash ? slash + 1 : argv0;
}

/* Format the whole line first, so that lines of two threads do not mix. */
static void say(const char *fmt, va_list args)
{
	char line[1024];

	vsnprintf(line, sizeof(line), fmt, args);
	fflush(stdout);
	fprintf(stderr, "%s: %s\n", name, line);
}

void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
	exit(1);
}

int fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say(fmt, args);
	va_end(args);
	return -1;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (!p)
		die("out of memory (%zu objects of %zu bytes)", n, size);
	return p;
}

void *xrealloc(void *old, size_t n, size_t size)
{
	void *p = NULL;

	if (!size || n <= SIZE_MAX / size)
		p = realloc(old, n * size);
	if (!p)
		die("out of memory (%zu objects of %zu bytes)", n, size);
	return p;
}
