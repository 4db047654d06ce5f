#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: the live tools of perf/ on the distribution's kernel, against RPCs that are counted
# lab: --cpus 2 --mem 3G
# size: full
# timeout: 500
. "$(dirname "$0")/lib.sh"
BIN=$TOP/out/bin
SHORT=37				# RPCs of homa_ping, 100 bytes
LONG=5					# of 200,000: they need grants
REFUSED=3				# to a port that nobody serves
LOAD=120				# of cp_node, 200,000 bytes
UNSCHED=40000				# bytes that come without grants

declare -A pids
# begin NAME HOST TOOL OPTIONS...: run a tool on a host; once it has said so, it traces
begin() {
	local name=$1 host=$2 tool=$3
	shift 3
	ip netns exec "$host" "$BIN/$tool" "$@" >"/run/$name.out" 2>"/run/$name.err" &
	pids[$name]=$!
	for _ in $(seq 1200); do
		grep -qs '^tracing' "/run/$name.err" && return
		kill -0 "${pids[$name]}" 2>/dev/null || return
		sleep 0.1
	done
}

# end NAME: interrupt it; it prints its report
end() {
	kill -INT "${pids[$1]}" 2>/dev/null
	wait "${pids[$1]}"
	check_equal "$1 ends well" $? 0
	grep -v '^tracing' "/run/$1.err" | sed "s/^/# $1: /"
}

# value NAME EXPRESSION: of the report "r"
value() {
	/usr/bin/python3 -c '
import json, sys
r = json.load(open(f"/run/{sys.argv[1]}.out"))
print(eval(sys.argv[2]))' "$1" "$2"
}

# sent: packets of all types that a has sent
sent() {
	on a awk '/^packets_sent_/ { n += $2 } END { print n + 0 }' /proc/net/homa_metrics
}

# complains LINE COMMAND...: of one thing in one line
complains() {
	local line=$1
	shift
	check_equal "$line" "$("$@" 2>&1 >/dev/null; echo $?)" "homalat: $line"$'\n'1
}

# filter HOST HOOK: netfilter drops Homa's packets there
filter() {
	on "$1" nft -f - <<-END
		table inet t {
			chain c {
				type filter hook $2 priority 0;
				meta l4proto 146 counter drop
			}
		}
	END
}

# filtered HOST: how many it has dropped
filtered() {
	on "$1" nft list ruleset | awk '/packets/ { for (i = 1; i < NF; i++) if ($i == "packets")
		n += $(i + 1) } END { print n + 0 }'
}

# drops FILE PEER: of packets whose other end is PEER
drops() {
	"$TOP/tt/bin/ttprint" "$1" | grep -c "kernel drops packet, peer $2 "
}

# hide FOLDER: run homalat where a folder is empty
hide() {
	unshare -m sh -c 'mount -t tmpfs none "$0" && exec "$1"' "$1" "$BIN/homalat"
}

complains "BPF programs are loaded by root only" setpriv --reuid 65534 "$BIN/homalat"
complains "homa.ko is not loaded" hide /sys/module
complains "this kernel does not tell its types (CONFIG_DEBUG_INFO_BTF)" hide /sys/kernel/btf
complains "--interval x: not a number" "$BIN/homalat" --interval x
ip link add v0 type veth peer name v1
host a v0 1 0
host b v1 2 0
meet a 10.7.0.2
ip netns exec b "$BIN/homa_ping" --serve --port 4000 >/run/ready &
ip netns exec b "$BIN/cp_node" server --ports 1 --first-port 4100 >/run/server 2>&1 &

begin latency a homalat --json
begin other b homalat --json
begin drops b homadrop --json
begin grants a homagrant --json
begin queues a homaqueue --json
begin top a homatop --interval 0 --json
begin sender a homatrace --out /run/a.ttb --json
begin receiver b homatrace --out /run/b.ttb --json
data=$(counter a packets_sent_DATA)
before=$(sent)
on a "$BIN/homa_ping" 10.7.0.2 --count $SHORT --interval 0.01 --json >/dev/null
check_equal "short RPCs were answered" $? 0
on a "$BIN/homa_ping" 10.7.0.2 --count $LONG --interval 0 --size 200000 --json >/dev/null
check_equal "long ones, too" $? 0
on a "$BIN/homa_ping" 10.7.0.2:4999 --count $REFUSED --interval 0 --json >/dev/null
check_equal "three found no server" $? 3
sleep 1					# no packet is under way any more
after=$(sent)
granted=$(counter a packets_sent_GRANT)
data=$(($(counter a packets_sent_DATA) - data))
end sender
end receiver
end top
end latency
end other
end grants
end queues
begin load a homalat --port 4100 --json
on a "$BIN/cp_node" client --servers 10.7.0.2 --first-port 4100 --workload 200000 \
	--limit $LOAD --port-receivers 0 --json /run/cp_node.out >/dev/null
end load
begin dropped_in b homatrace --out /run/in.ttb --events drop --kernel-only --json
begin dropped_out a homatrace --out /run/out.ttb --events drop --kernel-only --json
filter b prerouting
on a timeout 3 "$BIN/homa_ping" 10.7.0.2 --count 1 --json >/dev/null
end drops
filtered=$(filtered b)
end dropped_in
# What is dropped before it comes to a device.
on b nft flush ruleset
filter a output
on a timeout 3 "$BIN/homa_ping" 10.7.0.2 --count 1 --json >/dev/null
end dropped_out
stopped=$(filtered a)
sed 's/^/# drops: /' /run/drops.out
sed 's/^/# sender: /' /run/sender.out

