#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: accept_bits and drop_bits have received packets dropped, and RPCs recover
# lab: --hosts 2
# flavor: fast debug@full
# timeout: 200
. "$(dirname "$0")/lib.sh"

check "RPCs on a good network" "$STORM" --count 50 --max 100000
check_equal "drop_bits alone drops nothing" "$(total rx_injected_drops)" 0

# 0 to 31 packets pass, then 1 or 2 are dropped: 9% on average.
for host in h1 h2; do
	knob $host drop_bits 1
	knob $host accept_bits 5
done
before=$(($(total packets_rcvd_DATA)))
check "RPCs on one that drops" "$STORM" --count 150 --max 100000
drops=$(total rx_injected_drops)
packets=$(($(total packets_rcvd_DATA) - before + drops))
echo "# $drops drops, $packets DATA packets and drops"
check_at_least "packets are dropped" "$drops" $((packets / 25))
check_at_least "and not too many" $((packets / 5)) "$drops"
check_at_least "what was dropped is sent again" "$(total resent_packets)" 20
check_equal "no RPC timed out" "$(total rpc_timeouts)" 0

for host in h1 h2; do
	knob $host accept_bits 0
done
check "RPCs when it is over" "$STORM" --count 50 --max 100000
check_equal "nothing more is dropped" "$(total rx_injected_drops)" "$drops"
finish
