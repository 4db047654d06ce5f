// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
/* What hostile packets cost the host that they are sent to.
 *
 * Part of vm/attack_cost.sh, where a nanosecond is an instruction. The sender sends
 * each kind with the same loop over the same device, whose other end the host
 * receives from in the same system call. What the sender pays by itself is measured
 * with a device that throws frames away, and taken off. A server has the attacked
 * port and an RPC is waiting for its response, as usual.
 */

#define _GNU_SOURCE
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attack.h"
#include "hsock.h"
#include "ktap.h"
#include "ns.h"
#include "wire.h"

static int count = 100000;
static double limit = 1.5;

/* A packet socket at a device of the peer that only sends. */
static int sender_open(const char *dev)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET };
	int fd;

	ns_enter(wnet.peer);
	addr.sll_ifindex = if_nametoindex(dev);
	fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (fd < 0 || !addr.sll_ifindex || bind(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		perror("attack_cost: packet socket");
		exit(2);
	}
	return fd;
}

static int64_t cost(int fd, enum attack_kind kind)
{
	int64_t start;

	attack_send(fd, AF_INET, kind, count / 10, 0);	/* limits are reached */
	start = now_ns();
	attack_send(fd, AF_INET, kind, count, 0);
	return (now_ns() - start) / count;
}

static void usage(void)
{
	puts("Usage: attack_cost [--count N] [--limit F]\n\n"
	     "Prints what the host pays for a packet of each hostile kind, in instructions\n"
	     "(run it under lab vm --icount).\n\n"
	     "  --count N   packets of each kind (100000)\n"
	     "  --limit F   most, as a multiple of UDP to a closed port (1.5)\n\n"
	     "Exit status: 0 all below the limit, 1 not, 2 bad usage.");
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "count", 1, 0, 'n' }, { "limit", 1, 0, 'l' },
		{ "help", 0, 0, 'h' }, { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 'n': count = atoi(optarg); break;
		case 'l': limit = atof(optarg); break;
		case 'h': usage(); exit(0);
		default: exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	int64_t own, foreign, udp;
	struct hsock server, hs;
	int fd, failed = 0;
	union haddr to;
	uint64_t id;

	parse(argc, argv);
	wnet_init();
	close(wnet.fd);		/* or it would receive what the host sends */
	ns_run(wnet.peer, "ip link add d0 type dummy && ip link set d0 up");
	ns_run(wnet.host, "ip route add default via 10.9.0.2");
	server = hsock_server(wnet.host, AF_INET, ATTACK_PORT);
	hs = hsock_open(wnet.host, AF_INET);
	to = wnet_peer_addr(AF_INET, 5);
	hsock_request(&hs, &to, "x", 1, &id);

	own = cost(sender_open("d0"), ATTACK_UDP);
	fd = sender_open("v0");
	udp = cost(fd, ATTACK_UDP);
	foreign = cost(fd, ATTACK_FOREIGN);
	printf("# sender %lld, device to protocol %lld, UDP to a closed port %lld\n",
	       (long long)own, (long long)(foreign - own), (long long)(udp - own));
	for (int kind = 0; kind < ATTACK_UDP; kind++) {
		int64_t n = cost(fd, kind);
		double ratio = (double)(n - own) / (udp - own);

		failed += ratio > limit;
		printf("cost %-22s %6lld instructions, %.2f of UDP's%s\n",
		       attack_name(kind), (long long)(n - own), ratio,
		       ratio > limit ? ": too much" : "");
		fflush(stdout);
	}
	hsock_close(&server);
	return failed > 0;
}
