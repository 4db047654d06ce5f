/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Storms of packets that no honest peer sends.
 *
 * The network is that of wire.h: the peer attacks a server at ATTACK_PORT of the
 * host. Whatever can be random is: ids, priorities, offsets; each packet fits no
 * RPC of the host but those that the attack itself has begun.
 */
#ifndef TEST_LIB_ATTACK_H
#define TEST_LIB_ATTACK_H

#include <stdint.h>

#define ATTACK_PORT 77
#define ATTACK_BATCH 64

enum attack_kind {
	ATTACK_FIRST,		/* first packets of messages of 1 MB */
	ATTACK_FIRST_SHORT,	/* first packets of messages of 1000 bytes */
	ATTACK_FIRST_FORGED,	/* the same from forged addresses */
	ATTACK_ZERO,		/* DATA without data */
	ATTACK_GAPS,		/* bytes at random places of a few messages */
	ATTACK_ACK,
	ATTACK_UNKNOWN,
	ATTACK_RESEND,
	ATTACK_CUTOFFS,
	ATTACK_FREEZE,
	ATTACK_GRANT,
	ATTACK_BUSY,
	ATTACK_NEED_ACK,
	ATTACK_UDP,		/* for comparison: UDP to a closed port */
	ATTACK_FOREIGN,		/* for comparison: frames of no known protocol */
	ATTACK_KINDS,
};

const char *attack_name(enum attack_kind kind);

/* Sends @count packets of a family from descriptor @fd, a packet socket, in batches,
 * and sleeps @pause_us after each; 0: as fast as it can. UDP has no checksum, so it is
 * for IPv4 only.
 */
void attack_send(int fd, int family, enum attack_kind kind, int count, int pause_us);

#endif
