// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../kmod/tracefile.h"
#include "ttrec.h"

#define NAME_BYTES 16
#define ALIGN 32

struct event {
	uint64_t ns;
	const char *format;
	uint32_t arg[4];
};

/* The records of one thread. */
struct ring {
	struct ring *next;
	char name[NAME_BYTES];
	bool taken;		/* a thread has it; under rings_lock */
	bool busy;		/* the thread is recording; atomic */
	uint64_t count;		/* of all records made; the thread's */
	uint64_t mask;		/* size of @events - 1 */
	struct event *events;
};

/* All rings there ever were, the newest first. Only rings_lock's holder adds one. */
static struct ring *rings;
static pthread_mutex_t rings_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int ring_events = TTREC_EVENTS;

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key;		/* its destructor tells that a thread ends */
static __thread struct ring *mine;
static __thread char my_name[NAME_BYTES];

int ttrec_active;

static uint64_t clock_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void thread_ends(void *ring)
{
	mine = NULL;
	pthread_mutex_lock(&rings_lock);
	((struct ring *)ring)->taken = false;
	pthread_mutex_unlock(&rings_lock);
}

static void make_key(void)
{
	pthread_key_create(&key, thread_ends);
}

/* A ring that no thread has, by the caller's name; NULL if there is no memory. */
static struct ring *find_ring(void)
{
	struct ring *ring;

	for (ring = rings; ring; ring = ring->next)
		if (!ring->taken && !strcmp(ring->name, my_name))
			return ring;
	ring = calloc(1, sizeof(*ring));
	if (!ring)
		return NULL;
	ring->events = calloc(ring_events, sizeof(*ring->events));
	if (!ring->events) {
		free(ring);
		return NULL;
	}
	ring->mask = ring_events - 1;
	strcpy(ring->name, my_name);
	ring->next = rings;
	rings = ring;
	return ring;
}

static struct ring *take_ring(void)
{
	struct ring *ring;

	if (!*my_name)
		ttrec_thread("T%ld", (long)syscall(SYS_gettid));
	pthread_once(&key_once, make_key);
	pthread_mutex_lock(&rings_lock);
	ring = find_ring();
	if (ring)
		ring->taken = true;
	pthread_mutex_unlock(&rings_lock);
	pthread_setspecific(key, ring);
	return ring;
}

void ttrec_thread(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(my_name, sizeof(my_name), format, args);
	va_end(args);
	if (mine)
		thread_ends(mine);
}

void ttrec_add(const char *format, const uint32_t *values)
{
	struct event *event;

	if (!mine)
		mine = take_ring();
	if (!mine)
		return;
	/* Either ttrec_freeze() sees that this is busy, or this that it is frozen. */
	__atomic_store_n(&mine->busy, true, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&ttrec_active, __ATOMIC_SEQ_CST)) {
		event = &mine->events[mine->count++ & mine->mask];
		event->format = format;
		memcpy(event->arg, values, sizeof(event->arg));
		event->ns = clock_of(CLOCK_MONOTONIC);
	}
	__atomic_store_n(&mine->busy, false, __ATOMIC_RELEASE);
}

void ttrec_start(unsigned int events)
{
	pthread_mutex_lock(&rings_lock);
	ring_events = events ? events : TTREC_EVENTS;
	pthread_mutex_unlock(&rings_lock);
	__atomic_store_n(&ttrec_active, true, __ATOMIC_SEQ_CST);
}

void ttrec_freeze(void)
{
	struct ring *ring;

	__atomic_store_n(&ttrec_active, false, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&rings_lock);
	for (ring = rings; ring; ring = ring->next)
		while (__atomic_load_n(&ring->busy, __ATOMIC_SEQ_CST))
			sched_yield();
	pthread_mutex_unlock(&rings_lock);
}

/* What ttrec_write() has found. */
struct image {
	const char **formats;
	uint32_t num_formats, max_formats;
	uint32_t num_rings;
	uint64_t begin;		/* all rings have what is not older */
	uint64_t made, num_events;
	uint64_t text_bytes;
	FILE *file;
};

static const struct event *ring_event(const struct ring *ring, uint64_t i)
{
	return &ring->events[i & ring->mask];
}

static uint64_t ring_first(const struct ring *ring)
{
	return ring->count > ring->mask ? ring->count - ring->mask - 1 : 0;
}

