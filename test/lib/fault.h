/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Failures on purpose, on a kernel with fault injection: the n-th chance is taken. */
#ifndef TEST_LIB_FAULT_H
#define TEST_LIB_FAULT_H

#include <stdbool.h>

/* Failures shall hit allocations that may sleep, and print nothing. */
void fault_prepare(void);

/* Only what modules ask for shall fail. 6.1 takes the n-th chance anyway. */
void fault_only_modules(void);

/* Takes the n-th chance of a failure of this thread from now on; 0: none. */
void fault_nth(int n);

/* Has the n-th chance not come yet? */
bool fault_is_left(void);

#endif
