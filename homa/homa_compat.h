/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What older kernels lack, under the names that newer ones use.
 *
 * The sources are written for the newest kernel. This header is included
 * before everything else in every file of the module, and it is the only one
 * that may ask for a kernel version. Each entry: the version that brought the
 * change, what changed, and one wrapper.
 */
#ifndef _HOMA_COMPAT_H
#define _HOMA_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0)
#error "Homa needs Linux 6.1 or newer"
#endif

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/types.h>
#include <linux/timer.h>

/* 6.2: del_timer() and del_timer_sync() were renamed. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define timer_delete(t) del_timer(t)
#define timer_delete_sync(t) del_timer_sync(t)
#endif

/* 6.16: from_timer() was renamed. */
#ifndef timer_container_of
#define timer_container_of(var, callback_timer, timer_fieldname) \
	container_of(callback_timer, typeof(*var), timer_fieldname)
#endif

/* 6.19: addresses of unknown size have a type of their own. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
#define sockaddr_unsized sockaddr
#endif

/* 6.5: struct proto says where the IPv6 part of a socket is; before, it had
 * to be at the end of the object (which is where ours is).
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 5, 0)
#define HOMA_HAVE_IPV6_PINFO_OFFSET
#endif

/* 6.6: register_net_sysctl() needs the size of the table. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define register_net_sysctl_sz(net, path, table, size) \
	({ (void)(size); register_net_sysctl(net, path, table); })
#endif

/* 6.6: skb_gso_segment() has a header of its own. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#define HOMA_HAVE_NET_GSO_H
#endif

/* 6.11: proc handlers take a pointer to a constant table. */
struct ctl_table;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
typedef const struct ctl_table homa_ctl_table;
#else
typedef struct ctl_table homa_ctl_table;
#endif

/* 6.13: the name of an imported namespace is a string. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define HOMA_IMPORT_KUNIT() MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING)
#else
#define HOMA_IMPORT_KUNIT() MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING")
#endif

/* 6.13: timers get their function when they are set up. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define hrtimer_setup(timer, function_, clock, mode)	\
	do {						\
		hrtimer_init(timer, clock, mode);	\
		(timer)->function = function_;		\
	} while (0)
#endif

#endif /* _HOMA_COMPAT_H */
