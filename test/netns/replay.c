// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* At most once, on a network that delivers every packet five times.
 *
 * desc: no request executes twice although all packets come again for 10 s
 * lab: --no-topology
 * flavor: fast debug
 * timeout: 120
 *
 * Applications count how often each request is executed and look at every
 * byte. In the environment, REPLAY_COUNT is the number of RPCs and REPLAY_RATE
 * how many of them start in a second.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "counters.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"
#include "replayer.h"

#define PORT 99
#define NUM_CLIENTS 4
#define NUM_SERVERS 4
#define LONGEST 60000

/**
 * struct load - RPCs of some clients, and what became of them
 * @num: how many; each request and its response carry its number
 * @failed: RPCs that ended with an error
 * @wrong: messages with wrong bytes, or that nobody waits for
 * @executed: how often each request was executed, by number
 * @answered: how often each response came, by number
 */
struct load {
	int num;
	int failed;
	int wrong;
	uint8_t *executed;
	uint8_t *answered;
};

static struct load load;
static struct hsock servers[NUM_SERVERS];
static pthread_t threads[NUM_SERVERS];
static const int families[] = { AF_INET, AF_INET6 };

static int setting(const char *name, int fallback)
{
	const char *value = getenv(name);

	return value ? atoi(value) : fallback;
}

/* Most are short; some have several packets, a few need grants. */
static int request_length(int number)
{
	if (number % 256 == 7)
		return LONGEST;
	return number % 16 == 5 ? 3000 : 100;
}

static int response_length(int number)
{
	return request_length(number / 3);
}

static void fill(char *buf, int len, int number)
{
	payload_fill(buf, len, number);
	memcpy(buf, &number, sizeof(number));
}

/* The number that a message carries, or -1 if its bytes are wrong. */
static int number_of(const struct hsock *hs, const struct hmsg *m,
		     int (*length)(int number))
{
	static __thread char got[LONGEST], want[LONGEST];
	int number;

	if (m->rc < (int)sizeof(number) || m->rc > LONGEST)
		return -1;
	payload_gather(hs, m, got);
	memcpy(&number, got, sizeof(number));
	fill(want, m->rc, number);
	if (number < 0 || number >= load.num || m->rc != length(number) ||
	    memcmp(got, want, m->rc))
		return -1;
	return number;
}

static void *serve(void *arg)
{
	char *buf = malloc(LONGEST);
	struct hsock *hs = arg;
	struct hmsg m;
	int number;

	memset(&m, 0, sizeof(m));
	for (;;) {
		m.args.id = 0;
		if (hsock_recvmsg(hs, &m, 0) == -ESHUTDOWN)
			break;
		if (m.rc == -EINTR)
			continue;
		number = m.rc < 0 ? -1 : number_of(hs, &m, request_length);
		if (number < 0) {
			__atomic_fetch_add(&load.wrong, 1, __ATOMIC_RELAXED);
			continue;
		}
		__atomic_fetch_add(&load.executed[number], 1, __ATOMIC_RELAXED);
		fill(buf, response_length(number), number);
		hsock_reply(hs, &m.from, m.args.id, buf,
			    response_length(number));
	}
	free(buf);
	return NULL;
}

static void start(int ns, int num)
{
	load.num = num;
	load.executed = calloc(num, 1);
	load.answered = calloc(num, 1);
	for (int i = 0; i < NUM_SERVERS; i++) {
		servers[i] = hsock_server(ns, families[i & 1], PORT + i);
		ASSERT_EQ(pthread_create(&threads[i], NULL, serve, &servers[i]),
			  0);
	}
}

static void stop(void)
{
	for (int i = 0; i < NUM_SERVERS; i++) {
		shutdown(servers[i].fd, SHUT_RDWR);
		pthread_join(threads[i], NULL);
	}
}

/* Takes what has come to a client. Returns the number of RPCs that ended. */
static int take_responses(const struct hsock *hs)
{
	struct hmsg m;
	int ended = 0, number;

	memset(&m, 0, sizeof(m));
	for (;; ended++) {
		m.args.id = 0;
		hsock_recvmsg(hs, &m, MSG_DONTWAIT);
		if (m.rc == -EAGAIN)
			return ended;
		if (m.rc < 0) {
			load.failed++;
			continue;
		}
		number = number_of(hs, &m, response_length);
		if (number < 0 || (uint64_t)number != m.args.completion_cookie)
			load.wrong++;
		else
			load.answered[number]++;
	}
}

static int send_request(const struct hsock *hs, int number)
{
	struct homa_sendmsg_args args = { .completion_cookie = number };
	bool ipv4 = hs->family == AF_INET;
	static char buf[LONGEST];
	int server = number / NUM_CLIENTS * 2 % NUM_SERVERS + !ipv4;
	union haddr to = haddr_of(hs->family, ipv4 ? "10.9.0.2" : "fd09::2",
				  PORT + server);

	fill(buf, request_length(number), number);
	return hsock_sendmsg(hs, &to, buf, request_length(number), &args, 0);
}

/* Sends requests [first, end) from a host at the given rate and waits until
 * all have been answered or have failed.
 */
