#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: an RPC of cp_node costs at most 10% more instructions than one of a minimal loop over the same sockets
# lab: --icount
# size: full
#
# One CPU whose clock counts instructions, and no idle time in a closed loop: what a round trip
# takes is what both programs and the kernel execute for it.
. "$(dirname "$0")/../netns/lib.sh"
MOST=110		# percent of the minimal loop's
COUNT=2000

ip link set lo up
for protocol in homa tcp udp; do
	rpc_cost server $protocol --port 7000 >"/run/$protocol" &
	servers=$!
	port=7100
	cp_node server --protocol $protocol --ports 1 --first-port $port >"/run/node.$protocol" &
	servers="$servers $!"
	until [ -s "/run/$protocol" ] && grep -q "ports $port" "/run/node.$protocol"; do
		sleep 0.01
	done
	least=$(rpc_cost client $protocol 127.0.0.1 --port 7000 --size 100 --count $COUNT |
		sed -n 's/.*"p50": \([0-9]*\).*/\1/p')
	cp_node client --protocol $protocol --servers 127.0.0.1 --first-port $port --ports 1 \
		--server-ports 1 --port-receivers 0 --workload 100 --limit $COUNT --rpcs "/run/rpcs.$protocol" >/run/client
	# From one response to the next: also what it takes to account for it and to send.
	ours=$(awk -F, '!/^[#r]/ { print $7 - last; last = $7 }' "/run/rpcs.$protocol" | sort -n |
		awk '{ at[NR] = $1 } END { print at[int(NR / 2) + 1] }')
	echo "# $protocol: $least instructions in the loop, $ours in cp_node"
	check_at_least "$protocol: instructions are counted" "${least:-0}" 5000
	check_at_least "$protocol: cp_node costs at most $MOST% of the loop" \
		$((${least:-0} * MOST / 100)) "${ours:-999999999}"
	# shellcheck disable=SC2086 # words on purpose
	kill $servers
	wait
done
finish
