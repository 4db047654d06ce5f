/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* When requests arrive, how long they are and whom they go to: the open-loop
 * load that one host offers.
 *
 * The list depends on nothing but the seed, the host's number, the workload,
 * the rate and the number of servers, so that two transports can be given the
 * same load. Arrivals are a Poisson process. Times, sizes and servers come
 * from separate streams: another rate leaves the sizes and servers as they are.
 */
#ifndef UTIL_ARRIVALS_H
#define UTIL_ARRIVALS_H

#include <stdint.h>

#include "dist.h"
#include "rng.h"

struct arrival {
	uint64_t number;	/* 0, 1, ... */
	uint64_t ns;		/* after the start; 0 if there is no rate */
	uint32_t size;		/* bytes of the request */
	uint32_t server;	/* index into the list of servers */
	uint32_t draw;		/* random, to choose one of the server's ports */
};

struct arrivals {
	const struct dist *dist;
	uint32_t num_servers;
	double mean_gap_ns;	/* 0: as fast as possible */
	double ns;
	uint64_t next_number;
	struct rng times, sizes, servers, draws;
};

/* @gbps: rate of request bytes; 0 means that requests follow one another. */
void arrivals_init(struct arrivals *a, uint64_t seed, uint64_t host,
		   const struct dist *dist, double gbps, uint32_t num_servers);

struct arrival arrivals_next(struct arrivals *a);

#endif
