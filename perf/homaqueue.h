/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What homaqueue's BPF programs and the program itself agree on. */
#ifndef PERF_HOMAQUEUE_H
#define PERF_HOMAQUEUE_H

#define MAX_DEVICES 1024
#define NAME_BYTES 16

/* X(name, what it is): times of which there are histograms */
#define QUEUES(X) \
	X(pacer, "messages that wait for the device to have room") \
	X(qdisc, "packets in the queueing discipline") \
	X(device, "packets in the device, until it has sent them")

#define X(name, what) QUEUE_##name,
enum queue { QUEUES(X) NUM_QUEUES };
#undef X

struct queue_dev {
	u32 netns;
	u32 ifindex;
};

/* What waits now, and the most that has waited; a level may start below 0, since it
 * is what was added less what was removed since we look.
 */
struct level {
	s64 now, max;
};

struct device_sums {
	char name[NAME_BYTES];
	u64 waits;		/* times that a message began to wait for the pacer */
	u64 packets, bytes;	/* given to the device */
	struct level messages;	/* that wait for the pacer */
	struct level qdisc;	/* packets */
	struct level device;	/* bytes */
	s64 limit;		/* of bytes outstanding, as the pacer saw it last */
};

#endif
