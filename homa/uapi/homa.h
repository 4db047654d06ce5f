/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0+) WITH Linux-syscall-note */
/* Homa sockets: constants and structures shared by the kernel and its users.
 *
 * A Homa socket is socket(AF_INET or AF_INET6, SOCK_DGRAM, IPPROTO_HOMA).
 * Messages are sent with sendmsg(2) and received with recvmsg(2);
 * msg_control points to one of the argument structures below. Received
 * messages are placed in a region that the application gave to the socket
 * with SO_HOMA_RCVBUF.
 *
 * Every structure has the same layout for 32- and 64-bit programs.
 */
#ifndef _UAPI_LINUX_HOMA_H
#define _UAPI_LINUX_HOMA_H

#include <linux/types.h>
#ifdef __KERNEL__
#include <linux/ioctl.h>
#include <linux/socket.h>
#include <linux/in.h>
#include <linux/in6.h>
#else
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <netinet/in.h>
#endif

/* IANA-assigned number of the Homa protocol. */
#ifndef IPPROTO_HOMA
#define IPPROTO_HOMA 146
#endif

/* Longest message, in bytes. */
#define HOMA_MAX_MESSAGE_LENGTH 1000000

/* The receive region is divided into pages ("bpages") of this size. */
#define HOMA_BPAGE_SHIFT 16
#define HOMA_BPAGE_SIZE (1 << HOMA_BPAGE_SHIFT)

/* Most bpages that one message can occupy. */
#define HOMA_MAX_BPAGES \
	((HOMA_MAX_MESSAGE_LENGTH + HOMA_BPAGE_SIZE - 1) >> HOMA_BPAGE_SHIFT)

/* The same for sockets that have opted in with SO_HOMA_MAX_MESSAGE. */
#define HOMA_MAX_LARGE_LENGTH 67108864
#define HOMA_MAX_LARGE_BPAGES (HOMA_MAX_LARGE_LENGTH >> HOMA_BPAGE_SHIFT)

/* Ports from here up are assigned by the kernel; bind(2) takes lower ones. */
#define HOMA_MIN_DEFAULT_PORT 0x8000

/**
 * struct homa_sendmsg_args - what msg_control of sendmsg(2) points to
 * @id: in: 0 sends a new request, any other value answers that request;
 *	out: id of the new RPC
 * @completion_cookie: returned by recvmsg(2) with the response; requests only
 * @flags: HOMA_SENDMSG_* bits
 * @reserved: must be 0
 *
 * msg_controllen must be 0.
 */
struct homa_sendmsg_args {
	__u64 id;
	__u64 completion_cookie;
	__u32 flags;
	__u32 reserved;
};

/* The response is delivered only to a recvmsg(2) that names its id. */
#define HOMA_SENDMSG_PRIVATE 0x01
#define HOMA_SENDMSG_VALID_FLAGS 0x01

/**
 * struct homa_recvmsg_args - what msg_control of recvmsg(2) points to
 * @id: in: 0 receives any shared message, else a private RPC's id;
 *	out: id of the RPC that the message belongs to
 * @completion_cookie: out: cookie given with the request (responses only)
 * @num_bpages: in: number of bpages handed back through @bpage_offsets;
 *	out: number of bpages that the new message occupies
 * @reserved: must be 0
 * @bpage_offsets: byte offsets into the receive region, in message order;
 *	all but the last chunk are whole bpages
 * @peer: out: if recvmsg(2) fails and @id is not 0, the RPC @id has failed, and
 *	this is the address of its server (of the socket's family)
 *
 * msg_controllen must be sizeof(struct homa_recvmsg_args).
 */
struct homa_recvmsg_args {
	__u64 id;
	__u64 completion_cookie;
	__u32 num_bpages;
	__u32 reserved;
	union {
		__u32 bpage_offsets[HOMA_MAX_BPAGES];
		union {
			struct sockaddr_in in4;
			struct sockaddr_in6 in6;
		} peer;
	};
};

/**
 * struct homa_recvmsg_large_args - the same for messages of any length
 * @id: see struct homa_recvmsg_args, as for all others
 * @completion_cookie: see there
 * @num_bpages: see there; if recvmsg(2) fails with EMSGSIZE and @id is 0: entries
 *	of @bpage_offsets that the message needs, which is still there
 * @reserved: must be 0
 * @bpage_offsets: see there
 * @peer: see there
 *
 * Only for sockets that have opted in with SO_HOMA_MAX_MESSAGE. msg_controllen
 * must be HOMA_RECVMSG_ARGS_SIZE(n), where n is how many entries there are in
 * @bpage_offsets; the whole structure has room for all messages.
 */
struct homa_recvmsg_large_args {
	__u64 id;
	__u64 completion_cookie;
	__u32 num_bpages;
	__u32 reserved;
	union {
		__u32 bpage_offsets[HOMA_MAX_LARGE_BPAGES];
		union {
			struct sockaddr_in in4;
			struct sockaddr_in6 in6;
		} peer;
	};
};

/* msg_controllen for HOMA_MAX_BPAGES to HOMA_MAX_LARGE_BPAGES bpages. */
#define HOMA_RECVMSG_ARGS_SIZE(n) (24 + 4 * (n))

/**
 * struct homa_abort_args - argument of ioctl HOMAIOCABORT
 * @id: RPC to abort; 0 means all client RPCs of the socket
 * @error: 0 forgets the RPC; otherwise the errno that recvmsg(2) returns
 * @_pad1: must be 0
 * @_pad2: must be 0
 */
