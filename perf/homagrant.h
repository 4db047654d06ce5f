/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What homagrant's BPF programs and the program itself agree on. */
#ifndef PERF_HOMAGRANT_H
#define PERF_HOMAGRANT_H

#define ADDR_BYTES 16
#define NUM_PRIOS 8
#define MAX_PEERS 10240
#define MAX_MESSAGES 65536

struct grant_peer {
	u8 addr[ADDR_BYTES];
};

/* Since the beginning, of one peer. */
struct grant_sums {
	u64 sent;		/* GRANTs to the peer */
	u64 sent_bytes;		/* that it was granted */
	u64 rcvd;		/* GRANTs of the peer */
	u64 rcvd_bytes;
	u64 waits;		/* times that a message to it had to wait for a grant */
	u64 wait_ns;		/* and until it came */
	u64 prios[NUM_PRIOS];	/* of @sent */
};

/* An incoming message that was granted something. */
struct grant_message {
	struct grant_peer peer;
	u64 granted;		/* bytes granted since we look */
	u64 arrived;		/* of those granted; see on_data_rcvd() */
	u32 offset;		/* all before it may come */
};

#endif
