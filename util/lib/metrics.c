// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "metrics.h"

/* Lines of all cores have the same order, so a counter mostly is the one after the last. */
static struct metric *look_up(struct metrics *m, const char *name)
{
	int i, at;

	for (i = 1; i <= m->n; i++) {
		at = (m->last + i) % m->n;
		if (!strcmp(m->list[at].name, name)) {
			m->last = at;
			return &m->list[at];
		}
	}
	return NULL;
}

struct metric *metrics_find(struct metrics *m, const char *name)
{
	struct metric *found = look_up(m, name);

	if (found)
		return found;
	if (m->n == m->space) {
		m->space = m->space ? 2 * m->space : 512;
		m->list = xrealloc(m->list, m->space, sizeof(*m->list));
	}
	m->last = m->n;
	m->list[m->n] = (struct metric){ .name = strdup(name) };
	return &m->list[m->n++];
}

uint64_t metrics_value(struct metrics *m, const char *name)
{
	const struct metric *found = look_up(m, name);

	return found ? found->value : 0;
}

uint64_t metrics_core(struct metrics *m, const char *name, int i)
{
	const struct metric *found = look_up(m, name);

	return found && found->core ? found->core[i] : 0;
}

/* Give every counter room for one more core. */
static void add_core(struct metrics *m, int number)
{
	struct metric *metric;

	m->cores = xrealloc(m->cores, m->ncores + 1, sizeof(*m->cores));
	m->cores[m->ncores++] = number;
	for (metric = m->list; metric < m->list + m->n; metric++) {
		metric->core = xrealloc(metric->core, m->ncores, sizeof(*metric->core));
		metric->core[m->ncores - 1] = 0;
	}
}

static void add_value(struct metrics *m, const char *name, uint64_t value, const char *about)
{
	struct metric *metric = metrics_find(m, name);

	if (!m->ncores)
		add_core(m, 0);
	if (!metric->core)
		metric->core = xcalloc(m->ncores, sizeof(*metric->core));
	metric->core[m->ncores - 1] += value;
	metric->value += value;
	if (!metric->about) {
		metric->about = strdup(about);
		metric->about[strcspn(metric->about, "\n")] = 0;
	}
}

/* Take one line. Return: false if it isn't "name value text". */
static bool add_line(struct metrics *m, const char *line)
{
	unsigned long long value;
	char name[128];
	int at = 0;

	if (sscanf(line, "%127s %llu %n", name, &value, &at) < 2)
		return false;
	if (!strcmp(name, "time_cycles"))
		m->cycles = value;
	else if (!strcmp(name, "cpu_khz"))
		m->khz = value;
	else if (!strcmp(name, "core"))
		add_core(m, value);
	else
		add_value(m, name, value, line + at);
	return true;
}

void metrics_read(struct metrics *m, const char *name)
{
	FILE *f = fopen(name, "r");
	char line[512];
	int at = 0;

	*m = (struct metrics){ .khz = 0 };
	if (!f)
		die("%s: %s%s", name, strerror(errno),
		    errno == ENOENT && !strcmp(name, METRICS_FILE) ?
		    " (is homa.ko loaded?)" : "");
	while (fgets(line, sizeof(line), f)) {
		at++;
		if (!add_line(m, line))
			die("%s:%d: want \"name value description\"", name, at);
	}
	fclose(f);
	if (!m->n || !m->khz)
		die("%s: these are not Homa's metrics", name);
}

static int core_at(const struct metrics *m, int number)
{
	int i;

	for (i = 0; i < m->ncores; i++)
		if (m->cores[i] == number)
			return i;
	return -1;
}

void metrics_subtract(struct metrics *now, struct metrics *before)
{
	const struct metric *old;
	struct metric *metric;
	int i, at;

	if (now->cycles <= before->cycles)
		die("the second reading is not later than the first");
	now->cycles -= before->cycles;
	for (metric = now->list; metric < now->list + now->n; metric++) {
		old = look_up(before, metric->name);
		if (!old)
			continue;
		if (metric->value < old->value)
			die("%s went back: homa.ko was loaded anew between the readings",
			    metric->name);
		metric->value -= old->value;
		for (i = 0; i < now->ncores; i++) {
			at = core_at(before, now->cores[i]);
			metric->core[i] -= at < 0 ? 0 : old->core[at];
		}
	}
}

void metrics_add(struct metrics *before, struct metrics *change)
{
	const struct metric *more;
	struct metric *metric;
	int i, at;

	before->cycles += change->cycles;
	for (metric = before->list; metric < before->list + before->n; metric++) {
		more = look_up(change, metric->name);
		metric->value += more ? more->value : 0;
		for (i = 0; more && i < before->ncores; i++) {
			at = core_at(change, before->cores[i]);
			metric->core[i] += at < 0 ? 0 : more->core[at];
		}
	}
}

bool metrics_is_time(const char *name)
{
	size_t len = strlen(name);

	return len > 7 && !strcmp(name + len - 7, "_cycles");
}

double metrics_seconds(const struct metrics *m)
{
	return m->cycles / (m->khz * 1e3);
}

void metrics_free(struct metrics *m)
{
	int i;

	for (i = 0; i < m->n; i++) {
		free(m->list[i].name);
		free(m->list[i].about);
		free(m->list[i].core);
	}
	free(m->list);
	free(m->cores);
}
