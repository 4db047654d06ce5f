// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ksyms.h"
#include "lib/die.h"

struct ksym {
	uint64_t addr;
	char *name;
};

static struct ksym *list;
static size_t count;

static int by_addr(const void *a, const void *b)
{
	const struct ksym *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static void load(void)
{
	FILE *from = fopen("/proc/kallsyms", "r");
	unsigned long long addr;
	char line[512], name[256], type;
	size_t space = 0;

	if (!from)
		die("cannot read /proc/kallsyms");
	while (fgets(line, sizeof(line), from)) {
		if (sscanf(line, "%llx %c %255s", &addr, &type, name) != 3 ||
		    !strchr("tTwW", type))
			continue;
		if (count == space) {
			space = space ? 2 * space : 1 << 16;
			list = xrealloc(list, space, sizeof(*list));
		}
		list[count++] = (struct ksym){ addr, strdup(name) };
	}
	fclose(from);
	qsort(list, count, sizeof(*list), by_addr);
}

const char *ksyms_name(char *text, size_t size, uint64_t addr)
{
	size_t low = 0, high, mid;

	if (!list)
		load();
	/* The last symbol that is not behind @addr is before high. */
	for (high = count; low < high;) {
		mid = (low + high) / 2;
		if (list[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	if (low)
		snprintf(text, size, "%s+0x%llx", list[low - 1].name,
			 (unsigned long long)(addr - list[low - 1].addr));
	else
		snprintf(text, size, "0x%llx", (unsigned long long)addr);
	return text;
}
