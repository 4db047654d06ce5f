/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Freezing the timetraces of other hosts. */
#ifndef _HOMA_FREEZE_H
#define _HOMA_FREEZE_H

struct homa_net;

void homa_freeze_peers(struct homa_net *hn);

#endif /* _HOMA_FREEZE_H */
