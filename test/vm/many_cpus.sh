#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: a machine that may have 300 CPUs: metrics and traces are those of all of them
# lab: --cpus 2 --append possible_cpus=300
# timeout: 400
. "$(dirname "$0")/lib.sh"
file=/run/many

check_equal "possible CPUs" "$(cat /sys/devices/system/cpu/possible)" 0-299
ip link add veth0 type veth peer name veth1
host v1 veth0 1 1
host v2 veth1 2 1
check "200 RPCs" "$STORM" --client v1 --server v2 --to 10.7.1.2 --count 200 --max 3000

on v1 cat /proc/net/homa_metrics >$file
check_equal "a part of the metrics for each" "$(grep -c '^core ' $file)" 300
check_equal "in order" "$(awk '$1 == "core" && $2 != n++ { odd++ } END { print odd + 0 }' $file)" 0
check_equal "as many counters in each" "$(awk '$1 == "core" { n++; next } n { count[n]++ }
	END { for (i in count) if (count[i] != count[1]) odd++; print odd + 0 }' $file)" 0
check_equal "they add up" "$(counter v1 client_requests_started)" 200
check "homa_metrics reads them" on v1 "$TOP/out/bin/homa_metrics" --json
on v1 cat /proc/net/timetrace >$file
check_equal "the trace says how many" "$(grep -c 'trace version, events .* cpus 300$' $file)" 1
check_at_least "it has the requests" "$(grep -c 'sendmsg request' $file)" 100
check_equal "gen3_softirq_cores has four numbers for each" \
	"$(on v1 cat /proc/sys/net/homa/gen3_softirq_cores | wc -w)" 1200
tear_down
finish
