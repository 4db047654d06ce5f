#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: the qdisc homa: Homa and TCP share a card, short messages stay fast, it comes and goes
# lab: --hosts 2 --ports --nic ''
# flavor: fast debug
# timeout: 200
. "$(dirname "$0")/lib.sh"

DRIVE=$TOP/out/bin/homa_drive

# What the functions below are about: a device of h1, and h2's address behind it.
dev=e0
peer=10.0.0.2

# TCP from h1 to h2 for as long as this runs.
# shellcheck disable=SC2016
SEND='import socket, sys
s = socket.create_connection((sys.argv[1], 7000))
while True:
    s.sendall(bytes(100000))'
RECEIVE='import socket
l = socket.create_server(("", 7000))
while True:
    s = l.accept()[0]
    try:
        while s.recv(1000000):
            pass
    except ConnectionError:
        pass'

# sent NAME: a number in the statistics of the qdisc
sent() {
	on h1 tc -s -j qdisc show dev $dev root | python3 -c 'import json, sys
print(next(q for q in json.load(sys.stdin) if q.get("root"))[sys.argv[1]])' "$1"
}

# Long requests and responses over Homa until there is a file /run/stop.
bulk() {
	while [ ! -e /run/stop ]; do
		on h1 "$DRIVE" rpc $peer:4000 --size 1000000 --count "$1" --outstanding 8 \
			>/dev/null || return
	done
}

# Two such clients, which do not begin a new round at the same time.
bulk_start() {
	bulk 97 &
	bulks=$!
	bulk 61 &
	bulks="$bulks $!"
}

# What they returned.
bulk_stop() {
	local pid status=0
	: >/run/stop
	for pid in $bulks; do
		wait "$pid" || status=1
	done
	rm /run/stop
	return $status
}

tcp_start() {
	ip netns exec h1 python3 -c "$SEND" $peer &
	tcp=$!
}

# It must still have been there.
tcp_stop() {
	kill $tcp && ! wait $tcp 2>/dev/null
}

# p99: of short RPCs, in ns
p99() {
	on h1 "$DRIVE" rtt 10.0.0.2:4001 --size 100 --count 2000 | tee /run/rtt >&2
	sed 's/.* p99 \([0-9]*\) .*/\1/' /run/rtt
}

# share: how TCP's part of the bytes that h1 sends in 30 ms compares with all, in
# thousandths
share() {
	local all others
	all=$(sent bytes)
	others=$(counter h1 pacer_tcp_bytes)
	sleep 0.03
	others=$(($(counter h1 pacer_tcp_bytes) - others))
	all=$(($(sent bytes) - all))
	echo "# TCP sends $others of $all bytes" >&2
	echo $((others * 1000 / all))
}

# shares NAME: are bytes shared as homa_share says?
shares() {
	local share part want
	for share in 20 50 80; do
		knob h1 homa_share $share
		part=$(share)
		want=$((1000 - share * 10))
		check_at_least "$1, homa_share $share: at least 95% of TCP's" "$part" \
			$((want * 95 / 100))
		check_at_least "$1, homa_share $share: at least 95% of Homa's" $((1000 - part)) \
			$((share * 95 / 10))
	done
}

# However this ends, or the module could not be removed.
detach_all() {
	local host
	for host in h1 h2; do
		on $host tc qdisc del dev e0 root
		on $host tc qdisc del dev x0 root
	done 2>/dev/null
}
trap detach_all EXIT

attach() {
	on "$1" tc qdisc replace dev e0 root homa
}

for host in h1 h2; do
	knob $host link_mbps 25000
	check "attach to a card of $host" attach $host
done
check_equal "its name is shown" "$(on h1 tc qdisc show dev e0 root | grep -o '^qdisc homa')" \
	"qdisc homa"
on h1 tc qdisc replace dev e0 root homa bogus 1 2>/dev/null
check_equal "options are refused" $? 1
rmmod homa 2>/dev/null
check_equal "the module stays" $? 1

