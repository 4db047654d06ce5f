#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: net.homa: names, modes, ranges, each namespace its own, who may do what
# lab: --hosts 2
# flavor: fast@quick debug
. "$(dirname "$0")/lib.sh"

# The reference's names; scripts for it may write any of them.
names="accept_bits action bpage_lease_usecs busy_usecs cutoff_version
dead_buffs_limit defer_min_bytes drop_bits fifo_grant_increment flags
freeze_type gen3_softirq_cores grant_fifo_fraction gro_busy_usecs gro_policy
gso_force_software hijack_tcp homa_share link_mbps max_dead_buffs
max_grantable_rpcs max_gro_skbs max_gso_size max_incoming max_link_usage
max_nic_est_backlog_usecs max_nic_queue_usecs max_overcommit max_sched_prio
next_id num_priorities pacer_fifo_fraction peer_gc_threshold
peer_idle_secs_max peer_idle_secs_min peer_net_max poll_usecs priority_map
reap_limit request_ack_ticks resend_interval resend_ticks
skb_page_frees_per_sec skb_page_pool_min_kb temp timeout_resends
timeout_ticks unsched_bytes unsched_cutoffs verbose window wmem_max"
dir=/proc/sys/net/homa

# get HOST NAME: value, with single spaces
get() {
	on "$1" cat "$dir/$2" | tr -s '\t' ' '
}

# refused HOST NAME VALUE: writing fails and changes nothing
refused() {
	local before
	before=$(get "$1" "$2")
	knob "$1" "$2" "'$3'" 2>/dev/null && return 1
	[ "$(get "$1" "$2")" = "$before" ]
}

# Run on h1 in one process, since programs are slow to start on the debug kernel:
# print names that are missing, then those whose value cannot be written back.
# shellcheck disable=SC2317
walk() {
	local name before after
	for name in "$@"; do
		[ -e "$dir/$name" ] || echo "missing $name"
		case $name in action | cutoff_version | max_sched_prio) continue ;; esac
		before=$(<"$dir/$name")
		echo "$before" >"$dir/$name" || echo "refused $name"
		after=$(<"$dir/$name")
		[ "$name" = unsched_cutoffs ] && before=${before/#0$'\t'/2147483647$'\t'}
		[ "$after" = "$before" ] || echo "changed $name"
	done
}

# shellcheck disable=SC2086
set -- $names
check_equal "names of the reference" $# 52
odd=$(on h1 find $dir -type f ! -perm 644 -printf '%f %m\n' | sort | tr '\n' ';')
check_equal "modes other than 644" "$odd" "cutoff_version 444;max_sched_prio 444;"
check_equal "missing names, and values that cannot be written back" \
	"$(on h1 bash -c "dir=$dir; $(declare -f walk); walk $*")" ""

check "set a value on h1" knob h1 unsched_bytes 12345
check_equal "h1 has it" "$(get h1 unsched_bytes)" 12345
check_equal "h2 has its default" "$(get h2 unsched_bytes)" 40000

while read -r name value; do
	check "refused: $name = $value" refused h1 "$name" "$value"
done <<-END
	resend_interval 0
	resend_ticks -1
	max_overcommit 9
	num_priorities 0
	priority_map 0 1 2 8
	max_link_usage 4
	verify_checksum 2
	wmem_max 99999999999
	unsched_bytes many
	gen3_softirq_cores 0 99999 0 0
	next_id 7
	action -1
	cutoff_version 5
END

version=$(get h1 cutoff_version)
check "write cutoffs" knob h1 unsched_cutoffs "'0 0 0 0 0 1000000 5000 500'"
check_equal "cutoff_version counts" "$(get h1 cutoff_version)" $((version + 1))
check_equal "max_sched_prio follows" "$(get h1 max_sched_prio)" 4

# The next request has the id that was set.
knob h1 next_id 1000
on h1 cat /proc/net/timetrace >/dev/null
check "an RPC" "$STORM" --count 1 --min 100 --max 100
on h1 cat /proc/net/timetrace >/run/trace.$$
check_equal "its id" "$(sed -n 's/.*sendmsg request.* id \([0-9]*\) .*/\1/p' \
	/run/trace.$$)" 1000
check_equal "next_id reads" "$(get h1 next_id)" 0

# Freezing takes CAP_NET_ADMIN even from who may write the file, and so does reading.
drop=(setpriv --bounding-set -net_admin --inh-caps -net_admin)
on h1 "${drop[@]}" bash -c "echo 3 >$dir/action" 2>/run/err.$$
result $((!$?)) "without CAP_NET_ADMIN there is no freezing" "there is"
check "the reason" grep -q 'not permitted' /run/err.$$
on h1 "${drop[@]}" cat /proc/net/timetrace >/dev/null 2>/run/err.$$
result $((!$?)) "without CAP_NET_ADMIN there is no trace" "there is"
check "the reason" grep -q 'not permitted' /run/err.$$
check_equal "action reads" "$(get h1 action)" 0
finish
