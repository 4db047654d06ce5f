#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: /proc/net/homa/snapshots: how far messages were, every 20 ms while there are any
# lab: --hosts 3
# flavor: fast debug@full
# timeout: 120
. "$(dirname "$0")/lib.sh"
file=/run/snapshots.$$

# snapshots HOST: read them into $file, without the heading
snapshots() {
	on "$1" cat /proc/net/homa/snapshots >$file.all
	tail -n +2 $file.all >$file
}

# column NAME: its number in $file
column() {
	head -1 $file.all | tr ' ' '\n' | grep -nx "$1" | cut -d: -f1
}

# last NAME: its value in the last snapshot
last() {
	tail -1 $file | cut -d' ' -f"$(column "$1")"
}

snapshots h1
check_equal "16 counters and a time" "$(head -1 $file.all | wc -w)" 17
check_equal "none before the first RPC" "$(wc -l <$file)" 0
for i in $(seq 10); do
	"$STORM" --count 5 --max 20000 --seed "$i" >/dev/null
	sleep 0.03
done
sleep 0.1
snapshots h1
lines=$(wc -l <$file)
check_at_least "snapshots of at least 0.3 s" "$lines" 14
for name in client_requests_started client_responses_done; do
	check_equal "$name is what homa_metrics says" "$(last $name)" "$(counter h1 $name)"
	check_at_least "$name grew between two" "$(sed -n "$((lines / 2))p" $file |
		cut -d' ' -f"$(column $name)")" "$(head -1 $file | cut -d' ' -f"$(column $name)")"
done
check_equal "20 ms apart" "$(awk 'NR > 1 && ($1 - t < 19000000 || $1 - t > 30000000) { n++ }
	{ t = $1 } END { print n + 0 }' $file)" 0
snapshots h2
check_equal "requests that the server finished" "$(last server_requests_done)" \
	"$(counter h2 server_requests_done)"
snapshots h3
check_equal "none of a host that does nothing" "$(wc -l <$file)" 0

# A second after the last change there are no more, and not 1001 of them.
sleep 3
snapshots h1
lines=$(wc -l <$file)
sleep 1
snapshots h1
check_equal "none while nothing happens" "$(wc -l <$file)" "$lines"
"$STORM" --count 10 --max 1000 >/dev/null
sleep 0.1
snapshots h1
check_at_least "more with the next RPC" "$(wc -l <$file)" $((lines + 1))

knob h1 action 6
on h1 cat /proc/net/timetrace >$file
check_equal "the last 25 are in a frozen trace" "$(grep -c 'snapshot taken before' $file)" 25
check_equal "what it says" "$(grep 'snapshot of client requests' $file | tail -1 |
	sed 's/.*: begun \([0-9]*\) .*/\1/')" "$(counter h1 client_requests_started)"
finish