struct homa_abort_args {
	__u64 id;
	__u32 error;
	__u32 _pad1;
	__u64 _pad2[2];
};

/* Socket options at level IPPROTO_HOMA. */
#define SO_HOMA_RCVBUF 10
#define SO_HOMA_SERVER 11

/* Longest message that the socket sends or receives, an int: from
 * HOMA_MAX_MESSAGE_LENGTH, as it is at first, to HOMA_MAX_LARGE_LENGTH. It can be
 * raised, not lowered, and is rounded up to whole bpages. Not known to other
 * implementations.
 */
#define SO_HOMA_MAX_MESSAGE 100

/**
 * struct homa_rcvbuf_args - argument of SO_HOMA_RCVBUF
 * @start: user address of the receive region, page aligned
 * @length: size of the region, in bytes
 */
struct homa_rcvbuf_args {
	__u64 start;
	__u64 length;
};

/* Bit of sysctl net.homa.flags: packets are never held back by the pacer. */
#define HOMA_FLAG_DONT_THROTTLE 2

/* Values for homa_rpc_info.flags. */
#define HOMA_RPC_BUF_STALL 1	/* waiting for space in the receive region */
#define HOMA_RPC_PRIVATE 2	/* response is for one particular recvmsg */
#define HOMA_RPC_RX_READY 4	/* complete, waiting for recvmsg */
#define HOMA_RPC_RX_COPY 8	/* packets wait to be copied to the region */

/**
 * struct homa_rpc_info - state of one RPC, from ioctl HOMAIOCINFO
 * @id: even if this host is the client, odd if it is the server
 * @peer: address of the other host
 * @completion_cookie: from the request's sendmsg(2); 0 for server RPCs
 * @tx_length: bytes in the outgoing message; -1: there is none yet
 * @tx_sent: bytes passed to IP at least once
 * @tx_granted: bytes that may be sent, unscheduled ones included
 * @tx_prio: priority of scheduled packets
 * @rx_length: bytes in the incoming message; -1: nothing has arrived
 * @rx_remaining: bytes that have not arrived yet
 * @rx_gaps: number of gaps in what has arrived
 * @rx_gap_bytes: total size of the gaps
 * @rx_granted: bytes that the sender has been allowed to send
 * @flags: HOMA_RPC_* bits
 */
struct homa_rpc_info {
	__u64 id;
	union {
		struct sockaddr_storage storage;
		struct sockaddr_in in4;
		struct sockaddr_in6 in6;
	} peer;
	__u64 completion_cookie;
	__s32 tx_length;
	__u32 tx_sent;
	__u32 tx_granted;
	__u32 tx_prio;
	__s32 rx_length;
	__u32 rx_remaining;
	__u32 rx_gaps;
	__u32 rx_gap_bytes;
	__u32 rx_granted;
	__u16 flags;
};

/* Size of homa_info.error_msg. */
#define HOMA_ERROR_MSG_SIZE 104

/**
 * struct homa_info - argument of ioctl HOMAIOCINFO
 * @rpc_info: in: user address of an array of struct homa_rpc_info, or 0
 * @rpc_info_length: in: size of that array, in bytes
 * @bpool_avail_bytes: out: free space in the receive region, in bytes
 * @port: out: port that the socket receives on
 * @num_rpcs: out: number of live RPCs, which may exceed the array
 * @error_msg: out: why the last failed Homa call on this socket failed
 */
struct homa_info {
	__u64 rpc_info;
	__u64 rpc_info_length;
	__u64 bpool_avail_bytes;
	__u32 port;
	__u32 num_rpcs;
	char error_msg[HOMA_ERROR_MSG_SIZE];
};

/* Values for homa_sock_info.flags. */
#define HOMA_SOCK_SERVER 1	/* accepts requests */
#define HOMA_SOCK_SHUTDOWN 2	/* shutdown(2) has been called */

/**
 * struct homa_sock_info - state of a socket, INET_DIAG_INFO of sock_diag(7)
 * @region_bytes: size of the receive region; 0: there is none
 * @region_avail: bytes of it that are free
 * @rx_mem: memory in packets of incoming messages, in bytes
 * @tx_mem: memory in outgoing messages
 * @sndbuf: sendmsg(2) waits while @tx_mem is not below it
 * @client_rpcs: RPCs that the socket has begun and not received the response of
 * @server_rpcs: RPCs that others have begun and that are not over
 * @peers: other hosts that these RPCs are with
 * @ready: messages and errors that recvmsg(2) can return to anybody
 * @stalled: messages that wait for room in the region
 * @flags: HOMA_SOCK_* bits
 */
struct homa_sock_info {
	__u64 region_bytes;
	__u64 region_avail;
	__u64 rx_mem;
	__u32 tx_mem;
	__u32 sndbuf;
	__u32 client_rpcs;
	__u32 server_rpcs;
	__u32 peers;
	__u32 ready;
	__u32 stalled;
	__u32 flags;
};

#define HOMAIOCINFO   _IOWR('h', 0x90, struct homa_info)
#define HOMAIOCABORT  _IOWR('h', 0x91, struct homa_abort_args)
#define HOMAIOCFREEZE _IO('h', 0x92)

#endif /* _UAPI_LINUX_HOMA_H */
