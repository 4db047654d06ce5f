// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <inttypes.h>

#include "json.h"

static void quote(struct json *j, const char *text)
{
	putc('"', j->to);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(j->to, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			fprintf(j->to, "\\u%04x", *text);
		else
			putc(*text, j->to);
	}
	putc('"', j->to);
}

static void item(struct json *j, const char *key)
{
	if (j->depth) {
		fputs(j->items ? ",\n" : "\n", j->to);
		fprintf(j->to, "%*s", 2 * j->depth, "");
	}
	j->items++;
	if (key) {
		quote(j, key);
		fputs(": ", j->to);
	}
}

void json_open(struct json *j, const char *key, char bracket)
{
	item(j, key);
	putc(bracket, j->to);
	j->depth++;
	j->items = 0;
}

void json_close(struct json *j, char bracket)
{
	j->depth--;
	if (j->items)
		fprintf(j->to, "\n%*s", 2 * j->depth, "");
	putc(bracket, j->to);
	j->items = 1;
	if (!j->depth)
		putc('\n', j->to);
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
	item(j, key);
	fprintf(j->to, "%" PRIu64, value);
}

void json_real(struct json *j, const char *key, double value)
{
	item(j, key);
	fprintf(j->to, "%.9g", value);
}

void json_str(struct json *j, const char *key, const char *value)
{
	item(j, key);
	quote(j, value);
}

void json_pair(struct json *j, uint64_t a, uint64_t b)
{
	/* Pairs come by the hundred, so several share a line. */
	fputs(j->items % 8 ? ", " : j->items ? ",\n" : "\n", j->to);
	if (j->items % 8 == 0)
		fprintf(j->to, "%*s", 2 * j->depth, "");
	j->items++;
	fprintf(j->to, "[%" PRIu64 ", %" PRIu64 "]", a, b);
}
