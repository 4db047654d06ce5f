#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: an interrupt of cperf, at any time, leaves machines that it drives by ssh as they were
# lab: --patient --mem 3G
# size: full
# timeout: 900
# slots: 2
. "$(dirname "$0")/ssh_lib.sh"

check "two machines have an sshd" start_machines 2 "$TOP/out/bin"
for phase in start unloaded load; do
	job "stop-$phase" 30000
	check "an experiment is in its phase $phase" reached "$phase"
	stopped "stop-$phase" INT m1 m2
done
experiment stop-cperf 30000 homa
check "an experiment of cperf is in its phase load" reached load
# A shell has those that it starts in the background ignore SIGINT.
stopped stop-cperf TERM m1 m2
check "no results of it are kept" [ ! -e "$RUN/stop-cperf" ]

finish
