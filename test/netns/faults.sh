#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: bursts of loss, one-way partitions, a priority that nothing passes, a smaller MTU
# lab: --hosts 2 --loss 0.1
# flavor: fast debug@full
# timeout: 200
#
# Every RPC completes, or fails with ETIMEDOUT where nothing can be done about it;
# none is executed twice. The switch is told what to drop.
. "$(dirname "$0")/lib.sh"

count=${1:-300}
switch() { ip netns exec sw "$@"; }

# The RPCs of a scenario, in both directions at a time.
storms() {
	local status=0
	"$STORM" --client h1 --server h2 --to 10.0.0.2 --outstanding 8 "$@" &
	"$STORM" --client h2 --server h1 --to fd00::1 --port 3100 --outstanding 8 "$@" || status=1
	wait $! || status=1
	return $status
}

# loss MODEL: how packets from both hosts are lost
loss() {
	local i
	for i in 1 2; do
		# shellcheck disable=SC2086
		switch tc qdisc change dev i$i root netem limit 100000 loss $1
	done
}

for model in "random 0.1%" "random 1%" "random 5%" "gemodel 0.1% 10%" "gemodel 1% 20%"; do
	loss "$model"
	check "$count RPCs, loss $model" storms --count "$count" --max 200000
done
check_equal "none of them timed out" "$(total rpc_timeouts)" 0
check_at_least "order proved losses" "$(total early_resends)" 10
loss "random 0%"

# Nothing from host $1 passes for 50 ms, again and again.
partitions() {
	local i
	for i in 1 2 1 2 1 2; do
		sleep 0.02
		switch tc qdisc change dev "i$i" root netem limit 100000 loss 100%
		sleep 0.05
		switch tc qdisc change dev "i$i" root netem limit 100000 loss 0%
	done
}

partitions &
check "$count RPCs, one-way partitions of 50 ms" storms --count "$count" --max 200000
wait
check_equal "none of them timed out" "$(total rpc_timeouts)" 0

# drop PRIORITY: nothing of it passes the switch
drop() {
	local i tos
	tos=$(printf '%#x' $(($1 << 5)))
	for i in 1 2; do
		switch tc filter add dev i$i parent 1: protocol ip prio 1 u32 \
			match ip dsfield "$tos" 0xe0 action drop
		switch tc filter add dev i$i parent 1: protocol ipv6 prio 2 u32 \
			match ip6 priority "$tos" 0xe0 action drop
	done
}

for i in 1 2; do
	switch tc qdisc replace dev i$i root handle 1: prio bands 2 priomap 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
done
for level in 0 1 2 3 4 5 6; do
	drop $level
	check "100 RPCs without priority $level" storms --count 100 --max 200000
	for i in 1 2; do switch tc filter del dev i$i parent 1:; done
done
check_equal "none of them timed out" "$(total rpc_timeouts)" 0

# Without control packets nothing can be repaired.
drop 7
out=$(storms --count 100 --max 200000 --allow-failures)
echo "$out"
check_equal "100 RPCs without priority 7: none twice, none wrong" \
	"$(grep -c "bad_content 0 executed [0-9]* wrongly_executed 0" <<<"$out")" 2
check_at_least "some of them timed out" "$(total rpc_timeouts)" 1
for i in 1 2; do switch tc filter del dev i$i parent 1:; done
check "100 RPCs afterwards" storms --count 100 --max 200000

# The path becomes narrower in the middle of messages.
narrow() {
	local i
	sleep 0.005
	for i in 1 2; do
		on h$i ip link set e0 mtu 1300
	done
}

narrow &
check "$count RPCs, the MTU shrinks" storms --count "$count" --max 1000000
wait
finish
