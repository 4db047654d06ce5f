#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: tracepoints tell of states, references, grants, retransmits and drops
# lab: --hosts 2 --loss 2 --duplicate 5
# flavor: fast debug
# timeout: 120
. "$(dirname "$0")/lib.sh"
tracing=/sys/kernel/tracing

mount -t tracefs none $tracing 2>/dev/null
check "the events are there" test -d $tracing/events/homa
echo 20000 >$tracing/buffer_size_kb
echo 1 >$tracing/events/homa/enable
check "RPCs on a lossy network" "$STORM" --count 30 --max 300000
echo 0 >$tracing/events/homa/enable
cp $tracing/trace /run/trace

# events PATTERN: how many lines of the trace match
events() {
	grep -c "$1" /run/trace
}

check_at_least "RPCs begin to be served" "$(events 'homa_rpc_state:.*from=incoming to=in_service')" 30
check_equal "an RPC ends on both hosts" "$(events 'homa_rpc_state:.*to=dead')" 60
check_at_least "references have a reason" "$(events 'homa_rpc_ref:.*change=-1 .*by=[a-z]*_[a-z]*.*homa')" 60
check_equal "nobody drops more references than there are" "$(events 'homa_rpc_ref:.*refs=-')" 0
check_at_least "grants are sent" "$(events "homa_grant_sent: id=[0-9]* netns=[0-9]* peer=::ffff:10.0.0.")" 5
check_at_least "grants are received" "$(events homa_grant_rcvd:)" 5
check_at_least "bytes are asked for again" "$(events homa_resend_sent:)" 1
check_at_least "bytes are sent again" "$(events 'homa_retransmit:.*length=[1-9]')" 1
check_at_least "packets are dropped, for a reason" "$(events 'homa_drop:.*why=[a-z_]*$')" 1
finish
