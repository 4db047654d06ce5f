// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* The socket family: what system calls on a Homa socket call.
 *
 * The system calls themselves are in files of their own: addr.c, sendmsg.c,
 * recvmsg.c, ioctl.c, sockopt.c.
 */
#include <linux/module.h>
#include <linux/poll.h>
#include <net/inet_common.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/protocol.h>
#include <net/transp_v6.h>

#include "addr.h"
#include "af_homa.h"
#include "encap.h"
#include "ioctl.h"
#include "rxmem.h"
#include "sendmsg.h"
#include "snapshot.h"
#include "sock.h"
#include "sockopt.h"

static int af_init(struct sock *sk)
{
	struct homa_net *hn = homa_net(sock_net(sk));
	int err;

	/* Without memory there is no timetrace, which is no reason to fail. */
	tt_net_start(&hn->tt);
	homa_snapshots_alloc(hn);
	err = homa_sock_init(homa_sk(sk));
	return err ? err : homa_encap_sock_init(hn, sk);
}

static void af_close(struct sock *sk, long timeout)
{
	homa_sock_shutdown(homa_sk(sk));
	sk_common_release(sk);
}

/* Called by sk_common_release(). After af_close() there is nothing to do, but
 * a socket whose creation was refused late (cgroup BPF) comes here only.
 */
static void af_unhash(struct sock *sk)
{
	homa_sock_unhash(homa_sk(sk));
}

static int af_bind(struct socket *sock, struct sockaddr_unsized *addr,
		   int length)
{
	return homa_addr_bind(homa_sk(sock->sk), addr, length);
}

static int af_shutdown(struct socket *sock, int how)
{
	homa_sock_shutdown(homa_sk(sock->sk));
	return 0;
}

static __poll_t af_poll(struct file *file, struct socket *sock,
			struct poll_table_struct *wait)
{
	struct sock *sk = sock->sk;
	struct homa_sock *hsk = homa_sk(sk);
	__poll_t mask = 0;

	sock_poll_wait(file, sock, wait);
	if (READ_ONCE(hsk->shutdown))
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | EPOLLHUP;
	if (!skb_queue_empty_lockless(&sk->sk_error_queue))
		mask |= EPOLLERR;
	if (!list_empty_careful(&hsk->ready))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (atomic_read(&hsk->private_ready))
		mask |= EPOLLPRI;
	if (atomic_long_read(&hsk->tx_mem) >= READ_ONCE(sk->sk_sndbuf)) {
		set_bit(SOCK_NOSPACE, &sock->flags);
		smp_mb__after_atomic();	/* pairs with homa_sock_uncharge() */
	}
	if (atomic_long_read(&hsk->tx_mem) < READ_ONCE(sk->sk_sndbuf))
		mask |= EPOLLOUT | EPOLLWRNORM;
	tt_event(homa_sock_net(hsk), POLL, hsk->port, (__force u32)mask);
	return mask;
}

/* Bytes that a socket may have beyond all limits: rxmem.c has its own. */
static int rxmem_guarantee;

#define HOMA_PROTO_COMMON \
	.owner = THIS_MODULE, \
	.close = af_close, \
	.pre_connect = homa_addr_pre_connect, \
	.disconnect = homa_addr_disconnect, \
	.init = af_init, \
	.unhash = af_unhash, \
	.memory_allocated = &homa_rxmem_allocated, \
	.per_cpu_fw_alloc = &homa_rxmem_reserve, \
	.sysctl_mem = homa_rxmem_limits, \
	.sysctl_rmem = &rxmem_guarantee, \
	.sysctl_wmem = &rxmem_guarantee, \
	.no_autobind = true

static struct proto homa_prot = {
	.name = "HOMA",
	HOMA_PROTO_COMMON,
	.connect = ip4_datagram_connect,
	.obj_size = sizeof(struct homa_sock),
};

static struct proto homa_v6_prot = {
	.name = "HOMAv6",
	HOMA_PROTO_COMMON,
	.connect = ip6_datagram_connect,
	.obj_size = sizeof(struct homa_v6_sock),
#ifdef HOMA_HAVE_IPV6_PINFO_OFFSET
	.ipv6_pinfo_offset = offsetof(struct homa_v6_sock, inet6),
#endif
};

#ifdef CONFIG_COMPAT
#define HOMA_OPS_COMPAT .compat_ioctl = homa_compat_ioctl,
#else
#define HOMA_OPS_COMPAT
#endif

#define HOMA_OPS_COMMON \
	.owner = THIS_MODULE, \
	.bind = af_bind, \
	.connect = inet_dgram_connect, \
	.socketpair = sock_no_socketpair, \
	.accept = sock_no_accept, \
	.poll = af_poll, \
	.ioctl = homa_ioctl, \
	HOMA_OPS_COMPAT \
	.listen = sock_no_listen, \
	.shutdown = af_shutdown, \
	.setsockopt = homa_setsockopt, \
	.getsockopt = homa_getsockopt, \
	.sendmsg = homa_sendmsg, \
	.recvmsg = homa_recvmsg, \
	.mmap = sock_no_mmap

static const struct proto_ops homa_ops = {
	.family = PF_INET,
	HOMA_OPS_COMMON,
	.release = inet_release,
	.getname = inet_getname,
};

static const struct proto_ops homa_v6_ops = {
	.family = PF_INET6,
	HOMA_OPS_COMMON,
	.release = inet6_release,
	.getname = inet6_getname,
};

static struct inet_protosw homa_protosw = {
	.type = SOCK_DGRAM,
	.protocol = IPPROTO_HOMA,
	.prot = &homa_prot,
	.ops = &homa_ops,
	.flags = INET_PROTOSW_REUSE,
};

static struct inet_protosw homa_v6_protosw = {
	.type = SOCK_DGRAM,
	.protocol = IPPROTO_HOMA,
	.prot = &homa_v6_prot,
	.ops = &homa_v6_ops,
	.flags = INET_PROTOSW_REUSE,
};

/**
 * homa_af_register() - let user programs make Homa sockets
 *
 * Context: process, sleeps.
 * Return: 0 or a negative errno
 */
int homa_af_register(void)
{
	int err;

	homa_rxmem_setup();
	err = proto_register(&homa_prot, 1);
	if (err)
		return err;
	err = proto_register(&homa_v6_prot, 1);
	if (err)
		goto err_prot;
	err = inet6_register_protosw(&homa_v6_protosw);
	if (err)
		goto err_v6_prot;
	/* Cannot fail: nobody makes a socket while a load fails. */
	inet_register_protosw(&homa_protosw);
	return 0;

err_v6_prot:
	proto_unregister(&homa_v6_prot);
err_prot:
	proto_unregister(&homa_prot);
	return err;
}

/**
 * homa_af_unregister() - no more Homa sockets; there are none left
 *
 * Context: process, sleeps.
 */
void homa_af_unregister(void)
{
	inet_unregister_protosw(&homa_protosw);
	inet6_unregister_protosw(&homa_v6_protosw);
	proto_unregister(&homa_v6_prot);
	proto_unregister(&homa_prot);
}
