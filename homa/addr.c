// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Which addresses a socket uses.
 *
 *	bind(2)		the port that it receives on; with an address, also the
 *			only address that it receives at and sends from
 *	connect(2)	the peer of a sendmsg(2) that names none, and the address
 *			to send to it from; who may send to us does not change
 *	sendmsg(2)	the peer of one message
 *
 * A socket of AF_INET6 talks to IPv4 hosts by mapped addresses, unless it was
 * told IPV6_V6ONLY or is bound to an address of IPv6. A link-local address means
 * nothing without an interface: that of sin6_scope_id, or the one that the
 * socket is bound to. Routes belong to RPCs (output.c), so whatever of this a
 * socket has is never used for another one.
 */
#include <linux/bpf-cgroup.h>
#include <net/addrconf.h>
#include <net/inet_common.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/l3mdev.h>
#include <net/route.h>

#include "addr.h"

/* An address of a sockaddr, mapped if it is of IPv4; all zeros if unspecified. */
static void addr_read(int family, const void *addr, struct in6_addr *result)
{
	const struct sockaddr_in6 *in6 = addr;
	const struct sockaddr_in *in4 = addr;

	*result = in6addr_any;
	if (family == AF_INET6) {
		if (!ipv6_addr_v4mapped(&in6->sin6_addr) ||
		    in6->sin6_addr.s6_addr32[3])
			*result = in6->sin6_addr;
	} else if (in4->sin_addr.s_addr) {
		ipv6_addr_set_v4mapped(in4->sin_addr.s_addr, result);
	}
}

/* May a socket that is bound to a device, or to none (0), use an interface? */
static bool addr_scope_fits(struct sock *sk, u32 scope)
{
	int bound = READ_ONCE(sk->sk_bound_dev_if);

	return !bound || bound == scope ||
	       bound == l3mdev_master_ifindex_by_index(sock_net(sk), scope);
}

/* Is this IPv4 address ours? */
static int bind_check_v4(struct sock *sk, __be32 addr)
{
	struct net *net = sock_net(sk);
	int bound = READ_ONCE(sk->sk_bound_dev_if);
	struct net_device *dev = NULL;
	int type;

	rcu_read_lock();
	if (bound)
		dev = dev_get_by_index_rcu(net, bound);
	type = inet_addr_type_dev_table(net, dev, addr);
	rcu_read_unlock();
	if (type == RTN_LOCAL)
		return 0;
	return type != RTN_MULTICAST && type != RTN_BROADCAST &&
	       inet_can_nonlocal_bind(net, inet_sk(sk)) ? 0 : -EADDRNOTAVAIL;
}

/* Is this IPv6 address ours? A link-local one binds the socket to its device. */
static int bind_check_v6(struct sock *sk, const struct in6_addr *addr, u32 scope)
{
	struct net *net = sock_net(sk);
	int bound = READ_ONCE(sk->sk_bound_dev_if);
	struct net_device *dev = NULL;
	bool local;

	if (ipv6_addr_is_multicast(addr))
		return -EADDRNOTAVAIL;
	if (ipv6_addr_type(addr) & IPV6_ADDR_LINKLOCAL) {
		if (!scope)
			scope = bound;
		if (!scope || !addr_scope_fits(sk, scope))
			return -EINVAL;
		bound = scope;
	}
	rcu_read_lock();
	if (bound)
		dev = dev_get_by_index_rcu(net, bound);
	local = (dev || !bound) && ipv6_chk_addr(net, addr, dev, 0);
	rcu_read_unlock();
	if (!local && !ipv6_can_nonlocal_bind(net, inet_sk(sk)))
		return -EADDRNOTAVAIL;
	WRITE_ONCE(sk->sk_bound_dev_if, bound);
	return 0;
}

static int bind_check(struct homa_sock *hsk, const struct in6_addr *local,
		      u32 scope)
{
	struct sock *sk = homa_sock_sk(hsk);

	if (ipv6_addr_any(local))
		return 0;
	if (!ipv6_addr_v4mapped(local))
		return bind_check_v6(sk, local, scope);
	if (ipv6_only_sock(sk))
		return -EADDRNOTAVAIL;
	return bind_check_v4(sk, local->s6_addr32[3]);
}

/* Sets our address, all zeros for any: for packets, and for getsockname(2). */
static void bind_set(struct homa_sock *hsk, const struct in6_addr *local)
{
	struct inet_sock *inet = &hsk->inet;
	bool ipv4 = ipv6_addr_v4mapped(local);

	hsk->local = *local;
	inet->inet_saddr = ipv4 ? local->s6_addr32[3] : 0;
	inet->inet_rcv_saddr = inet->inet_saddr;
	if (inet->sk.sk_family == AF_INET6) {
		inet->sk.sk_v6_rcv_saddr = *local;
		inet6_sk(&inet->sk)->saddr = *local;
	}
}

