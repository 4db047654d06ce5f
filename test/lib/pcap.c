// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* Writes captures; see pcap.h. Cases run in processes of their own, so nothing is
 * buffered here: each frame is one writev().
 */

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "ktap.h"
#include "pcap.h"

#define MAGIC_NS 0xa1b23c4du
#define ETHERNET 1

static int pcap = -1;

void pcap_open(void)
{
	const char *name = getenv("WIRE_PCAP");
	uint32_t header[] = { MAGIC_NS, 2 | 4 << 16, 0, 0, 0x40000, ETHERNET };

	if (!name)
		return;
	pcap = open(name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
	if (pcap < 0 || write(pcap, header, sizeof(header)) != sizeof(header)) {
		fprintf(stderr, "# %s: %s\n", name, strerror(errno));
		exit(2);
	}
}

void pcap_frame(const void *frame, int len)
{
	struct timespec now;
	uint32_t header[4];
	struct iovec iov[] = { { header, sizeof(header) }, { (void *)frame, len } };

	if (pcap < 0)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	header[0] = now.tv_sec;
	header[1] = now.tv_nsec;
	header[2] = len;
	header[3] = len;
	ASSERT(writev(pcap, iov, 2) == (ssize_t)sizeof(header) + len,
	       "the capture cannot be written: %s", strerror(errno));
}
