// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#include <linux/types.h>

#include "packets.h"

#define __packed __attribute__((packed))
#include "homa_wire.h"

static const char *const names[HOMA_NUM_TYPES] = {
	[HOMA_DATA - HOMA_FIRST_TYPE] = "DATA",
	[HOMA_GRANT - HOMA_FIRST_TYPE] = "GRANT",
	[HOMA_RESEND - HOMA_FIRST_TYPE] = "RESEND",
	[HOMA_RPC_UNKNOWN - HOMA_FIRST_TYPE] = "RPC_UNKNOWN",
	[HOMA_BUSY - HOMA_FIRST_TYPE] = "BUSY",
	[HOMA_CUTOFFS - HOMA_FIRST_TYPE] = "CUTOFFS",
	[HOMA_FREEZE - HOMA_FIRST_TYPE] = "FREEZE",
	[HOMA_NEED_ACK - HOMA_FIRST_TYPE] = "NEED_ACK",
	[HOMA_ACK - HOMA_FIRST_TYPE] = "ACK",
};

const char *packets_type_name(unsigned int type)
{
	if (type < HOMA_FIRST_TYPE || type > HOMA_LAST_TYPE)
		return "-";
	return names[type - HOMA_FIRST_TYPE];
}
