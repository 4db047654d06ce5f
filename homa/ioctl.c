// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* ioctl(2): abort RPCs, report on a socket, freeze the timetrace; and what all
 * sockets have: SIOCINQ, the bytes in the first message that a recvmsg(2) of
 * shared messages would return, and SIOCOUTQ, the memory of messages sent or
 * being sent that are not forgotten yet.
 */
#include <linux/capability.h>
#include <linux/compat.h>
#include <linux/net.h>
#include <linux/slab.h>
#include <linux/sockios.h>
#include <linux/termios.h>
#include <linux/uaccess.h>
#include <net/inet_common.h>

#include "addr.h"
#include "ioctl.h"
#include "rpc.h"
#include "sock.h"
#include "wire.h"

/* Ends an RPC (error 0), or lets recvmsg(2) return an error for it. */
static void abort_rpc(struct homa_rpc *rpc, int error)
{
	spin_lock_bh(&rpc->lock);
	if (error)
		homa_rpc_fail(rpc, -error);
	else
		homa_rpc_end(rpc);
	spin_unlock_bh(&rpc->lock);
}

static void abort_client(struct homa_rpc *rpc, void *arg)
{
	int *error = arg;

	if (homa_is_client(rpc))
		abort_rpc(rpc, *error);
}

static int ioctl_abort(struct homa_sock *hsk, void __user *arg)
{
	struct homa_abort_args args;
	struct homa_rpc *rpc;

	if (copy_from_user(&args, arg, sizeof(args)))
		return homa_sock_error(hsk, -EFAULT,
				       "cannot read homa_abort_args");
	if (args._pad1 || args._pad2[0] || args._pad2[1])
		return homa_sock_error(hsk, -EINVAL, "padding is not 0");
	if (args.error > MAX_ERRNO)
		return homa_sock_error(hsk, -EINVAL, "error is not an errno");
	if (!args.id) {
		homa_sock_visit_rpcs(hsk, abort_client, &args.error);
		return 0;
	}
	rpc = homa_rpc_find_client(hsk, args.id);
	if (!rpc)
		return homa_sock_error(hsk, -EINVAL, "no RPC with this id");
	abort_rpc(rpc, args.error);
	homa_rpc_put(rpc);
	return 0;
}

static u16 info_flags(const struct homa_rpc *rpc)
{
	u16 flags = 0;

	if (rpc->in.length >= 0 && !rpc->in.has_bpages)
		flags |= HOMA_RPC_BUF_STALL;
	if (rpc->private)
		flags |= HOMA_RPC_PRIVATE;
	if (homa_rpc_is_ready(rpc))
		flags |= HOMA_RPC_RX_READY;
	if (!skb_queue_empty(&rpc->in.queue))
		flags |= HOMA_RPC_RX_COPY;
	return flags;
}

static void info_rpc(struct homa_rpc *rpc, struct homa_rpc_info *info)
{
	struct homa_gap *gap;

	memset(info, 0, sizeof(*info));
	spin_lock_bh(&rpc->lock);
	info->id = rpc->key.id;
	homa_addr_fill(rpc, &info->peer);
	info->completion_cookie = rpc->cookie;
	info->tx_length = rpc->out.length;
	info->rx_length = rpc->in.length;
	if (rpc->out.length >= 0) {
		info->tx_sent = rpc->out.next;
		info->tx_granted = rpc->out.granted;
		info->tx_prio = rpc->out.prio;
	}
	if (rpc->in.length >= 0) {
		info->rx_remaining = rpc->in.left;
		info->rx_granted = READ_ONCE(rpc->in.granted);
		info->rx_gaps = rpc->in.num_gaps;
		list_for_each_entry(gap, &rpc->in.gaps, links)
			info->rx_gap_bytes += gap->end - gap->start;
	}
	info->flags = info_flags(rpc);
	spin_unlock_bh(&rpc->lock);
}

/**
 * struct info_list - where entries go
 * @to: next one, in user space
 * @room: entries that fit there
 * @err: 0 or -EFAULT
 */
struct info_list {
	struct homa_rpc_info __user *to;
	u64 room;
	int err;
};

