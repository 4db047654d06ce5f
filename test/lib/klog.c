// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Reads the kernel's log; see klog.h. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "klog.h"
#include "ktap.h"

int klog_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);

	ASSERT(fd >= 0, "no /dev/kmsg");
	lseek(fd, 0, SEEK_END);
	return fd;
}

int klog_records(int fd)
{
	char text[8192];
	int n = 0;
	ssize_t len;

	while ((len = read(fd, text, sizeof(text) - 1)) > 0) {
		text[len] = 0;
		if (strstr(text, "crng init done"))	/* whenever it happens */
			continue;
		printf("# log: %s", text);
		n++;
	}
	return n;
}

int klog_having(int fd, const char *text)
{
	char record[8192];
	int n = 0;
	ssize_t len;

	while ((len = read(fd, record, sizeof(record) - 1)) > 0) {
		record[len] = 0;
		n += !!strstr(record, text);
	}
	return n;
}
