# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# shellcheck shell=bash
# For scenarios of virtual machines: hosts made of devices that are there
# already, and the end that all of them have.
. "$(dirname "${BASH_SOURCE[0]}")/../netns/lib.sh"
names=()

# host NAME DEVICE NUMBER NET: a namespace with 10.7.NET.NUMBER, fd07:NET::NUMBER
host() {
	local name=$1 dev=$2 number=$3 net=$4
	ip netns add "$name"
	names+=("$name")
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
		on "$1" ping -c 1 -W 1 "$2" >/dev/null 2>&1 && return
		sleep 0.1
	done
	echo "# $2 does not answer $1 after $i tries"
}

# A device that the distribution's driver gives no scatter-gather, or gives it.
check_scatter_gather() {
	on "$1" ethtool -k "$2" | grep -q "^scatter-gather: $3"
	result $? "$2: scatter-gather is $3"
}

# What the hosts counted; then they and the module go, and the module comes back.
tear_down() {
	local name
	for name in "${names[@]}"; do
		echo "# $name: $(on "$name" awk '$1 ~ /^(rpc_timeouts|resent_packets|short_packets|gaps_created|packet_discards)$/ \
			{ n[$1] += $2 } END { for (i in n) printf "%s %d ", i, n[i] }' /proc/net/homa_metrics)"
		ip netns del "$name"
	done
	check "the module unloads and loads again" sh -c 'for i in $(seq 50); do
		rmmod homa 2>/dev/null && break; sleep 0.1; done; insmod "$LAB_MODULE"'
}

# cost_hosts: a and b over veth; b answers what cost() asks
cost_hosts() {
	ip link add v0 type veth peer name v1
	host a v0 1 0
	host b v1 2 0
	meet a 10.7.0.2
	ip netns exec b "$TOP/out/bin/rpc_cost" server homa --port 4000 >/run/server &
	until [ -s /run/server ]; do
		sleep 0.01
	done
	cost 100 >/run/warm
}

# cost SIZE [COUNT]: median of RPCs one at a time, in ns; in a counted machine, instructions
cost() {
	on a "$TOP/out/bin/rpc_cost" client homa 10.7.0.2 --port 4000 --size "$1" \
		--outstanding 1 --count "${2:-200}" | sed -n 's/.*"p50": \([0-9]*\).*/\1/p'
}
