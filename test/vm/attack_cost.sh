#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: a hostile packet costs the host at most 1.5 times a UDP datagram to a closed port
# lab: --icount
# size: full
# timeout: 1200
#
# Time is instructions here. Options are those of netns/attack_cost.c.
exec "$(dirname "$0")/../../out/bin/test/attack_cost" "$@"
