// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* recvmsg(2): takes bpages back and receives a request or a response.
 *
 * The order in which arguments are checked is part of the ABI.
 */
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <net/inet_common.h>

#include "addr.h"
#include "early.h"
#include "output.h"
#include "rpc.h"
#include "sendmsg.h"
#include "sock.h"
#include "steer.h"
#include "timer.h"
#include "trace.h"
#include "waiter.h"

/**
 * struct homa_recv - one call
 * @hsk: socket
 * @msg: its arguments
 * @args: the same, as far as struct homa_recvmsg_args goes
 * @room: entries in the application's array of bpages, which may be longer
 * @start: when it began, ns
 * @found: when it found the message, ns
 */
struct homa_recv {
	struct homa_sock *hsk;
	struct msghdr *msg;
	struct homa_recvmsg_args args;
	u32 room;
	u64 start;
	u64 found;
};

/* The application's array of bpages, from an entry on. */
static void __user *recv_offsets(const struct homa_recv *recv, u32 index)
{
	return recv->msg->msg_control_user + HOMA_RECVMSG_ARGS_SIZE(index);
}

/* The application gives back what @recv->args has no room for. */
static noinline int recv_take_more(struct homa_recv *recv, struct homa_rcvbuf *rb,
				   u32 count)
{
	u32 offsets[HOMA_MAX_BPAGES];
	u32 i, n;
	int err;

	for (i = HOMA_MAX_BPAGES; i < count; i += n) {
		n = min_t(u32, count - i, HOMA_MAX_BPAGES);
		if (copy_from_user(offsets, recv_offsets(recv, i),
				   n * sizeof(*offsets)))
			return -EFAULT;
		err = homa_rcvbuf_give_back(rb, offsets, n);
		if (err)
			return err;
	}
	return 0;
}

/* The application gives bpages back that it needs no more. */
static int recv_take_bpages(struct homa_recv *recv)
{
	struct homa_recvmsg_args *args = &recv->args;
	struct homa_sock *hsk = recv->hsk;

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
	tt_event_at(homa_sock_net(hsk), recv->start, BUFFER_RELEASED,
		    hsk->port, count);
	err = homa_rcvbuf_give_back(rb, args->bpage_offsets,
				    min_t(u32, count, HOMA_MAX_BPAGES));
	if (!err && count > HOMA_MAX_BPAGES)
		err = recv_take_more(recv, rb, count);
	if (homa_sock_awaits_room(hsk))
		homa_msgin_serve_waiters(hsk);
	if (err == -EFAULT)
		homa_sock_error(hsk, err, "cannot read bpage_offsets");
	else if (err)
		homa_sock_error(hsk, err, "bpage is not the application's");
	return err;
}

/* Checks the arguments; takes bpages back if they are good. */
static int recv_check_args(struct homa_recv *recv)
{
	recv->args.completion_cookie = 0;
	if (recv->args.num_bpages > recv->room)
		return homa_sock_error(recv->hsk, -EINVAL,
				       "num_bpages is too large");
	if (recv->args.reserved)
		return homa_sock_error(recv->hsk, -EINVAL,
				       "reserved is not 0");
	return recv_take_bpages(recv);
}

static struct homa_rpc *recv_wait(struct homa_recv *recv, bool nonblocking)
{
	struct homa_recvmsg_args *args = &recv->args;
	struct homa_sock *hsk = recv->hsk;
	struct homa_rpc *rpc;
	bool keep_id = false;

	if (args->id)
		rpc = homa_wait_private(hsk, args->id, nonblocking, &keep_id,
					&recv->found);
	else
		rpc = homa_wait_shared(hsk, nonblocking, &recv->found);
	if (IS_ERR(rpc) && !keep_id)
		args->id = 0;
	return rpc;
}

/* Result of receiving that means: the RPC has ended, or another thread has
 * the message; wait for another one.
 */
#define RECV_AGAIN 1

/* The message is there, but there is no room for all its bpages in the arguments:
 * it stays for somebody who has more.
 */
#define RECV_NO_ROOM 2

