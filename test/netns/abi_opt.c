// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* setsockopt and getsockopt: each errno, alone and with all later ones.
 *
 * desc: setsockopt and getsockopt: every errno, in order
 * lab: --no-topology
 * flavor: fast@quick debug
 */

#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hsock.h"
#include "ktap.h"
#include "ns.h"

#define GIB (1UL << 30)
#define BAD_PTR ((void *)8)

static struct {
	int ns;
	size_t least;	/* shortest region that is accepted */
} env;

/* Highest possible CPU number + 1, as the kernel computes it. */
static int possible_cpus(void)
{
	FILE *f = fopen("/sys/devices/system/cpu/possible", "r");
	int last = 0, c, n = 0;

	while (f && (c = fgetc(f)) != EOF) {
		n = c >= '0' && c <= '9' ? n * 10 + c - '0' : 0;
		if (n > last)
			last = n;
	}
	if (f)
		fclose(f);
	return last + 1;
}

/* Faults of SO_HOMA_RCVBUF, in the order in which they must be noticed. */
enum {
	BAD_LEN = 1,
	BAD_ARGS = 2,
	NOT_WRITABLE = 4,
	UNALIGNED = 8,
	TOO_SHORT = 16,
	TOO_LONG = 32,
	ALREADY_SET = 64,
	FAULTS = 128,
};

