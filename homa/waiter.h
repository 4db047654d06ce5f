/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Threads that wait for messages. */
#ifndef _HOMA_WAITER_H
#define _HOMA_WAITER_H

#include "rpc.h"

struct task_struct;

struct homa_rpc *homa_wait_shared(struct homa_sock *hsk, bool nonblocking, u64 *at);
struct homa_rpc *homa_wait_private(struct homa_sock *hsk, u64 id,
				   bool nonblocking, bool *keep_id, u64 *at);
struct task_struct *homa_waiter_take(struct homa_sock *hsk);
void homa_waiter_wake_all(struct homa_sock *hsk);

#endif /* _HOMA_WAITER_H */
