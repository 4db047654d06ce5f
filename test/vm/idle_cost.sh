#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: a module that nobody uses adds nothing to what RPCs over TCP and UDP cost
# lab: --icount
# size: check
# timeout: 300
#
# Instructions of client, server and kernel, with the module loaded and without it by turns;
# each figure is the median of $TURNS medians, for one client differs from the next by more
# than what is looked for.
. "$(dirname "$0")/lib.sh"
PERMILLE=3				# by which they may differ
TURNS=5

# rpc PROTOCOL: median of RPCs of 100 bytes, one at a time
rpc() {
	on a "$TOP/out/bin/rpc_cost" client "$1" 10.7.0.2 --port 4000 --count 1000 |
		sed -n 's/.*"p50": \([0-9]*\).*/\1/p'
}

# median FILE: of $TURNS numbers
median() {
	sort -n "$1" | sed -n "$(((TURNS + 1) / 2))p"
}

ip netns add a
ip netns add b
ip link add v0 netns a type veth peer name v1 netns b
ip -n a addr add 10.7.0.1/24 dev v0
ip -n b addr add 10.7.0.2/24 dev v1
ip -n a link set v0 up
ip -n b link set v1 up
meet a 10.7.0.2
for protocol in tcp udp; do
	ip netns exec b "$TOP/out/bin/rpc_cost" server $protocol --port 4000 >/run/$protocol &
	until [ -s /run/$protocol ]; do
		sleep 0.01
	done
	rpc $protocol >/run/warm
	: >/run/with
	: >/run/without
	for _ in $(seq $TURNS); do
		rpc $protocol >>/run/with
		rmmod homa
		rpc $protocol >>/run/without
		insmod "$LAB_MODULE"
	done
	with=$(median /run/with)
	without=$(median /run/without)
	echo "# $protocol: $with with the module, $without without"
	check_at_least "$protocol: no more with the module than without" \
		$((without * (1000 + PERMILLE))) $((with * 1000))
	check_at_least "$protocol: nor less" $((with * 1000)) \
		$((without * (1000 - PERMILLE)))
done
finish
