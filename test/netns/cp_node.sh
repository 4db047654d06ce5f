#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: cp_node over Homa and TCP: verified, the same load for both, ends as told
# lab: --hosts 2
# flavor: fast debug@check
# size: quick
# timeout: 120
set -eu
node=$PWD/out/bin/cp_node
dir=$(mktemp -d /run/cp_node.XXXXXX)
servers=()
trap 'kill "${servers[@]}" 2>/dev/null || :; rm -rf "$dir"' EXIT

fail() {
	echo "cp_node.sh: $*" >&2
	exit 1
}

server() {
	ip netns exec h2 "$node" server --verify "$@" >>"$dir/server.log" &
	servers+=($!)
}

client() {
	ip netns exec h1 "$node" client "$@" >>"$dir/client.log" ||
		fail "client $*: exit code $?: $(tail -n 5 "$dir/client.log")"
}

value() {
	sed -n "s/^  \"$2\": \(.*[^,]\),*$/\1/p" "$dir/$1"
}

expect() {
	[[ $(value "$1" "$2") == "$3" ]] || fail "$1: $2 is $(value "$1" "$2"), not $3"
}

server --ports 3 --port-threads 2 --ipv6 --json "$dir/homa.server"
server --ports 8 --protocol tcp --ipv6 --json "$dir/tcp.server"
sleep 0.05

# Every size, both families, contents checked on both sides.
for address in 10.0.0.2 fd00::2; do
	client --servers "$address" --ports 2 --server-ports 3 --client-max 8 --verify \
		--workload 1-1000000 --limit 200 --json "$dir/homa.$address"
	expect "homa.$address" "done" 200
	expect "homa.$address" bad_content 0
done

# The load is the same for both protocols, to the nanosecond; Homa's RPC ids differ.
for protocol in homa tcp; do
	client --servers 10.0.0.2 --ports 3 --server-ports 3 --client-max 100 \
		--protocol "$protocol" --workload w3 --gbps 5 --seconds 0.001 --seed 7 \
		--rpcs "$dir/$protocol.csv"
	cut -d, -f2-5 "$dir/$protocol.csv" >"$dir/$protocol.load"
done
diff "$dir/homa.load" "$dir/tcp.load" || fail "the loads differ"
(($(wc -l <"$dir/homa.load") > 100)) || fail "there was no load"
[[ $(cut -d, -f1 "$dir/homa.csv" | sort -u | wc -l) == $(wc -l <"$dir/homa.csv") ]] ||
	fail "RPC ids are not unique"

# UDP, the floor: what fits into a datagram is answered, what does not is refused.
server --ports 2 --protocol udp --ipv6 --json "$dir/udp.server"
sleep 0.05
client --servers 10.0.0.2 --protocol udp --server-ports 2 --client-max 8 --verify \
	--workload 16-65507 --limit 200 --json "$dir/udp"
expect udp "done" 200
expect udp bad_content 0
! "$node" client --servers 127.0.0.1 --protocol udp --workload w4 --limit 1 2>"$dir/refused" ||
	fail "UDP took W4"
grep -q "16 to 65507" "$dir/refused" || fail "why UDP refuses W4 is not told"

# A server that stands still for 100 ms in the middle of a second: with one request
# outstanding, only one sees it from when it is sent, but a tenth of them from when they were due.
server --first-port 4100
stalled=${servers[-1]}
sleep 0.05
ip netns exec h1 "$node" client --servers 10.0.0.2 --first-port 4100 --workload 100 \
	--gbps 0.0008 --seconds 1 --client-max 1 --rpcs "$dir/stall.csv" >>"$dir/client.log" &
load=$!
sleep 0.5
kill -STOP "$stalled"
sleep 0.1
kill -CONT "$stalled"
wait "$load" || fail "the load beside a server that stands still ended badly"
awk -F, '$1 ~ /^[0-9]/ { n++; due += $7 - $5 > 10e6; sent += $7 - $6 > 10e6 }
	END { print n, due, sent }' "$dir/stall.csv" >"$dir/stall.counts"
read -r all due sent <"$dir/stall.counts"
((all > 900 && due >= 70 && due <= 110 && sent <= 2)) ||
	fail "of $all requests $due were late since they were due, $sent since they were sent"

# 1.25 million RPCs a second of one host: all are sent on time and answered.
client --servers 10.0.0.2 --server-ports 3 --client-max 2000 --workload 100 --gbps 1 \
	--seconds 0.001 --rpcs "$dir/many.csv" --json "$dir/many"
awk -F, '$1 ~ /^[0-9]/ { n++; lag += $6 - $5; late += $7 - $5 > 20e3 }
	END { print n, int(lag / n), late + 0 }' "$dir/many.csv" >"$dir/many.counts"
read -r all lag late <"$dir/many.counts"
expect many "done" "$all"
((all > 1100 && lag < 1000 && late == 0)) ||
	fail "of $all requests at 1.25 M/s $late were late, they were sent $lag ns late on average"

# One at a time, each size alone.
client --servers 10.0.0.2 --workload starve --unloaded 2 --json "$dir/unloaded"
expect unloaded "done" 20

# Closed loop, short responses, the sender receives.
client --servers 10.0.0.2 --workload 5000 --one-way --port-receivers 0 --limit 50 \
	--json "$dir/one_way"
expect one_way bytes_in 5000
expect one_way bytes_out 250000

