#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: cperf installs on machines by ssh and runs an experiment on them; one out of reach, or that dies, is named
# lab: --patient --mem 3G
# size: full
# timeout: 900
# slots: 2
#
# The machine's clock counts instructions, so that nobody runs out of patience because the real
# one is busy.
. "$(dirname "$0")/ssh_lib.sh"

# The machines share a kernel and their files here: one of them stands for all.
install() {
	/usr/bin/python3 "$CPERF" install cluster.toml --hosts machine1 --module "$LAB_MODULE" &&
		cmp "$RUN/bin/homa.ko" "$LAB_MODULE" && [ -x "$RUN/bin/cp_node" ] && [ -d /proc/sys/net/homa ]
}

check "four machines have an sshd" start_machines 4 "$RUN/bin"
rmmod homa
check "programs and module are installed and loaded" install
experiment good 1500 homa,tcp
ended
status=$?
[ "$status" = 0 ] || say_log good
check "cp_vs_tcp by ssh ends well" [ "$status" = 0 ]
check "each machine did its share over Homa and TCP" /usr/bin/python3 - "$RUN/good" <<'EOP'
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
killed=$(ip netns pids m3)
# shellcheck disable=SC2086 # words on purpose
kill -KILL $killed
began=$SECONDS
ended
status=$?
check "it fails when a machine dies" [ "$status" = 1 ]
check "soon" [ $((SECONDS - began)) -lt 40 ]
check "the machine that died is named, and no other" sh -c \
	"grep -q machine3 $RUN/dies.log && ! grep -q 'host machine[124]' $RUN/dies.log"
say_log dies
# Who is killed leaves what it has; all machines have the same /tmp here.
for pid in $killed; do
	rm -rf "/tmp/cperf-host.$pid".*
done
check "the others are as they were" clean m1 m2 m4
serve m3
rm -rf /tmp/cperf-host.*

sed 's/nodes = .*/nodes = "machine[1-4]"\nport = 2/' <"$RUN/cluster.toml" >"$RUN/wrong.toml"
cp "$RUN/wrong.toml" "$RUN/cluster.toml"
job refused 1000
ended
status=$?
check "a machine that cannot be reached is named" sh -c \
	"[ $status = 1 ] && grep -q 'machine1 (10.9.0.1).*refused' $RUN/refused.log"
finish
