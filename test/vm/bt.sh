#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: the scripts of perf/bt on the distribution's kernel, against RPCs that are counted
# lab: --cpus 2 --mem 3G
# size: full
# timeout: 400
. "$(dirname "$0")/lib.sh"
PING=$TOP/out/bin/homa_ping
SHORT=40				# RPCs of 100 bytes
LONG=5					# of 200,000: they need grants

mount -t debugfs none /sys/kernel/debug 2>/dev/null
ip link add v0 type veth peer name v1
host a v0 1 0
host b v1 2 0
meet a 10.7.0.2
ip netns exec b "$PING" --serve --port 4000 >/run/ready &

pids=()
# Ready once it has said so; each needs seconds to compile.
for script in "$TOP"/perf/bt/*.bt; do
	bpftrace "$script" >"/run/$(basename "$script").out" 2>&1 &
	pids[${#pids[@]}]=$!
done
for script in "$TOP"/perf/bt/*.bt; do
	tries=0
	until grep -qs '^Attaching' "/run/$(basename "$script").out" || [ $tries -ge 1500 ]; do
		tries=$((tries + 1))
		sleep 0.1
	done
done
sleep 20
on a "$PING" 10.7.0.2 --count $SHORT --interval 0.01 --json >/dev/null
check_equal "short RPCs were answered" $? 0
on a "$PING" 10.7.0.2 --count $LONG --interval 0 --size 200000 --json >/dev/null
check_equal "long ones, too" $? 0
on a "$PING" 10.7.0.2:4999 --count 3 --interval 0 --json >/dev/null
check_equal "three found no server" $? 3
sleep 2
kill -INT "${pids[@]}"
wait "${pids[@]}"
for script in "$TOP"/perf/bt/*.bt; do
	sed "s/^/# $(basename "$script"): /" "/run/$(basename "$script").out"
done

# total NAME PATTERN: sum of the counts of a map's lines
total_of() {
	sed -nE "s/^$2: (count )?//p" "/run/$1.bt.out" |
		awk '{ n += $1 } END { print n + 0 }'
}

# in_hist NAME MAP: sum of a histogram
in_hist() {
	awk -v map="$2" '/^@/ { on = index($0, map) == 1 } on && /^[[(]/ {
		sub(/.*[)\]] */, ""); sum += $1 } END { print sum + 0 }' "/run/$1.bt.out"
}

# both COUNTER: of both hosts
both() {
	echo $(($(counter a "$1") + $(counter b "$1")))
}

RPCS=$((SHORT + LONG))
check_equal "rpclat: RPCs to port 4000" "$(in_hist rpclat '@us[4000]')" $RPCS
check_equal "rpclat: RPCs to port 4999" "$(in_hist rpclat '@us[4999]')" 3
check_equal "rpcrate: RPCs" "$(total_of rpcrate '@rpcs\[homa_ping, .*, 4000\]')" $RPCS
check_equal "rpcphase: requests in service" \
	"$(total_of rpcphase @server_in_service)" $RPCS
check_equal "rpcphase: clients that waited for a response" \
	"$(total_of rpcphase @client_outgoing)" $((RPCS + 3))
check_equal "grants: as many as the counters say" "$(total_of grants '@bytes\[.*\]')" \
	"$(both packets_sent_GRANT)"
check_equal "grantwait: messages that waited" "$(in_hist grantwait '@first_us')" $((2 * LONG))
reasons=$(grep -o '"[a-z_]*"' /sys/kernel/debug/tracing/events/homa/homa_drop/format |
	tr -d '"' | sort -u)
dropped=0
for reason in $reasons; do
	dropped=$((dropped + $(both "$reason")))
done
check_equal "drops: as many as the counters say" "$(total_of drops '\]')" $dropped
check_at_least "of which some for a port without a server" $dropped 3
check_at_least "refs: taken" "$(total_of refs '@taken\[.*\]')" $((2 * RPCS))
check_at_least "softirq: runs" "$(total_of softirq '@runs_us\[.*\]')" $SHORT
check_equal "losses: RESENDs" "$(total_of losses '@missed(_all)?\[.*\]')" \
	"$(both packets_sent_RESEND)"
finish
