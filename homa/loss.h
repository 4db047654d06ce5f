/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What is lost, and not only late. */
#ifndef _HOMA_LOSS_H
#define _HOMA_LOSS_H

#include <linux/types.h>

struct homa_rpc;

void homa_loss_arrived(struct homa_rpc *rpc, u8 level, u32 packets);
void homa_loss_cancel(struct homa_rpc *rpc);

#endif /* _HOMA_LOSS_H */
