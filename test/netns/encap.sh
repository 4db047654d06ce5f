#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: RPCs that travel as TCP, and real TCP beside them, while the module comes and goes
# lab: --no-topology
# flavor: fast@quick debug smp
# timeout: 180
. "$(dirname "$0")/lib.sh"

DRIVE=$TOP/out/bin/homa_drive
BYTES=200000
TCP_BYTES=20000000

# on c and s: Python that sends or receives TCP_BYTES, whose bytes are known
SEND='import socket, sys
s = socket.create_connection((sys.argv[1], 7000))
for i in range(int(sys.argv[2]) // 20000):
    s.sendall(bytes([i % 251]) * 20000)
s.shutdown(socket.SHUT_WR)
assert s.recv(100) == b"all of it"'
RECEIVE='import socket, sys
l = socket.create_server(("::", 7000), family=socket.AF_INET6, dualstack_ipv6=True)
for n in range(int(sys.argv[1])):
    s, left, i = l.accept()[0], int(sys.argv[2]), 0
    while left:
        got = s.recv(20000 - i % 20000)
        assert got == bytes([i // 20000 % 251]) * len(got) and got
        i += len(got)
        left -= len(got)
    s.sendall(b"all of it")'

# on c: Python that sends packets to s that Homa takes if it is there: a request each
NOISE='import socket, struct, time
raw = [(socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP), address)
       for family, address in ((socket.AF_INET, "10.1.1.2"), (socket.AF_INET6, "fd01::2"))]
n = 2
while True:
    n += 2
    time.sleep(0.0005)
    data = struct.pack(">HHI3sBBBHHHQIIQHHB3sI", 999, 4000, 0, bytes(3), 0x10, 0xe0, 6, 0,
                       0, 0xb97d, n, 10, 10, 0, 0, 1, 0, bytes(3), 0) + bytes(10)
    for s, address in raw:
        s.sendto(data, (address, 0))'

# counts HOST FILE NAME: of one of its two-line tables
counts() {
	# shellcheck disable=SC2016
	on "$1" awk -v name="$3" '{ if (n++ % 2) { for (i = 2; i <= NF; i++)
		if (head[i] == name) print $i } else split($0, head) }' "$2"
}

# offloads WORDS...: of both devices
offloads() {
	on c ethtool -K v0 "$@" >/dev/null
	on s ethtool -K v0 "$@" >/dev/null
}

# rpcs WHAT: RPCs from c to s, of which nothing may be lost
rpcs() {
	local address
	for address in 10.1.1.2:4000 '[fd01::2]:4001'; do
		check "$1: RPCs with ${address%:*}" on c "$DRIVE" rpc "$address" \
			--verify --size $BYTES --count 10 --outstanding 2
	done
}

# tcp: real TCP from c to s
tcp() {
	local address
	for address in 10.1.1.2 fd01::2; do
		on c python3 -c "$SEND" $address $TCP_BYTES || return
	done
}

ip netns add c
ip netns add s
ip link add v0 netns c type veth peer name v0 netns s
for host in c:1 s:2; do
	ip -n ${host%:*} link set lo up
	ip -n ${host%:*} link set v0 up
	ip -n ${host%:*} addr add 10.1.1.${host#*:}/24 dev v0
	ip -n ${host%:*} addr add fd01::${host#*:}/64 dev v0 nodad
	knob ${host%:*} hijack_tcp 1
done
ip netns exec s "$DRIVE" server >/dev/null &
homa4=$!
ip netns exec s "$DRIVE" server --ipv6 --port 4001 >/dev/null &
homa6=$!
ip netns exec s python3 -c "$RECEIVE" 8 $TCP_BYTES &
receiver=$!
sleep 1

for gro in off on; do
	offloads tso off gro $gro
	segs=$(counts s /proc/net/snmp InSegs)
	tcp &
	rpcs "GRO $gro, beside TCP"
	check "GRO $gro: TCP" wait $!
	segs=$(($(counts s /proc/net/snmp InSegs) - segs))
	[ $gro = on ] || single=$segs
done
check_at_least "of $single packets of TCP GRO makes $segs" $((single / 3)) "$segs"
offloads tso on gro off
tcp &
rpcs "frames, beside TCP"
check "frames: TCP" wait $!
check_at_least "packets that travelled as TCP" "$(counter s encap_rcvd)" 100
resent=$(($(counter c resent_packets) + $(counter s resent_packets)))
# On smp a core may be late, or have too much in its backlog.
[ "${LAB_FLAVOR:-fast}" = smp ] || check_equal "packets sent again" $resent 0
check_equal "resets" "$(counts s /proc/net/snmp OutRsts)" 0

# The module leaves and comes back while packets of both kinds arrive.
ip netns exec c python3 -c "$SEND" 10.1.1.2 $TCP_BYTES &
v4=$!
ip netns exec c python3 -c "$SEND" fd01::2 $TCP_BYTES &
v6=$!
ip netns exec c python3 -c "$NOISE" &
noise=$!
kill $homa4 $homa6
wait $homa4 $homa6 2>/dev/null
rounds=0
while kill -0 $v4 2>/dev/null || kill -0 $v6 2>/dev/null || [ $rounds -lt 3 ]; do
	rmmod homa || break
	insmod "$LAB_MODULE" || break
	knob c hijack_tcp 1
	knob s hijack_tcp 1
	ip netns exec s "$DRIVE" server >/dev/null &
	server=$!
	sleep 0.1
	on c "$DRIVE" rpc 10.1.1.2:4000 --count 3 >/dev/null || break
	check_at_least "packets while the module was there" "$(counter s encap_rcvd)" 10
	kill $server
	wait $server 2>/dev/null
	rounds=$((rounds + 1))
done
kill $noise
check "TCP over IPv4 has arrived" wait $v4
check "TCP over IPv6 has arrived" wait $v6
check "all of it" wait $receiver
check_equal "resets" "$(counts s /proc/net/snmp OutRsts)" 0
check_at_least "times that the module was loaded" $rounds 3
finish
