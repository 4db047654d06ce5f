/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* ioctl(2) on Homa sockets. */
#ifndef _HOMA_IOCTL_H
#define _HOMA_IOCTL_H

struct socket;

int homa_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg);
int homa_compat_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg);

#endif /* _HOMA_IOCTL_H */
