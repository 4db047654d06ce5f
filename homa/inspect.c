// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* /proc/net/homa: what a host has at this moment.
 *
 *	socks	its sockets, for everybody to read, as for other protocols
 *	rpcs	its RPCs; only for who may administer the namespace, since who
 *		knows an RPC's id can forge its packets
 *	peers	other hosts that it knows, for the same
 *	snapshots  how far messages were in the last seconds (snapshot.c)
 *
 * homa_diag.ko tells programs like ss(8) of the same sockets. Nothing here stops
 * packets for long: a walk is under RCU, and each object is locked by itself.
 */
#include <linux/proc_fs.h>
#include <linux/rhashtable.h>
#include <linux/seq_file.h>
#include <linux/user_namespace.h>
#include <net/net_namespace.h>

#include "inspect.h"
#include "rpc.h"
#include "snapshot.h"

#define DIR_NAME "homa"

/**
 * homa_inspect_at() - the socket at a place of a walk
 * @net: namespace
 * @at: all zeros begins a walk; is moved if nothing is there any more. The next
 *	socket is at the next @skip.
 *
 * Context: under rcu_read_lock(), which keeps the result alive.
 * Return: socket, or NULL: that was the last one
 */
struct homa_sock *homa_inspect_at(struct net *net, struct homa_sock_cursor *at)
{
	struct homa_net *hn = homa_net(net);
	struct homa_sock *hsk;

	for (; at->bucket < HOMA_PORT_BUCKETS; at->bucket++, at->skip = 0) {
		int n = 0;

		hlist_for_each_entry_rcu(hsk, &hn->ports.buckets[at->bucket],
					 port_links)
			if (n++ == at->skip)
				return hsk;
	}
	return NULL;
}
EXPORT_SYMBOL_GPL(homa_inspect_at);

/* Counts a socket's RPCs, and their peers: each is marked with a number that no
 * other count has.
 */
static void inspect_rpcs(struct homa_sock *hsk, struct homa_sock_info *info)
{
	int mark = atomic_inc_return(&homa_sock_net(hsk)->inspections);
	struct rb_node *node;
	struct homa_rpc *rpc;

	spin_lock_bh(&hsk->lock);
	list_for_each_entry(rpc, &hsk->rpcs, sock_links) {
		if (homa_is_client(rpc))
			info->client_rpcs++;
		else
			info->server_rpcs++;
		if (xchg(&rpc->peer->mark, mark) != mark)
			info->peers++;
	}
	list_for_each_entry(rpc, &hsk->ready, ready_links)
		info->ready++;
	for (node = rb_first_cached(&hsk->buf_waiters); node;
	     node = rb_next(node))
		info->stalled++;
	spin_unlock_bh(&hsk->lock);
}

/**
 * homa_inspect_sock() - describe a socket
 * @hsk: socket, which the caller or RCU keeps alive
 * @info: result
 *
 * Context: any, without locks.
 */
void homa_inspect_sock(struct homa_sock *hsk, struct homa_sock_info *info)
{
	/* Pairs with the release when the region is set. */
	struct homa_rcvbuf *rb = smp_load_acquire(&hsk->rcvbuf);

	memset(info, 0, sizeof(*info));
	inspect_rpcs(hsk, info);
	info->tx_mem = clamp_t(long, atomic_long_read(&hsk->tx_mem), 0,
			       INT_MAX);
	info->rx_mem = max(atomic_long_read(&hsk->rx_mem), 0L);
	info->sndbuf = READ_ONCE(hsk->inet.sk.sk_sndbuf);
	if (READ_ONCE(hsk->is_server))
		info->flags |= HOMA_SOCK_SERVER;
	if (READ_ONCE(hsk->shutdown))
		info->flags |= HOMA_SOCK_SHUTDOWN;
	if (!rb)
		return;
	info->region_bytes = (u64)rb->num_bpages << HOMA_BPAGE_SHIFT;
	info->region_avail = homa_rcvbuf_available(rb);
}
EXPORT_SYMBOL_GPL(homa_inspect_sock);

