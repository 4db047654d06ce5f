// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* What happens around the sockets: polling, processes, devices, settings, packets
 * of strangers; see fuzz.h. At the end, the table of all that is done.
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"
#include "ktap.h"
#include "ns.h"
#include "wire.h"

static void do_poll(struct worker *w)
{
	struct pollfd fds[SLOTS];

	for (int i = 0; i < SLOTS; i++)
		fds[i] = (struct pollfd){ SLOT_FD + i, below(w, 0), 0 };
	judge(w, CALL_POLL, poll(fds, SLOTS, below(w, 4)));
}

static void do_epoll(struct worker *w)
{
	struct epoll_event event = { .events = below(w, 0) }, events[SLOTS];
	int fd = SLOT_FD + below(w, SLOTS);

	event.events &= ~EPOLLEXCLUSIVE;
	if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &event) && errno == EEXIST)
		epoll_ctl(w->epoll, chance(w, 70) ? EPOLL_CTL_MOD : EPOLL_CTL_DEL,
			  fd, &event);
	judge(w, CALL_POLL, epoll_wait(w->epoll, events, SLOTS, below(w, 4)));
}

static void do_shutdown(struct worker *w)
{
	struct slot *s;
	int fd;

	s = slot_get(w, 0, &fd);
	judge(w, CALL_SHUTDOWN, shutdown(fd, below(w, 3)));
	slot_put(w, s);
}

static void do_name(struct worker *w)
{
	socklen_t len = chance(w, 70) ? 128 : odd_number(w);
	union haddr a;
	struct slot *s;
	int fd;

	s = slot_get(w, 0, &fd);
	if (chance(w, 50))
		judge(w, CALL_NAME, getsockname(fd, &a.sa, &len));
	else
		judge(w, CALL_NAME, getpeername(fd, &a.sa, &len));
	slot_put(w, s);
}

/* What other sockets have, and these have not. */
static void do_stream(struct worker *w)
{
	char byte[16] = "";
	struct slot *s;
	void *area;
	int fd;

	s = slot_get(w, 0, &fd);
	switch (below(w, 6)) {
	case 0:
		judge(w, CALL_STREAM, listen(fd, 1));
		break;
	case 1:
		judge(w, CALL_STREAM, accept(fd, NULL, NULL));
		break;
	case 2:
		area = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
		judge(w, CALL_STREAM, area == MAP_FAILED ? -1 : 0);
		break;
	case 3:
		judge(w, CALL_STREAM, read(fd, byte, sizeof(byte)));
		break;
	case 4:
		judge(w, CALL_SENDMSG, write(fd, byte, sizeof(byte)));
		break;
	default:
		judge(w, CALL_STREAM, lseek(fd, 0, SEEK_END));
	}
	slot_put(w, s);
}

static void do_dup(struct worker *w)
{
	int fd = dup(SLOT_FD + below(w, SLOTS));

	if (fd < 0)
		return;
	if (chance(w, 30))
		judge(w, CALL_SHUTDOWN, shutdown(fd, SHUT_RDWR));
	close(fd);
}

/* Gives a socket to the other process, or takes one from it. */
static void do_pass(struct worker *w)
{
	int fd = SLOT_FD + CLEAN + below(w, SLOTS - CLEAN);
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .head = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	int taken;

	if (chance(w, 50)) {
		memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
		sendmsg(w->pass, &msg, MSG_DONTWAIT);
		return;
	}
	if (recvmsg(w->pass, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1 ||
	    msg.msg_controllen < CMSG_LEN(sizeof(int)))
		return;
	memcpy(&taken, CMSG_DATA(&control.head), sizeof(taken));
	if (chance(w, 50))
		dup2(taken, fd);
	close(taken);
}

/* A child that uses the sockets, each with its own copy of the regions. Locks may
 * be held for ever there, so it leaves clean sockets alone.
 */
static void do_fork(struct worker *w)
{
	static void (*const some[])(struct worker *) = {
		do_request, do_recvmsg, do_reply, do_ioctl, do_shutdown,
	};
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		alarm(10);
		w->first = CLEAN;
		for (int i = 0; i < 4; i++)
			ANY(w, some)(w);
		fflush(stdout);
		_exit(0);
	}
	while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
}

