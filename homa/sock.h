/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Homa sockets. */
#ifndef _HOMA_SOCK_H
#define _HOMA_SOCK_H

#include <linux/ipv6.h>
#include <net/inet_sock.h>
#include <net/sock.h>

#include "net.h"
#include "rcvbuf.h"
#include "txpages.h"

struct homa_rpc;

/**
 * struct homa_sock - a Homa socket
 *
 * @inet: generic part
 * @hn: host; the same as net_generic() gives, which costs more
 * @port_links: in homa_ports.buckets, under homa_ports.lock and RCU
 * @port: port that this socket receives on, host byte order
 * @hashed: @port_links is in use; under homa_ports.lock
 * @local: the only address that it receives at, mapped if of IPv4; all zeros: any
 * @is_server: requests are accepted; READ_ONCE
 * @udp_port: packets are sent in UDP's, to this port; 0: they are not
 * @max_bpages: longest message that it sends or receives, in bpages, from
 *	HOMA_MIN_WINDOW up; 0: HOMA_MAX_MESSAGE_LENGTH bytes. Only grows; READ_ONCE
 * @error_msg: why the last failed call failed; constant text; READ_ONCE
 * @private_ready: private RPCs that have a result, which nobody has received
 * @tx_mem: bytes of memory in outgoing messages
 * @rx_mem: bytes of memory in packets of incoming messages
 * @silent_kb: kilobytes of room that silent requests hold, see silent.c
 * @rx_pool: what of @rx_mem is charged to host and cgroup, see rxmem.c; under the
 *	generic lock, READ_ONCE
 * @poll_pays: how many of a thousand waits were short, see waiter.c; READ_ONCE
 * @destruct: the generic part's destructor
 *
 * Under @lock:
 * @lock: the socket's lock (the generic one serves generic options only)
 * @shutdown: no new RPC may be added; also read without lock as a hint
 * @rpcs: struct homa_rpc, oldest first
 * @num_rpcs: RPCs in @rpcs
 * @num_server_rpcs: server RPCs among them
 * @walks: struct sock_walk, who is on the way through @rpcs
 * @ready: struct homa_rpc that recvmsg(2) can return, in order of arrival
 * @early: struct homa_rpc of which a thread can copy what has come, see early.c
 * @early_pid: the process whose threads do that, or NULL
 * @early_exec: its task_struct.self_exec_id
 * @early_off: nobody does; also read without lock as a hint
 * @waiters: struct homa_waiter, who has begun to wait last first
 * @buf_waiters: struct homa_rpc without buffer space, shortest message first, then
 *	oldest
 * @rcvbuf: receive region; set once; smp_load_acquire() without the lock
 *
 * @txpages: pages kept for sending
 */
struct homa_sock {
	struct inet_sock inet;	/* must be first */
	struct homa_net *hn;
	struct hlist_node port_links;
	u16 port;
	u16 max_bpages;
	struct in6_addr local;
	bool hashed;
	bool is_server;
	__be16 udp_port;
	const char *error_msg;
	atomic_t private_ready;
	atomic_long_t tx_mem;
	atomic_long_t rx_mem;
	atomic_t silent_kb;
	long rx_pool;
	int poll_pays;
	void (*destruct)(struct sock *sk);

	spinlock_t lock;
	bool shutdown;
	struct list_head rpcs;
	int num_rpcs;
	int num_server_rpcs;
	struct list_head walks;
	struct list_head ready;
	struct list_head early;
	struct pid *early_pid;
	u64 early_exec;
	bool early_off;
	struct list_head waiters;
	struct rb_root_cached buf_waiters;
	struct homa_rcvbuf *rcvbuf;

	struct homa_txpages txpages;
};

/**
 * struct homa_v6_sock - a Homa socket of family AF_INET6
 * @homa: must be first
 * @inet6: must be last
 */
struct homa_v6_sock {
	struct homa_sock homa;
	struct ipv6_pinfo inet6;
};

static inline struct homa_sock *homa_sk(const struct sock *sk)
{
	return (struct homa_sock *)sk;
}

static inline struct sock *homa_sock_sk(struct homa_sock *hsk)
{
	return &hsk->inet.sk;
}

static inline struct homa_net *homa_sock_net(const struct homa_sock *hsk)
{
	return hsk->hn;
}

/**
 * homa_sock_awaits_room() - does a message wait for room in the receive region?
 * @hsk: socket
 *
 * Context: any; who has begun to wait meanwhile has seen what room there is.
 */
static inline bool homa_sock_awaits_room(const struct homa_sock *hsk)
{
	return !RB_EMPTY_ROOT(&hsk->buf_waiters.rb_root);
}

/**
 * homa_sock_error() - note why a call fails
 * @hsk: socket
 * @error: negative errno
 * @why: constant text for HOMAIOCINFO
 *
 * Return: @error
 */
static inline int homa_sock_error(struct homa_sock *hsk, int error,
				  const char *why)
{
	WRITE_ONCE(hsk->error_msg, why);
	return error;
}

void homa_ports_net_init(struct homa_net *hn);

int homa_sock_init(struct homa_sock *hsk);
u32 homa_sock_max_send(const struct homa_sock *hsk);
u32 homa_sock_max_receive(const struct homa_sock *hsk);
int homa_sock_bind(struct homa_sock *hsk, u16 port);
struct homa_sock *homa_sock_find(struct homa_net *hn, u16 port, bool ipv4);
void homa_sock_unhash(struct homa_sock *hsk);
void homa_sock_shutdown(struct homa_sock *hsk);
void homa_sock_add_rpc(struct homa_sock *hsk, struct homa_rpc *rpc);
void homa_sock_remove_rpc(struct homa_sock *hsk, struct homa_rpc *rpc);
int homa_sock_visit_rpcs(struct homa_sock *hsk,
			 void (*fn)(struct homa_rpc *rpc, void *arg),
			 void *arg);
void homa_sock_for_each(struct homa_net *hn,
			void (*fn)(struct homa_sock *hsk, void *arg),
			void *arg);
int homa_sock_wait_wmem(struct homa_sock *hsk, bool nonblocking, u64 *now);
int homa_sock_inq(struct homa_sock *hsk);
void homa_sock_uncharge(struct homa_sock *hsk, u32 bytes);

#endif /* _HOMA_SOCK_H */
