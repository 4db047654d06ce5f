/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+ */
/* A peer made of packets: sends and expects exact Homa packets.
 *
 *   host namespace (live module)          peer namespace (no addresses)
 *   v0 10.9.0.1 fd09::1  ---- veth ----   v0, read and written by AF_PACKET
 *
 * If WIRE_PIECES is in the environment, the host's v0 is a tap device instead, and what
 * is written to it comes in pieces that no header fits, as from a card that fills pages.
 *
 * The peer plays 10.9.0.2 and fd09::2, and any other address when it lies.
 * Its namespace has no addresses, so its kernel answers nothing. Packets are
 * byte arrays: offsets come from the protocol's description, not from the
 * module's headers.
 */
#ifndef TEST_LIB_WIRE_H
#define TEST_LIB_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "counters.h"
#include "hsock.h"

enum {
	W_DATA = 0x10, W_GRANT, W_RESEND, W_UNKNOWN, W_BUSY, W_CUTOFFS,
	W_FREEZE, W_NEED_ACK, W_ACK,
};

/* Offsets of fields, from the start of the Homa header. */
enum {
	AT_SPORT = 0, AT_DPORT = 2, AT_SEQUENCE = 4, AT_TYPE = 11,
	AT_DOFF = 12, AT_FLAGS = 13, AT_WINDOW = 14, AT_CHECKSUM = 16,
	AT_URGENT = 18, AT_ID = 20,
	AT_LENGTH = 28, AT_INCOMING = 32, AT_ACK_ID = 36, AT_ACK_PORT = 44,
	AT_VERSION = 46, AT_RETRANSMIT = 48, AT_PAD = 49, AT_OFFSET = 52,
	AT_DATA = 56,
	AT_GRANT_OFFSET = 28, AT_GRANT_PRIO = 32,
	AT_RESEND_OFFSET = 28, AT_RESEND_LENGTH = 32, AT_RESEND_PRIO = 36,
	AT_CUTOFFS = 28, AT_CUTOFFS_VERSION = 60,
	AT_NUM_ACKS = 28, AT_ACKS = 30, ACK_SIZE = 10,
};

#define W_IN_SEQUENCE 0xffffffffu
#define W_ALL 0xffffffffu
#define W_MTU 1500
#define W_UDP_PORT 14600
#define W_UDP_HEADER 8

/**
 * struct wpkt - a packet with its addresses
 * @family: AF_INET or AF_INET6
 * @proto: IP protocol; if UDP's, there is a UDP header that is not in @b
 * @udp_sport: source port in it
 * @udp_dport: the other port; W_UDP_PORT in what is received
 * @udp_unsummed: the sum in it is 0
 * @udp_wrong: the sum in it is not that of the packet
 * @tos: TOS byte or traffic class
 * @src: sender (the peer's address unless a test lies)
 * @dst: receiver
 * @len: bytes in @b
 * @b: everything behind the IP, or UDP, header
 */
struct wpkt {
	int family;
	int proto;
	uint16_t udp_sport;
	uint16_t udp_dport;
	bool udp_unsummed;
	bool udp_wrong;
	uint8_t tos;
	uint8_t src[16];
	uint8_t dst[16];
	int len;
	uint8_t b[66000];
};

/**
 * struct wnet - the two namespaces
 * @host: where the module is tested
 * @peer: where packets are made
 * @fd: the peer's packet socket
 * @proto: IP protocol of packets that are made, and that are Homa's: 146, or 6 if the
 *	environment has WIRE_TCP, 17 if WIRE_UDP; then the host's sockets send so, too
 */
struct wnet {
	int host;
	int peer;
	int fd;
	int proto;
};

extern struct wnet wnet;

/* Makes the namespaces. The host's device has no offloads, so that packets
 * are seen as a wire would carry them, checksum included; see wnet_offloads().
 */
void wnet_init(void);
void wnet_offloads(bool on);

/* Whether the host takes packets at W_UDP_PORT; 0 or a negative errno. */
int wnet_udp(bool on);

/* The peer's / host's address as sockets name it. */
union haddr wnet_peer_addr(int family, int port);

