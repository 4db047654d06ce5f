/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What homatop's BPF programs and the program itself agree on. */
#ifndef PERF_HOMATOP_H
#define PERF_HOMATOP_H

#define MAX_PEERS 10240
#define MAX_SOCKETS 10240
#define MAX_RPCS 16384
#define ADDR_BYTES 16
#define COMM_BYTES 16

struct peer_key {
	u8 addr[ADDR_BYTES];
};

struct sock_key {
	u32 netns;
	u32 port;
};

/* Since the beginning, of a peer or a socket. */
struct sums {
	u64 rpcs;		/* that ended: messages received by a client, or responses sent */
	u64 bytes_out, bytes_in;
	u64 ns;			/* of clients' RPCs, all together */
	u64 timed;		/* how many those are */
	u32 pid;		/* a socket's last user */
	char comm[COMM_BYTES];
};

/* An RPC that lives. */
struct top_rpc {
	struct peer_key peer;
	u32 netns;
	u16 port, peer_port;
	u64 start;
	u64 bytes_out, bytes_in;	/* packets' */
	u32 length_out;			/* of the message that we send; 0: none yet */
	u32 pid;
	char comm[COMM_BYTES];
};

#endif
