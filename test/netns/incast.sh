#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: 300 responses of 10 kB at a time fit into a switch of 1 MB, and keep the link busy
# lab: --hosts 16 --link 10g --ports --shared-buffer --buffer 1000000
# flavor: fast debug@full
# size: check
# timeout: 180
. "$(dirname "$0")/lib.sh"

ports=/proc/net/sch_port

# port FIELD...: sum of a number of the client's port of the switch, such as "class bytes"
port() {
	# shellcheck disable=SC2016
	on sw awk -v what="$1" -v name="$2" '$1 == "p1" && $2 == what {
		for (i = 3; i < NF; i++) if ($i == name) sum += $(i + 1)
	} END { printf "%d\n", sum }' $ports
}

# incast: run the client; sets ns, and busy, the percentage of the time that its downlink
# was: 10 bits are a ns
incast() {
	on sw sh -c "echo reset >$ports"
	read -r _ _ _ ns <<<"$("${STORM%storm}incast" "$@")"
	busy=$(($(port class bytes) * 80 / ${ns:-1}))
	drops=$("$LAB_DROPS" --total | cut -d' ' -f2)
	echo "# $* ns $ns busy $busy% drops $drops peak $(port total peak) at h1's port;" \
		"asked $(counter h1 incast_requests) limited $(total incast_responses)" \
		"RESENDs $(total packets_sent_RESEND)"
}

# All at once.
incast --outstanding 300 --count 300
check_at_least "all RPCs are done; ns" "${ns:-0}" 1
check_equal "dropped packets" "$drops" 0
check_at_least "percent of the time that the downlink was busy" "$busy" 90
check_at_least "requests with the hint" "$(counter h1 incast_requests)" 200
check_equal "responses that heeded it" "$(total incast_responses)" \
	"$(counter h1 incast_requests)"
check_equal "RESENDs" "$(total packets_sent_RESEND)" 0
check_equal "packets sent twice" "$(total resent_packets)" 0

# A new one for each that ends.
incast --outstanding 300 --count 600
check_equal "dropped packets" "$drops" 0
check_at_least "percent of the time that the downlink was busy" "$busy" 90

# Few RPCs at a time, or short responses: nothing changes.
asked=$(counter h1 incast_requests)
incast --outstanding 20 --count 100
check_equal "20 RPCs at a time: further requests with the hint" \
	"$(counter h1 incast_requests)" "$asked"
limited=$(total incast_responses)
incast --outstanding 300 --count 300 --length 1000
check_equal "responses of 1000 bytes that were limited" "$(total incast_responses)" "$limited"
check_equal "dropped packets" "$drops" 0

# Without it the same traffic does not fit.
knob h1 incast_rpcs 0
asked=$(counter h1 incast_requests)
incast --outstanding 300 --count 300
check_equal "switched off: further requests with the hint" \
	"$(counter h1 incast_requests)" "$asked"
check_at_least "packets dropped without it" "$drops" 100
finish