void put16(struct wpkt *p, int at, uint16_t v);
void put32(struct wpkt *p, int at, uint32_t v);
void put64(struct wpkt *p, int at, uint64_t v);
uint16_t get16(const struct wpkt *p, int at);
uint32_t get32(const struct wpkt *p, int at);
uint64_t get64(const struct wpkt *p, int at);

/* Length of IP's and other headers before Homa's, in the way that @wnet.proto says. */
int w_lower_len(int family);

/* Length of a packet type's header (DATA: without data); 0 if unknown. */
int w_header_len(int type);
const char *w_type_name(int type);

/* Fills @p with a packet of @type from the peer to the host: all fields as
 * the protocol says, all type-specific ones 0.
 */
void w_make(struct wpkt *p, int family, int type, int sport, int dport,
	    uint64_t id);

/* DATA with @len bytes from offset @start of a message of @total bytes with
 * payload_fill() contents by @seed; explicit offset, everything announced.
 */
void w_data(struct wpkt *p, int family, int sport, int dport, uint64_t id,
	    uint32_t total, uint32_t start, int len, uint32_t seed);
void w_grant(struct wpkt *p, int family, int sport, int dport, uint64_t id,
	     uint32_t offset, int prio);
void w_resend(struct wpkt *p, int family, int sport, int dport, uint64_t id,
	      uint32_t offset, uint32_t length, int prio);

/* Makes @p an ICMP error that quotes the first @bytes behind the IP header of a packet. */
void w_icmp(struct wpkt *p, int type, int code, const struct wpkt *quoted, int bytes);

/* Writes a packet with its Ethernet and IP headers to @frame; returns the length. */
int w_frame(const struct wpkt *p, uint8_t *frame);

/* Sends a packet as it is. */
void w_send(const struct wpkt *p);

/* Makes and sends a packet that needs no more than a header. */
void w_send_control(int family, int type, int sport, int dport, uint64_t id);

/* Sends a whole message in packets of at most @max bytes of data. */
void w_send_message(int family, int sport, int dport, uint64_t id,
		    uint32_t total, uint32_t seed, int max);

/* Receives the next Homa or TCP packet, UDP's for W_UDP_PORT, or ICMP error from the host; false if none
 * came within @ms.
 */
bool w_recv(struct wpkt *p, int ms);

/* Receives until a Homa packet of @type comes, skipping others; fails and
 * ends the case if none comes within @ms.
 */
void w_expect(struct wpkt *p, int type, int ms);

/* The same, but returns false instead. */
bool w_find(struct wpkt *p, int type, int ms);

/* Receives until an ICMP error comes. */
bool w_find_icmp(struct wpkt *p, int ms);

/* True if no such packet comes for @ms. */
bool w_quiet(int ms);

/* Drops whatever has come. */
void w_drain(void);

/* Compares a received packet with one built by the functions above with
 * the ends exchanged; the checksum is checked, not compared.
 */
void w_same(const struct wpkt *got, const struct wpkt *want);

/* True if the checksum is right: with a pseudo header of protocol 6; in UDP that
 * packet's, and Homa's own is 0.
 */
bool w_checksum_ok(const struct wpkt *p);

/* Fills in the checksum; builders leave it 0. */
void w_fill_checksum(struct wpkt *p);

/* Exchanges the ends, so that builders make what the host should send. */
void w_turn(struct wpkt *p);

/* A normal RPC with the peer as client: the server socket of the host gets a
 * request and answers it, the peer acknowledges. Fails the case otherwise.
 */
void w_probe(const struct hsock *server, int family);

/* The same with a server that may not get the request: false then. The response's packet
 * is in @p, which may have come in another way than @wnet.proto says.
 */
bool w_ask(const struct hsock *server, int family, struct wpkt *p);

/* True if DATA packet's payload is right. */
bool w_payload_ok(const struct wpkt *p, uint32_t seed);

/* Is a received packet Homa's, in the way that @wnet.proto says? */
bool w_is_homa(const struct wpkt *p);

/* A fresh RPC id for the peer as a client. */
uint64_t w_new_id(void);

#endif
