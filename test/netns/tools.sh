#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: homa_ping and homa_metrics tell what happens
# lab: --hosts 2
# timeout: 60
. "$(dirname "$0")/lib.sh"
BIN=$TOP/out/bin

# appears TEXT FILE: within 5 s
appears() {
	local tries=0
	until grep -qs "$1" "$2"; do
		tries=$((tries + 1))
		[ $tries -lt 500 ] || return 1
		sleep 0.01
	done
}

ip netns exec h2 "$BIN/homa_ping" --serve --port 4000 >/run/ready.$$ &
ip netns exec h2 "$BIN/homa_ping" --serve --port 4001 --ipv6 >/run/ready6.$$ &
check "a server listens" appears ready /run/ready.$$
check "one for IPv6, too" appears ready /run/ready6.$$

said=$(on h1 "$BIN/homa_ping" 10.0.0.2 --count 5 --interval 0.01 --size 20000)
check_equal "answers" "$(grep -c '^20000 bytes from 10.0.0.2:4000: seq=[1-5] time=' <<<"$said")" 5
check "its summary" grep -q '^5 RPCs of 20000 bytes, 5 answered, 0.0% failed' <<<"$said"
check_equal "answers over IPv6" "$(on h1 "$BIN/homa_ping" "[fd00::2]:4001" --count 3 --interval 0 |
	grep -c '^100 bytes from \[fd00::2\]:4001')" 3
json=$(on h1 "$BIN/homa_ping" 10.0.0.2:4000 --count 200 --interval 0.001 --json)
check "JSON, in virtual time to the microsecond" python3 -c '
import json, sys
d = json.loads(sys.argv[1])
r = d["rtt_us"]
assert (d["sent"], d["answered"], d["size"]) == (200, 200, 100)
assert 2 < r["min"] <= r["p50"] <= r["p99"] <= r["max"] < 50, r
assert abs(d["seconds"] - 0.2) < 0.01, d' "$json"

said=$(on h1 "$BIN/homa_ping" 10.0.0.2:4999 --count 2 --interval 0)
check_equal "exit status without a server" $? 3
check_equal "why" "$(grep -c 'no server on that port' <<<"$said")" 2

ip netns exec h1 "$BIN/homa_ping" 10.0.0.2 --interval 0.01 >/run/ping.$$ &
pid=$!
check "some answers" appears seq=10 /run/ping.$$
kill -INT $pid
wait $pid
check_equal "exit status after Ctrl-C" $? 0
check "a summary after Ctrl-C" grep -q '0.0% failed' /run/ping.$$

# What 100 RPCs of 1000 bytes do within an interval.
ip netns exec h1 "$BIN/homa_metrics" --interval 1 --json >/run/metrics.$$ &
pid=$!
sleep 0.1
on h1 "$BIN/homa_ping" 10.0.0.2 --count 100 --interval 0 --size 1000 --json >/dev/null
wait $pid
check "100 RPCs in the counters, and no canary" python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
c = {name: one["value"] for name, one in d["counters"].items()}
assert c["client_requests_started"] == c["client_responses_done"] == 100, c
assert c["client_request_bytes_done"] == 100000, c
assert abs(d["elapsed_seconds"] - 1) < 0.01
assert not d["canaries"], d["canaries"]
rate = [f["value"] for f in d["figures"] if f["label"] == "RPCs as a client"]
assert abs(rate[0] - 100) < 1, rate' /run/metrics.$$
check_equal "screens of --watch" \
	"$(on h1 "$BIN/homa_metrics" --watch --interval 0.2 --count 3 | grep -c ^Canaries)" 3
check_equal "end of OpenMetrics" "$(on h1 "$BIN/homa_metrics" --openmetrics | tail -1)" "# EOF"
finish
