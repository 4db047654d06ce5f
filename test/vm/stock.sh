#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: what only a distribution's kernel has: modules loaded on demand, 32-bit programs,
# io_uring with threads of its own, programs of a cgroup, memory that is not there yet
# lab: --cpus 2
# timeout: 300
. "$(dirname "$0")/lib.sh"
OUT=$TOP/out/bin
release=$(uname -r)

# try FAMILY: opens a socket of protocol 146
try() {
	python3 -c "import socket; socket.socket($1, socket.SOCK_DGRAM, 146)"
}

# Modules that the kernel finds by their aliases: these, and what they need.
tree=/run/tree/lib/modules/$release
mkdir -p "$tree"
cp "$LAB_MODULE" "$LAB_DIAG" "/lib/modules/$release/kernel/net/ipv4/inet_diag.ko" \
	"/lib/modules/$release/kernel/drivers/net/veth.ko" "$tree"
cp "/lib/modules/$release"/modules.{order,builtin}* "$tree"
depmod -b /run/tree "$release"
printf '#!/bin/sh\nexec /sbin/modprobe -d /run/tree "$@"\n' >/run/find_module
chmod +x /run/find_module
echo /run/find_module >/proc/sys/kernel/modprobe
for alias in net-pf-2-proto-146-type-2 net-pf-10-proto-146-type-2; do
	check_equal "$alias stands for homa.ko" \
		"$(modprobe -d /run/tree --resolve-alias $alias)" homa
done
for family in socket.AF_INET socket.AF_INET6; do
	rmmod homa
	check "$family: homa.ko is not loaded" test ! -d /sys/module/homa
	check "$family: socket() loads homa.ko" try $family
	check "$family: homa.ko is loaded" test -d /sys/module/homa
done

check "homa_diag.ko is not loaded" test ! -d /sys/module/homa_diag
check_equal "homa_ss lists no socket" "$("$OUT/homa_ss" --no-header | wc -l)" 0
check "homa_ss has loaded homa_diag.ko" test -d /sys/module/homa_diag
python3 -c "import resource, socket, subprocess, time
resource.setrlimit(resource.RLIMIT_NOFILE, (2000, 2000))
all = [socket.socket(2 + 8 * (i & 1), 2, 146) for i in range(1000)]
ms = []
for i in range(5):
	start = time.monotonic()
	lines = subprocess.check_output(['$OUT/homa_ss', '--no-header']).splitlines()
	ms.append(round((time.monotonic() - start) * 1000))
print(len(lines), min(ms))" >/run/thousand
read -r lines ms </run/thousand
check_equal "homa_ss lists 1,000 sockets" "$lines" 1000
check_at_least "within a second, on an emulated CPU (it took $ms ms)" 1000 "$ms"
object=$(awk '$1 == "HOMAv6" { print $2 }' /proc/net/protocols)
check_at_least "an idle socket takes at most 4 kB (it takes $object bytes)" 4096 "${object:-9999}"
rmmod homa_diag

"$OUT/test/compat32" >/run/compat32
sed -n 's/^/# /p' /run/compat32
check_equal "32-bit programs: all cases pass" "$(grep -c '^ok' /run/compat32)" 4

"$OUT/test/io_uring" >/run/io_uring
sed -n 's/^/# /p' /run/io_uring
check_equal "io_uring: all cases pass" "$(grep -c '^ok' /run/io_uring)" 22

"$OUT/test/copy_held" >/run/copy_held
sed -n 's/^/# /p' /run/copy_held
check_equal "messages held while they are copied in: all cases pass" \
	"$(grep -c '^ok' /run/copy_held)" 6

# A cgroup for what runs from here on, where it gets programs.
mkdir -p /run/cgroup
mount -t cgroup2 none /run/cgroup
mkdir /run/cgroup/homa
echo $$ >/run/cgroup/homa/cgroup.procs
"$OUT/test/cgroup_bpf" /run/cgroup/homa >/run/cgroup_bpf
sed -n 's/^/# /p' /run/cgroup_bpf
check_equal "programs of a cgroup: all cases pass" "$(grep -c '^ok' /run/cgroup_bpf)" 15

"$OUT/test/busy_poll" >/run/busy_poll
sed -n 's/^/# /p' /run/busy_poll
check_equal "threads poll before they sleep: all cases pass" "$(grep -c '^ok' /run/busy_poll)" 4
finish
