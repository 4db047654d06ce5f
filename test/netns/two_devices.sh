#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: what a device's qdisc does changes nothing for messages through another device
# lab: --hosts 2
#
# e0 has a qdisc, which limits its rate; x0 has none and is said to have 1 Gb/s, so
# there packets have to wait for Homa's own pacer.
. "$(dirname "$0")/lib.sh"

ip link add x0 netns h1 type veth peer name x0 netns h2
for i in 1 2; do
	on h$i ip addr add 10.60.0.$i/24 dev x0
	on h$i ip link set x0 up
	knob h$i link_mbps 1000
done

# paced: RPCs over x0; prints how many packets of h1 had to wait
paced() {
	local before
	before=$(counter h1 pacer_homa_packets)
	"$STORM" --to 10.60.0.2 --count 20 --min 300000 --max 300000 >/run/storm || return
	echo $(($(counter h1 pacer_homa_packets) - before))
}

with=$(paced)
check_equal "with a qdisc on e0: RPCs over x0" "$(grep -o 'finished [0-9]*' /run/storm)" \
	"finished 20"
on h1 tc qdisc del dev e0 root
without=$(paced)
check_equal "without one: RPCs over x0" "$(grep -o 'finished [0-9]*' /run/storm)" "finished 20"
echo "# packets that waited: $with with it, $without without it"
check_at_least "the pacer works on x0" "${with:-0}" 1000
check_at_least "no less than without the qdisc" $((${with:-0} * 10)) $((${without:-0} * 9))
"$STORM" --port 4000 --count 10 --min 300000 --max 300000 >/run/other &
check_at_least "and while e0 is used, too" "$(paced)" 1000
wait
finish
