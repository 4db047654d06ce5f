#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: the first RPCs of README.md work as printed
# lab: --no-topology
# size: quick
# timeout: 60
set -eu
dir=$(mktemp -d /run/readme.XXXXXX)
trap 'rm -rf "$dir"' EXIT
ip link set lo up
awk -v name="$dir/first" '/^```$/ { inside = 0 }
	inside { print >name n ".c" }
	/^```c$/ { n++; inside = 1 }' README.md
gcc -Wall -Ihoma/uapi -Iutil/libhoma "$dir/first1.c" out/lib/libhoma.a -o "$dir/first1"
gcc -Wall -Ihoma/uapi "$dir/first2.c" -o "$dir/first2"
for program in first1 first2; do
	"$dir/$program" >"$dir/said"
	printf 'server: hello\nclient: world\n' | diff - "$dir/said"
done
