#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: RPCs of 1 B to 1 MB, v4 and v6, under loss, reordering and duplication
# lab: --hosts 2 --loss 2 --reorder 5 --duplicate 1
# flavor: fast@quick debug@check
# timeout: 300
#
# All complete, with the right contents, each executed exactly once. A count as
# the first argument replaces the default, which half goes by each family.
. "$(dirname "$0")/lib.sh"

count=${1:-500}
[ "${LAB_FLAVOR:-fast}" = debug ] && count=${1:-200}

for to in 10.0.0.2 fd00::2; do
	check "$((count / 2)) RPCs to $to" "$STORM" --to $to --count $((count / 2)) \
		--outstanding 4 --seed "${LAB_SEED:-1}"
done

# Loss was there, and what had to be repeated was.
check_at_least "RESENDs were sent" "$(total packets_sent_RESEND)" 1
check_at_least "packets were sent again" "$(total resent_packets)" 1
check_at_least "lost packets were replaced" "$(total resent_packets_used)" 1
check_at_least "duplicates were dropped" \
	$(($(total packet_discards) + $(total rx_tombstones) + $(total resent_discards))) 1
check_equal "no RPC timed out" "$(total rpc_timeouts)" 0
finish
