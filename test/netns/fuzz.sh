#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: random calls harm nobody: defined errnos, right messages, no hang, no leak
# lab: --no-topology
# flavor: fast smp@check debug@full
# seeds: 2
# timeout: 40
top=$(dirname "$0")/../..
if [ "${LAB_FLAVOR:-}" = smp ]; then
	set -- --seconds 20 "$@"
else
	set -- --calls 1000 "$@"
fi
exec "$top/out/bin/test/fuzz" --seed "${LAB_SEED:-1}" "$@"
