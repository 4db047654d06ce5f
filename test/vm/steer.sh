#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: which core handles packets: all policies, obeyed RPS masks; bypasses obey IP's rules
# lab: --cpus 4
# timeout: 600
. "$(dirname "$0")/lib.sh"
DRIVE=$TOP/out/bin/homa_drive
per_core=/run/per_core

# c -- s: the client's device gets frames and cuts them, so that the server's gets
# several packets at a time on the client's core, where GRO collects them.
ip link add veth0 type veth peer name veth1
host c veth0 1 1
host s veth1 2 1
on c ethtool -K veth0 tso off >/dev/null
on s ethtool -K veth1 gro on >/dev/null
meet c 10.7.1.2
for name in c s; do
	knob $name unsched_bytes 40000
	knob $name poll_usecs 0
done
knob c gro_policy 0
ip netns exec s taskset 4 "$DRIVE" server >/dev/null &
sleep 1

# data: DATA packets that each core of the server has handled so far, a line each
data() {
	on s awk '$1 == "core" { core = $2 } $1 == "packets_rcvd_DATA" { print core, $2 }' \
		/proc/net/homa_metrics
}

# steer POLICY MASK [SIZE]: RPCs from core 0; sets n0 ... n3 to what each core handled
steer() {
	local size=${3:-40000}
	knob s gro_policy "$1"
	on s sh -c "echo $2 >/sys/class/net/veth1/queues/rx-0/rps_cpus"
	data >$per_core.0
	on c taskset 1 "$DRIVE" rpc 10.7.1.2:4000 --size "$size" --count 10 >/run/drive || cat /run/drive
	data >$per_core.1
	paste -d ' ' $per_core.0 $per_core.1 | awk '{ print $4 - $2 }' >$per_core
	{ read -r n0; read -r n1; read -r n2; read -r n3; } <$per_core
	all=$((n0 + n1 + n2 + n3))
	echo "# policy $1, mask $2: $n0 $n1 $n2 $n3"
}

# most DESCRIPTION NUMBER: at least three quarters of all
most() {
	check_at_least "$1" $(($2 * 4)) $((all * 3))
}

steer 0 0
most "without RPS all stays where the device is" "$n0"
before=$(counter s gro_data_bypasses)

steer 8 f
most "next: the core that follows" "$n1"
steer 8 d
most "next: what the administrator has left out is passed over" "$n2"
steer 8 9
most "next: the last" "$n3"
steer 8 1
most "next: there is no other" "$n0"
steer 16 f
check_at_least "gen2: others than the one that collects" $(((n1 + n2 + n3) * 4)) $((all * 3))
steer 4 f
check_at_least "idle: others than the one that collects" $(((n1 + n2 + n3) * 4)) $((all * 3))
turns=$(((n1 * 10 >= all) + (n2 * 10 >= all) + (n3 * 10 >= all)))
check_at_least "idle: they take turns" $turns 2

on s sh -c 'echo "0 3 2 -1" >/proc/sys/net/homa/gen3_softirq_cores'
check_equal "gen3_softirq_cores reads as it was written" \
	"$(on s cut -f 1-8 /proc/sys/net/homa/gen3_softirq_cores | xargs)" "0 3 2 -1 1 0 -1 -1"
knob s busy_usecs 1000000
handed=$(counter s gen3_handoffs) alt=$(counter s gen3_alt_handoffs)
steer 128 f
most "gen3: the first that is named" "$n3"
check_at_least "gen3_handoffs" $(($(counter s gen3_handoffs) - handed)) 10
check_equal "gen3_alt_handoffs, as no thread runs there" $(($(counter s gen3_alt_handoffs) - alt)) 0
on s sh -c 'echo "0 2 3 -1" >/proc/sys/net/homa/gen3_softirq_cores'
steer 128 f
most "gen3: the second, as the server's thread is on the first" "$n3"
check_at_least "gen3_alt_handoffs" $(($(counter s gen3_alt_handoffs) - alt)) 8
steer 128 7
most "gen3: the first, as RPS may not use the second" "$n2"
check_equal "none of all these was bypassed" "$(counter s gro_data_bypasses)" "$before"

# Messages of one packet, one at a time; whatever a core did last was long ago.
knob s gro_busy_usecs 0
steer 64 e 100
most "a message of one packet stays where it is" "$n0"
check_at_least "gro_data_bypasses" $(($(counter s gro_data_bypasses) - before)) 10
before=$(counter s gro_data_bypasses)
knob s gro_busy_usecs 1000000
steer 64 e 100
check_at_least "at most one on a busy core" 1 $(($(counter s gro_data_bypasses) - before))
knob s gro_busy_usecs 0
before=$(counter s gro_data_bypasses)
steer 50 e 100
check_equal "none without this policy" "$(counter s gro_data_bypasses)" "$before"
steer 2 3 100
most "same core: stays, without bypass" "$n0"

# Grants for requests of the server to the client: its device gets them.
ip netns exec c taskset 2 "$DRIVE" server --port 4001 >/dev/null &
sleep 1
knob s gro_policy 32
grants=$(counter s gro_grant_bypasses)
on s taskset 1 "$DRIVE" rpc 10.7.1.1:4001 --size 300000 --count 5 >/dev/null
check_at_least "gro_grant_bypasses" $(($(counter s gro_grant_bypasses) - grants)) 5
knob s gro_policy 0
grants=$(counter s gro_grant_bypasses)
on s taskset 1 "$DRIVE" rpc 10.7.1.1:4001 --size 300000 --count 5 >/dev/null
check_equal "none without this policy" "$(counter s gro_grant_bypasses)" "$grants"

# What is bypassed has gone through netfilter.
knob s gro_policy 114
on s nft add table ip t \; add chain ip t c "{ type filter hook input priority 0; }" \; \
	add rule ip t c ip protocol 146 counter drop
before=$(counter s gro_data_bypasses) calls=$(counter s softirq_calls)
knob c timeout_ticks 100
"$STORM" --client c --server s --to 10.7.1.2 --count 2 --max 100 --allow-failures >/dev/null
knob c timeout_ticks 2000
check_at_least "bypassed packets" $(($(counter s gro_data_bypasses) - before)) 1
check_at_least "netfilter's rule has counted and dropped them" \
	"$(on s nft list ruleset | sed -n 's/.*packets \([0-9]*\) .*/\1/p')" 1
check_equal "none came through" "$(counter s softirq_calls)" "$calls"
on s nft flush ruleset

# A container behind a bridge of the server, with a socket of the same port.
ip link add veth2 type veth peer name veth3
host k veth3 3 1
ip link set veth2 netns s
on s sh -c 'ip addr flush dev veth1; ip link add sw0 type bridge; ip link set veth1 master sw0
	ip link set veth2 master sw0 up; ip addr add 10.7.1.2/24 dev sw0; ip link set sw0 up'
meet c 10.7.1.3
ip netns exec k "$DRIVE" server >/dev/null &
sleep 1
started=$(counter s server_requests_done)
check "RPCs with a container behind a bridge" on c "$DRIVE" rpc 10.7.1.3:4000 --size 100 --count 20
check_equal "it has got all of them" "$(counter k server_requests_done)" 20
check_equal "the host with the bridge none" "$(counter s server_requests_done)" "$started"

# shellcheck disable=SC2046
kill $(jobs -p)
wait
tear_down
finish
