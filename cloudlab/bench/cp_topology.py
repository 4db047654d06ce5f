# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The same hosts and load behind one switch, and behind two tiers of them."""

from argparse import ArgumentParser, Namespace

from clusterlib import fabric
from clusterlib.nodes import parse_cluster
from clusterlib.study import Case, study


def _options(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--leaves", type=int, metavar="N", help="(a quarter of the hosts)")
    add("--spines", type=int, default=2, metavar="N", help="(%(default)s)")
    add("--fabric", metavar="SETTINGS", help="one fabric of your own, such as "
        "'leaves=9 spines=4 over=2 rate=100g delay=1us', instead of the cases")
    add("--rates", metavar="LIST", help="links that are different, such as 'h3=10g'")
    add("--fail", metavar="LIST", help="links that fail: h3@5:2 is host 3's from ms 5 for 2 ms, "
        "leaf1-spine2@7 one between tiers for good")


@study(protocols="homa,tcp", load=0.5, options=_options)
def cp_topology(args: Namespace) -> list:
    """One switch against leaves and spines, oversubscribed once, twice and four times. Slowdown is
    over an idle round trip through a spine, so that of a pair below one leaf may be under 1."""
    hosts = parse_cluster(args.cluster)[1]
    common = (("ports_exact", True), ("events", fabric.failures(args.fail) if args.fail else ()))
    own, args.fabric = args.fabric, None        # what cases differ in is not of all of them
    if own:
        return [Case(own, (*common, ("fabric", own)))]
    shape = f"leaves={args.leaves or max(hosts // 4, 2)} spines={args.spines}"
    return [Case("one switch", common),
            *(Case(f"over {over}", (*common, ("fabric", f"{shape} over={over}")))
              for over in (1, 2, 4))]
