/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Random numbers that are the same everywhere.
 *
 * splitmix64 spreads seeds; xoshiro256** (Blackman and Vigna, public domain)
 * generates. Independent streams come from rng_init() with different @stream.
 */
#ifndef UTIL_RNG_H
#define UTIL_RNG_H

#include <stdint.h>

struct rng {
	uint64_t s[4];
};

/* A good 64-bit hash of @x. */
static inline uint64_t rng_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static inline void rng_init(struct rng *r, uint64_t seed, uint64_t host,
			    uint64_t stream)
{
	uint64_t x = rng_mix(rng_mix(rng_mix(seed) ^ host) ^ stream);
	int i;

	for (i = 0; i < 4; i++)
		r->s[i] = rng_mix(x + i);
}

static inline uint64_t rng_rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t *s = r->s, t = s[1] << 17;
	uint64_t out = rng_rotl(s[1] * 5, 7) * 9;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rng_rotl(s[3], 45);
	return out;
}

/* Uniform in [0, 1). */
static inline double rng_unit(struct rng *r)
{
	return (rng_next(r) >> 11) * 0x1p-53;
}

/* Uniform in [0, @n); @n is far below 2^32, so the bias is negligible. */
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
	return ((rng_next(r) >> 32) * n) >> 32;
}

#endif
