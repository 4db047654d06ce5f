#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: what each live tool of perf/ adds to an RPC, in instructions of client and server
# lab: --icount --mem 3G
# size: full
# timeout: 900
#
# Medians of RPCs one at a time over veth, both hosts on this machine; the tool looks at
# the client's host, and its programs run for the server's events, too, to find that
# they are of another one.
. "$(dirname "$0")/lib.sh"
BIN=$TOP/out/bin
COUNT=200
MOST=20000				# more is a mistake

# cost SIZE: median of COUNT RPCs
cost() {
	on a "$BIN/rpc_cost" client homa 10.7.0.2 --port 4000 --size "$1" --outstanding 1 \
		--count $COUNT | sed -n 's/.*"p50": \([0-9]*\).*/\1/p'
}

ip link add v0 type veth peer name v1
host a v0 1 0
host b v1 2 0
meet a 10.7.0.2
ip netns exec b "$BIN/rpc_cost" server homa --port 4000 >/run/server &
until [ -s /run/server ]; do
	sleep 0.01
done
cost 100 >/run/warm
short=$(cost 100)
long=$(cost 100000)
echo "# without a tool: $short for 100 bytes, $long for 100 kB"
for tool in homadrop homagrant homalat homaqueue homatop homatrace; do
	options=(--json --interval 0)
	[ $tool != homatrace ] || options=(--json --out /run/trace.ttb)
	ip netns exec a "$BIN/$tool" "${options[@]}" >/run/$tool.out 2>/run/$tool.err &
	pid=$!
	until grep -qs '^tracing' /run/$tool.err || ! kill -0 $pid 2>/dev/null; do
		sleep 0.1
	done
	with_short=$(($(cost 100) - short))
	with_long=$(($(cost 100000) - long))
	kill -INT $pid
	wait $pid
	check_equal "$tool ends well" $? 0
	echo "# $tool: $with_short more for 100 bytes, $with_long for 100 kB"
	check_at_least "$tool: what it adds to 100 bytes is known and bounded" $MOST "$with_short"
done
finish
