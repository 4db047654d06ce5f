#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: each event of tt/events.h is recorded, with the right values
# lab: --hosts 2 --loss 2
# flavor: fast
# timeout: 300
. "$(dirname "$0")/lib.sh"
export NS_TRACES=/run/traces
programs="$TOP/out/bin/test"

# Events that cannot happen here, and why.
declare -A absent=(
	[TCP_DROPPED]="TCP meets no queue that is full"
	[LOCK_WAIT]="recorded by perf/homatrace"
	[LOCK_GOT]="recorded by perf/homatrace"
	[LOCK_MISSED]="one CPU never waits for another"
	[LOCK_TAKEN]="one CPU never waits for another"
	[TXQ_STOPPED]="queues of veth devices never stop"
	[NAPI_POLL]="veth devices without GRO are not polled"
)

# append HOST: its trace goes to the others
append() {
	on "$1" cat /proc/net/timetrace >>$NS_TRACES
}

# value RECORD NAME: the number after NAME
value() {
	sed -nE "s/.* $2 (0x)?([0-9a-f]+).*/\2/p" <<<"$1"
}

echo 131072 >/sys/module/homa/parameters/timetrace_events
check_equal "size of rings" "$(cat /sys/module/homa/parameters/timetrace_events)" 131072
sh -c 'echo 1000 >/sys/module/homa/parameters/timetrace_events' 2>/dev/null
check_equal "a size that is no power of two is refused" \
	"$(cat /sys/module/homa/parameters/timetrace_events)" 131072

# One RPC, in single packets, whose records must fit together.
knob h1 max_gso_size 1500
"$STORM" --count 1 --min 5000 --max 5000 >/dev/null
knob h1 max_gso_size 0
on h1 cat /proc/net/timetrace >/run/h1
on h2 cat /proc/net/timetrace >/run/h2
request=$(grep -m 1 'sendmsg request' /run/h1)
id=$(value "$request" id)
check_equal "request: to h2" "$(value "$request" peer)" a000002
check_equal "request: port" "$(value "$request" port)" 3000
check_equal "request: length" "$(value "$request" length)" 5000
begins=$(grep "message begins, id $id " /run/h2)
check_equal "message on h2: from h1" "$(value "$begins" peer)" a000001
check_equal "message on h2: length" "$(value "$begins" length)" 5000
check_equal "offsets that leave h1" "$(grep "DATA left IP, id $id " /run/h1 |
	sed -E 's/.* offset ([0-9]+) length ([0-9]+) .*/\1+\2/' | sort -nu | tr '\n' ' ')" \
	"0+1424 1424+1424 2848+1424 4272+728 "
check_equal "bytes that h2 accepts" "$(grep "DATA accepted, id $id " /run/h2 |
	sed -E 's/.* length ([0-9]+).*/\1/' | paste -sd+ | bc)" 5000
check_equal "copied out on h2" "$(grep -c "copy-out finished, start 0 end 5000 id $id\$" /run/h2)" 1
check_equal "h2 answers" "$(grep -c "sendmsg response for id $id port 3000 pid [0-9]* length 5000\$" /run/h2)" 1
check_equal "h1 receives" "$(grep -c "recvmsg returning, status 0 id $id length 5000\$" /run/h1)" 1
check_equal "the RPC ends on h1" "$(grep -c "RPC ends, id $id port" /run/h1)" 1

# Much at a time, on a slow link, with the kernel's part.
for host in h1 h2; do
	knob $host trace_kernel 1
	knob $host link_mbps 2000
done
"$STORM" --count 100 --max 600000 --outstanding 16 >/dev/null
append h1
append h2
on h2 timeout 5 python3 -c '
import socket
s = socket.create_server(("10.0.0.2", 7777))
c, _ = s.accept()
c.sendall(c.recv(100))' &
sleep 0.5
on h1 python3 -c '
import socket
c = socket.create_connection(("10.0.0.2", 7777))
c.sendall(b"abc")
c.recv(100)'
wait
append h1

# A peer that is idle is forgotten.
knob h1 peer_idle_secs_max 1
knob h1 peer_idle_secs_min 0
"$STORM" --count 1 --max 100 >/dev/null
sleep 5
append h1

# What else there is happens in tests of other things.
for program in behaviour grants freeze reassembly limits abi_bpage abi_poll abi_send abi_ioctl; do
	timeout 100 "$programs/$program" >/run/$program.log 2>&1
	echo "# $program: $(grep -c '^ *ok' /run/$program.log) cases passed"
done

sed -E 's/^[0-9]+ \[C[0-9]+\] //; s/0x[0-9a-f]+/X/g; s/-?[0-9]+/N/g' $NS_TRACES /run/h1 /run/h2 |
	sort -u >/run/seen
sed -nE 's/^TT_EVENT\((\w+), "(.*)"\)$/\1 \2/p' "$TOP/tt/events.h" |
	sed 's/0x%x/X/g; s/%[ud]/N/g' >/run/events
while read -r name text; do
	if [ "${absent[$name]-}" ]; then
		echo "# $name: ${absent[$name]}"
	else
		check "$name: $text" grep -qxF "$text" /run/seen
	fi
done </run/events
finish
