/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What the kernel logs while a test runs. */
#ifndef TEST_LIB_KLOG_H
#define TEST_LIB_KLOG_H

/* A descriptor that gives what is written to the kernel's log from now on. */
int klog_open(void);

/* Prints the records since the last call, and returns how many there are. */
int klog_records(int fd);

/* Returns how many of the records since the last call have a text. */
int klog_having(int fd, const char *text);

#endif
