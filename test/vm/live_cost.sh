#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: what each live tool and script of perf/ adds to an RPC, in instructions of both hosts
# lab: --icount --mem 3G
# size: full
# timeout: 1200
#
# Medians of RPCs one at a time over veth, both hosts on this machine; the tool looks at
# the client's host, and its programs run for the server's events, too, to find that
# they are of another one. And since a clock that counts stands still with the machine,
# here homalat and cp_node must agree on how long an RPC took.
. "$(dirname "$0")/lib.sh"
BIN=$TOP/out/bin
COUNT=200
MOST=20000				# more is a mistake

cost_hosts
short=$(cost 100)
long=$(cost 100000)
echo "# without a tool: $short for 100 bytes, $long for 100 kB"
for tool in homadrop homagrant homalat homaqueue homatop homatrace; do
	options=(--json --interval 0)
	[ $tool != homatrace ] || options=(--json --out /run/trace.ttb)
	ip netns exec a "$BIN/$tool" "${options[@]}" >/run/$tool.out 2>/run/$tool.err &
	pid=$!
	until grep -qs '^tracing' /run/$tool.err || ! kill -0 $pid 2>/dev/null; do
		sleep 0.1
	done
	with_short=$(($(cost 100) - short))
	with_long=$(($(cost 100000) - long))
	kill -INT $pid
	wait $pid
	check_equal "$tool ends well" $? 0
	echo "# $tool: $with_short more for 100 bytes, $with_long for 100 kB"
	check_at_least "$tool: what it adds to 100 bytes is known and bounded" $MOST "$with_short"
done

# Scripts are for all hosts, and have no word for it when they are attached.
mount -t debugfs none /sys/kernel/debug 2>/dev/null
for script in "$TOP"/perf/bt/*.bt; do
	name=${script##*/}
	bpftrace "$script" >"/run/$name" 2>&1 &
	pid=$!
	until grep -qs '^Attaching' "/run/$name" || ! kill -0 $pid 2>/dev/null; do
		sleep 0.1
	done
	sleep 1
	with_short=$(($(cost 100) - short))
	kill -INT $pid
	wait $pid
	check_equal "$name ends well" $? 0
	echo "# $name: $with_short more for 100 bytes"
	check_at_least "$name: what it adds is known and bounded" $((2 * MOST)) "$with_short"
done

ip netns exec b "$BIN/cp_node" server --ports 1 --first-port 4100 >/run/cp_server 2>&1 &
until grep -qs 'server: ports 4100' /run/cp_server; do
	sleep 0.01
done
ip netns exec a "$BIN/homalat" --port 4100 --json --interval 0 >/run/load.out 2>/run/load.err &
pid=$!
until grep -qs '^tracing' /run/load.err || ! kill -0 $pid 2>/dev/null; do
	sleep 0.1
done
# Between cp_node's clock and the tracepoints are 5,000 instructions, of the system call and of
# homalat; of a nanosecond each here, so RPCs must take long for buckets to be that wide.
on a "$BIN/cp_node" client --servers 10.7.0.2 --first-port 4100 --workload 1000000 \
	--limit $COUNT --port-receivers 0 --json /run/cp_node.out >/dev/null
kill -INT $pid
wait $pid
# The index of a bucket: 128 for each power of two.
/usr/bin/python3 - <<-END >/run/medians
	import json
	ours, theirs = (json.load(open(f"/run/{name}.out")) for name in ("load", "cp_node"))
	index = lambda ns: (ns.bit_length() - 8) * 128 + (ns >> ns.bit_length() - 8)
	medians = [h["p50"] for h in (ours["total"], theirs["hist"]["actual"])]
	print(ours["done"] - theirs["done"], theirs["done"], *medians, *map(index, medians))
END
read -r more rpcs ours theirs our_bucket their_bucket </run/medians
echo "# medians of $rpcs RPCs: homalat $ours ns, cp_node $theirs ns"
check_equal "homalat: as many RPCs as cp_node" "$more" 0
check_at_least "of which there were some" "$rpcs" $((COUNT / 2))
apart=$((our_bucket - their_bucket))
check_at_least "homalat: median within 2 buckets of cp_node's" 2 "${apart#-}"
finish
