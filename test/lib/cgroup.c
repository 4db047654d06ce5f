// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* A cgroup with a memory controller; see cgroup.h. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "ktap.h"

#define ROOT "/run/test_cgroup"

static void put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY);

	ASSERT(fd >= 0 && write(fd, text, strlen(text)) > 0, "%s: %s", file,
	       strerror(errno));
	close(fd);
}

void cgroup_enter(void)
{
	mkdir(ROOT, 0755);
	ASSERT(!mount("none", ROOT, "cgroup2", 0, NULL), "no cgroup2: %s",
	       strerror(errno));
	put(ROOT "/cgroup.subtree_control", "+memory");
	mkdir(ROOT "/test", 0755);
	put(ROOT "/test/cgroup.procs", "0");
}

void cgroup_leave(void)
{
	put(ROOT "/cgroup.procs", "0");
}

long long cgroup_get(const char *file, const char *word)
{
	char path[200], line[200];
	long long value = -1;
	FILE *f;

	snprintf(path, sizeof(path), ROOT "/test/%s", file);
	f = fopen(path, "r");
	ASSERT(f, "%s: %s", path, strerror(errno));
	while (value < 0 && fgets(line, sizeof(line), f))
		if (!strncmp(line, word, strlen(word)))
			value = atoll(line + strlen(word));
	fclose(f);
	return value;
}
