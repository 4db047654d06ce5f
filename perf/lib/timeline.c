// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/die.h"
#include "timeline.h"

#define CHUNK (1 << 20)
#define KHZ_OF_NS 1000000

static const char *const names[] = {
#define TT_EVENT(name, text) #name,
#include "../tt/events.h"
#undef TT_EVENT
};

static const char *const texts[] = {
#define TT_EVENT(name, text) text,
#include "../tt/events.h"
#undef TT_EVENT
};

#define NUM_TEXTS (sizeof(texts) / sizeof(texts[0]))

const char *timeline_name(int number)
{
	return names[number];
}

void timeline_add(struct timeline *t, const struct tt_file_event *event)
{
	if (t->count == t->space) {
		t->space = t->space ? 2 * t->space : 1 << 16;
		t->events = xrealloc(t->events, t->space, sizeof(*t->events));
	}
	t->events[t->count++] = *event;
}

void timeline_count(const struct timeline *t, uint64_t *counts)
{
	size_t i;

	for (i = 0; i < t->count; i++)
		if (t->events[i].format < NUM_TEXTS)
			counts[t->events[i].format]++;
}

/* Index of a format, which is added if it is new. */
static uint32_t format_of(struct timeline *t, const char *text)
{
	size_t i;

	if (!t->formats) {
		t->formats = xcalloc(NUM_TEXTS, sizeof(*t->formats));
		memcpy(t->formats, texts, sizeof(texts));
		t->num_formats = NUM_TEXTS;
	}
	for (i = 0; i < t->num_formats; i++)
		if (!strcmp(t->formats[i], text))
			return i;
	t->formats = xrealloc(t->formats, t->num_formats + 1, sizeof(*t->formats));
	t->formats[t->num_formats] = strdup(text);
	return t->num_formats++;
}

/* All that a file reads as; NULL if it cannot be read. */
static char *read_all(const char *path, size_t *bytes)
{
	size_t space = CHUNK;
	char *data = xcalloc(1, space);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	*bytes = 0;
	while (fd >= 0 && (n = read(fd, data + *bytes, space - *bytes)) > 0) {
		*bytes += n;
		if (*bytes == space)
			data = xrealloc(data, space *= 2, 1);
	}
	if (fd < 0 || n < 0) {
		fail("cannot read %s: %s", path, strerror(errno));
		free(data);
		data = NULL;
	}
	if (fd >= 0)
		close(fd);
	return data;
}

static bool is_trace(const struct tt_file_header *h, size_t bytes)
{
	return bytes >= sizeof(*h) && !memcmp(h->magic, TT_FILE_MAGIC, sizeof(h->magic)) &&
	       h->version == TT_FILE_VERSION && h->event_bytes == sizeof(struct tt_file_event) &&
	       h->header_bytes <= h->events_offset && h->events_offset <= bytes &&
	       h->num_events <= (bytes - h->events_offset) / sizeof(struct tt_file_event);
}

/* Make @map lead from indices of a file's formats to ours; false if it lacks some. */
static bool map_formats(struct timeline *t, const struct tt_file_header *h, uint32_t *map)
{
	const char *text = (const char *)h + h->header_bytes;
	const char *end = (const char *)h + h->events_offset;
	uint32_t i;

	for (i = 0; i < h->num_formats; i++) {
		if (!memchr(text, 0, end - text))
			return false;
		map[i] = format_of(t, text);
		text += strlen(text) + 1;
	}
	return true;
}

void timeline_add_file(struct timeline *t, const char *path)
{
	const struct tt_file_event *from;
	struct tt_file_header *h;
	uint32_t *map;
	size_t bytes, i;

	h = (struct tt_file_header *)read_all(path, &bytes);
	if (!h)
		return;
	map = xcalloc(is_trace(h, bytes) ? h->num_formats + 1 : 1, sizeof(*map));
	if (!is_trace(h, bytes) || !map_formats(t, h, map))
		die("%s is no timetrace that this program knows", path);
	from = (const struct tt_file_event *)((const char *)h + h->events_offset);
	for (i = 0; i < h->num_events; i++) {
		struct tt_file_event event = from[i];

		if (event.format >= h->num_formats)
			die("%s: a record has no format", path);
		event.format = map[event.format];
		timeline_add(t, &event);
	}
	t->lost += h->lost;
	t->host = *h;
	free(map);
	free(h);
}

void timeline_clear(const char *path)
{
	size_t bytes;

	free(read_all(path, &bytes));
}

static int by_ring_and_time(const void *a, const void *b)
{
	const struct tt_file_event *x = a, *y = b;

	if (x->ring != y->ring)
		return x->ring < y->ring ? -1 : 1;
	return x->time < y->time ? -1 : x->time > y->time;
}

static void write_all(FILE *to, const char *path, const void *data, size_t bytes)
{
	if (bytes && fwrite(data, bytes, 1, to) != 1)
		die("cannot write %s: %s", path, strerror(errno));
}

/* The heading; @text_bytes are behind it. */
static struct tt_file_header make_header(const struct timeline *t, size_t text_bytes)
{
	const size_t unit = sizeof(struct tt_file_event);
	struct tt_file_header h = t->host;

	memcpy(h.magic, TT_FILE_MAGIC, sizeof(h.magic));
	h.version = TT_FILE_VERSION;
	h.header_bytes = sizeof(h);
	h.event_bytes = unit;
	h.events_version = TT_EVENTS_VERSION;
	h.events_offset = (sizeof(h) + text_bytes + unit - 1) / unit * unit;
	h.num_events = t->count;
	h.lost = t->lost;
	h.num_formats = t->num_formats;
	h.num_rings = t->count ? t->events[t->count - 1].ring + 1 : 0;
	h.num_names = 0;
	h.clock_khz = KHZ_OF_NS;
	h.clock_now = clock_ns();
	h.wall_ns = clock_wall_ns();
	if (!h.host[0])
		gethostname(h.host, sizeof(h.host) - 1);
	return h;
}

void timeline_write(struct timeline *t, const char *path, uint64_t lost)
{
	static const char zeros[sizeof(struct tt_file_event)];
	size_t i, bytes = 0;
	struct tt_file_header h;
	FILE *to;

	format_of(t, texts[0]);		/* there are formats even without events */
	qsort(t->events, t->count, sizeof(*t->events), by_ring_and_time);
	for (i = 0; i < t->num_formats; i++)
		bytes += strlen(t->formats[i]) + 1;
	t->lost += lost;
	h = make_header(t, bytes);
	to = fopen(path, "wxe");
	if (!to)
		die("cannot make %s: %s", path, strerror(errno));
	write_all(to, path, &h, sizeof(h));
	for (i = 0; i < t->num_formats; i++)
		write_all(to, path, t->formats[i], strlen(t->formats[i]) + 1);
	write_all(to, path, zeros, h.events_offset - sizeof(h) - bytes);
	write_all(to, path, t->events, t->count * sizeof(*t->events));
	if (fclose(to))
		die("cannot write %s: %s", path, strerror(errno));
}
