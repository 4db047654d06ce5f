#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# In a virtual machine with several CPUs: RPCs a second with one thread a side and with more,
# by turns. smp starts it. A line of CSV a run: "rate", protocol, threads, run, RPCs, seconds, RPCs a second.
# Usage: smp_guest.sh THREADS RUNS SECONDS
set -u
. "$(dirname "$0")/../../test/vm/lib.sh"
CP_NODE=$TOP/out/bin/cp_node
threads=$1
runs=$2
seconds=$3
declare -A port=([homa]=4000 [tcp]=5000 [udp]=6000)

# rate PROTOCOL THREADS RUN
rate() {
	local server out=/run/rate.json
	rm -f $out
	ip netns exec b "$CP_NODE" server --protocol "$1" --ports "$2" --first-port "${port[$1]}" >/dev/null &
	server=$!
	sleep 0.5
	on a "$CP_NODE" client --protocol "$1" --servers 10.7.0.2 --first-port "${port[$1]}" \
		--ports "$2" --server-ports "$2" --port-receivers 0 --client-max "$2" \
		--seconds "$seconds" --json $out >/run/rate.log 2>&1 || sed 's/^/# /' /run/rate.log
	kill $server
	wait $server
	awk -F'[:,]' -v row="$1,$2,$3" -v seconds="$seconds" '$1 ~ /^ *"done"$/ {
		printf "rate,%s,%d,%s,%.0f\n", row, $2, seconds, $2 / seconds }' $out
}

ip link add v0 numtxqueues 2 numrxqueues 2 type veth peer name v1 numtxqueues 2 numrxqueues 2
host a v0 1 0
host b v1 2 0
meet a 10.7.0.2
for run in $(seq "$runs"); do
	for protocol in homa tcp udp; do
		for n in 1 "$threads"; do
			rate $protocol "$n" "$run"
		done
	done
done
ip netns del a
ip netns del b