/* Part of the message is where only another process can read it. */
#define RECV_ELSEWHERE 3

/* May the message be copied? 0, an errno, or one of the above. No lock is needed: of an
 * RPC with a result that a thread has taken nobody changes the message, and if it ends
 * meanwhile, recv_finish() will see.
 */
static int recv_check(struct homa_rpc *rpc, u32 room)
{
	const struct homa_msgin *in = &rpc->in;
	int err = READ_ONCE(rpc->error);

	if (unlikely(err))
		return err;
	if (READ_ONCE(rpc->state) != HOMA_INCOMING || !homa_msgin_complete(in) ||
	    skb_queue_empty(&in->queue))
		return RECV_AGAIN;
	if (in->num_bpages > room)
		return RECV_NO_ROOM;
	return in->copied && homa_early_elsewhere(rpc) ? RECV_ELSEWHERE : 0;
}

/* Copies the message to the region. 0, an errno, RECV_AGAIN or RECV_NO_ROOM. */
static int recv_copy(struct homa_recv *recv, struct homa_rpc *rpc)
{
	int err = recv_check(rpc, recv->room);

	if (!err)
		return homa_msgin_copy_out(rpc, recv->found);
	if (err != RECV_ELSEWHERE)
		return err;
	homa_early_restart(rpc);
	return RECV_AGAIN;
}

/* Acknowledges a response in a packet of its own. */
static noinline void recv_send_ack(struct homa_rpc *rpc, struct sk_buff_head *txq)
{
	struct homa_path path = {
		.saddr = rpc->saddr,
		.daddr = rpc->daddr,
		.oif = rpc->oif,
		.dport = rpc->dport,
		.id = rpc->key.id,
	};

	homa_metric_inc(rpc->hn, ack_overflows);
	homa_output_ack(rpc->hsk, &path, rpc->peer, txq);
}

/* The response has been received: the server can forget the RPC. */
static void recv_ack(struct homa_rpc *rpc, struct sk_buff_head *txq)
{
	struct homa_ack ack = {
		.client_id = cpu_to_be64(rpc->key.id),
		.server_port = rpc->dport,
	};

	if (!homa_peer_push_ack(rpc->peer, &ack))
		recv_send_ack(rpc, txq);
}

/* A message stays where it is, but for shared ones that the first call which has
 * room for them shall get.
 */
static int recv_leave(struct homa_rpc *rpc, struct homa_recvmsg_args *args)
{
	args->id = 0;
	args->completion_cookie = 0;
	args->num_bpages = rpc->in.num_bpages;
	if (!rpc->private)
		homa_rpc_ready_again(rpc);
	return homa_sock_error(rpc->hsk, -EMSGSIZE,
			       "msg_controllen is too small for the message");
}

