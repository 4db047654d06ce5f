#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: storms of a million hostile packets of each kind
# lab: --no-topology
# size: full
# timeout: 2400
#
# The cases are those of attack.c.
ATTACK_PACKETS=1000000 exec "$(dirname "$0")/../../out/bin/test/attack" "$@"
