#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: what an RPC costs in instructions is the same twice, for Homa, TCP and UDP
# lab: --icount
# size: full
. "$(dirname "$0")/lib.sh"

rows=()
for protocol in homa tcp udp; do
	rows+=("veth $protocol 1000 1 300")
done
for turn in 1 2; do
	"$TOP/perf/bench/guest.sh" "${rows[@]}" >"/run/costs$turn"
	check_equal "turn $turn: a cost for each protocol" \
		"$(grep -c '^cost veth {' "/run/costs$turn")" 3
	check_equal "turn $turn: no packet is sent again" \
		"$(awk '$1 == "count" { sum += $4 } END { print sum + 0 }' "/run/costs$turn")" 0
done

# median PROTOCOL TURN
median() {
	sed -n "s/^cost.*\"$1\".*\"p50\": \([0-9]*\).*/\1/p" "/run/costs$2"
}

# The way to and fro through sockets, IP and a device takes thousands of
# instructions; a clock that does not count them shows less, or no two alike.
for protocol in homa tcp udp; do
	first=$(median $protocol 1)
	second=$(median $protocol 2)
	echo "# $protocol: $first, $second"
	check_at_least "$protocol: instructions are counted" "${first:-0}" 10000
	check_at_least "$protocol: the median is the same twice, within 2%" \
		$((${first:-0} / 50)) $((first > second ? first - second : second - first))
done
finish
