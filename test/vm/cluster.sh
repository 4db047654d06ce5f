#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: cperf drives four machines by ssh; one that dies is named, and an interrupt at any time leaves them as they were
# lab: --patient --mem 3G
# size: full
# timeout: 1200
# slots: 2
#
# The machines are namespaces with an sshd each. What is measured is of an emulated machine and
# means nothing; what counts is who is told about what, and what is left behind. Its clock counts
# instructions, so that nobody runs out of patience because the real machine is busy.
. "$(dirname "$0")/../netns/lib.sh"
TOP=$(cd "$(dirname "$0")/../.." && pwd)
RUN=/run/cluster
CPERF=$TOP/cloudlab/bin/cperf
if [ ! -x /usr/sbin/sshd ]; then
	# Not among the packages that are installed unasked: it would serve the machine itself.
	echo "ok 1 - machines by ssh # SKIP the package openssh-server is not installed"
	echo 1..1
	exit
fi
fonts=$HOME/.cache/matplotlib
export TMPDIR=$RUN/tmp HOME=/run/cluster/home
mkdir -p $RUN/tmp /run/sshd "$HOME/.ssh"
cd $RUN || exit 1
# To find all fonts takes minutes here: somebody has done it on this machine before.
[ ! -d "$fonts" ] || { mkdir "$HOME/.cache" && cp -r "$fonts" "$HOME/.cache"; }

# An sshd in a namespace, which costs an emulated processor as little as it can.
serve() {
	ip netns exec "$1" /usr/sbin/sshd -r -f /dev/null -o PidFile=none -o HostKey=$RUN/host_key \
		-o AuthorizedKeysFile=$RUN/authorized -o StrictModes=no -o UsePAM=no \
		-o PermitRootLogin=yes -o KexAlgorithms=curve25519-sha256 -o UseDNS=no
}

start_machines() {
	local i
	ssh-keygen -q -t ed25519 -N '' -f $RUN/host_key
	ssh-keygen -q -t ed25519 -N '' -f $RUN/user_key
	cp $RUN/user_key.pub $RUN/authorized
	ip link add br0 type bridge
	ip addr add 10.9.0.100/24 dev br0
	ip link set br0 up
	for i in 1 2 3 4; do
		ip netns add "m$i"
		ip link add "p$i" type veth peer name e0 netns "m$i"
		ip link set "p$i" master br0 up
		ip -n "m$i" addr add "10.9.0.$i/24" dev e0
		ip -n "m$i" link set lo up
		ip -n "m$i" link set e0 up
		serve "m$i" || return
	done
	cat >$RUN/cluster.toml <<-END
		backend = "ssh"
		link = "100m"
		[[hosts]]
		nodes = "machine[1-4]"
		ssh = "10.9.0.[1-4]"
		address = "10.9.0.[1-4]"
		key = "$RUN/user_key"
		device = "e0"
		bin = "$RUN/bin"
	END
}

# The machines share a kernel here, so one of them loads the module, and the others have programs.
install() {
	/usr/bin/python3 "$CPERF" install cluster.toml --hosts machine1 --module "$LAB_MODULE" &&
		/usr/bin/python3 "$CPERF" install cluster.toml --hosts machine2,machine3,machine4 &&
		cmp $RUN/bin/homa.ko "$LAB_MODULE" && [ -x $RUN/bin/cp_node ] && [ -d /proc/sys/net/homa ]
}

# experiment OUT MS PROTOCOLS: in the background, its output in OUT.log
experiment() {
	/usr/bin/python3 "$CPERF" run cp_vs_tcp --cluster $RUN/cluster.toml -w 1000 \
		--load 0.01 --ms "$2" --protocols "$3" --set timeout_ticks=2000 --jobs 1 --out "$RUN/$1" >"$RUN/$1.log" 2>&1 &
	driver=$!
	progress="$RUN/tmp/cperf-*/*/progress"
}

