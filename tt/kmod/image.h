/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* The binary form of a host's records, as a file to be read. */
#ifndef _TT_IMAGE_H
#define _TT_IMAGE_H

#include <linux/types.h>

#include "tracefile.h"

struct in6_addr;
struct iov_iter;
struct net;
struct tt_host;
struct tt_image;
struct tt_reader;

struct tt_image *tt_image_alloc(struct tt_reader *reader, struct tt_host *host);
void tt_image_free(struct tt_image *image);
u64 tt_image_bytes(struct tt_image *image);
ssize_t tt_image_read(struct tt_image *image, struct iov_iter *to,
		      loff_t *pos);

int tt_addrs(struct net *net, struct in6_addr *addrs, int room);

#endif /* _TT_IMAGE_H */
