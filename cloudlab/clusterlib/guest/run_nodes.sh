#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#
# Runs one protocol's load on every host of a simulated cluster, from inside the guest.
#
#   run_nodes.sh JOB
#
# JOB is a folder that cperf prepares (clusterlib/job.py).  What is measured is left there too.  The guest knows it as /run/cperf/job: the length of a name must not change what
# happens when, down to the nanosecond.
#
# A process costs milliseconds of real time in the guest, so waiting, telling the time and
# talking to cp_node are done with what the shell has built in.

set -u
job=/run/cperf/job
mkdir -p "$job"
mount --bind "$1" "$job" || exit 1
HOSTS=0 PROTOCOL='' CP_NODE='' SEND_US=0 DRAIN_US=0 TRACE_US=0 STEPS=20 WARM_US=0 KNOBS='' TRACE_EVENTS=0 FREEZE=''
PROBE=1 STEMS='' UNLOADED=''
# shellcheck source=/dev/null
. "$job/job.env"
touch /run/cperf/cp_node
mount --bind "$CP_NODE" /run/cperf/cp_node || exit 1
BAD_RUN=3 # cp_node's exit code if RPCs failed; its counts tell more
declare -a pid=() to=() trace=() binary=()
switch=0 # a process in the switch's namespace, by which its files are found

fail() {
	echo "run_nodes: $*" >&2
	echo "$*" >"$job/failed"
	exit 1
}

# Blocks for some microseconds: reads from a pipe into which nobody writes.
mkfifo /run/cperf/never
exec 9<>/run/cperf/never
nap_us() {
	local us=$1 text
	((us > 0)) || return 0
	printf -v text '%d.%06d' $((us / 1000000)) $((us % 1000000))
	read -r -t "$text" -u 9
	return 0
}

now_us() {
	now=${EPOCHREALTIME/[.,]/}
}

sleep_until_us() {
	now_us
	nap_us $(($1 - now))
}

# Goes on at a round time: what went before took a time that depends on the length of paths.
align() {
	now_us
	sleep_until_us $(((now / 100000 + 2) * 100000))
	now_us
}

start_nodes() {
	local i fd
	((TRACE_EVENTS == 0)) || [[ $PROTOCOL != homa ]] ||
		echo "$TRACE_EVENTS" >/sys/module/homa/parameters/timetrace_events
	for ((i = 1; i <= HOSTS; i++)); do
		mkfifo "/run/cperf/h$i"
		# The shell sets what is per namespace and then becomes cp_node.
		# shellcheck disable=SC2016,SC2086
		ip netns exec "h$i" /bin/sh -c '
			echo 0 >/proc/sys/net/ipv4/tcp_slow_start_after_idle
			echo 1 >/proc/sys/net/ipv4/tcp_no_metrics_save
			for knob; do
				name=${knob%%=*}
				case $name in
				*.*) name=$(echo "$name" | tr . /) ;;
				*) name=net/homa/$name ;;
				esac
				echo "${knob#*=}" >"/proc/sys/$name" || exit 1
			done
			exec "$0"' /run/cperf/cp_node $KNOBS <"/run/cperf/h$i" >"$job/h$i.log" 2>&1 &
		pid[i]=$!
		exec {fd}>"/run/cperf/h$i"
		to[i]=$fd
	done
	ip netns exec sw sleep 1000000 9<&- &
	switch=$!
	nap_us 20000
	for ((i = 1; i <= HOSTS; i++)); do
		[[ ! -s $job/h$i.server ]] || cat "$job/h$i.server" >&"${to[i]}"
	done
	nap_us 50000
}

# Gives host $1 the commands of file $2, which begin at $3 us.
order() {
	local text
	text=$(<"$job/h$1.$2")
	printf '%s\n' "${text//@START@/${3}000}" >&"${to[$1]}"
}

