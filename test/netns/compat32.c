// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* What 32-bit programs do, on a 64-bit kernel: system calls by interrupt 0x80 go
 * the way of 32-bit programs, also from this one. All pointers they are given are
 * below 4 GB, and their struct msghdr has 28 bytes.
 *
 * A part of vm/compat.sh: User-Mode Linux has no 32-bit programs.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define PORT 99

/* Numbers of i386's system calls. */
enum {
	NR_IOCTL = 54, NR_SOCKET = 359, NR_BIND = 361, NR_GETSOCKOPT = 365,
	NR_SETSOCKOPT = 366, NR_SENDMSG = 370, NR_RECVMSG = 372,
};

/* What <sys/socket.h> defines, with pointers and sizes of 32 bits. */
struct msghdr32 {
	uint32_t name, namelen, iov, iovlen, control, controllen, flags;
};

struct iovec32 {
	uint32_t base, len;
};

/**
 * struct low - memory below 4 GB
 * @addr: an address
 * @msg: arguments of sendmsg and recvmsg
 * @iov: data
 * @send: Homa's part of @msg
 * @recv: the same
 * @rcvbuf: for SO_HOMA_RCVBUF
 * @info: for HOMAIOCINFO
 * @rpcs: for @info
 * @abort: for HOMAIOCABORT
 * @len: length of an option
 * @value: an int
 * @data: message
 */
static struct low {
	union haddr addr;
	struct msghdr32 msg;
	struct iovec32 iov;
	struct homa_sendmsg_args send;
	struct homa_recvmsg_args recv;
	struct homa_rcvbuf_args rcvbuf;
	struct homa_info info;
	struct homa_rpc_info rpcs[4];
	struct homa_abort_args abort;
	uint32_t len;
	uint32_t value;
	char data[8];
} *low;

static char *region;
#define REGION (16UL << 20)

static uint32_t at(const void *p)
{
	ASSERT((unsigned long)p < 1UL << 32, "%p is too high", p);
	return (unsigned long)p;
}

static long call32(long nr, long a, long b, long c, long d, long e)
{
	long rc;

	asm volatile("int $0x80" : "=a" (rc)
		     : "a" (nr), "b" (a), "c" (b), "d" (c), "S" (d), "D" (e)
		     : "memory", "r8", "r9", "r10", "r11");
	return (int)rc;
}

static void *map_low(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		       MAP_ANONYMOUS | MAP_32BIT | MAP_NORESERVE, -1, 0);

	ASSERT(p != MAP_FAILED, "no memory below 4 GB");
	return p;
}

static int open32(int ns, int family)
{
	long fd;

	ns_enter(ns);
	low = map_low(sizeof(*low));
	region = map_low(REGION);
	fd = call32(NR_SOCKET, family, SOCK_DGRAM, IPPROTO_HOMA, 0, 0);
	ASSERT(fd >= 0, "socket: %ld", fd);
	low->rcvbuf = (struct homa_rcvbuf_args){ at(region), REGION };
	ASSERT_RC(call32(NR_SETSOCKOPT, fd, IPPROTO_HOMA, SO_HOMA_RCVBUF,
			 at(&low->rcvbuf), sizeof(low->rcvbuf)), 0);
	return fd;
}

static int send32(int fd, uint64_t id)
{
	memset(&low->msg, 0, sizeof(low->msg));
	memset(&low->send, 0, sizeof(low->send));
	low->iov = (struct iovec32){ at(low->data), 5 };
	low->send.id = id;
	low->send.completion_cookie = id ? 0 : 0x1122334455667788;
	low->msg.name = at(&low->addr);
	low->msg.namelen = haddr_len(&low->addr);
	low->msg.iov = at(&low->iov);
	low->msg.iovlen = 1;
	low->msg.control = at(&low->send);
	return call32(NR_SENDMSG, fd, at(&low->msg), 0, 0, 0);
}

static int recv32(int fd, uint64_t id, int flags)
{
	memset(&low->msg, 0, sizeof(low->msg));
	memset(&low->recv, 0, sizeof(low->recv));
	low->recv.id = id;
	low->msg.name = at(&low->addr);
	low->msg.namelen = sizeof(low->addr);
	low->msg.control = at(&low->recv);
	low->msg.controllen = sizeof(low->recv);
	return call32(NR_RECVMSG, fd, at(&low->msg), flags, 0, 0);
}

static int info32(int fd)
{
	memset(&low->info, 0, sizeof(low->info));
	memset(low->rpcs, 0x55, sizeof(low->rpcs));
	low->info.rpc_info = at(low->rpcs);
	low->info.rpc_info_length = sizeof(low->rpcs);
	return call32(NR_IOCTL, fd, HOMAIOCINFO, at(&low->info), 0, 0);
}

