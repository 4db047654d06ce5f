// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <stdint.h>
#include <string.h>

#include "hists.h"
#include "lib/die.h"
#include "live.h"

#define BAR_CHARS 50

void hists_init(struct hists *h, const struct bpf_map *map, int count)
{
	h->map = map;
	h->count = count;
	h->before = xcalloc(count, sizeof(*h->before));
	h->change = xcalloc(count, sizeof(*h->change));
}

/* @now becomes what it has more than @before, and that what it was. */
static void subtract(struct hist *now, struct hist *before)
{
	struct hist total = *now;
	int i;

	now->n = now->sum = 0;
	for (i = 0; i < HIST_BUCKETS; i++) {
		now->count[i] -= before->count[i];
		if (!now->count[i])
			continue;
		if (!now->n)
			now->min = hist_lower(i);
		now->max = i + 1 < HIST_BUCKETS ? hist_lower(i + 1) - 1 : hist_lower(i);
		now->n += now->count[i];
	}
	now->sum = total.sum - before->sum;
	*before = total;
}

void hists_read(struct hists *h)
{
	int i;

	for (i = 0; i < h->count; i++) {
		live_lookup(h->map, &i, &h->change[i]);
		subtract(&h->change[i], &h->before[i]);
	}
}

void hists_heading(FILE *to)
{
	fprintf(to, "%9s %9s %9s %9s %9s %9s", "count", "mean", "p50", "p90", "p99", "max");
}

void hists_line(FILE *to, const struct hist *h)
{
	fprintf(to, "%9llu %9.1f %9.1f %9.1f %9.1f %9.1f", (unsigned long long)h->n,
		h->n ? h->sum / 1e3 / h->n : 0, hist_quantile(h, 0.5) / 1e3,
		hist_quantile(h, 0.9) / 1e3, hist_quantile(h, 0.99) / 1e3, h->max / 1e3);
}

void hists_bars(FILE *to, const struct hist *h)
{
	uint64_t octave[64] = { 0 }, most = 0;
	int i, first = 63, last = 0, chars;

	for (i = 0; i < HIST_BUCKETS; i++) {
		int log = hist_log2(hist_lower(i));

		octave[log] += h->count[i];
		if (!h->count[i])
			continue;
		first = log < first ? log : first;
		last = log;
		most = octave[log] > most ? octave[log] : most;
	}
	for (i = first; i <= last; i++) {
		chars = octave[i] * BAR_CHARS / most;
		fprintf(to, "  %9.1f - %9.1f us %9llu |%.*s\n", (1ULL << i) / 1e3,
			(2ULL << i) / 1e3, (unsigned long long)octave[i], chars,
			"##################################################");
	}
}

void hists_json(struct json *j, const char *name, const struct hist *h)
{
	int i;

	json_open(j, name, '{');
	json_u64(j, "n", h->n);
	json_real(j, "mean", h->n ? (double)h->sum / h->n : 0);
	json_u64(j, "p50", hist_quantile(h, 0.5));
	json_u64(j, "p90", hist_quantile(h, 0.9));
	json_u64(j, "p99", hist_quantile(h, 0.99));
	json_u64(j, "p999", hist_quantile(h, 0.999));
	json_u64(j, "max", h->max);
	json_open(j, "counts", '[');
	for (i = 0; i < HIST_BUCKETS; i++)
		if (h->count[i])
			json_pair(j, hist_lower(i), h->count[i]);
	json_close(j, ']');
	json_close(j, '}');
}
