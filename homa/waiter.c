// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Threads that wait for messages in recvmsg(2).
 *
 * Shared messages (requests, and responses that nobody claimed) go to the
 * socket's ready list when they are complete; each wakes one thread, which
 * takes the oldest. A private response wakes the thread that waits for its
 * RPC. Either way the thread gets the RPC with a reference, and without lock:
 * it may end before it is used, which callers see from its state.
 *
 * Who has begun to wait last is woken first: its core's caches, and its memory, are
 * warm, and the others can sleep on. But a thread whose core has been handling packets
 * would have to wait for that core; so one elsewhere is taken, if there is one. A
 * thread that is on its way to the list meanwhile, and takes the message, makes nobody
 * wait: who was woken for it sleeps again.
 *
 * Before it sleeps a thread looks for poll_usecs whether its message comes,
 * which spares it the way to sleep and back. Whoever else wants the core comes
 * first, and with only one there would be nobody to bring the message. If three of
 * four messages of a socket come later than that, threads sleep at once; how long they
 * slept tells when it pays again.
 */
#include <linux/cpumask.h>
#include <linux/sched/signal.h>

#include "early.h"
#include "rpc.h"
#include "sock.h"
#include "steer.h"
#include "trace.h"
#include "waiter.h"

/**
 * struct homa_waiter - a thread that waits for any shared message
 * @links: in homa_sock.waiters; empty: it is not there (any more)
 * @task: the thread
 * @cpu: where it began to wait
 * @polling: it does not sleep yet; a hint, READ_ONCE
 * @woken: it was taken from the list; the thread itself reads it without the lock
 * @early: what it found is not complete, but can be copied; of the thread itself
 *
 * All else is under the socket's lock.
 */
struct homa_waiter {
	struct list_head links;
	struct task_struct *task;
	int cpu;
	bool polling;
	bool woken;
	bool early;
};

/**
 * struct homa_wait - how long a thread has waited
 * @left: jiffies that it may still wait
 * @now: homa_now(), or 0 if time has passed since somebody asked
 * @began: when, in ns; 0: it has not
 * @limit: for so long it would poll, ns
 * @polled: it did for so long
 * @slept: and slept for so long
 * @woke: when it last woke, or 0
 */
struct homa_wait {
	long left;
	u64 now;
	u64 began;
	u64 limit;
	u64 polled;
	u64 slept;
	u64 woke;
};

/* Of a socket's waits, in thousandths: what of the past a new one replaces, and how many
 * must be short for polling to pay.
 */
#define POLL_WEIGHT 8
#define POLL_WORTH 250

/* Threads that are compared for a message. */
#define WAITERS_COMPARED 8

/* The thread for the next message, no longer in the list; NULL: there is none. */
static struct homa_waiter *waiter_choose(struct homa_sock *hsk)
{
	struct homa_net *hn = homa_sock_net(hsk);
	struct homa_waiter *first, *best, *w;
	int compared = 0;
	u64 now;

	lockdep_assert_held(&hsk->lock);
	first = list_first_entry_or_null(&hsk->waiters, struct homa_waiter, links);
	if (!first)
		return NULL;
	best = first;
	if (homa_steer_used()) {
		now = homa_now();
		list_for_each_entry(w, &hsk->waiters, links) {
			if (READ_ONCE(w->polling) || homa_steer_quiet(hn, w->cpu, now)) {
				best = w;
				break;
			}
			if (++compared == WAITERS_COMPARED)
				break;
		}
		WRITE_ONCE(hn->cores[best->cpu].app, homa_steer_time(now));
	}
	homa_metric_inc(hn, handoffs_thread_waiting);
	if (best != first)
		homa_metric_inc(hn, handoffs_alt_thread);
	list_del_init(&best->links);
	WRITE_ONCE(best->woken, true);
	return best;
}

/**
 * homa_waiter_take() - choose a thread for a message
 * @hsk: socket
 *
 * Context: hsk->lock and RCU read lock held, or bottom halves off.
 * Return: the thread, to be woken with wake_up_process() before the RCU read lock is
 *	dropped, or bottom halves are on, as it may leave at any time; NULL: none waits
 */
struct task_struct *homa_waiter_take(struct homa_sock *hsk)
{
	struct homa_waiter *w = waiter_choose(hsk);

	return w ? w->task : NULL;
}

/**
 * homa_waiter_wake_all() - let all threads look why they wait
 * @hsk: socket
 *
 * Context: process.
 */
void homa_waiter_wake_all(struct homa_sock *hsk)
{
	struct homa_waiter *w, *next;

	spin_lock_bh(&hsk->lock);
	list_for_each_entry_safe(w, next, &hsk->waiters, links) {
		list_del_init(&w->links);
		WRITE_ONCE(w->woken, true);
		wake_up_process(w->task);
	}
	spin_unlock_bh(&hsk->lock);
}

