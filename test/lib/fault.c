// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Failures on purpose; see fault.h. */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
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

void fault_prepare(void)
{
	static const char *const kinds[] = {
		"failslab", "fail_page_alloc", "fail_usercopy",
	};
	char path[100];

	for (int i = 0; i < ARRAY_LEN(kinds); i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/verbose",
			 kinds[i]);
		write_file(path, "0");
		snprintf(path, sizeof(path),
			 "/sys/kernel/debug/%s/ignore-gfp-wait", kinds[i]);
		if (i < 2)
			write_file(path, "N");
	}
	write_file("/sys/kernel/debug/fail_page_alloc/min-order", "0");
}

void fault_nth(int n)
{
	static int fd = -1;
	char text[20];

	if (fd < 0)
		fd = open("/proc/thread-self/fail-nth", O_RDWR);
	snprintf(text, sizeof(text), "%d", n);
	/* The chance that is left over from a call may be taken here. */
	if (pwrite(fd, text, strlen(text), 0) < 0)
		ASSERT(pwrite(fd, text, strlen(text), 0) > 0, "fail-nth: %s",
		       strerror(errno));
}
