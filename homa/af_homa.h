/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* The socket family. */
#ifndef _HOMA_AF_HOMA_H
#define _HOMA_AF_HOMA_H

int homa_af_register(void);
void homa_af_unregister(void);

#endif /* _HOMA_AF_HOMA_H */