static void run_clients(int ns, int first, int end, int rate)
{
	struct hsock hs[NUM_CLIENTS];
	int64_t began = now_ms(), limit;
	int sent = first, ended = 0;

	for (int i = 0; i < NUM_CLIENTS; i++)
		hs[i] = hsock_open(ns, families[i & 1]);
	limit = began + (int64_t)(end - first) * 1000 / rate + 5000;
	while (first + ended < end && now_ms() < limit) {
		int64_t due = first + 1 + (now_ms() - began) * rate / 1000;

		for (; sent < end && sent < due; sent++)
			ASSERT_RC(send_request(&hs[sent % NUM_CLIENTS], sent),
				  0);
		for (int i = 0; i < NUM_CLIENTS; i++)
			ended += take_responses(&hs[i]);
		sleep_ms(1);
	}
	EXPECT_EQ(ended, end - first);
	for (int i = 0; i < NUM_CLIENTS; i++)
		hsock_close(&hs[i]);
}

/* Judges requests [first, end): @complete says that none may have failed. */
static void judge(int first, int end, bool complete)
{
	int twice = 0, never = 0, answered_twice = 0, unexecuted = 0;

	for (int i = first; i < end; i++) {
		twice += load.executed[i] > 1;
		never += !load.answered[i];
		answered_twice += load.answered[i] > 1;
		unexecuted += load.answered[i] && !load.executed[i];
	}
	EXPECT_EQ(twice, 0);
	EXPECT_EQ(answered_twice, 0);
	EXPECT_EQ(unexecuted, 0);
	EXPECT_EQ(load.wrong, 0);
	if (complete) {
		EXPECT_EQ(never, 0);
		EXPECT_EQ(load.failed, 0);
	}
}

/* Packets reach the wire as they would a real one: whole, with checksums. */
static void without_offloads(int ns)
{
	ns_run(ns, "ethtool -K v0 tx off sg off tso off gso off gro off "
	       ">/dev/null");
}

static void join(int a, int b)
{
	ns_join(a, b, 1500);
	without_offloads(a);
	without_offloads(b);
}

static void every_packet_comes_five_times(void)
{
	bool slow = !strcmp(getenv("LAB_FLAVOR") ?: "fast", "debug");
	int num = setting("REPLAY_COUNT", slow ? 500 : 2000), left = 0;
	int a = ns_new(), b = ns_new();
	struct counters before;
	struct replayer r;

	join(a, b);
	counters_read(b, &before);
	start(b, num);
	replayer_start(&r, a, b, 1);
	run_clients(a, 0, num, setting("REPLAY_RATE", 5000));
	replayer_finish(&r);
	judge(0, num, true);
	printf("# %d RPCs, %lld packets kept, %lld delivered again; requests refused "
	       "by tombstones: %lld, tombstones gone early: %lld\n", num,
	       (long long)r.kept, (long long)r.replayed,
	       (long long)counters_grew(b, &before, "rx_tombstones"),
	       (long long)counters_grew(b, &before, "tombstone_evictions"));
	EXPECT_GE(r.kept, 2 * num);
	EXPECT_EQ(r.replayed, r.kept * REPLAYER_STAGES);
	EXPECT_EQ(r.refused, 0);
	for (int i = 0; i < NUM_SERVERS; i++)
		left += hsock_num_rpcs(&servers[i]);
	EXPECT_EQ(left, 0);
	stop();
}

/* A host with the address that requests come from. */
static int new_client_host(int b)
{
	int a = ns_new();

	join(a, b);
	return a;
}

static void host_dies(int a, int b)
{
	ns_run(b, "ip link del v0");
	close(a);
}

/* A host dies and comes back with the same address and the same ports, while
 * the network still holds packets of its earlier lives.
 */
static void client_host_restarts(void)
{
	int num = 200, lives = 4, b = ns_new(), a;
	struct replayer r;

	start(b, num * lives);
	for (int life = 0; life < lives; life++) {
		ktap_label("life %d", life);
		a = new_client_host(b);
		if (!life)
			replayer_start(&r, a, b, 2);
		else
			replayer_attach(&r, a, b);
		run_clients(a, life * num, (life + 1) * num, 500);
		if (life + 1 == lives)
			break;
		replayer_detach(&r);
		host_dies(a, b);
	}
	ktap_label("%s", "");
	replayer_finish(&r);
	judge(0, num * lives, true);
	stop();
}

/* Should a host ever begin at an id that it has used before, then the server
 * cannot tell its requests from duplicates: they fail, and nothing worse.
 */
static void reused_ids_fail_cleanly(void)
{
	int num = 100, b = ns_new(), a;
	struct counters before;

	start(b, 2 * num);
	for (int life = 0; life < 2; life++) {
		ktap_label("life %d", life);
		a = new_client_host(b);
		ASSERT_RC(ns_sysctl(a, "next_id", "1000000"), 0);
		counters_read(b, &before);
		run_clients(a, life * num, (life + 1) * num, 1000);
		judge(life * num, (life + 1) * num, !life);
		for (int i = 0; i < NUM_SERVERS; i++)
			EXPECT(WAIT_FOR(hsock_num_rpcs(&servers[i]) == 0, 5000),
			       "%d RPCs are left", hsock_num_rpcs(&servers[i]));
		host_dies(a, b);
	}
	ktap_label("%s", "");
	EXPECT_EQ(load.failed, num);
	EXPECT_GE(counters_grew(b, &before, "rx_tombstones"), num);
	for (int i = num; i < 2 * num; i++)
		EXPECT_EQ(load.executed[i], 0);
	stop();
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_SLOW(every_packet_comes_five_times, 100000),
		KTAP_SLOW(client_host_restarts, 300),
		KTAP_SLOW(reused_ids_fail_cleanly, 300),
	};

	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
