/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Homa's trace events as BPF programs and their tools see them.
 *
 * What an event has is said in homa/trace.h and nowhere else: the kernel's macros
 * make functions of it, those here make the records that the functions fill in, as
 * struct trace_event_raw_NAME. (homa_trace.h, homa_drops.h and homa_wire.h are headers of the
 * module without what they include; perf/Makefile makes them.) That a module which
 * is loaded has the same records, fields.c sees to: it compares them with what the
 * kernel says of each event, so that no type information of the module is needed,
 * which Debian's 6.1 headers cannot make.
 */
#ifndef PERF_EVENTS_H
#define PERF_EVENTS_H

#ifndef __bpf__
#include "types.h"

struct trace_entry {
	unsigned short type;
	unsigned char flags;
	unsigned char preempt_count;
	int pid;
};
#endif

#undef static_assert
#define static_assert(condition) _Static_assert(condition, #condition)
struct homa_net;
struct sk_buff;
struct in6_addr_bytes {
	u8 byte[16];
};

#include "homa_drops.h"

/* The address in all events is of this type in the module. */
#define in6_addr in6_addr_bytes
#define TRACE_DEFINE_ENUM(value)
#define TP_STRUCT__entry(...) __VA_ARGS__
#define __field(type, item) type item;
#define __array(type, item, length) type item[length];
#define TRACE_EVENT(name, proto, args, fields, assign, print) \
	struct trace_event_raw_##name { struct trace_entry ent; fields }
#define DECLARE_EVENT_CLASS TRACE_EVENT
#define DEFINE_EVENT(class, name, proto, args) struct trace_event_raw_##class

#include "homa_trace.h"

#undef TRACE_DEFINE_ENUM
#undef TP_STRUCT__entry
#undef __field
#undef __array
#undef TRACE_EVENT
#undef DECLARE_EVENT_CLASS
#undef DEFINE_EVENT
#undef in6_addr

#endif
