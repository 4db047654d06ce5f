/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Log-linear histograms of unsigned 64-bit values.
 *
 * Values below 2^HIST_BITS are counted exactly; above, each power of two is
 * divided into 2^(HIST_BITS-1) equal buckets, so that a value is known to
 * better than 1 part in 2^(HIST_BITS-1). Adding is a few instructions;
 * histograms of several threads are added together.
 */
#ifndef UTIL_HIST_H
#define UTIL_HIST_H

#ifndef __bpf__				/* BPF programs have these types from vmlinux.h */
#include <stdint.h>
#endif

#define HIST_BITS 8			/* 128 buckets an octave: under 0.8% */
#define HIST_HALF (1 << (HIST_BITS - 1))
#define HIST_MAX_LOG 41			/* values of 2^41 (ns: 36 min) and up share a bucket */
#define HIST_BUCKETS ((HIST_MAX_LOG - HIST_BITS + 2) * HIST_HALF + 1)

struct hist {
	uint64_t n;
	uint64_t sum;
	uint64_t min;			/* meaningless while n is 0 */
	uint64_t max;
	uint32_t count[HIST_BUCKETS];
};

/* The place of the highest bit that is set. No compiler's builtin: BPF has none. */
static inline int hist_log2(uint64_t value)
{
	int log = 0, bits;

	for (bits = 32; bits; bits /= 2) {
		if (value >> bits) {
			value >>= bits;
			log += bits;
		}
	}
	return log;
}

/* Bucket of @value. */
static inline int hist_index(uint64_t value)
{
	int log, shift;

	if (value < 2 * HIST_HALF)
		return value;
	log = hist_log2(value);
	if (log >= HIST_MAX_LOG)
		return HIST_BUCKETS - 1;
	shift = log - (HIST_BITS - 1);
	return (shift << (HIST_BITS - 1)) + (value >> shift);
}

/* The smallest value of bucket @index. */
uint64_t hist_lower(int index);

void hist_clear(struct hist *h);
void hist_add(struct hist *h, uint64_t value);
void hist_merge(struct hist *to, const struct hist *from);

/* The value of rank @q (0 to 1): the middle of its bucket, within [min, max];
 * 0 if the histogram is empty.
 */
uint64_t hist_quantile(const struct hist *h, double q);

#endif
