// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* The socket family: what system calls on a Homa socket call.
 *
 * Arguments are checked here, then a noun does the work. sendmsg(2),
 * recvmsg(2) and ioctl(2) have files of their own.
 */
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/uaccess.h>
#include <net/inet_common.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/protocol.h>
#include <net/transp_v6.h>

#include "af_homa.h"
#include "ioctl.h"
#include "msgin.h"
#include "sendmsg.h"
#include "sock.h"

/* What a receive region must have beyond one bpage for each core. */
#define RCVBUF_MIN_EXTRA 2000000
#define RCVBUF_MAX BIT_ULL(32)

static int af_init(struct sock *sk)
{
	struct homa_sock *hsk = homa_sk(sk);

	/* Without memory there is no timetrace, which is no reason to fail. */
	tt_net_start(&homa_sock_net(hsk)->tt);
	return homa_sock_init(hsk);
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

static int af_pre_connect(struct sock *sk, struct sockaddr_unsized *addr,
			  int length)
{
	return 0;
}

static int af_disconnect(struct sock *sk, int flags)
{
	struct inet_sock *inet = inet_sk(sk);

	lock_sock(sk);
	sk->sk_state = TCP_CLOSE;
	inet->inet_daddr = 0;
	inet->inet_dport = 0;
	inet_reset_saddr(sk);
	sk_dst_reset(sk);
	release_sock(sk);
	return 0;
}

static int af_bind(struct socket *sock, struct sockaddr_unsized *addr,
		   int length)
{
	struct sockaddr_in *in = (struct sockaddr_in *)addr;
	struct homa_sock *hsk = homa_sk(sock->sk);
	int family = sock->sk->sk_family;
	u16 port;

	if (length < (int)sizeof(sa_family_t))
		return homa_sock_error(hsk, -EINVAL, "address is too short");
	if (in->sin_family != family)
		return homa_sock_error(hsk, -EAFNOSUPPORT,
				       "address is of another family");
	if (length < (int)(family == AF_INET6 ? sizeof(struct sockaddr_in6) :
						sizeof(struct sockaddr_in)))
		return homa_sock_error(hsk, -EINVAL, "address is too short");
	port = ntohs(in->sin_port);	/* at the same place in both families */
	if (!port)
		return 0;
	if (port >= HOMA_MIN_DEFAULT_PORT)
		return homa_sock_error(hsk, -EINVAL,
				       "port is for automatic assignment");
	return homa_sock_bind(hsk, port);
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
		mask |= EPOLLIN;
	if (!list_empty_careful(&hsk->ready))
		mask |= EPOLLIN | EPOLLRDNORM;
	if (atomic_read(&hsk->tx_mem) >= READ_ONCE(sk->sk_sndbuf)) {
		set_bit(SOCK_NOSPACE, &sock->flags);
		smp_mb__after_atomic();	/* pairs with homa_sock_uncharge() */
	}
	if (atomic_read(&hsk->tx_mem) < READ_ONCE(sk->sk_sndbuf))
		mask |= EPOLLOUT | EPOLLWRNORM;
	tt_event(homa_sock_net(hsk), POLL, hsk->port, (__force u32)mask);
	return mask;
}

/* Checks a receive region. The order is part of the ABI. */
static int rcvbuf_check(struct homa_sock *hsk,
			const struct homa_rcvbuf_args *args)
{
	if (copy_to_user(u64_to_user_ptr(args->start), args, sizeof(*args)))
		return homa_sock_error(hsk, -EFAULT, "region is not writable");
	if (args->start & ~PAGE_MASK)
		return homa_sock_error(hsk, -EINVAL,
				       "region is not page aligned");
	if (args->length < (u64)nr_cpu_ids * HOMA_BPAGE_SIZE + RCVBUF_MIN_EXTRA)
		return homa_sock_error(hsk, -EINVAL, "region is too small");
	if (args->length > RCVBUF_MAX ||
	    !access_ok(u64_to_user_ptr(args->start), args->length))
		return homa_sock_error(hsk, -EINVAL, "region is too large");
	return 0;
}

static int set_rcvbuf(struct homa_sock *hsk, sockptr_t optval,
		      unsigned int optlen)
{
	struct homa_rcvbuf_args args;
	struct homa_rcvbuf *rb;
	int err;

	if (optlen != sizeof(args))
		return homa_sock_error(hsk, -EINVAL, "wrong optlen");
	if (copy_from_sockptr(&args, optval, sizeof(args)))
		return homa_sock_error(hsk, -EFAULT, "cannot read optval");
	err = rcvbuf_check(hsk, &args);
	if (err)
		return err;
	rb = homa_rcvbuf_alloc(args.start, args.length);
	if (!rb)
		return homa_sock_error(hsk, -ENOMEM, "no memory");

	spin_lock_bh(&hsk->lock);
	if (hsk->rcvbuf) {
		err = -EINVAL;
	} else {
		smp_store_release(&hsk->rcvbuf, rb);	/* read without lock */
		rb = NULL;
	}
	spin_unlock_bh(&hsk->lock);
	homa_rcvbuf_free(rb);
	homa_msgin_serve_waiters(hsk);
	return err;
}

static int set_server(struct homa_sock *hsk, sockptr_t optval,
		      unsigned int optlen)
{
	int value;

	if (optlen != sizeof(value))
		return homa_sock_error(hsk, -EINVAL, "wrong optlen");
	if (copy_from_sockptr(&value, optval, sizeof(value)))
		return homa_sock_error(hsk, -EFAULT, "cannot read optval");
	WRITE_ONCE(hsk->is_server, !!value);
	return 0;
}

static int af_setsockopt(struct socket *sock, int level, int optname,
			 sockptr_t optval, unsigned int optlen)
{
	struct homa_sock *hsk = homa_sk(sock->sk);
	struct homa_net *hn = homa_sock_net(hsk);
	u64 start = homa_now();
	int err;

	if (level != IPPROTO_HOMA)
		return homa_sock_error(hsk, -ENOPROTOOPT, "unknown level");
	switch (optname) {
	case SO_HOMA_RCVBUF:
		err = set_rcvbuf(hsk, optval, optlen);
		homa_metric_inc(hn, so_set_buf_calls);
		homa_metric_add(hn, so_set_buf_cycles, homa_now() - start);
		return err;
	case SO_HOMA_SERVER:
		return set_server(hsk, optval, optlen);
	default:
		return homa_sock_error(hsk, -ENOPROTOOPT, "unknown option");
	}
}

static int give_option(struct homa_sock *hsk, char __user *optval,
		       int __user *optlen, int room, const void *value,
		       int size)
{
	if (room < size)
		return homa_sock_error(hsk, -EINVAL, "optlen is too small");
	if (put_user(size, optlen))
		return homa_sock_error(hsk, -EFAULT, "cannot write optlen");
	if (copy_to_user(optval, value, size))
		return homa_sock_error(hsk, -EFAULT, "cannot write optval");
	return 0;
}

static int af_getsockopt(struct socket *sock, int level, int optname,
			 char __user *optval, int __user *optlen)
{
	struct homa_sock *hsk = homa_sk(sock->sk);
	/* Pairs with the release in set_rcvbuf(). */
	struct homa_rcvbuf *rb = smp_load_acquire(&hsk->rcvbuf);
	struct homa_rcvbuf_args args = {};
	int room, value;

	if (get_user(room, optlen))
		return homa_sock_error(hsk, -EFAULT, "cannot read optlen");
	if (level != IPPROTO_HOMA)
		return homa_sock_error(hsk, -ENOPROTOOPT, "unknown level");
	switch (optname) {
	case SO_HOMA_RCVBUF:
		if (rb) {
			args.start = rb->start;
			args.length = (u64)rb->num_bpages << HOMA_BPAGE_SHIFT;
		}
		return give_option(hsk, optval, optlen, room, &args,
				  sizeof(args));
	case SO_HOMA_SERVER:
		value = READ_ONCE(hsk->is_server);
		return give_option(hsk, optval, optlen, room, &value,
				  sizeof(value));
	default:
		return homa_sock_error(hsk, -ENOPROTOOPT, "unknown option");
	}
}

#define HOMA_PROTO_COMMON \
	.owner = THIS_MODULE, \
	.close = af_close, \
	.pre_connect = af_pre_connect, \
	.disconnect = af_disconnect, \
	.init = af_init, \
	.unhash = af_unhash, \
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

#define HOMA_OPS_COMMON \
	.owner = THIS_MODULE, \
	.bind = af_bind, \
	.connect = inet_dgram_connect, \
	.socketpair = sock_no_socketpair, \
	.accept = sock_no_accept, \
	.poll = af_poll, \
	.ioctl = homa_ioctl, \
	.listen = sock_no_listen, \
	.shutdown = af_shutdown, \
	.setsockopt = af_setsockopt, \
	.getsockopt = af_getsockopt, \
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

	err = proto_register(&homa_prot, 1);
	if (err)
		return err;
	err = proto_register(&homa_v6_prot, 1);
	if (err)
		goto err_prot;
	inet_register_protosw(&homa_protosw);
	err = inet6_register_protosw(&homa_v6_protosw);
	if (err)
		goto err_protosw;
	return 0;

err_protosw:
	inet_unregister_protosw(&homa_protosw);
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
	inet6_unregister_protosw(&homa_v6_protosw);
	inet_unregister_protosw(&homa_protosw);
	proto_unregister(&homa_v6_prot);
	proto_unregister(&homa_prot);
}
