#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: an interrupt of cperf's part on namespaces of this kernel, at any time, leaves all as it was
# lab: --cpus 2
# size: full
# timeout: 900
# slots: 2
. "$(dirname "$0")/lib.sh"
RUN=/run/stop
POINTS=10
SEED=${LAB_SEED:-1}
mkdir -p $RUN
cd $RUN || exit 1

# start NAME: what cperf starts for one protocol, as a process group of its own
start() {
	/usr/bin/python3 - "$RUN/$1" "$TOP/cloudlab" <<-'END'
		import sys
		sys.path.insert(0, sys.argv[2])
		from pathlib import Path
		from clusterlib import job, nodes, realcluster
		network = nodes.Network(link="100m")
		cluster = realcluster.NetnsCluster(3, network, 1)
		load = job.Load("1000", 0.0005, 1500, 1, 1000, knobs=(("timeout_ticks", 2000),))
		job.write_job(cluster, {"homa": load}, Path(sys.argv[1]))
		cluster._describe(Path(sys.argv[1]))
	END
	setsid unshare --mount --propagation private \
		/usr/bin/python3 "$TOP/cloudlab/clusterlib/drive.py" "$RUN/$1" >"$RUN/$1.log" 2>&1 &
	driver=$!
}

# What an experiment could change. The kernel takes namespaces apart in its own time.
machine() {
	tc qdisc show
	ip -o link
	ip netns list
	lsns -n -t net -o NS | wc -l
	cat /proc/mounts
	find /proc/sys/net -type f ! -path '*/neigh/*' ! -path '*/route/*' -readable \
		-exec grep -Hs . {} +
	ls -d /tmp/cperf-host.*
	pgrep -x cp_node
} 2>/dev/null

as_before() {
	for _ in $(seq 150); do
		machine >$RUN/now
		cmp -s $RUN/before $RUN/now && return
		sleep 0.2
	done
	diff $RUN/before $RUN/now | sed 's/^/# /' | head -n 20
	return 1
}

machine >$RUN/before
begin=$EPOCHREALTIME
start whole
wait "$driver"
status=$?
[ "$status" = 0 ] || sed 's/^/# /' $RUN/whole.log
check_equal "without an interrupt it ends well" $status 0
lasts=$(awk "BEGIN { print $EPOCHREALTIME - $begin }")
check "and leaves all as it was" as_before
# A time in each tenth of the run.
times=$(awk -v n=$POINTS -v all="$lasts" -v seed="$SEED" \
	'BEGIN { srand(seed); for (i = 0; i < n; i++) printf "%.2f ", all * (i + rand()) / n }')
for when in $times; do
	start "at-$when"
	sleep "$when"
	kill -INT -- "-$driver" 2>/dev/null
	wait "$driver"
	status=$?
	case $status in
	0 | 130) ;;
	*) sed 's/^/# /' "$RUN/at-$when.log" | tail -n 15 ;;
	esac
	check "after $when of $lasts s all is as it was" as_before
	check "and no word of it" sh -c "! grep -q Traceback $RUN/at-$when.log"
done
finish
