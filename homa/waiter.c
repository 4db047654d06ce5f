// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Threads that wait for messages in recvmsg(2).
 *
 * Shared messages (requests, and responses that nobody claimed) go to the
 * socket's ready list when they are complete; each wakes one thread, which
 * takes the oldest. A private response wakes the thread that waits for its
 * RPC. Either way the thread gets the RPC with a reference, and without lock:
 * it may end before it is used, which callers see from its state.
 *
 * Before it sleeps a thread looks for poll_usecs whether its message comes,
 * which spares it the way to sleep and back. Whoever else wants the core comes
 * first, and with only one there would be nobody to bring the message.
 */
#include <linux/cpumask.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>

#include "sock.h"
#include "trace.h"
#include "waiter.h"

static struct homa_rpc *ready_pop(struct homa_sock *hsk)
{
	struct homa_rpc *rpc;

	if (list_empty_careful(&hsk->ready))
		return NULL;
	spin_lock_bh(&hsk->lock);
	rpc = list_first_entry_or_null(&hsk->ready, struct homa_rpc,
				       ready_links);
	if (rpc) {
		list_del_init(&rpc->ready_links);
		homa_rpc_get(rpc);
	}
	spin_unlock_bh(&hsk->lock);
	return rpc;
}

/* Why a thread cannot wait (any longer), or 0. */
static int wait_error(struct homa_sock *hsk, long left)
{
	if (READ_ONCE(hsk->shutdown))
		return -ESHUTDOWN;
	if (!left)
		return -EAGAIN;
	if (signal_pending(current))
		return -EINTR;
	return 0;
}

/* Is there something for a thread that waits for @rpc, or NULL: for any? */
static bool wait_is_over(struct homa_sock *hsk, const struct homa_rpc *rpc)
{
	if (rpc)
		return READ_ONCE(rpc->announced) ||
		       READ_ONCE(rpc->state) == HOMA_DEAD;
	return !list_empty_careful(&hsk->ready) || READ_ONCE(hsk->shutdown);
}

/* Waits for a short time without sleeping; returns how long, in ns. @left is
 * what a thread may wait at all, in jiffies.
 */
static u64 wait_poll(struct homa_sock *hsk, const struct homa_rpc *rpc,
		     long *left)
{
	struct homa_net *hn = homa_sock_net(hsk);
	u64 limit = (u64)READ_ONCE(hn->sysctl.poll_usecs) * NSEC_PER_USEC;
	u64 start, polled = 0;

	if (num_online_cpus() == 1)
		return 0;
	start = homa_now();
	if (*left != MAX_SCHEDULE_TIMEOUT)
		limit = min_t(u64, limit, jiffies64_to_nsecs(*left));
	while (polled < limit && !wait_is_over(hsk, rpc) && !need_resched() &&
	       !signal_pending(current)) {
		cpu_relax();
		polled = homa_now() - start;
	}
	if (*left != MAX_SCHEDULE_TIMEOUT)
		*left -= min_t(u64, *left, nsecs_to_jiffies(polled));
	homa_metric_add(hn, poll_cycles, polled);
	return polled;
}

/* @woke: when the thread last woke, or 0 */
static void wait_count(struct homa_sock *hsk, struct homa_rpc *rpc, u64 slept,
		       u64 polled, u64 woke)
{
	struct homa_net *hn = homa_sock_net(hsk);

	if (slept)
		homa_metric_inc(hn, wait_block);
	else if (polled)
		homa_metric_inc(hn, wait_fast);
	else
		homa_metric_inc(hn, wait_none);
	homa_metric_add(hn, blocked_cycles, slept);
	tt_event_at(hn, woke, WAIT_FOUND, homa_trace_id(rpc),
		    task_pid_nr(current), hsk->port, !!slept);
	trace_homa_wait_found(rpc, rpc->in.length);
}

static long wait_sleep(long left, u64 *slept, u64 *woke)
{
	u64 start = homa_now();

	left = schedule_timeout(left);
	*woke = homa_now();
	*slept += max_t(u64, *woke - start, 1);
	return left;
}

/* Receivers are not woken by what is for pollers only, or for senders. */
static int shared_wake(struct wait_queue_entry *wait, unsigned int mode,
		       int sync, void *key)
{
	if (key && !(key_to_poll(key) & (EPOLLIN | EPOLLERR)))
		return 0;
	return autoremove_wake_function(wait, mode, sync, key);
}

