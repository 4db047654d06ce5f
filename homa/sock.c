// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Sockets: ports, life and death, memory for outgoing messages.
 *
 * A socket is found by its port. Ports belong to the host (the namespace),
 * and are shared by both address families. A new socket gets a port from
 * 0x8000 up; bind(2) moves it to a lower one and makes it a server.
 *
 * Shutdown is the only way to die, and cannot be undone: first nobody can
 * find the socket or add an RPC, then its RPCs end, then all who wait are
 * woken.
 */
#include <kunit/visibility.h>
#include <linux/pid.h>
#include <linux/slab.h>
#include <net/ip.h>

#include "prio.h"
#include "rpc.h"
#include "sock.h"
#include "waiter.h"
#include "wire.h"

/**
 * homa_ports_net_init() - prepare a host's port table
 * @hn: host
 *
 * Context: process.
 */
void homa_ports_net_init(struct homa_net *hn)
{
	spin_lock_init(&hn->ports.lock);
	hn->ports.next_default = HOMA_MIN_DEFAULT_PORT;
}
EXPORT_SYMBOL_IF_KUNIT(homa_ports_net_init);

static struct hlist_head *port_bucket(struct homa_net *hn, u16 port)
{
	return &hn->ports.buckets[port % HOMA_PORT_BUCKETS];
}

static struct homa_sock *port_owner(struct homa_net *hn, u16 port)
{
	struct homa_sock *hsk;

	hlist_for_each_entry_rcu(hsk, port_bucket(hn, port), port_links,
				 lockdep_is_held(&hn->ports.lock)) {
		if (READ_ONCE(hsk->port) == port)
			return hsk;
	}
	return NULL;
}

/* Gives a socket a port that nobody owns. A reader that walks the old bucket
 * meanwhile may miss sockets behind this one, see homa_sock_find().
 */
static void port_set(struct homa_net *hn, struct homa_sock *hsk, u16 port)
{
	lockdep_assert_held(&hn->ports.lock);
	if (hsk->hashed)
		hlist_del_rcu(&hsk->port_links);
	WRITE_ONCE(hsk->port, port);
	hsk->inet.inet_num = port;
	hsk->inet.inet_sport = htons(port);
	hlist_add_head_rcu(&hsk->port_links, port_bucket(hn, port));
	hsk->hashed = true;
}

static int port_set_default(struct homa_net *hn, struct homa_sock *hsk)
{
	int tries = 0x10000 - HOMA_MIN_DEFAULT_PORT;
	int err = -EADDRNOTAVAIL;

	spin_lock_bh(&hn->ports.lock);
	while (tries-- > 0) {
		u16 port = hn->ports.next_default;

		hn->ports.next_default = port == 0xffff ?
					 HOMA_MIN_DEFAULT_PORT : port + 1;
		if (!port_owner(hn, port)) {
			port_set(hn, hsk, port);
			err = 0;
			break;
		}
	}
	spin_unlock_bh(&hn->ports.lock);
	return err;
}

/* A packet has left: no reason to wake anybody, least of all a receiver. Who
 * waits to send is woken by homa_sock_uncharge().
 */
static void sock_write_space(struct sock *sk)
{
}

/* The last reference is gone: no RPC, packet or thread uses the socket. */
static void sock_destruct(struct sock *sk)
{
	homa_rcvbuf_free(homa_sk(sk)->rcvbuf);
	put_pid(homa_sk(sk)->early_pid);
	/* The generic destructor gives the pool back to the rest. */
	atomic64_sub(homa_sk(sk)->rx_pool, &homa_sock_net(homa_sk(sk))->rx_mem);
	homa_sk(sk)->destruct(sk);
}

/**
 * homa_sock_init() - prepare a new socket and give it a default port
 * @hsk: socket, zeroed but for the generic part
 *
 * Context: process.
 * Return: 0 or -EADDRNOTAVAIL: no default port is left
 */
