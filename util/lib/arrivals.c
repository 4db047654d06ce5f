// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <math.h>

#include "arrivals.h"

void arrivals_init(struct arrivals *a, uint64_t seed, uint64_t host,
		   const struct dist *dist, double gbps, uint32_t num_servers)
{
	a->dist = dist;
	a->num_servers = num_servers;
	a->mean_gap_ns = gbps > 0 ? dist->mean * 8 / gbps : 0;
	a->ns = 0;
	a->next_number = 0;
	rng_init(&a->times, seed, host, 1);
	rng_init(&a->sizes, seed, host, 2);
	rng_init(&a->servers, seed, host, 3);
	rng_init(&a->draws, seed, host, 4);
}

struct arrival arrivals_next(struct arrivals *a)
{
	struct arrival next = { .number = a->next_number++ };

	/* 1 - u is in (0, 1], so that the logarithm exists. */
	a->ns -= a->mean_gap_ns * log(1 - rng_unit(&a->times));
	next.ns = a->ns;
	next.size = dist_sample(a->dist, &a->sizes);
	next.server = rng_below(&a->servers, a->num_servers);
	next.draw = rng_next(&a->draws) >> 32;
	return next;
}
