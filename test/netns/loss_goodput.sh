#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: closed loop with 32 RPCs outstanding a host: goodput with 1% loss is 70% of that without
# lab: --hosts 4 --link 25g --loss 0.1
# flavor: fast
# size: full
# timeout: 400
#
# Goodput: bytes of messages that come in at all hosts within a time, retransmitted
# ones counted once, while W4 is exchanged by all. The switch is told what to lose.
. "$(dirname "$0")/lib.sh"

node=$TOP/out/bin/cp_node
warm_ms=10
window_ms=50
pids=()

# bytes: message bytes that have come in so far
bytes() {
	echo $(($(total client_response_bytes_done) + $(total server_request_bytes_done)))
}

# lose PERCENT: of all packets, where they enter the switch
lose() {
	local i
	for i in $(seq "$HOSTS"); do
		ip netns exec sw tc qdisc change dev "i$i" root netem limit 100000 \
			loss random "$1%" || return 1
	done
}

# others HOST: the addresses of all others
others() {
	seq -f 10.0.0.%.0f -s , "$HOSTS" | sed "s/10\.0\.0\.$1\(,\|\$\)//; s/,\$//"
}

# goodput PERCENT: sets mbps, of one host on average, with so much loss; false if an RPC fails
goodput() {
	local i before bad=0
	lose "$1" || return 1
	pids=()
	for i in $(seq "$HOSTS"); do
		on "h$i" "$node" client --servers "$(others "$i")" --workload w4 \
			--client-max 32 --seconds 0.06 --host-id "$i" \
			--seed "${LAB_SEED:-1}" >/dev/null &
		pids+=($!)
	done
	sleep "0.0$warm_ms"
	before=$(bytes)
	sleep "0.0$window_ms"
	mbps=$((($(bytes) - before) * 8 / HOSTS / window_ms / 1000))
	for i in "${pids[@]}"; do wait "$i" || bad=1; done
	return $bad
}

servers=()
for i in $(seq "$HOSTS"); do
	on "h$i" "$node" server >/dev/null &
	servers+=($!)
done
sleep 0.01
check "all RPCs are done without loss" goodput 0
lossless=$mbps
check_equal "packets sent again without loss" "$(total resent_packets)" 0
for percent in 0.1 1 5; do
	again=$(total resent_packets)
	check "all RPCs are done with $percent% loss" goodput $percent
	echo "# loss $percent%: $mbps Mb/s a host, $((100 * mbps / lossless))% of $lossless"
	check_at_least "packets sent again" $(($(total resent_packets) - again)) 10
	[ $percent != 1 ] || check_at_least "percent of the goodput without loss" \
		$((100 * mbps / lossless)) 70
done
check_equal "RPCs that timed out" "$(total rpc_timeouts)" 0
kill "${servers[@]}"
finish
