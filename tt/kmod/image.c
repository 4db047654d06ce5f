// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* The binary form of a host's records (tracefile.h), as a file to be read.
 *
 * Header and texts are made when the file is opened: that takes a pass over the
 * records, to see which formats there are. Events are made of records when they
 * are read. Records have addresses of texts, a file has indices: an xarray leads
 * from one to the other, and texts that are equal have one index.
 */

#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/uio.h>
#include <linux/utsname.h>
#include <linux/xarray.h>
#include <kunit/visibility.h>

#include "image.h"
#include "timetrace.h"

/* Events start at a multiple of their size. */
#define EVENT_BYTES sizeof(struct tt_file_event)

/**
 * struct tt_image - a host's records in binary form, being read
 * @reader: the records
 * @formats: index in @texts as a value, by address of a record's text
 * @texts: all formats
 * @num_texts: entries of @texts in use
 * @room: entries of @texts
 * @head: header and texts
 * @head_bytes: of @head; there the events begin
 * @bytes: of all
 */
struct tt_image {
	struct tt_reader *reader;
	struct xarray formats;
	const char **texts;
	unsigned int num_texts;
	unsigned int room;
	void *head;
	u64 head_bytes;
	u64 bytes;
};

/* Index of a text that none of the same address has asked for. */
static int image_add_text(struct tt_image *image, const char *text)
{
	unsigned int i, room;
	const char **texts;

	for (i = 0; i < image->num_texts; i++) {
		if (!strcmp(image->texts[i], text))
			return i;
	}
	if (image->num_texts == image->room) {
		room = image->room ? 2 * image->room : 128;
		texts = krealloc_array(image->texts, room, sizeof(*texts),
				       GFP_KERNEL_ACCOUNT);
		if (!texts)
			return -ENOMEM;
		image->texts = texts;
		image->room = room;
	}
	image->texts[image->num_texts] = text;
	return image->num_texts++;
}

static int image_add_format(struct tt_image *image, const char *format)
{
	int index;

	if (xa_load(&image->formats, (unsigned long)format))
		return 0;
	index = image_add_text(image, format);
	if (index < 0)
		return index;
	return xa_err(xa_store(&image->formats, (unsigned long)format,
			       xa_mk_value(index), GFP_KERNEL_ACCOUNT));
}

static int image_add_formats(struct tt_image *image)
{
	struct tt_cursor *cursor = image->reader->cursors;
	struct tt_cursor *end = cursor + image->reader->count;
	unsigned long i;
	int err;

	for (; cursor < end; cursor++) {
		for (i = cursor->begin; i != cursor->end; i++) {
			err = image_add_format(image,
					       tt_ring_event(cursor->ring,
							     i)->format);
			if (err)
				return err;
			cond_resched();
		}
	}
	return 0;
}

static int image_make_head(struct tt_image *image, struct tt_host *host)
{
	struct tt_file_header *h;
	unsigned int i;
	u64 bytes = 0;
	char *to;

	for (i = 0; i < image->num_texts; i++)
		bytes += strlen(image->texts[i]) + 1;
	image->head_bytes = round_up(sizeof(*h) + bytes, EVENT_BYTES);
	image->bytes = image->head_bytes + image->reader->total * EVENT_BYTES;
	h = kvzalloc(image->head_bytes, GFP_KERNEL_ACCOUNT);
	if (!h)
		return -ENOMEM;
	image->head = h;
	memcpy(h->magic, TT_FILE_MAGIC, sizeof(h->magic));
	h->version = TT_FILE_VERSION;
	h->header_bytes = sizeof(*h);
	h->event_bytes = EVENT_BYTES;
	h->events_version = TT_EVENTS_VERSION;
	h->events_offset = image->head_bytes;
	h->num_events = image->reader->total;
	h->lost = image->reader->lost;
	h->num_formats = image->num_texts;
	h->num_rings = nr_cpu_ids;
	h->clock_khz = NSEC_PER_MSEC;
	h->clock_now = tt_clock();
	h->wall_ns = ktime_get_real_ns();
	strscpy(h->host, utsname()->nodename, sizeof(h->host));
	if (host->net)
		h->num_addrs = tt_addrs(host->net, (struct in6_addr *)h->addrs,
					TT_FILE_ADDRS);
	to = (char *)(h + 1);
	for (i = 0; i < image->num_texts; i++) {
		bytes = strlen(image->texts[i]) + 1;
		memcpy(to, image->texts[i], bytes);
		to += bytes;
	}
	return 0;
}