/* Moves the socket to a port, 0: it stays, and to an address. */
static int bind_to(struct homa_sock *hsk, u16 port,
		   const struct in6_addr *local, u32 scope)
{
	struct sock *sk = homa_sock_sk(hsk);
	struct in6_addr old;
	int err;

	lock_sock(sk);
	old = hsk->local;
	err = bind_check(hsk, local, scope);
	if (err) {
		homa_sock_error(hsk, err, "address is not of this host");
	} else {
		bind_set(hsk, local);
		err = port ? homa_sock_bind(hsk, port) : 0;
		if (err)
			bind_set(hsk, &old);
	}
	release_sock(sk);
	return err;
}

/* Programs of the cgroup may refuse an address, or choose another. */
static int bind_ask_cgroup(struct sock *sk, struct sockaddr_unsized *addr,
			   int *length)
{
	if (sk->sk_family == AF_INET)
		return homa_cgroup_bind(sk, addr, length, CGROUP_INET4_BIND);
	return homa_cgroup_bind(sk, addr, length, CGROUP_INET6_BIND);
}

/**
 * homa_addr_bind() - bind(2)
 * @hsk: socket
 * @addr: in kernel memory, with room for any address
 * @length: of @addr
 *
 * The order in which arguments are checked is part of the ABI. Port 0 leaves the
 * port as it is: it does nothing, or only sets the address.
 *
 * Context: process, sleeps.
 * Return: 0 or a negative errno
 */
int homa_addr_bind(struct homa_sock *hsk, struct sockaddr_unsized *addr,
		   int length)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)addr;
	struct sock *sk = homa_sock_sk(hsk);
	int family = sk->sk_family;
	struct in6_addr local;
	u16 port;
	int err;

	if (length < (int)sizeof(sa_family_t))
		return homa_sock_error(hsk, -EINVAL, "address is too short");
	if (in6->sin6_family != family)
		return homa_sock_error(hsk, -EAFNOSUPPORT,
				       "address is of another family");
	if (length < (int)(family == AF_INET6 ? sizeof(struct sockaddr_in6) :
						sizeof(struct sockaddr_in)))
		return homa_sock_error(hsk, -EINVAL, "address is too short");
	err = bind_ask_cgroup(sk, addr, &length);
	if (err)
		return homa_sock_error(hsk, err, "refused by the cgroup");
	addr_read(family, addr, &local);
	port = ntohs(in6->sin6_port);	/* at the same place in both families */
	if (!port && ipv6_addr_any(&local))
		return 0;
	if (port >= HOMA_MIN_DEFAULT_PORT)
		return homa_sock_error(hsk, -EINVAL,
				       "port is for automatic assignment");
	return bind_to(hsk, port, &local,
		       family == AF_INET6 ? in6->sin6_scope_id : 0);
}

/**
 * homa_addr_pre_connect() - let programs of the cgroup see connect(2)
 * @sk: socket
 * @addr: in kernel memory, with room for any address
 * @length: of @addr
 *
 * Context: process, sleeps.
 * Return: 0 or a negative errno
 */
int homa_addr_pre_connect(struct sock *sk, struct sockaddr_unsized *addr,
			  int length)
{
	const struct sockaddr *sa = (const struct sockaddr *)addr;

	/* Others are refused by connect itself. */
	if (sa->sa_family == AF_INET && length >= (int)sizeof(struct sockaddr_in))
		return homa_cgroup_connect(sk, addr, &length,
					   CGROUP_INET4_CONNECT);
	if (sa->sa_family == AF_INET6 &&
	    length >= (int)sizeof(struct sockaddr_in6))
		return homa_cgroup_connect(sk, addr, &length,
					   CGROUP_INET6_CONNECT);
	return 0;
}

/**
 * homa_addr_disconnect() - connect(2) to AF_UNSPEC: no default peer any more
 * @sk: socket
 * @flags: unused
 *
 * What bind(2) has set stays.
 *
 * Context: process, sleeps.
 * Return: 0
 */
int homa_addr_disconnect(struct sock *sk, int flags)
{
	struct homa_sock *hsk = homa_sk(sk);

	lock_sock(sk);
	sk->sk_state = TCP_CLOSE;
	hsk->inet.inet_daddr = 0;
	hsk->inet.inet_dport = 0;
	if (sk->sk_family == AF_INET6)
		sk->sk_v6_daddr = in6addr_any;
	bind_set(hsk, &hsk->local);
	sk_dst_reset(sk);
	release_sock(sk);
	return 0;
}

