// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* sendmsg(2): sends a request, or the response to one.
 *
 * The order in which arguments are checked is part of the ABI.
 */
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "addr.h"
#include "output.h"
#include "rpc.h"
#include "sendmsg.h"
#include "snapshot.h"
#include "sock.h"
#include "steer.h"
#include "trace.h"

/* Reads the arguments that msg_control points to. */
static int send_get_args(struct homa_sock *hsk, struct msghdr *msg,
			 struct homa_sendmsg_args *args)
{
	if (!msg->msg_name &&
	    READ_ONCE(homa_sock_sk(hsk)->sk_state) != TCP_ESTABLISHED)
		return homa_sock_error(hsk, -EINVAL, "no msg_name");
	if (!msg->msg_control_is_user || msg->msg_controllen)
		return homa_sock_error(hsk, -EINVAL,
				       "msg_controllen is not 0");
	if (copy_from_user(args, msg->msg_control_user, sizeof(*args)))
		return homa_sock_error(hsk, -EFAULT,
				       "cannot read homa_sendmsg_args");
	if (args->flags & ~HOMA_SENDMSG_VALID_FLAGS || args->reserved)
		return homa_sock_error(hsk, -EINVAL,
				       "unknown flags, or reserved is not 0");
	return 0;
}

/* What the application and the socket's settings allow; a client may take less. A
 * program that knows nothing of large messages gets EINVAL.
 */
static int send_check_length(struct homa_sock *hsk, const struct homa_rpc *rpc,
			     size_t length)
{
	u32 max_length = homa_sock_max_send(hsk);

	if (!length)
		return homa_sock_error(hsk, -EINVAL, "message is empty");
	if (length <= HOMA_MAX_MESSAGE_LENGTH)
		return 0;
	if (max_length <= HOMA_MAX_MESSAGE_LENGTH)
		return homa_sock_error(hsk, -EINVAL, "message is too long");
	if (length > max_length)
		return homa_sock_error(hsk, -EMSGSIZE,
				       "message exceeds SO_HOMA_MAX_MESSAGE");
	if (!homa_is_client(rpc) &&
	    length > homa_window_bytes(rpc->window))
		return homa_sock_error(hsk, -EMSGSIZE,
				       "client does not take so long a message");
	return 0;
}

/* Says why a message could not be copied in, if so. */
static int send_copy_error(struct homa_sock *hsk, int err)
{
	if (err == -EFAULT)
		return homa_sock_error(hsk, err, "cannot read the message");
	if (err)
		return homa_sock_error(hsk, err, "no memory for the message");
	return 0;
}

/* How much of a message is copied in before the first packet leaves. A server is asked
 * about a large request when all of it is there.
 */
static u32 send_first_part(const struct homa_rpc *rpc, u32 length)
{
	if (length <= 2 * HOMA_MSGOUT_PART ||
	    (length > HOMA_MAX_MESSAGE_LENGTH && homa_is_client(rpc)))
		return length;
	return HOMA_MSGOUT_PART;
}

/* Copies the message in, or its first part; @out must be freed in any case. @start: when
 * that was asked for. @max_data is what a packet can hold on the current route. @rest:
 * whether there is more.
 */
static int send_fill(struct homa_sock *hsk, struct homa_rpc *rpc, u64 start,
		     u32 max_data, struct msghdr *msg, struct homa_msgout *out,
		     bool *rest)
{
	size_t length = msg_data_left(msg);
	int err = send_check_length(hsk, rpc, length);

	if (err)
		return err;
	if (!max_data)
		return homa_sock_error(hsk, -EINVAL,
				       "MTU of the route is too small");
	tt_event_at(rpc->hn, start, COPY_IN_START, homa_trace_id(rpc), length,
		    min_t(u32, length, rpc->hn->sysctl.unsched_bytes));
	err = homa_msgout_fill(out, hsk, &msg->msg_iter, length,
			       send_first_part(rpc, length));
	*rest = out->copied < length;
	if (!*rest)
		tt_event(rpc->hn, COPY_IN_DONE, homa_trace_id(rpc), length);
	return send_copy_error(hsk, err);
}

/* Sends what may be sent of what was copied in, unless the RPC is over; if copying has
 * failed (@err), it is now. True: there is more to be copied.
 */
