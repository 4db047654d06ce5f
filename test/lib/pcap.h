/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* A capture of what a test sends and receives, for tcpdump and Wireshark. */
#ifndef TEST_LIB_PCAP_H
#define TEST_LIB_PCAP_H

/* Writes the frames that follow to the file that the environment variable
 * WIRE_PCAP names; none if it is not set.
 */
void pcap_open(void);

/* One Ethernet frame, at the present time. */
void pcap_frame(const void *frame, int len);

#endif
