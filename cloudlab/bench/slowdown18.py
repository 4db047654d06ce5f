# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Tail slowdown of short messages as SIGCOMM'18 shows it, against the paper's own values.

Limits are what the paper reports at the median size, at its loads. Slowdown is latency from the
intended start over the idle round trip of the same size in the same cluster.
"""

from argparse import ArgumentParser, Namespace

from clusterlib import sweep
from clusterlib.registry import bench
from clusterlib.sweep import Point, Verdict

# The paper's P99 slowdown at the median size, and the load that it was measured at.
PAPER = {"w2": (0.35, 2.67), "w3": (0.76, 2.7), "w4": (0.76, 2.18), "w5": (0.76, 1.79)}
# Long enough to have a few hundred of the largest messages, which are rare in W2 and W3.
LEAST_MS = {"w2": 10, "w3": 10}
POINTS = [Point(name, load, LEAST_MS.get(name, 0)) for name, (load, _) in PAPER.items()]


def add_options(parser: ArgumentParser) -> None:
    """Options of `cperf run slowdown18`."""
    sweep.add_options(parser, "paper18", POINTS, "homa")


def judge(point: Point, protocols: dict) -> list:
    """P99 slowdown of messages up to the median size; the rest is shown."""
    homa = protocols["homa"]
    half, tenth = homa["shortest_half"], homa["shortest_tenth"]
    return [Verdict("P99 slowdown, messages up to the median", half["p99_slowdown"],
                    at_most=PAPER[point.workload][1]),
            Verdict("P50 slowdown, messages up to the median", half["p50_slowdown"]),
            Verdict("P99 slowdown, shortest tenth", tenth["p99_slowdown"]),
            Verdict("mean slowdown above 100 kB", homa["large_mean_slowdown"]),
            Verdict("wire load measured", homa["measured_wire_load"])]


@bench("slowdown18", add_options)
def slowdown18(args: Namespace) -> int:
    """P99 slowdown of short messages in W2 to W5 on paper18, judged by the SIGCOMM'18 paper."""
    if "homa" not in args.protocols.split(","):
        args.protocols = "homa," + args.protocols
    return sweep.run("slowdown18", args, POINTS, judge)
