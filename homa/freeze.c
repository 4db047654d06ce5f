// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* FREEZE packets: all hosts that this one knows stop their timetraces, so that
 * what has just happened can be looked at on all of them.
 *
 * They belong to no RPC and are for no port; each of them decides whether it
 * obeys. One that does not get its packet goes on: nothing is repeated.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <net/sock.h>

#include "freeze.h"
#include "output.h"
#include "peer.h"
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

/**
 * homa_freeze_peers() - ask all known hosts to freeze their timetraces
 * @hn: host; without sockets it asks nobody
 *
 * Context: process, sleeps.
 */
void homa_freeze_peers(struct homa_net *hn)
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
