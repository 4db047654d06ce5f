// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* homa_drive: a few RPCs by hand, for tests and for a first look.
 *
 * "server" echoes; "rpc" sends messages over Homa and compares what comes back;
 * "rtt" measures round trips one at a time, over Homa, UDP or TCP in the same
 * way: blocking calls and one thread. TCP messages carry 4 bytes of length.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cp_node/homa_sock.h"
#include "lib/clock.h"
#include "lib/die.h"
#include "lib/hist.h"
#include "lib/opts.h"
#include "lib/rng.h"

#define BPAGES 500			/* of a receive region: 33 MB */
#define MAX_UDP 65507
#define EXIT_WRONG 3			/* an RPC failed, or came back with wrong contents */

static struct opts {
	const char *protocol;
	int port, ports, threads, size, count, outstanding;
	bool ipv6, private, verify;
	uint64_t seed;
} o = {
	.protocol = "homa", .port = 4000, .ports = 1, .threads = 1, .size = 100,
	.count = 1, .outstanding = 1, .seed = 1,
};

/* ---- what the commands share ---- */

/* Write bytes that depend on the seed, the RPC's number and the position. */
static void fill_pattern(uint8_t *buf, size_t len, uint64_t number)
{
	uint64_t key = rng_mix(o.seed ^ rng_mix(number)), word;
	size_t at, n;

	for (at = 0; at < len; at += n) {
		n = len - at < 8 ? len - at : 8;
		word = rng_mix(key + at);
		memcpy(buf + at, &word, n);
	}
}

/* "ADDR:PORT" or "[ADDR]:PORT" to an address. Ends the program if it isn't one. */
static struct sockaddr_storage parse_target(const char *text)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *found;
	char host[256], *colon, *start = host, *end;
	struct sockaddr_storage to = { .ss_family = 0 };
	int err;

	snprintf(host, sizeof(host), "%s", text);
	colon = strrchr(host, ':');
	if (!colon || !colon[1])
		die("%s: want ADDR:PORT or [ADDR]:PORT", text);
	*colon = 0;
	end = colon - 1;
	if (*start == '[' && end > start && *end == ']') {
		start++;
		*end = 0;
	}
	if (o.ipv6) {
		hints.ai_family = AF_INET6;
		hints.ai_flags = AI_V4MAPPED;
	}
	err = getaddrinfo(start, colon + 1, &hints, &found);
	if (err)
		die("%s: %s", text, gai_strerror(err));
	memcpy(&to, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return to;
}

static socklen_t address_length(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET ? sizeof(struct sockaddr_in) :
					 sizeof(struct sockaddr_in6);
}

static struct sockaddr_storage any_address(int port)
{
	struct sockaddr_storage a = { .ss_family = o.ipv6 ? AF_INET6 : AF_INET };

	if (o.ipv6)
		((struct sockaddr_in6 *)&a)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)&a)->sin_port = htons(port);
	return a;
}

/* The pieces of the message that @a says where to find. Return: how many. */
static int find_pieces(const struct homa_sock *s, const struct homa_recvmsg_args *a,
		       size_t len, struct iovec *v)
{
	size_t left = len;
	uint32_t i;

	for (i = 0; i < a->num_bpages; i++) {
		v[i].iov_base = s->region + a->bpage_offsets[i];
		v[i].iov_len = left < HOMA_BPAGE_SIZE ? left : HOMA_BPAGE_SIZE;
		left -= v[i].iov_len;
	}
	return a->num_bpages;
}

/* sendmsg() for Homa. Return: 0 or -errno. */
static int homa_send(const struct homa_sock *s, const struct sockaddr_storage *to,
		     struct homa_sendmsg_args *a, struct iovec *v, int n)
{
	struct msghdr h = {
		.msg_name = (void *)to, .msg_namelen = address_length(to),
		.msg_iov = v, .msg_iovlen = n, .msg_control = a,
	};

