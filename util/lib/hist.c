// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <string.h>

#include "hist.h"

uint64_t hist_lower(int index)
{
	int shift;

	if (index < 2 * HIST_HALF)
		return index;
	shift = (index >> (HIST_BITS - 1)) - 1;
	return (uint64_t)((index & (HIST_HALF - 1)) + HIST_HALF) << shift;
}

void hist_clear(struct hist *h)
{
	memset(h, 0, sizeof(*h));
}

void hist_add(struct hist *h, uint64_t value)
{
	if (!h->n || value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	h->n++;
	h->sum += value;
	h->count[hist_index(value)]++;
}

void hist_merge(struct hist *to, const struct hist *from)
{
	int i;

	if (!from->n)
		return;
	if (!to->n || from->min < to->min)
		to->min = from->min;
	if (from->max > to->max)
		to->max = from->max;
	to->n += from->n;
	to->sum += from->sum;
	for (i = 0; i < HIST_BUCKETS; i++)
		to->count[i] += from->count[i];
}

static uint64_t clamp(const struct hist *h, uint64_t value)
{
	if (value < h->min)
		return h->min;
	return value > h->max ? h->max : value;
}

uint64_t hist_quantile(const struct hist *h, double q)
{
	uint64_t rank = q * h->n, seen = 0;
	int i;

	if (!h->n || q <= 0)
		return h->n ? h->min : 0;
	if (rank >= h->n)
		return h->max;
	for (i = 0; i < HIST_BUCKETS - 1; i++) {
		seen += h->count[i];
		if (seen > rank)
			return clamp(h, (hist_lower(i) + hist_lower(i + 1) - 1) / 2);
	}
	return h->max;
}
