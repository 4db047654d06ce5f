// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Copies packets and delivers them again; see replayer.h. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hsock.h"
#include "ns.h"
#include "replayer.h"

#define FRAME_MAX 2000
#define BATCH 64

/**
 * struct frame - a packet as a host gave it to its device
 * @sent: when, ms
 * @side: which host
 * @len: bytes in @b
 * @b: beginning with the Ethernet header
 */
struct frame {
	int64_t sent;
	int side;
	int len;
	uint8_t b[];
};

static const int delays_ms[REPLAYER_STAGES] = { 100, 1000, 2000, 10000 };

static void fatal(const char *what)
{
	fprintf(stderr, "# replayer: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void frames_add(struct frames *q, struct frame *f)
{
	if (q->tail == q->room) {
		q->tail -= q->head;
		memmove(q->all, q->all + q->head, q->tail * sizeof(*q->all));
		q->head = 0;
		if (q->tail >= q->room / 2) {
			q->room = q->room ? 2 * q->room : 4096;
			q->all = realloc(q->all, q->room * sizeof(*q->all));
			if (!q->all)
				fatal("memory");
		}
	}
	q->all[q->tail++] = f;
}

static uint32_t random_below(struct replayer *r, uint32_t n)
{
	r->random = r->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return (r->random >> 33) % n;
}

static bool is_homa(const uint8_t *b, int len)
{
	return (len >= 34 && b[12] == 0x08 && b[13] == 0x00 &&
		b[23] == IPPROTO_HOMA) ||
	       (len >= 54 && b[12] == 0x86 && b[13] == 0xdd &&
		b[20] == IPPROTO_HOMA);
}

/* Copies what a host has sent since the last time. */
static void copy_new(struct replayer *r, int side, int64_t now)
{
	static uint8_t buf[BATCH][FRAME_MAX];
	struct sockaddr_ll from[BATCH];
	struct mmsghdr m[BATCH];
	struct iovec iov[BATCH];
	int n;

	if (r->fd[side] < 0)
		return;
	do {
		memset(m, 0, sizeof(m));
		for (int i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){ buf[i], FRAME_MAX };
			m[i].msg_hdr.msg_iov = &iov[i];
			m[i].msg_hdr.msg_iovlen = 1;
			m[i].msg_hdr.msg_name = &from[i];
			m[i].msg_hdr.msg_namelen = sizeof(from[i]);
		}
		n = recvmmsg(r->fd[side], m, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++) {
			struct frame *f;

			if (r->stop || from[i].sll_pkttype != PACKET_OUTGOING ||
			    !is_homa(buf[i], m[i].msg_len))
				continue;
			f = malloc(sizeof(*f) + m[i].msg_len);
			if (!f)
				fatal("memory");
			*f = (struct frame){ now, side, m[i].msg_len };
			memcpy(f->b, buf[i], m[i].msg_len);
			frames_add(&r->stage[0], f);
			r->kept++;
		}
	} while (n == BATCH);
}

static bool deliver_once(const struct replayer *r, const struct frame *f)
{
	return r->fd[f->side] >= 0 &&
	       send(r->fd[f->side], f->b, f->len, 0) == f->len;
}

static void deliver(struct replayer *r, const struct frame *f)
{
	bool done = deliver_once(r, f);

	/* The other host's queue may be full for a moment. */
	for (int i = 0; !done && r->fd[f->side] >= 0 && i < 10; i++) {
		sleep_ms(1);
		done = deliver_once(r, f);
	}
	r->replayed++;
	r->refused += !done;
}

/* Delivers, in random order, all frames of a stage that are old enough. Ten
 * times per delay, so that many frames change places.
 */
static void run_stage(struct replayer *r, int k, int64_t now)
{
	struct frames *q = &r->stage[k];
	struct frame **batch = q->all + q->head, *f;
	int n = 0;

	while (q->head < q->tail && q->all[q->head]->sent + delays_ms[k] <= now) {
		if (k + 1 < REPLAYER_STAGES)
			frames_add(&r->stage[k + 1], q->all[q->head]);
		q->head++;
		n++;
	}
	for (int i = n - 1; i >= 0; i--) {
		int j = random_below(r, i + 1);

		f = batch[j];
		batch[j] = batch[i];
		deliver(r, f);
		if (k + 1 == REPLAYER_STAGES)
			free(f);
	}
}

static bool is_empty(const struct replayer *r)
{
	for (int k = 0; k < REPLAYER_STAGES; k++)
		if (r->stage[k].head < r->stage[k].tail)
			return false;
	return true;
}

static void *replayer_run(void *arg)
{
	int64_t due[REPLAYER_STAGES] = { 0 };
	struct replayer *r = arg;

	while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE) || !is_empty(r)) {
		int64_t now = now_ms();

		pthread_mutex_lock(&r->lock);
		copy_new(r, 0, now);
		copy_new(r, 1, now);
		for (int k = 0; k < REPLAYER_STAGES; k++) {
			if (now < due[k])
				continue;
			due[k] = now + delays_ms[k] / 10;
			run_stage(r, k, now);
		}
		pthread_mutex_unlock(&r->lock);
		sleep_ms(1);
	}
	return NULL;
}

static int packet_socket(int ns)
{
	int old = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	struct sockaddr_ll addr = { .sll_family = AF_PACKET,
				    .sll_protocol = htons(ETH_P_ALL) };
	int size = 64 << 20, fd;

	ns_enter(ns);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	addr.sll_ifindex = if_nametoindex("v0");
	if (fd < 0 || !addr.sll_ifindex ||
	    bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		fatal("packet socket");
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	ns_enter(old);
	close(old);
	return fd;
}

void replayer_attach(struct replayer *r, int a, int b)
{
	pthread_mutex_lock(&r->lock);
	r->fd[0] = packet_socket(a);
	r->fd[1] = packet_socket(b);
	pthread_mutex_unlock(&r->lock);
}

void replayer_detach(struct replayer *r)
{
	pthread_mutex_lock(&r->lock);
	for (int i = 0; i < 2; i++) {
		copy_new(r, i, now_ms());
		close(r->fd[i]);
		r->fd[i] = -1;
	}
	pthread_mutex_unlock(&r->lock);
}

void replayer_start(struct replayer *r, int a, int b, uint64_t seed)
{
	memset(r, 0, sizeof(*r));
	r->random = seed;
	pthread_mutex_init(&r->lock, NULL);
	replayer_attach(r, a, b);
	if (pthread_create(&r->thread, NULL, replayer_run, r))
		fatal("thread");
}

void replayer_finish(struct replayer *r)
{
	__atomic_store_n(&r->stop, true, __ATOMIC_RELEASE);
	pthread_join(r->thread, NULL);
	replayer_detach(r);
	for (int k = 0; k < REPLAYER_STAGES; k++)
		free(r->stage[k].all);
}