	return sendmsg(s->fd, &h, 0) < 0 ? -errno : 0;
}

/* ---- server ---- */

static void *serve_homa(void *arg)
{
	struct homa_recvmsg_args in = { .id = 0 };
	struct iovec v[HOMA_MAX_BPAGES];
	struct homa_sendmsg_args out;
	struct sockaddr_storage from;
	struct homa_sock *s = arg;
	ssize_t n;
	int err;

	for (;;) {
		in.id = 0;
		n = homa_sock_recv(s, &in, &from, 0);
		if (n < 0 && n != -EINTR)
			die("recvmsg: %s", strerror(-n));
		if (n < 0)
			continue;
		out = (struct homa_sendmsg_args){ .id = in.id };
		err = homa_send(s, &from, &out, v, find_pieces(s, &in, n, v));
		if (err)
			fail("cannot answer RPC %llu: %s", (unsigned long long)in.id,
			     strerror(-err));
	}
	return NULL;
}

static void *serve_udp(void *arg)
{
	struct sockaddr_storage from;
	uint8_t *buf = xcalloc(1, MAX_UDP);
	int fd = *(int *)arg;
	socklen_t len;
	ssize_t n;

	for (;;) {
		len = sizeof(from);
		n = recvfrom(fd, buf, MAX_UDP, 0, (struct sockaddr *)&from, &len);
		if (n >= 0 && sendto(fd, buf, n, 0, (struct sockaddr *)&from, len) < 0)
			fail("sendto: %s", strerror(errno));
	}
	return NULL;
}

/* Read exactly @len bytes. Return: whether that worked. */
static bool read_all(int fd, void *buf, size_t len)
{
	uint8_t *to = buf;
	ssize_t n;

	while (len) {
		n = read(fd, to, len);
		if (n <= 0)
			return false;
		to += n;
		len -= n;
	}
	return true;
}

/* Write a frame and the @len bytes after it, in one call where that does. */
static bool write_frame(int fd, uint8_t *buf, uint32_t len)
{
	size_t left = len + sizeof(len);
	ssize_t n;

	memcpy(buf, &len, sizeof(len));
	while (left) {
		n = send(fd, buf, left, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		buf += n;
		left -= n;
	}
	return true;
}

/* Read a message to @buf, after room for the frame. Return: its length, 0 at the end. */
static uint32_t read_frame(int fd, uint8_t *buf)
{
	uint32_t len;

	if (!read_all(fd, &len, sizeof(len)) || len > MSG_MAX_SIZE ||
	    !read_all(fd, buf + sizeof(len), len))
		return 0;
	return len;
}

static void set_nodelay(int fd)
{
	int one = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		die("TCP_NODELAY: %s", strerror(errno));
}

static void *serve_connection(void *arg)
{
	uint8_t *buf = xcalloc(1, MSG_MAX_SIZE + 4);
	int fd = *(int *)arg;
	uint32_t len;

	free(arg);
	set_nodelay(fd);
	do {
		len = read_frame(fd, buf);
	} while (len && write_frame(fd, buf, len));
	close(fd);
	free(buf);
	return NULL;
}

static void start_thread(void *(*body)(void *), void *arg)
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, body, arg);

	if (err)
		die("cannot start a thread: %s", strerror(err));
	pthread_detach(thread);
}

static void *serve_tcp(void *arg)
{
	int fd = *(int *)arg, *conn;

	for (;;) {
		conn = xcalloc(1, sizeof(*conn));
		*conn = accept(fd, NULL, NULL);
		if (*conn < 0)
			die("accept: %s", strerror(errno));
		start_thread(serve_connection, conn);
	}
	return NULL;
}

/* A bound socket of @type in new memory. */
static int *open_bound(int type, int port)
{
	struct sockaddr_storage a = any_address(port);
	int *fd = xcalloc(1, sizeof(*fd)), one = 1;

	*fd = socket(a.ss_family, type, 0);
	if (*fd < 0)
		die("socket: %s", strerror(errno));
	setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(*fd, (struct sockaddr *)&a, address_length(&a)))
		die("port %d: %s", port, strerror(errno));
	if (type == SOCK_STREAM && listen(*fd, 100))
		die("listen: %s", strerror(errno));
	return fd;
}

