// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include "gaps.h"

int gaps_common(const struct gap *a, int na, const struct gap *b, int nb, uint64_t least,
		struct gap *out)
{
	uint64_t start, end;
	int i = 0, j = 0, n = 0;

	while (i < na && j < nb) {
		start = a[i].start > b[j].start ? a[i].start : b[j].start;
		end = a[i].end < b[j].end ? a[i].end : b[j].end;
		if (end > start && end - start >= least)
			out[n++] = (struct gap){ start, end };
		if (a[i].end < b[j].end)
			i++;
		else
			j++;
	}
	return n;
}

uint64_t gaps_similar(const struct gap *gaps, int at)
{
	uint64_t length = gaps[at].end - gaps[at].start, other;
	int i;

	for (i = at - 1; i >= 0; i--) {
		other = gaps[i].end - gaps[i].start;
		if (5 * other >= 4 * length && 4 * other <= 5 * length)
			return gaps[i].start;
	}
	return 0;
}

uint64_t gaps_total(const struct gap *gaps, int n)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < n; i++)
		sum += gaps[i].end - gaps[i].start;
	return sum;
}
