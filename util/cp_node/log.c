// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../lib/clock.h"
#include "../lib/die.h"
#include "log.h"

static FILE *log_file;
static bool verbose;

int log_to(const char *name)
{
	FILE *f = strcmp(name, "-") ? fopen(name, "a") : stdout;

	if (!f)
		return fail("log --file %s: %s", name, strerror(errno));
	if (log_file && log_file != stdout)
		fclose(log_file);
	log_file = f;
	return 0;
}

void log_set_verbose(bool on)
{
	verbose = on;
}

static void vlog(const char *fmt, va_list args)
{
	FILE *f = log_file ? log_file : stdout;
	uint64_t now = clock_wall_ns();
	char text[2048];

	vsnprintf(text, sizeof(text), fmt, args);
	fprintf(f, "%010llu.%09llu %s\n", (unsigned long long)(now / NS_PER_SEC),
		(unsigned long long)(now % NS_PER_SEC), text);
	fflush(f);
}

void log_line(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vlog(fmt, args);
	va_end(args);
}

void log_detail(const char *fmt, ...)
{
	va_list args;

	if (!verbose)
		return;
	va_start(args, fmt);
	vlog(fmt, args);
	va_end(args);
}
