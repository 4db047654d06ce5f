/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Does the module that is loaded have the events that the tools were built for? */
#ifndef PERF_FIELDS_H
#define PERF_FIELDS_H

/* End the program with a line if fields of Homa's @event are not where events.h has them. */
void fields_check(const char *tracefs, const char *event);

#endif