/* The RPC goes on, or ends. @err is the result of recv_copy(). */
static int recv_finish(struct homa_rpc *rpc, struct homa_recvmsg_args *args,
		       int err)
{
	struct homa_msgin *in = &rpc->in;
	bool client = homa_is_client(rpc);
	struct sk_buff_head txq __uninitialized;

	__skb_queue_head_init(&txq);
	spin_lock_bh(&rpc->lock);
	rpc->waiting = false;
	if (rpc->state == HOMA_DEAD || err == RECV_AGAIN) {
		err = RECV_AGAIN;
	} else if (err == RECV_NO_ROOM) {
		err = recv_leave(rpc, args);
	} else if (err) {
		homa_rpc_end(rpc);
	} else {
		args->num_bpages = in->num_bpages;
		memcpy(args->bpage_offsets, in->bpages,
		       sizeof(args->bpage_offsets));
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
static int recv_rpc(struct homa_recv *recv, struct homa_rpc *rpc)
{
	struct homa_recvmsg_args *args = &recv->args;
	struct homa_sock *hsk = recv->hsk;
	struct msghdr *msg = recv->msg;
	u32 count;
	int err;

	args->id = rpc->key.id;
	args->completion_cookie = rpc->cookie;
	err = recv_finish(rpc, args, recv_copy(recv, rpc));
	if (err == RECV_AGAIN)
		return 0;
	if (err && !args->id)
		return err;
	if (err) {
		/* On errors net/socket.c does not copy msg_name out. */
		homa_addr_tell(rpc, &args->peer);
		return homa_sock_error(hsk, err, err == -EFAULT ?
				       "region is not writable" : "RPC failed");
	}
	count = args->num_bpages;
	if (count > HOMA_MAX_BPAGES &&
	    copy_to_user(recv_offsets(recv, HOMA_MAX_BPAGES),
			 rpc->in.bpages + HOMA_MAX_BPAGES,
			 (count - HOMA_MAX_BPAGES) * sizeof(*rpc->in.bpages)))
		return homa_sock_error(hsk, -EFAULT,
				       "cannot write bpage_offsets");
	if (msg->msg_name)
		msg->msg_namelen = homa_addr_tell(rpc, msg->msg_name);
	return rpc->in.length;
}

/* Receives some message: its length, or a negative errno. */
static int recv_message(struct homa_recv *recv, bool nonblocking)
{
	struct homa_rpc *rpc;
	u64 id = recv->args.id;
	int result;

	do {
		recv->args.id = id;
		recv->args.completion_cookie = 0;
		rpc = recv_wait(recv, nonblocking);
		if (IS_ERR(rpc)) {
			/* io_uring will come back with the same arguments. */
			if (PTR_ERR(rpc) == -EAGAIN && recv->msg->msg_get_inq)
				recv->args.id = id;
			return PTR_ERR(rpc);
		}
		result = recv_rpc(recv, rpc);
		homa_rpc_put(rpc);
		recv->found = 0;
	} while (!result);
	return result;
}

/* How many bpages the arguments have room for; 0: they have an impossible size. Only
 * who has asked for large messages may come with more than the ordinary number.
 */
static u32 recv_room(const struct homa_sock *hsk, const struct msghdr *msg)
{
	size_t size = msg->msg_controllen;

	if (size == sizeof(struct homa_recvmsg_args))
		return HOMA_MAX_BPAGES;
	if (!READ_ONCE(hsk->max_bpages) ||
	    size < sizeof(struct homa_recvmsg_args) ||
	    size > sizeof(struct homa_recvmsg_large_args) ||
	    size % sizeof(u32))
		return 0;
	return (size - HOMA_RECVMSG_ARGS_SIZE(0)) / sizeof(u32);
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
	struct homa_recv recv __uninitialized;
	struct homa_recvmsg_args *args = &recv.args;
	int result;

	recv.hsk = hsk;
	recv.msg = msg;
	recv.room = recv_room(hsk, msg);
	if (flags & MSG_ERRQUEUE)
		return homa_recv_error(sock->sk, msg, length);
	if (!msg->msg_control || !recv.room || !msg->msg_control_is_user)
		return homa_sock_error(hsk, -EINVAL,
				       "wrong msg_control or msg_controllen");
	if (copy_from_user(args, msg->msg_control_user, sizeof(*args)))
		return homa_sock_error(hsk, -EFAULT,
				       "cannot read homa_recvmsg_args");
	recv.start = tt_event_now(hn, RECVMSG_START, hsk->port,
				  task_pid_nr(current));
	recv.found = recv.start;
	homa_metric_inc(hn, recv_calls);
	homa_steer_app(hn, recv.start);
	result = recv_check_args(&recv);
	if (!result)
		result = recv_message(&recv, flags & MSG_DONTWAIT);
	if (copy_to_user(msg->msg_control_user, args, sizeof(*args)))
		result = homa_sock_error(hsk, -EFAULT,
					 "cannot write homa_recvmsg_args");
	if (msg->msg_get_inq)
		msg->msg_inq = !list_empty_careful(&hsk->ready);
	homa_metric_add(hn, recv_cycles,
			tt_event_now(hn, RECVMSG_DONE, min(result, 0),
				     homa_id_traced(args->id),
				     max(result, 0)) - recv.start);
	trace_homa_recvmsg(hsk, args->id, result);
	return result;
}
