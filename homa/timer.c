// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Timers: what happens when nothing happens.
 *
 * Each RPC has one timer, which runs only while this host waits for the peer:
 *
 *	waiting for DATA	RESEND after resend_ticks of silence and then
 *				every resend_interval, but no more than
 *				max_resends a ms to one peer; the RPC fails
 *				after timeout_ticks and timeout_resends
 *				RESENDs, its own or, if the peer answers no
 *				RPC, those of all
 *	response sent		NEED_ACK after request_ack_ticks, or later on a
 *				host that has many RPCs, then at intervals
 *				that double; the RPC ends when
 *				NEED_ACK_TRIES were not answered
 *	grants for a response	the same, but the first after timeout_ticks
 *
 * A scheduled message that is not the most urgent one here may just have to wait
 * for the others, so its sender is asked later; what is lost in the middle of
 * it is asked for earlier, see loss.c.
 *
 * Silence means little while it is our turn: packets wait for the device, the
 * sender waits for our grant, or the message waits for buffer space. A sender
 * that waits is asked for its last packet from time to time, so that one that
 * has died does not occupy space for ever. An application that takes its time
 * is waited for without end: its host answers RESEND with BUSY.
 *
 * Packets do not touch the timer; when it fires it looks when the peer was
 * last heard and goes back to sleep. A pending timer holds a reference. Times
 * are in ticks of 1 ms; the kernel's timer wheel may round them up to jiffies.
 */
#include <linux/math64.h>
#include <linux/timer.h>

#include "freeze.h"
#include "grant.h"
#include "loss.h"
#include "output.h"
#include "prio.h"
#include "rpc.h"
#include "silent.h"
#include "sock.h"
#include "timer.h"

/* 2 + 4 + ... + 1024 + 1024 ms: about 3 s until a dead client is forgotten. */
#define NEED_ACK_TRIES 11
#define NEED_ACK_MAX_TICKS 1024

/* A peer that says BUSY is asked less often: each time after twice as long, up to
 * four times resend_ticks.
 */
#define TIMER_MAX_PATIENCE 2

/* Timeouts after which a sender is given up that has to wait for this host. */
#define TIMER_PROBES 4

/* A client that waits for very many responses waits longer for each, and should not
 * spend its time asking for them: so long for each of them, at least. If a response is
 * lost the server asks about it (NEED_ACK), too.
 */
#define TIMER_RPC_NSECS 50000

/* Questions without an answer that mean something if there is no time for more. */
#define TIMER_MIN_ASKED 3

/* Less than this the kernel's timer wheel does not round. */
#define TIMER_EXACT_JIFFIES 64

/* What more urgent messages keep waiting, at the sender or at the last switch, is
 * asked for after so many times the usual silence.
 */
#define TIMER_QUEUED 3

/* Requests of strangers are forgotten after so many times the usual silence, if there
 * are many. The longer they stay the more of a storm of first packets is refused, and
 * that costs a third of letting them in.
 */
#define TIMER_UNWELCOME 4

/* A client with many RPCs takes its time for each response, and one with many servers
 * comes back late; then it acknowledges along with its next request, which spares both
 * hosts the question and its answer. So long for each server RPC of this host, at least.
 * A lost response does not have to wait for that: its client asks after resend_ticks.
 */
#define TIMER_ACK_NSECS 200000

static u64 ticks_to_ns(u64 ticks)
{
	return ticks * NSEC_PER_MSEC;
}

/* How long a peer may be silent, of @ticks or what many outstanding RPCs make of it. */
static u64 timer_silence_ns(const struct homa_rpc *rpc, int ticks)
{
	u64 outstanding = homa_is_client(rpc) ?
			  atomic_read(&rpc->hn->unanswered) : 0;

	return max(ticks_to_ns(ticks), outstanding * TIMER_RPC_NSECS);
}

/* May responses stay here for longer, or is what they hold needed for new RPCs? */
static bool timer_has_room(const struct homa_rpc *rpc)
{
	const struct homa_sysctls *s = &rpc->hn->sysctl;
	const struct homa_sock *hsk = rpc->hsk;
	const struct sock *sk = &hsk->inet.sk;

	return READ_ONCE(hsk->num_server_rpcs) < READ_ONCE(s->max_server_rpcs) / 2 &&
	       atomic_read(&rpc->peer->server_rpcs) < READ_ONCE(s->max_peer_rpcs) / 2 &&
	       atomic_read(&rpc->hn->server_rpcs) < READ_ONCE(s->max_host_rpcs) / 2 &&
	       atomic_long_read(&hsk->tx_mem) < READ_ONCE(sk->sk_sndbuf) / 2;
}