static bool send_part(struct homa_sock *hsk, struct homa_rpc *rpc, int *err)
{
	struct sk_buff_head txq;
	bool more = false;

	__skb_queue_head_init(&txq);
	spin_lock_bh(&rpc->lock);
	if (rpc->state != HOMA_OUTGOING || rpc->error) {
		*err = 0;
		if (rpc->state == HOMA_DEAD && homa_is_client(rpc) &&
		    rpc->in.length < 0 && !rpc->error)
			*err = homa_sock_error(hsk, -EINVAL,
					       "RPC ended meanwhile");
	} else if (*err) {
		if (!homa_is_client(rpc))
			homa_metric_inc(rpc->hn, server_rpc_discards);
		homa_rpc_end(rpc);
	} else {
		homa_msgout_copied(rpc, &txq);
		more = rpc->out.copied < rpc->out.length;
	}
	spin_unlock_bh(&rpc->lock);
	homa_output_flush(&txq);
	return more;
}

/* Copies the rest of a message that was begun to be sent. */
static int send_rest(struct homa_sock *hsk, struct homa_rpc *rpc,
		     struct msghdr *msg)
{
	int err;

	do {
		err = homa_msgout_copy(&rpc->out, hsk, &msg->msg_iter,
				       (HOMA_MSGOUT_GROWTH - 1) * rpc->out.copied);
		err = send_copy_error(hsk, err);
	} while (send_part(hsk, rpc, &err));
	tt_event(rpc->hn, COPY_IN_DONE, homa_trace_id(rpc), rpc->out.copied);
	return err;
}

/* Is there no answer yet? Under no lock. */
static bool ask_pending(struct homa_rpc *rpc)
{
	bool pending;

	spin_lock_bh(&rpc->lock);
	pending = rpc->out.ask == HOMA_ASK_SYNC && !rpc->error &&
		  rpc->state != HOMA_DEAD;
	spin_unlock_bh(&rpc->lock);
	return pending;
}

/* Waits until the server has said whether it takes a large request. If not, or
 * if there is no time to wait, the RPC ends before anything of it was sent.
 */
static int request_wait(struct homa_sock *hsk, struct homa_rpc *rpc, long left)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int err;

	add_wait_queue(&rpc->waiters, &wait);
	while (ask_pending(rpc) && left && !signal_pending(current))
		left = wait_woken(&wait, TASK_INTERRUPTIBLE, left);
	remove_wait_queue(&rpc->waiters, &wait);

	spin_lock_bh(&rpc->lock);
	if (rpc->out.ask == HOMA_ASK_NONE || rpc->error)
		err = 0;	/* recvmsg(2) tells how it goes on */
	else if (rpc->out.ask == HOMA_ASK_REFUSED)
		err = homa_sock_error(hsk, -EMSGSIZE,
				      "server does not say that it takes the message");
	else if (rpc->state == HOMA_DEAD)
		err = homa_sock_error(hsk, -EINVAL, "RPC ended meanwhile");
	else
		err = left ? -EINTR : -EAGAIN;
	if (err)
		homa_rpc_end(rpc);
	spin_unlock_bh(&rpc->lock);
	return err;
}

/* Writes homa_sendmsg_args.id back. */
static int send_tell_id(const struct msghdr *msg, u64 id)
{
	struct homa_sendmsg_args __user *args = msg->msg_control_user;

	return put_user(id, &args->id);
}

/* A request has failed after the application was told its id: takes that back, or trying
 * again would be a response.
 */
static int request_failed(struct homa_sock *hsk, const struct msghdr *msg,
			  struct homa_sendmsg_args *args, int err)
{
	args->id = 0;
	if (send_tell_id(msg, args->id))
		return homa_sock_error(hsk, -EFAULT,
				       "cannot write homa_sendmsg_args");
	return err;
}

/* Makes the RPC findable, tells the application its id, and sends. */
static int request_start(struct homa_sock *hsk, struct homa_rpc *rpc,
			 struct msghdr *msg, struct homa_sendmsg_args *args,
			 struct homa_msgout *out)
{
	long timeout = sock_sndtimeo(homa_sock_sk(hsk),
				     msg->msg_flags & MSG_DONTWAIT);
	bool large = out->length > HOMA_MAX_MESSAGE_LENGTH;
	struct sk_buff_head txq;
	int err;

