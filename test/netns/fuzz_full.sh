#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: half an hour of random calls
# lab: --no-topology --leaks
# flavor: smp@full
# timeout: 900
exec "$(dirname "$0")/fuzz.sh" --seconds 1800
