#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: RPCs over a VLAN and tunnels, which need room for headers of theirs; IPsec policies and netfilter are obeyed
# lab: --cpus 2
# timeout: 400
#
# A device below may have to copy the head of a packet, which it must not do to one
# that somebody else still holds, as a protocol does that wants to send it again.
. "$(dirname "$0")/lib.sh"

ip link add veth0 type veth peer name veth1
host t1 veth0 1 1
host t2 veth1 2 1
on t1 ethtool -K veth0 txvlan off
on t2 ethtool -K veth1 txvlan off

# over KIND NET FIRST SECOND: a device of that kind in both hosts, made with these
# options of "ip link add", and RPCs through it
over() {
	local kind=$1 net=$2 options=("$3" "$4") i bytes
	for i in 1 2; do
		ip -n t$i -batch - <<-END || return
			link add over$net ${options[i - 1]}
			addr add 10.7.$net.$i/24 dev over$net
			link set over$net up
		END
	done
	meet t1 "10.7.$net.2"
	"$STORM" --client t1 --server t2 --to "10.7.$net.2" --count 20 --max 100000 || return
	bytes=$(on t2 cat "/sys/class/net/over$net/statistics/rx_bytes")
	echo "# $kind: $bytes bytes came through"
	[ "$bytes" -gt 100000 ]
}

# tunnel KIND NET TYPE: between the hosts' addresses, for either side
tunnel() {
	over "$1" "$2" "type $3 local 10.7.1.1 remote 10.7.1.2" \
		"type $3 local 10.7.1.2 remote 10.7.1.1"
}

check "RPCs over a VLAN" over vlan 11 "link veth0 type vlan id 11" "link veth1 type vlan id 11"
check "RPCs over IP in IP" tunnel ipip 12 ipip
check "RPCs over GRE" tunnel gre 13 gre
check "RPCs over VXLAN" tunnel vxlan 14 "vxlan id 14 dstport 4789"

# refused NAME COUNTER: RPCs fail, and the server counts why
refused() {
	local before=0
	[ "$1" ] && before=$(counter t2 "$1")
	knob t1 timeout_ticks 100
	"$STORM" --client t1 --server t2 --to 10.7.1.2 --count 2 --max 100 --allow-failures >/run/refused
	knob t1 timeout_ticks 2000
	if [ "$1" ]; then
		[ "$(counter t2 "$1")" -gt "$before" ]
	else
		grep -q "finished 0 failed 2" /run/refused
	fi
}

served() {
	"$STORM" --client t1 --server t2 --to 10.7.1.2 --count 2 --max 100 >/dev/null
}

check "without a policy RPCs are served" served
check "an IPsec policy is set" on t2 ip xfrm policy add dir in src 10.7.1.1 dst 10.7.1.2 \
	proto 146 action block
check "packets that it forbids are dropped and counted" refused rx_policy
on t2 ip xfrm policy flush
check "without it RPCs are served again" served
check "a netfilter rule is set" on t2 nft add table ip t \; add chain ip t c \
	"{ type filter hook input priority 0; }" \; add rule ip t c ip protocol 146 drop
check "packets that it drops do not arrive" refused ""
on t2 nft flush ruleset
check "without it RPCs are served again" served
finish
