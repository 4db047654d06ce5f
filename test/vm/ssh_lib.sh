# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# shellcheck shell=bash
# For scenarios of cperf over ssh: machines that are namespaces with an sshd each.
#
# What is measured is of an emulated machine and means nothing; what counts is who is told about
# what, and what is left behind.
. "$(dirname "${BASH_SOURCE[0]}")/../netns/lib.sh"
TOP=$(cd "$(dirname "$0")/../.." && pwd)
RUN=/run/cluster
driver=''		# what runs in the background
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

# start_machines COUNT BIN: cp_node is in that folder
start_machines() {
	local count=$1 bin=$2 i
	ssh-keygen -q -t ed25519 -N '' -f $RUN/host_key
	ssh-keygen -q -t ed25519 -N '' -f $RUN/user_key
	cp $RUN/user_key.pub $RUN/authorized
	ip link add br0 type bridge
	ip addr add 10.9.0.100/24 dev br0
	ip link set br0 up
	for ((i = 1; i <= count; i++)); do
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
		nodes = "machine[1-$count]"
		ssh = "10.9.0.[1-$count]"
		address = "10.9.0.[1-$count]"
		key = "$RUN/user_key"
		device = "e0"
		bin = "$bin"
	END
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

# How the experiment or job ended.
ended() {
	wait "$driver"
}

# The experiment has come that far.
reached() {
	local i
	for i in $(seq 1500); do
		# shellcheck disable=SC2086
		grep -qs "^$1" $progress && return
		kill -0 "$driver" 2>/dev/null || return
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

# stopped NAME SIGNAL MACHINE...: that ends what runs now, and leaves nothing
stopped() {
	kill "-$2" "$driver"
	wait "$driver"
	status=$?
	[ $status = 130 ] || say_log "$1"
	check_equal "$1: an interrupt ends it" $status 130
	check "$1: the machines are as they were" clean "${@:3}"
}
