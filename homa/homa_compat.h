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

/* 6.16: the owner of a socket is read by a function. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 16, 0)
#define sk_uid(sk) ((sk)->sk_uid)
#endif

/* 6.16: variables that the compiler need not clear have a mark. */
#ifndef __uninitialized
#if __has_attribute(__uninitialized__)
#define __uninitialized __attribute__((__uninitialized__))
#else
#define __uninitialized
#endif
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

/* 6.6: flags of sockets are bits of an atomic word. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 6, 0)
#define homa_bit_RECVERR(sk) inet_sk(sk)->recverr
#define homa_bit_RECVERR6(sk) inet6_sk(sk)->recverr
#define inet_test_bit(nr, sk) homa_bit_##nr(sk)
#define inet6_test_bit(nr, sk) homa_bit_##nr(sk)
#endif

/* 6.7: programs of a cgroup may change the length of an address. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
#define homa_cgroup_bind(sk, addr, length, type) \
	({ (void)(length); \
	   BPF_CGROUP_RUN_PROG_INET_BIND_LOCK(sk, addr, type, &(u32){ 0 }); })
#define homa_cgroup_connect(sk, addr, length, type) \
	({ (void)(length); BPF_CGROUP_RUN_SA_PROG_LOCK(sk, addr, type, NULL); })
#define homa_cgroup_send(sk, addr, length, type, source) \
	({ (void)(length); BPF_CGROUP_RUN_SA_PROG_LOCK(sk, addr, type, source); })
#else
#define homa_cgroup_bind(sk, addr, length, type) \
	BPF_CGROUP_RUN_PROG_INET_BIND_LOCK(sk, addr, length, type, &(u32){ 0 })
#define homa_cgroup_connect(sk, addr, length, type) \
	({ (void)(length); \
	   BPF_CGROUP_RUN_SA_PROG_LOCK(sk, addr, length, type, NULL); })
#define homa_cgroup_send(sk, addr, length, type, source) \
	({ (void)(length); \
	   BPF_CGROUP_RUN_SA_PROG_LOCK(sk, addr, length, type, source); })
#endif

/* 6.7: shrinkers are allocated, and know whose they are. Before, memory for one could
 * also be lacking when it was registered.
 */
#include <linux/shrinker.h>
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)
struct homa_shrinker {
	struct shrinker shrinker;
	void *owner;
};

#define homa_shrinker_of(s) container_of(s, struct homa_shrinker, shrinker)
#define homa_shrinker_owner(s) (homa_shrinker_of(s)->owner)
#define shrinker_alloc(flags, name) \
	kzalloc(sizeof(struct homa_shrinker), GFP_KERNEL)
#define homa_shrinker_register(s, owner_, name) \
	(homa_shrinker_of(s)->owner = (owner_), register_shrinker(s, name))
#define shrinker_free(s) \
	({ unregister_shrinker(s); kfree(homa_shrinker_of(s)); })
#else
#define homa_shrinker_owner(s) ((s)->private_data)
#define homa_shrinker_register(s, owner, name) \
	((s)->private_data = (owner), shrinker_register(s), 0)
#endif

/* 6.2: what a tunnel in UDP gets to know of an ICMP error beside the packet; of it
 * only where UDP's header is.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define HOMA_ENCAP_ERR_ARGS unsigned int udp_offset
#define HOMA_ENCAP_ERR_OFFSET(skb) (udp_offset)
#else
#define HOMA_ENCAP_ERR_ARGS int err, __be16 port, u32 info, u8 *payload
#define HOMA_ENCAP_ERR_OFFSET(skb) \
	(payload - (skb)->data - sizeof(struct udphdr))
#endif

/* 6.8: handlers of sock_diag name their module. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#define HOMA_DIAG_OWNER .owner = THIS_MODULE,
#else
#define HOMA_DIAG_OWNER
#endif

/* 7.0: a filter of sock_diag is asked with all that belongs to the dump. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
#define homa_diag_matches(cb, sk) inet_diag_bc_sk((cb)->data, sk)
#else
#define homa_diag_matches(cb, sk) \
	inet_diag_bc_sk(((struct inet_diag_dump_data *)(cb)->data)->inet_diag_nla_bc, sk)
#endif

/* 6.11: proc handlers take a pointer to a constant table. */
struct ctl_table;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
typedef const struct ctl_table homa_ctl_table;
#else
typedef struct ctl_table homa_ctl_table;
#endif

/* 7.0: receiving functions set msg_namelen, where they had an argument for it. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
#define homa_recv_error(sk, msg, len) \
	inet_recv_error(sk, msg, len, &(msg)->msg_namelen)
#else
#define homa_recv_error(sk, msg, len) inet_recv_error(sk, msg, len)
#endif

/* 6.13: the name of an imported namespace is a string. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define HOMA_IMPORT_KUNIT() MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING)
#else
#define HOMA_IMPORT_KUNIT() MODULE_IMPORT_NS("EXPORTED_FOR_KUNIT_TESTING")
#endif

/* 6.6: receive queues have a header of their own; 6.9: so has RPS. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 6, 0)
#define HOMA_HAVE_NETDEV_RX_QUEUE_H
#endif
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
#define HOMA_HAVE_NET_RPS_H
#endif

/* 6.19: a qdisc knows how many segments a packet is made of. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
#define homa_set_pkt_segs(skb, segs) (qdisc_skb_cb(skb)->pkt_segs = (segs))
#else
#define homa_set_pkt_segs(skb, segs) ((void)(segs))
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
