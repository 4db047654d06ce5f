#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: config: qdiscs for a device or each of its queues, addresses, and what was before again
# lab: --hosts 2
# flavor: fast
. "$(dirname "$0")/lib.sh"

config() {
	on h1 "$TOP/cloudlab/bin/config" "$@" --state /run/config.json
}

qdiscs() {
	on h1 tc qdisc show dev "$1" | sed -E 's/ (refcnt|\[|limit).*//; s/ [0-9a-f]+: parent/ parent/; s/ +$//'
}

ip link add q0 numtxqueues 3 netns h1 type veth peer name q0 netns h2
ip link add q1 netns h1 type veth peer name q1 netns h2
for dev in q0 q1; do
	for host in h1 h2; do
		ip -n $host link set $dev up
	done
	on h1 tc qdisc show dev $dev >/run/before.$dev
	check_equal "$dev: it is not declared unless asked for" \
		"$(config show qdisc --device $dev)" ""
	check "$dev: apply" config apply qdisc --device $dev --qdisc homa
	config diff qdisc --device $dev --qdisc homa
	check_equal "$dev: nothing differs then" $? 0
done
check_equal "one for each queue" "$(qdiscs q0 | sort)" "qdisc homa parent 4801:1
qdisc homa parent 4801:2
qdisc homa parent 4801:3
qdisc mq 4801: root"
check_equal "one for the device" "$(qdiscs q1)" "qdisc homa 4801: root"

check "restore" config restore
for dev in q0 q1; do
	check_equal "$dev is as before" "$(on h1 tc qdisc show dev $dev)" "$(cat /run/before.$dev)"
done

check "an address" config apply address --device q1 --address6 fd77:0::1/64
check_equal "is there" "$(on h1 ip -6 addr show dev q1 | grep -c 'fd77::1/64')" 1
check "restore the addresses" config restore
check_equal "is gone" "$(on h1 ip -6 addr show dev q1 | grep -c 'fd77::')" 0

on h1 tc qdisc add dev q1 root handle 7: pfifo limit 9
config apply qdisc --device q1 --qdisc homa 2>/run/error
check_equal "what somebody has chosen is refused" $? 2
check "in one line" grep -q "^config: q1 has a qdisc that somebody has chosen, 'pfifo 7:'" /run/error
check_equal "and stays" "$(on h1 tc qdisc show dev q1 | grep -c 'pfifo 7:')" 1
finish
