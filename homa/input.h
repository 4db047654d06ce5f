/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* Incoming packets. */
#ifndef _HOMA_INPUT_H
#define _HOMA_INPUT_H

int homa_input_register(void);
void homa_input_unregister(void);

#endif /* _HOMA_INPUT_H */
