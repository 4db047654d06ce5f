#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: RPCs leave no memory behind: many take no more than few did
# lab: --hosts 2 --loss 1
# timeout: 120
#
# Memory that is kept on purpose (peers, tombstones, slabs that are partly full)
# is there after the first round already.
. "$(dirname "$0")/lib.sh"

# kB that are neither free nor of files or programs; what is freed late is free,
# as is what each core keeps for its next allocations
used() {
	sleep 3
	sync
	echo 3 >/proc/sys/vm/drop_caches
	awk '$1 == "MemTotal:" { total = $2 }
		/^(MemFree|Cached|Buffers|SReclaimable|AnonPages):/ { rest += $2 }
		$1 == "count:" { rest += 4 * $2 }
		END { printf "%d\n", total - rest }' /proc/meminfo /proc/zoneinfo
}

round() {
	"$STORM" --count 500 --threads 4 --outstanding 20 --max 20000 --seed "$1" >/dev/null
}

check "first round" round 1
used >/dev/null		# what it frees is missed by the next round
check "second round" round 2
before=$(used)
for seed in 3 4 5 6 7 8; do
	check "round $seed" round $seed
done
after=$(used)
echo "# $before kB in use before, $after kB after 12,000 RPCs"
check_at_least "500 kB less what more is in use" $((before + 500 - after)) 0
finish
