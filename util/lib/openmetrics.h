/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Homa's counters in the OpenMetrics text format, for Prometheus. */
#ifndef UTIL_OPENMETRICS_H
#define UTIL_OPENMETRICS_H

#include <stdbool.h>
#include <stdio.h>

#include "metrics.h"

/* Times become seconds; counters of one kind (by packet type, message length, priority)
 * become one family with a label. @by_core: a sample for each core, not for all.
 */
void openmetrics_print(const struct metrics *m, bool by_core, FILE *to);

#endif
