/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* What homatrace's BPF programs and the program itself agree on. */
#ifndef PERF_HOMATRACE_H
#define PERF_HOMATRACE_H

/* Events are numbers of lines in tt/events.h, until the file is written. */
#define TT_EVENT(name, text) TT_##name,
enum tt_event_number {
#include "../tt/events.h"
	NUM_TT_EVENTS
};
#undef TT_EVENT

#endif
