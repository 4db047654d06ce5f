// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* How fast requests of up to 64 MB go over a link, in virtual time.
 *
 * desc: messages of 64 MB are no slower than those of 1 MB, and fill the link
 * lab: --hosts 2
 * flavor: fast
 *
 * The time is from sendmsg(2) until the answer of one byte has come, for as many
 * bytes each time: many short messages one after the other, or one long one. An
 * argument makes it send only messages of that length, to see what CPU they need.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hlarge.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99
#define REGION (2UL * HOMA_MAX_LARGE_LENGTH)
#define TOTAL HOMA_MAX_LARGE_LENGTH
/* Headers, with IPv6, preamble and gap leave little more of the 25 Gb/s of the link. */
#define LINK_MBPS 22700

static struct {
	int h1;
	int h2;
	char *buf;
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

static void *serve(void *arg)
{
	struct hsock *hs = arg;
	struct hlarge m;

	while (hlarge_recv(hs, &m, 0, HOMA_MAX_LARGE_BPAGES, 0) >= 0) {
		EXPECT_RC(hlarge_return(hs, &m), 0);
		EXPECT_RC(hsock_reply(hs, &m.from, m.args.id, "", 1), 0);
	}
	return NULL;
}

/* Mb/s of TOTAL bytes in messages of @length. */
static int rate(int family, int length)
{
	struct hsock server = hlarge_open(env.h2, family, PORT, REGION);
	struct hsock hs = hlarge_open(env.h1, family, 0, REGION);
	union haddr to = haddr_of(family, family == AF_INET ? "10.0.0.2" :
				  "fd00::2", PORT);
	pthread_t thread;
	struct hlarge m;
	int64_t start, ns;
	int done = 0, n;
	uint64_t id;

	/* Faults for new memory are not what is compared. */
	memset(server.region, 0, REGION);
	pthread_create(&thread, NULL, serve, &server);
	for (start = now_ns(); done < TOTAL; done += n) {
		n = TOTAL - done < length ? TOTAL - done : length;
		ASSERT_RC(hsock_request(&hs, &to, env.buf, n, &id), 0);
		ASSERT_RC(hlarge_recv(&hs, &m, 0, HOMA_MAX_LARGE_BPAGES, 0), 1);
		hlarge_return(&hs, &m);
	}
	ns = now_ns() - start;
	shutdown(server.fd, SHUT_RDWR);
	pthread_join(thread, NULL);
	hsock_close(&server);
	hsock_close(&hs);
	n = TOTAL * 8000ll / ns;
	printf("# family %d, %d bytes: %d Mb/s\n", family, length, n);
	return n;
}

static void rates(int family)
{
	static const int lengths[] = {
		1000001, 4000000, 16000000, HOMA_MAX_LARGE_LENGTH,
	};
	int before = rate(family, HOMA_MAX_MESSAGE_LENGTH);

	for (int i = 0; i < ARRAY_LEN(lengths); i++) {
		int now = rate(family, lengths[i]);

		/* The question costs a round trip: 1% of 320 us, at 1 MB. */
		EXPECT(now >= before - before / 50, "%d bytes: %d Mb/s after %d",
		       lengths[i], now, before);
		before = now;
	}
	EXPECT_GE(before, LINK_MBPS);
}

static void rates_v4(void)
{
	rates(AF_INET);
}

static void rates_v6(void)
{
	rates(AF_INET6);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_SLOW(rates_v4, 100),
		KTAP_SLOW(rates_v6, 100),
	};

	env.h1 = open_ns("/run/netns/h1");
	env.h2 = open_ns("/run/netns/h2");
	env.buf = mmap(NULL, TOTAL, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(env.buf, 0, TOTAL);
	if (argc == 2 && atoi(argv[1]) > 0)
		return rate(AF_INET, atoi(argv[1])) <= 0;
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
