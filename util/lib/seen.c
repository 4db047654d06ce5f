// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "rng.h"
#include "seen.h"

#define SEEN_FIRST_SIZE 1024

/* Slot that holds @key, or the empty one where it belongs. */
static uint64_t *find(const struct seen_set *set, uint64_t key)
{
	size_t at = rng_mix(key) & (set->size - 1);

	while (set->slots[at] && set->slots[at] != key)
		at = (at + 1) & (set->size - 1);
	return &set->slots[at];
}

static void set_init(struct seen_set *set, size_t size)
{
	set->slots = xcalloc(size, sizeof(*set->slots));
	set->size = size;
	set->used = 0;
}

static void set_grow(struct seen_set *set)
{
	struct seen_set bigger;
	size_t i;

	set_init(&bigger, set->size * 2);
	for (i = 0; i < set->size; i++)
		if (set->slots[i])
			*find(&bigger, set->slots[i]) = set->slots[i];
	bigger.used = set->used;
	free(set->slots);
	*set = bigger;
}

void seen_init(struct seen *s, size_t limit)
{
	s->limit = limit;
	set_init(&s->young, SEEN_FIRST_SIZE);
	set_init(&s->old, SEEN_FIRST_SIZE);
}

void seen_free(struct seen *s)
{
	free(s->young.slots);
	free(s->old.slots);
	memset(s, 0, sizeof(*s));
}

bool seen_before(struct seen *s, uint64_t key)
{
	uint64_t *slot;

	if (!key)
		key = 1;
	slot = find(&s->young, key);
	if (*slot || *find(&s->old, key))
		return true;
	*slot = key;
	if (++s->young.used >= s->limit) {
		free(s->old.slots);
		s->old = s->young;
		set_init(&s->young, SEEN_FIRST_SIZE);
	} else if (s->young.used * 2 >= s->young.size) {
		set_grow(&s->young);
	}
	return false;
}
