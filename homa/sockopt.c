// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Socket options: Homa's own, and those of IP that mean something here.
 *
 * Options at level SOL_SOCKET never come here. Of those at levels SOL_IP and
 * SOL_IPV6 only the ones listed below exist: what would make IP headers longer
 * (options, extension headers) or belongs to multicast is refused with
 * ENOPROTOOPT, like everything unknown. IP itself stores and checks the values;
 * output.c and icmp.c use them.
 */
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/uaccess.h>
#include <net/ip.h>
#include <net/ipv6.h>

#include "msgin.h"
#include "sock.h"
#include "sockopt.h"

/* What a receive region must have beyond one bpage for each core. */
#define RCVBUF_MIN_EXTRA 2000000
#define RCVBUF_MAX BIT_ULL(32)

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

/* What was promised to peers must stay true, so it can only be raised. */
static int set_max_message(struct homa_sock *hsk, sockptr_t optval,
			   unsigned int optlen)
{
	int value, bpages = 0, err = 0;

	if (optlen != sizeof(value))
		return homa_sock_error(hsk, -EINVAL, "wrong optlen");
	if (copy_from_sockptr(&value, optval, sizeof(value)))
		return homa_sock_error(hsk, -EFAULT, "cannot read optval");
	if (value < HOMA_MAX_MESSAGE_LENGTH || value > HOMA_MAX_LARGE_LENGTH)
		return homa_sock_error(hsk, -EINVAL, "length is out of range");
	if (value > HOMA_MAX_MESSAGE_LENGTH)
		bpages = DIV_ROUND_UP(value, HOMA_BPAGE_SIZE);
	spin_lock_bh(&hsk->lock);
	if (bpages < hsk->max_bpages)
		err = homa_sock_error(hsk, -EINVAL, "it cannot be lowered");
	else
		WRITE_ONCE(hsk->max_bpages, bpages);
	spin_unlock_bh(&hsk->lock);
	return err;
}

/* Options of IP that a Homa socket has. */
static bool ip_option_known(struct sock *sk, int level, int optname)
{
	if (level == SOL_IP) {
		switch (optname) {
		case IP_TOS:
		case IP_TTL:
		case IP_MTU:
		case IP_MTU_DISCOVER:
		case IP_RECVERR:
		case IP_FREEBIND:
		case IP_TRANSPARENT:
			return true;
		}
		return false;
	}
	if (level != SOL_IPV6 || sk->sk_family != AF_INET6)
		return false;
	switch (optname) {
	case IPV6_V6ONLY:
	case IPV6_TCLASS:
	case IPV6_UNICAST_HOPS:
	case IPV6_MTU:
	case IPV6_MTU_DISCOVER:
	case IPV6_RECVERR:
	case IPV6_FREEBIND:
	case IPV6_TRANSPARENT:
		return true;
	}
	return false;
}

/* IP takes this option only until a socket has a port, which ours has always.
 * Whether packets of IPv4 reach it is asked for each of them.
 */
static int set_v6only(struct homa_sock *hsk, sockptr_t optval,
		      unsigned int optlen)
{
	struct sock *sk = homa_sock_sk(hsk);
	int value, err = 0;

	if (optlen < sizeof(value))
		return homa_sock_error(hsk, -EINVAL, "wrong optlen");
	if (copy_from_sockptr(&value, optval, sizeof(value)))
		return homa_sock_error(hsk, -EFAULT, "cannot read optval");
	lock_sock(sk);
	if (value && ipv6_addr_v4mapped(&hsk->local))
		err = homa_sock_error(hsk, -EINVAL,
				      "socket is bound to an IPv4 address");
	else
		sk->sk_ipv6only = !!value;
	release_sock(sk);
	return err;
}

static int set_ip_option(struct homa_sock *hsk, int level, int optname,
			 sockptr_t optval, unsigned int optlen)
{
	struct sock *sk = homa_sock_sk(hsk);
	int err;

	if (level == SOL_IPV6 && optname == IPV6_V6ONLY)
		return set_v6only(hsk, optval, optlen);
	if (level == SOL_IPV6)
		err = ipv6_setsockopt(sk, level, optname, optval, optlen);
	else
		err = ip_setsockopt(sk, level, optname, optval, optlen);
	if (err)
		homa_sock_error(hsk, err, "refused by IP");
	return err;
}

/**
 * homa_setsockopt() - setsockopt(2)
 * @sock: socket
 * @level: IPPROTO_HOMA, SOL_IP or SOL_IPV6
 * @optname: option
 * @optval: its value
 * @optlen: bytes at @optval
 *
 * Context: process, sleeps.
 * Return: 0 or a negative errno
 */
int homa_setsockopt(struct socket *sock, int level, int optname,
		    sockptr_t optval, unsigned int optlen)
{
	struct homa_sock *hsk = homa_sk(sock->sk);
	struct homa_net *hn = homa_sock_net(hsk);
	u64 start = homa_now();
	int err;

	if (ip_option_known(sock->sk, level, optname))
		return set_ip_option(hsk, level, optname, optval, optlen);
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
	case SO_HOMA_MAX_MESSAGE:
		return set_max_message(hsk, optval, optlen);
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

/**
 * homa_getsockopt() - getsockopt(2)
 * @sock: socket
 * @level: IPPROTO_HOMA, SOL_IP or SOL_IPV6
 * @optname: option
 * @optval: where its value goes
 * @optlen: bytes at @optval; is set to those used
 *
 * Context: process, sleeps.
 * Return: 0 or a negative errno
 */
int homa_getsockopt(struct socket *sock, int level, int optname,
		    char __user *optval, int __user *optlen)
{
	struct homa_sock *hsk = homa_sk(sock->sk);
	/* Pairs with the release in set_rcvbuf(). */
	struct homa_rcvbuf *rb = smp_load_acquire(&hsk->rcvbuf);
	struct homa_rcvbuf_args args = {};
	int room, value;

	if (get_user(room, optlen))
		return homa_sock_error(hsk, -EFAULT, "cannot read optlen");
	if (ip_option_known(sock->sk, level, optname))
		return level == SOL_IP ?
		       ip_getsockopt(sock->sk, level, optname, optval, optlen) :
		       ipv6_getsockopt(sock->sk, level, optname, optval, optlen);
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
	case SO_HOMA_MAX_MESSAGE:
		value = homa_sock_max_send(hsk);
		return give_option(hsk, optval, optlen, room, &value,
				  sizeof(value));
	default:
		return homa_sock_error(hsk, -ENOPROTOOPT, "unknown option");
	}
}

