#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: a distribution's kernel with two CPUs: 20,000 RPCs over veth and over virtio
# lab: --cpus 2 --nics 2
# timeout: 600
#
# 8 threads a side. virtio on a hub has no scatter-gather, so that every packet
# is linearised on its way out. Numbers as arguments: RPCs of each thread over
# veth, over virtio.
. "$(dirname "$0")/../netns/lib.sh"

veth_count=${1:-2500}
virtio_count=${2:-2500}

# Two hosts with a device each, which must be there already.
host() {
	local name=$1 dev=$2 number=$3 net=$4
	ip netns add "$name"
	ip link set "$dev" netns "$name"
	ip -n "$name" -batch - <<-END
		link set lo up
		link set $dev up
		addr add 10.7.$net.$number/24 dev $dev
		addr add fd07:$net::$number/64 dev $dev nodad
	END
	# An emulated machine on a busy one stands still for longer than 100 ms.
	knob "$name" timeout_ticks 2000
}

# Both directions answer, so that no storm begins with a neighbour unknown.
meet() {
	local i
	for i in $(seq 50); do
		ping -c 1 -W 1 "$1" >/dev/null 2>&1 && return
		sleep 0.1
	done
	echo "# $1 does not answer after $i tries"
}

check "module is loaded" test -d /sys/module/homa
ip link add veth0 type veth peer name veth1
host v1 veth0 1 1
host v2 veth1 2 1
check "20 large RPCs over veth" "$STORM" --client v1 --server v2 --to 10.7.1.2 --count 20
check "8 x $veth_count RPCs over veth" "$STORM" --client v1 --server v2 --to 10.7.1.2 \
	--count "$veth_count" --threads 8 --ports 2 --max 3000 --outstanding 4
check "8 x 100 RPCs over veth, IPv6" "$STORM" --client v2 --server v1 --to fd07:1::1 \
	--count 100 --threads 8 --ports 2 --max 30000 --outstanding 4

host n1 eth0 1 2
host n2 eth1 2 2
on n1 ethtool -k eth0 | grep -q '^scatter-gather: off'
result $? "virtio has no scatter-gather"
on n1 bash -c "$(declare -f meet); meet 10.7.2.2"
on n2 bash -c "$(declare -f meet); meet fd07:2::1"
check "10 large RPCs over virtio" "$STORM" --client n1 --server n2 --to 10.7.2.2 --count 10 \
	--max 200000
check "8 x $virtio_count RPCs over virtio" "$STORM" --client n1 --server n2 --to 10.7.2.2 \
	--count "$virtio_count" --threads 8 --ports 2 --max 1000 --outstanding 4
check "8 x 50 RPCs over virtio, IPv6" "$STORM" --client n2 --server n1 --to fd07:2::1 \
	--count 50 --threads 8 --ports 2 --max 10000 --outstanding 4

for name in v1 v2 n1 n2; do
	echo "# $name: $(on $name awk '$1 ~ /^(rpc_timeouts|resent_packets|short_packets|gaps_created|packet_discards)$/ \
		{ n[$1] += $2 } END { for (i in n) printf "%s %d ", i, n[i] }' /proc/net/homa_metrics)"
	ip netns del $name
done
check "the module unloads and loads again" sh -c 'for i in $(seq 50); do
	rmmod homa 2>/dev/null && break; sleep 0.1; done; insmod "$LAB_MODULE"'
finish
