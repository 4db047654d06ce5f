/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* A bounded memory of 64-bit keys: has this one been here before?
 *
 * Keys are kept in two generations. When the young one is full the old one is
 * forgotten, so at least the last @limit keys, and at most twice as many, are
 * remembered. Not locked.
 */
#ifndef UTIL_SEEN_H
#define UTIL_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seen_set {
	uint64_t *slots;	/* open addressing; 0 is an empty slot */
	size_t size;		/* a power of two */
	size_t used;		/* at most half of size */
};

struct seen {
	struct seen_set young, old;
	size_t limit;
};

void seen_init(struct seen *s, size_t limit);
void seen_free(struct seen *s);

/* Remember @key. Return: whether it was already known. */
bool seen_before(struct seen *s, uint64_t key);

#endif
