// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* What an idle network adds: a 100-byte RPC takes no longer than UDP does.
 *
 * desc: unloaded 100-byte round trips within 1 us of UDP's, in virtual time
 * lab: --hosts 2
 * flavor: fast@quick
 *
 * In virtual time a CPU costs nothing, so that the difference is what a
 * protocol waits for: timers, batching, extra packets.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99
#define NUM 101
#define LIMIT_NS 1000

static struct {
	int h1;
	int h2;
} env;

static int open_ns(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		fprintf(stderr, "# %s: %s\n", path, strerror(errno));
		exit(2);
	}
	return fd;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int64_t median(int64_t *ns)
{
	qsort(ns, NUM, sizeof(*ns), compare);
	return ns[NUM / 2];
}

static int udp_socket(int ns, int family, int port)
{
	union haddr addr = haddr_of(family, family == AF_INET ? "0.0.0.0" :
				    "::", port);
	int fd;

	ns_enter(ns);
	fd = socket(family, SOCK_DGRAM, 0);
	ASSERT_EQ(bind(fd, &addr.sa, haddr_len(&addr)), 0);
	return fd;
}

static void *udp_echo(void *arg)
{
	int fd = *(int *)arg;
	union haddr from;
	socklen_t len;
	char buf[200];
	ssize_t n;

	for (;;) {
		len = sizeof(from);
		n = recvfrom(fd, buf, sizeof(buf), 0, &from.sa, &len);
		if (n < 0)
			return NULL;
		sendto(fd, buf, n, 0, &from.sa, len);
	}
}

static int64_t udp_rtt(int server_ns, int family, const char *ip)
{
	int port = family == AF_INET ? PORT : PORT + 1;
	int server = udp_socket(server_ns, family, port);
	int fd = udp_socket(env.h1, family, 0);
	union haddr to = haddr_of(family, ip, port);
	char buf[200] = { 0 };
	int64_t ns[NUM], start;
	pthread_t thread;

	pthread_create(&thread, NULL, udp_echo, &server);
	sleep_ms(5);
	for (int i = 0; i < NUM; i++) {
		start = now_ns();
		sendto(fd, buf, 100, 0, &to.sa, haddr_len(&to));
		ASSERT_EQ(recv(fd, buf, sizeof(buf), 0), 100);
		ns[i] = now_ns() - start;
	}
	return median(ns);
}

static int64_t homa_rtt(int server_ns, int family, const char *ip)
{
	struct hsock hs = hsock_open(env.h1, family);
	union haddr to = haddr_of(family, ip, PORT);
	int64_t ns[NUM], start;
	char buf[200] = { 0 };
	struct echoer e;
	struct hmsg m;
	uint64_t id;

	echoer_start(&e, server_ns, family, PORT);
	sleep_ms(5);
	memset(&m, 0, sizeof(m));
	for (int i = 0; i < NUM; i++) {
		start = now_ns();
		ASSERT_RC(hsock_request(&hs, &to, buf, 100, &id), 0);
		m.args.id = 0;
		ASSERT_RC(hsock_recvmsg(&hs, &m, 0), 100);
		ns[i] = now_ns() - start;
	}
	echoer_stop(&e);
	return median(ns);
}

static void compare_over(int server_ns, int family, const char *ip)
{
	int64_t udp = udp_rtt(server_ns, family, ip);
	int64_t homa = homa_rtt(server_ns, family, ip);

	printf("# to %s: UDP %lld ns, Homa %lld ns\n", ip, (long long)udp,
	       (long long)homa);
	EXPECT(homa <= udp + LIMIT_NS, "to %s: %lld ns against %lld of UDP",
	       ip, (long long)homa, (long long)udp);
}

static void over_the_star(void)
{
	compare_over(env.h2, AF_INET, "10.0.0.2");
	compare_over(env.h2, AF_INET6, "fd00::2");
}

static void over_lo(void)
{
	compare_over(env.h1, AF_INET, "127.0.0.1");
	compare_over(env.h1, AF_INET6, "::1");
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(over_the_star),
		KTAP_CASE(over_lo),
	};

	env.h1 = open_ns("/run/netns/h1");
	env.h2 = open_ns("/run/netns/h2");
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