	if (large)
		out->ask = timeout ? HOMA_ASK_SYNC : HOMA_ASK_ASYNC;
	__skb_queue_head_init(&txq);
	err = homa_rpc_publish(rpc);
	if (err == -ESHUTDOWN)
		return homa_sock_error(hsk, -EINVAL,
				       "socket was shut down meanwhile");
	if (err)
		return homa_sock_error(hsk, err, "no memory for the RPC");

	args->id = rpc->key.id;
	if (send_tell_id(msg, args->id))
		err = homa_sock_error(hsk, -EFAULT,
				      "cannot write homa_sendmsg_args");
	spin_lock_bh(&rpc->lock);
	if (err)
		homa_rpc_end(rpc);
	else if (rpc->state == HOMA_DEAD)
		err = homa_sock_error(hsk, -EINVAL, "RPC ended meanwhile");
	else if (!rpc->error)	/* else recvmsg(2) will tell */
		homa_msgout_start(rpc, out, &txq);
	spin_unlock_bh(&rpc->lock);
	homa_output_flush(&txq);
	if (err || !large || !timeout)
		return err;
	err = request_wait(hsk, rpc, timeout);
	return err ? request_failed(hsk, msg, args, err) : 0;
}

/* Copies what has not been copied of a request that is being sent. */
static int request_rest(struct homa_sock *hsk, struct homa_rpc *rpc,
			struct msghdr *msg, struct homa_sendmsg_args *args)
{
	int err = send_rest(hsk, rpc, msg);

	return err ? request_failed(hsk, msg, args, err) : 0;
}

/* Finds the way to the peer. */
static int request_route(struct homa_sock *hsk, struct homa_rpc *rpc)
{
	int err = homa_addr_source(hsk, rpc);

	if (err)
		return err;
	err = homa_output_route(rpc);
	if (err)
		return homa_sock_error(hsk, err, "no route to the peer");
	if (READ_ONCE(hsk->shutdown))
		return homa_sock_error(hsk, -ESHUTDOWN, "socket is shut down");
	return 0;
}

/* @start: when it began; @end: when the request was on its way, if it is. */
static int send_request(struct homa_sock *hsk, struct msghdr *msg,
			struct homa_sendmsg_args *args,
			const struct homa_peer_key *peer, __be16 port,
			u64 start, u64 *end)
{
	struct homa_msgout out __uninitialized;
	struct homa_rpc *rpc;
	bool rest;
	int err;

	rpc = homa_rpc_alloc(hsk, peer, port, 0, start, GFP_KERNEL_ACCOUNT);
	if (!rpc)
		return homa_sock_error(hsk, -ENOMEM, "no memory for the RPC");
	rpc->cookie = args->completion_cookie;
	rpc->private = args->flags & HOMA_SENDMSG_PRIVATE;
	homa_msgout_init(&out);
	trace_homa_sendmsg(rpc, msg_data_left(msg));
	homa_snapshots_start(rpc->hn);
	tt_event_at(rpc->hn, rpc->created, SENDMSG_REQUEST,
		    homa_trace_peer(rpc), ntohs(port), homa_trace_id(rpc),
		    msg_data_left(msg));

	err = request_route(hsk, rpc);
	if (!err)
		err = send_fill(hsk, rpc, rpc->created, rpc->max_data, msg,
				&out, &rest);
	if (!err)
		err = request_start(hsk, rpc, msg, args, &out);
	if (!err && rest && out.length < 0)	/* it was begun */
		err = request_rest(hsk, rpc, msg, args);
	if (err)
		tt_event(rpc->hn, SENDMSG_ERROR, err, homa_trace_id(rpc));
	else
		*end = tt_event_now(rpc->hn, SENDMSG_DONE, homa_trace_id(rpc));
	homa_msgout_free(&out, hsk);
	homa_rpc_put(rpc);
	return err;
}

/* The server RPC that a response is for. The port in msg_name need not be
 * right, but if it is, it tells clients at one address apart.
 */
static struct homa_rpc *response_find(struct homa_sock *hsk, u64 id,
				      const struct homa_peer_key *peer,
				      __be16 port)
{
	struct homa_rpc *rpc;

	if (homa_id_is_client(id))
		return NULL;
	rpc = homa_rpc_find(hsk, peer, port, id);
	return rpc ? rpc : homa_rpc_find_any_port(hsk, peer, id);
}

/* The state of an RPC that may be answered. If it may, finds the route: what fits
 * in a packet, or a negative errno.
 */
static enum homa_rpc_state response_check(struct homa_rpc *rpc, int *max_data)
{
	enum homa_rpc_state state;

