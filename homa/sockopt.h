/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Socket options. */
#ifndef _HOMA_SOCKOPT_H
#define _HOMA_SOCKOPT_H

#include <linux/net.h>
#include <linux/sockptr.h>

int homa_setsockopt(struct socket *sock, int level, int optname,
		    sockptr_t optval, unsigned int optlen);
int homa_getsockopt(struct socket *sock, int level, int optname,
		    char __user *optval, int __user *optlen);

#endif /* _HOMA_SOCKOPT_H */
