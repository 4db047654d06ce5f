// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* The random calls; see fuzz.h. Each reports an errno that is not defined for it. */

#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "ktap.h"
#include "ns.h"

#define MAGIC 0x686f6d61

/* What a message says about itself, if it is long enough. */
struct head {
	uint32_t magic, seed, length;
};

uint32_t below(struct worker *w, uint32_t n)
{
	uint64_t z = w->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return n ? (z >> 32) % n : z >> 32;
}

/* Numbers near limits. */
uint32_t odd_number(struct worker *w)
{
	static const uint32_t odd[] = {
		0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 24, 64, 88, 100, 255, 256,
		1000, 1400, 4096, 32767, 32768, 65535, 65536, 65537, 1000000,
		1000001, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
	};

	return chance(w, 80) ? ANY(w, odd) : below(w, 0);
}

long judge(struct worker *w, enum errno_call call, long rc)
{
	int err = errno;

	w->entry->rc = rc < 0 ? -err : rc;
	if (rc >= 0)
		return rc;
	__atomic_fetch_add(&shared->failed, 1, __ATOMIC_RELAXED);
	EXPECT(errno_defined(call, err), "%s (%s, thread %d, call %lu): %s",
	       errno_call_name(call), ops[w->entry->op].name, w->index,
	       w->entry->number, ktap_errno_name(err));
	return -err;
}

/* One of the sockets from @first on; clean ones are kept until slot_put(). */
struct slot *slot_get(struct worker *w, int first, int *fd)
{
	int n;

	first = first < w->first ? w->first : first;
	n = first + below(w, SLOTS - first);
	w->entry->slot = n;
	*fd = SLOT_FD + n;
	if (n < CLEAN)
		pthread_rwlock_rdlock(&w->slots[n].lock);
	return &w->slots[n];
}

void slot_put(struct worker *w, struct slot *s)
{
	if (s - w->slots < CLEAN)
		pthread_rwlock_unlock(&s->lock);
}

union haddr address(struct worker *w, int family)
{
	static const char *const good4[] = { "10.9.0.1", "10.9.0.2", "127.0.0.1" };
	static const char *const good6[] = {
		"fd09::1", "fd09::2", "::1", "10.9.0.2", "10.9.0.1",
	};
	static const char *const v4[] = {
		"10.9.0.77", "0.0.0.0", "255.255.255.255", "224.0.0.1",
		"192.0.2.1",
	};
	static const char *const v6[] = {
		"fd09::77", "::", "ff02::1", "fe80::1", "2001:db8::1",
	};
	bool good = chance(w, 85);
	int port = chance(w, 80) ? 1 + below(w, 6) :
		   chance(w, 50) ? 0x8000 + below(w, 64) : below(w, 65536);

	if (family == AF_INET)
		return haddr_of(family, good ? ANY(w, good4) : ANY(w, v4), port);
	return haddr_of(family, good ? ANY(w, good6) : ANY(w, v6), port);
}

static int family_of(struct worker *w, struct slot *s)
{
	return chance(w, 98) ? s->family : AF_INET + AF_INET6 - s->family;
}

static socklen_t length_of(struct worker *w, const union haddr *a)
{
	return chance(w, 97) ? haddr_len(a) : below(w, sizeof(*a));
}

static uint64_t some_id(struct worker *w, struct slot *s)
{
	uint64_t id = chance(w, 60) ? s->seen[below(w, SEEN)].id :
				      w->ids[below(w, SEEN)];

	return chance(w, 90) ? id : (uint64_t)below(w, 0) << below(w, 33);
}

static int message_length(struct worker *w)
{
	int kind = below(w, 100);

	if (kind == 0)
		return HOMA_MAX_MESSAGE_LENGTH - 1 + below(w, 3);
	if (kind == 2)
		return HOMA_MAX_MESSAGE_LENGTH +
		       below(w, LARGE + 2 - HOMA_MAX_MESSAGE_LENGTH);
	return below(w, kind < 70 ? 1400 : kind < 95 ? 20000 :
		     HOMA_MAX_MESSAGE_LENGTH) + (kind != 1);
}