static void serve_port(int port)
{
	bool homa = !strcmp(o.protocol, "homa"), udp = !strcmp(o.protocol, "udp");
	struct homa_sock *s;
	int i, *fd;

	if (!homa) {
		fd = open_bound(udp ? SOCK_DGRAM : SOCK_STREAM, port);
		for (i = 0; i < o.threads; i++)
			start_thread(udp ? serve_udp : serve_tcp, fd);
		return;
	}
	s = xcalloc(1, sizeof(*s));
	if (homa_sock_open(s, o.ipv6 ? AF_INET6 : AF_INET, port, BPAGES))
		exit(1);
	for (i = 0; i < o.threads; i++)
		start_thread(serve_homa, s);
}

static int run_server(int argc, char **argv)
{
	int i;

	(void)argv;
	if (argc)
		die("server: too many words");
	for (i = 0; i < o.ports; i++)
		serve_port(o.port + i);
	printf("ready: %s port %d\n", o.protocol, o.port);
	fflush(stdout);
	for (;;)
		pause();
}

/* ---- rpc ---- */

/* One request that is under way. */
struct call {
	uint64_t id;
	uint64_t number;
};

struct batch {
	struct homa_sock sock;
	struct sockaddr_storage to;
	struct homa_recvmsg_args in;	/* holds bpages to give back */
	uint8_t *buf;
	int done, failed, wrong;
};

static bool contents_wrong(struct batch *b, ssize_t len, uint64_t number)
{
	struct iovec v[HOMA_MAX_BPAGES];
	uint8_t *at = b->buf;
	int n, i;

	if (len != o.size)
		return true;
	if (!o.verify)
		return false;
	fill_pattern(b->buf, o.size, number);
	n = find_pieces(&b->sock, &b->in, len, v);
	for (i = 0; i < n; at += v[i++].iov_len)
		if (memcmp(at, v[i].iov_base, v[i].iov_len))
			return true;
	return at != b->buf + len;
}

static void send_call(struct batch *b, struct call *c, uint64_t number)
{
	struct homa_sendmsg_args a = {
		.completion_cookie = number,
		.flags = o.private ? HOMA_SENDMSG_PRIVATE : 0,
	};
	struct iovec v = { b->buf, o.size };
	int err;

	fill_pattern(b->buf, o.size, number);
	err = homa_send(&b->sock, &b->to, &a, &v, 1);
	if (err) {
		printf("request %llu: sendmsg: %s\n", (unsigned long long)number,
		       strerrorname_np(-err));
		b->failed++;
	}
	*c = (struct call){ err ? 0 : a.id, number };
}

/* Take the answer to @c, or if RPCs are shared, to any. */
static void receive_call(struct batch *b, const struct call *c)
{
	ssize_t n;

	do {
		b->in.id = o.private ? c->id : 0;
		n = homa_sock_recv(&b->sock, &b->in, NULL, 0);
	} while (n == -EINTR);
	if (n < 0) {
		printf("RPC %llu: %s\n", (unsigned long long)b->in.id, strerrorname_np(-n));
		b->failed++;
		if (!b->in.id)
			die("recvmsg: %s", strerror(-n));
		return;
	}
	b->done++;
	if (contents_wrong(b, n, b->in.completion_cookie)) {
		printf("RPC %llu: the response of %zd bytes is not what was sent\n",
		       (unsigned long long)b->in.id, n);
		b->wrong++;
	}
}

