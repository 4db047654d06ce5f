#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: an RPC costs at most twice as much with 100,000 outstanding to 10,000 peers
# lab: --icount --mem 4G
# size: full
# timeout: 1800
#
# Time is instructions here. Options are those of netns/scale.c.
exec "$(dirname "$0")/../../out/bin/test/scale" "$@"
