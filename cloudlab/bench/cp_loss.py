# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Latency over the rate of losses."""

from argparse import Namespace

from clusterlib.study import Case, study

PERCENT = (0, 0.01, 0.1, 0.5, 1, 2)


@study(protocols="homa,tcp", load=0.5, x="Frames lost, %", log=True, y="all_p99_us")
def cp_loss(_args: Namespace) -> list:
    """The same load while 0 to 2% of all frames are lost at random."""
    return [Case(f"{loss:g}%", (("loss", loss),), loss) for loss in PERCENT]
