/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Which addresses a socket uses. */
#ifndef _HOMA_ADDR_H
#define _HOMA_ADDR_H

#include <linux/net.h>

#include "rpc.h"
#include "sock.h"

int homa_addr_bind(struct homa_sock *hsk, struct sockaddr_unsized *addr,
		   int length);
int homa_addr_pre_connect(struct sock *sk, struct sockaddr_unsized *addr,
			  int length);
int homa_addr_disconnect(struct sock *sk, int flags);
int homa_addr_peer(struct homa_sock *hsk, struct msghdr *msg,
		   struct homa_peer_key *peer, __be16 *port);
int homa_addr_source(struct homa_sock *hsk, struct homa_rpc *rpc);
int homa_addr_fill(const struct homa_rpc *rpc, void *name);
int homa_addr_tell(const struct homa_rpc *rpc, void *name);

#endif /* _HOMA_ADDR_H */
