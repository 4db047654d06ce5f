# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# shellcheck shell=bash
# For scenarios, which `lab run` runs in a guest with hosts h1 ... hN: a check
# each, reported in KTAP, and counters of hosts.
#
#	. "$(dirname "$0")/lib.sh"
#	check "description" command...
#	check_equal "description" GOT WANT
#	finish

set -u
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export STORM=$TOP/out/bin/test/storm
export HOSTS=${LAB_HOSTS:-2}
checks=0
failures=0
echo "KTAP version 1"

# result STATUS DESCRIPTION [WHY]
result() {
	checks=$((checks + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $checks $2"
	else
		failures=$((failures + 1))
		echo "not ok $checks $2${3:+ - $3}"
	fi
}

check() {
	local what=$1 status
	shift
	"$@"
	status=$?
	result "$status" "$what" "${1##*/}: exit status $status"
}

check_equal() {
	[ "$2" = "$3" ]
	result $? "$1" "got $2 want $3"
}

check_at_least() {
	[ "$2" -ge "$3" ]
	result $? "$1" "got $2 want at least $3"
}

finish() {
	echo "1..$checks"
	[ "$failures" -eq 0 ]
	exit
}

# on HOST COMMAND...: run on a host
on() {
	local host=$1
	shift
	ip netns exec "$host" "$@"
}

# counter HOST NAME: sum over all cores
counter() {
	# shellcheck disable=SC2016
	on "$1" awk -v name="$2" '$1 == name { sum += $2 } END { printf "%d\n", sum }' \
		/proc/net/homa_metrics
}

# total NAME: sum over all hosts
total() {
	local i sum=0
	for i in $(seq "$HOSTS"); do
		sum=$((sum + $(counter "h$i" "$1")))
	done
	echo "$sum"
}

# knob HOST NAME VALUE: set net.homa.NAME
knob() {
	on "$1" sh -c "echo $3 >/proc/sys/net/homa/$2"
}

# wire_programs VARIABLE HOW: what is in test/wire of packets and errors, with packets that travel
# as lib/wire.h does by that variable
wire_programs() {
	local program
	export "$1=1"
	for program in layout behaviour reassembly grants hostile; do
		check "wire/$program $2" "$TOP/out/bin/test/$program"
	done
	finish
}