	spin_lock_bh(&rpc->lock);
	state = rpc->state;
	if (state == HOMA_IN_SERVICE) {
		*max_data = homa_output_route(rpc);
		if (!*max_data)
			*max_data = rpc->max_data;
	}
	spin_unlock_bh(&rpc->lock);
	return state;
}

/* Sends, unless the RPC ended or was answered while the message was copied. If the
 * client does not take the message it may get a shorter one.
 */
static int response_start(struct homa_sock *hsk, struct homa_rpc *rpc,
			  struct homa_msgout *out, int err)
{
	struct sk_buff_head txq;

	__skb_queue_head_init(&txq);
	spin_lock_bh(&rpc->lock);
	if (rpc->state == HOMA_DEAD) {
		err = 0;
	} else if (rpc->state != HOMA_IN_SERVICE) {
		err = homa_sock_error(hsk, -EINVAL,
				      "RPC is not waiting for a response");
	} else if (err && err != -EMSGSIZE) {
		homa_metric_inc(rpc->hn, server_rpc_discards);
		homa_rpc_end(rpc);
	} else if (!err) {
		homa_rpc_set_state(rpc, HOMA_OUTGOING);
		homa_msgout_start(rpc, out, &txq);
	}
	spin_unlock_bh(&rpc->lock);
	homa_output_flush(&txq);
	return err;
}

/* @start: when it began. */
static int send_response(struct homa_sock *hsk, struct msghdr *msg,
			 struct homa_sendmsg_args *args,
			 const struct homa_peer_key *peer, __be16 port,
			 u64 start)
{
	enum homa_rpc_state state;
	struct homa_msgout out __uninitialized;
	struct homa_rpc *rpc;
	int max_data, err = 0;
	bool rest = false;

	if (args->completion_cookie)
		return homa_sock_error(hsk, -EINVAL,
				       "a response cannot have a cookie");
	rpc = response_find(hsk, args->id, peer, port);
	if (!rpc)
		return 0;	/* the client is gone; nobody to tell */
	tt_event_at(rpc->hn, start, SENDMSG_RESPONSE, homa_trace_id(rpc),
		    hsk->port, task_pid_nr(current), msg_data_left(msg));
	trace_homa_sendmsg(rpc, msg_data_left(msg));
	homa_msgout_init(&out);
	state = response_check(rpc, &max_data);
	if (state == HOMA_IN_SERVICE) {
		err = max_data < 0 ? max_data :
				     send_fill(hsk, rpc, start, max_data, msg,
					       &out, &rest);
		err = response_start(hsk, rpc, &out, err);
		if (!err && rest && out.length < 0)	/* it was begun */
			err = send_rest(hsk, rpc, msg);
	} else if (state != HOMA_DEAD) {
		err = homa_sock_error(hsk, -EINVAL,
				      "RPC is not waiting for a response");
	}
	homa_msgout_free(&out, hsk);
	homa_rpc_put(rpc);
	return err;
}

/**
 * homa_sendmsg() - sendmsg(2)
 * @sock: socket
 * @msg: destination, data, and struct homa_sendmsg_args
 * @length: bytes of data
 *
 * Context: process, sleeps.
 * Return: 0 or a negative errno
 */
int homa_sendmsg(struct socket *sock, struct msghdr *msg, size_t length)
{
	struct homa_sock *hsk = homa_sk(sock->sk);
	struct homa_net *hn = homa_sock_net(hsk);
	struct homa_sendmsg_args args;
	struct homa_peer_key peer;
	u64 end = 0, called = homa_now(), start = called;
	__be16 port;
	int err;

	homa_steer_app(hn, called);
	err = send_get_args(hsk, msg, &args);
	if (!err)
		err = homa_sock_wait_wmem(hsk, msg->msg_flags & MSG_DONTWAIT,
					  &start);
	if (!err)
		err = homa_addr_peer(hsk, msg, &peer, &port);
	if (err)
		return err;
	if (args.id) {
		err = send_response(hsk, msg, &args, &peer, port, start);
		homa_metric_inc(hn, reply_calls);
		homa_metric_add(hn, reply_cycles, homa_now() - called);
	} else {
		err = send_request(hsk, msg, &args, &peer, port, start, &end);
		homa_metric_inc(hn, send_calls);
		homa_metric_add(hn, send_cycles, (end ?: homa_now()) - called);
	}
	return err;
}
