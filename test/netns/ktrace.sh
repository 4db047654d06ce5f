#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: trace_kernel: what qdiscs, devices, softirqs, TCP and the scheduler do, in the trace
# lab: --hosts 3
# flavor: fast debug smp
# timeout: 120
. "$(dirname "$0")/lib.sh"
file=/run/ktrace.$$
kernel='(NIC (gets|done)|qdisc gets|GRO |softirq|task switch|kernel drops)'

# trace HOST: read it into $file
trace() {
	on "$1" cat /proc/net/timetrace >$file
}

# events PATTERN: records in $file that match
events() {
	grep -cE "\] $1" $file
}

# key PATTERN: id and offset of the first record in $file that matches
key() {
	grep -m 1 "$1" $file | sed -E 's/.*DATA.* (id [0-9]+ offset [0-9]+) .*/\1/'
}

trace h1
"$STORM" --count 5 --min 5000 --max 5000 >/dev/null
trace h1
check_equal "off: nothing of the kernel is recorded" "$(events "$kernel")" 0
check_equal "it reads 0" "$(on h1 cat /proc/sys/net/homa/trace_kernel)" 0
knob h1 trace_kernel 2 2>/dev/null
result $((!$?)) "2 is refused" "it is not"

# Frames would be cut on the way.
for host in h1 h2; do
	knob $host max_gso_size 1
	knob $host trace_kernel 1
done
check_equal "it reads 1" "$(on h1 cat /proc/sys/net/homa/trace_kernel)" 1
trace h2
trace h1
check "RPCs from h1 to h2" "$STORM" --count 10 --min 5000 --max 5000
on h1 sleep 0.01
on h2 cat /proc/net/timetrace >$file.h2
trace h1

# 5000 bytes are 4 packets: what Homa gives to IP is what the device gets.
sent=$(events 'DATA to IP')
check_equal "DATA packets of 10 requests" "$sent" 40
check_equal "each comes to the qdisc" "$(events 'qdisc gets DATA')" "$sent"
check_equal "each comes to the device" "$(events 'NIC gets DATA')" "$sent"
check_equal "the device is done with each" "$(events 'NIC done with DATA')" "$sent"
check_equal "each leaves IP" "$(events 'DATA left IP')" "$sent"
arrived=$(events 'DATA accepted')
check_equal "DATA packets of 10 responses" "$arrived" 40
check_equal "each comes to GRO" "$(events 'GRO DATA from peer')" "$arrived"
check_at_least "softirqs take them" "$(events 'softirq starting')" 10
check_at_least "softirqs begin" "$(events 'softirq begins, vector 3')" 1
check_at_least "softirqs end" "$(events 'softirq ends, vector 3')" 1
check_at_least "threads take turns" "$(events 'task switch')" 1
check_equal "no TCP" "$(events '.*TCP')" 0
check_equal "nothing is dropped" "$(events 'kernel drops')" 0

# The same packet on both hosts: the other's trace has the same id and offset.
key=$(key 'NIC gets DATA')
check_equal "a packet of h1 arrives on h2: $key" \
	"$(grep 'GRO DATA from peer' $file.h2 | grep -c "$key prio")" 1
check_equal "lengths add up to 10 requests" "$(grep 'NIC gets DATA' $file |
	sed -E 's/.* length ([0-9]+) .*/\1/' | paste -sd+ | bc)" 50000

on h3 cat /proc/net/timetrace >$file.h3
check_equal "h3, where it is off, records nothing" "$(grep -cE "\] $kernel" $file.h3)" 0

# TCP: 3 bytes to h2 and back, seen on the way.
on h2 python3 -c '
import socket
s = socket.create_server(("10.0.0.2", 7777))
c, _ = s.accept()
c.sendall(c.recv(100))
c.recv(1)' &
until on h2 ss -tln | grep -q :7777; do sleep 0.1; done
on h1 python3 -c '
import socket
c = socket.create_connection(("10.0.0.2", 7777))
c.sendall(b"abc")
assert c.recv(100) == b"abc"'
wait
trace h1
check_equal "3 bytes of TCP to the device" "$(events 'NIC gets TCP.* to 0x21e61 bytes 3')" 1
check_equal "through the qdisc" "$(events 'qdisc gets TCP.* to 0x21e61 bytes 3')" 1
check_equal "3 bytes arrive" "$(events 'GRO TCP, from 0x21e61 .* bytes 3')" 1
check_equal "in a softirq" "$(events 'softirq gets TCP, from 0x21e61 .* bytes 3')" 1
check_at_least "the application reads them" "$(events 'application has read TCP, from 0x21e61')" 1

# Packets of h1 that a queue drops.
on h1 tc qdisc replace dev e0 root netem limit 100000 loss 20%
check "RPCs while a queue drops" "$STORM" --count 20 --min 5000 --max 5000
trace h1
drops=$(on h1 tc -s qdisc show dev e0 | sed -nE 's/.*dropped ([0-9]+),.*/\1/p' | paste -sd+ | bc)
check_at_least "the queue drops packets" "$drops" 1
check_equal "each is recorded" "$(events 'kernel drops')" "$drops"
check_equal "the peer is where they went" "$(events 'kernel drops packet, peer 0xa000002')" "$drops"
on h2 cat /proc/net/timetrace >$file.h2
check_equal "not by h2" "$(grep -c 'kernel drops' $file.h2)" 0
on h1 tc qdisc del dev e0 root

knob h1 trace_kernel 0
trace h1
"$STORM" --count 5 --min 5000 --max 5000 >/dev/null
trace h1
check_equal "off again" "$(events "$kernel")" 0
on h1 setpriv --reuid 65534 --regid 65534 --clear-groups \
	sh -c 'echo 1 >/proc/sys/net/homa/trace_kernel' 2>/dev/null
result $((!$?)) "others may not switch it on" "they can"
on h1 setpriv --bounding-set -net_admin --inh-caps -net_admin \
	sh -c 'echo 1 >/proc/sys/net/homa/trace_kernel' 2>/dev/null
result $((!$?)) "nor root without CAP_NET_ADMIN" "it can"

# On and off while packets flow, and a namespace goes while it traces.
for _ in $(seq 10); do
	knob h3 trace_kernel 1
	knob h2 trace_kernel 0
	"$STORM" --count 2 --min 5000 --max 5000 >/dev/null
	knob h2 trace_kernel 1
	knob h3 trace_kernel 0
done
check "RPCs afterwards" "$STORM" --count 5 --min 5000 --max 5000
timeout 20 "$STORM" --count 300 --min 5000 --max 5000 >/dev/null 2>&1 &
check "a namespace goes while it traces" ip netns del h2
wait
for _ in $(seq 100); do
	ip -n sw link show i2 >/dev/null 2>&1 || break
	sleep 0.1
done
ip -n sw link show i2 >/dev/null 2>&1
result $((!$?)) "it has gone" "its device is still there"
knob h3 trace_kernel 1
check_equal "others trace on" "$(on h3 cat /proc/sys/net/homa/trace_kernel)" 1
finish
