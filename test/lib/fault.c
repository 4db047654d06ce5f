// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Failures on purpose; see fault.h. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "ktap.h"

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	ASSERT(fd >= 0 && write(fd, text, strlen(text)) > 0, "%s: %s", path,
	       strerror(errno));
	close(fd);
}

static void write_setting(const char *kind, const char *name, const char *text)
{
	char path[100];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", kind, name);
	write_file(path, text);
}

static const char *const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };

void fault_prepare(void)
{
	for (int i = 0; i < ARRAY_LEN(kinds); i++) {
		write_setting(kinds[i], "verbose", "0");
		if (i < 2)
			write_setting(kinds[i], "ignore-gfp-wait", "N");
	}
	write_setting("fail_page_alloc", "min-order", "0");
}

/* The code of modules is behind the kernel. */
void fault_only_modules(void)
{
	FILE *file = fopen("/proc/kallsyms", "r");
	char line[300], end[40] = "";

	while (file && fgets(line, sizeof(line), file) && !*end)
		if (strstr(line, " _end\n"))
			snprintf(end, sizeof(end), "0x%.16s", line);
	ASSERT(*end, "the kernel has no end");
	fclose(file);
	for (int i = 0; i < ARRAY_LEN(kinds); i++) {
		write_setting(kinds[i], "stacktrace-depth", "32");
		write_setting(kinds[i], "require-start", end);
	}
}

static int nth_file(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/proc/thread-self/fail-nth", O_RDWR);
	return fd;
}

void fault_nth(int n)
{
	char text[20];

	snprintf(text, sizeof(text), "%d", n);
	/* The chance that is left over from a call may be taken here. */
	if (pwrite(nth_file(), text, strlen(text), 0) < 0)
		ASSERT(pwrite(nth_file(), text, strlen(text), 0) > 0, "fail-nth: %s",
		       strerror(errno));
}

bool fault_is_left(void)
{
	char text[20] = "";

	ASSERT(pread(nth_file(), text, sizeof(text) - 1, 0) > 0, "fail-nth: %s",
	       strerror(errno));
	return atoi(text) > 0;
}
