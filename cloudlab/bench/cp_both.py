# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Homa and TCP alone, and both at the same time on the same hosts and links."""

from argparse import ArgumentParser, Namespace

from clusterlib.errors import ClusterError
from clusterlib.study import Case, study


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--homa-share", type=float, default=0.5, metavar="F",
                        help="of the load that is Homa's when both run (%(default)s)")


@study(protocols="homa,tcp", options=_options)
def cp_both(args: Namespace) -> list:
    """Homa and TCP at the same time, against each alone with the load that it has then."""
    if not 0 < args.homa_share < 1:
        raise ClusterError("--homa-share must be between 0 and 1", 2)
    if len(args.protocols.split(",")) < 2:
        raise ClusterError("cp_both needs two protocols", 2)
    alone = {p: args.load * (args.homa_share if p == "homa" else 1 - args.homa_share)
             for p in args.protocols.split(",")}
    return [*(Case(f"{p} alone", (("protocols", p), ("load", load)))
              for p, load in alone.items()),
            Case("both", (("together", True), ("homa_share", args.homa_share)))]
