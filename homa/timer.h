/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What happens when nothing happens. */
#ifndef _HOMA_TIMER_H
#define _HOMA_TIMER_H

struct homa_rpc;

void homa_timer_init(struct homa_rpc *rpc);
void homa_timer_sent(struct homa_rpc *rpc, u64 now);
void homa_timer_heard(struct homa_rpc *rpc, u64 now);
void homa_timer_busy(struct homa_rpc *rpc);
void homa_timer_wait(struct homa_rpc *rpc, u64 now);
void homa_timer_cancel(struct homa_rpc *rpc);

#endif /* _HOMA_TIMER_H */