# Waits until the files NAME$1 exist that a phase writes, for each of the other arguments a NAME
# that begins with its host, at most $2 us of the guest's time.
wait_for() {
	local suffix=$1 limit=$2 i file
	shift 2
	now_us
	local end=$((now + limit))
	for file; do
		i=${file#h}
		i=${i%%.*}
		until [[ -s $job/$file$suffix ]]; do
			kill -0 "${pid[i]}" 2>/dev/null || fail "cp_node on host $i ended early: see h$i.log"
			now_us
			((now < end)) || fail "host $i did not finish: $file$suffix is missing"
			nap_us 1000
		done
	done
}

# What happens to the network at times of the load: a line of $job/events each.
run_events() {
	local start=$1 us command
	while read -r us command; do
		sleep_until_us $((start + us))
		# shellcheck disable=SC2086
		$command || fail "$command"
	done <"$job/events"
}

# Counters of every host and of every queue, as text that is interpreted later.
snapshot() {
	local name=$1 i
	for ((i = 1; i <= HOSTS; i++)); do
		[[ -e /proc/${pid[i]}/net/homa_metrics ]] &&
			cat "/proc/${pid[i]}/net/homa_metrics" >"$job/h$i.homa_metrics.$name"
		cat "/proc/${pid[i]}/net/snmp" "/proc/${pid[i]}/net/netstat" >"$job/h$i.snmp.$name"
	done
	devices "$name"
	tc -s -j -n sw qdisc show >"$job/sw.qdisc.$name"
	ip -s -s -j -n sw link show >"$job/sw.link.$name"
	for ((i = 1; i <= HOSTS; i++)); do
		tc -s -j -n "h$i" qdisc show dev e0 >"$job/h$i.qdisc.$name"
	done
}

# Counters of the uplinks, read so fast that it can be done while hosts are busy.
devices() {
	local name=$1 i lines
	for ((i = 1; i <= HOSTS; i++)); do
		mapfile -t lines <"/proc/${pid[i]}/net/dev"
		printf '%s\n' "${lines[@]}" >"$job/h$i.dev.$name"
	done
}

# Homa's counters, read as fast.
homa_counters() {
	local name=$1 i lines
	[[ -e /proc/${pid[1]}/net/homa_metrics ]] || return 0
	for ((i = 1; i <= HOSTS; i++)); do
		mapfile -t lines <"/proc/${pid[i]}/net/homa_metrics"
		printf '%s\n' "${lines[@]}" >"$job/h$i.homa_metrics.$name"
	done
}

# What was recorded before the load would only be in the way of who analyses it.
forget_traces() {
	local i fd
	((TRACE_EVENTS)) && [[ -e /proc/${pid[1]}/net/timetrace ]] || return 0
	for ((i = 1; i <= HOSTS; i++)); do
		exec {fd}<"/proc/${pid[i]}/net/timetrace"
		exec {fd}<&-
	done
}

# The first host to which this happens freezes the traces of all.
arm_freeze() {
	local i
	[[ $FREEZE ]] || return 0
	for ((i = 1; i <= HOSTS; i++)); do
		# shellcheck disable=SC2016
		ip netns exec "h$i" /bin/sh -c '
			[ -z "$2" ] || echo "$2" >/proc/sys/net/homa/temp || exit
			echo "$1" >/proc/sys/net/homa/freeze_type' arm "${FREEZE%% *}" "${FREEZE#* }" ||
			fail "host $i cannot wait for a freeze"
	done
}

# A trace that is open does not change. It is read when nobody minds: that takes time.
hold_traces() {
	local i fd
	[[ -e /proc/${pid[1]}/net/timetrace ]] || return 0
	for ((i = 1; i <= HOSTS; i++)); do
		exec {fd}<"/proc/${pid[i]}/net/timetrace"
		trace[i]=$fd
		((TRACE_EVENTS)) || continue
		exec {fd}<"/proc/${pid[i]}/net/timetrace_bin"
		binary[i]=$fd
	done
}

read_traces() {
	local i fd
	((${#trace[@]})) || return 0
	for ((i = 1; i <= HOSTS; i++)); do
		cat <&"${trace[i]}" >"$job/h$i.tt"
		[[ -z ${binary[i]-} ]] || cat <&"${binary[i]}" >"$job/h$i.ttb"
	done
	for fd in "${trace[@]}" "${binary[@]}"; do
		exec {fd}<&-
	done
}

describe() {
	{
		uname -srm
		cat /proc/cmdline
	} >"$job/kernel.txt"
	[[ -d /proc/sys/net/homa ]] &&
		ip netns exec h1 grep -s . -r /proc/sys/net/homa >"$job/sysctl.txt"
	tc -n sw qdisc show >"$job/topology.txt"
	tc -n h1 qdisc show dev e0 >>"$job/topology.txt"
}

run_unloaded() {
	[[ -s $job/h$PROBE.unloaded ]] || return 0
	echo "unloaded 0" >"$job/progress"
	align
	order "$PROBE" unloaded $((now + 100000))
	# shellcheck disable=SC2086
	wait_for .unloaded.json 60000000 $UNLOADED
	nap_us 20000
}

run_load() {
	local i step lines
	align
	local start=$((now + 1000000))
	for ((i = 1; i <= HOSTS; i++)); do
		[[ ! -s $job/h$i.client ]] || order "$i" client $start
	done
	sleep_until_us $((start - 100000))
	snapshot before
	forget_traces
	arm_freeze
	[[ -e /proc/$switch/net/sch_port ]] && echo reset >"/proc/$switch/net/sch_port"
	[[ ! -s $job/events ]] || run_events "$start" &
	for ((step = 1; step <= STEPS; step++)); do
		if ((WARM_US > SEND_US * (step - 1) / STEPS && WARM_US <= SEND_US * step / STEPS)); then
			sleep_until_us $((start + WARM_US))
			homa_counters warm
		fi
		if [[ -z $FREEZE ]] && ((TRACE_US > SEND_US * (step - 1) / STEPS && TRACE_US <= SEND_US * step / STEPS)); then
			sleep_until_us $((start + TRACE_US))
			hold_traces
		fi
		sleep_until_us $((start + SEND_US * step / STEPS))
		echo "load $step $STEPS" >"$job/progress"
	done
	devices sent
	homa_counters sent
	# A card is in the same module as the ports: then the file is there, without a line.
	[[ -e /proc/$switch/net/sch_port ]] &&
		mapfile -t lines <"/proc/$switch/net/sch_port" &&
		((${#lines[@]})) && printf '%s\n' "${lines[@]}" >"$job/sw.ports.sent"
	echo "drain 0" >"$job/progress"
	# shellcheck disable=SC2086
	wait_for .json $((DRAIN_US + 5000000)) $STEMS
	snapshot after
	[[ -z $FREEZE ]] || hold_traces
	read_traces
}

stop_nodes() {
	local i fd rc
	kill "$switch"
	for ((i = 1; i <= HOSTS; i++)); do
		echo exit >&"${to[i]}"
		fd=${to[i]}
		exec {fd}>&-
	done
	for ((i = 1; i <= HOSTS; i++)); do
		wait "${pid[i]}"
		rc=$?
		((rc == 0 || rc == BAD_RUN)) || fail "cp_node on host $i exited with $rc: see h$i.log"
	done
}

echo "start 0" >"$job/progress"
align
start_nodes
describe
run_unloaded
run_load
stop_nodes
echo "$PROTOCOL" >"$job/finished"
