# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""More is offered than fits, in large messages: how long the largest wait, and what their share does.

Shortest first starves the largest messages; a share of all grants is for the oldest. Those that
have not ended when time is up count with their age, or P99 would be that of the lucky ones.
"""

from argparse import ArgumentParser, Namespace

from clusterlib import sweep
from clusterlib.registry import bench
from clusterlib.sweep import Point, Verdict

BETTER = 2
NONE = (("grant_fifo_fraction", 0),)
# A second of load is some 6,000 RPCs of two messages each. At its end a third of a second's
# worth of messages waits, which take room where they are sent and where they go.
SETTINGS = (("mtu", 9000), ("drain_s", 0), ("bpages", 8000), ("memory", "8G"))
POINTS = [Point("starve", 1.3, 1000, knobs, 5000, SETTINGS) for knobs in ((), NONE)]


def add_options(parser: ArgumentParser) -> None:
    """Options of `cperf run starvation`."""
    sweep.add_options(parser, "paper18:4", POINTS, "homa")


def judge(_point: Point, protocols: dict) -> list:
    """Latency of the largest messages."""
    homa = protocols["homa"]
    largest = homa["largest"]
    return [Verdict("P99 of the largest messages, ms", largest["p99_us"] / 1e3),
            Verdict("P50 of the largest messages, ms", largest["p50_us"] / 1e3),
            Verdict("largest messages", largest["n"], at_least=200),
            Verdict("largest messages that did not end", largest["unfinished"]),
            Verdict("P99 of all, ms", homa["all"]["p99_us"] / 1e3),
            Verdict("goodput, Gb/s a host", homa["goodput_gbps"])]


def compare(found: dict) -> list:
    """P99 with the share of the oldest against that without."""
    p99 = {point.knobs: (point, protocols["homa"]["largest"]["p99_us"])
           for point, protocols in found.items()}
    (point, ours), (_, without) = p99[()], p99[NONE]
    return [(point, Verdict("times better thanks to the FIFO share, P99 of the largest",
                            without / ours, at_least=BETTER))]


@bench("starvation", add_options)
def starvation(args: Namespace) -> int:
    """Offer 130% of large messages for 1 s: the largest do not starve, thanks to the FIFO share."""
    args.protocols = "homa"
    return sweep.run("starvation", args, POINTS, judge, compare)
