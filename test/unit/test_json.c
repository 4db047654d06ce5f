// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <stdlib.h>

#include "../../util/lib/json.h"
#include "unit.h"

static void write__is_well_formed(void)
{
	char *out = NULL;
	size_t len = 0;
	struct json j = { .to = open_memstream(&out, &len) };
	int i;

	json_open(&j, NULL, '{');
	json_u64(&j, "big", UINT64_MAX);
	json_real(&j, "real", 0.25);
	json_str(&j, "text", "a \"b\" \\ \n");
	json_open(&j, "none", '[');
	json_close(&j, ']');
	json_open(&j, "pairs", '[');
	for (i = 0; i < 9; i++)
		json_pair(&j, i, 1);
	json_close(&j, ']');
	json_close(&j, '}');
	fclose(j.to);
	EXPECT_STR(out,
		   "{\n"
		   "  \"big\": 18446744073709551615,\n"
		   "  \"real\": 0.25,\n"
		   "  \"text\": \"a \\\"b\\\" \\\\ \\u000a\",\n"
		   "  \"none\": [],\n"
		   "  \"pairs\": [\n"
		   "    [0, 1], [1, 1], [2, 1], [3, 1], [4, 1], [5, 1], [6, 1], [7, 1],\n"
		   "    [8, 1]\n"
		   "  ]\n"
		   "}\n");
	free(out);
}

static const struct unit_case cases[] = {
	UNIT_CASE(write__is_well_formed),
};

UNIT_MAIN(cases)
