#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: the first RPC of README.md works as printed
# lab: --no-topology
# size: quick
# timeout: 60
set -eu
dir=$(mktemp -d /run/readme.XXXXXX)
trap 'rm -rf "$dir"' EXIT
ip link set lo up
sed -n '/^```c$/,/^```$/{/^```/!p}' README.md >"$dir/first.c"
gcc -Wall -I homa/uapi "$dir/first.c" -o "$dir/first"
"$dir/first" >"$dir/said"
printf 'server: hello\nclient: world\n' | diff - "$dir/said"
