#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: 10,000 RPCs, v4 and v6, under loss, reordering and duplication
# lab: --hosts 2 --loss 2 --reorder 5 --duplicate 1
# flavor: fast@check debug@full
# timeout: 900
exec "$(dirname "$0")/loss.sh" 10000
