# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Many hosts send to one."""

from argparse import Namespace

from clusterlib.nodes import parse_cluster
from clusterlib.study import Case, study


@study(protocols="homa,tcp", load=0.9, x="Hosts that send to one", y="peak_kb")
def cp_incast(args: Namespace) -> list:
    """2, 4, ... hosts send to one server, which has its link filled as --load says."""
    hosts = parse_cluster(args.cluster)[1]
    counts = sorted({n for n in (2, 4, 8, 16, 32, 64) if n < hosts} | {hosts - 1})
    return [Case(str(n), (("clients", tuple(range(2, n + 2))), ("servers", (1,)),
                          ("one_way", True), ("ports_exact", True)), n) for n in counts]
