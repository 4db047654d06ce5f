#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: RPCs while processes, namespaces, devices, settings and the module come and go
# lab: --no-topology
# flavor: fast debug smp
# seeds: 1 2
# timeout: 150
#
# Three hosts c1 c2 c3, a veth pair between each two. Storms of RPCs run all the
# time; they may fail but not corrupt or repeat anything. The first argument is
# the number of steps, or the seconds with an "s" behind. Each step is chosen
# with LAB_SEED. The kernel's log is judged by whoever runs this.
. "$(dirname "$0")/lib.sh"

seed=${LAB_SEED:-1}
limit=${1:-}
# In virtual time a storm costs no time, however large it is.
storm_size=40
storms_max=4
case ${LAB_FLAVOR:-fast} in
smp)
	limit=${limit:-40s}
	storm_size=1000
	storms_max=2
	;;
debug) limit=${limit:-30} ;;
*) limit=${limit:-60} ;;
esac
RANDOM=$seed
declare -A storms=()
picked=0
from=1
to=2
steps=0
reloads=0
refused=0

# pick N: a number from 1 to N, in $picked. No subshells: processes are what
# takes time in some guests.
pick() {
	picked=$((RANDOM % $1 + 1))
}

# True one time in two.
toss() {
	[ $((RANDOM % 2)) = 0 ]
}

# In real time, on a busy machine, 100 ms of silence mean nothing.
make_host() {
	ip netns add "c$1" && ip -n "c$1" link set lo up
	[ "${LAB_FLAVOR:-fast}" != smp ] || knob "c$1" timeout_ticks 5000
}

# Number of the network between two hosts, in $net.
net_of() {
	if [ "$1" -lt "$2" ]; then net=$1$2; else net=$2$1; fi
}

# Addresses of the end that host $1 has of its link with $2.
address() {
	local net
	net_of "$1" "$2"
	ip -n "c$1" -batch - 2>/dev/null <<-END
		link set v$2 up
		addr replace 10.8.$net.$1/24 dev v$2
		addr replace fd08:$net::$1/64 dev v$2 nodad
	END
}

# (Re)makes whatever is missing of the link between two hosts.
join() {
	ip -n "c$1" link show "v$2" >/dev/null 2>&1 ||
		ip link add "v$2" netns "c$1" type veth peer name "v$1" netns "c$2" 2>/dev/null
	address "$1" "$2"
	address "$2" "$1"
}

join_all() {
	join 1 2
	join 1 3
	join 2 3
}

# Two different hosts, in $from and $to.
pair() {
	pick 3
	from=$picked
	to=$((from % 3 + 1))
	toss || to=$(((from + 1) % 3 + 1))
}

start_storm() {
	local net addr size threads outstanding count
	pair
	net_of "$from" "$to"
	addr=10.8.$net.$to
	toss || addr=fd08:$net::$to
	pick 4
	size=$((10 ** picked * 10))
	pick 16
	outstanding=$picked
	pick 3
	threads=$picked
	pick $storm_size
	count=$picked
	timeout -s KILL 30 "$STORM" --client "c$from" --server "c$to" --to "$addr" \
		--count "$count" --seconds 2 --max "$size" --outstanding "$outstanding" \
		--threads "$threads" --seed "$RANDOM" --port $((RANDOM % 30000 + 1000)) \
		--allow-failures >"/run/churn/$RANDOM.$RANDOM.log" 2>&1 &
	storms[$!]=1
}