/* Two calls for several messages. */
static void do_several(struct worker *w)
{
	struct homa_recvmsg_args args[3] = { 0 };
	struct mmsghdr in[3] = { 0 };
	struct slot *s;
	int fd;

	s = slot_get(w, CLEAN, &fd);
	for (int i = 0; i < ARRAY_LEN(in); i++) {
		in[i].msg_hdr.msg_control = &args[i];
		in[i].msg_hdr.msg_controllen = sizeof(args[i]);
	}
	judge(w, CALL_RECVMSG,
	      recvmmsg(fd, in, ARRAY_LEN(in), MSG_DONTWAIT, NULL));
	slot_put(w, s);
}

static void do_sysctl(struct worker *w)
{
	const char *name = sysctls[below(w, num_sysctls)];
	char path[100], value[100];
	int fd, len = 0;

	for (int n = chance(w, 80) ? 1 : below(w, 10); n >= 0 && len < 80; n--)
		len += snprintf(value + len, sizeof(value) - len, "%u ",
				chance(w, 60) ? below(w, 200) : odd_number(w));
	snprintf(path, sizeof(path), "/proc/sys/net/homa/%s", name);
	ns_enter(w->ns[below(w, 2)]);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)	/* some can only be read, even by root */
		return;
	judge(w, CALL_SYSCTL, write(fd, value, chance(w, 95) ? len : (int)below(w, 5)));
	close(fd);
}

static void do_proc(struct worker *w)
{
	static const char *const names[] = {
		"homa_metrics", "timetrace", "homa/socks", "homa/rpcs",
		"homa/peers", "protocols", "sockstat", "../../sys/net/homa/action",
	};
	char path[100], text[8192];
	int fd;

	ns_enter(w->ns[below(w, 2)]);
	snprintf(path, sizeof(path), "/proc/thread-self/net/%s", ANY(w, names));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (chance(w, 20))
		lseek(fd, odd_number(w), SEEK_SET);
	for (int i = 0; i < 8; i++)
		if (read(fd, text, 1 + below(w, sizeof(text))) <= 0)
			break;
	close(fd);
}

/* Asks for all sockets, as ss(8) does. */
static void do_diag(struct worker *w)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 request;
	} ask = {
		.head = { sizeof(ask), SOCK_DIAG_BY_FAMILY,
			  NLM_F_REQUEST | (chance(w, 90) ? NLM_F_DUMP : 0), 1, 0 },
		.request = { .sdiag_family = chance(w, 50) ? AF_INET : AF_INET6,
			     .sdiag_protocol = IPPROTO_HOMA,
			     .idiag_ext = below(w, 256),
			     .idiag_states = below(w, 0) },
	};
	char answer[16384];
	int fd;

	ns_enter(w->ns[below(w, 2)]);
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return;
	if (send(fd, &ask, sizeof(ask), 0) > 0)
		recv(fd, answer, sizeof(answer), MSG_DONTWAIT);
	close(fd);
}

static void set_device(int fd, const char *name, int flags, int mtu)
{
	struct ifreq request = { .ifr_flags = flags };

	strcpy(request.ifr_name, name);
	if (mtu) {
		request.ifr_mtu = mtu;
		ioctl(fd, SIOCSIFMTU, &request);
	} else {
		ioctl(fd, SIOCSIFFLAGS, &request);
	}
}

/* The cable between the hosts; what it takes away the next probe mends. */
static void do_device(struct worker *w)
{
	static const int mtus[] = { 68, 100, 576, 1280, 1500, 9000, 65535 };
	int fd;

	ns_enter(w->ns[below(w, 2)]);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (chance(w, 70)) {
		set_device(fd, "v0", 0, ANY(w, mtus));
	} else {
		set_device(fd, "v0", 0, 0);
		if (chance(w, 80))
			set_device(fd, "v0", IFF_UP, 0);
	}
	close(fd);
}

