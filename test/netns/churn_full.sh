#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: ten minutes of everything coming and going at once
# lab: --no-topology --leaks
# flavor: smp@full
# seeds: 1 2
# timeout: 300
exec "$(dirname "$0")/churn.sh" 600s