static char *map(size_t length, int prot)
{
	void *p = mmap(NULL, length, prot,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ASSERT(p != MAP_FAILED, "mmap: %s", strerror(errno));
	return p;
}

/* Returns -errno; @error_msg gets what HOMAIOCINFO then says. */
static int set_with_faults(int faults, char *error_msg)
{
	struct hsock hs = faults & ALREADY_SET ?
		hsock_sized(env.ns, ktap_family, env.least) :
		hsock_bare(env.ns, ktap_family);
	int prot = faults & NOT_WRITABLE ? PROT_READ : PROT_READ | PROT_WRITE;
	char *region = map(env.least + 4096, prot);
	struct homa_rcvbuf_args args = {
		.start = (uintptr_t)region + (faults & UNALIGNED ? 64 : 0),
		.length = faults & TOO_SHORT ? env.least - 1 :
			  faults & TOO_LONG ? 4 * GIB + 1 : env.least,
	};
	struct homa_info info = { 0 };
	int rc;

	rc = setsockopt(hs.fd, IPPROTO_HOMA, SO_HOMA_RCVBUF,
			faults & BAD_ARGS ? BAD_PTR : &args,
			faults & BAD_LEN ? 15 : 16) ? -errno : 0;
	hsock_info(&hs, &info);
	memcpy(error_msg, info.error_msg, sizeof(info.error_msg));
	hsock_close(&hs);
	munmap(region, env.least + 4096);
	return rc;
}

static void rcvbuf_errors_in_order(void)
{
	static const struct {
		int fault;
		int err;
	} rows[] = {
		{ BAD_LEN, EINVAL },
		{ BAD_ARGS, EFAULT },
		{ NOT_WRITABLE, EFAULT },
		{ UNALIGNED, EINVAL },
		{ TOO_SHORT, EINVAL },
		{ TOO_LONG, EINVAL },
		{ ALREADY_SET, EINVAL },
	};
	char alone[HOMA_ERROR_MSG_SIZE], all[HOMA_ERROR_MSG_SIZE];
	int later;

	EXPECT_RC(set_with_faults(0, alone), 0);
	for (int i = 0; i < ARRAY_LEN(rows); i++) {
		later = (FAULTS - 1) & ~(rows[i].fault - 1);
		ktap_label("row %d", i + 1);
		EXPECT_RC(set_with_faults(rows[i].fault, alone), -rows[i].err);
		EXPECT_RC(set_with_faults(later, all), -rows[i].err);
		EXPECT(!strcmp(alone, all), "reason \"%s\" became \"%s\"",
		       alone, all);
		if (rows[i].fault != ALREADY_SET)
			EXPECT(alone[0], "no reason given");
	}
}

static void rcvbuf_lengths(void)
{
	static const struct {
		long extra;	/* beyond the least, or see base */
		unsigned long base;
		int err;
	} rows[] = {
		{ -1, 0, EINVAL }, { 0, 0, 0 }, { 1, 0, 0 },
		{ 0, 4 * GIB, 0 }, { 1, 4 * GIB, EINVAL },
		{ 0, 1UL << 63, EINVAL }, { -1, 0x10000000000, EINVAL },
	};

	for (int i = 0; i < ARRAY_LEN(rows); i++) {
		struct hsock hs = hsock_bare(env.ns, ktap_family);
		struct homa_rcvbuf_args args = {
			.start = (uintptr_t)map(4096, PROT_READ | PROT_WRITE),
			.length = (rows[i].base ? rows[i].base : env.least) +
				  rows[i].extra,
		};
		int rc = setsockopt(hs.fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &args,
				    sizeof(args)) ? -errno : 0;

		ktap_label("length %llu", (unsigned long long)args.length);
		EXPECT_RC(rc, -rows[i].err);
		hsock_close(&hs);
	}
}

static void rcvbuf_optlens(void)
{
	static const int lens[] = { 0, 8, 15, 17, 24, -1 };
	struct hsock hs = hsock_bare(env.ns, ktap_family);

	for (int i = 0; i < ARRAY_LEN(lens); i++) {
		ktap_label("optlen %d", lens[i]);
		EXPECT_RC(setsockopt(hs.fd, IPPROTO_HOMA, SO_HOMA_RCVBUF,
				     BAD_PTR, lens[i]) ? -errno : 0, -EINVAL);
	}
}

static void rcvbuf_addresses_the_kernel_owns(void)
{
	static const unsigned long starts[] = {
		0, 0xffffffffff600000, 0xffff888000000000, 0xfffffffffffff000,
		0x8000000000000000,
	};
	struct hsock hs = hsock_bare(env.ns, ktap_family);

	for (int i = 0; i < ARRAY_LEN(starts); i++) {
		struct homa_rcvbuf_args args = { starts[i], env.least };

		ktap_label("start %lx", starts[i]);
		EXPECT_RC(setsockopt(hs.fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &args,
				     sizeof(args)) ? -errno : 0, -EFAULT);
	}
}

static void rcvbuf_is_set_once_and_reported(void)
{
	struct hsock hs = hsock_bare(env.ns, ktap_family);
	struct homa_rcvbuf_args got = { 1, 1 };
	socklen_t len = 50;
	size_t size = env.least + 70000;
	char *first;

	EXPECT_EQ(getsockopt(hs.fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &got, &len),
		  0);
	EXPECT_EQ(len, 16);
	EXPECT_EQ(got.start, 0);
	EXPECT_EQ(got.length, 0);
	EXPECT_RC(hsock_set_region(&hs, size), 0);
	first = hs.region;
	EXPECT_RC(hsock_set_region(&hs, size), -EINVAL);
	len = 16;
	EXPECT_EQ(getsockopt(hs.fd, IPPROTO_HOMA, SO_HOMA_RCVBUF, &got, &len),
		  0);
	EXPECT_EQ(got.start, (uintptr_t)first);
	EXPECT_EQ(got.length, size / HOMA_BPAGE_SIZE * HOMA_BPAGE_SIZE);
	EXPECT_EQ(hsock_avail(&hs), got.length);
}

static void server_errors_in_order(void)
{
	struct hsock hs = hsock_bare(env.ns, ktap_family);
	static const int lens[] = { 0, 1, 3, 5, 8, -1 };
	int on = 1;

	for (int i = 0; i < ARRAY_LEN(lens); i++) {
		ktap_label("optlen %d", lens[i]);
		EXPECT_RC(setsockopt(hs.fd, IPPROTO_HOMA, SO_HOMA_SERVER, &on,
				     lens[i]) ? -errno : 0, -EINVAL);
		EXPECT_RC(setsockopt(hs.fd, IPPROTO_HOMA, SO_HOMA_SERVER,
				     BAD_PTR, lens[i]) ? -errno : 0, -EINVAL);
	}
	EXPECT_RC(setsockopt(hs.fd, IPPROTO_HOMA, SO_HOMA_SERVER, BAD_PTR, 4) ?
		  -errno : 0, -EFAULT);
}

static void server_is_any_nonzero_int(void)
{
	static const int values[] = { 1, 0, -1, 0, 0x1000000, 0 };
	struct hsock hs = hsock_bare(env.ns, ktap_family);
	int got;
	socklen_t len;

	for (int i = 0; i < ARRAY_LEN(values); i++) {
		EXPECT_EQ(setsockopt(hs.fd, IPPROTO_HOMA, SO_HOMA_SERVER,
				     &values[i], 4), 0);
		got = -5;
		len = 12;
		EXPECT_EQ(getsockopt(hs.fd, IPPROTO_HOMA, SO_HOMA_SERVER, &got,
				     &len), 0);
		EXPECT_EQ(got, !!values[i]);
		EXPECT_EQ(len, 4);
	}
}

static int set(int level, int name, void *value, socklen_t len)
{
	struct hsock hs = hsock_bare(env.ns, ktap_family);
	int rc = setsockopt(hs.fd, level, name, value, len) ? -errno : 0;

	hsock_close(&hs);
	return rc;
}

static int get(int level, int name, void *value, void *len)
{
	struct hsock hs = hsock_bare(env.ns, ktap_family);
	int rc = getsockopt(hs.fd, level, name, value, len) ? -errno : 0;

	hsock_close(&hs);
	return rc;
}

static void unknown_options(void)
{
	static const struct {
		int level;
		int name;
	} rows[] = {
		{ IPPROTO_HOMA, 0 }, { IPPROTO_HOMA, 9 }, { IPPROTO_HOMA, 12 },
		{ IPPROTO_HOMA, -1 }, { IPPROTO_IP, IP_OPTIONS },
		{ IPPROTO_IPV6, IPV6_V6ONLY }, { IPPROTO_IPV6, IPV6_HOPOPTS },
		{ IPPROTO_TCP, 1 },
		{ IPPROTO_UDP, 1 }, { 999, SO_HOMA_RCVBUF },
	};
	char value[16] = { 0 };
	socklen_t len;

	for (int i = 0; i < ARRAY_LEN(rows); i++) {
		int level = rows[i].level, name = rows[i].name;

		/* Sockets of AF_INET6 have this one. */
		if (name == IPV6_V6ONLY && ktap_family == AF_INET6)
			continue;
		ktap_label("level %d option %d", level, name);
		len = sizeof(value);
		EXPECT_RC(set(level, name, value, 16), -ENOPROTOOPT);
		EXPECT_RC(set(level, name, value, 4), -ENOPROTOOPT);
		EXPECT_RC(set(level, name, BAD_PTR, 3), -ENOPROTOOPT);
		EXPECT_RC(get(level, name, value, &len), -ENOPROTOOPT);
		EXPECT_RC(get(level, name, BAD_PTR, &len), -ENOPROTOOPT);
		EXPECT_RC(get(level, name, value, BAD_PTR), -EFAULT);
	}
}

static void get_errors_in_order(void)
{
	static const struct {
		int name;
		int size;
	} rows[] = { { SO_HOMA_RCVBUF, 16 }, { SO_HOMA_SERVER, 4 } };
	char value[16];

	for (int i = 0; i < ARRAY_LEN(rows); i++) {
		int name = rows[i].name, len = rows[i].size - 1, none = -1;

		ktap_label("option %d", name);
		EXPECT_RC(get(IPPROTO_HOMA, name, BAD_PTR, BAD_PTR), -EFAULT);
		EXPECT_RC(get(IPPROTO_HOMA, name, value, &len), -EINVAL);
		EXPECT_RC(get(IPPROTO_HOMA, name, BAD_PTR, &len), -EINVAL);
		EXPECT_RC(get(IPPROTO_HOMA, name, value, &none), -EINVAL);
		len = rows[i].size;
		EXPECT_RC(get(IPPROTO_HOMA, name, BAD_PTR, &len), -EFAULT);
		EXPECT_RC(get(IPPROTO_HOMA, name, value, &len), 0);
	}
}

int main(int argc, char **argv)
{
	static const struct ktap_case cases[] = {
		KTAP_EACH(rcvbuf_errors_in_order),
		KTAP_EACH(rcvbuf_lengths),
		KTAP_EACH(rcvbuf_optlens),
		KTAP_EACH(rcvbuf_addresses_the_kernel_owns),
		KTAP_EACH(rcvbuf_is_set_once_and_reported),
		KTAP_EACH(server_errors_in_order),
		KTAP_EACH(server_is_any_nonzero_int),
		KTAP_EACH(unknown_options),
		KTAP_EACH(get_errors_in_order),
	};

	env.ns = ns_new();
	env.least = possible_cpus() * 65536UL + 2000000;
	return ktap_main(argc, argv, cases, ARRAY_LEN(cases));
}