/* Programs of the cgroup see whom an unconnected datagram is for (UDP4_SENDMSG,
 * UDP6_SENDMSG): they may refuse it, or choose another peer. Our own address is
 * not for them to choose, since all packets of an RPC have the same.
 */
static int peer_ask_cgroup_v4(struct sock *sk, struct homa_peer_key *peer,
			      __be16 *port)
{
	struct sockaddr_in in4 = {
		.sin_family = AF_INET,
		.sin_port = *port,
		.sin_addr.s_addr = peer->addr.s6_addr32[3],
	};
	int err, length = sizeof(in4);
	struct in_addr source = {};

	err = homa_cgroup_send(sk, (struct sockaddr_unsized *)&in4, &length,
			       CGROUP_UDP4_SENDMSG, &source);
	if (err)
		return err;
	if (source.s_addr || !in4.sin_port)
		return -EINVAL;
	ipv6_addr_set_v4mapped(in4.sin_addr.s_addr, &peer->addr);
	*port = in4.sin_port;
	return 0;
}

static int peer_ask_cgroup_v6(struct sock *sk, struct homa_peer_key *peer,
			      __be16 *port)
{
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6,
		.sin6_port = *port,
		.sin6_addr = peer->addr,
		.sin6_scope_id = peer->scope,
	};
	int err, length = sizeof(in6);
	struct in6_addr source = {};

	err = homa_cgroup_send(sk, (struct sockaddr_unsized *)&in6, &length,
			       CGROUP_UDP6_SENDMSG, &source);
	if (err)
		return err;
	if (!ipv6_addr_any(&source) || !in6.sin6_port ||
	    ipv6_addr_v4mapped(&in6.sin6_addr))
		return -EINVAL;
	peer->addr = in6.sin6_addr;
	*port = in6.sin6_port;
	return 0;
}

static int peer_ask_cgroup(struct homa_sock *hsk, struct homa_peer_key *peer,
			   __be16 *port)
{
	struct sock *sk = homa_sock_sk(hsk);
	int err = 0;

	/* An IPv4 peer is one, also if it came as a mapped address. */
	if (ipv6_addr_v4mapped(&peer->addr)) {
		if (cgroup_bpf_enabled(CGROUP_UDP4_SENDMSG))
			err = peer_ask_cgroup_v4(sk, peer, port);
	} else if (cgroup_bpf_enabled(CGROUP_UDP6_SENDMSG)) {
		err = peer_ask_cgroup_v6(sk, peer, port);
	}
	return err ? homa_sock_error(hsk, err, "refused by the cgroup") : 0;
}

/* Takes the peer that connect(2) has set. */
static int peer_connected(struct homa_sock *hsk, struct homa_peer_key *peer,
			  __be16 *port)
{
	struct sock *sk = homa_sock_sk(hsk);

	if (READ_ONCE(sk->sk_state) != TCP_ESTABLISHED)
		return homa_sock_error(hsk, -EINVAL, "no msg_name");
	*port = hsk->inet.inet_dport;
	if (sk->sk_family == AF_INET)
		ipv6_addr_set_v4mapped(hsk->inet.inet_daddr, &peer->addr);
	else
		peer->addr = sk->sk_v6_daddr;
	return 0;
}

/* Takes the peer that msg_name names. */
static int peer_named(struct homa_sock *hsk, struct msghdr *msg,
		      struct homa_peer_key *peer, __be16 *port)
{
	struct sockaddr_in6 *in6 = msg->msg_name;
	int family = hsk->inet.sk.sk_family;

	if (msg->msg_namelen < sizeof(sa_family_t))
		return homa_sock_error(hsk, -EINVAL, "msg_name is too short");
	if (in6->sin6_family != family)
		return homa_sock_error(hsk, -EAFNOSUPPORT,
				       "msg_name is of another family");
	if (msg->msg_namelen < (family == AF_INET6 ? sizeof(*in6) :
						     sizeof(struct sockaddr_in)))
		return homa_sock_error(hsk, -EINVAL, "msg_name is too short");
	addr_read(family, in6, &peer->addr);
	if (ipv6_addr_any(&peer->addr) && family == AF_INET)
		ipv6_addr_set_v4mapped(htonl(INADDR_LOOPBACK), &peer->addr);
	else if (ipv6_addr_any(&peer->addr))
		peer->addr = in6addr_loopback;
	*port = in6->sin6_port;	/* at the same place in both families */
	if (family == AF_INET6 &&
	    ipv6_addr_type(&peer->addr) & IPV6_ADDR_LINKLOCAL)
		peer->scope = in6->sin6_scope_id;
	return peer_ask_cgroup(hsk, peer, port);
}