# job NAME MS: what cperf starts for one protocol, without cperf, which takes long to start here
job() {
	/usr/bin/python3 - "$RUN/$1" "$2" "$TOP/cloudlab" $RUN/cluster.toml <<-'END'
		import sys
		sys.path.insert(0, sys.argv[3])
		from pathlib import Path
		from clusterlib import job, nodes
		kind, hosts, network = nodes.parse_cluster(sys.argv[4])
		cluster = kind(hosts, network, 1)
		load = job.Load("1000", 0.0005, float(sys.argv[2]), 1, 1000,
		                knobs=(("timeout_ticks", 2000),))
		job.write_job(cluster, {"homa": load}, Path(sys.argv[1]))
		cluster._describe(Path(sys.argv[1]), inventory=cluster.text, path=sys.argv[4])
	END
	/usr/bin/python3 "$TOP/cloudlab/clusterlib/drive.py" "$RUN/$1" >"$RUN/$1.log" 2>&1 &
	driver=$!
	progress=$RUN/$1/progress
}

# The experiment has come that far.
reached() {
	local i
	for i in $(seq 1500); do
		# shellcheck disable=SC2086
		grep -qs "^$1" $progress && return
		kill -0 $driver 2>/dev/null || return
		sleep 0.1
	done
	return 1
}

# No process, file or setting of ours on a machine, soon: all this is slow here.
clean() {
	local i machine
	for i in $(seq 300); do
		pgrep -x cp_node >/dev/null || break
		sleep 0.2
	done
	! pgrep -x cp_node || return
	for i in $(seq 300); do
		ls -d /tmp/cperf-host.* >/dev/null 2>&1 || break
		sleep 0.2
	done
	! ls -d /tmp/cperf-host.* 2>/dev/null || return
	for machine; do
		[ "$(ip netns exec "$machine" cat /proc/sys/net/ipv4/tcp_slow_start_after_idle)" = 1 ] ||
			return
		ip netns exec "$machine" tc qdisc show dev e0 | grep -q noqueue || return
	done
}

say_log() {
	sed 's/^/# /' "$RUN/$1.log" | tail -n 15
}

check "four machines have an sshd" start_machines
rmmod homa
check "what experiments need is installed on them" install
experiment good 1500 homa,tcp
wait $driver
status=$?
[ $status = 0 ] || say_log good
check "cp_vs_tcp by ssh ends well" [ $status = 0 ]
check "each machine did its share over Homa and TCP" /usr/bin/python3 - $RUN/good <<'EOP'
import csv, gzip, sys
for protocol in ("homa", "tcp"):
    hosts = [row["host"] for row in csv.DictReader(
        gzip.open(f"{sys.argv[1]}/rpcs-{protocol}.csv.gz", "rt"))]
    assert set(hosts) == set("1234"), hosts
    assert min(hosts.count(h) for h in "1234") > 20
EOP
check "nothing is left on the machines" clean m1 m2 m3 m4

job dies 30000
check "an experiment offers its load" reached load
ip netns pids m3 | xargs kill -KILL
began=$SECONDS
wait $driver
status=$?
check "it fails when a machine dies" [ $status = 1 ]
check "soon" [ $((SECONDS - began)) -lt 40 ]
check "the machine that died is named, and no other" sh -c \
	"grep -q machine3 $RUN/dies.log && ! grep -q 'host machine[124]' $RUN/dies.log"
say_log dies
check "the others are as they were" clean m1 m2 m4
serve m3
rm -rf /tmp/cperf-host.*

# stopped NAME SIGNAL: that ends what runs now, and leaves nothing
stopped() {
	kill "-$2" $driver
	wait $driver
	status=$?
	[ $status = 130 ] || say_log "$1"
	check_equal "$1: an interrupt ends it" $status 130
	check "$1: the machines are as they were" clean m1 m2 m3 m4
}

for phase in start unloaded load; do
	job "stop-$phase" 30000
	check "an experiment is in its phase $phase" reached "$phase"
	stopped "stop-$phase" INT
done
experiment stop-cperf 30000 homa
check "an experiment of cperf is in its phase load" reached load
# A shell has those that it starts in the background ignore SIGINT.
stopped stop-cperf TERM
check "no results of it are kept" [ ! -e "$RUN/stop-cperf" ]

sed 's/nodes = .*/nodes = "machine[1-4]"\nport = 2/' <$RUN/cluster.toml >$RUN/wrong.toml
cp $RUN/wrong.toml $RUN/cluster.toml
job refused 1000
wait $driver
status=$?
check "a machine that cannot be reached is named" sh -c \
	"[ $status = 1 ] && grep -q 'machine1 (10.9.0.1).*refused' $RUN/refused.log"
finish
