#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: received packets take at most an eighth of a small machine, and it recovers
# lab: --no-topology --mem 256M
#
# The case is in limits.c.
LIMITS_MACHINE=1 exec "$(dirname "$0")/../../out/bin/test/limits" "$@"
