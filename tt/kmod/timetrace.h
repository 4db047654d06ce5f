/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Timetrace: rings of cheap, exact records of what happened when.
 *
 * An owner is any object with a member `struct tt_host tt`: one traced host,
 * which belongs to one network namespace. It has a ring per CPU, so that hosts
 * never see, overwrite or stop each other's records:
 *
 *	tt_record(owner, "grant check, id %u incoming %u", id, incoming);
 *	tt_event(owner, GRANT_FIFO, id, offset);
 *
 * A record takes up to four values, kept as u32; the text must be a string
 * literal with only %u, %d and %x in it. tt_event() takes a line of events.h,
 * for records that analysis tools parse. Both work in any context but NMI,
 * take no lock, and are a jump when tracing is off (module parameter
 * "timetrace"). They cost no time in a kernel that runs in virtual time.
 *
 * The records are read from /proc/net/timetrace, as text; /proc/timetrace is a
 * link. /proc/net/timetrace_bin is the same in binary form: see tracefile.h.
 */
#ifndef _TT_TIMETRACE_H
#define _TT_TIMETRACE_H

#include <linux/in6.h>
#include <linux/irqflags.h>
#include <linux/jump_label.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/types.h>

struct net;

/* Records in the ring of one CPU, if nothing else is said; a power of two. */
#define TT_RING_EVENTS 16384
#define TT_RING_EVENTS_MIN 16
#define TT_RING_EVENTS_MAX (1 << 20)

/**
 * struct tt_event - one record; 32 bytes
 * @ns: when, in tt_clock() time
 * @format: what; a string literal of the module
 * @arg: the values that it prints
 */
struct tt_event {
	u64 ns;
	const char *format;
	u32 arg[4];
};

/**
 * struct tt_ring - records of one CPU for one host; written by that CPU alone
 * @next: bytes of all records made so far; the next goes to @events +
 *	(@next & @mask)
 * @mask: bytes of @events - 1
 * @events: &@spare if the CPU was absent when the rings were made
 * @first: value of @next when the ring was last emptied
 * @spare: takes the records of a ring that nobody reads
 */
struct tt_ring {
	unsigned long next;
	unsigned long mask;
	void *events;
	unsigned long first;
	struct tt_event spare;
};

/**
 * struct tt_host - the timetrace of one host
 * @active: @rings, or NULL while there are reasons not to record
 * @rings: NULL until tt_net_start()
 * @guard: protects @stops, and changes of @active
 * @stops: reasons not to record: one per open reader, one while @frozen
 * @frozen: bit 0: tt_freeze() was called and not undone
 * @lock: guards @readers and the making of @rings
 * @readers: how many have it open
 * @net: namespace whose /proc/net shows it
 */
struct tt_host {
	struct tt_ring __percpu *active;
	struct tt_ring __percpu *rings;
	spinlock_t guard;
	int stops;
	unsigned long frozen;
	struct mutex lock;
	int readers;
	struct net *net;
};

DECLARE_STATIC_KEY_TRUE(tt_enabled);

/* The clock of all records; the same as the owner uses elsewhere. */
static inline u64 tt_clock(void)
{
	return ktime_get_ns();
}

/* 32 bits that tell hosts apart: the IPv4 address, else the end of the IPv6. */
static inline u32 tt_addr6(const struct in6_addr *addr)
{
	__be32 word = addr->s6_addr32[3];

	return ntohl(word ? word : addr->s6_addr32[1]);
}

/**
 * __tt_record() - record an event; use tt_record() or tt_event()
 * @host: host that it happened on
 * @format: string literal
 * @at: when, from a record just made; 0: now
 * @a: first value that @format prints
 * @b: second
 * @c: third
 * @d: fourth
 *
 * Inline because calling it would cost more than half of what it does: 30
 * instructions and the clock (test/check/ttcost counts them).
 *
 * Records of a ring are in the order of their times: with @at too early for that, since
 * another one came between, it is now.
 *
 * Context: any but NMI.
 * Return: the time in the record, or 0 if none was made
 */
static __always_inline u64 __tt_record(struct tt_host *host, const char *format,
				       u64 at, u32 a, u32 b, u32 c, u32 d)
{
	struct tt_ring __percpu *rings;
	struct tt_event *event, *before;
	struct tt_ring *ring;
	unsigned long flags;
	u64 ns = 0;

	/* Also the read side of the synchronize_rcu() in tt_read_begin(). */
	local_irq_save(flags);
	/* Pairs with the releases in tt_rings_alloc() and tt_go(). */
	rings = smp_load_acquire(&host->active);
	if (likely(rings)) {
		ring = this_cpu_ptr(rings);
		before = ring->events +
			 ((ring->next - sizeof(*event)) & ring->mask);
		event = ring->events + (ring->next & ring->mask);
		WRITE_ONCE(ring->next, ring->next + sizeof(*event));
		event->format = format;
		event->arg[0] = a;
		event->arg[1] = b;
		event->arg[2] = c;
		event->arg[3] = d;
		ns = at && at >= before->ns ? at : tt_clock();
		event->ns = ns;
	}
	local_irq_restore(flags);
	return ns;
}

/* Never called, and nowhere defined: has the compiler compare text and values. */
__printf(1, 2) void __tt_check(const char *format, ...);

