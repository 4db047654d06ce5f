/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Command-line options as a table.
 *
 * A program lists its options once; parsing, range checks, error messages and
 * the help text come from that list. Both "--name value" and "--name=value"
 * are accepted.
 */
#ifndef UTIL_OPTS_H
#define UTIL_OPTS_H

#include <stdbool.h>
#include <stdio.h>

enum opt_type { OPT_FLAG, OPT_INT, OPT_U64, OPT_DOUBLE, OPT_STRING };

struct opt {
	const char *name;		/* without the dashes; NULL ends a table */
	enum opt_type type;
	void *value;			/* bool, int, uint64_t, double or const char * */
	const char *arg;		/* what the help calls the value */
	const char *help;
	double min, max;		/* OPT_INT and OPT_DOUBLE */
};

#define OPT_FLAG(n, v, h)          { n, OPT_FLAG, v, NULL, h, 0, 0 }
#define OPT_INT(n, v, lo, hi, h)   { n, OPT_INT, v, "N", h, lo, hi }
#define OPT_U64(n, v, h)           { n, OPT_U64, v, "N", h, 0, 0 }
#define OPT_REAL(n, v, lo, hi, h)  { n, OPT_DOUBLE, v, "F", h, lo, hi }
#define OPT_STR(n, v, a, h)        { n, OPT_STRING, v, a, h, 0, 0 }
#define OPT_END                    { NULL, OPT_FLAG, NULL, NULL, NULL, 0, 0 }

/* Store the options among @argv[1] to @argv[argc - 1] and move the other words
 * to the front. Return: how many other words there are, or -1 after an error
 * line. Strings stored are those of @argv.
 */
int opts_parse(const struct opt *table, int argc, char **argv);

/* Is the first word --help or -h? */
bool opts_want_help(int argc, char **argv);

/* One line for each option. */
void opts_help(const struct opt *table, FILE *to);

#endif
