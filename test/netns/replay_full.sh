#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: a million requests, none executed twice on a network that repeats all
# lab: --no-topology
# size: full
# timeout: 1800
export REPLAY_COUNT=1000000 REPLAY_RATE=20000
exec "$(dirname "$0")/../../out/bin/test/replay" every_packet
