#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: where nothing is lost, nothing is sent twice and nothing times out
# lab: --hosts 4
# flavor: fast@quick debug@check
# seeds: 1 2 3
# timeout: 120
. "$(dirname "$0")/lib.sh"

"$STORM" --client h1 --server h4 --to 10.0.0.4 --count 60 --outstanding 8 --ports 2 &
first=$!
"$STORM" --client h2 --server h3 --to 10.0.0.3 --count 60 --outstanding 8 --seed 2 &
second=$!
"$STORM" --client h3 --server h2 --to fd00::2 --count 60 --outstanding 8 --seed 3 &
third=$!
check "h1 to h4" wait $first
check "h2 to h3" wait $second
check "h3 to h2, IPv6" wait $third

# Four clients to one server: an incast that fits into the switch.
"$STORM" --client h1 --server h4 --to 10.0.0.4 --count 20 --threads 4 --seed 4
check "incast" test $? = 0

check "no port dropped anything" "$LAB_DROPS" --fail
for name in resent_packets rpc_timeouts short_packets unknown_rpcs \
	packets_sent_RPC_UNKNOWN resent_discards packet_discards; do
	check_equal "$name" "$(total $name)" 0
done
finish
