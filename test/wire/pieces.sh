#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# desc: packets whose headers are spread over pages: reassembly, ICMP errors, odd lengths, TCP's
# lab: --no-topology
# flavor: fast debug
#
# The cases are those of the programs; wire.h says what WIRE_PIECES does.
export WIRE_PIECES=1
bin="$(dirname "$0")/../../out/bin/test"
status=0
"$bin"/reassembly || status=1
"$bin"/behaviour icmp checksums smaller_mtu resend_of_a_response || status=1
"$bin"/encap both_kinds real_tcp || status=1
"$bin"/hostile truncated unknown_types trailing empty || status=1
exit $status
