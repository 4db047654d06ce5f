/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Random calls on Homa sockets: what fuzz.c, which runs them, and calls.c, which
 * makes them, share.
 *
 * Each process has SLOTS sockets, at descriptors that stay the same, so that all
 * of its threads use all of them at once. The first CLEAN sockets give bpages back
 * as they came and keep their region, so each message that they receive can be
 * compared with what was sent; the others do as they like.
 */
#ifndef TEST_FUZZ_H
#define TEST_FUZZ_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "errnos.h"
#include "hlarge.h"
#include "hsock.h"

#define SLOTS 12
#define CLEAN 4
#define SLOT_FD 200
#define REGION (4UL << 20)
#define LARGE 3000000	/* what sockets with large messages take and send */
#define LARGE_BPAGES ((LARGE + HOMA_BPAGE_SIZE - 1) / HOMA_BPAGE_SIZE)
#define BUFFER (LARGE / 4096 * 4096 + 8192UL)	/* messages to send end where it does */
#define SEEN 8		/* ids that a slot or a thread remembers */
#define MAX_WORKERS 16
#define RING 64		/* calls that are remembered of each thread */
#define MAX_OPS 32

/**
 * struct slot - one socket of a process
 * @region: where messages go; these addresses are the slot's for ever
 * @lock: of clean ones: calls share it, who replaces the socket does not
 * @family: of the socket
 * @large: it was opened for messages of up to LARGE bytes
 * @seen: RPCs whose requests were received; threads write it at once, so an id
 *	may be one of another client
 * @next_seen: where the next one goes
 */
struct slot {
	char *region;
	pthread_rwlock_t lock;
	int family;
	bool large;
	struct {
		uint64_t id;
		union haddr from;
	} seen[SEEN];
	unsigned int next_seen;
};

/**
 * struct entry - one call, for the report
 * @number: of the call, which with the seed tells all of its arguments
 * @op: index of what was done
 * @slot: to which socket
 * @rc: what it returned
 */
struct entry {
	uint64_t number;
	int op, slot, rc;
};

/**
 * struct worker - one thread
 * @process: which process it is in
 * @index: of the thread among all
 * @random: state of its random numbers; set anew for each call from the seed, the
 *	thread and the number, so that no result changes what is called next
 * @slots: of its process
 * @ns: the two hosts
 * @pass: socket to the other process
 * @epoll: descriptor
 * @buf: bytes to send, with a page behind them that cannot be read
 * @ids: of requests sent
 * @raw: sockets that send packets as they are, by host and family
 * @first: first socket that it may use
 * @entry: its current call
 */
struct worker {
	int process, index;
	uint64_t random;
	struct slot *slots;
	int ns[2];
	int pass, epoll, raw[2][2], first;
	char *buf;
	uint64_t ids[SEEN];
	unsigned int next_id;
	struct entry *entry;
	pthread_t thread;
};

/**
 * struct op - something to do
 * @name: for reports
 * @weight: how often, relative to others
 * @run: does it
 */
struct op {
	const char *name;
	int weight;
	void (*run)(struct worker *w);
};

/**
 * struct shared - what all processes share
 * @stop: end
 * @pause: rest between two calls
 * @resting: how many do
 * @verified: messages whose bytes were right
 * @verified_large: those of more than HOMA_MAX_MESSAGE_LENGTH bytes
 * @failed: calls that returned an error
 * @numbers: calls of each thread
 * @since: when each thread's call began, in ms; 0: it is between two
 * @rings: last calls of each thread
 */
struct shared {
	int stop, pause, resting;
	uint64_t verified, verified_large, failed;
	uint64_t done[MAX_OPS];
	uint64_t numbers[MAX_WORKERS];
	int64_t since[MAX_WORKERS];
	struct entry rings[MAX_WORKERS][RING];
};

extern struct shared *shared;
extern const struct op ops[];
extern const int num_ops;
extern char sysctls[][40];	/* names */
extern int num_sysctls;

/* Opens the socket of slot @n anew. */
void slot_open(struct worker *w, int n);

struct slot *slot_get(struct worker *w, int first, int *fd);
void slot_put(struct worker *w, struct slot *s);

/* Notes what a call returned, and complains if its errno is not defined for it.
 * Returns @rc, or -errno.
 */
long judge(struct worker *w, enum errno_call call, long rc);

/* A random number below @n. */
uint32_t below(struct worker *w, uint32_t n);

/* A number, likely near a limit of something. */
uint32_t odd_number(struct worker *w);
union haddr address(struct worker *w, int family);

/* One of an array's elements. */
#define ANY(w, array) ((array)[below(w, ARRAY_LEN(array))])

#define FORGED 0xee	/* all bytes of forged messages */

void do_open(struct worker *w);
void do_socket(struct worker *w);
void do_bind(struct worker *w);
void do_connect(struct worker *w);
void do_region(struct worker *w);
void do_unmap(struct worker *w);
void do_max_message(struct worker *w);
void do_setsockopt(struct worker *w);
void do_filter(struct worker *w);
void do_getsockopt(struct worker *w);
void do_request(struct worker *w);
void do_reply(struct worker *w);
void do_receive(struct worker *w);
void do_recvmsg(struct worker *w);
void do_ioctl(struct worker *w);

/* True in @percent of the cases. */
static inline bool chance(struct worker *w, int percent)
{
	return (int)below(w, 100) < percent;
}

#endif
