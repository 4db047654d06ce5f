#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
#
# Runs one host's part of an experiment in real time, and leaves the host as it was.
#
#   host_side.sh CP_NODE DEVICE STEM
#
# Reads orders from standard input, a line each, and answers each with a line "ok WORD..." or
# "error WHY". All files are in a scratch folder, whose name the first answer tells. When the
# input ends - since all is done, or because whoever drives this is gone - cp_node ends, sysctls
# are what they were before, and the folder is removed.

set -u
shopt -s inherit_errexit 2>/dev/null
CP_NODE=$1 DEVICE=$2 STEM=$3
node=0 folder='' frozen=0
declare -A before=()

say() {
	echo "$*" 2>/dev/null
}

cleanup() {
	trap '' HUP INT TERM PIPE
	local name
	if ((node)); then
		exec 8>&-
		kill "$node" 2>/dev/null
		for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			kill -0 "$node" 2>/dev/null || break
			sleep 0.1
		done
		kill -KILL "$node" 2>/dev/null
	fi
	for name in "${!before[@]}"; do
		echo "${before[$name]}" 2>/dev/null >"$name"
	done
	((frozen == 0)) || echo 10 2>/dev/null >/proc/sys/net/homa/action
	[[ -z $folder ]] || rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM PIPE

sysctl_path() {
	case $1 in
	*.*) path=/proc/sys/${1//.//} ;;
	*) path=/proc/sys/net/homa/$1 ;;
	esac
}

# Sets a sysctl, and remembers what it was.
knob() {
	local path old
	sysctl_path "$1"
	if ! old=$(cat "$path" 2>/dev/null); then
		say "error there is no sysctl $1"
		return 1
	fi
	[[ -n ${before[$path]+set} ]] || before[$path]=$old
	echo "$2" 2>/dev/null >"$path" && return
	say "error $1 does not take $2"
	return 1
}

start() {
	local word
	# What is per namespace, and what TCP needs to be compared fairly.
	for word in net.ipv4.tcp_slow_start_after_idle=0 net.ipv4.tcp_no_metrics_save=1 "$@"; do
		knob "${word%%=*}" "${word#*=}" || return
	done
	mkfifo "$folder/orders"
	(cd "$folder" && exec "$CP_NODE" <orders >"$STEM.log" 2>&1) &
	node=$!
	exec 8>"$folder/orders"
	say ok started
}

alive() {
	kill -0 "$node" 2>/dev/null && return
	say "error cp_node ended early: $(tail -n 1 "$folder/$STEM.log" 2>/dev/null)"
	return 1
}

# Counters as files that are interpreted later. The device is called e0 there, as in a
# simulated cluster.
counters() {
	local net=/proc/self/net
	[[ ! -e $net/homa_metrics ]] || cat "$net/homa_metrics" >"$folder/$STEM.homa_metrics.$1"
	sed "s/^ *$DEVICE:/    e0:/" "$net/dev" >"$folder/$STEM.dev.$1"
}

snapshot() {
	cat /proc/self/net/snmp /proc/self/net/netstat >"$folder/$STEM.snmp.$1"
	counters "$1"
	tc -s -j qdisc show dev "$DEVICE" >"$folder/$STEM.qdisc.$1" 2>/dev/null ||
		echo '[]' >"$folder/$STEM.qdisc.$1"
}

describe() {
	{
		uname -srm
		cat /proc/cmdline
	} >"$folder/kernel.txt"
	[[ ! -d /proc/sys/net/homa ]] || grep -s . -r /proc/sys/net/homa >"$folder/sysctl.txt"
	{
		ip -o link show dev "$DEVICE"
		tc qdisc show dev "$DEVICE"
	} >"$folder/topology.txt" 2>/dev/null
}

# freeze TYPE [LIMITS...]: the first host to which this happens freezes the traces of all
freeze() {
	local type=$1
	shift
	(($# == 0)) || knob temp "$*" || return
	echo 10 >/proc/sys/net/homa/action && frozen=1 && knob freeze_type "$type"
}

traces() {
	[[ ! -e /proc/self/net/timetrace ]] || cat /proc/self/net/timetrace >"$folder/$STEM.tt"
	[[ $1 = 0 || ! -e /proc/self/net/timetrace_bin ]] ||
		cat /proc/self/net/timetrace_bin >"$folder/$STEM.ttb"
}

# obey WORD [ARGUMENT...]
obey() {
	local word=$1
	shift
	case $word in
	time) say "ok time $EPOCHREALTIME" ;;
	start) start "$@" ;;
	cp)
		alive || return
		echo "$*" >&8
		say ok cp
		;;
	have)
		alive || return
		local file missing=0
		for file; do
			[[ -s $folder/$file ]] || missing=1
		done
		say "ok have $missing"
		;;
	counters | snapshot | traces | freeze)
		"$word" "$@" && say "ok $word"
		;;
	describe)
		describe
		say ok describe
		;;
	files)
		say "ok files $(tar -C "$folder" -czf - --exclude=./orders . | base64 -w 0)"
		;;
	*) say "error no order $word" ;;
	esac
}

if ! [[ -x $CP_NODE ]]; then
	say "error $CP_NODE is missing: 'cperf install' copies it"
	exit 1
fi
if [[ -z $DEVICE ]] || ! [[ -d /sys/class/net/$DEVICE || -e /proc/self/net/dev_snmp6/$DEVICE ]]; then
	say "error there is no network device '$DEVICE'"
	exit 1
fi
# Named before it is made: a signal at any time removes it. Nobody else has a name like it.
folder=/tmp/cperf-host.$$.$RANDOM$RANDOM
mkdir -m 700 "$folder" || exit 1
say "ok ready $folder"
while read -r line; do
	# shellcheck disable=SC2086
	obey $line
done