static void fill(struct worker *w, char *buf, int len)
{
	struct head head = { MAGIC, below(w, 0), len };

	if (len < (int)sizeof(head)) {
		memset(buf, len, len);
		return;
	}
	payload_fill(buf, len, head.seed);
	memcpy(buf, &head, sizeof(head));
}

static bool all_bytes(const char *buf, int len, char byte)
{
	return len == 0 || (buf[0] == byte && !memcmp(buf, buf + 1, len - 1));
}

/* Is this what fill() makes, or a forged message? */
static bool is_whole(const char *buf, int len, char *want)
{
	struct head head;

	if (all_bytes(buf, len, (char)FORGED))
		return true;
	if (len < (int)sizeof(head))
		return all_bytes(buf, len, len);
	memcpy(&head, buf, sizeof(head));
	if (head.magic != MAGIC || head.length != (uint32_t)len)
		return false;
	payload_fill(want, len, head.seed);
	memcpy(want, &head, sizeof(head));
	return !memcmp(buf, want, len);
}

/* Copies a message out of the region, if its bpages are within. */
static bool gather(const struct slot *s, const struct hlarge *m, char *copy)
{
	ssize_t n, left = m->rc;

	for (uint32_t i = 0; i < m->args.num_bpages; i++, left -= n) {
		uint32_t at = m->args.bpage_offsets[i];

		n = left < HOMA_BPAGE_SIZE ? left : HOMA_BPAGE_SIZE;
		if (!EXPECT(n > 0 && at + (size_t)n <= REGION, "bpage %u at %u", i, at))
			return false;
		memcpy(copy + m->rc - left, s->region + at, n);
	}
	return EXPECT(!left, "%zd bytes are in no bpage", left);
}

static void verify(const struct slot *s, const struct hlarge *m)
{
	char *copy = malloc(2 * m->rc);

	if (gather(s, m, copy) &&
	    EXPECT(is_whole(copy, m->rc, copy + m->rc),
		   "message of %zd bytes, RPC %llx: not what was sent", m->rc,
		   m->args.id)) {
		__atomic_fetch_add(&shared->verified, 1, __ATOMIC_RELAXED);
		if (m->rc > HOMA_MAX_MESSAGE_LENGTH)
			__atomic_fetch_add(&shared->verified_large, 1,
					   __ATOMIC_RELAXED);
	}
	free(copy);
}

void do_open(struct worker *w)
{
	int n = below(w, SLOTS);

	w->entry->slot = n;
	if (n >= CLEAN) {
		slot_open(w, n);
	} else if (!pthread_rwlock_trywrlock(&w->slots[n].lock)) {
		slot_open(w, n);
		pthread_rwlock_unlock(&w->slots[n].lock);
	}
}

static int set_region(struct worker *w, int fd, char *start, uint64_t length)
{
	struct homa_rcvbuf_args args = { (uintptr_t)start, length };

	return judge(w, CALL_SETSOCKOPT,
		     setsockopt(fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &args,
				chance(w, 97) ? sizeof(args) : below(w, 40)));
}

static void set_max_message(struct worker *w, int fd, uint32_t length)
{
	judge(w, CALL_SETSOCKOPT, setsockopt(fd, IPPROTO_HOMA, SO_HOMA_MAX_MESSAGE,
					     &length, sizeof(length)));
}

