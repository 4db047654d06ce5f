#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# What perf/bench/bench runs in the virtual machine: two hosts on each link, and
# a client for each row. A row is an argument: "LINK PROTOCOL SIZE OUTSTANDING COUNT".
# veth-peers and veth-sockets have peers or sockets, and one RPC at a time, instead of
# OUTSTANDING; the server's host has the addresses from 10.8.0.1 on as well.
# Prints "cost LINK {...}" for each, then "count LINK WHAT NUMBER" of what spoils costs.
# With SYMBOLS in the environment, where the kernel's functions are goes to that file first.
set -eu

port=4000
echo "kernel $(uname -sr)"

# host NAME DEVICE ADDRESS
host() {
	ip netns add "$1"
	ip link set "$2" netns "$1"
	ip -n "$1" -batch - <<-END
		link set lo up
		link set $2 up
		addr add $3/24 dev $2
	END
}

# make_many: no limits to RPCs and peers, and many addresses of the server
make_many() {
	local name
	ip -n s route add local 10.8.0.0/16 dev lo
	ip -n c route add 10.8.0.0/16 via 10.7.0.2
	for name in max_server_rpcs max_peer_rpcs max_host_rpcs max_peers peer_gc_threshold; do
		ip netns exec c sysctl -q "net.homa.$name=1000000"
		ip netns exec s sysctl -q "net.homa.$name=1000000"
	done
	for name in c s; do
		ip netns exec $name sysctl -q net.homa.wmem_max=1000000000
	done
}

# make LINK: hosts c (client) and s (server, 10.7.0.2)
make() {
	local c=eth0 s=eth1 server
	if [ "$1" != vmxnet3 ]; then
		ip link add veth0 type veth peer name veth1
		c=veth0 s=veth1
	fi
	if [ "$1" = veth-notso ] || [ "$1" = vmxnet3 ]; then
		# A hub passes no frames longer than the MTU on.
		ethtool -K $c tso off lro off 2>/dev/null
		ethtool -K $s tso off lro off 2>/dev/null
	fi
	host c $c 10.7.0.1
	host s $s 10.7.0.2
	case $1 in
	veth-outstanding | veth-peers | veth-sockets) make_many ;;
	esac
	until ip netns exec c ping -q -c 1 -W 1 10.7.0.2 >/dev/null; do
		sleep 0.1
	done
	for server in homa tcp udp; do
		serve $server
	done
}

# serve PROTOCOL: start a server, wait until it listens
serve() {
	ip netns exec s rpc_cost server "$1" --port $port >"/run/$1" &
	servers="$servers $!"
	until [ -s "/run/$1" ]; do
		kill -0 $!
		sleep 0.01
	done
}

# unmake LINK: tell what went wrong meanwhile; the devices come back
unmake() {
	local name
	# shellcheck disable=SC2086 # words on purpose
	kill $servers
	wait
	rm /run/homa /run/tcp /run/udp
	for name in c s; do
		# shellcheck disable=SC2016 # these are fields of awk
		ip netns exec $name awk -v link="$1" '
			$1 == "resent_packets" { homa += $2 }
			$1 == "Tcp:" && !tcp++ { for (i = 2; i <= NF; i++) if ($i == "RetransSegs") at = i }
			$1 == "Tcp:" && tcp == 2 { retrans = $at }
			END { print "count", link, "homa", homa + 0; print "count", link, "tcp", retrans }
			' /proc/net/homa_metrics /proc/net/snmp
	done
	ip netns del c
	ip netns del s
	sleep 1			# namespaces take their time to end
}

link=
servers=
for row; do
	read -r where protocol size outstanding count <<<"$row"
	if [ "$where" != "$link" ]; then
		[ -z "$link" ] || unmake "$link"
		link=$where
		servers=
		make "$link"
	fi
	[ -z "${SYMBOLS:-}" ] || cp /proc/kallsyms "$SYMBOLS"
	echo "row $row"
	case $where in
	veth-peers)	what="10.8.0.1 --peers" ;;
	veth-sockets)	what="10.7.0.2 --sockets" ;;
	*)		what="10.7.0.2 --outstanding" ;;
	esac
	# shellcheck disable=SC2086 # words on purpose
	cost=$(ip netns exec c rpc_cost client "$protocol" $what "$outstanding" --port $port \
		--size "$size" --count "$count")
	echo "cost $link $cost"
done
unmake "$link"
