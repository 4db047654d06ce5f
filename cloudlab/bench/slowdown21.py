# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Tails of short messages at 80% load against an idle network, TCP and DCTCP."""

import math
from argparse import ArgumentParser, Namespace

from clusterlib import sweep
from clusterlib.registry import bench
from clusterlib.sweep import Point, Verdict

# Long enough for the queues of 80% to build up, and for a hundred of the largest messages, which are
# rare in W2 and W3.
POINTS = [Point("w2", 0.8, 12), Point("w3", 0.8, 12), Point("w4", 0.8), Point("w5", 0.8)]
HOMA_AT_MOST = 1.5              # times the idle round trip
BETTER = {"tcp": 10, "dctcp": 5}


def add_options(parser: ArgumentParser) -> None:
    """Options of `cperf run slowdown21`."""
    sweep.add_options(parser, "paper21", POINTS, "homa,tcp,dctcp")


def times(protocols: dict, other: str, figure) -> float:
    """How many times the other protocol's figure is Homa's; NaN if it did not run."""
    return figure(protocols[other]) / figure(protocols["homa"]) if other in protocols else math.nan


def judge(_point: Point, protocols: dict) -> list:
    """The shortest half by itself and against others; large messages against TCP."""
    def short(row: dict) -> float:
        return row["shortest_half"]["p99_slowdown"]

    def large(row: dict) -> float:
        return row["large_mean_slowdown"]

    # Slowdowns are over the idle round trip of whoever is fastest, to be comparable.
    found = [Verdict("P99 over Homa's own idle round trip, shortest half",
                     protocols["homa"]["shortest_half"]["p99_over_own_idle"],
                     at_most=HOMA_AT_MOST),
             Verdict("P99 slowdown, shortest half", short(protocols["homa"])),
             Verdict("P50 slowdown, shortest half", protocols["homa"]["shortest_half"][
                 "p50_slowdown"])]
    found += [Verdict(f"times better than {other}, P99, shortest half",
                      times(protocols, other, short), at_least=least)
              for other, least in BETTER.items() if other in protocols]
    if "tcp" in protocols:
        found.append(Verdict("Homa's mean slowdown above 100 kB over TCP's",
                             1 / times(protocols, "tcp", large), at_most=1))
    return found + [Verdict(f"wire load measured, {name}", row["measured_wire_load"])
                    for name, row in protocols.items()]


@bench("slowdown21", add_options)
def slowdown21(args: Namespace) -> int:
    """P99 slowdown of the shortest half in W2 to W5 at 80% on paper21, also of TCP and DCTCP."""
    if "homa" not in args.protocols.split(","):
        args.protocols = "homa," + args.protocols
    return sweep.run("slowdown21", args, POINTS, judge)