/* How long a server waits for an acknowledgment: for @ticks, or what many RPCs make of it. */
static u64 timer_ack_ns(const struct homa_rpc *rpc, u64 ticks)
{
	u64 wait = atomic_read(&rpc->hn->server_rpcs) * (u64)TIMER_ACK_NSECS;
	u64 least = ticks_to_ns(ticks);

	return wait <= least || !timer_has_room(rpc) ? least : wait;
}

/* Lets the timer fire at rpc->next_action. The timer wheel rounds longer times up by
 * as much as an eighth, and so lets very many RPCs fire at once, with more packets
 * than a queue on their way takes; the last part of the time is short enough to be
 * exact.
 */
static void timer_arm(struct homa_rpc *rpc, u64 now)
{
	u64 delay = rpc->next_action > now ? rpc->next_action - now : 0;
	unsigned long ticks = nsecs_to_jiffies(delay);

	lockdep_assert_held(&rpc->lock);
	if (ticks >= TIMER_EXACT_JIFFIES)
		ticks -= ticks / 8;
	if (!mod_timer(&rpc->timer, jiffies + max(ticks, 1UL)))
		homa_rpc_get(rpc);
}

/**
 * homa_timer_cancel() - an RPC needs its timer no more
 * @rpc: RPC
 *
 * Context: rpc->lock held; the caller has a reference.
 */
void homa_timer_cancel(struct homa_rpc *rpc)
{
	lockdep_assert_held(&rpc->lock);
	if (timer_pending(&rpc->timer) && timer_delete(&rpc->timer))
		refcount_dec(&rpc->refs);	/* never the last one */
	homa_loss_cancel(rpc);
}

/**
 * homa_timer_wait() - this host begins to wait for the peer
 * @rpc: RPC
 * @now: homa_now()
 *
 * Context: rpc->lock held.
 */
void homa_timer_wait(struct homa_rpc *rpc, u64 now)
{
	lockdep_assert_held(&rpc->lock);
	if (timer_pending(&rpc->timer))
		return;
	rpc->last_heard = now;
	rpc->next_action = now + timer_silence_ns(rpc,
						  READ_ONCE(rpc->hn->sysctl.resend_ticks));
	timer_arm(rpc, now);
}

/**
 * homa_timer_sent() - packets of the outgoing message have been made
 * @rpc: RPC
 * @now: homa_now()
 *
 * Context: rpc->lock held.
 */
void homa_timer_sent(struct homa_rpc *rpc, u64 now)
{
	lockdep_assert_held(&rpc->lock);
	if (rpc->state != HOMA_OUTGOING)
		return;
	if (homa_is_client(rpc)) {
		homa_timer_wait(rpc, now);
	} else if (!rpc->backoff) {
		struct homa_sysctls *s = &rpc->hn->sysctl;

		/* A client that has not got all may long be busy with others;
		 * but if it is dead no grant will ever come.
		 */
		rpc->next_action = now + (rpc->out.done_at ?
			timer_ack_ns(rpc, READ_ONCE(s->request_ack_ticks)) :
			ticks_to_ns(READ_ONCE(s->timeout_ticks)));
		timer_arm(rpc, now);
	}
}

/**
 * homa_timer_heard() - the peer has shown that it lives
 * @rpc: RPC
 * @now: homa_now()
 *
 * Context: rpc->lock held.
 */
void homa_timer_heard(struct homa_rpc *rpc, u64 now)
{
	lockdep_assert_held(&rpc->lock);
	rpc->last_heard = now;
	if (rpc->silent_kb)
		homa_silent_heard(rpc);
	homa_peer_heard(rpc->peer, now);
	rpc->soft_error = 0;
	rpc->tries = 0;
	rpc->asked = 0;
	rpc->patience = 0;
}

/**
 * homa_timer_busy() - the peer lives, but has nothing to send yet
 * @rpc: RPC
 *
 * Context: rpc->lock held.
 */
void homa_timer_busy(struct homa_rpc *rpc)
{
	int patience = min(rpc->patience + 1, TIMER_MAX_PATIENCE);

	homa_timer_heard(rpc, homa_now());
	rpc->patience = patience;
}

/* Asks the client whether the response may be forgotten. */
static void timer_need_ack(struct homa_rpc *rpc, u64 now,
			   struct sk_buff_head *txq)
{
	struct homa_common_hdr h = {};
	u64 ticks;

