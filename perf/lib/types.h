/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* The kernel's short names of types, which BPF programs have from vmlinux.h. */
#ifndef PERF_TYPES_H
#define PERF_TYPES_H

#include <linux/types.h>
#include <stdbool.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#endif