/**
 * tt_image_alloc() - make the binary form of a host's records
 * @reader: started reader of @host; belongs to the image if there is one
 * @host: host
 *
 * Context: process.
 * Return: image, to be freed with tt_image_free(), or ERR_PTR(-ENOMEM).
 */
struct tt_image *tt_image_alloc(struct tt_reader *reader, struct tt_host *host)
{
	struct tt_image *image;
	int err;

	image = kzalloc(sizeof(*image), GFP_KERNEL_ACCOUNT);
	if (!image)
		return ERR_PTR(-ENOMEM);
	xa_init(&image->formats);
	image->reader = reader;
	err = image_add_formats(image);
	if (!err)
		err = image_make_head(image, host);
	if (err) {
		image->reader = NULL;
		tt_image_free(image);
		return ERR_PTR(err);
	}
	return image;
}
EXPORT_SYMBOL_IF_KUNIT(tt_image_alloc);

/**
 * tt_image_free() - free an image, and its reader
 * @image: image
 *
 * Context: process.
 */
void tt_image_free(struct tt_image *image)
{
	xa_destroy(&image->formats);
	tt_reader_free(image->reader);
	kfree(image->texts);
	kvfree(image->head);
	kfree(image);
}
EXPORT_SYMBOL_IF_KUNIT(tt_image_free);

/**
 * tt_image_bytes() - how long the file is
 * @image: image
 *
 * Context: any.
 */
u64 tt_image_bytes(struct tt_image *image)
{
	return image->bytes;
}
EXPORT_SYMBOL_IF_KUNIT(tt_image_bytes);

static void image_event(struct tt_image *image, struct tt_file_event *to,
			const struct tt_event *from, int cpu)
{
	*to = (struct tt_file_event) {
		.time = from->ns,
		.format = xa_to_value(xa_load(&image->formats,
					      (unsigned long)from->format)),
		.ring = cpu,
	};
	memcpy(to->arg, from->arg, sizeof(to->arg));
}

/* Make up to room events, from the one at index on, which is of one ring. */
static unsigned int image_events(struct tt_image *image,
				 struct tt_file_event *to, u64 index,
				 unsigned int room)
{
	const struct tt_cursor *cursor = image->reader->cursors;
	unsigned int n = 0;

	while (index >= cursor->end - cursor->begin) {
		index -= cursor->end - cursor->begin;
		cursor++;
	}
	index += cursor->begin;
	for (; n < room && index != cursor->end; n++, index++)
		image_event(image, &to[n], tt_ring_event(cursor->ring, index),
			    cursor->cpu);
	return n;
}

/* Copy some of what lies at pos: how many bytes; 0 if none could be. */
static size_t image_copy(struct tt_image *image, struct iov_iter *to,
			 u64 pos)
{
	struct tt_file_event events[16];
	unsigned int offset, n;
	u64 index;

	if (pos < image->head_bytes)
		return copy_to_iter(image->head + pos,
				    min_t(u64, iov_iter_count(to),
					  image->head_bytes - pos), to);
	index = div_u64(pos - image->head_bytes, EVENT_BYTES);
	offset = pos - image->head_bytes - index * EVENT_BYTES;
	n = image_events(image, events, index, ARRAY_SIZE(events));
	return copy_to_iter((char *)events + offset,
			    min_t(size_t, iov_iter_count(to),
				  n * EVENT_BYTES - offset), to);
}

/**
 * tt_image_read() - read(2) of the file
 * @image: image
 * @to: where to
 * @pos: where from; is moved on
 *
 * Context: process; any number at a time.
 * Return: number of bytes; 0 at the end; or -EFAULT.
 */
ssize_t tt_image_read(struct tt_image *image, struct iov_iter *to,
		      loff_t *pos)
{
	ssize_t done = 0;
	size_t n;

	while (iov_iter_count(to) && *pos < image->bytes) {
		n = image_copy(image, to, *pos);
		if (!n)
			return done ?: -EFAULT;
		done += n;
		*pos += n;
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	return done;
}
EXPORT_SYMBOL_IF_KUNIT(tt_image_read);
