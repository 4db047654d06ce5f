#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: hosts compute their cutoffs from what arrives, tell their peers, obey the user
# lab: --hosts 3
# flavor: fast@quick debug@full
. "$(dirname "$0")/lib.sh"

# knobs HOST: those that cutoffs are about, in one line
knobs() {
	on "$1" sh -c 'cd /proc/sys/net/homa; cat auto_cutoffs cutoff_version \
		max_sched_prio unsched_cutoffs' | tr -s '\t\n' ' '
}

check_equal "at first" "$(knobs h2)" "1 1 3 0 0 0 0 1000000 15000 2800 200 "

# Short messages only: all levels but one are unscheduled. Some ms pass before
# a new host draws conclusions.
check "short RPCs" "$STORM" --count 400 --min 20 --max 2000
sleep 0.02
check "more of them" "$STORM" --count 400 --min 20 --max 2000
read -r auto version max_sched cutoffs <<<"$(knobs h2)"
check_equal "computed" "$auto" 1
check_equal "scheduled levels" $((max_sched + 1)) 1
check_at_least "version" "$version" 2
check_at_least "6 less the version" $((6 - version)) 0
read -ra cutoff <<<"$cutoffs"
check_at_least "highest level's cutoff" "${cutoff[7]}" 100
check_at_least "800 less the highest level's cutoff" $((800 - cutoff[7])) 0
check_equal "changes" "$(counter h2 cutoff_changes)" $((version - 1))
check_equal "nothing arrived at h3" "$(knobs h3)" "1 1 3 0 0 0 0 1000000 15000 2800 200 "

# The peer has used the levels.
for level in 1 4 7; do
	check_at_least "h1's packets of level $level" \
		"$(counter h1 priority${level}_packets)" 5
done
check_at_least "CUTOFFS from h2" "$(counter h2 packets_sent_CUTOFFS)" 1
check_at_least "30 less CUTOFFS from h2" $((30 - $(counter h2 packets_sent_CUTOFFS))) 0

# Long messages: fewer levels.
check "long RPCs" "$STORM" --count 100 --min 900000 --max 1000000
read -r auto version max_sched cutoffs <<<"$(knobs h2)"
check_at_least "scheduled levels after long messages" $((max_sched + 1)) 4

# What the user writes stays, until the host may compute again.
knob h2 unsched_cutoffs "'0 0 0 0 0 1000000 5000 500'"
pinned=$(knobs h2)
check_equal "pinned" "${pinned%% *}" 0
check "short RPCs again" "$STORM" --count 400 --min 20 --max 2000 --seed 2
check_equal "still as the user wrote" "$(knobs h2)" "$pinned"
knob h2 auto_cutoffs 1
read -r auto version max_sched cutoffs <<<"$(knobs h2)"
check_equal "computed again" "$auto" 1
check_at_least "scheduled levels" $((max_sched + 1)) 4
finish