/* A host that vanishes with RPCs under way. */
static void do_netns(struct worker *w)
{
	union haddr self = haddr_of(AF_INET, "127.0.0.1", 1);
	struct homa_sendmsg_args args = { 0 };
	struct iovec iov = { w->buf, below(w, 20000) + 1 };
	struct msghdr msg = { .msg_name = &self, .msg_namelen = sizeof(self.in4),
			      .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &args };
	int fds[2];

	if (unshare(CLONE_NEWNET))
		return;
	for (int i = 0; i < 2; i++)
		fds[i] = judge(w, CALL_SOCKET,
			       socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC,
				      IPPROTO_HOMA));
	if (chance(w, 80))
		set_device(fds[0], "lo", IFF_UP, 0);
	if (fds[0] >= 0)
		bind(fds[0], &self.sa, sizeof(self.in4));
	for (int i = below(w, 5); i > 0 && fds[1] >= 0; i--) {
		args.id = 0;
		judge(w, CALL_SENDMSG, sendmsg(fds[1], &msg, MSG_DONTWAIT));
	}
	ns_enter(w->ns[0]);
	for (int i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* An id that a stranger who sees the packets may know; of DATA only his own. */
static uint64_t forged_id(struct worker *w, int type)
{
	if (type == W_DATA || chance(w, 30))
		return (uint64_t)below(w, 0) << 32 | below(w, 0);
	return (chance(w, 50) ? w->ids[below(w, SEEN)] :
		w->slots[below(w, SLOTS)].seen[below(w, SEEN)].id) ^ below(w, 2);
}

/* A packet that nobody of this host has sent, with some fields out of range. */
static void do_forge(struct worker *w)
{
	int ns = below(w, 2), ipv6 = below(w, 2), sport, dport, type;
	union haddr to = haddr_of(ipv6 ? AF_INET6 : AF_INET,
				  ipv6 ? (ns ? "fd09::1" : "fd09::2") :
				  (ns ? "10.9.0.1" : "10.9.0.2"), 0);
	struct wpkt *p = malloc(sizeof(*p));

	type = chance(w, 95) ? W_DATA + below(w, W_ACK - W_DATA + 1) : below(w, 256);
	sport = chance(w, 50) ? 1 + below(w, 6) : 0x8000 + below(w, 64);
	dport = chance(w, 50) ? 1 + below(w, 6) : 0x8000 + below(w, 64);
	w_make(p, to.sa.sa_family, type, sport, dport, forged_id(w, type));
	if (type == W_DATA) {
		int total = below(w, chance(w, 90) ? 3000 : LARGE) + 1;
		int len = total < 1400 ? total : 1400;

		w_data(p, to.sa.sa_family, sport, dport, forged_id(w, type),
		       total, 0, len, 0);
		memset(p->b + AT_DATA, FORGED, len);
	}
	for (int i = below(w, 4); i > 0; i--)
		put32(p, 28 + below(w, 7) * 4, odd_number(w));
	if (chance(w, 10))
		p->len = below(w, p->len + 1);
	sendto(w->raw[ns][ipv6], p->b, p->len, MSG_DONTWAIT, &to.sa,
	       haddr_len(&to));
	free(p);
}

#define OP(fn, often) { .name = #fn, .weight = (often), .run = do_ ## fn }

const struct op ops[] = {
	OP(request, 260), OP(receive, 260), OP(reply, 80), OP(recvmsg, 60),
	OP(several, 20), OP(forge, 100), OP(ioctl, 40), OP(poll, 30),
	OP(epoll, 30), OP(setsockopt, 30), OP(getsockopt, 20), OP(filter, 5),
	OP(bind, 20), OP(connect, 20), OP(name, 10), OP(stream, 10),
	OP(max_message, 5), OP(region, 15), OP(unmap, 10), OP(open, 30), OP(socket, 3),
	OP(shutdown, 5), OP(dup, 7), OP(pass, 10), OP(fork, 2),
	OP(sysctl, 20), OP(proc, 10), OP(diag, 5), OP(device, 3), OP(netns, 3),
};

const int num_ops = ARRAY_LEN(ops);
_Static_assert(ARRAY_LEN(ops) <= MAX_OPS, "more calls than struct shared has room for");