/* Cast and pad 0 to 4 values. */
#define __TT_COUNT(...) __TT_FIFTH(_, ##__VA_ARGS__, 4, 3, 2, 1, 0)
#define __TT_FIFTH(_, a, b, c, d, n, ...) n
#define __TT_PASTE(x, y) __TT_PASTE2(x, y)
#define __TT_PASTE2(x, y) x##y
#define __TT_CAST0()
#define __TT_CAST1(a) , (u32)(a)
#define __TT_CAST2(a, b) , (u32)(a), (u32)(b)
#define __TT_CAST3(a, b, c) , (u32)(a), (u32)(b), (u32)(c)
#define __TT_CAST4(a, b, c, d) , (u32)(a), (u32)(b), (u32)(c), (u32)(d)
#define __TT_PAD0 , 0, 0, 0, 0
#define __TT_PAD1 , 0, 0, 0
#define __TT_PAD2 , 0, 0
#define __TT_PAD3 , 0
#define __TT_PAD4

#define tt_record(owner, format, ...)					\
do {									\
	if (static_branch_likely(&tt_enabled)) {			\
		if (0)							\
			__tt_check(format				\
			    __TT_PASTE(__TT_CAST, __TT_COUNT(__VA_ARGS__)) \
			    (__VA_ARGS__));				\
		__tt_record(&(owner)->tt, format, 0			\
			    __TT_PASTE(__TT_CAST, __TT_COUNT(__VA_ARGS__)) \
			    (__VA_ARGS__)				\
			    __TT_PASTE(__TT_PAD, __TT_COUNT(__VA_ARGS__))); \
	}								\
} while (0)

#define TT_EVENT(name, text) static const char tt_##name[] __maybe_unused = text;
#include "../events.h"
#undef TT_EVENT

#define tt_event(owner, name, ...) tt_record(owner, tt_##name, ##__VA_ARGS__)

/* As tt_event(), but for who wants to know the time as well: of the record, or now if
 * nothing is recorded. The clock costs more than the rest of a record.
 */
#define tt_event_now(owner, name, ...)					\
	tt_event_from(owner, 0, name, ##__VA_ARGS__)

/* The same for what may happen together with something else: @ns is when, or 0. */
#define tt_event_from(owner, ns, name, ...)				\
({									\
	u64 __ns = 0, __at = (ns);					\
									\
	if (static_branch_likely(&tt_enabled))				\
		__ns = __tt_record(&(owner)->tt, tt_##name, __at	\
			   __TT_PASTE(__TT_CAST, __TT_COUNT(__VA_ARGS__)) \
			   (__VA_ARGS__)				\
			   __TT_PASTE(__TT_PAD, __TT_COUNT(__VA_ARGS__))); \
	__ns ?: __at ?: tt_clock();					\
})

/* As tt_event(), for what happens together with something else: @ns is what
 * tt_event_now() or the owner's clock has said.
 */
#define tt_event_at(owner, ns, name, ...)				\
do {									\
	if (static_branch_likely(&tt_enabled))				\
		__tt_record(&(owner)->tt, tt_##name, ns			\
			   __TT_PASTE(__TT_CAST, __TT_COUNT(__VA_ARGS__)) \
			   (__VA_ARGS__)				\
			   __TT_PASTE(__TT_PAD, __TT_COUNT(__VA_ARGS__))); \
} while (0)

int tt_init(void);
void tt_exit(void);

void tt_host_init(struct tt_host *host);
int tt_net_init(struct tt_host *host, struct net *net);
int tt_net_start(struct tt_host *host);
void tt_net_exit(struct tt_host *host);

bool tt_freeze(struct tt_host *host);
void tt_unfreeze(struct tt_host *host);
int tt_dump(struct tt_host *host);

static inline bool tt_is_frozen(const struct tt_host *host)
{
	return test_bit(0, &host->frozen);
}

/* Between the files of this folder, and for tests. */

unsigned int tt_ring_size(void);
int tt_rings_alloc(struct tt_host *host, unsigned int events);
void tt_rings_free(struct tt_host *host);
void tt_stop(struct tt_host *host);
void tt_go(struct tt_host *host);
void tt_read_begin(struct tt_host *host);
void tt_read_end(struct tt_host *host);

static inline bool tt_ring_is_spare(const struct tt_ring *ring)
{
	return !ring->events || ring->events == &ring->spare;
}

/**
 * struct tt_cursor - what a reader still has to read of one ring
 * @ring: the ring
 * @cpu: whose
 * @begin: first record that counts; as records made since the ring was
 * @pos: next record to read
 * @end: first record not to read
 */
struct tt_cursor {
	const struct tt_ring *ring;
	int cpu;
	unsigned long begin;
	unsigned long pos;
	unsigned long end;
};

/**
 * struct tt_reader - reads all rings of a host in order of time
 * @host: the host
 * @index: records read so far
 * @total: records that there are to read
 * @lost: records made since the rings were last emptied that it leaves out
 * @count: entries of @cursors in use
 * @cursors: one for each ring that has records
 */
struct tt_reader {
	struct tt_host *host;
	u64 index;
	u64 total;
	u64 lost;
	unsigned int count;
	struct tt_cursor cursors[];
};

/* Longest line of a record, with its end. */
#define TT_LINE_BYTES 256

struct tt_reader *tt_reader_alloc(void);
void tt_reader_free(struct tt_reader *reader);
void tt_reader_start(struct tt_reader *reader, struct tt_host *host);
void tt_reader_add(struct tt_reader *reader, const struct tt_ring *ring, int cpu);
void tt_reader_trim(struct tt_reader *reader);
void tt_reader_rewind(struct tt_reader *reader);
const struct tt_event *tt_ring_event(const struct tt_ring *ring,
				     unsigned long index);
const struct tt_event *tt_reader_peek(struct tt_reader *reader, int *cpu);
void tt_reader_next(struct tt_reader *reader);
void tt_event_print(char *line, const struct tt_event *event, int cpu);

#endif /* _TT_TIMETRACE_H */
