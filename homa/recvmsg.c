// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* recvmsg(2): takes bpages back and receives a request or a response.
 *
 * The order in which arguments are checked is part of the ABI.
 */
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <net/inet_common.h>

#include "addr.h"
#include "output.h"
#include "rpc.h"
#include "sendmsg.h"
#include "sock.h"
#include "timer.h"
#include "waiter.h"

/* The application gives bpages back that it needs no more. */
static int recv_take_bpages(struct homa_sock *hsk,
			    struct homa_recvmsg_args *args)
{
	/* Pairs with the release when the region is set. */
	struct homa_rcvbuf *rb = smp_load_acquire(&hsk->rcvbuf);
	u32 count = args->num_bpages;
	int err;

	args->num_bpages = 0;
	if (!rb)
		return homa_sock_error(hsk, -EINVAL, "no SO_HOMA_RCVBUF");
	if (!homa_rcvbuf_permitted(rb))
		return homa_sock_error(hsk, -EACCES,
				       "region was set by somebody else");
	if (!count)
		return 0;
	err = homa_rcvbuf_give_back(rb, args->bpage_offsets, count);
	homa_msgin_serve_waiters(hsk);
	if (err)
		homa_sock_error(hsk, err, "bpage is not the application's");
	return err;
}

/* Checks the arguments; takes bpages back if they are good. */
static int recv_check_args(struct homa_sock *hsk,
			   struct homa_recvmsg_args *args)
{
	args->completion_cookie = 0;
	if (args->num_bpages > HOMA_MAX_BPAGES)
		return homa_sock_error(hsk, -EINVAL, "num_bpages is too large");
	if (args->reserved)
		return homa_sock_error(hsk, -EINVAL, "reserved is not 0");
	return recv_take_bpages(hsk, args);
}

static struct homa_rpc *recv_wait(struct homa_sock *hsk,
				  struct homa_recvmsg_args *args,
				  bool nonblocking)
{
	struct homa_rpc *rpc;
	bool keep_id = false;

	if (args->id)
		rpc = homa_wait_private(hsk, args->id, nonblocking, &keep_id);
	else
		rpc = homa_wait_shared(hsk, nonblocking);
	if (IS_ERR(rpc) && !keep_id)
		args->id = 0;
	return rpc;
}

/* Result of receiving that means: the RPC has ended, or another thread has
 * the message; wait for another one.
 */
#define RECV_AGAIN 1

/* Copies the message to the region. 0, an errno, or RECV_AGAIN. */
static int recv_copy(struct homa_rpc *rpc)
{
	struct sk_buff_head queue;
	int err;

	__skb_queue_head_init(&queue);
	spin_lock_bh(&rpc->lock);
	if (rpc->error)
		err = rpc->error;
	else if (rpc->state == HOMA_INCOMING && homa_msgin_complete(&rpc->in) &&
		 !skb_queue_empty(&rpc->in.queue))
		err = 0;
	else
		err = RECV_AGAIN;
	if (!err)
		skb_queue_splice_init(&rpc->in.queue, &queue);
	spin_unlock_bh(&rpc->lock);
	return err ? err : homa_msgin_copy_out(rpc, &queue);
}

/* The response has been received: the server can forget the RPC. */
static void recv_ack(struct homa_rpc *rpc, struct sk_buff_head *txq)
{
	struct homa_ack ack = {
		.client_id = cpu_to_be64(rpc->key.id),
		.server_port = rpc->dport,
	};
	struct homa_path path = {
		.saddr = rpc->saddr,
		.daddr = rpc->daddr,
		.oif = rpc->oif,
		.dport = rpc->dport,
		.id = rpc->key.id,
	};

	if (homa_peer_push_ack(rpc->peer, &ack))
		return;
	homa_metric_inc(rpc->hn, ack_overflows);
	homa_output_ack(rpc->hsk, &path, rpc->peer, txq);
}