/* One socket is client and server, so that each call has both roles. */
static void round_trip_to_itself(int family, const char *ip)
{
	int fd = open32(ns_new(), family);

	low->addr = haddr_of(family, ip, PORT);
	ASSERT_RC(call32(NR_BIND, fd, at(&low->addr), haddr_len(&low->addr), 0,
			 0), 0);
	memcpy(low->data, "hello", 5);
	EXPECT_RC(send32(fd, 0), 0);
	EXPECT(low->send.id && !(low->send.id & 1), "id %llu",
	       (unsigned long long)low->send.id);
	EXPECT_RC(recv32(fd, 0, 0), 5);
	EXPECT(low->recv.id & 1, "id is even");
	EXPECT(!memcmp(region + low->recv.bpage_offsets[0], "hello", 5),
	       "wrong data");
	EXPECT_EQ(low->msg.namelen, haddr_len(&low->addr));
	memcpy(low->data, "world", 5);
	EXPECT_RC(send32(fd, low->recv.id), 0);
	EXPECT_RC(recv32(fd, 0, 0), 5);
	EXPECT_EQ(low->recv.completion_cookie, 0x1122334455667788);
	EXPECT(!memcmp(region + low->recv.bpage_offsets[0], "world", 5),
	       "wrong data");
	EXPECT_RC(recv32(fd, 0, MSG_DONTWAIT), -EAGAIN);
}

static void round_trip_v4(void)
{
	round_trip_to_itself(AF_INET, "127.0.0.1");
}

static void round_trip_v6(void)
{
	round_trip_to_itself(AF_INET6, "::1");
}

static void options(void)
{
	int fd = open32(ns_new(), AF_INET);

	memset(&low->rcvbuf, 0, sizeof(low->rcvbuf));
	low->len = sizeof(low->rcvbuf);
	EXPECT_RC(call32(NR_GETSOCKOPT, fd, IPPROTO_HOMA, SO_HOMA_RCVBUF,
			 at(&low->rcvbuf), at(&low->len)), 0);
	EXPECT_EQ(low->rcvbuf.start, at(region));
	EXPECT_EQ(low->rcvbuf.length, REGION);
	low->value = 1;
	EXPECT_RC(call32(NR_SETSOCKOPT, fd, IPPROTO_HOMA, SO_HOMA_SERVER,
			 at(&low->value), 4), 0);
	low->value = 0;
	low->len = 4;
	EXPECT_RC(call32(NR_GETSOCKOPT, fd, IPPROTO_HOMA, SO_HOMA_SERVER,
			 at(&low->value), at(&low->len)), 0);
	EXPECT_EQ(low->value, 1);
}

static void ioctls(void)
{
	int ns = ns_new(), fd = open32(ns, AF_INET);
	struct hsock sink = hsock_server(ns, AF_INET, PORT);

	low->addr = haddr_of(AF_INET, "127.0.0.1", PORT);
	EXPECT_RC(info32(fd), 0);
	EXPECT_EQ(low->info.num_rpcs, 0);
	EXPECT_EQ(low->info.bpool_avail_bytes, REGION);
	EXPECT_RC(send32(fd, 0), 0);
	EXPECT_RC(info32(fd), 0);
	EXPECT_EQ(low->info.num_rpcs, 1);
	EXPECT_EQ(low->rpcs[0].id, low->send.id);
	EXPECT_EQ(low->rpcs[0].tx_length, 5);
	EXPECT_EQ(low->rpcs[0].completion_cookie, 0x1122334455667788);
	EXPECT_EQ(((uint8_t *)&low->rpcs[1])[0], 0x55);
	EXPECT_RC(call32(NR_IOCTL, fd, SIOCOUTQ, at(&low->value), 0, 0), 0);
	EXPECT_GE(low->value, 5);
	low->abort = (struct homa_abort_args){ .id = low->send.id,
					       .error = ECANCELED };
	EXPECT_RC(call32(NR_IOCTL, fd, HOMAIOCABORT, at(&low->abort), 0, 0), 0);
	EXPECT_RC(recv32(fd, 0, MSG_DONTWAIT), -ECANCELED);
	EXPECT_RC(call32(NR_IOCTL, fd, HOMAIOCFREEZE, 0, 0, 0), 0);
	EXPECT_RC(call32(NR_IOCTL, fd, HOMAIOCINFO, 8, 0, 0), -EFAULT);
	EXPECT_RC(call32(NR_IOCTL, fd, HOMAIOCABORT, 8, 0, 0), -EFAULT);
	EXPECT_RC(call32(NR_IOCTL, fd, _IO('h', 0x99), 0, 0, 0), -EINVAL);
	hsock_close(&sink);
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_CASE(round_trip_v4),
		KTAP_CASE(round_trip_v6),
		KTAP_CASE(options),
		KTAP_CASE(ioctls),
	};

	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
