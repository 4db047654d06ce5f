// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Freezing: this host's timetrace stops, with the state of its RPCs as the last
 * that it records, and those of all hosts that it knows, so that what has just
 * happened can be looked at on all of them.
 *
 * The administrator does it (net.homa.action), or what net.homa.freeze_type
 * waits for happens, or another host asks for it by a FREEZE packet. Those belong
 * to no RPC and are for no port; each host decides whether it obeys. One that
 * does not get its packet goes on: nothing is repeated.
 *
 * Packets and RPCs leave the work to a thread, since they hold locks, and since
 * recording the state of all RPCs takes long if there are many.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <net/sock.h>

#include "freeze.h"
#include "output.h"
#include "peer.h"
#include "rpc.h"
#include "snapshot.h"
#include "sock.h"

/**
 * struct freeze_socks - sockets of this host that can send
 * @v4: to IPv4 hosts; a reference is held; or NULL
 * @v6: to IPv6 hosts; the same
 */
struct freeze_socks {
	struct homa_sock *v4;
	struct homa_sock *v6;
};

static bool freeze_hold(struct homa_sock *hsk)
{
	return refcount_inc_not_zero(&homa_sock_sk(hsk)->sk_refcnt);
}

static void freeze_pick(struct homa_sock *hsk, void *arg)
{
	struct sock *sk = homa_sock_sk(hsk);
	struct freeze_socks *socks = arg;

	if (!socks->v4 && !ipv6_only_sock(sk) && freeze_hold(hsk))
		socks->v4 = hsk;
	if (!socks->v6 && sk->sk_family == AF_INET6 && freeze_hold(hsk))
		socks->v6 = hsk;
}

static void freeze_send(struct homa_sock *hsk, const struct homa_peer_key *peer)
{
	struct homa_path path = { .daddr = peer->addr, .oif = peer->scope };
	struct homa_common_hdr h = {};
	struct sk_buff_head txq;

	__skb_queue_head_init(&txq);
	homa_output_reply(hsk, &path, HOMA_FREEZE, &h, sizeof(h), &txq);
	homa_output_flush(&txq);
	tt_event(homa_sock_net(hsk), FREEZE_SENT, tt_addr6(&peer->addr));
}

/* Asks all known hosts to freeze their timetraces; without sockets, nobody. */
static void freeze_peers(struct homa_net *hn)
{
	struct freeze_socks socks = {};
	struct homa_peer_key *peers;
	int i, n;

	n = homa_peers_list(hn, &peers);
	homa_sock_for_each(hn, freeze_pick, &socks);
	for (i = 0; i < n; i++) {
		bool ipv4 = ipv6_addr_v4mapped(&peers[i].addr);
		struct homa_sock *hsk = ipv4 ? socks.v4 : socks.v6;

		if (hsk)
			freeze_send(hsk, &peers[i]);
		cond_resched();
	}
	if (socks.v4)
		sock_put(homa_sock_sk(socks.v4));
	if (socks.v6)
		sock_put(homa_sock_sk(socks.v6));
	kvfree(peers);
}

/**
 * homa_freeze() - record the state of all RPCs and freeze the timetrace
 * @hn: host; nothing happens if its timetrace is frozen
 * @tell: have all known hosts do the same
 *
 * Context: process, sleeps.
 */
void homa_freeze(struct homa_net *hn, bool tell)
{
	if (tell)
		freeze_peers(hn);
	if (!tt_is_frozen(&hn->tt)) {
		homa_snapshots_trace(hn);
		homa_rpc_trace_all(hn);
	}
	tt_freeze(&hn->tt);
}

static void freeze_work(struct work_struct *work)
{
	struct homa_net *hn = container_of(work, struct homa_net, freezer.work);

	homa_freeze(hn, xchg(&hn->freezer.tell, false));
}

/**
 * homa_freeze_rcvd() - another host asks for a freeze
 * @hn: host
 * @peer: address of the other one, as timetraces show it
 * @port: port that the packet was for, which need not exist
 *
 * Context: any.
 */
void homa_freeze_rcvd(struct homa_net *hn, u32 peer, u16 port)
{
	if (tt_is_frozen(&hn->tt))
		return;
	tt_event(hn, FREEZE_RCVD, peer, port);
	schedule_work(&hn->freezer.work);
}

/**
 * __homa_freeze_on() - what net.homa.freeze_type waits for has happened
 * @rpc: RPC that it happened to
 * @type: what
 *
 * Once: the setting is reset.
 *
 * Context: any.
 */
void __homa_freeze_on(struct homa_rpc *rpc, enum homa_freeze_type type)
{
	struct homa_net *hn = rpc->hn;

	if (cmpxchg(&hn->sysctl.freeze_type, type, 0) != type ||
	    tt_is_frozen(&hn->tt))
		return;
	tt_event(hn, FREEZE_REASON, type, homa_trace_id(rpc),
		 homa_trace_peer(rpc));
	WRITE_ONCE(hn->freezer.tell, true);
	schedule_work(&hn->freezer.work);
}

/* Whether a response of this length took as long as net.homa.temp says: its
 * first two numbers are the least and the most, in units of 1024 ns, the next
 * two the least length and one more than the most.
 */
static bool freeze_slow(const struct homa_rpc *rpc, u32 length)
{
	const int *limits = rpc->hn->sysctl.temp;
	u64 took = (homa_now() - rpc->created) >> 10;

	return (s64)took >= READ_ONCE(limits[0]) &&
	       (s64)took <= READ_ONCE(limits[1]) &&
	       (s64)length >= READ_ONCE(limits[2]) &&
	       (s64)length < READ_ONCE(limits[3]);
}

/**
 * homa_freeze_slow() - a response is complete; was it slow?
 * @rpc: client RPC
 *
 * Context: rpc->lock held.
 */
void homa_freeze_slow(struct homa_rpc *rpc)
{
	lockdep_assert_held(&rpc->lock);
	if (READ_ONCE(rpc->hn->sysctl.freeze_type) != HOMA_FREEZE_SLOW_RPC ||
	    !freeze_slow(rpc, rpc->in.length))
		return;
	tt_event(rpc->hn, LONG_RTT,
		 div_u64(homa_now() - rpc->created, NSEC_PER_USEC),
		 homa_trace_id(rpc), homa_trace_peer(rpc), rpc->in.length);
	__homa_freeze_on(rpc, HOMA_FREEZE_SLOW_RPC);
}

/**
 * homa_freeze_net_init() - prepare a host's freezes
 * @hn: host
 *
 * Context: process.
 * Return: 0
 */
int homa_freeze_net_init(struct homa_net *hn)
{
	INIT_WORK(&hn->freezer.work, freeze_work);
	return 0;
}

/**
 * homa_freeze_net_exit() - wait for what is under way
 * @hn: host without sockets, for which no packets come
 *
 * Context: process, sleeps.
 */
void homa_freeze_net_exit(struct homa_net *hn)
{
	cancel_work_sync(&hn->freezer.work);
}
