# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Latency over load."""

from argparse import Namespace

from clusterlib.study import Case, study

SHARES = (0.1, 0.2, 0.5, 1.0)


@study(protocols="homa,tcp,dctcp", x="Load, fraction of the link")
def cp_load(args: Namespace) -> list:
    """Homa, TCP and DCTCP at 10, 20, 50 and 100% of the load that --load says."""
    loads = [args.load * share for share in SHARES]
    return [Case(f"{load:.4g}", (("load", load),), load) for load in loads]
