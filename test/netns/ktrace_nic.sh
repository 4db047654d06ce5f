#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: trace_kernel on a network card: queues that are stopped, polls, packets in their device
# lab: --hosts 2 --ports --nic "ring=4 completion=20000"
# flavor: fast debug
# timeout: 60
. "$(dirname "$0")/lib.sh"
file=/run/ktrace_nic.$$

# events PATTERN: records in $file that match
events() {
	grep -cE "\] $1" $file
}

# packets: that h1's card has taken from the stack
packets() {
	on h1 sed -nE 's/^e0 packets ([0-9]+) .*/\1/p' /proc/net/simnic
}

for host in h1 h2; do
	knob $host max_gso_size 1
	knob $host trace_kernel 1
done
on h1 cat /proc/net/timetrace >/dev/null
before=$(packets)
check "RPCs over a card with 4 slots" "$STORM" --count 10 --min 20000 --max 20000
on h1 sleep 0.01
sent=$(($(packets) - before))
on h1 cat /proc/net/timetrace >$file

# What the card sends and gets passes its cable's device, too.
index=$(on h1 cat /sys/class/net/e0/ifindex)
gets=$(events 'NIC gets DATA')
check_at_least "packets of 10 requests" "$gets" $((2 * 150))
check_equal "a device is done with each once" "$(events 'NIC done with DATA')" $((gets / 2))
check_at_least "the card has sent as many" "$sent" $((gets / 2))
check_equal "polls are the card's" "$(events 'device polled')" \
	"$(events "device polled, device $index work [0-9]+ budget 64")"
polled=$(sed -nE 's/.*device polled.* work ([0-9]+) .*/\1/p' $file | paste -sd+ | bc)
# Neighbours ask for addresses now and then.
came=$(($(events 'GRO (DATA|GRANT|other)') / 2))
check_at_least "they took what came" "$polled" $came
check_at_least "and hardly more" $((came + 5)) "$polled"

# Others' packets fill the card.
on h1 python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(30):
	s.sendto(bytes(1400), ("10.0.0.2", 9))'
on h1 sleep 0.01
on h1 cat /proc/net/timetrace >$file
stopped=$(events 'NIC queue is stopped, queue 0 waiting [0-9]+')
check_at_least "30 packets, 4 at a time: the queue was stopped" "$stopped" 5
check_equal "it has no other queue" "$(events 'NIC queue is stopped')" "$stopped"
most=$(sed -nE 's/.*queue 0 waiting ([0-9]+)$/\1/p' $file | sort -n | tail -1)
check_at_least "packets waited" "${most:-0}" 10
check_at_least "no more than were sent" 30 "${most:-0}"
finish
