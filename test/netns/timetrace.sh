#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: /proc/net/timetrace: format, order, own namespace, freeze, permissions
# lab: --hosts 3
# flavor: fast@quick debug
. "$(dirname "$0")/lib.sh"

file=/run/trace.$$

trace() {
	on "$1" cat /proc/net/timetrace >$file
}

events() {
	grep -cE '^[0-9.]+ \[C[0-9]+\] ' $file
}

trace h1
trace h2
check "RPCs from h1 to h2" "$STORM" --count 5 --min 100 --max 5000
for host in h1 h2; do
	trace $host
	check_equal "$host: first line" "$(head -1 $file | cut -d: -f1)" cpu_khz
	check_at_least "$host: events" "$(events)" 20
	check_equal "$host: other lines" "$(tail -n +2 $file |
		grep -cvE '^[0-9.]+ \[C[0-9]+\] [^ ]')" 0
	check_equal "$host: out of order" "$(tail -n +2 $file |
		awk '$1 < last { n++ } { last = $1 } END { print n + 0 }')" 0
done
trace h3
check_equal "h3 saw nothing of it" "$(grep -ciE 'sendmsg|request|DATA' $file)" 0

# Reading has emptied the ring, and new events are recorded.
trace h1
before=$(events)
check "more RPCs" "$STORM" --count 2 --min 100 --max 100
trace h1
check_at_least "events after a read" "$(events)" $((before + 4))

# Frozen until it is read.
knob h1 action 3
"$STORM" --count 3 --min 100 --max 100 >/dev/null
trace h1
check_equal "nothing is recorded while frozen" "$(grep -ci sendmsg $file)" 0
"$STORM" --count 3 --min 100 --max 100 >/dev/null
trace h1
check_at_least "recording goes on after the read" "$(events)" 4

# To the kernel log, the newest first; they stay.
"$STORM" --count 3 --min 100 --max 100 >/dev/null
dmesg -C
knob h1 action 5
check_at_least "records in the kernel log" "$(dmesg | grep -cE '\[C[0-9]+\] ')" 4
check_equal "which are out of order" "$(dmesg | sed -nE 's/.*homa: ([0-9.]+) \[C.*/\1/p' |
	awk 'NR > 1 && $1 > last { n++ } { last = $1 } END { print n + 0 }')" 0
trace h1
check_at_least "and still in the ring" "$(events)" 4

check_equal "mode" "$(on h1 stat -Lc %a /proc/net/timetrace)" 440
on h1 setpriv --reuid 65534 --regid 65534 --clear-groups cat /proc/net/timetrace \
	>/dev/null 2>&1
result $((!$?)) "others may not read it" "they can"
check_equal "/proc/timetrace" "$(readlink /proc/timetrace)" self/net/timetrace

# The binary form has the same records, and the same rules.
"$STORM" --count 20 --min 100 --max 5000 >/dev/null
check_at_least "records that text and binary form have in common" \
	"$(on h1 /usr/bin/python3 "$TOP/test/lib/tracefile.py")" 100
trace h1
check_equal "reading it empties the ring" "$(grep -ci sendmsg $file)" 0
check_equal "binary form: mode" "$(on h1 stat -Lc %a /proc/net/timetrace_bin)" 440
on h1 setpriv --reuid 65534 --regid 65534 --clear-groups cat /proc/net/timetrace_bin \
	>/dev/null 2>&1
result $((!$?)) "others may not read the binary form" "they can"
knob h1 action 3
"$STORM" --count 3 --min 100 --max 100 >/dev/null
on h1 cat /proc/net/timetrace_bin >/dev/null
"$STORM" --count 3 --min 100 --max 100 >/dev/null
trace h1
check_at_least "reading the binary form ends a freeze" "$(grep -ci sendmsg $file)" 3
check_equal "heading: the host's addresses" \
	"$(grep -c "trace is of host 0x$(printf '%x' $((0x0a000001)))$" $file)" 1
finish