void slot_open(struct worker *w, int n)
{
	struct slot *s = &w->slots[n];
	union haddr any;
	int fd;

	/* Clean ones find their port free, mostly. */
	ns_enter(w->ns[n < CLEAN ? w->process : (int)below(w, 2)]);
	s->family = chance(w, 50) ? AF_INET : AF_INET6;
	do {
		fd = judge(w, CALL_SOCKET,
			   socket(s->family, SOCK_DGRAM | SOCK_CLOEXEC,
				  IPPROTO_HOMA));
	} while (fd < 0 && !__atomic_load_n(&shared->stop, __ATOMIC_RELAXED));
	if (fd < 0)
		return;
	if (n >= CLEAN && chance(w, 50))
		mmap(s->region, REGION, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (n < CLEAN || chance(w, 85))
		set_region(w, fd, s->region, REGION);
	any = haddr_of(s->family, s->family == AF_INET ? "0.0.0.0" : "::",
		       n < CLEAN ? n + 1 : 5 + (int)below(w, 2));
	s->large = chance(w, 50);
	if (s->large)
		set_max_message(w, fd, LARGE);
	if (n < CLEAN || chance(w, 60))
		judge(w, CALL_BIND, bind(fd, &any.sa, haddr_len(&any)));
	while (dup2(fd, SLOT_FD + n) < 0 && errno == EBUSY)
		;
	close(fd);
}

/* Types and protocols that are not Homa. */
void do_socket(struct worker *w)
{
	static const int families[] = { AF_INET, AF_INET6, AF_UNIX, 77 };
	int fd = judge(w, CALL_SOCKET,
		       socket(ANY(w, families), 1 + below(w, 5), IPPROTO_HOMA));

	if (fd >= 0)
		close(fd);
}

void do_bind(struct worker *w)
{
	struct slot *s;
	union haddr a;
	int fd;

	s = slot_get(w, 0, &fd);
	a = address(w, family_of(w, s));
	judge(w, CALL_BIND, bind(fd, &a.sa, length_of(w, &a)));
	slot_put(w, s);
}

void do_connect(struct worker *w)
{
	struct slot *s;
	union haddr a;
	int fd;

	s = slot_get(w, 0, &fd);
	a = address(w, family_of(w, s));
	if (chance(w, 30))
		a.sa.sa_family = AF_UNSPEC;
	judge(w, CALL_CONNECT, connect(fd, &a.sa, length_of(w, &a)));
	slot_put(w, s);
}

/* Regions in odd places; of a slot that has none this may set one. */
void do_region(struct worker *w)
{
	static const uint64_t lengths[] = {
		REGION, REGION, REGION - 1, 2000000, 65536, 0, 5ULL << 30, ~0ULL,
	};
	struct slot *s;
	char *start;
	int fd;

	s = slot_get(w, CLEAN, &fd);
	start = chance(w, 50) ? s->region :
		w->slots[CLEAN + below(w, SLOTS - CLEAN)].region +
		below(w, 8) * 1024;
	if (chance(w, 10))	/* nothing is mapped that low */
		start = (char *)(uintptr_t)(below(w, 0) & 0x7ffff000);
	if (chance(w, 5))	/* the kernel's own */
		start = (char *)(UINTPTR_MAX << 20);
	set_region(w, fd, start, ANY(w, lengths));
	slot_put(w, s);
}

/* Unmaps a region, or makes it unwritable, while it is used. */
void do_unmap(struct worker *w)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE };
	struct slot *s;
	size_t at;
	int fd;

	s = slot_get(w, CLEAN, &fd);
	at = below(w, REGION / 4096) * 4096;
	mmap(s->region + at, REGION - at, ANY(w, prots),
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	slot_put(w, s);
}

