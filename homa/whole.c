// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* The files of this folder as one unit of compilation, as in kernel/sched/build_policy.c.
 *
 * A short RPC goes through some 130 functions, most of which are called from one place in
 * another file. As one unit, of which nothing can be called from outside but what is
 * __visible, they are parts of their callers: 1,400 of 41,000 instructions less
 * (perf/perf.txt, 24). Names of static functions, and macros, are therefore those of all
 * files. Kernels that have KUnit get each file alone, since tests call what is in it; and
 * trace.c is alone because it makes what the others only declare.
 */
#include "whole.h"

#include "addr.c"
#include "af_homa.c"
#include "dev.c"
#include "drop.c"
#include "early.c"
#include "encap.c"
#include "freeze.c"
#include "grant.c"
#include "headers.c"
#include "icmp.c"
#include "inflight.c"
#include "input.c"
#include "inspect.c"
#include "ioctl.c"
#include "ktrace.c"
#include "loss.c"
#include "main.c"
#include "metrics.c"
#include "msgin.c"
#include "msgout.c"
#include "net.c"
#include "offload.c"
#include "output.c"
#include "pacer.c"
#include "packet.c"
#include "peer.c"
#include "prio.c"
#include "proc.c"
#include "qdisc.c"
#include "rcvbuf.c"
#include "recvmsg.c"
#include "rpc.c"
#include "rxmem.c"
#include "sendmsg.c"
#include "silent.c"
#include "snapshot.c"
#include "sock.c"
#include "sockopt.c"
#include "steer.c"
#include "sysctl.c"
#include "timer.c"
#include "tomb.c"
#include "txpages.c"
#include "udp.c"
#include "waiter.c"
