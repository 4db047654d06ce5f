/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* A cgroup of its own, to see what is charged to it. */
#ifndef TEST_LIB_CGROUP_H
#define TEST_LIB_CGROUP_H

/* Moves the calling process into a new cgroup, and back out of it. */
void cgroup_enter(void);
void cgroup_leave(void);

/* A number in a file of the cgroup: the one behind @word at the beginning of a line. */
long long cgroup_get(const char *file, const char *word);

#endif
