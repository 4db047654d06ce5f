/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Names of places in the kernel's code. */
#ifndef PERF_KSYMS_H
#define PERF_KSYMS_H

#include <stddef.h>
#include <stdint.h>

/* "function+0x12" for @addr, in @text; "0x..." if there is no function. */
const char *ksyms_name(char *text, size_t size, uint64_t addr);

#endif
