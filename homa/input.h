/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Incoming packets. */
#ifndef _HOMA_INPUT_H
#define _HOMA_INPUT_H

#include <linux/in6.h>
#include <linux/skbuff.h>

int homa_input_scope(const struct sk_buff *skb, const struct in6_addr *addr);
int homa_input_register(void);
void homa_input_unregister(void);

#endif /* _HOMA_INPUT_H */
