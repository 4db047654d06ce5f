#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: packets of each type, errors and hostile packets, all of them travelling as TCP
# lab: --no-topology
# flavor: fast debug
# timeout: 240
. "$(dirname "$0")/lib.sh"

wire_programs WIRE_TCP "as TCP"