/* The RPC goes on, or ends. @err is the result of recv_copy(). */
static int recv_finish(struct homa_rpc *rpc, struct homa_recvmsg_args *args,
		       int err)
{
	struct homa_msgin *in = &rpc->in;
	bool client = homa_is_client(rpc);
	struct sk_buff_head txq;

	__skb_queue_head_init(&txq);
	spin_lock_bh(&rpc->lock);
	rpc->waiting = false;
	if (rpc->state == HOMA_DEAD || err == RECV_AGAIN) {
		err = RECV_AGAIN;
	} else if (err) {
		homa_rpc_end(rpc);
	} else {
		args->num_bpages = in->num_bpages;
		memcpy(args->bpage_offsets, in->bpages, sizeof(in->bpages));
		homa_rcvbuf_deliver(rpc->hsk->rcvbuf, in->bpages,
				    in->num_bpages);
		in->num_bpages = 0;
		if (client) {
			recv_ack(rpc, &txq);
			homa_rpc_end(rpc);
		} else {
			homa_timer_cancel(rpc);
			homa_rpc_set_state(rpc, HOMA_IN_SERVICE);
		}
	}
	spin_unlock_bh(&rpc->lock);
	homa_output_flush(&txq);
	return err;
}

/* Receives one message, if that one is still there: its length, a negative
 * errno, or 0.
 */
static int recv_rpc(struct homa_sock *hsk, struct homa_rpc *rpc,
		    struct msghdr *msg, struct homa_recvmsg_args *args)
{
	int err;

	args->id = rpc->key.id;
	args->completion_cookie = rpc->cookie;
	err = recv_finish(rpc, args, recv_copy(rpc));
	if (err == RECV_AGAIN)
		return 0;
	if (err) {
		/* On errors net/socket.c does not copy msg_name out. */
		homa_addr_fill(rpc, &args->peer);
		return homa_sock_error(hsk, err, err == -EFAULT ?
				       "region is not writable" : "RPC failed");
	}
	if (msg->msg_name)
		msg->msg_namelen = homa_addr_fill(rpc, msg->msg_name);
	return rpc->in.length;
}

/* Receives some message: its length, or a negative errno. */
static int recv_message(struct homa_sock *hsk, struct msghdr *msg,
			struct homa_recvmsg_args *args, bool nonblocking)
{
	struct homa_rpc *rpc;
	u64 id = args->id;
	int result;

	do {
		args->id = id;
		args->completion_cookie = 0;
		rpc = recv_wait(hsk, args, nonblocking);
		if (IS_ERR(rpc))
			return PTR_ERR(rpc);
		result = recv_rpc(hsk, rpc, msg, args);
		homa_rpc_put(rpc);
	} while (!result);
	return result;
}

/**
 * homa_recvmsg() - recvmsg(2)
 * @sock: socket
 * @msg: struct homa_recvmsg_args, and where to put the sender's address
 * @length: unused; messages go to the receive region
 * @flags: MSG_DONTWAIT is honoured; MSG_ERRQUEUE takes an ICMP error instead
 *	of a message, as for all sockets (ip(7), IP_RECVERR)
 *
 * Context: process, sleeps.
 * Return: length of the message, or a negative errno
 */
int homa_recvmsg(struct socket *sock, struct msghdr *msg, size_t length,
		 int flags)
{
	struct homa_sock *hsk = homa_sk(sock->sk);
	struct homa_net *hn = homa_sock_net(hsk);
	struct homa_recvmsg_args args;
	u64 start = homa_now();
	int result;

	if (flags & MSG_ERRQUEUE)
		return homa_recv_error(sock->sk, msg, length);
	if (!msg->msg_control || msg->msg_controllen != sizeof(args) ||
	    !msg->msg_control_is_user)
		return homa_sock_error(hsk, -EINVAL,
				       "wrong msg_control or msg_controllen");
	if (copy_from_user(&args, msg->msg_control_user, sizeof(args)))
		return homa_sock_error(hsk, -EFAULT,
				       "cannot read homa_recvmsg_args");
	tt_event(hn, RECVMSG_START, hsk->port, task_pid_nr(current));
	homa_metric_inc(hn, recv_calls);
	result = recv_check_args(hsk, &args);
	if (!result)
		result = recv_message(hsk, msg, &args, flags & MSG_DONTWAIT);
	if (copy_to_user(msg->msg_control_user, &args, sizeof(args)))
		result = homa_sock_error(hsk, -EFAULT,
					 "cannot write homa_recvmsg_args");
	homa_metric_add(hn, recv_cycles, homa_now() - start);
	tt_event(hn, RECVMSG_DONE, min(result, 0), (u32)args.id & ~1u,
		 max(result, 0));
	return result;
}
