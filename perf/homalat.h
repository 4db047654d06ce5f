/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What homalat's BPF programs and the program itself agree on. */
#ifndef PERF_HOMALAT_H
#define PERF_HOMALAT_H

/* X(name, what it is): phases of a client's RPC, which follow each other; their
 * times add up to the total.
 */
#define PHASES(X) \
	X(total, "from sendmsg() to the return of recvmsg()") \
	X(prepare, "until the first packet: route, copying in") \
	X(transmit, "until all packets are given to IP, but for the next two") \
	X(grant, "waiting for grants while sending") \
	X(pacer, "waiting for the device while sending") \
	X(remote, "network and server: until the response begins to arrive") \
	X(receive, "until all of the response is there") \
	X(wakeup, "until a thread has taken it") \
	X(copyout, "copying out, until recvmsg() returns")

#define X(name, what) PHASE_##name,
enum phase { PHASES(X) NUM_PHASES };
#undef X

/* Classes of size: class n has messages of 2^n to 2^(n+1) - 1 bytes. */
#define NUM_CLASSES 28

/* Histogram of a phase of a class, in the array. */
#define HIST_KEY(class, phase) ((class) * NUM_PHASES + (phase))

enum { RPCS_DONE, RPCS_FAILED, RPCS_ABANDONED, NUM_COUNTS };

#endif
