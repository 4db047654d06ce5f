/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* The binary form of a timetrace: what /proc/net/timetrace_bin reads as, and what
 * programs that record with tt/user/ttrec.h write.
 *
 *	offset 0		struct tt_file_header, header_bytes long
 *	header_bytes		texts, each with a 0 at its end: num_formats formats,
 *				then num_names names of rings; zeros up to
 *	events_offset		num_events times struct tt_file_event, to the end
 *
 * Numbers are in the byte order of the machine that wrote the file: who finds
 * version 0x01000000 has to swap. Later versions may make the header longer, so
 * texts are at header_bytes. events_offset is a multiple of 32, and an event has
 * 32 bytes, so that a file can be mapped as an array:
 *
 *	EVENT = np.dtype([("time", "<u8"), ("format", "<u4"), ("ring", "<u2"),
 *			  ("zero", "<u2"), ("arg", "<u4", 4)])
 *	events = np.memmap(path, EVENT, "r", events_offset, num_events)
 *
 * (A proc file cannot be mapped: read it, and np.frombuffer() the result.)
 *
 * Events come ring by ring, and in order of time within a ring. The text form has
 * all rings merged: sort by time, stably. Events that both forms leave out are in
 * "lost": those overwritten, and those of other rings from before the oldest
 * record of a ring that overflowed, which would leave gaps.
 *
 * A format is what printf() takes: the next 32-bit argument for each of %u, %d
 * and %x in it. No two formats of a file are equal. Those of events.h can be
 * looked up there; events_version says which list it was, 0 that there is none.
 */
#ifndef _TT_TRACEFILE_H
#define _TT_TRACEFILE_H

#include <linux/types.h>

#define TT_FILE_MAGIC "HOMATT\r\n"
#define TT_FILE_VERSION 1
#define TT_FILE_ADDRS 8
#define TT_FILE_NAME_BYTES 64

/**
 * struct tt_file_header - how a binary timetrace begins
 * @magic: TT_FILE_MAGIC, without the 0 at its end
 * @version: TT_FILE_VERSION
 * @header_bytes: where the texts begin
 * @event_bytes: 32
 * @events_version: TT_EVENTS_VERSION of the list of events in use
 * @events_offset: where the events begin
 * @num_events: how many there are
 * @lost: events recorded since the rings were last emptied, and not here
 * @num_formats: formats; an event's format is an index, from 0
 * @num_rings: rings; an event's ring is less
 * @num_names: names of rings: @num_rings, or 0, if ring n is CPU n ("C0n")
 * @num_addrs: addresses of the host in @addrs
 * @clock_khz: what the unit of time is: so many thousands in a second
 * @clock_now: time at which the file was opened, or written
 * @wall_ns: the same moment in nanoseconds since 1970
 * @host: name of the host, with zeros behind it
 * @addrs: addresses, IPv4 ones as ::ffff:a.b.c.d; not those of loopback devices
 */
struct tt_file_header {
	__u8 magic[8];
	__u32 version;
	__u32 header_bytes;
	__u32 event_bytes;
	__u32 events_version;
	__u64 events_offset;
	__u64 num_events;
	__u64 lost;
	__u32 num_formats;
	__u32 num_rings;
	__u32 num_names;
	__u32 num_addrs;
	__u64 clock_khz;
	__u64 clock_now;
	__u64 wall_ns;
	char host[TT_FILE_NAME_BYTES];
	__u8 addrs[TT_FILE_ADDRS][16];
};

/**
 * struct tt_file_event - one event; 32 bytes
 * @time: when; clock_khz has its unit
 * @format: what: which of the formats
 * @ring: which CPU, or thread, made it
 * @zero: 0
 * @arg: values that the format prints
 */
struct tt_file_event {
	__u64 time;
	__u32 format;
	__u16 ring;
	__u16 zero;
	__u32 arg[4];
};

#endif /* _TT_TRACEFILE_H */
