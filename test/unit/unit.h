/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Test cases of user-space code: a table of functions, run one after another.
 *
 * A case fails if an expectation does; the rest of it still runs. The last line of
 * a program is "N passed, N failed, N skipped". make -C util check builds all of them with
 * the sanitizers on and adds the lines up.
 */
#ifndef TEST_UNIT_H
#define TEST_UNIT_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct unit_case {
	const char *name;
	void (*run)(void);
};

static bool unit_failed;

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

static inline int unit_run(const struct unit_case *cases, int n)
{
	int i, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < n; i++) {
		unit_failed = false;
		cases[i].run();
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