static const struct { int level, name; } options[] = {
	{ IPPROTO_HOMA, SO_HOMA_SERVER }, { IPPROTO_HOMA, SO_HOMA_SERVER },
	{ IPPROTO_HOMA, 12 }, { IPPROTO_TCP, 1 },
	{ SOL_IP, IP_TOS }, { SOL_IP, IP_TTL }, { SOL_IP, IP_MTU },
	{ SOL_IP, IP_MTU_DISCOVER }, { SOL_IP, IP_RECVERR },
	{ SOL_IP, IP_FREEBIND }, { SOL_IP, IP_OPTIONS }, { SOL_IP, 35 },
	{ SOL_IPV6, IPV6_V6ONLY }, { SOL_IPV6, IPV6_TCLASS },
	{ SOL_IPV6, IPV6_UNICAST_HOPS }, { SOL_IPV6, IPV6_MTU },
	{ SOL_IPV6, IPV6_MTU_DISCOVER }, { SOL_IPV6, IPV6_RECVERR },
	{ SOL_IPV6, IPV6_FREEBIND }, { SOL_IPV6, IPV6_ADDRFORM },
	{ SOL_SOCKET, SO_SNDBUF }, { SOL_SOCKET, SO_RCVBUF },
	{ SOL_SOCKET, SO_SNDBUFFORCE }, { SOL_SOCKET, SO_BINDTODEVICE },
	{ SOL_SOCKET, SO_MARK }, { SOL_SOCKET, SO_PRIORITY },
	{ SOL_SOCKET, SO_TIMESTAMP }, { SOL_SOCKET, SO_REUSEADDR },
	{ SOL_SOCKET, SO_BROADCAST }, { SOL_SOCKET, SO_DETACH_FILTER },
	{ SOL_SOCKET, SO_INCOMING_CPU }, { SOL_SOCKET, SO_ERROR },
};

/* Clean sockets keep what they were opened with: messages that nobody has
 * arguments for would stay in their way.
 */
void do_max_message(struct worker *w)
{
	struct slot *s;
	int fd;

	s = slot_get(w, CLEAN, &fd);
	set_max_message(w, fd, chance(w, 50) ? LARGE : odd_number(w));
	slot_put(w, s);
}

void do_setsockopt(struct worker *w)
{
	int fd, i = below(w, ARRAY_LEN(options)), value = odd_number(w);
	char bytes[64] = "v0";
	socklen_t len;
	struct slot *s;

	/* Waiting is bounded by signals, so SO_RCVTIMEO is of no use here. */
	s = slot_get(w, 0, &fd);
	len = chance(w, 90) ? sizeof(value) : below(w, sizeof(bytes));
	if (options[i].name != SO_BINDTODEVICE || chance(w, 50))
		memcpy(bytes, &value, sizeof(value));
	judge(w, CALL_SETSOCKOPT,
	      setsockopt(fd, options[i].level, options[i].name,
			 chance(w, 97) ? bytes : (char *)8, len));
	slot_put(w, s);
}

/* A filter that takes all, some, or no packets of a dirty socket. */
void do_filter(struct worker *w)
{
	static const uint32_t takes[] = { 0, 1, 20, 60, 0xffffffff, 0xffffffff };
	struct sock_filter ret = BPF_STMT(BPF_RET | BPF_K, ANY(w, takes));
	struct sock_fprog prog = { .len = 1, .filter = &ret };
	struct slot *s;
	int fd;

	s = slot_get(w, CLEAN, &fd);
	judge(w, CALL_SETSOCKOPT,
	      setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)));
	slot_put(w, s);
}

void do_getsockopt(struct worker *w)
{
	int fd, i = below(w, ARRAY_LEN(options) + 1);
	char bytes[64];
	socklen_t len = chance(w, 70) ? sizeof(bytes) : below(w, 30);
	struct slot *s = slot_get(w, 0, &fd);

	if (i == ARRAY_LEN(options))
		judge(w, CALL_GETSOCKOPT,
		      getsockopt(fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, bytes, &len));
	else
		judge(w, CALL_GETSOCKOPT,
		      getsockopt(fd, options[i].level, options[i].name,
				 chance(w, 97) ? bytes : NULL, &len));
	slot_put(w, s);
}

