#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: /proc/net/homa_metrics counts for its own namespace, in the fixed format
# lab: --hosts 3
# flavor: fast@quick debug
. "$(dirname "$0")/lib.sh"

check "40 RPCs from h1 to h2" "$STORM" --count 40 --min 100 --max 100

check_equal "h1 client_requests_started" "$(counter h1 client_requests_started)" 40
check_equal "h1 client_requests_done" "$(counter h1 client_requests_done)" 40
check_equal "h1 client_request_bytes_started" "$(counter h1 client_request_bytes_started)" 4000
check_equal "h1 client_request_bytes_done" "$(counter h1 client_request_bytes_done)" 4000
check_equal "h1 client_responses_started" "$(counter h1 client_responses_started)" 40
check_equal "h1 client_responses_done" "$(counter h1 client_responses_done)" 40
check_equal "h1 client_response_bytes_done" "$(counter h1 client_response_bytes_done)" 4000
check_equal "h1 responses_received" "$(counter h1 responses_received)" 40
check_equal "h1 requests_received" "$(counter h1 requests_received)" 0
check_equal "h1 sent_msg_bytes" "$(counter h1 sent_msg_bytes)" 4000
check_equal "h1 msg_bytes_128" "$(counter h1 msg_bytes_128)" 4000
check_equal "h1 packets_sent_DATA" "$(counter h1 packets_sent_DATA)" 40
check_equal "h1 packets_rcvd_DATA" "$(counter h1 packets_rcvd_DATA)" 40
check_equal "h1 send_calls" "$(counter h1 send_calls)" 40
check_equal "h1 reply_calls" "$(counter h1 reply_calls)" 0
check_equal "h2 requests_received" "$(counter h2 requests_received)" 40
check_equal "h2 server_requests_done" "$(counter h2 server_requests_done)" 40
check_equal "h2 server_request_bytes_done" "$(counter h2 server_request_bytes_done)" 4000
check_equal "h2 server_responses_done" "$(counter h2 server_responses_done)" 40
check_equal "h2 server_response_bytes_started" \
	"$(counter h2 server_response_bytes_started)" 4000
check_equal "h2 reply_calls" "$(counter h2 reply_calls)" 40
check_equal "h2 client_requests_started" "$(counter h2 client_requests_started)" 0
for name in requests_received responses_received packets_sent_DATA packets_rcvd_DATA \
	packets_rcvd_ACK send_calls peer_allocs; do
	check_equal "h3 $name" "$(counter h3 $name)" 0
done

file=/run/metrics.$$
on h1 cat /proc/net/homa_metrics >$file
check_equal "lines that are no metric" "$(grep -cvE '^[^ ]+ +[0-9]+ .+$' $file)" 0
check_equal "first line" "$(awk 'NR == 1 { print $1 }' $file)" time_cycles
check_equal "second line" "$(awk 'NR == 2 { print $1 }' $file)" cpu_khz
check_equal "third line" "$(awk 'NR == 3 { print $1 }' $file)" core
check_equal "columns" "$(grep -cvE '^.{30} .{20} ' $file)" 0
check_equal "names that come twice a core" \
	"$(awk '$1 == "core" { if (++n > 1) exit } { print $1 }' $file | sort | uniq -d)" ""
check_equal "lines of msg_bytes" "$(awk '$1 == "core" && ++n > 1 { exit } /^msg_bytes/' \
	$file | wc -l)" 188
check "anybody may read it" on h1 setpriv --reuid 65534 --regid 65534 --clear-groups \
	sh -c 'cat /proc/net/homa_metrics >/dev/null'
finish
