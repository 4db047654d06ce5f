// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Storms of hostile packets; see attack.h. */

#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "attack.h"
#include "ktap.h"
#include "wire.h"

#define FRAME 200		/* bytes of the longest one */
#define AT_IP 14
#define AT_SOURCE_V4 (AT_IP + 12)	/* address in the IP header */
#define AT_SOURCE_V6 (AT_IP + 8)
#define CLIENT_PORT 0x9002	/* of the attacker */
#define FEW 16			/* messages that gaps are made in */

static const struct {
	const char *name;
	int type;	/* of the Homa packet */
	int data;	/* bytes of payload */
	uint32_t total;	/* length of the message */
} kinds[ATTACK_KINDS] = {
	[ATTACK_FIRST] = { "first packets", W_DATA, 64, 1000000 },
	[ATTACK_FIRST_SHORT] = { "first packets, short", W_DATA, 64, 1000 },
	[ATTACK_FIRST_FORGED] = { "first packets, forged", W_DATA, 64, 1000000 },
	[ATTACK_ZERO] = { "DATA without data", W_DATA, 0, 1000 },
	[ATTACK_GAPS] = { "far gaps", W_DATA, 1, 1000000 },
	[ATTACK_ACK] = { "ACK", W_ACK, 0, 0 },
	[ATTACK_UNKNOWN] = { "RPC_UNKNOWN", W_UNKNOWN, 0, 0 },
	[ATTACK_RESEND] = { "RESEND", W_RESEND, 0, 0 },
	[ATTACK_CUTOFFS] = { "CUTOFFS", W_CUTOFFS, 0, 0 },
	[ATTACK_FREEZE] = { "FREEZE", W_FREEZE, 0, 0 },
	[ATTACK_GRANT] = { "GRANT", W_GRANT, 0, 0 },
	[ATTACK_BUSY] = { "BUSY", W_BUSY, 0, 0 },
	[ATTACK_NEED_ACK] = { "NEED_ACK", W_NEED_ACK, 0, 0 },
	[ATTACK_UDP] = { "UDP, closed port", W_UNKNOWN, 0, 0 },
	[ATTACK_FOREIGN] = { "unknown protocol", W_UNKNOWN, 0, 0 },
};

const char *attack_name(enum attack_kind kind)
{
	return kinds[kind].name;
}

static uint64_t state = 88172645463325252ULL;

static uint64_t dice(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void put(uint8_t *at, uint64_t v, int bytes)
{
	while (bytes--) {
		at[bytes] = v;
		v >>= 8;
	}
}

static int at_homa(int family)
{
	return AT_IP + (family == AF_INET ? 20 : 40);
}

/* What all packets of a kind have in common; returns the length of the frame. */
static int make_frame(int family, enum attack_kind kind, uint8_t *frame)
{
	static struct wpkt p;

	if (kinds[kind].type == W_DATA)
		w_data(&p, family, CLIENT_PORT, ATTACK_PORT, 0, kinds[kind].total,
		       0, kinds[kind].data, 1);
	else
		w_make(&p, family, kinds[kind].type, CLIENT_PORT, ATTACK_PORT, 0);
	if (kinds[kind].type == W_ACK)
		put16(&p, AT_NUM_ACKS, 5);
	if (kind == ATTACK_FIRST_FORGED && family == AF_INET)
		p.src[2] = 0x70;		/* see forge_source() */
	if (kind == ATTACK_UDP) {
		p.proto = IPPROTO_UDP;
		put32(&p, 4, p.len << 16);	/* length, no checksum */
	}
	w_frame(&p, frame);
	if (kind == ATTACK_FOREIGN)
		memcpy(frame + 12, "\x88\xb5", 2);
	return at_homa(family) + p.len;
}

/* Another source address, behind the router. Of IPv4 between 10.9 and 122.9; the
 * header's checksum stays right, for what one half of the address gains the other loses.
 */
static void forge_source(int family, uint8_t *frame)
{
	uint16_t n = dice() % 0x7000;

	if (family == AF_INET6) {
		put(frame + AT_SOURCE_V6, 0xfd10, 2);
		put(frame + AT_SOURCE_V6 + 8, dice(), 8);
		return;
	}
	put(frame + AT_SOURCE_V4, 0x0a09 + n, 2);
	put(frame + AT_SOURCE_V4 + 2, 0x7002 - n, 2);
}

/* Sets what differs from packet to packet. */
static void randomize(int family, enum attack_kind kind, uint8_t *frame)
{
	uint8_t *h = frame + at_homa(family);
	uint64_t r = dice();

	if (kind >= ATTACK_UDP)
		return;
	put(h + AT_ID, kind == ATTACK_GAPS ? 2 * (r % FEW) + 2 :
	    kinds[kind].type == W_NEED_ACK ? r | 1 : r & ~1ULL, 8);
	switch (kind) {
	case ATTACK_FIRST_FORGED:
		forge_source(family, frame);
		break;
	case ATTACK_GAPS:
		put(h + AT_OFFSET, (r >> 8) % kinds[kind].total, 4);
		break;
	case ATTACK_ACK:
		for (int i = 0; i < 5; i++) {
			put(h + AT_ACKS + i * ACK_SIZE, dice() & ~1ULL, 8);
			put(h + AT_ACKS + i * ACK_SIZE + 8, ATTACK_PORT, 2);
		}
		break;
	case ATTACK_RESEND:
		put(h + AT_RESEND_OFFSET, r >> 40, 4);
		put(h + AT_RESEND_LENGTH, r >> 20, 4);
		h[AT_RESEND_PRIO] = r >> 13;
		break;
	case ATTACK_CUTOFFS:
		put(h + AT_CUTOFFS + 4 * (r >> 60), r, 4);
		break;
	case ATTACK_GRANT:
		put(h + AT_GRANT_OFFSET, r >> 40, 4);
		h[AT_GRANT_PRIO] = r >> 13;
		break;
	default:
		break;
	}
}

void attack_send(int fd, int family, enum attack_kind kind, int count, int pause_us)
{
	static uint8_t frames[ATTACK_BATCH][FRAME];
	struct mmsghdr msgs[ATTACK_BATCH];
	struct iovec iov[ATTACK_BATCH];

	memset(msgs, 0, sizeof(msgs));
	for (int i = 0; i < ATTACK_BATCH; i++) {
		iov[i].iov_base = frames[i];
		iov[i].iov_len = make_frame(family, kind, frames[i]);
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	for (int sent = 0; sent < count;) {
		int n = count - sent < ATTACK_BATCH ? count - sent : ATTACK_BATCH;

		for (int i = 0; i < n; i++)
			randomize(family, kind, frames[i]);
		n = sendmmsg(fd, msgs, n, 0);
		ASSERT(n > 0 || errno == ENOBUFS, "sendmmsg: %s", strerror(errno));
		if (n > 0)
			sent += n;
		if (pause_us)
			usleep(pause_us);
	}
}
