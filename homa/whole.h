/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What the kernel calls in the unit of whole.c. */
#ifndef _HOMA_WHOLE_H
#define _HOMA_WHOLE_H

#include <linux/compiler.h>

__visible int init_module(void);
__visible void cleanup_module(void);

#endif /* _HOMA_WHOLE_H */
