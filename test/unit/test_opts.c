// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <stdlib.h>

#include "../../util/lib/opts.h"
#include "unit.h"

static bool flag;
static int number;
static uint64_t big;
static double real;
static const char *text;

static const struct opt table[] = {
	OPT_FLAG("flag", &flag, "a flag"),
	OPT_INT("number", &number, -5, 5, "a number"),
	OPT_U64("big", &big, "a big number"),
	OPT_REAL("real", &real, 0, 10, "a real"),
	OPT_STR("text", &text, "T", "a text"),
	OPT_END
};

static int parse(const char *line)
{
	static char copy[256];
	static char *argv[16];
	int argc = 0;
	char *word;

	strcpy(copy, line);
	for (word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	flag = false;
	number = 0;
	big = 0;
	real = 0;
	text = NULL;
	return opts_parse(table, argc, argv);
}

static void parse__takes_both_forms(void)
{
	EXPECT_EQ(parse("x --flag --number -3 --big=18446744073709551615 --real 2.5 --text=a=b"), 0);
	EXPECT(flag);
	EXPECT_EQ(number, -3);
	EXPECT(big == UINT64_MAX);
	EXPECT(real == 2.5);
	EXPECT_STR(text, "a=b");
	EXPECT_EQ(parse("x --big 0x10"), 0);
	EXPECT_EQ(big, 16);
}

static void parse__counts_other_words(void)
{
	char a0[] = "x", a1[] = "one", a2[] = "--number", a3[] = "4", a4[] = "two";
	char *argv[] = { a0, a1, a2, a3, a4 };

	EXPECT_EQ(opts_parse(table, 5, argv), 2);
	EXPECT_STR(argv[1], "one");
	EXPECT_STR(argv[2], "two");
	EXPECT_EQ(number, 4);
}

static void parse__refuses_what_is_wrong(void)
{
	static const char *const bad[] = {
		"x --nope", "x --num 3", "x --number", "x --number 6", "x --number -6",
		"x --number 1.5", "x --number 3x", "x --number ''", "x --real nan",
		"x --real 11", "x --real inf", "x --big -1", "x --big 1k", "x --flag=1",
		"x --big 99999999999999999999999", "x --",
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		EXPECT_EQ(parse(bad[i]), -1);
}

static void help__names_every_option(void)
{
	const struct opt *o;
	char *out = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&out, &len);

	opts_help(table, f);
	fclose(f);
	for (o = table; o->name; o++) {
		EXPECT(strstr(out, o->name));
		EXPECT(strstr(out, o->help));
	}
	free(out);
}

static const struct unit_case cases[] = {
	UNIT_CASE(parse__takes_both_forms),
	UNIT_CASE(parse__counts_other_words),
	UNIT_CASE(parse__refuses_what_is_wrong),
	UNIT_CASE(help__names_every_option),
};

UNIT_MAIN(cases)