/**
 * struct socks_private - a reader of /proc/net/homa/socks
 * @net: what the generic code needs
 * @at: the socket that comes next
 */
struct socks_private {
	struct seq_net_private net;
	struct homa_sock_cursor at;
};

static void *socks_at(struct seq_file *seq)
{
	struct socks_private *p = seq->private;

	return homa_inspect_at(seq_file_net(seq), &p->at);
}

static void *socks_start(struct seq_file *seq, loff_t *pos)
	__acquires(RCU)
{
	struct socks_private *p = seq->private;

	rcu_read_lock();
	if (*pos)
		return socks_at(seq);
	p->at = (struct homa_sock_cursor){};
	return SEQ_START_TOKEN;
}

static void *socks_next(struct seq_file *seq, void *item, loff_t *pos)
{
	struct socks_private *p = seq->private;

	++*pos;
	if (item != SEQ_START_TOKEN)
		p->at.skip++;
	return socks_at(seq);
}

static void socks_stop(struct seq_file *seq, void *item)
	__releases(RCU)
{
	rcu_read_unlock();
}

static int socks_show(struct seq_file *seq, void *item)
{
	struct homa_sock *hsk = item;
	struct homa_sock_info info;
	struct sock *sk;

	if (item == SEQ_START_TOKEN) {
		seq_puts(seq, "family local port flags client_rpcs server_rpcs peers ready stalled rx_mem tx_mem sndbuf region avail uid inode refs\n");
		return 0;
	}
	sk = homa_sock_sk(hsk);
	homa_inspect_sock(hsk, &info);
	seq_printf(seq, "%d %pI6c %u %x %u %u %u %u %u %llu %u %u %llu %llu %u %llu %d\n",
		   sk->sk_family == AF_INET6 ? 6 : 4, &hsk->local,
		   READ_ONCE(hsk->port), info.flags, info.client_rpcs,
		   info.server_rpcs, info.peers, info.ready, info.stalled,
		   info.rx_mem, info.tx_mem, info.sndbuf, info.region_bytes,
		   info.region_avail,
		   from_kuid_munged(seq_user_ns(seq), sk_uid(sk)),
		   (u64)sock_i_ino(sk), refcount_read(&sk->sk_refcnt));
	return 0;
}

static const struct seq_operations socks_ops = {
	.start = socks_start,
	.next = socks_next,
	.stop = socks_stop,
	.show = socks_show,
};

/**
 * struct table_private - a reader of a file that shows a hash table
 * @net: what the generic code needs
 * @iter: the walk, between start and stop
 */
struct table_private {
	struct seq_net_private net;
	struct rhashtable_iter iter;
};

/* The next object; while the table is resized some may come twice. */
static void *table_next_item(struct seq_file *seq)
{
	struct table_private *p = seq->private;
	void *item;

	do {
		item = rhashtable_walk_next(&p->iter);
	} while (item == ERR_PTR(-EAGAIN));
	return IS_ERR(item) ? NULL : item;
}

static void *table_start(struct seq_file *seq, loff_t pos,
			 struct rhashtable *table)
	__acquires(RCU)
{
	struct table_private *p = seq->private;
	void *item = SEQ_START_TOKEN;

	rhashtable_walk_enter(table, &p->iter);
	rhashtable_walk_start(&p->iter);
	while (item && pos--)
		item = table_next_item(seq);
	return item;
}

static void *table_next(struct seq_file *seq, void *item, loff_t *pos)
{
	++*pos;
	return table_next_item(seq);
}

static void table_stop(struct seq_file *seq, void *item)
	__releases(RCU)
{
	struct table_private *p = seq->private;

	rhashtable_walk_stop(&p->iter);
	rhashtable_walk_exit(&p->iter);
}

static void *rpcs_start(struct seq_file *seq, loff_t *pos)
	__acquires(RCU)
{
	return table_start(seq, *pos, &homa_net(seq_file_net(seq))->rpcs.ht);
}

