/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What a host has: for /proc/net/homa and sock_diag. */
#ifndef _HOMA_INSPECT_H
#define _HOMA_INSPECT_H

#include "sock.h"

/**
 * struct homa_sock_cursor - a place in a walk over a host's sockets
 * @bucket: of homa_ports
 * @skip: sockets of the bucket that come before
 *
 * A walk may be interrupted. Of sockets that come, go or move meanwhile some may be
 * missing or come twice.
 */
struct homa_sock_cursor {
	int bucket;
	int skip;
};

__visible struct homa_sock *homa_inspect_at(struct net *net,
					    struct homa_sock_cursor *at);
__visible void homa_inspect_sock(struct homa_sock *hsk,
				 struct homa_sock_info *info);

int homa_inspect_net_init(struct homa_net *hn);
void homa_inspect_net_exit(struct homa_net *hn);

#endif /* _HOMA_INSPECT_H */