	if (rpc->tries == NEED_ACK_TRIES) {
		homa_metric_inc(rpc->hn, need_acks_abandoned);
		homa_rpc_end(rpc);
		return;
	}
	if (homa_msgout_pending(&rpc->out))	/* there was no memory or route */
		homa_msgout_pump(rpc, false, txq);
	homa_output_control(rpc, HOMA_NEED_ACK, &h, sizeof(h), txq);
	tt_event(rpc->hn, NEED_ACK_SENT, homa_trace_id(rpc),
		 homa_trace_peer(rpc));
	ticks = (u64)max(READ_ONCE(rpc->hn->sysctl.request_ack_ticks), 1);
	ticks = min_t(u64, ticks << rpc->backoff, NEED_ACK_MAX_TICKS);
	rpc->tries++;
	rpc->backoff = min(rpc->backoff + 1, NEED_ACK_TRIES);
	rpc->next_action = now + timer_ack_ns(rpc, ticks);
	timer_arm(rpc, now);
}

/* True if it is this host's turn, so that the peer's silence means little. */
static bool timer_our_turn(const struct homa_rpc *rpc)
{
	const struct homa_msgin *in = &rpc->in;

	if (rpc->state == HOMA_INCOMING)
		return !in->has_bpages ||
		       in->length - in->left >= READ_ONCE(in->granted);
	return !RB_EMPTY_NODE(&rpc->pacer_node);
}

/* A sender that waits for our grants or for room should be there still. Asks
 * for its last packet again; false if it has not answered for long.
 */
static bool timer_probe(struct homa_rpc *rpc, u64 silence,
			struct sk_buff_head *txq)
{
	u64 timeout = ticks_to_ns(READ_ONCE(rpc->hn->sysctl.timeout_ticks));

	if (rpc->state != HOMA_INCOMING) {
		rpc->last_heard = homa_now();
		return true;
	}
	if (silence >= TIMER_PROBES * timeout &&
	    rpc->asked >= TIMER_PROBES - 1)
		return false;
	if (silence >= timeout) {
		rpc->asked++;
		homa_output_resend(rpc, max(rpc->in.end, 1u) - 1, 1,
				   homa_prio_highest(rpc->hn), txq);
	}
	rpc->next_action = homa_now() + timeout;
	return true;
}

static void timer_timed_out(struct homa_rpc *rpc)
{
	int ticks = READ_ONCE(rpc->hn->sysctl.timeout_ticks);

	homa_metric_inc(rpc->hn, rpc_timeouts);
	tt_event(rpc->hn, RPC_TIMEOUT, homa_trace_id(rpc),
		 homa_trace_peer(rpc), ticks);
	homa_freeze_on(rpc, HOMA_FREEZE_PEER_TIMEOUT);

	/* A server that is silent has not said that it takes the request. */
	if (rpc->out.ask == HOMA_ASK_SYNC && !rpc->soft_error) {
		homa_msgout_refuse(rpc);
		return;
	}
	homa_rpc_abort(rpc, rpc->soft_error ?: -ETIMEDOUT);
}

/* Questions that fit between the first one and the timeout, if an RPC has to wait at
 * least so long for each of them.
 */
static int timer_chances(const struct homa_rpc *rpc, u64 wait)
{
	const struct homa_sysctls *s = &rpc->hn->sysctl;
	u64 timeout = ticks_to_ns(READ_ONCE(s->timeout_ticks));
	u64 first = max(wait, ticks_to_ns(READ_ONCE(s->resend_ticks)));
	u64 interval = max(wait, ticks_to_ns(READ_ONCE(s->resend_interval)));

	return timeout > first ? div64_u64(timeout - first, interval) : 0;
}

/* Has the peer been silent for so long, and asked so often, that it must be
 * gone? If this host had no time to ask then silence proves nothing. A peer that
 * answers no RPC at all need not be asked about each of them.
 */
static bool timer_expired(const struct homa_rpc *rpc, u64 now)
{
	const struct homa_sysctls *s = &rpc->hn->sysctl;
	u64 timeout = ticks_to_ns(READ_ONCE(s->timeout_ticks));
	int crowd = max(timer_chances(rpc, timer_silence_ns(rpc, 0)),
			TIMER_MIN_ASKED);
	int enough = min3(timer_chances(rpc, 0), crowd,
			  READ_ONCE(s->timeout_resends));

	if (now - rpc->last_heard < timeout)
		return false;
	return rpc->asked >= enough ||
	       (now - READ_ONCE(rpc->peer->asked_since) >= timeout &&
		atomic_read(&rpc->peer->asked) >= enough);
}

