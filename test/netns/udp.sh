#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: RPCs in UDP through a router that drops what it does not know, and real UDP beside them
# lab: --no-topology
# flavor: fast@quick debug smp
# timeout: 180
. "$(dirname "$0")/lib.sh"

DRIVE=$TOP/out/bin/homa_drive
PORT=14600

# on c: Python that has an echo of UDP at s return what it sends, COUNT times
ECHO='import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 7000))
while True:
    s.sendto(*s.recvfrom(2000))'
ASK='import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.settimeout(5)
for i in range(int(sys.argv[1])):
    for to in "::ffff:10.1.2.2", "fd02::2":
        s.sendto(b"%d" % i * 200, (to, 7000))
        assert s.recv(2000) == b"%d" % i * 200'

# server HOST: one of each family, with the settings that are there now; $! is the last
server() {
	ip netns exec "$1" "$DRIVE" server >/dev/null &
	servers="$servers $!"
	ip netns exec "$1" "$DRIVE" server --ipv6 --port 4001 >/dev/null &
	servers="$servers $!"
	sleep 0.2
}

stop_servers() {
	# shellcheck disable=SC2086
	kill $servers
	# shellcheck disable=SC2086
	wait $servers 2>/dev/null
	servers=
}

# rpcs WHAT HOST V4 V6: of all sizes, from HOST
rpcs() {
	local address size
	for address in "$3:4000" "[$4]:4001"; do
		for size in 1 1400 1500 10000 200000 1000000; do
			check "$1: RPCs of $size bytes with $address" on "$2" "$DRIVE" \
				rpc "$address" --verify --size $size --count 4 --outstanding 2
		done
	done
}

# refused WHAT ADDRESS ERROR: an RPC from c fails, and soon
refused() {
	local got
	got=$(on c timeout 5 "$DRIVE" rpc "$2" 2>&1 | sed -n 's/.*: \(E.*\)/\1/p')
	check_equal "$1" "$got" "$3"
}

for ns in c r s; do
	ip netns add $ns
	ip -n $ns link set lo up
	on $ns sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
done
on r sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
for host in c:1 s:2; do
	h=${host%:*} n=${host#*:}
	ip link add v0 netns "$h" type veth peer name "$h" netns r
	ip -n "$h" link set v0 up
	ip -n r link set "$h" up
	ip -n "$h" addr add "10.1.$n.2/24" dev v0
	ip -n "$h" addr add "fd0$n::2/64" dev v0 nodad
	ip -n r addr add "10.1.$n.1/24" dev "$h"
	ip -n r addr add "fd0$n::1/64" dev "$h" nodad
	ip -n "$h" route add default via "10.1.$n.1"
	ip -n "$h" -6 route add default via "fd0$n::1"
	on "$h" ethtool -K v0 tso off gro off >/dev/null
done
servers=
ip netns exec s python3 -c "$ECHO" &
echoer=$!
sleep 3		# IPv6 makes sure that its addresses are its own

# Who has a port takes such packets, whatever it sends itself.
knob c udp_encap_port $PORT
knob c hijack_udp 1
knob s udp_encap_port $PORT
server c
server s
rpcs "one in UDP, one not" c 10.1.2.2 fd02::2
check_at_least "packets in UDP" "$(counter s udp_encap_rcvd)" 1000
check_equal "of the other" "$(counter c udp_encap_rcvd)" 0
rpcs "the other way" s 10.1.1.2 fd01::2
stop_servers

# Now nothing else gets through.
on r nft -f - <<'END'
table inet filter {
	chain forward {
		type filter hook forward priority 0;
		meta l4proto { tcp, 146 } counter drop
	}
}
END
server s
refused "an answer of protocol 146 is dropped" 10.1.2.2:4000 ETIMEDOUT
stop_servers
knob s hijack_udp 1
server c
server s
on c python3 -c "$ASK" 200 &
asks=$!
before=$(counter s udp_encap_rcvd)
rpcs "both in UDP" c 10.1.2.2 fd02::2
rpcs "both in UDP, the other way" s 10.1.1.2 fd01::2
check_at_least "packets in UDP" $(($(counter s udp_encap_rcvd) - before)) 2000
check "real UDP" wait $asks
check_equal "packets that came as TCP" "$(counter s encap_rcvd)" 0
knob c hijack_udp 0
refused "protocol 146 is dropped" 10.1.2.2:4000 ETIMEDOUT
refused "protocol 146 is dropped, IPv6" '[fd02::2]:4001' ETIMEDOUT
knob c hijack_udp 1

# A host without the port says so.
knob s udp_encap_port 0
refused "no port, IPv4" 10.1.2.2:4000 ENOTCONN
refused "no port, IPv6" '[fd02::2]:4001' ENOTCONN
knob s udp_encap_port $PORT
refused "no socket of Homa's" 10.1.2.2:4999 ENOTCONN
rpcs "a port again" c 10.1.2.2 fd02::2

# The port comes and goes while packets arrive; so do the namespace and the module.
for address in 10.1.2.2:4000 '[fd02::2]:4001'; do
	ip netns exec c sh -c "while :; do '$DRIVE' rpc '$address' --size 20000 --count 20; sleep 0.01; done" \
		>/dev/null 2>&1 &
	noise="${noise:-} $!"
done
for _ in $(seq 20); do
	knob s udp_encap_port 0
	sleep 0.02
	knob s udp_encap_port $PORT
	sleep 0.02
done
# shellcheck disable=SC2086
kill $noise
# shellcheck disable=SC2086
wait $noise 2>/dev/null
rpcs "a port that came and went" c 10.1.2.2 fd02::2
on c python3 -c "$ASK" 200 &
asks=$!
stop_servers
for _ in 1 2 3; do
	rmmod homa || break
	insmod "$LAB_MODULE" || break
	for h in c s; do
		knob $h udp_encap_port $PORT
		knob $h hijack_udp 1
	done
	server s
	sleep 0.1
	on c "$DRIVE" rpc 10.1.2.2:4000 --count 3 >/dev/null || break
	stop_servers
done
check_equal "the module came and went" "$servers" ""
check "real UDP" wait $asks
kill $echoer
wait $echoer 2>/dev/null
ip netns add s2
knob s2 udp_encap_port $PORT
ip netns del s2
ip netns del s
ip netns add s
knob s udp_encap_port $PORT
check_equal "a namespace of the same name" "$(on s sysctl -n net.homa.udp_encap_port)" $PORT
finish
