/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Test cases of user-space code: a table of functions, run one after another.
 *
 * A case fails if an expectation does; the rest of it still runs. The last line of
 * a program is "N passed, N failed, N skipped". make -C util check builds all of them with
 * the sanitizers on and adds the lines up. A case that takes longer than CASE_SECONDS
 * ends the program and what it started, with its name and a list of what ran.
 */
#ifndef TEST_UNIT_H
#define TEST_UNIT_H

#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CASE_SECONDS 200		/* on a machine that does much else */

struct unit_case {
	const char *name;
	void (*run)(void);
};

static bool unit_failed;
static const char *unit_name;

#define EXPECT(condition) do { \
	if (!(condition)) { \
		printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
		unit_failed = true; \
	} \
} while (0)

#define EXPECT_EQ(got, want) do { \
	long long got_ = (got), want_ = (want); \
	if (got_ != want_) { \
		printf("%s:%d: %s is %lld, not %lld\n", __FILE__, __LINE__, #got, \
		       got_, want_); \
		unit_failed = true; \
	} \
} while (0)

#define EXPECT_STR(got, want) do { \
	const char *got_ = (got), *want_ = (want); \
	if (strcmp(got_, want_)) { \
		printf("%s:%d: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, #got, \
		       got_, want_); \
		unit_failed = true; \
	} \
} while (0)

/* @got is within @part of @want. */
#define EXPECT_NEAR(got, want, part) do { \
	double got_ = (got), want_ = (want); \
	if (!(fabs(got_ - want_) <= fabs(want_) * (part))) { \
		printf("%s:%d: %s is %.9g, not %.9g\n", __FILE__, __LINE__, #got, \
		       got_, want_); \
		unit_failed = true; \
	} \
} while (0)

/* Only what a signal handler may call; a shell of a test may hang too, so SIGKILL. */
static inline void unit_late(int number)
{
	static const char text[] = ": not done in time\n";

	(void)number;
	if (write(STDOUT_FILENO, unit_name, strlen(unit_name)) < 0 ||
	    write(STDOUT_FILENO, text, sizeof(text) - 1) < 0)
		_exit(1);
	if (!fork()) {
		execlp("ps", "ps", "-eHo", "pid,pgid,stat,wchan:24,etimes,args", (char *)NULL);
		_exit(1);
	}
	wait(NULL);
	kill(0, SIGKILL);
}

static inline int unit_run(const struct unit_case *cases, int n)
{
	int i, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	/* A group of its own: what ends it is not to end who started it. */
	setpgid(0, 0);
	signal(SIGALRM, unit_late);
	for (i = 0; i < n; i++) {
		unit_failed = false;
		unit_name = cases[i].name;
		alarm(CASE_SECONDS);
		cases[i].run();
		alarm(0);
		failed += unit_failed;
		printf("%s %d %s\n", unit_failed ? "not ok" : "ok", i + 1, cases[i].name);
	}
	printf("%d passed, %d failed, 0 skipped\n", n - failed, failed);
	return failed ? 1 : 0;
}

#define UNIT_CASE(fn) { #fn, fn }
#define UNIT_MAIN(cases) \
	int main(void) { return unit_run(cases, sizeof(cases) / sizeof((cases)[0])); }

#endif