/* Cuts a message into pieces; in a few cases one of them cannot be read. */
static int pieces(struct worker *w, struct iovec *iov, int len)
{
	char *at = w->buf + BUFFER - len;
	int n = 0;

	fill(w, at, len);
	if (chance(w, 3))
		at += below(w, 100) + 1;	/* runs into the page behind */
	while (len > 0 && n < 3 && chance(w, 30)) {
		iov[n] = (struct iovec){ at, below(w, len) };
		at += iov[n].iov_len;
		len -= iov[n++].iov_len;
	}
	iov[n++] = (struct iovec){ at, len };
	if (chance(w, 1))
		iov[below(w, n)].iov_base = (void *)4096;
	return n;
}

static void send_message(struct worker *w, int fd, union haddr *to,
			 struct homa_sendmsg_args *args)
{
	struct iovec iov[4];
	struct msghdr msg = {
		.msg_name = chance(w, 95) ? to : NULL,
		.msg_namelen = length_of(w, to), .msg_iov = iov,
		.msg_iovlen = pieces(w, iov, message_length(w)),
		.msg_control = chance(w, 98) ? args : (void *)16,
		.msg_controllen = chance(w, 98) ? 0 : below(w, 100),
	};
	int flags = chance(w, 30) ? MSG_DONTWAIT : chance(w, 5) ? below(w, 0) : 0;

	if (judge(w, CALL_SENDMSG, sendmsg(fd, &msg, flags)) == 0 && args->id)
		w->ids[w->next_id++ % SEEN] = args->id;
}

void do_request(struct worker *w)
{
	struct homa_sendmsg_args args = { .completion_cookie = below(w, 0) };
	struct slot *s;
	union haddr to;
	int fd;

	s = slot_get(w, 0, &fd);
	args.flags = chance(w, 97) ? below(w, 2) : odd_number(w);
	args.reserved = chance(w, 1);
	to = address(w, family_of(w, s));
	send_message(w, fd, &to, &args);
	slot_put(w, s);
}

/* Answers a request of this socket, or of whatever an id says. */
void do_reply(struct worker *w)
{
	struct homa_sendmsg_args args = { 0 };
	struct slot *s;
	union haddr to;
	int fd, i;

	s = slot_get(w, 0, &fd);
	i = below(w, SEEN);
	args.id = s->seen[i].id;
	to = s->seen[i].from;
	if (chance(w, 10))
		args.id = some_id(w, &w->slots[below(w, SLOTS)]);
	if (chance(w, 10) || to.sa.sa_family != s->family)
		to = address(w, family_of(w, s));
	args.completion_cookie = chance(w, 1);
	send_message(w, fd, &to, &args);
	slot_put(w, s);
}

static ssize_t receive(struct worker *w, int fd, struct hlarge *m, int room, int flags)
{
	struct msghdr msg = {
		.msg_name = &m->from, .msg_namelen = sizeof(m->from),
		.msg_control = &m->args,
		.msg_controllen = HOMA_RECVMSG_ARGS_SIZE(room),
	};

	/* EINVAL of a private id that is over is the usual case. */
	m->rc = judge(w, CALL_RECVMSG, recvmsg(fd, &msg, flags));
	return m->rc;
}

/* How many bpages a receive has room for: at times too few for a large message. */
static int room_for(struct worker *w, const struct slot *s)
{
	if (!s->large || chance(w, 10))
		return HOMA_MAX_BPAGES;
	return chance(w, 50) ? LARGE_BPAGES : HOMA_MAX_LARGE_BPAGES;
}

/* Receives, compares, gives back, and often answers. */
void do_receive(struct worker *w)
{
	struct hlarge m = { 0 };
	struct slot *s;
	int fd, room, flags = chance(w, 60) ? MSG_DONTWAIT : 0;
	unsigned int at;

	s = slot_get(w, 0, &fd);
	room = room_for(w, s);
	if (chance(w, 15))
		m.args.id = w->ids[below(w, SEEN)] & ~1ULL;
	if (receive(w, fd, &m, room, flags) < 0)
		goto out;
	if (s - w->slots < CLEAN)
		verify(s, &m);
	at = __atomic_fetch_add(&s->next_seen, 1, __ATOMIC_RELAXED) % SEEN;
	s->seen[at].id = m.args.id;
	s->seen[at].from = m.from;
	if (m.args.id & 1 && chance(w, 60)) {
		struct homa_sendmsg_args args = { .id = m.args.id };

		send_message(w, fd, &m.from, &args);
	}
	m.args.id = 1;	/* only gives back */
	receive(w, fd, &m, room, MSG_DONTWAIT);
out:
	slot_put(w, s);
}