# Below mq, and where the default qdisc is homa itself.
ip -n h1 link add d0 numtxqueues 4 type dummy
ip -n h1 link set d0 up
check "mq" on h1 tc qdisc add dev d0 root handle 1: mq
for queue in 1 2 3 4; do
	check "queue $queue of mq" on h1 tc qdisc replace dev d0 parent 1:$queue homa
done
sysctl -qw net.core.default_qdisc=homa
ip -n h1 link add d1 type dummy
ip -n h1 link set d1 txqueuelen 100 up
check "as a default" on h1 tc qdisc replace dev d1 root handle 5: homa
check "another child" on h1 tc qdisc replace dev d1 parent 5:1 handle 6: pfifo limit 3
on h1 ping -c 1 -I d1 -w 1 10.0.0.77 >/dev/null 2>&1
sysctl -qw net.core.default_qdisc=fq_codel
ip -n h1 link del d0
ip -n h1 link del d1
on h1 tc qdisc del dev e0 root
check "again, with a child of another default" attach h1
check_equal "which is shown" "$(on h1 tc qdisc show dev e0 invisible | grep -c '^qdisc fq_codel')" 1

ip netns exec h2 "$DRIVE" server --port 4000 --ports 2 >/dev/null &
ip netns exec h2 python3 -c "$RECEIVE" &
sleep 0.1

idle=$(p99)
bulk_start
alone=$(p99)
check "Homa alone" bulk_stop
tcp_start
bulk_start
sleep 0.01
beside=$(p99)
check "TCP beside Homa" tcp_stop
check "Homa beside TCP" bulk_stop
check_at_least "P99 $beside ns; $alone ns without TCP, $idle ns on an idle network" \
	$((alone * 13 / 10)) "$beside"
check_at_least "packets that had to wait" "$(sent overlimits)" 100
check_at_least "packets of TCP" "$(counter h1 qdisc_tcp_packets)" 500

# Both have enough to send: bytes are shared as homa_share says.
tcp_start
bulk_start
sleep 0.01
shares 'one queue'

# It comes and goes under traffic.
for _ in $(seq 10); do
	on h1 tc qdisc del dev e0 root || break
	attach h1 || break
	sleep 0.001
done
check "TCP goes on" tcp_stop
check "Homa goes on" bulk_stop
sleep 0.3
check_equal "nothing is left in it" "$(sent qlen)" 0
check_equal "no bytes either" "$(sent backlog)" 0
for host in h1 h2; do
	check "detach from $host" on $host tc qdisc del dev e0 root
done

# Homa and TCP in different queues of a device: they share the link, too.
dev=x0
peer=10.60.0.2
ip link add x0 numtxqueues 4 numrxqueues 4 netns h1 type veth \
	peer name x0 numtxqueues 4 numrxqueues 4 netns h2
for host in h1 h2; do
	on $host ip addr add 10.60.0.${host#h}/24 dev x0
	on $host ip link set x0 up
done
on h1 tc qdisc add dev x0 root handle 1: mq
for queue in 1 2 3 4; do
	on h1 tc qdisc add dev x0 parent 1:$queue homa
done
on h1 tc qdisc add dev x0 clsact
on h1 tc filter add dev x0 egress protocol ip u32 match ip protocol 6 0xff \
	action skbedit queue_mapping 2
on h1 tc filter add dev x0 egress protocol ip u32 match ip protocol 146 0xff \
	action skbedit queue_mapping 1
tcp_start
bulk_start
sleep 0.01
shares mq
on h1 tc -s qdisc show dev x0 | sed 's/^/# /'
check "mq: TCP goes on" tcp_stop
check "mq: Homa goes on" bulk_stop
check "mq: detach" on h1 tc qdisc del dev x0 root

# shellcheck disable=SC2046
kill $(jobs -p)
finish
