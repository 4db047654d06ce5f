// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa_diag.ko: lets programs like ss(8) ask for Homa sockets, see sock_diag(7).
 *
 * A module of its own, as for other protocols: the kernel loads it when somebody
 * asks, and hosts that nobody looks at need no inet_diag. Each socket is told as an
 * inet_diag_msg; INET_DIAG_INFO is a struct homa_sock_info.
 */
#include <linux/inet_diag.h>
#include <linux/module.h>
#include <linux/sock_diag.h>
#include <net/netlink.h>

#include "inspect.h"

/* Does the request ask for this socket? */
static bool diag_wanted(struct sock *sk, const struct inet_diag_req_v2 *req)
{
	const struct inet_sock *inet = inet_sk(sk);

	return req->idiag_states & (1 << READ_ONCE(sk->sk_state)) &&
	       (req->sdiag_family == AF_UNSPEC ||
		req->sdiag_family == sk->sk_family) &&
	       (!req->id.idiag_sport ||
		req->id.idiag_sport == inet->inet_sport) &&
	       (!req->id.idiag_dport || req->id.idiag_dport == inet->inet_dport);
}

/* Tells of a socket. The generic code gives INET_DIAG_INFO for connections only, so
 * it is added to the finished message.
 */
static int diag_fill(struct sock *sk, struct sk_buff *skb,
		     struct netlink_callback *cb,
		     const struct inet_diag_req_v2 *req, u16 flags)
{
	bool admin = netlink_net_capable(cb->skb, CAP_NET_ADMIN);
	struct nlmsghdr *nlh = (struct nlmsghdr *)skb_tail_pointer(skb);
	struct homa_sock_info info;
	int err;

	err = inet_sk_diag_fill(sk, NULL, skb, cb, req, flags, admin);
	if (err < 0 || !(req->idiag_ext & (1 << (INET_DIAG_INFO - 1))))
		return err;
	homa_inspect_sock(homa_sk(sk), &info);
	if (nla_put_64bit(skb, INET_DIAG_INFO, sizeof(info), &info,
			  INET_DIAG_PAD)) {
		nlmsg_cancel(skb, nlh);
		return -EMSGSIZE;
	}
	nlmsg_end(skb, nlh);
	return 0;
}

static void diag_dump(struct sk_buff *skb, struct netlink_callback *cb,
		      const struct inet_diag_req_v2 *req)
{
	struct net *net = sock_net(skb->sk);
	struct homa_sock_cursor at = { cb->args[0], cb->args[1] };
	struct homa_sock *hsk;

	rcu_read_lock();
	while ((hsk = homa_inspect_at(net, &at))) {
		struct sock *sk = homa_sock_sk(hsk);

		if (diag_wanted(sk, req) && homa_diag_matches(cb, sk) &&
		    diag_fill(sk, skb, cb, req, NLM_F_MULTI) < 0)
			break;
		at.skip++;
	}
	rcu_read_unlock();
	cb->args[0] = at.bucket;
	cb->args[1] = at.skip;
}

/* The socket that a request describes, with a reference, or NULL. Its port alone
 * makes a socket unique.
 */
static struct sock *diag_find(struct net *net,
			      const struct inet_diag_req_v2 *req)
{
	struct homa_sock_cursor at = {};
	struct homa_sock *hsk;
	struct sock *sk = NULL;

	rcu_read_lock();
	while ((hsk = homa_inspect_at(net, &at))) {
		sk = homa_sock_sk(hsk);
		if (inet_sk(sk)->inet_sport == req->id.idiag_sport)
			break;
		at.skip++;
	}
	if (!hsk || !refcount_inc_not_zero(&sk->sk_refcnt))
		sk = NULL;
	rcu_read_unlock();
	if (sk && sock_diag_check_cookie(sk, req->id.idiag_cookie)) {
		sock_put(sk);
		return NULL;
	}
	return sk;
}

static int diag_dump_one(struct netlink_callback *cb,
			 const struct inet_diag_req_v2 *req)
{
	struct sk_buff *in = cb->skb, *reply;
	struct net *net = sock_net(in->sk);
	struct sock *sk = diag_find(net, req);
	int err;

	if (!sk)
		return -ENOENT;
	reply = nlmsg_new(nla_total_size(sizeof(struct inet_diag_msg)) +
			  inet_diag_msg_attrs_size() +
			  nla_total_size(sizeof(struct inet_diag_meminfo)) +
			  nla_total_size_64bit(sizeof(struct homa_sock_info)) +
			  64, GFP_KERNEL);
	err = reply ? diag_fill(sk, reply, cb, req, 0) : -ENOMEM;
	sock_put(sk);
	if (err < 0) {
		kfree_skb(reply);
		return err;
	}
	return nlmsg_unicast(net->diag_nlsk, reply, NETLINK_CB(in).portid);
}

static void diag_get_info(struct sock *sk, struct inet_diag_msg *msg,
			  void *unused)
{
	struct homa_sock *hsk = homa_sk(sk);

	msg->idiag_rqueue = clamp_t(long, atomic_long_read(&hsk->rx_mem), 0,
				    INT_MAX);
	msg->idiag_wqueue = clamp_t(long, atomic_long_read(&hsk->tx_mem), 0,
				    INT_MAX);
}

static const struct inet_diag_handler diag_handler = {
	HOMA_DIAG_OWNER
	.dump = diag_dump,
	.dump_one = diag_dump_one,
	.idiag_get_info = diag_get_info,
	.idiag_type = IPPROTO_HOMA,
};

static int __init diag_init(void)
{
	return inet_diag_register(&diag_handler);
}

static void __exit diag_exit(void)
{
	inet_diag_unregister(&diag_handler);
}

module_init(diag_init);
module_exit(diag_exit);

MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("Homa sockets via sock_diag");
MODULE_VERSION("1.0");

/* What sock_diag asks for: PF_NETLINK, NETLINK_SOCK_DIAG, AF_INET, protocol 146. */
MODULE_ALIAS("net-pf-16-proto-4-type-2-146");
