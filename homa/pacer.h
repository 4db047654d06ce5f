/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* When packets leave. */
#ifndef _HOMA_PACER_H
#define _HOMA_PACER_H

#include <linux/hrtimer.h>

#include "inflight.h"
#include "net.h"

struct homa_dev;
struct homa_rpc;

/* What a packet has on Ethernet's wire beside itself: header, preamble, checksum
 * and gap; and the shortest frame with all that.
 */
#define HOMA_FRAME_OVERHEAD (14 + 24)
#define HOMA_MIN_FRAME 84

/**
 * struct homa_pacer - messages that wait for room in one device, see pacer.c
 *
 * Any time:
 * @queued: bytes given to IP so far, as on the wire
 * @completed: bytes of them that the device has finished with
 * @forgiven: bytes in the device that are stuck somewhere and do not count
 * @last_completed: value of jiffies at the last completion
 * @idle_ns: time when the link will have sent everything, if its speed is known
 * @passes: packets that went to hosts on the same machine, less others
 * @behind_queue: packets go through a queue before they get to the device
 * @behind_homa: that queue is our own (qdisc.c), which orders messages, too
 *
 * Under @lock:
 * @lock: a leaf
 * @tree: struct homa_rpc by bytes that have not been sent, fewest first
 * @ages: the same messages, oldest first
 * @backlog_ns: time when the first message began to wait
 *
 * The tasklet's own:
 * @srpt_budget: bytes that may be sent in order of @tree until it is the turn
 *	of the oldest message
 * @inflight: how many bytes the device may have; others read the limit
 *
 * @relaxed: packets were stuck lately; the device may have more. Written by
 *	@timer, as is
 * @relaxed_until: value of jiffies
 * @timer: notices when nothing is completed while messages wait
 * @hrtimer: fires when the link's modelled backlog is short enough
 * @tasklet: sends from @tree when there is room again
 */
struct homa_pacer {
	atomic64_t queued;
	atomic64_t completed;
	s64 forgiven;
	unsigned long last_completed;
	atomic64_t idle_ns;
	int passes;
	bool behind_queue;
	bool behind_homa;

	spinlock_t lock;
	struct rb_root_cached tree;
	struct rb_root_cached ages;
	u64 backlog_ns;

	s64 srpt_budget;
	struct homa_inflight inflight;

	bool relaxed;
	unsigned long relaxed_until;
	struct timer_list timer;
	struct hrtimer hrtimer;
	struct tasklet_struct tasklet;
};

void homa_pacer_dev_init(struct homa_dev *dev);
void homa_pacer_dev_exit(struct homa_dev *dev);
void homa_pacer_dev_gone(struct homa_dev *dev);

bool homa_pacer_defer(struct homa_rpc *rpc, bool paced);
void homa_pacer_remove(struct homa_rpc *rpc);
void homa_pacer_charge(struct homa_dev *dev, u32 bytes);
u64 homa_link_wait(const struct homa_dev *dev, const atomic64_t *idle_ns);
void homa_link_charge(struct homa_dev *dev, atomic64_t *idle_ns, u32 bytes);
void homa_pacer_completed(struct homa_dev *dev, u32 bytes, bool passed);
u32 homa_pacer_frame(const struct homa_dev *dev);
void homa_pacer_queue(struct homa_dev *dev, bool queue, bool homa);
void homa_pacer_log(struct homa_dev *dev);

#endif /* _HOMA_PACER_H */
