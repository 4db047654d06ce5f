// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "opts.h"

static int set_number(const struct opt *o, const char *text)
{
	double value;
	char *end;

	errno = 0;
	value = strtod(text, &end);
	if (end == text || *end || errno || value != value)
		return fail("--%s %s: not a number", o->name, text);
	if (o->type == OPT_INT && value != (long long)value)
		return fail("--%s %s: not a whole number", o->name, text);
	if (value < o->min || value > o->max)
		return fail("--%s %s: must be from %.10g to %.10g", o->name, text,
			    o->min, o->max);
	if (o->type == OPT_INT)
		*(int *)o->value = value;
	else
		*(double *)o->value = value;
	return 0;
}

static int set_u64(const struct opt *o, const char *text)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (end == text || *end || errno || *text == '-')
		return fail("--%s %s: not a whole number", o->name, text);
	*(uint64_t *)o->value = value;
	return 0;
}

static int set_value(const struct opt *o, const char *text)
{
	switch (o->type) {
	case OPT_INT:
	case OPT_DOUBLE:
		return set_number(o, text);
	case OPT_U64:
		return set_u64(o, text);
	case OPT_STRING:
		*(const char **)o->value = text;
		return 0;
	case OPT_FLAG:
		break;
	}
	*(bool *)o->value = true;
	return 0;
}

static const struct opt *find(const struct opt *table, const char *word, size_t len)
{
	for (; table->name; table++)
		if (strlen(table->name) == len && !memcmp(table->name, word, len))
			return table;
	return NULL;
}

/* Handle the option at @argv[0]. Return: words used, or -1. */
static int parse_one(const struct opt *table, int argc, char **argv)
{
	const char *word = argv[0] + 2;
	const char *eq = strchr(word, '=');
	size_t len = eq ? (size_t)(eq - word) : strlen(word);
	const struct opt *o = find(table, word, len);

	if (!o)
		return fail("unknown option %s (try --help)", argv[0]);
	if (o->type == OPT_FLAG) {
		if (eq)
			return fail("--%s takes no value", o->name);
		return set_value(o, NULL) ? -1 : 1;
	}
	if (eq)
		return set_value(o, eq + 1) ? -1 : 1;
	if (argc < 2)
		return fail("--%s needs a value", o->name);
	return set_value(o, argv[1]) ? -1 : 2;
}

int opts_parse(const struct opt *table, int argc, char **argv)
{
	int i = 1, words = 0, used;

	while (i < argc) {
		if (strncmp(argv[i], "--", 2)) {
			argv[1 + words++] = argv[i++];
			continue;
		}
		used = parse_one(table, argc - i, argv + i);
		if (used < 0)
			return -1;
		i += used;
	}
	return words;
}

bool opts_want_help(int argc, char **argv)
{
	return argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"));
}

void opts_help(const struct opt *table, FILE *to)
{
	char left[64];

	for (; table->name; table++) {
		snprintf(left, sizeof(left), "--%s%s%s", table->name,
			 table->arg ? " " : "", table->arg ? table->arg : "");
		fprintf(to, "  %-22s %s\n", left, table->help);
	}
}