/* The number of a text; -ENOMEM. Literals of equal text may be several. */
static int64_t format_number(struct image *im, const char *format)
{
	const char **more;
	uint32_t i;

	for (i = 0; i < im->num_formats; i++)
		if (im->formats[i] == format || !strcmp(im->formats[i], format))
			return i;
	if (i == im->max_formats) {
		im->max_formats = i ? 2 * i : 64;
		more = realloc(im->formats, im->max_formats * sizeof(*more));
		if (!more)
			return -ENOMEM;
		im->formats = more;
	}
	im->formats[im->num_formats++] = format;
	im->text_bytes += strlen(format) + 1;
	return i;
}

/* Look at all records: how many there are, and of which formats. */
static int survey(struct image *im)
{
	const struct ring *ring;
	uint64_t i;

	for (ring = rings; ring; ring = ring->next) {
		im->num_rings++;
		im->made += ring->count;
		im->text_bytes += strlen(ring->name) + 1;
		if (ring_first(ring) && ring_event(ring, ring_first(ring))->ns > im->begin)
			im->begin = ring_event(ring, ring_first(ring))->ns;
	}
	for (ring = rings; ring; ring = ring->next)
		for (i = ring_first(ring); i < ring->count; i++) {
			if (ring_event(ring, i)->ns < im->begin)
				continue;
			if (format_number(im, ring_event(ring, i)->format) < 0)
				return -ENOMEM;
			im->num_events++;
		}
	return 0;
}

static void put_header(struct image *im)
{
	struct tt_file_header h = {
		.version = TT_FILE_VERSION,
		.header_bytes = sizeof(h),
		.event_bytes = sizeof(struct tt_file_event),
		.num_events = im->num_events,
		.lost = im->made - im->num_events,
		.num_formats = im->num_formats,
		.num_rings = im->num_rings,
		.num_names = im->num_rings,
		.clock_khz = 1000000,
		.clock_now = clock_of(CLOCK_MONOTONIC),
		.wall_ns = clock_of(CLOCK_REALTIME),
	};
	const char zeros[ALIGN] = { 0 };
	const struct ring *ring;
	uint32_t i;

	memcpy(h.magic, TT_FILE_MAGIC, sizeof(h.magic));
	gethostname(h.host, sizeof(h.host) - 1);
	h.events_offset = (sizeof(h) + im->text_bytes + ALIGN - 1) / ALIGN * ALIGN;
	fwrite(&h, sizeof(h), 1, im->file);
	for (i = 0; i < im->num_formats; i++)
		fwrite(im->formats[i], strlen(im->formats[i]) + 1, 1, im->file);
	for (ring = rings; ring; ring = ring->next)
		fwrite(ring->name, strlen(ring->name) + 1, 1, im->file);
	fwrite(zeros, h.events_offset - sizeof(h) - im->text_bytes, 1, im->file);
}

static void put_ring(struct image *im, const struct ring *ring, uint16_t number)
{
	struct tt_file_event out = { .ring = number };
	const struct event *event;
	uint64_t i;

	for (i = ring_first(ring); i < ring->count; i++) {
		event = ring_event(ring, i);
		if (event->ns < im->begin)
			continue;
		out.time = event->ns;
		out.format = format_number(im, event->format);
		memcpy(out.arg, event->arg, sizeof(out.arg));
		fwrite(&out, sizeof(out), 1, im->file);
	}
}

static int write_image(struct image *im, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	const struct ring *ring;
	uint16_t number = 0;
	int err;

	im->file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!im->file) {
		err = -errno;
		if (fd >= 0)
			close(fd);
		return err;
	}
	put_header(im);
	for (ring = rings; ring; ring = ring->next)
		put_ring(im, ring, number++);
	err = fflush(im->file) || ferror(im->file) ? -errno : 0;
	fclose(im->file);
	if (err)
		unlink(path);
	return err;
}

int ttrec_write(const char *path)
{
	bool was_active = __atomic_load_n(&ttrec_active, __ATOMIC_RELAXED);
	struct image im = { .formats = NULL };
	int err;

	ttrec_freeze();
	pthread_mutex_lock(&rings_lock);
	err = survey(&im);
	if (!err)
		err = write_image(&im, path);
	pthread_mutex_unlock(&rings_lock);
	free(im.formats);
	__atomic_store_n(&ttrec_active, was_active, __ATOMIC_SEQ_CST);
	return err;
}