/* Arguments of all kinds, on sockets that bear it. */
void do_recvmsg(struct worker *w)
{
	static const int more[] = { MSG_ERRQUEUE, MSG_PEEK, MSG_TRUNC,
				    MSG_WAITALL, MSG_OOB, 0 };
	struct homa_recvmsg_large_args args = { .id = chance(w, 50) ? 0 : 1 };
	int i, room = chance(w, 60) ? HOMA_MAX_BPAGES :
		      below(w, HOMA_MAX_LARGE_BPAGES + 1);
	char data[100];
	struct iovec iov = { data, sizeof(data) };
	union haddr from;
	struct msghdr msg = {
		.msg_name = chance(w, 95) ? &from : NULL,
		.msg_namelen = chance(w, 90) ? sizeof(from) : below(w, 200),
		.msg_iov = &iov, .msg_iovlen = chance(w, 50),
		.msg_control = chance(w, 97) ? (void *)&args : (void *)4096,
		.msg_controllen = chance(w, 90) ? (size_t)HOMA_RECVMSG_ARGS_SIZE(room) :
						   odd_number(w),
	};
	struct slot *s;
	int fd;

	s = slot_get(w, CLEAN, &fd);
	if (chance(w, 30))
		args.id = some_id(w, s);
	args.num_bpages = chance(w, 95) ? below(w, room + 2) : odd_number(w);
	args.reserved = chance(w, 2);
	for (i = 0; i < room; i++)
		args.bpage_offsets[i] = chance(w, 90) ?
			below(w, REGION / HOMA_BPAGE_SIZE + 1) * HOMA_BPAGE_SIZE :
			odd_number(w);
	judge(w, CALL_RECVMSG,
	      recvmsg(fd, &msg, MSG_DONTWAIT | ANY(w, more)));
	slot_put(w, s);
}

void do_ioctl(struct worker *w)
{
	static const unsigned int commands[] = {
		HOMAIOCINFO, HOMAIOCINFO, HOMAIOCABORT, HOMAIOCABORT,
		SIOCINQ, SIOCOUTQ, HOMAIOCFREEZE,
	};
	unsigned int command = ANY(w, commands);
	struct homa_rpc_info infos[20];
	struct homa_abort_args abort = { .error = chance(w, 60) ? 0 : ETIMEDOUT };
	struct homa_info info = {
		.rpc_info = chance(w, 80) ? (uintptr_t)infos : odd_number(w),
		.rpc_info_length = chance(w, 80) ? sizeof(infos) : odd_number(w),
	};
	void *arg = command == HOMAIOCABORT ? (void *)&abort : (void *)&info;
	struct slot *s;
	int fd;

	s = slot_get(w, 0, &fd);
	/* With a length that is too large the kernel may write beyond the array. */
	if (info.rpc_info_length > sizeof(infos))
		info.rpc_info = (uintptr_t)w->slots[SLOTS - 1].region;
	if (chance(w, 80))
		abort.id = w->ids[below(w, SEEN)];
	abort._pad1 = chance(w, 2);
	if (chance(w, 5))	/* as of another ABI */
		command = _IOC(below(w, 4), 'h', 0x8f + below(w, 6), below(w, 200));
	judge(w, CALL_IOCTL, ioctl(fd, command, chance(w, 97) ? arg : (void *)64));
	slot_put(w, s);
}