# The same with private responses, and with a sender that spins.
client --servers 10.0.0.2 --workload 5000 --private --limit 50 --verify --json "$dir/private"
expect private "done" 50
expect private bad_content 0
client --servers 10.0.0.2 --workload 1000 --gbps 0.5 --limit 20 --client-max 10 --spin --pin 0 \
	--json "$dir/spin"
expect spin "done" 20
! "$node" client --servers 127.0.0.1 --private --protocol tcp 2>/dev/null ||
	fail "TCP took --private"

# Messages in two pieces, with and without a pattern.
server --first-port 4300 --iovec
sleep 0.05
for verify in --verify --one-way; do
	client --servers 10.0.0.2 --first-port 4300 --workload 1-1000000 --limit 100 --iovec \
		"$verify" --json "$dir/iovec$verify"
	expect "iovec$verify" "done" 100
	expect "iovec$verify" bad_content 0
done
! "$node" client --servers 127.0.0.1 --iovec --protocol tcp 2>/dev/null || fail "TCP took --iovec"

# Messages that only TCP has, with and without a pattern.
for verify in --verify --avoid-backed-up; do
	client --servers 10.0.0.2 --protocol tcp --workload 900000-20000000 --no-trunc --limit 20 \
		--client-max 4 "$verify" --json "$dir/long$verify" --rpcs "$dir/long$verify.csv"
	expect "long$verify" "done" 20
	expect "long$verify" bad_content 0
	awk -F, '$5 > 1000000 { n++ } END { exit n < 10 }' "$dir/long$verify.csv" ||
		fail "$verify: messages are cut off at 1000000 bytes"
done
! "$node" client --servers 127.0.0.1 --no-trunc 2>/dev/null || fail "Homa took --no-trunc"

# The kernel is told what freezes timetraces.
ip netns exec h1 "$node" debug 100 200 >>"$dir/client.log" || fail "debug: exit code $?"
[[ $(ip netns exec h1 cat /proc/sys/net/homa/temp | tr -s '\t ' ' ') == "100 200 0 1500" ]] ||
	fail "debug: temp is $(ip netns exec h1 cat /proc/sys/net/homa/temp)"
[[ $(ip netns exec h1 cat /proc/sys/net/homa/freeze_type) == 3 ]] || fail "debug: no freeze_type"
ip netns exec h1 sysctl -qw net.homa.freeze_type=0
! "$node" debug x 2>/dev/null || fail "debug took a word"

# Threads that wait by epoll, several for a socket, on both sides; they end when told to.
server --first-port 4200 --port-threads 3 --epoll --json "$dir/epoll.server"
sleep 0.05
client --servers 10.0.0.2 --first-port 4200 --workload w3 --client-max 20 --port-receivers 3 \
	--epoll --verify --limit 500 --json "$dir/epoll"
expect epoll "done" 500
expect epoll bad_content 0
! "$node" client --servers 127.0.0.1 --private --epoll 2>/dev/null || fail "--private took --epoll"

# SIGINT: the files are written, the exit code says why.
ip netns exec h1 "$node" client --servers 10.0.0.2 --json "$dir/stopped" >"$dir/stopped.log" &
sleep 0.02
kill -INT $!
rc=0
wait $! || rc=$?
[[ $rc == 130 ]] || fail "after SIGINT the exit code is $rc"
(($(value stopped "done") > 1000)) || fail "SIGINT: $(value stopped "done") RPCs"

# A port where nobody listens: each request fails, and the exit code tells.
rc=0
ip netns exec h1 "$node" client --servers 10.0.0.2 --first-port 4444 --limit 3 \
	--json "$dir/nobody" >"$dir/nobody.log" || rc=$?
[[ $rc == 3 ]] || fail "without a server the exit code is $rc"
expect nobody failed 3

# Commands from standard input, with the prompt after each.
printf 'client --servers 10.0.0.2 --limit 10\nwait\nstop clients\nnonsense\nexit\n' |
	ip netns exec h1 "$node" >"$dir/commands" 2>&1 || fail "commands: exit code $?"
(($(grep -o '% ' "$dir/commands" | wc -l) == 5)) || fail "prompts: $(cat "$dir/commands")"
grep -q '10 started, 10 done, 0 failed' "$dir/commands" || fail "commands: $(cat "$dir/commands")"

# What its threads recorded, beside the kernel: each request in four records.
printf '%s\n' 'tt on' 'server --first-port 4800' \
	'client --servers 10.0.0.1 --first-port 4800 --limit 10' wait 'stop clients' \
	"tt print $dir/app.ttb" 'tt freezeboth' exit |
	ip netns exec h1 "$node" >"$dir/tt.log" 2>&1 || fail "tt: exit code $?"
python3 test/lib/apptrace.py "$dir/app.ttb" 10 || fail "tt: $(cat "$dir/tt.log")"
ip netns exec h1 grep -q 'Freezing timetrace' /proc/net/timetrace || fail "tt: not frozen"

for pid in "${servers[@]}"; do
	rc=0
	kill "$pid"
	wait "$pid" || rc=$?
	[[ $rc == 143 ]] || fail "a server's exit code is $rc"
done
servers=()
for protocol in homa tcp; do
	expect "$protocol.server" bad_content 0
	expect "$protocol.server" executed_more_than_once 0
	(($(value "$protocol.server" requests) > 100)) || fail "$protocol: too few requests"
done
