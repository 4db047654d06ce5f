# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# shellcheck shell=sh
# For check/package, in the system it installed, after its boot: POSIX sh and what
# the packages bring.

check() {
	what=$1
	shift
	if "$@" >/run/said 2>&1; then
		echo "ok $what"
	else
		echo "not ok $what: $(tail -1 /run/said)"
	fi
}

soon() {
	for _ in $(seq 50); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.2
	done
	"$@"
}

release=$(uname -r)
check "systemd runs" grep -q lab.service /proc/self/cgroup
check "DKMS built both modules for $release" \
	sh -c "ls /lib/modules/$release/updates/dkms/homa.ko* /lib/modules/$release/updates/dkms/homa_diag.ko*"
check "homa.ko is not loaded after a boot" test ! -e /sys/module/homa
homa_drive server --protocol homa --port 4000 >/run/server 2>&1 &
server=$!
check "socket() loads it" soon test -e /sys/module/homa/initstate
check "a server listens" soon test -s /run/server
check "udev applies sysctl.d when the module comes" \
	soon grep -qx 4 /proc/sys/net/homa/num_priorities
check "modprobe.d counts" grep -qx 1024 /sys/module/homa/parameters/timetrace_events
check "RPCs over the loopback device" homa_drive rtt 127.0.0.1:4000 --count 20
check "homa_ss shows the server, by homa_diag.ko" sh -c 'homa_ss | grep 4000'
check "homa_metrics reads the counters" sh -c 'homa_metrics --all | grep responses_received'
check "homa(7) is there" test -e /usr/share/man/man7/homa.7.gz
check "a module in use stays" sh -c '! rmmod homa'
kill $server
check "both modules can be unloaded" soon sh -c 'rmmod homa_diag 2>/dev/null; rmmod homa'