static void info_add(struct homa_rpc *rpc, void *arg)
{
	struct info_list *list = arg;
	struct homa_rpc_info entry;

	if (!list->room || list->err)
		return;
	info_rpc(rpc, &entry);
	if (copy_to_user(list->to, &entry, sizeof(entry)))
		list->err = homa_sock_error(rpc->hsk, -EFAULT,
					    "cannot write rpc_info");
	list->to++;
	list->room--;
}

/* Copies as many entries as the caller has room for. */
static int info_rpcs(struct homa_sock *hsk, struct homa_info *info)
{
	struct info_list list = { .to = u64_to_user_ptr(info->rpc_info) };

	if (list.to)
		list.room = info->rpc_info_length / sizeof(*list.to);
	info->num_rpcs = homa_sock_visit_rpcs(hsk, info_add, &list);
	return list.err;
}

static int ioctl_info(struct homa_sock *hsk, void __user *arg)
{
	/* Pairs with the release when the region is set. */
	struct homa_rcvbuf *rb = smp_load_acquire(&hsk->rcvbuf);
	struct homa_info info;
	int err;

	if (copy_from_user(&info, arg, sizeof(info)))
		return homa_sock_error(hsk, -EFAULT, "cannot read homa_info");
	if (READ_ONCE(hsk->shutdown))
		return homa_sock_error(hsk, -ESHUTDOWN, "socket is shut down");
	info.bpool_avail_bytes = rb ? homa_rcvbuf_available(rb) : 0;
	info.port = hsk->port;
	strscpy_pad(info.error_msg, READ_ONCE(hsk->error_msg),
		    sizeof(info.error_msg));
	err = info_rpcs(hsk, &info);
	if (copy_to_user(arg, &info, sizeof(info)))
		return homa_sock_error(hsk, -EFAULT, "cannot write homa_info");
	return err;
}

static int ioctl_freeze(struct homa_sock *hsk)
{
	if (!ns_capable(sock_net(homa_sock_sk(hsk))->user_ns, CAP_NET_ADMIN))
		return homa_sock_error(hsk, -EPERM, "CAP_NET_ADMIN is needed");
	tt_freeze(&homa_sock_net(hsk)->tt);
	return 0;
}

/**
 * homa_ioctl() - ioctl(2)
 * @sock: socket
 * @cmd: HOMAIOC*, or one that all sockets have
 * @arg: argument of @cmd
 *
 * Context: process, sleeps.
 * Return: 0 or a negative errno
 */
int homa_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	struct homa_sock *hsk = homa_sk(sock->sk);
	struct homa_net *hn = homa_sock_net(hsk);
	u64 start = homa_now();
	int err;

	switch (cmd) {
	case HOMAIOCINFO:
		return ioctl_info(hsk, (void __user *)arg);
	case HOMAIOCABORT:
		err = ioctl_abort(hsk, (void __user *)arg);
		homa_metric_inc(hn, abort_calls);
		homa_metric_add(hn, abort_cycles, homa_now() - start);
		return err;
	case HOMAIOCFREEZE:
		return ioctl_freeze(hsk);
	case SIOCINQ:
		return put_user(homa_sock_inq(hsk), (int __user *)arg);
	case SIOCOUTQ:
		return put_user(clamp_t(long, atomic_long_read(&hsk->tx_mem),
					0, INT_MAX), (int __user *)arg);
	default:
		/* Ours, but unknown; others' may be known further up. */
		if (_IOC_TYPE(cmd) == _IOC_TYPE(HOMAIOCINFO))
			return homa_sock_error(hsk, -EINVAL, "unknown ioctl");
		return inet_ioctl(sock, cmd, arg);
	}
}

#ifdef CONFIG_COMPAT
/**
 * homa_compat_ioctl() - ioctl(2) of a 32-bit program on a 64-bit kernel
 * @sock: socket
 * @cmd: HOMAIOC*, or one that all sockets have
 * @arg: argument of @cmd
 *
 * All structures of homa.h are the same there.
 *
 * Context: process, sleeps.
 * Return: 0, or a negative errno; -ENOIOCTLCMD lets the generic code translate
 */
int homa_compat_ioctl(struct socket *sock, unsigned int cmd, unsigned long arg)
{
	if (_IOC_TYPE(cmd) != _IOC_TYPE(HOMAIOCINFO))
		return -ENOIOCTLCMD;
	return homa_ioctl(sock, cmd, (unsigned long)compat_ptr(arg));
}
#endif
