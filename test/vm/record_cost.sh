#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: what recording adds to an RPC, in instructions, for each event and with its clock
# lab: --icount
# size: full
# timeout: 300
#
# Medians of RPCs one at a time over veth, both hosts on this machine, with recording
# off and on. The code of a record alone is counted by test/check/ttcost; here the cache,
# the branches and the clock are those of a kernel that runs.
. "$(dirname "$0")/lib.sh"
RECORD=30				# instructions of a record
VALUES=6				# to have its values at hand
CLOCK=43				# of homa_now(): ktime_get() and read_tsc(), perf.txt 10

# forget: empty both rings
forget() {
	on a cat /proc/net/timetrace >/dev/null
	on b cat /proc/net/timetrace >/dev/null
}

# events: records of both hosts, of which some are the timetrace's own
events() {
	echo $(($(on a cat /proc/net/timetrace | wc -l) + $(on b cat /proc/net/timetrace | wc -l)))
}

# recording Y|N
recording() {
	echo "$1" >/sys/module/homa/parameters/timetrace
}

cost_hosts
for size in 100 10000; do
	recording N
	forget
	empty=$(events)
	off=$(cost $size)
	check_equal "off: nothing is recorded of $size bytes" "$(events)" "$empty"
	recording Y
	forget
	started=$(counter a client_requests_started)
	on=$(cost $size)
	recording N
	rpcs=$(($(counter a client_requests_started) - started))
	each=$(((($(events) - empty) + rpcs / 2) / rpcs))
	echo "# $size bytes: $off off, $on on, $each events an RPC," \
		"$(((on - off) / each)) instructions an event"
	check_at_least "$size bytes: events of each stage" "$each" 20
	check_at_least "$size bytes: instructions an event, with its clock" \
		$((RECORD + VALUES + CLOCK)) $(((on - off) / each))
	check_at_least "$size bytes: recording does cost something" $(((on - off) / each)) 10
done
finish
