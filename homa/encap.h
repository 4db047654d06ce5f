/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Homa packets that look like TCP's. */
#ifndef _HOMA_ENCAP_H
#define _HOMA_ENCAP_H

#include <net/sock.h>

struct homa_net;

/**
 * homa_encap_used() - does a socket send its packets as TCP?
 * @sk: Homa socket
 *
 * Context: any.
 */
static inline bool homa_encap_used(const struct sock *sk)
{
	return sk->sk_protocol == IPPROTO_TCP;
}

int homa_encap_sock_init(struct homa_net *hn, struct sock *sk);
void homa_encap_net_init(struct homa_net *hn);
void homa_encap_net_stop(struct homa_net *hn);

#endif /* _HOMA_ENCAP_H */