static int run_rpc(int argc, char **argv)
{
	struct batch b = { .done = 0 };
	struct call *calls;
	int sent = 0, n, i;

	if (argc != 1)
		die("rpc: want one ADDR:PORT");
	b.to = parse_target(argv[0]);
	b.buf = xcalloc(1, o.size);
	calls = xcalloc(o.outstanding, sizeof(*calls));
	if (homa_sock_open(&b.sock, b.to.ss_family, 0, BPAGES))
		return 1;
	while (sent < o.count) {
		n = o.count - sent < o.outstanding ? o.count - sent : o.outstanding;
		for (i = 0; i < n; i++)
			send_call(&b, &calls[i], sent++);
		/* Backwards: private responses must not depend on their order. */
		for (i = n - 1; i >= 0; i--)
			if (calls[i].id)
				receive_call(&b, &calls[i]);
	}
	printf("%d done, %d failed, %d wrong\n", b.done, b.failed, b.wrong);
	homa_sock_close(&b.sock);
	free(calls);
	free(b.buf);
	return b.failed || b.wrong ? EXIT_WRONG : 0;
}

/* ---- rtt ---- */

struct pinger {
	const char *name;
	int (*open)(const struct sockaddr_storage *to);
	/* One round trip of o.size bytes. */
	void (*ping)(const struct sockaddr_storage *to, uint8_t *buf);
};

static struct homa_sock rtt_homa;
static struct homa_recvmsg_args rtt_args;
static int rtt_fd;

static int open_homa(const struct sockaddr_storage *to)
{
	return homa_sock_open(&rtt_homa, to->ss_family, 0, BPAGES);
}

static void ping_homa(const struct sockaddr_storage *to, uint8_t *buf)
{
	struct homa_sendmsg_args a = { .flags = o.private ? HOMA_SENDMSG_PRIVATE : 0 };
	struct iovec v = { buf, o.size };
	int err = homa_send(&rtt_homa, to, &a, &v, 1);
	ssize_t n;

	if (err)
		die("sendmsg: %s", strerror(-err));
	rtt_args.id = o.private ? a.id : 0;
	n = homa_sock_recv(&rtt_homa, &rtt_args, NULL, 0);
	if (n != o.size)
		die("recvmsg: %s", n < 0 ? strerror(-n) : "wrong length");
}

static int open_udp(const struct sockaddr_storage *to)
{
	if (o.size > MAX_UDP)
		die("UDP takes at most %d bytes", MAX_UDP);
	rtt_fd = socket(to->ss_family, SOCK_DGRAM, 0);
	return rtt_fd < 0 ? fail("socket: %s", strerror(errno)) : 0;
}

static void ping_udp(const struct sockaddr_storage *to, uint8_t *buf)
{
	ssize_t n;

	if (sendto(rtt_fd, buf, o.size, 0, (const struct sockaddr *)to,
		   address_length(to)) != o.size)
		die("sendto: %s", strerror(errno));
	n = recvfrom(rtt_fd, buf, MAX_UDP, 0, NULL, NULL);
	if (n != o.size)
		die("recvfrom: %s", n < 0 ? strerror(errno) : "wrong length");
}

static int open_tcp(const struct sockaddr_storage *to)
{
	rtt_fd = socket(to->ss_family, SOCK_STREAM, 0);
	if (rtt_fd < 0 || connect(rtt_fd, (const struct sockaddr *)to, address_length(to)))
		return fail("cannot connect: %s", strerror(errno));
	set_nodelay(rtt_fd);
	return 0;
}

static void ping_tcp(const struct sockaddr_storage *to, uint8_t *buf)
{
	(void)to;
	if (!write_frame(rtt_fd, buf, o.size) || read_frame(rtt_fd, buf) != (uint32_t)o.size)
		die("the connection broke");
}

static const struct pinger pingers[] = {
	{ "homa", open_homa, ping_homa },
	{ "udp", open_udp, ping_udp },
	{ "tcp", open_tcp, ping_tcp },
};

static const struct pinger *find_pinger(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(pingers) / sizeof(pingers[0]); i++)
		if (!strcmp(name, pingers[i].name))
			return &pingers[i];
	die("--protocol %s: want homa, udp or tcp", name);
}

