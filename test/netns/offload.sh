#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: frames of several packets: whole, cut by the stack, collected, routed, bridged
# lab: --no-topology
# flavor: fast@quick debug
. "$(dirname "$0")/lib.sh"

DRIVE=$TOP/out/bin/homa_drive
BYTES=100000
RPCS=10

# link HOST1 DEV1 HOST2 DEV2: a cable
link() {
	ip link add "$2" netns "$1" type veth peer name "$4" netns "$3"
	ip -n "$1" link set "$2" up
	ip -n "$3" link set "$4" up
}

# addresses HOST DEV NUMBER ROUTE...: 10.1.N.x and fd01:N::x of a host, in IPv4 and IPv6
addresses() {
	ip -n "$1" addr add "10.1.$3/24" dev "$2"
	ip -n "$1" addr add "fd01:${3/./::}/64" dev "$2" nodad
}

# offloads HOST DEV WORDS...
offloads() {
	on "$1" ethtool -K "$2" "${@:3}" >/dev/null
}

# grown HOST NAME: how much a counter has grown since the last time
declare -A last=()
grown() {
	local now
	now=$(counter "$1" "$2")
	echo $((now - ${last[$1.$2]:-0}))
	last[$1.$2]=$now
}

# exchange WHAT: RPCs from c to s, of which nothing may be lost; sets packets and calls, of s
exchange() {
	grown s packets_rcvd_DATA >/dev/null
	grown s softirq_calls >/dev/null
	check "$1, IPv4" on c "$DRIVE" rpc 10.1.2.2:4000 --verify --size $BYTES \
		--count $RPCS --outstanding 2
	check "$1, IPv6" on c "$DRIVE" rpc '[fd01:2::2]:4001' --verify --size $BYTES \
		--count $RPCS --outstanding 2
	check_equal "$1: sent again" $(($(counter c resent_packets) + \
		$(counter s resent_packets))) 0
	grown s packets_rcvd_DATA >/run/packets
	grown s softirq_calls >/run/calls
	read -r packets </run/packets
	read -r calls </run/calls
	last[s.packets_rcvd_DATA]=$(counter s packets_rcvd_DATA)
	last[s.softirq_calls]=$(counter s softirq_calls)
}

# c -- r -- s, where r is a router
for host in c r s; do
	ip netns add $host
	ip -n $host link set lo up
done
link c v0 r v0
link r v1 s v0
addresses c v0 1.2
addresses r v0 1.1
addresses r v1 2.1
addresses s v0 2.2
ip -n c route add default via 10.1.1.1
ip -n c route add default via fd01:1::1
ip -n s route add default via 10.1.2.1
ip -n s route add default via fd01:2::1
on r sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
	echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
on s "$DRIVE" server >/dev/null &
on s "$DRIVE" server --ipv6 --port 4001 >/dev/null &
sleep 3	# link-local addresses are tentative at first

min=$((2 * RPCS * (BYTES / 1404 + 1)))
exchange "warm-up"	# the devices show that they only pass on
exchange "whole through a router"
check_at_least "$min less packets, as frames count once" $((min / 3 - packets)) 0

offloads r v1 tso off
exchange "cut by the router"
check_at_least "packets" "$packets" "$min"

offloads s v0 gro on
exchange "cut by the router, collected by the server"
check_at_least "packets" "$packets" "$min"
check_at_least "packets for each call" $((packets / calls)) 3

knob s max_gro_skbs 2
exchange "collected by twos"
check_at_least "calls" "$calls" $((packets / 2))
knob s max_gro_skbs 20

knob s verify_checksum 1
exchange "collected, with checksums verified"
check_at_least "packets for each call" $((packets / calls)) 3
knob s verify_checksum 0
offloads s v0 gro off

offloads c v0 tso off
offloads r v0 gro on
offloads r v1 tso on
exchange "collected by the router, whole from there"
check_at_least "packets" "$packets" "$min"
check_at_least "packets for each call" $((packets / calls)) 3

offloads r v1 tso off
exchange "collected by the router, taken apart by it"
check_at_least "packets" "$packets" "$min"

# A device in between that can do less than those that send.
offloads r v0 gro off
offloads c v0 tso on gso on sg on tx on
offloads r v1 tx off sg off tso off gso off
exchange "cut and copied, checksums in software"
knob s verify_checksum 1
exchange "the same, verified"
knob s verify_checksum 0
offloads r v1 tx on sg on tso on gso on

# A listener gets copies of what is taken apart.
offloads r v1 tso off
offloads s v0 gro on
if command -v tcpdump >/dev/null; then
	on s timeout 20 tcpdump -i v0 -w /dev/null ip or ip6 2>/dev/null &
	sleep 0.5
	exchange "collected while somebody listens"
	check_at_least "packets for each call" $((packets / calls)) 3
	kill $!
fi
offloads s v0 gro off

# Frames with an offset for each packet: whole, cut by the router.
knob c native_tso 1
offloads r v1 tso on
exchange "with offsets, whole through a router"
check_at_least "$min less packets, as frames count once" $((min / 3 - packets)) 0
offloads r v1 tso off
knob s verify_checksum 1
exchange "with offsets, cut by the router"
check_at_least "packets" "$packets" "$min"
knob c gso_force_software 1
exchange "with offsets, for the kernel alone"
check_at_least "packets" "$packets" "$min"
knob s verify_checksum 0
knob c gso_force_software 0
knob c native_tso 0

# No frames: the administrator says so, or the device cannot.
knob c max_gso_size 1
offloads r v1 tso on
exchange "without frames"
check_at_least "packets" "$packets" "$min"
knob c max_gso_size 3000
exchange "frames of two packets"
check_at_least "packets" "$packets" $((min / 2 - 2 * RPCS))
check_at_least "$min less packets" $((min - packets)) $((min / 3))
knob c max_gso_size 0
offloads c v0 gso off
exchange "a device without segmentation"
check_at_least "packets" "$packets" "$min"
offloads c v0 gso on

# The router becomes a bridge.
on r sh -c 'ip addr flush dev v0; ip addr flush dev v1; ip link add sw0 type bridge
	ip link set v0 master sw0; ip link set v1 master sw0; ip link set sw0 up'
for host in c s; do
	ip -n $host addr flush dev v0 scope global
done
addresses c v0 2.1
addresses s v0 2.2
exchange "whole through a bridge"
check_at_least "$min less packets, as frames count once" $((min / 3 - packets)) 0
offloads r v1 tso off
exchange "cut by the bridge"
check_at_least "packets" "$packets" "$min"

# shellcheck disable=SC2046
kill $(jobs -p)
finish
