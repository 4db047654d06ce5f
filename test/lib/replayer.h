/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* A network that keeps every packet and delivers it again and again.
 *
 * Two namespaces are joined by devices "v0". Whatever either host gives to its
 * device is copied and, in random order, delivered once more to the other host
 * about 0.1, 1, 2 and 10 s after it was sent first.
 */
#ifndef TEST_LIB_REPLAYER_H
#define TEST_LIB_REPLAYER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define REPLAYER_STAGES 4

struct frame;

/**
 * struct frames - a growing queue
 * @all: the frames
 * @head: first valid entry in @all
 * @tail: entry behind the last one
 * @room: size of @all
 */
struct frames {
	struct frame **all;
	int head;
	int tail;
	int room;
};

/**
 * struct replayer - a network between two hosts
 * @lock: protects what follows, but for @stop
 * @fd: packet sockets at the devices of both hosts, -1 while there are none
 * @stage: frames that wait for their next delivery, oldest first
 * @kept: frames copied so far
 * @replayed: deliveries so far
 * @refused: deliveries that the device did not take
 * @stop: copy no more; end when all have been delivered
 * @random: state of the random numbers
 * @thread: does the work
 */
struct replayer {
	pthread_mutex_t lock;
	int fd[2];
	struct frames stage[REPLAYER_STAGES];
	int64_t kept;
	int64_t replayed;
	int64_t refused;
	bool stop;
	uint64_t random;
	pthread_t thread;
};

/* Starts to copy what passes between namespaces @a and @b. */
void replayer_start(struct replayer *r, int a, int b, uint64_t seed);

/* Goes on after the devices have been made anew; in between there is no network
 * and what should be delivered is lost.
 */
void replayer_attach(struct replayer *r, int a, int b);
void replayer_detach(struct replayer *r);

/* Waits until every copy has been delivered for the last time. */
void replayer_finish(struct replayer *r);

#endif
