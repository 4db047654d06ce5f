/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Test cases that report in KTAP, each in a process of its own.
 *
 * A program is a table of cases and one call of ktap_main(). Every case runs
 * in a forked child with a time limit, so that a crash, a hang or sockets left
 * behind end with the case. The first failed expectation is what the "not ok"
 * line says; further ones appear as "#" lines.
 */
#ifndef TEST_LIB_KTAP_H
#define TEST_LIB_KTAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/**
 * struct ktap_case - one test case
 * @name: what the report calls it
 * @run: the case; it passes if no expectation fails
 * @seconds: time limit; 0 means the default
 * @families: run it for IPv4 and for IPv6, see @ktap_family
 */
struct ktap_case {
	const char *name;
	void (*run)(void);
	int seconds;
	bool families;
};

/* Address family that the running case is about: AF_INET, and then AF_INET6 in
 * the second run of a KTAP_EACH(), which is reported as "name_v6".
 */
extern int ktap_family;

#define KTAP_CASE(fn) { .name = #fn, .run = fn }
#define KTAP_EACH(fn) { .name = #fn, .run = fn, .families = true }
#define KTAP_SLOW_EACH(fn, secs) \
	{ .name = #fn, .run = fn, .seconds = (secs), .families = true }
#define KTAP_SLOW(fn, secs) { .name = #fn, .run = fn, .seconds = (secs) }

/* Runs the cases whose names contain one of the arguments (all if there is
 * none) and returns the exit status of the program.
 */
int ktap_main(int argc, char **argv, const struct ktap_case *cases, int num);

/* Notes a failure of the running case; any thread may call it. */
void ktap_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Ends the case at once after a failure; only for its first thread. */
void ktap_abort(void) __attribute__((noreturn));

/* True if an expectation of this case has failed. */
bool ktap_failed(void);

/* Prefixes the failures that follow, to tell the rows of a table apart. */
void ktap_label(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Repeats a statement with @f as AF_INET and AF_INET6, and labels what fails. */
#define FOR_FAMILIES(f)							\
	for (int f = AF_INET; f && (ktap_label("family %d", f), 1);	\
	     f = f == AF_INET ? AF_INET6 : 0)

/* Returns "EINVAL" and the like for 22 or -22, "0" for 0. */
const char *ktap_errno_name(long long err);

#define EXPECT(cond, fmt, ...) ({					\
	bool ktap_ok = (cond);						\
	if (!ktap_ok)							\
		ktap_fail(__FILE__, __LINE__, fmt, ##__VA_ARGS__);	\
	ktap_ok;							\
})

#define EXPECT_EQ(got, want) ({						\
	long long ktap_got = (got), ktap_want = (want);			\
	EXPECT(ktap_got == ktap_want, "%s: got %lld want %lld",		\
	       #got, ktap_got, ktap_want);				\
})

#define EXPECT_GE(got, least) ({					\
	long long ktap_got = (got), ktap_least = (least);		\
	EXPECT(ktap_got >= ktap_least, "%s: got %lld want at least %lld", \
	       #got, ktap_got, ktap_least);				\
})

/* For calls that return 0 (or more) or a negative errno. */
#define EXPECT_RC(got, want) ({						\
	long long ktap_got = (got), ktap_want = (want);			\
	EXPECT(ktap_got == ktap_want, "%s: got %lld (%s) want %lld (%s)", \
	       #got, ktap_got, ktap_errno_name(ktap_got),		\
	       ktap_want, ktap_errno_name(ktap_want));			\
})

#define ASSERT_RC(got, want) do {					\
	if (!EXPECT_RC(got, want))					\
		ktap_abort();						\
} while (0)

#define ASSERT_EQ(got, want) do {					\
	if (!EXPECT_EQ(got, want))					\
		ktap_abort();						\
} while (0)

#define ASSERT(cond, fmt, ...) do {					\
	if (!EXPECT(cond, fmt, ##__VA_ARGS__))				\
		ktap_abort();						\
} while (0)

#define ARRAY_LEN(a) ((int)(sizeof(a) / sizeof((a)[0])))

#endif