static int run_rtt(int argc, char **argv)
{
	const struct pinger *p = find_pinger(o.protocol);
	int warm_up = o.count / 10 + 1, i;
	struct sockaddr_storage to;
	struct hist *h;
	uint64_t start;
	uint8_t *buf;

	if (argc != 1)
		die("rtt: want one ADDR:PORT");
	to = parse_target(argv[0]);
	if (p->open(&to))
		return 1;
	h = xcalloc(1, sizeof(*h));
	buf = xcalloc(1, MSG_MAX_SIZE + 4);
	for (i = -warm_up; i < o.count; i++) {
		start = clock_ns();
		p->ping(&to, buf);
		if (i >= 0)
			hist_add(h, clock_ns() - start);
	}
	printf("%s %d bytes: n %llu min %llu p50 %llu p99 %llu max %llu ns\n", p->name, o.size,
	       (unsigned long long)h->n, (unsigned long long)h->min,
	       (unsigned long long)hist_quantile(h, .5),
	       (unsigned long long)hist_quantile(h, .99), (unsigned long long)h->max);
	free(buf);
	free(h);
	return 0;
}

/* ---- command line ---- */

static const struct opt table[] = {
	OPT_INT("count", &o.count, 1, 1e9, "rpc, rtt: how many RPCs (1)"),
	OPT_FLAG("ipv6", &o.ipv6, "use IPv6 sockets"),
	OPT_INT("outstanding", &o.outstanding, 1, 10000, "rpc: send so many before receiving (1)"),
	OPT_INT("port", &o.port, 1, 65535, "server: the first port (4000)"),
	OPT_INT("ports", &o.ports, 1, 1000, "server: how many ports (1)"),
	OPT_FLAG("private", &o.private, "rpc, rtt: wait for each response by its id"),
	OPT_STR("protocol", &o.protocol, "P", "server, rtt: homa, udp or tcp (homa)"),
	OPT_U64("seed", &o.seed, "rpc: of the contents (1)"),
	OPT_INT("size", &o.size, 1, MSG_MAX_SIZE, "rpc, rtt: bytes of each message (100)"),
	OPT_INT("threads", &o.threads, 1, 64, "server: threads for each port (1)"),
	OPT_FLAG("verify", &o.verify, "rpc: compare the responses with what was sent"),
	OPT_END
};

static void help(void)
{
	printf("Usage: homa_drive server [options]\n"
	       "       homa_drive rpc ADDR:PORT [options]\n"
	       "       homa_drive rtt ADDR:PORT [options]\n\n"
	       "A few RPCs by hand. server echoes until it is killed, and says \"ready\" when it\n"
	       "listens; rpc sends messages and says how they fared; rtt measures round trips.\n\n"
	       "Options:\n");
	opts_help(table, stdout);
	printf("\nExit status: 0 all is well; 1 error; %d an RPC failed or came back wrong.\n\n"
	       "Examples:\n"
	       "  homa_drive server --port 4000 --threads 4 &\n"
	       "  homa_drive rpc 127.0.0.1:4000 --size 1000000 --count 10 --verify\n"
	       "  homa_drive rpc [::1]:4000 --private --outstanding 3 --count 30\n"
	       "  homa_drive rtt 10.0.0.2:4000 --protocol udp --size 100 --count 1000\n",
	       EXIT_WRONG);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} commands[] = { { "server", run_server }, { "rpc", run_rpc }, { "rtt", run_rtt } };
	size_t i;
	int words;

	die_set_name(argv[0]);
	clock_precise();
	for (i = 1; i < (size_t)argc; i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			help();
			return 0;
		}
	}
	words = opts_parse(table, argc, argv);
	if (words < 0)
		return 1;
	if (!words)
		die("want server, rpc or rtt (try --help)");
	find_pinger(o.protocol);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(words - 1, argv + 2);
	die("no command %s (try --help)", argv[1]);
}
