# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""More is offered than fits: how much of the links is used, and what overcommitment does for it.

What counts is payload that arrived for the first time, against what fits into the links beside
the headers of its packets, from when queues have built up until the load ends.
"""

from argparse import ArgumentParser, Namespace

from clusterlib import sweep
from clusterlib.registry import bench
from clusterlib.sweep import Point, Verdict

LOAD = 1.2
AT_LEAST = 0.93                 # of what fits, mean over hosts
GAIN = 0.05                     # of what fits, that is due to overcommitment
ONE = (("max_overcommit", 1),)
# Queues are what they will be after a quarter of the time. What waits fills the hosts' memory.
SETTINGS = (("warm", 0.25), ("memory", "6G"))
# 10,000 RPCs of W4 take 60 ms; then what is sent to a host differs by a tenth from what should
# be, and some have no queue at all.
LEAST_MS = {"w4": 200}
POINTS = [Point(name, LOAD, LEAST_MS.get(name, 0), knobs, settings=SETTINGS)
          for name in ("w4", "w5") for knobs in ((), ONE)]


def add_options(parser: ArgumentParser) -> None:
    """Options of `cperf run saturation`."""
    sweep.add_options(parser, "paper18", POINTS, "homa")


def judge(point: Point, protocols: dict) -> list:
    """The share of what fits that hosts receive; the limit is for Homa as it comes."""
    homa = protocols["homa"]
    limit = {} if point.knobs else {"at_least": AT_LEAST}
    return [Verdict("received, of what fits", homa["received_of_fit"], **limit),
            Verdict("wire load measured", homa["measured_wire_load"]),
            Verdict("granted bytes on their way, kB a host", homa["granted_kb"])]


def compare(found: dict) -> list:
    """What is lost when only one message is granted to at a time."""
    return [(point, Verdict("received more thanks to overcommitment, of what fits",
                            protocols["homa"]["received_of_fit"]
                            - other["homa"]["received_of_fit"], at_least=GAIN))
            for point, protocols in found.items() if not point.knobs
            for alone, other in found.items()
            if alone.workload == point.workload and alone.knobs == ONE]


@bench("saturation", add_options)
def saturation(args: Namespace) -> int:
    """Offer 120% of W4 and W5: the links are full; with max_overcommit 1 they are not."""
    args.protocols = "homa"
    return sweep.run("saturation", args, POINTS, judge, compare)