static int rpcs_show(struct seq_file *seq, void *item)
{
	static const char * const states[] = {
		[HOMA_OUTGOING] = "outgoing",
		[HOMA_INCOMING] = "incoming",
		[HOMA_IN_SERVICE] = "in_service",
		[HOMA_DEAD] = "dead",
	};
	struct homa_rpc *rpc = item;

	if (item == SEQ_START_TOKEN) {
		seq_puts(seq, "id state port peer peer_port age_us tx_length tx_sent tx_granted rx_length rx_left rx_granted rx_gaps rx_mem error\n");
		return 0;
	}
	if (!homa_rpc_get_live(rpc))
		return SEQ_SKIP;
	if (rpc->hn != homa_net(seq_file_net(seq))) {
		homa_rpc_put(rpc);
		return SEQ_SKIP;
	}
	spin_lock_bh(&rpc->lock);
	seq_printf(seq, "%llu %s %u %pI6c %u %llu %d %u %u %d %u %u %u %u %d\n",
		   rpc->key.id, states[rpc->state], READ_ONCE(rpc->hsk->port),
		   &rpc->daddr, ntohs(rpc->dport),
		   div_u64(homa_now() - rpc->created, NSEC_PER_USEC),
		   rpc->out.length, rpc->out.next, rpc->out.granted,
		   rpc->in.length, rpc->in.left, READ_ONCE(rpc->in.granted),
		   rpc->in.num_gaps, rpc->in.truesize, -rpc->error);
	spin_unlock_bh(&rpc->lock);
	homa_rpc_put(rpc);
	return 0;
}

static const struct seq_operations rpcs_ops = {
	.start = rpcs_start,
	.next = table_next,
	.stop = table_stop,
	.show = rpcs_show,
};

static void *peers_start(struct seq_file *seq, loff_t *pos)
	__acquires(RCU)
{
	return table_start(seq, *pos, &homa_net(seq_file_net(seq))->peers.table);
}

static int peers_show(struct seq_file *seq, void *item)
{
	struct homa_peer *peer = item;
	u64 silent;
	int i;

	if (item == SEQ_START_TOKEN) {
		seq_puts(seq, "addr scope refs silent_us acks cutoff_version cutoffs[7..0]\n");
		return 0;
	}
	silent = homa_now() - READ_ONCE(peer->last_heard);
	seq_printf(seq, "%pI6c %u %d %llu %d %u", &peer->key.addr,
		   peer->key.scope, refcount_read(&peer->refs),
		   div_u64(silent, NSEC_PER_USEC), READ_ONCE(peer->num_acks),
		   ntohs(READ_ONCE(peer->cutoff_version)));
	for (i = HOMA_MAX_PRIORITIES - 1; i >= 0; i--)
		seq_printf(seq, " %u", READ_ONCE(peer->cutoffs[i]));
	seq_putc(seq, '\n');
	return 0;
}

static const struct seq_operations peers_ops = {
	.start = peers_start,
	.next = table_next,
	.stop = table_stop,
	.show = peers_show,
};

/**
 * homa_inspect_net_init() - make a host's /proc/net/homa
 * @hn: host; all of its tables exist
 *
 * Context: process.
 * Return: 0 or -ENOMEM
 */
int homa_inspect_net_init(struct homa_net *hn)
{
	struct proc_dir_entry *dir;

	dir = proc_net_mkdir(hn->net, DIR_NAME, hn->net->proc_net);
	if (!dir)
		return -ENOMEM;
	hn->proc_dir = dir;
	if (proc_create_net("socks", 0444, dir, &socks_ops,
			    sizeof(struct socks_private)) &&
	    proc_create_net("rpcs", 0440, dir, &rpcs_ops,
			    sizeof(struct table_private)) &&
	    proc_create_net("peers", 0440, dir, &peers_ops,
			    sizeof(struct table_private)) &&
	    proc_create_net("snapshots", 0444, dir, &homa_snapshots_ops,
			    sizeof(struct seq_net_private)))
		return 0;
	proc_remove(dir);
	return -ENOMEM;
}

/**
 * homa_inspect_net_exit() - remove it; files that are open are cut off
 * @hn: host
 *
 * Context: process, sleeps.
 */
void homa_inspect_net_exit(struct homa_net *hn)
{
	proc_remove(hn->proc_dir);
}
