/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Names of packet types. */
#ifndef PERF_PACKETS_H
#define PERF_PACKETS_H

/* "DATA", "GRANT"; "-" if @type is none. */
const char *packets_type_name(unsigned int type);

#endif
