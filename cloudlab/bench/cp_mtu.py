# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Latency over the MTU."""

from argparse import Namespace

from clusterlib.study import Case, study

MTUS = (1500, 3000, 6000, 9000)


@study(protocols="homa,tcp", x="MTU, bytes")
def cp_mtu(_args: Namespace) -> list:
    """The same load with an MTU of 1500, 3000, 6000 and 9000 bytes."""
    return [Case(str(mtu), (("mtu", mtu),), mtu) for mtu in MTUS]
