// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Long messages of which a thread copies what has come while the rest is on its way.
 *
 * desc: copying out before the end: by whom, what counts of overlaps, what ends it
 * lab: --no-topology
 * flavor: fast@quick debug smp
 */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hsock.h"
#include "ktap.h"
#include "ns.h"
#include "wire.h"

#define PORT 77
#define PEER_CLIENT 0x9001
#define TOTAL 900000
#define PACKET 5000
#define ENOUGH 560000		/* more than what makes it worth while */
#define LATEST 850000		/* until then a thread must have copied */

static struct wpkt p;
static struct counters before;
static uint64_t id;		/* of the message's packets */
static int sport, dport;

/* A thread that receives one message. */
struct receiver {
	struct hsock *hs;
	uint64_t id;
	struct hmsg m;
	pthread_t thread;
};

static void *receive(void *arg)
{
	struct receiver *r = arg;

	hsock_recv(r->hs, &r->m, r->id, 0);
	return NULL;
}

static void start(struct receiver *r)
{
	counters_read(wnet.host, &before);
	ASSERT(!pthread_create(&r->thread, NULL, receive, r), "no thread");
}

static int copied(void)
{
	return counters_grew(wnet.host, &before, "copied_early_bytes");
}

/* Sends [from, to) of the message. */
static void send_part(int from, int to, uint32_t seed)
{
	for (int at = from, n; at < to; at += n) {
		n = to - at < PACKET ? to - at : PACKET;
		w_data(&p, ktap_family, sport, dport, id, TOTAL, at, n, seed);
		w_send(&p);
	}
}

/* Sends from @from on until a thread has copied something; returns how far it came. */
static int send_until_copied(int from, uint32_t seed)
{
	int at = from;

	send_part(from, ENOUGH, seed);
	for (at = ENOUGH; at < LATEST && !copied(); at += PACKET) {
		usleep(2000);
		send_part(at, at + PACKET, seed);
	}
	for (int i = 0; i < 500 && !copied(); i++)
		usleep(2000);
	EXPECT_GE(copied(), 512 << 10);
	EXPECT_GE(at, copied());
	return at;
}

static void new_request(void)
{
	id = w_new_id();
	sport = PEER_CLIENT;
	dport = PORT;
}

static void shared_message(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);
	struct receiver r = { .hs = &server };

	new_request();
	start(&r);
	send_part(send_until_copied(0, id), TOTAL, id);
	pthread_join(r.thread, NULL);
	EXPECT_RC(r.m.rc, TOTAL);
	EXPECT(payload_ok(&server, &r.m, id), "wrong bytes");
	EXPECT_EQ(counters_grew(wnet.host, &before, "skb_frees"), TOTAL / PACKET);
	hsock_return(&server, &r.m);
	hsock_close(&server);
}

static void private_message(void)
{
	struct hsock hs = hsock_open(wnet.host, ktap_family);
	union haddr to = wnet_peer_addr(ktap_family, PORT);
	struct receiver r = { .hs = &hs };

	ASSERT_RC(hsock_private(&hs, &to, "x", 1, &r.id), 0);
	id = r.id ^ 1;
	sport = PORT;
	dport = hsock_port(&hs);
	start(&r);
	send_part(send_until_copied(0, id), TOTAL, id);
	pthread_join(r.thread, NULL);
	EXPECT_RC(r.m.rc, TOTAL);
	EXPECT(payload_ok(&hs, &r.m, id), "wrong bytes");
	hsock_close(&hs);
}

/* What has been copied stays, and so does what was queued; only what is missing is used. */
static void overlaps(void)
{
	static char got[TOTAL], want[TOTAL], other[TOTAL];
	const int hole = 50000, wide = PACKET / 4;
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);
	struct receiver r = { .hs = &server };
	int end;

	new_request();
	start(&r);
	send_part(0, hole, id);
	end = send_until_copied(hole + PACKET, id);
	w_data(&p, ktap_family, sport, dport, id, TOTAL, hole - wide,
	       PACKET + 2 * wide, id + 1);
	w_send(&p);
	w_data(&p, ktap_family, sport, dport, id, TOTAL, end - wide, 2 * wide,
	       id + 1);
	w_send(&p);
	w_data(&p, ktap_family, sport, dport, id, TOTAL, 0, PACKET, id + 1);
	w_send(&p);
	send_part(end + wide, TOTAL, id);
	pthread_join(r.thread, NULL);
	ASSERT_RC(r.m.rc, TOTAL);
	payload_gather(&server, &r.m, got);
	payload_fill(want, TOTAL, id);
	payload_fill(other, TOTAL, id + 1);
	memcpy(want + hole, other + hole, PACKET);
	memcpy(want + end, other + end, wide);
	EXPECT(!memcmp(want, got, TOTAL), "wrong bytes");
	EXPECT_EQ(counters_grew(wnet.host, &before, "packet_discards"), 1);
	hsock_close(&server);
}

