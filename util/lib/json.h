/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Writing JSON. The functions put commas and indentation where they belong;
 * the caller pairs json_open() with json_close(). @key is NULL in a list.
 */
#ifndef UTIL_JSON_H
#define UTIL_JSON_H

#include <stdint.h>
#include <stdio.h>

struct json {
	FILE *to;
	int depth;
	int items;		/* written at this depth so far; 0 or more than 0 */
};

void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);
void json_u64(struct json *j, const char *key, uint64_t value);
void json_real(struct json *j, const char *key, double value);
void json_str(struct json *j, const char *key, const char *value);

/* A [@a, @b] pair as a list item. */
void json_pair(struct json *j, uint64_t a, uint64_t b);

#endif
