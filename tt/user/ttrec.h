/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* A timetrace of a program: records of its threads, on the clock that the kernel's
 * timetrace has (CLOCK_MONOTONIC), in files that the same tools read.
 *
 *	ttrec_start(0);					once
 *	ttrec_thread("S%d.%d", port, i);		in each thread
 *	ttrec("request taken, id %u length %u", (uint32_t)id & ~1u, length);
 *	ttrec_write("app.ttb");				when something was seen
 *
 *	ttmerge -b h1.ttb app.ttb > both/h1.ttb		one timeline
 *
 * Each thread has a ring of its own that only it writes, so that records wait for
 * nobody. A record takes up to four values, kept as 32 bits; the text must be a
 * string literal with only %u, %d and %x in it. What tools shall join with an
 * RPC has "id %u": the low 32 bits of its id with the last one 0. Before
 * ttrec_start() a record is a load and a branch, afterwards a call and the clock.
 */
#ifndef TTREC_H
#define TTREC_H

#include <stdbool.h>
#include <stdint.h>

/* Records in the ring of a thread, if nothing else is said; 2 MB. */
#define TTREC_EVENTS 65536

extern int ttrec_active;

/**
 * ttrec_start() - begin to record, or go on after ttrec_freeze()
 * @events: records in a ring, a power of two; 0: TTREC_EVENTS. Rings that are there
 *	already stay as they are.
 */
void ttrec_start(unsigned int events);

/* Record no more, until ttrec_start(). Records under way are complete on return. */
void ttrec_freeze(void);

/**
 * ttrec_thread() - name the calling thread
 * @format: of the name, as printf() takes it; at most 15 bytes count. A C and digits
 *	would be a CPU.
 *
 * The ring of an ended thread of that name is used again. Threads without a name
 * are called by their number.
 */
__attribute__((format(printf, 1, 2)))
void ttrec_thread(const char *format, ...);

/**
 * ttrec_write() - write all records to a new file
 * @path: name of the file
 *
 * What is recorded meanwhile is lost. Records from before the oldest one of a ring
 * that overflowed are left out, for they would leave gaps.
 *
 * Return: 0, or -errno
 */
int ttrec_write(const char *path);

/* Used by ttrec() alone. */
void ttrec_add(const char *format, const uint32_t *values);
__attribute__((format(printf, 1, 2)))
void ttrec_check(const char *format, ...);

#define ttrec(format, ...)						\
do {									\
	if (__builtin_expect(__atomic_load_n(&ttrec_active,		\
					     __ATOMIC_RELAXED), 0)) {	\
		if (0)							\
			ttrec_check(format, ##__VA_ARGS__);		\
		ttrec_add("" format, (const uint32_t[4]){ __VA_ARGS__ }); \
	}								\
} while (0)

#endif