int homa_sock_init(struct homa_sock *hsk)
{
	struct sock *sk = homa_sock_sk(hsk);
	struct homa_net *hn = homa_net(sock_net(sk));
	int err;

	hsk->hn = hn;
	spin_lock_init(&hsk->lock);
	homa_txpages_init(hsk);
	INIT_LIST_HEAD(&hsk->rpcs);
	INIT_LIST_HEAD(&hsk->walks);
	INIT_LIST_HEAD(&hsk->ready);
	INIT_LIST_HEAD(&hsk->early);
	INIT_LIST_HEAD(&hsk->waiters);
	hsk->poll_pays = 1000;
	hsk->buf_waiters = RB_ROOT_CACHED;
	atomic_set(&hsk->private_ready, 0);
	atomic_long_set(&hsk->tx_mem, 0);
	hsk->error_msg = "";
	hsk->destruct = sk->sk_destruct;
	sk->sk_destruct = sock_destruct;
	sk->sk_write_space = sock_write_space;
	sock_set_flag(sk, SOCK_RCU_FREE);
	sk->sk_sndbuf = READ_ONCE(hn->sysctl.wmem_max);

	err = port_set_default(hn, hsk);
	if (err)
		return homa_sock_error(hsk, err, "all default ports in use");

	/* connect(AF_UNSPEC) must not take the port away. */
	sk->sk_userlocks |= SOCK_BINDPORT_LOCK;
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(homa_sock_init);

/**
 * homa_sock_max_send() - what the application may send
 * @hsk: socket
 *
 * Context: any.
 * Return: bytes in the longest message
 */
u32 homa_sock_max_send(const struct homa_sock *hsk)
{
	return homa_window_bytes(READ_ONCE(hsk->max_bpages));
}

/**
 * homa_sock_max_receive() - what others may send to a socket
 * @hsk: socket
 *
 * Never less than what it was before, so that a peer may rely on it.
 *
 * Context: any.
 * Return: bytes in the longest message
 */
u32 homa_sock_max_receive(const struct homa_sock *hsk)
{
	/* Pairs with the release when the region is set. */
	const struct homa_rcvbuf *rb = smp_load_acquire(&hsk->rcvbuf);
	u32 bpages = READ_ONCE(hsk->max_bpages);

	return homa_window_bytes(rb ? min(bpages, rb->num_bpages) : 0);
}

/**
 * homa_sock_bind() - move a socket to a server port
 * @hsk: socket
 * @port: below HOMA_MIN_DEFAULT_PORT, not 0
 *
 * Context: process.
 * Return: 0, -ESHUTDOWN or -EADDRINUSE
 */
int homa_sock_bind(struct homa_sock *hsk, u16 port)
{
	struct homa_net *hn = homa_sock_net(hsk);
	struct homa_sock *owner;
	int err = 0;

	spin_lock_bh(&hn->ports.lock);
	owner = port_owner(hn, port);
	if (!hsk->hashed) {
		err = homa_sock_error(hsk, -ESHUTDOWN, "socket is shut down");
	} else if (owner && owner != hsk) {
		err = homa_sock_error(hsk, -EADDRINUSE, "port is in use");
	} else if (!owner) {
		port_set(hn, hsk, port);
		WRITE_ONCE(hsk->is_server, true);
	}
	spin_unlock_bh(&hn->ports.lock);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(homa_sock_bind);

/**
 * homa_sock_find() - the socket that receives on a port
 * @hn: host
 * @port: host byte order
 * @ipv4: the packet has an IPv4 address, which not all sockets can take
 *
 * Context: under rcu_read_lock(), which keeps the result alive.
 * Return: socket or NULL
 */
struct homa_sock *homa_sock_find(struct homa_net *hn, u16 port, bool ipv4)
{
	struct homa_sock *hsk = port_owner(hn, port);
	struct sock *sk;

	if (!hsk) {
		/* Another socket may have been moved under our feet. */
		spin_lock_bh(&hn->ports.lock);
		hsk = port_owner(hn, port);
		spin_unlock_bh(&hn->ports.lock);
	}
	if (!hsk)
		return NULL;
	sk = homa_sock_sk(hsk);
	if (ipv4 ? ipv6_only_sock(sk) : sk->sk_family != AF_INET6)
		return NULL;
	return hsk;
}
EXPORT_SYMBOL_IF_KUNIT(homa_sock_find);

/**
 * homa_sock_unhash() - give a socket's port back
 * @hsk: socket
 *
 * Context: process.
 */
void homa_sock_unhash(struct homa_sock *hsk)
{
	struct homa_net *hn = homa_sock_net(hsk);

	spin_lock_bh(&hn->ports.lock);
	if (hsk->hashed) {
		hlist_del_rcu(&hsk->port_links);
		hsk->hashed = false;
	}
	spin_unlock_bh(&hn->ports.lock);
}

static struct homa_rpc *sock_first_rpc(struct homa_sock *hsk)
{
	struct homa_rpc *rpc;

	spin_lock_bh(&hsk->lock);
	rpc = list_first_entry_or_null(&hsk->rpcs, struct homa_rpc,
				       sock_links);
	if (rpc)
		homa_rpc_get(rpc);
	spin_unlock_bh(&hsk->lock);
	return rpc;
}

/**
 * homa_sock_shutdown() - make a socket dead
 * @hsk: socket; may be dead already
 *
 * Peers are not told; their packets get an ICMP error from now on.
 *
 * Context: process.
 */
void homa_sock_shutdown(struct homa_sock *hsk)
{
	struct homa_net *hn = homa_sock_net(hsk);
	struct sock *sk = homa_sock_sk(hsk);
	struct homa_rpc *rpc;

	homa_sock_unhash(hsk);
	spin_lock_bh(&hsk->lock);
	hsk->shutdown = true;
	spin_unlock_bh(&hsk->lock);
	homa_txpages_stop(hsk);
	WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
	tt_event(hn, SOCK_SHUTDOWN, hsk->port);

	while ((rpc = sock_first_rpc(hsk))) {
		spin_lock_bh(&rpc->lock);
		homa_rpc_end(rpc);
		spin_unlock_bh(&rpc->lock);
		homa_rpc_put(rpc);
	}

	homa_waiter_wake_all(hsk);
	/* All others: senders waiting for memory, poll. */
	sk->sk_state_change(sk);
}
EXPORT_SYMBOL_IF_KUNIT(homa_sock_shutdown);

/**
 * struct sock_walk - somebody on the way through a socket's RPCs
 * @links: in homa_sock.walks
 * @next: where to go on, in homa_sock.rpcs; whoever removes that moves it on
 * @left: RPCs to be visited at most, so that a walk ends though others are added
 *
 * All is under the socket's lock.
 */
struct sock_walk {
	struct list_head links;
	struct list_head *next;
	int left;
};

/* RPCs that a walk takes each time that it holds the socket's lock. */
#define SOCK_WALK_BATCH 16

/**
 * homa_sock_add_rpc() - a new RPC can be found
 * @hsk: socket
 * @rpc: its RPC
 *
 * Context: hsk->lock held.
 */
void homa_sock_add_rpc(struct homa_sock *hsk, struct homa_rpc *rpc)
{
	lockdep_assert_held(&hsk->lock);
	list_add_tail(&rpc->sock_links, &hsk->rpcs);
	hsk->num_rpcs++;
	hsk->num_server_rpcs += !homa_is_client(rpc);
}

/**
 * homa_sock_remove_rpc() - an RPC has ended
 * @hsk: socket
 * @rpc: its RPC
 *
 * Context: hsk->lock held.
 */
void homa_sock_remove_rpc(struct homa_sock *hsk, struct homa_rpc *rpc)
{
	struct sock_walk *walk;

	lockdep_assert_held(&hsk->lock);
	list_for_each_entry(walk, &hsk->walks, links) {
		if (walk->next == &rpc->sock_links)
			walk->next = rpc->sock_links.next;
	}
	list_del_init(&rpc->sock_links);
	hsk->num_rpcs--;
	hsk->num_server_rpcs -= !homa_is_client(rpc);
}

/* Takes references to the next RPCs of a walk; returns how many. */
static int sock_walk_on(struct homa_sock *hsk, struct sock_walk *walk,
			struct homa_rpc **batch)
{
	int n = 0;

	lockdep_assert_held(&hsk->lock);
	while (n < SOCK_WALK_BATCH && walk->left && walk->next != &hsk->rpcs) {
		batch[n] = list_entry(walk->next, struct homa_rpc, sock_links);
		walk->next = walk->next->next;
		walk->left--;
		homa_rpc_get(batch[n++]);
	}
	return n;
}

/**
 * homa_sock_visit_rpcs() - visit all RPCs of a socket
 * @hsk: socket
 * @fn: called with a reference but no lock; the RPC may be dead by then
 * @arg: passed to @fn
 *
 * Oldest first. RPCs that are added meanwhile may be missing. The socket's lock is
 * held for a few RPCs at a time, however many there are.
 *
 * Context: any, without the lock of any RPC or socket.
 * Return: number of RPCs visited
 */
int homa_sock_visit_rpcs(struct homa_sock *hsk,
			 void (*fn)(struct homa_rpc *rpc, void *arg),
			 void *arg)
{
	struct homa_rpc *batch[SOCK_WALK_BATCH];
	struct sock_walk walk;
	int i, n, visited = 0;

	spin_lock_bh(&hsk->lock);
	walk.next = hsk->rpcs.next;
	walk.left = hsk->num_rpcs;
	list_add(&walk.links, &hsk->walks);
	while ((n = sock_walk_on(hsk, &walk, batch)) > 0) {
		spin_unlock_bh(&hsk->lock);
		for (i = 0; i < n; i++) {
			fn(batch[i], arg);
			homa_rpc_put(batch[i]);
		}
		visited += n;
		spin_lock_bh(&hsk->lock);
	}
	list_del(&walk.links);
	spin_unlock_bh(&hsk->lock);
	return visited;
}
EXPORT_SYMBOL_IF_KUNIT(homa_sock_visit_rpcs);

/**
 * homa_sock_for_each() - visit all sockets of a host
 * @hn: host
 * @fn: called under rcu_read_lock()
 * @arg: passed to @fn
 *
 * Context: any.
 */
void homa_sock_for_each(struct homa_net *hn,
			void (*fn)(struct homa_sock *hsk, void *arg),
			void *arg)
{
	struct homa_sock *hsk;
	int i;

	rcu_read_lock();
	for (i = 0; i < HOMA_PORT_BUCKETS; i++)
		hlist_for_each_entry_rcu(hsk, &hn->ports.buckets[i], port_links)
			fn(hsk, arg);
	rcu_read_unlock();
}

/**
 * homa_sock_inq() - what recvmsg(2) would return now
 * @hsk: socket
 *
 * Context: any.
 * Return: bytes in the first shared message; 0 if there is none, or an error is
 *	first
 */
int homa_sock_inq(struct homa_sock *hsk)
{
	struct homa_rpc *rpc;
	int bytes = 0;

	spin_lock_bh(&hsk->lock);
	rpc = list_first_entry_or_null(&hsk->ready, struct homa_rpc,
				       ready_links);
	if (rpc && !READ_ONCE(rpc->error))
		bytes = rpc->in.length;	/* constant while it is ready */
	spin_unlock_bh(&hsk->lock);
	return bytes;
}

static bool wmem_available(struct homa_sock *hsk)
{
	/* Each sender may exceed the limit by one message. */
	return atomic_long_read(&hsk->tx_mem) <
	       READ_ONCE(hsk->inet.sk.sk_sndbuf);
}

/**
 * homa_sock_wait_wmem() - wait until another message may be sent
 * @hsk: socket
 * @nonblocking: do not wait
 * @now: result: when it had waited; left alone if there was no need to
 *
 * Context: process, sleeps.
 * Return: 0, -EAGAIN (also after SO_SNDTIMEO), -EINTR or -ESHUTDOWN
 */
int homa_sock_wait_wmem(struct homa_sock *hsk, bool nonblocking, u64 *now)
{
	struct sock *sk = homa_sock_sk(hsk);
	long left = sock_sndtimeo(sk, nonblocking);
	DEFINE_WAIT(wait);
	int err = 0;

	if (likely(wmem_available(hsk)))
		return 0;
	tt_event(homa_sock_net(hsk), WMEM_WAIT, hsk->port,
		 atomic_long_read(&hsk->tx_mem));
	for (;;) {
		/* Not exclusive: a wakeup may be for a poller or receiver. */
		prepare_to_wait(sk_sleep(sk), &wait, TASK_INTERRUPTIBLE);
		set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
		smp_mb__after_atomic();	/* pairs with homa_sock_uncharge() */
		if (wmem_available(hsk))
			break;
		if (READ_ONCE(hsk->shutdown))
			err = -ESHUTDOWN;
		else if (!left)
			err = -EAGAIN;
		else if (signal_pending(current))
			err = -EINTR;
		if (err)
			break;
		left = schedule_timeout(left);
	}
	finish_wait(sk_sleep(sk), &wait);
	*now = tt_event_now(homa_sock_net(hsk), WMEM_WAKE, hsk->port,
			    atomic_long_read(&hsk->tx_mem));
	return err;
}

/**
 * homa_sock_uncharge() - memory of an outgoing message is free again
 * @hsk: socket
 * @bytes: how much
 *
 * Context: any.
 */
void homa_sock_uncharge(struct homa_sock *hsk, u32 bytes)
{
	struct sock *sk = homa_sock_sk(hsk);
	struct socket_wq *wq;
	struct socket *sock;

	if (!bytes)
		return;
	atomic_long_sub(bytes, &hsk->tx_mem);
	smp_mb__after_atomic();		/* pairs with homa_sock_wait_wmem() */
	if (!wmem_available(hsk))
		return;
	rcu_read_lock();
	sock = READ_ONCE(sk->sk_socket);
	wq = rcu_dereference(sk->sk_wq);
	if (sock && test_and_clear_bit(SOCK_NOSPACE, &sock->flags) &&
	    skwq_has_sleeper(wq))
		wake_up_interruptible_poll(&wq->wait, EPOLLOUT | EPOLLWRNORM |
					   EPOLLWRBAND);
	rcu_read_unlock();
}
