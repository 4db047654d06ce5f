// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Copying out what has come of a message while the rest is on its way.
 *
 *	|#### copied ####|## queued ##|....gap....|# queued #|        |
 *
 * When HOMA_EARLY_BYTES of an incomplete message wait in packets, a thread that sleeps in
 * recvmsg(2) is woken to copy them to the region: the one that waits for a private
 * response, or for shared messages the one that would be the next. It frees the packets
 * and waits on. Nobody is woken where complete messages are ready, and nothing is copied
 * early if nobody sleeps; then all is copied at the end.
 *
 * While packets are being copied more may come. One thread copies of a message at a time:
 * if it is completed meanwhile, that thread says that it is ready. Of packets that come
 * after the first copy only what is new is used (msgin_trim()), for later ones may not
 * overwrite what earlier ones brought.
 *
 * The region is memory of whoever calls recvmsg(2), and after a fork the same addresses
 * are several memories. So a socket has one process whose threads copy early. If another
 * one turns out to receive such a message, the sender is asked for all of it again,
 * and nothing of the socket is copied early any more.
 */
#include <linux/sched/signal.h>
#include <linux/skbuff.h>

#include "early.h"
#include "output.h"
#include "rpc.h"
#include "sock.h"
#include "waiter.h"

/* Is this the process that copies early? It is the first that asks; if another one does
 * none will from now on.
 */
static bool early_process(struct homa_sock *hsk)
{
	struct pid *pid = task_tgid(current);

	lockdep_assert_held(&hsk->lock);
	if (!hsk->early_pid) {
		hsk->early_pid = get_pid(pid);
		hsk->early_exec = current->self_exec_id;
	}
	if (hsk->early_pid == pid && hsk->early_exec == current->self_exec_id)
		return true;
	WRITE_ONCE(hsk->early_off, true);
	return false;
}

/**
 * homa_early_offer() - let somebody copy what has come, if there is somebody
 * @rpc: RPC with an incomplete message, of which homa_early_due()
 *
 * Context: rpc->lock held.
 */
void homa_early_offer(struct homa_rpc *rpc)
{
	struct homa_sock *hsk = rpc->hsk;
	struct task_struct *task = NULL;

	lockdep_assert_held(&rpc->lock);
	if (READ_ONCE(hsk->early_off))
		return;
	if (rpc->private) {
		/* No barrier: who is missed will be found next time. */
		if (!waitqueue_active(&rpc->waiters))
			return;
		WRITE_ONCE(rpc->in.early, HOMA_EARLY_OFFERED);
		homa_rpc_wake(rpc);
		return;
	}
	if (list_empty_careful(&hsk->waiters))
		return;
	rcu_read_lock();
	spin_lock(&hsk->lock);
	if (list_empty(&hsk->ready) && !list_empty(&hsk->waiters)) {
		WRITE_ONCE(rpc->in.early, HOMA_EARLY_OFFERED);
		list_add_tail(&rpc->ready_links, &hsk->early);
		task = homa_waiter_take(hsk);
	}
	spin_unlock(&hsk->lock);
	if (task)
		wake_up_process(task);
	rcu_read_unlock();
}

/* Takes what is to be copied off the message; false if there is nothing (any more). */
static bool early_begin(struct homa_rpc *rpc, struct sk_buff_head *queue,
			struct homa_early_part *part)
{
	struct homa_msgin *in = &rpc->in;
	bool ours = false;

	spin_lock_bh(&rpc->lock);
	if (in->early == HOMA_EARLY_OFFERED) {
		spin_lock(&rpc->hsk->lock);
		ours = early_process(rpc->hsk) && !rpc->hsk->early_off;
		spin_unlock(&rpc->hsk->lock);
		in->early = HOMA_EARLY_NONE;
		ours &= rpc->state == HOMA_INCOMING && !rpc->error &&
			!homa_msgin_complete(in);
	}
	if (ours) {
		in->early = HOMA_EARLY_COPYING;
		homa_msgin_take(rpc, queue, part);
	}
	spin_unlock_bh(&rpc->lock);
	return ours;
}

/**
 * homa_early_copy() - copy what has come of a message
 * @rpc: RPC that was offered; the caller has a reference
 *
 * If the region cannot be written to, the message is left as it was, and who
 * receives it will find out.
 *
 * Context: process that owns the region; no locks; sleeps.
 */
void homa_early_copy(struct homa_rpc *rpc)
{
	struct homa_msgin *in = &rpc->in;
	struct homa_early_part part;
	struct sk_buff_head queue;
	int err;

	__skb_queue_head_init(&queue);
	if (!early_begin(rpc, &queue, &part))
		return;
	err = homa_msgin_copy_part(rpc, &queue, &part);
	spin_lock_bh(&rpc->lock);
	in->early = HOMA_EARLY_NONE;
	if (err) {
		homa_msgin_put_back(rpc, &queue, &part);
		in->early = HOMA_EARLY_NEVER;
	}
	if (rpc->state == HOMA_INCOMING && !rpc->error && homa_msgin_complete(in))
		homa_rpc_ready(rpc, 0);
	spin_unlock_bh(&rpc->lock);
}

/**
 * homa_early_elsewhere() - is part of a message in another process's memory?
 * @rpc: RPC with a complete message, of which the current process receives what is
 *	not copied yet
 *
 * Context: process, no locks held.
 */
bool homa_early_elsewhere(struct homa_rpc *rpc)
{
	struct homa_sock *hsk = rpc->hsk;
	bool elsewhere;

	spin_lock_bh(&hsk->lock);
	elsewhere = !early_process(hsk);
	spin_unlock_bh(&hsk->lock);
	return elsewhere;
}

/**
 * homa_early_restart() - have the sender send a message again
 * @rpc: RPC of which homa_early_elsewhere(); the caller has taken it from who could
 *	receive it, and has a reference
 *
 * Context: process, no locks held.
 */
void homa_early_restart(struct homa_rpc *rpc)
{
	struct sk_buff_head txq;

	__skb_queue_head_init(&txq);
	spin_lock_bh(&rpc->lock);
	if (homa_rpc_is_ready(rpc) && !rpc->error) {
		rpc->in.early = HOMA_EARLY_NEVER;
		if (rpc->announced)
			atomic_dec(&rpc->hsk->private_ready);
		WRITE_ONCE(rpc->announced, false);
		homa_msgin_restart(rpc, &txq);
	}
	spin_unlock_bh(&rpc->lock);
	homa_output_flush(&txq);
}