/* When the timer is needed after a question: for the next one, or before that, if the
 * peer stays silent for long enough to be given up.
 */
static u64 timer_after_asking(const struct homa_rpc *rpc, u64 now)
{
	const struct homa_sysctls *s = &rpc->hn->sysctl;
	u64 next = now + timer_silence_ns(rpc, READ_ONCE(s->resend_interval));
	u64 end = ticks_to_ns(READ_ONCE(s->timeout_ticks)) +
		  max(rpc->last_heard, READ_ONCE(rpc->peer->asked_since));

	return end > now ? min(next, end) : next;
}

/* Asks for what is missing, unless many have asked the same peer just now. */
static void timer_ask(struct homa_rpc *rpc, u64 now, struct sk_buff_head *txq)
{
	bool may = homa_peer_may_ask(rpc->peer, now);

	rpc->next_action = timer_after_asking(rpc, now);
	if (!may)
		return;
	homa_freeze_on(rpc, HOMA_FREEZE_PACKET_LOST);
	homa_msgin_request_missing(rpc, txq);
	rpc->asked++;
}

/* What a request holds is wanted by others. Its client will send it again. */
static void timer_discard(struct homa_rpc *rpc)
{
	homa_metric_inc(rpc->hn, silent_discards);
	homa_rpc_end(rpc);
}

/* Asks for what is missing, or gives up. */
static void timer_silence(struct homa_rpc *rpc, u64 now,
			  struct sk_buff_head *txq)
{
	struct homa_sysctls *s = &rpc->hn->sysctl;
	u64 resend = timer_silence_ns(rpc, READ_ONCE(s->resend_ticks)) << rpc->patience;
	u64 heard = rpc->last_heard;
	u64 silence = now - heard;

	/* Without memory or route the pump left something behind. */
	if (rpc->state == HOMA_OUTGOING && homa_msgout_pending(&rpc->out)) {
		homa_msgout_pump(rpc, false, txq);
		rpc->last_heard = heard;
	}
	rpc->next_action = rpc->last_heard + resend;

	if (silence >= TIMER_UNWELCOME * resend && homa_silent_unwelcome(rpc)) {
		timer_discard(rpc);
		return;
	}
	if (timer_our_turn(rpc)) {
		if (!timer_probe(rpc, silence, txq)) {
			timer_timed_out(rpc);
			return;
		}
		rpc->next_action = max(rpc->next_action, now + resend);
		if (rpc->stranger && silence < TIMER_UNWELCOME * resend)
			rpc->next_action = now + resend;
	} else if (timer_expired(rpc, now)) {
		timer_timed_out(rpc);
		return;
	} else if (silence >= resend) {
		bool outranked = homa_grant_silent(rpc);

		if (outranked && silence < TIMER_QUEUED * resend) {
			rpc->next_action = now + resend;
		} else if (homa_silent_tolerate(rpc)) {
			timer_ask(rpc, now, txq);
		} else {
			timer_discard(rpc);
			return;
		}
	}
	timer_arm(rpc, now);
}

static void timer_fired(struct timer_list *t)
{
	struct homa_rpc *rpc = timer_container_of(rpc, t, timer);
	struct sk_buff_head txq;
	u64 now = homa_now();

	__skb_queue_head_init(&txq);
	spin_lock(&rpc->lock);
	if (rpc->state == HOMA_DEAD || rpc->error)
		goto done;
	tt_event(rpc->hn, TIMER, homa_trace_id(rpc), rpc->state, rpc->asked);
	if (now < rpc->next_action)
		timer_arm(rpc, now);
	else if (rpc->state == HOMA_INCOMING &&
		 !homa_msgin_complete(&rpc->in))
		timer_silence(rpc, now, &txq);
	else if (rpc->state == HOMA_OUTGOING && homa_is_client(rpc))
		timer_silence(rpc, now, &txq);
	else if (rpc->state == HOMA_OUTGOING)
		timer_need_ack(rpc, now, &txq);
done:
	spin_unlock(&rpc->lock);
	homa_output_flush(&txq);
	homa_rpc_put(rpc);
}

/**
 * homa_timer_init() - prepare an RPC's timer
 * @rpc: new RPC
 */
void homa_timer_init(struct homa_rpc *rpc)
{
	timer_setup(&rpc->timer, timer_fired, 0);
}
