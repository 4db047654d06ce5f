/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* The queueing discipline "homa". */
#ifndef _HOMA_QDISC_H
#define _HOMA_QDISC_H

struct Qdisc;

bool homa_qdisc_is(const struct Qdisc *sch);
int homa_qdisc_register(void);
void homa_qdisc_unregister(void);

#endif /* _HOMA_QDISC_H */
