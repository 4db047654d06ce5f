// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Reads and compares metrics; see counters.h. */

#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counters.h"
#include "ns.h"

static void counters_add(struct counters *all, const char *name,
			 uint64_t value)
{
	for (int i = 0; i < all->num; i++) {
		if (!strcmp(all->c[i].name, name)) {
			all->c[i].value += value;
			return;
		}
	}
	if (all->num == COUNTERS_MAX)
		return;
	snprintf(all->c[all->num].name, sizeof(all->c[0].name), "%.39s", name);
	all->c[all->num++].value = value;
}

void counters_read(int ns, struct counters *all)
{
	int old = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	char line[300], name[40];
	unsigned long long value;
	FILE *f;

	all->num = 0;
	ns_enter(ns);
	f = fopen("/proc/thread-self/net/homa_metrics", "r");
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%39s %llu", name, &value) == 2 &&
		    strcmp(name, "core"))
			counters_add(all, name, value);
	}
	if (f)
		fclose(f);
	ns_enter(old);
	close(old);
}

int64_t counters_get(const struct counters *all, const char *name)
{
	for (int i = 0; i < all->num; i++)
		if (!strcmp(all->c[i].name, name))
			return all->c[i].value;
	return -1;
}

int64_t counters_grew(int ns, const struct counters *old, const char *name)
{
	struct counters now;

	counters_read(ns, &now);
	return counters_get(&now, name) - counters_get(old, name);
}

static bool is_time(const char *name)
{
	return strstr(name, "_cycles") || !strcmp(name, "time_cycles") ||
	       strstr(name, "_integral");
}

static bool in_list(const char *list, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = list; p && (p = strstr(p, name)); p += n)
		if ((p == list || p[-1] == ' ') && (!p[n] || p[n] == ' '))
			return true;
	return false;
}

int counters_list(const struct counters *old, const struct counters *new,
		  const char *skip, char *text, int size)
{
	int used = 0, num = 0;

	text[0] = 0;
	for (int i = 0; i < new->num; i++) {
		const char *name = new->c[i].name;
		int64_t before = counters_get(old, name);

		if (before < 0)
			before = 0;
		if ((int64_t)new->c[i].value <= before || is_time(name) ||
		    in_list(skip, name))
			continue;
		num++;
		if (used < size)
			used += snprintf(text + used, size - used, "%s%s+%llu",
					 used ? " " : "", name,
					 (unsigned long long)new->c[i].value -
					 before);
	}
	return num;
}