/* The oldest message; if there is none, one that can be copied early; if there is
 * neither, @w waits.
 */
static struct homa_rpc *ready_pop(struct homa_sock *hsk, struct homa_waiter *w)
{
	struct homa_rpc *rpc;

	spin_lock_bh(&hsk->lock);
	rpc = list_first_entry_or_null(&hsk->ready, struct homa_rpc,
				       ready_links);
	w->early = false;
	if (!rpc && !list_empty(&hsk->early)) {
		rpc = list_first_entry(&hsk->early, struct homa_rpc, ready_links);
		w->early = true;
	}
	if (rpc) {
		list_del_init(&rpc->ready_links);
		homa_rpc_get(rpc);
		if (!list_empty(&w->links))
			list_del_init(&w->links);
	} else if (list_empty(&w->links)) {
		w->woken = false;
		w->cpu = raw_smp_processor_id();
		list_add(&w->links, &hsk->waiters);
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

/* Has something happened for a thread that waits for @rpc, or if NULL, as @w? */
static bool wait_is_over(struct homa_sock *hsk, const struct homa_rpc *rpc,
			 const struct homa_waiter *w)
{
	if (rpc)
		return READ_ONCE(rpc->announced) ||
		       READ_ONCE(rpc->state) == HOMA_DEAD;
	return READ_ONCE(w->woken) || READ_ONCE(hsk->shutdown);
}

/* Waits for a short time without sleeping, if it has not done so and it pays. */
static void wait_poll(struct homa_sock *hsk, const struct homa_rpc *rpc,
		      const struct homa_waiter *w, struct homa_wait *wait)
{
	struct homa_net *hn = homa_sock_net(hsk);
	u64 limit = (u64)READ_ONCE(hn->sysctl.poll_usecs) * NSEC_PER_USEC;

	if (!homa_steer_used() || !limit || wait->began)
		return;
	wait->began = homa_now();
	wait->limit = limit;
	wait->now = 0;
	if (READ_ONCE(hsk->poll_pays) < POLL_WORTH)
		return;
	if (wait->left != MAX_SCHEDULE_TIMEOUT)
		limit = min_t(u64, limit, jiffies64_to_nsecs(wait->left));
	while (wait->polled < limit && !wait_is_over(hsk, rpc, w) &&
	       !need_resched() && !signal_pending(current)) {
		cpu_relax();
		wait->polled = homa_now() - wait->began;
	}
	if (wait->left != MAX_SCHEDULE_TIMEOUT)
		wait->left -= min_t(u64, wait->left,
				    nsecs_to_jiffies(wait->polled));
	homa_metric_add(hn, poll_cycles, wait->polled);
	homa_steer_app(hn, wait->began + wait->polled);
}

/* Notes whether polling has paid, or would have. */
static void wait_learn(struct homa_sock *hsk, const struct homa_rpc *rpc,
		       const struct homa_wait *wait)
{
	s64 waited = READ_ONCE(rpc->in.arrived) - wait->began;
	int pays = READ_ONCE(hsk->poll_pays), now = 0;

	if (!READ_ONCE(rpc->error) && waited <= (s64)wait->limit)
		now = 1000;
	WRITE_ONCE(hsk->poll_pays, pays + (now - pays) / POLL_WEIGHT);
}

static void wait_count(struct homa_sock *hsk, struct homa_rpc *rpc,
		       struct homa_wait *wait)
{
	struct homa_net *hn = homa_sock_net(hsk);

	if (wait->slept)
		homa_metric_inc(hn, wait_block);
	else if (wait->polled)
		homa_metric_inc(hn, wait_fast);
	else
		homa_metric_inc(hn, wait_none);
	homa_metric_add(hn, blocked_cycles, wait->slept);
	if (wait->began)
		wait_learn(hsk, rpc, wait);
	wait->now = tt_event_from(hn, wait->woke, WAIT_FOUND, homa_trace_id(rpc),
				  task_pid_nr(current), hsk->port,
				  !!wait->slept);
	trace_homa_wait_found(rpc, rpc->in.length);
}

static void wait_sleep(struct homa_wait *wait)
{
	u64 start = wait->now ?: homa_now();

	wait->now = 0;
	wait->left = schedule_timeout(wait->left);
	wait->woke = homa_now();
	wait->slept += max_t(u64, wait->woke - start, 1);
}

/* Waits until @w is woken, or has to look why not. */
static void waiter_wait(struct homa_sock *hsk, struct homa_waiter *w,
			struct homa_wait *wait)
{
	wait_poll(hsk, NULL, w, wait);
	WRITE_ONCE(w->polling, false);
	set_current_state(TASK_INTERRUPTIBLE);
	if (!READ_ONCE(w->woken) && !wait_error(hsk, wait->left))
		wait_sleep(wait);
	__set_current_state(TASK_RUNNING);
}

/* A thread waits no more; if it was woken for a message just now, another is. */
static void waiter_leave(struct homa_sock *hsk, struct homa_waiter *w)
{
	struct task_struct *task = NULL;

	rcu_read_lock();
	spin_lock_bh(&hsk->lock);
	if (w->woken && !list_empty(&hsk->ready))
		task = homa_waiter_take(hsk);
	list_del_init(&w->links);
	spin_unlock_bh(&hsk->lock);
	if (task)
		wake_up_process(task);
	rcu_read_unlock();
}

/**
 * homa_wait_shared() - wait for any shared message
 * @hsk: socket
 * @nonblocking: do not wait
 * @at: homa_now() or 0; result: when the RPC was found
 *
 * Context: process, sleeps.
 * Return: an RPC with a reference, or ERR_PTR: -EAGAIN (also after
 *	SO_RCVTIMEO), -EINTR, -ESHUTDOWN
 */
struct homa_rpc *homa_wait_shared(struct homa_sock *hsk, bool nonblocking, u64 *at)
{
	struct homa_wait wait = {
		.left = sock_rcvtimeo(homa_sock_sk(hsk), nonblocking),
		.now = *at,
	};
	struct homa_waiter w = { .task = current, .polling = true };
	struct homa_rpc *rpc;
	int err;

	if (!wait.left && list_empty_careful(&hsk->ready))
		return ERR_PTR(wait_error(hsk, 0));
	INIT_LIST_HEAD(&w.links);
	for (;;) {
		rpc = ready_pop(hsk, &w);
		if (rpc && !w.early)
			break;
		if (rpc) {
			homa_early_copy(rpc);
			homa_rpc_put(rpc);
			wait.now = 0;
		}
		err = wait_error(hsk, wait.left);
		if (err) {
			waiter_leave(hsk, &w);
			return ERR_PTR(err);
		}
		if (!rpc)
			waiter_wait(hsk, &w, &wait);
	}
	wait_count(hsk, rpc, &wait);
	*at = wait.now;
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

/* Sleeps until a private RPC has a message or an error, or has ended. @at: when */
static int private_wait(struct homa_sock *hsk, struct homa_rpc *rpc,
			bool nonblocking, u64 *at)
{
	struct homa_wait wait = {
		.left = sock_rcvtimeo(homa_sock_sk(hsk), nonblocking),
	};
	DEFINE_WAIT(entry);
	int err = 0;

	if (wait.left && !private_ready(rpc))
		wait_poll(hsk, rpc, NULL, &wait);
	while (!private_ready(rpc)) {
		if (READ_ONCE(rpc->in.early) == HOMA_EARLY_OFFERED)
			homa_early_copy(rpc);
		prepare_to_wait(&rpc->waiters, &entry, TASK_INTERRUPTIBLE);
		if (!private_ready(rpc) &&
		    READ_ONCE(rpc->in.early) != HOMA_EARLY_OFFERED) {
			if (READ_ONCE(rpc->state) == HOMA_DEAD)
				err = READ_ONCE(hsk->shutdown) ? -ESHUTDOWN :
								 -EINVAL;
			else
				err = wait_error(hsk, wait.left);
			if (!err)
				wait_sleep(&wait);
		}
		finish_wait(&rpc->waiters, &entry);
		if (err)
			return err;
	}
	wait_count(hsk, rpc, &wait);
	*at = wait.now;
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
 * @at: result: when it was found to be ready
 *
 * Nobody else can wait for the RPC until the caller clears its @waiting.
 *
 * Context: process, sleeps.
 * Return: the RPC with a reference, or ERR_PTR: -EINVAL: there is no such
 *	private RPC (any more); otherwise as homa_wait_shared()
 */
struct homa_rpc *homa_wait_private(struct homa_sock *hsk, u64 id,
				   bool nonblocking, bool *keep_id, u64 *at)
{
	struct homa_rpc *rpc = homa_rpc_find_client(hsk, id);
	int err;

	*keep_id = !rpc;
	if (!rpc)
		return ERR_PTR(homa_sock_error(hsk, -EINVAL,
					       "no RPC with this id"));
	err = private_claim(hsk, rpc);
	if (!err) {
		err = private_wait(hsk, rpc, nonblocking, at);
		if (!err)
			return rpc;
		spin_lock_bh(&rpc->lock);
		rpc->waiting = false;
		if (rpc->in.early == HOMA_EARLY_OFFERED)
			rpc->in.early = HOMA_EARLY_NONE;
		spin_unlock_bh(&rpc->lock);
	}
	homa_rpc_put(rpc);
	return ERR_PTR(err);
}