/* Completes a peer's key: hosts of two links, or of two VRFs, are not the same
 * because they have the same address.
 */
static int peer_scope(struct homa_sock *hsk, struct homa_peer_key *peer)
{
	struct sock *sk = homa_sock_sk(hsk);
	int bound = READ_ONCE(sk->sk_bound_dev_if);

	if (ipv6_addr_v4mapped(&peer->addr) ||
	    !(ipv6_addr_type(&peer->addr) & IPV6_ADDR_LINKLOCAL)) {
		if (bound)
			peer->scope = l3mdev_master_ifindex_by_index(sock_net(sk),
								     bound);
		return 0;
	}
	if (!peer->scope)
		peer->scope = bound;
	else if (!addr_scope_fits(sk, peer->scope))
		return homa_sock_error(hsk, -EINVAL,
				       "socket is bound to another device");
	return 0;
}

/**
 * homa_addr_peer() - whom a message goes to
 * @hsk: socket
 * @msg: message
 * @peer: result
 * @port: result
 *
 * The order in which arguments are checked is part of the ABI.
 *
 * Context: process.
 * Return: 0 or a negative errno
 */
int homa_addr_peer(struct homa_sock *hsk, struct msghdr *msg,
		   struct homa_peer_key *peer, __be16 *port)
{
	struct sock *sk = homa_sock_sk(hsk);
	int err;

	*peer = (struct homa_peer_key){};
	if (msg->msg_name)
		err = peer_named(hsk, msg, peer, port);
	else
		err = peer_connected(hsk, peer, port);
	if (err)
		return err;
	if (ipv6_addr_v4mapped(&peer->addr) && ipv6_only_sock(sk))
		return homa_sock_error(hsk, -ENETUNREACH,
				       "socket is for IPv6 only");
	return peer_scope(hsk, peer);
}

/**
 * homa_addr_source() - choose a request's source, if bind or connect did
 * @hsk: socket
 * @rpc: client RPC
 *
 * Context: process.
 * Return: 0 or -ENETUNREACH
 */
int homa_addr_source(struct homa_sock *hsk, struct homa_rpc *rpc)
{
	bool ipv4 = ipv6_addr_v4mapped(&rpc->daddr);

	if (!ipv6_addr_any(&hsk->local) &&
	    ipv6_addr_v4mapped(&hsk->local) != ipv4)
		return homa_sock_error(hsk, -ENETUNREACH,
				       "socket is bound to another family");
	if (ipv4)
		ipv6_addr_set_v4mapped(hsk->inet.inet_saddr, &rpc->saddr);
	else if (!ipv6_addr_v4mapped(&hsk->inet.sk.sk_v6_rcv_saddr))
		rpc->saddr = hsk->inet.sk.sk_v6_rcv_saddr;
	return 0;
}

/**
 * homa_addr_tell() - tell an application who an RPC's peer is
 * @rpc: RPC
 * @name: result, with room for any address
 *
 * Programs of the cgroup (UDP4_RECVMSG, UDP6_RECVMSG) may say another one.
 *
 * Context: process, sleeps.
 * Return: length of the address; all of its padding is zero
 */
int homa_addr_tell(const struct homa_rpc *rpc, void *name)
{
	struct sock *sk = homa_sock_sk(rpc->hsk);
	int length = homa_addr_fill(rpc, name);

	if (sk->sk_family == AF_INET)
		homa_cgroup_connect(sk, (struct sockaddr_unsized *)name,
				    &length, CGROUP_UDP4_RECVMSG);
	else
		homa_cgroup_connect(sk, (struct sockaddr_unsized *)name,
				    &length, CGROUP_UDP6_RECVMSG);
	return length;
}

/**
 * homa_addr_fill() - write the address of an RPC's peer
 * @rpc: RPC
 * @name: result, with room for an address of the socket's family
 *
 * Context: any.
 * Return: length of the address; all of its padding is zero
 */
int homa_addr_fill(const struct homa_rpc *rpc, void *name)
{
	if (rpc->hsk->inet.sk.sk_family == AF_INET) {
		*(struct sockaddr_in *)name = (struct sockaddr_in){
			.sin_family = AF_INET,
			.sin_port = rpc->dport,
			.sin_addr.s_addr = rpc->daddr.s6_addr32[3],
		};
		return sizeof(struct sockaddr_in);
	}
	*(struct sockaddr_in6 *)name = (struct sockaddr_in6){
		.sin6_family = AF_INET6,
		.sin6_port = rpc->dport,
		.sin6_addr = rpc->daddr,
		.sin6_scope_id = ipv6_iface_scope_id(&rpc->daddr, rpc->oif),
	};
	return sizeof(struct sockaddr_in6);
}
