/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Times in which a program did not run, in order, none overlapping another. */
#ifndef UTIL_GAPS_H
#define UTIL_GAPS_H

#include <stdint.h>

struct gap {
	uint64_t start, end;		/* ns */
};

/* Keep of @a's @na gaps the parts that are gaps of @b, too, and last @least ns or longer.
 * @out has room for @na + @nb. Return: how many there are.
 */
int gaps_common(const struct gap *a, int na, const struct gap *b, int nb, uint64_t least,
		struct gap *out);

/* Start of the last gap before @at that was as long as it, within a fifth; 0: none. */
uint64_t gaps_similar(const struct gap *gaps, int at);

/* Sum of their lengths, ns. */
uint64_t gaps_total(const struct gap *gaps, int n);

#endif