check_equal "homalat: RPCs done" "$(value latency "r['done']")" $((SHORT + LONG))
check_equal "homalat: failed" "$(value latency "r['failed']")" $REFUSED
check_equal "homalat: long ones in their class" \
	"$(value latency "[s['total']['n'] for s in r['sizes'] if s['min_size'] == 131072]")" "[$LONG]"
check_equal "homalat: they wait for grants" \
	"$(value latency "r['sizes'][-1]['grant']['p50'] > 0")" True
check_equal "homalat: phases add up to the total, within 1%" "$(value latency "
abs(sum(v['mean'] * v['n'] for s in r['sizes'] for k, v in s.items() if isinstance(v, dict))
    / (2 * r['total']['mean'] * r['total']['n']) - 1) < 0.01")" True
check_equal "homalat: the same count as cp_node" "$(value load "r['done']")" \
	"$(value cp_node "r['done']")"
check_equal "homalat: no clients on the other host" "$(value other "r['done']")" 0
check_equal "homagrant: as many sent as the counter says" \
	"$(value grants "sum(p['grants_sent'] for p in r['peers'])")" "$granted"
check_equal "homagrant: all that was not unscheduled was granted, to us and by us" \
	"$(value grants "[(p['bytes_granted'], p['bytes_received_grants']) for p in r['peers']]")" \
	"[($((LONG * (200000 - UNSCHED))), $((LONG * (200000 - UNSCHED))))]"
check_equal "homagrant: all has come" \
	"$(value grants "sum(p['bytes_outstanding'] for p in r['peers'])")" 0
check_equal "homaqueue: as many packets as the counters say" \
	"$(value queues "sum(d['packets'] for d in r['devices'])")" $((after - before))
check_equal "homaqueue: each was in the qdisc and in the device" \
	"$(value queues "(r['qdisc']['n'], r['device']['n'])")" "($((after - before)), $((after - before)))"
check_equal "homaqueue: messages that waited for the pacer do no more" \
	"$(value queues "r['pacer']['n'] == sum(d['pacer_waits'] for d in r['devices'])")" True
BYTES=$((SHORT * 100 + LONG * 200000))
check_equal "homatop: RPCs of peers, and of sockets" \
	"$(value top "[sum(row['client_rpcs'] for row in r[t]) for t in ('peers', 'sockets')]")" \
	"[$((SHORT + LONG + REFUSED)), $((SHORT + LONG + REFUSED))]"
check_equal "homatop: bytes of messages out and in" \
	"$(value top "[sum(s[way] for s in r['sockets']) for way in ('bytes_out', 'bytes_in')]")" \
	"[$((BYTES + REFUSED * 100)), $BYTES]"
check_equal "homatop: whose sockets these are" \
	"$(value top "{s['program'] for s in r['sockets']}")" "{'homa_ping'}"
check_equal "homatop: no RPC lives any more" "$(value top "r['live']")" 0
check_equal "homatrace: as many DATA packets to the device as the counter says" \
	"$(value sender "r['events']['NIC_DATA']")" "$data"
check_equal "homatrace: and they come from the other host's device" \
	"$(value receiver "r['events']['GRO_DATA']")" "$data"
check_at_least "homatrace: softirqs" "$(value sender "r['events']['SOFTIRQ_ENTRY']")" $SHORT
check_at_least "homatrace: threads take turns" "$(value sender "r['events']['TASK_SWITCH']")" \
	$SHORT
check_equal "homatrace: ttprint has the kernel's records" \
	"$("$TOP/tt/bin/ttprint" /run/a.ttb | grep -c "NIC gets DATA")" "$data"
check_equal "homatrace: and those of Homa" \
	"$("$TOP/tt/bin/ttprint" /run/a.ttb | grep -c "sendmsg request to peer")" \
	$((SHORT + LONG + REFUSED))
check_equal "homatrace: packets that were dropped as they came in are from their sender" \
	"$(drops /run/in.ttb 0xa070001)" "$filtered"
check_at_least "homatrace: packets are dropped on their way out" "$stopped" 1
check_equal "homatrace: the peer is who they were for" "$(drops /run/out.ttb 0xa070002)" "$stopped"
"$TOP/tt/bin/tthoma" delay --no-cache /run/a.ttb /run/b.ttb >/run/delay
sed 's/^/# delay: /' /run/delay
check_at_least "homatrace: an analyzer finds the way from device to device of short messages" \
	"$(awk '$1 == "short" && $2 == "net" { print $3 }' /run/delay)" $((2 * SHORT))
no_socket=$(value drops "sum(d['count'] for d in r['drops'] if d['reason'] == 'HOMA_DROP_NO_SOCKET')")
check_at_least "homadrop: those that had no server" "$no_socket" $REFUSED
check_equal "homadrop: as many as their counter says" "$no_socket" \
	"$(value drops "r['counters']['rx_no_socket']")"
check_equal "homadrop: all as the counters say" "$(value drops "r['by_homa']")" \
	"$(value drops "sum(r['counters'].values())")"
check_at_least "homadrop: netfilter drops" "$filtered" 1
check_equal "homadrop: as many as netfilter counts" "$(value drops "r['by_kernel']")" "$filtered"
check_equal "homadrop: with the kernel's reason" \
	"$(value drops "{d['reason'] for d in r['drops'] if d['by'] == 'kernel'}")" \
	"{'SKB_DROP_REASON_NETFILTER_DROP'}"
finish