/* A thread that gives up, or is killed with its process, leaves the message as it is. */
static void waits_that_end(void)
{
	struct timeval soon = { .tv_usec = 300000 }, never = {};
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);
	struct receiver r = { .hs = &server };
	struct hmsg m;
	int end;

	new_request();
	send_part(0, ENOUGH - PACKET, id);
	setsockopt(server.fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof(soon));
	start(&r);
	end = send_until_copied(ENOUGH - PACKET, id);
	pthread_join(r.thread, NULL);
	EXPECT_RC(r.m.rc, -EAGAIN);
	setsockopt(server.fd, SOL_SOCKET, SO_RCVTIMEO, &never, sizeof(never));
	send_part(end, TOTAL, id);
	EXPECT_RC(hsock_recv_within(&server, &m, 0, 1000), TOTAL);
	EXPECT(payload_ok(&server, &m, id), "wrong bytes");
	hsock_close(&server);
}

/* What another process has copied is not here: the sender is asked for it again. */
static void part_is_in_another_process(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);
	struct receiver r = { .hs = &server };
	static struct wpkt q;
	struct hmsg m;
	pid_t child;
	int end;

	new_request();
	counters_read(wnet.host, &before);
	child = fork();
	if (!child) {
		receive(&r);
		_exit(0);
	}
	end = send_until_copied(0, id);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	w_drain();
	send_part(end, TOTAL, id);
	EXPECT_RC(hsock_recv_within(&server, &m, 0, 100), -EAGAIN);
	do	/* others ask for what was late */
		w_expect(&q, W_RESEND, 100);
	while (get32(&q, AT_RESEND_OFFSET));
	send_part(0, TOTAL, id);
	EXPECT_RC(hsock_recv_within(&server, &m, 0, 1000), TOTAL);
	EXPECT(payload_ok(&server, &m, id), "wrong bytes");
	hsock_return(&server, &m);

	ktap_label("afterwards");
	new_request();
	start(&r);
	usleep(20000);
	send_part(0, TOTAL, id);
	pthread_join(r.thread, NULL);
	EXPECT_RC(r.m.rc, TOTAL);
	EXPECT(payload_ok(&server, &r.m, id), "wrong bytes");
	EXPECT_EQ(copied(), 0);
	hsock_close(&server);
}

/* A region that cannot be written to for a while: nothing is lost of the message. */
static void region_that_cannot_be_written(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);
	struct receiver r = { .hs = &server };

	new_request();
	mprotect(server.region, server.length, PROT_READ);
	start(&r);
	usleep(20000);
	send_part(0, LATEST, id);
	usleep(50000);
	mprotect(server.region, server.length, PROT_READ | PROT_WRITE);
	send_part(LATEST, TOTAL, id);
	pthread_join(r.thread, NULL);
	EXPECT_RC(r.m.rc, TOTAL);
	EXPECT(payload_ok(&server, &r.m, id), "wrong bytes");
	EXPECT_EQ(copied(), 0);
	hsock_close(&server);
}

static void nobody_sleeps(void)
{
	struct hsock server = hsock_server(wnet.host, ktap_family, PORT);
	struct hmsg m;

	new_request();
	counters_read(wnet.host, &before);
	send_part(0, LATEST, id);
	EXPECT_RC(hsock_recv(&server, &m, 0, MSG_DONTWAIT), -EAGAIN);
	send_part(LATEST, TOTAL, id);
	EXPECT_RC(hsock_recv(&server, &m, 0, MSG_DONTWAIT), TOTAL);
	EXPECT(payload_ok(&server, &m, id), "wrong bytes");
	EXPECT_EQ(copied(), 0);
	hsock_close(&server);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_EACH(shared_message),
		KTAP_EACH(private_message),
		KTAP_EACH(overlaps),
		KTAP_EACH(waits_that_end),
		KTAP_EACH(part_is_in_another_process),
		KTAP_EACH(region_that_cannot_be_written),
		KTAP_EACH(nobody_sleeps),
	};

	wnet_init();
	/* The sender may be silent for as long as a slow machine makes it. */
	if (ns_sysctl(wnet.host, "timeout_ticks", "1000"))
		return 2;
	ns_run(wnet.host, "ip link set v0 mtu 9000");
	ns_run(wnet.peer, "ip link set v0 mtu 9000");
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