/**
 * homa_wait_shared() - wait for any shared message
 * @hsk: socket
 * @nonblocking: do not wait
 *
 * Context: process, sleeps.
 * Return: an RPC with a reference, or ERR_PTR: -EAGAIN (also after
 *	SO_RCVTIMEO), -EINTR, -ESHUTDOWN
 */
struct homa_rpc *homa_wait_shared(struct homa_sock *hsk, bool nonblocking)
{
	struct sock *sk = homa_sock_sk(hsk);
	long left = sock_rcvtimeo(sk, nonblocking);
	DEFINE_WAIT_FUNC(wait, shared_wake);
	struct homa_rpc *rpc;
	u64 slept = 0, polled = 0, woke = 0;
	int err = 0;

	rpc = ready_pop(hsk);
	if (!rpc && left)
		polled = wait_poll(hsk, NULL, &left);
	while (!rpc && !err) {
		prepare_to_wait_exclusive(sk_sleep(sk), &wait,
					  TASK_INTERRUPTIBLE);
		rpc = ready_pop(hsk);
		if (!rpc)
			err = wait_error(hsk, left);
		if (!rpc && !err)
			left = wait_sleep(left, &slept, &woke);
		finish_wait(sk_sleep(sk), &wait);
	}
	if (!rpc) {
		/* A message that came just now may have woken only us. */
		if (!list_empty_careful(&hsk->ready))
			sk->sk_data_ready(sk);
		return ERR_PTR(err);
	}
	wait_count(hsk, rpc, slept, polled, woke);
	return rpc;
}

static bool private_ready(struct homa_rpc *rpc)
{
	bool ready;

	spin_lock_bh(&rpc->lock);
	ready = homa_rpc_is_ready(rpc);
	spin_unlock_bh(&rpc->lock);
	return ready;
}

/* Sleeps until a private RPC has a message or an error, or has ended. */
static int private_wait(struct homa_sock *hsk, struct homa_rpc *rpc,
			bool nonblocking)
{
	long left = sock_rcvtimeo(homa_sock_sk(hsk), nonblocking);
	u64 slept = 0, polled = 0, woke = 0;
	DEFINE_WAIT(wait);
	int err = 0;

	if (left && !private_ready(rpc))
		polled = wait_poll(hsk, rpc, &left);
	while (!private_ready(rpc)) {
		prepare_to_wait(&rpc->waiters, &wait, TASK_INTERRUPTIBLE);
		if (!private_ready(rpc)) {
			if (READ_ONCE(rpc->state) == HOMA_DEAD)
				err = READ_ONCE(hsk->shutdown) ? -ESHUTDOWN :
								 -EINVAL;
			else
				err = wait_error(hsk, left);
			if (!err)
				left = wait_sleep(left, &slept, &woke);
		}
		finish_wait(&rpc->waiters, &wait);
		if (err)
			return err;
	}
	wait_count(hsk, rpc, slept, polled, woke);
	return 0;
}

/* Claims a private RPC for the current thread. */
static int private_claim(struct homa_sock *hsk, struct homa_rpc *rpc)
{
	int err = 0;

	spin_lock_bh(&rpc->lock);
	if (!rpc->private)
		err = homa_sock_error(hsk, -EINVAL, "RPC is not private");
	else if (rpc->waiting)
		err = homa_sock_error(hsk, -EINVAL,
				      "another thread waits for this RPC");
	else
		rpc->waiting = true;
	spin_unlock_bh(&rpc->lock);
	return err;
}

/**
 * homa_wait_private() - wait for the response of one RPC
 * @hsk: socket
 * @id: from user space
 * @nonblocking: do not wait
 * @keep_id: result: the id that user space gave stays in its arguments
 *
 * Nobody else can wait for the RPC until the caller clears its @waiting.
 *
 * Context: process, sleeps.
 * Return: the RPC with a reference, or ERR_PTR: -EINVAL: there is no such
 *	private RPC (any more); otherwise as homa_wait_shared()
 */
struct homa_rpc *homa_wait_private(struct homa_sock *hsk, u64 id,
				   bool nonblocking, bool *keep_id)
{
	struct homa_rpc *rpc = homa_rpc_find_client(hsk, id);
	int err;

	*keep_id = !rpc;
	if (!rpc)
		return ERR_PTR(homa_sock_error(hsk, -EINVAL,
					       "no RPC with this id"));
	err = private_claim(hsk, rpc);
	if (!err) {
		err = private_wait(hsk, rpc, nonblocking);
		if (!err)
			return rpc;
		spin_lock_bh(&rpc->lock);
		rpc->waiting = false;
		spin_unlock_bh(&rpc->lock);
	}
	homa_rpc_put(rpc);
	return ERR_PTR(err);
}