kill_storm() {
	local pids=("${!storms[@]}")
	[ ${#pids[@]} -gt 0 ] || return
	local pid=${pids[RANDOM % ${#pids[@]}]}
	pkill -KILL -P "$pid" 2>/dev/null
	kill -KILL "$pid" 2>/dev/null
}

delete_host() {
	local i
	pick 3
	i=$picked
	ip netns del "c$i"
	make_host "$i"
	join_all
}

delete_link() {
	pair
	ip -n "c$from" link del "v$to" 2>/dev/null
	toss || sleep 0.05
	join "$from" "$to"
}

# The device goes to the third host and comes back.
move_link() {
	pair
	local third=$((6 - from - to))
	ip -n "c$from" link set "v$to" netns "c$third" name "x$to" 2>/dev/null
	sleep 0.02
	ip -n "c$third" link set "x$to" netns "c$from" name "v$to" 2>/dev/null
	join "$from" "$to"
}

change_mtu() {
	pair
	local mtus=(1280 1400 1500 1501 4000 9000 65535 576 100)
	ip -n "c$from" link set "v$to" mtu "${mtus[RANDOM % ${#mtus[@]}]}" 2>/dev/null
	toss || ip -n "c$from" link set "v$to" mtu 1500 2>/dev/null
	address "$from" "$to"
}

remove_address() {
	pair
	ip -n "c$from" addr flush dev "v$to" 2>/dev/null
	sleep 0.05
	join "$from" "$to"
}

link_down() {
	pair
	ip -n "c$from" link set "v$to" down 2>/dev/null
	sleep 0.02
	join "$from" "$to"
}

change_knob() {
	local knobs=("resend_ticks 1 20" "resend_interval 1 20" "timeout_ticks 20 200"
		"unsched_bytes 0 100000" "max_overcommit 1 8" "window 0 100000"
		"max_incoming 1000 1000000" "poll_usecs 0 100" "num_priorities 1 8"
		"request_ack_ticks 1 10" "reap_limit 1 50" "defer_min_bytes 0 5000"
		"bpage_lease_usecs 0 20000" "dead_buffs_limit 1 5000" "wmem_max 100000 10000000"
		"link_mbps 0 100000" "action 3 3" "action 10 10" "verify_checksum 0 1"
		"resend_interval -5 0" "num_priorities 9 100" "max_overcommit -9 0")
	local name low high
	read -r name low high <<<"${knobs[RANDOM % ${#knobs[@]}]}"
	pick 3
	on "c$picked" sh -c "echo $((low + (RANDOM * 32768 + RANDOM) % (high - low + 1))) \
		>/proc/sys/net/homa/$name" 2>/dev/null
}

read_files() {
	local host
	pick 3
	host=c$picked
	on "$host" cat /proc/net/homa_metrics >/dev/null 2>&1
	on "$host" cat /proc/net/timetrace >/dev/null 2>&1
	on "$host" sh -c 'grep -s . /proc/sys/net/homa/*' >/dev/null 2>&1
}

reload_module() {
	local pid i
	# With sockets open the module must stay.
	if rmmod homa 2>/dev/null; then
		insmod "$LAB_MODULE"
		reloads=$((reloads + 1))
		return
	fi
	refused=$((refused + 1))
	for pid in "${!storms[@]}"; do
		pkill -KILL -P "$pid" 2>/dev/null
		kill -KILL "$pid" 2>/dev/null
	done
	wait 2>/dev/null
	for i in $(seq 100); do
		rmmod homa 2>/dev/null && break
		sleep 0.05
	done
	[ -d /sys/module/homa ] && echo "# the module is still in use after $i tries"
	insmod "$LAB_MODULE" && reloads=$((reloads + 1))
}

reap_storms() {
	local pid
	for pid in "${!storms[@]}"; do
		kill -0 "$pid" 2>/dev/null || unset "storms[$pid]"
	done
}

step() {
	reap_storms
	[ ${#storms[@]} -ge "$storms_max" ] || start_storm
	pick 24
	case $picked in
	1 | 2 | 3) kill_storm ;;
	4) delete_host ;;
	5 | 6) delete_link ;;
	7 | 8) move_link ;;
	9 | 10 | 11) change_mtu ;;
	12 | 13) remove_address ;;
	14) link_down ;;
	15 | 16 | 17 | 18) change_knob ;;
	19) read_files ;;
	20) reload_module ;;
	*) sleep 0.05 ;;
	esac
}

run_steps() {
	local i=0 end
	if [ "${limit%s}" != "$limit" ]; then
		end=$((SECONDS + ${limit%s}))
		while [ "$SECONDS" -lt "$end" ]; do
			step
			i=$((i + 1))
		done
	else
		for ((i = 0; i < limit; i++)); do
			step
		done
	fi
	steps=$i
}

mkdir -p /run/churn
for i in 1 2 3; do
	make_host $i
done
join_all
# The shell tells of each process that was killed, and iproute2 of what is gone.
exec 3>&2 2>/run/churn/errors
run_steps
wait
exec 2>&3
echo "# $steps steps, $reloads reloads, $refused refused, $(cat /run/churn/*.log | wc -l) storms ended"

bad=$(grep -h '^storm: started' /run/churn/*.log |
	grep -vE 'bad_content 0 .*wrongly_executed 0$' | head -5)
check_equal "nothing was corrupted or executed twice" "$bad" ""
check_at_least "storms that ended by themselves" "$(cat /run/churn/*.log | grep -c finished)" 1
check_at_least "steps" "$steps" 3

# Whatever happened, new hosts work as if nothing had.
for i in 1 2 3; do
	ip netns del c$i
	make_host $i
done
join_all
sleep 0.1
check "RPCs afterwards, IPv4" "$STORM" --client c1 --server c2 --to 10.8.12.2 --count 50 \
	--max 100000
check "RPCs afterwards, IPv6" "$STORM" --client c2 --server c3 --to fd08:23::3 --count 50 \
	--max 100000
for i in 1 2 3; do
	ip netns del c$i
done
finish
