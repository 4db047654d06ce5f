// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "openmetrics.h"

/* Counters whose names differ only in what the label says. */
static const struct {
	const char *before, *after;	/* what is around it */
	const char *family, *label, *help;
} kinds[] = {
	{ "msg_bytes_", "", "msg_bytes", "max",
	  "Bytes in incoming messages, by length: up to max, and more than the next smaller" },
	{ "packets_sent_", "", "packets_sent", "type", "Packets sent" },
	{ "packets_rcvd_", "", "packets_rcvd", "type", "Packets received" },
	{ "priority", "_bytes", "priority_bytes", "priority", "Bytes sent at a priority" },
	{ "priority", "_packets", "priority_packets", "priority", "Packets sent at a priority" },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct sample {
	char family[80], label[80];
	const char *help;
	double scale;			/* not 0: a time; the value in seconds */
};

static bool ends_with(const char *name, const char *end)
{
	size_t a = strlen(name), b = strlen(end);

	return a > b && !strcmp(name + a - b, end);
}

static void name_sample(const struct metric *metric, double khz, struct sample *s)
{
	const char *name = metric->name, *part;
	size_t i, len;

	*s = (struct sample){ .help = metric->about };
	for (i = 0; i < KINDS; i++) {
		len = strlen(kinds[i].before);
		part = name + len;
		if (strncmp(name, kinds[i].before, len) || !ends_with(part, kinds[i].after))
			continue;
		snprintf(s->family, sizeof(s->family), "homa_%s", kinds[i].family);
		snprintf(s->label, sizeof(s->label), "%s=\"%.*s\"", kinds[i].label,
			 (int)(strlen(part) - strlen(kinds[i].after)), part);
		s->help = kinds[i].help;
		return;
	}
	if (metrics_is_time(name)) {
		s->scale = 1 / (khz * 1e3);
		snprintf(s->family, sizeof(s->family), "homa_%.*s_seconds",
			 (int)strlen(name) - 7, name);
		return;
	}
	snprintf(s->family, sizeof(s->family), "homa_%s", name);
}

static void print_family(const struct sample *s, FILE *to)
{
	const char *c;

	fprintf(to, "# TYPE %s counter\n", s->family);
	if (s->scale)
		fprintf(to, "# UNIT %s seconds\n", s->family);
	fprintf(to, "# HELP %s ", s->family);
	for (c = s->help; *c; c++) {
		if (*c == '\\' || *c == '"')
			putc('\\', to);
		putc(*c, to);
	}
	putc('\n', to);
}

/* @core is negative for the sum of all. */
static void print_sample(const struct sample *s, uint64_t value, int core, FILE *to)
{
	fprintf(to, "%s_total", s->family);
	if (s->label[0] || core >= 0)
		putc('{', to);
	fputs(s->label, to);
	if (core >= 0)
		fprintf(to, "%score=\"%d\"", s->label[0] ? "," : "", core);
	if (s->label[0] || core >= 0)
		putc('}', to);
	if (s->scale)
		fprintf(to, " %.9f\n", value * s->scale);
	else
		fprintf(to, " %" PRIu64 "\n", value);
}

/* Counters for scratch are nobody's business. */
static bool is_scratch(const char *name)
{
	return !strncmp(name, "temp", 4) && isdigit((unsigned char)name[4]);
}

void openmetrics_print(const struct metrics *m, bool by_core, FILE *to)
{
	struct sample s, last = { .family = "" };
	int i, core;

	for (i = 0; i < m->n; i++) {
		if (is_scratch(m->list[i].name))
			continue;
		name_sample(&m->list[i], m->khz, &s);
		if (strcmp(s.family, last.family))
			print_family(&s, to);
		last = s;
		if (!by_core)
			print_sample(&s, m->list[i].value, -1, to);
		for (core = 0; by_core && core < m->ncores; core++)
			print_sample(&s, m->list[i].core[core], m->cores[core], to);
	}
	fputs("# EOF\n", to);
}
