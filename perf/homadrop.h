/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What homadrop's BPF programs and the program itself agree on. */
#ifndef PERF_HOMADROP_H
#define PERF_HOMADROP_H

enum { BY_KERNEL, BY_HOMA };

#define STACK_FRAMES 16
#define MAX_KEYS 4096

/* Drops that are counted together. */
struct drop_key {
	u32 by;
	u32 why;		/* enum skb_drop_reason or enum homa_drop */
	u32 type;		/* of the packet, 0: not known */
	s32 stack;		/* in map stacks; negative: there is none */
};

#endif
