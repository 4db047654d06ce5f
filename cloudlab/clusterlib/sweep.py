# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Sweeps: several workloads and seeds on one cluster, each figure judged against a limit.

    POINT-sSEED/         tables, summary.json, summary.txt of one point (results.py)
    verdicts.csv         a row a figure: seed, workload, load, what, value, limit, passed
    verdicts.json        the same, with settings and source;  verdicts.txt: as it was printed
"""

import math
import re
import shutil
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from . import results, runner
from .errors import ClusterError
from .experiment import (RPCS, Experiment, collect_all, say_estimate, tasks_of,
                         write_tables)
from .summary import failures


@dataclass(frozen=True)
class Point:
    """A workload at a load, for at least so many ms (0: as long as the RPCs take).

    What else is given are fields of Experiment; knobs distinguish points of the same workload.
    """

    workload: str
    load: float
    ms: float = 0
    knobs: tuple = ()
    rpcs: int = RPCS
    settings: tuple = ()

    @property
    def name(self) -> str:
        """What distinguishes it from the others of a sweep."""
        return "-".join([self.workload, *(f"{name}={value}" for name, value in self.knobs)])


@dataclass(frozen=True)
class Verdict:
    """A figure and its limit; without one it is only shown."""

    what: str
    value: float
    at_most: float = math.nan
    at_least: float = math.nan

    @property
    def limit(self) -> str:
        """The limit in words."""
        if not math.isnan(self.at_most):
            return f"<= {self.at_most:g}"
        return "" if math.isnan(self.at_least) else f">= {self.at_least:g}"

    @property
    def passed(self) -> bool:
        """Whether the figure is there and within its limit."""
        if not self.limit:
            return True
        return self.value <= self.at_most or self.value >= self.at_least


Judge = Callable[[Point, dict], list]           # figures of one point, from its protocols
Compare = Callable[[dict], list]                # (point, figure), from {point: protocols}


def parse_seeds(text: str) -> list:
    """Seeds from `1-5` or `1,3,7`."""
    seeds = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise ClusterError(f"'{text}': write seeds as 1-5 or 1,3", 2)
        seeds += range(int(match[1]), int(match[2] or match[1]) + 1)
    return seeds


def add_options(parser: ArgumentParser, cluster: str, points: list, protocols: str) -> None:
    """The options that all sweeps have."""
    add = parser.add_argument
    add("--cluster", default=cluster, help="as for cp_vs_tcp (%(default)s)")
    add("--seeds", default="1", help="such as 1-5 or 1,3 (%(default)s)")
    add("--workloads", default=",".join(p.workload for p in points), metavar="LIST",
        help="(%(default)s)")
    add("--protocols", default=protocols, help="(%(default)s)")
    add("--rpcs", type=int, default=RPCS, metavar="N",
        help="at least so many a point; fewer prove little (%(default)s)")
    add("--unloaded", type=int, default=2, metavar="N", help="unloaded RPCs a size (%(default)s)")
    add("--flavor", default="fast", help="kernel flavor (%(default)s)")
    add("--kernel", metavar="V", help="kernel version, such as 6.1")
    add("--jobs", type=int, default=0, help="runs at a time (default: one a core)")
    add("--out", metavar="DIR", help="folder for the results; it must not exist")


def choose(points: list, names: str) -> list:
    """The points that the user wants."""
    wanted = names.split(",")
    unknown = set(wanted) - {p.workload for p in points}
    if unknown:
        raise ClusterError(f"no point for workload {' '.join(sorted(unknown))}", 2)
    return [p for p in points if p.workload in wanted]


def _experiment(bench: str, args: Namespace, point: Point, seed: int) -> Experiment:
    # Enough RPCs for a percentile, and long enough for queues to be what they will be.
    ms = point.ms if args.rpcs >= point.rpcs else 0
    return Experiment(bench, args.cluster, point.workload, point.load, args.protocols,
                      ms or None, min(args.rpcs, point.rpcs), seed, unloaded=args.unloaded, flavor=args.flavor,
                      kernel=args.kernel, knobs=point.knobs, **dict(point.settings))


def run_all(plans: dict, raw: Path, jobs: int) -> Iterator[tuple]:
    """Run {key: experiment}, several at a time; yield (key, setup, measurements) of each."""
    tasks, setups = {}, {}
    for i, (key, experiment) in enumerate(plans.items()):
        load, setups[key] = experiment.plan()
        print(f"cperf: {experiment.headline(load, setups[key])}", flush=True)
        tasks[key] = tasks_of(experiment, f"{i}-")
    say_estimate(list(plans.values()), jobs)
    ran = runner.run_tasks({n: t for of in tasks.values() for n, t in of.items()}, raw, jobs)
    for key in plans:
        yield key, setups[key], collect_all(tasks[key], ran, setups[key]["hosts"])
        for name in tasks[key]:
            shutil.rmtree(ran[name][0])


def _run_seed(bench: str, args: Namespace, points: list, seed: int, raw: Path) -> Iterator[tuple]:
    """Run all points with one seed; yield (point, setup, results)."""
    plans = {p: _experiment(bench, args, p, seed) for p in points}
    for point, setup, measured in run_all(plans, raw, args.jobs):
        yield point, setup, measured


def table(rows: list) -> str:
    """The verdicts as text."""
    first = max((len(str(row[1])) for row in rows), default=0)
    widths = (6, max(9, first + 2), 6, 52, 10, 9)
    lines = []
    for row in [("seed", "workload", "load", "what", "value", "limit", ""), *rows]:
        cells = [f"{text:<{w}}" if i in (1, 3) else f"{text:>{w}}  "
                 for i, (text, w) in enumerate(zip(row, widths))]
        lines.append("".join(cells) + str(row[-1]))
    return "\n".join(lines)


def _verdicts(point: Point, summary: dict, judge: Judge) -> list:
    wrong = failures(summary)
    few = min(row["rpcs"] for row in summary["protocols"].values())
    return [*judge(point, summary["protocols"]), Verdict("RPCs", few, at_least=point.rpcs),
            Verdict("failures" + (f": {wrong[0]}" if wrong else ""), len(wrong), at_most=0)]


def run(bench: str, args: Namespace, all_points: list, judge: Judge,
        compare: Compare = lambda protocols: []) -> int:
    """Run a sweep, print and write its verdicts; 0 if all figures are within their limits."""
    points, seeds = choose(all_points, args.workloads), parse_seeds(args.seeds)
    first = _experiment(bench, args, points[0], seeds[0])
    first.check()
    started, begin, found, measured = time.time(), time.monotonic(), [], []
    with results.open_run(bench, seeds[0], args.out, False) as (folder, raw):
        runner.prepare(first.make_cluster(), first.names, raw)
        for seed in seeds:
            of_seed = {}
            for point, setup, measured in _run_seed(bench, args, points, seed, raw):
                place = folder / f"{point.name}-s{seed}"
                place.mkdir()
                results.write_manifest(place, setup, measured, started, time.monotonic() - begin)
                summary = write_tables(place, measured, setup)
                found += [(seed, point, v) for v in _verdicts(point, summary, judge)]
                of_seed[point] = summary["protocols"]
            found += [(seed, point, verdict) for point, verdict in compare(of_seed)]
            text = table([(s, p.name, f"{p.load:.0%}", v.what, f"{v.value:.4g}", v.limit,
                           "ok" if v.passed else "FAILED") for s, p, v in found])
            (folder / "verdicts.txt").write_text(text + "\n")
            print(text, flush=True)
        rows = [{"seed": s, "workload": p.name, "load": p.load, "what": v.what,
                 "value": v.value, "limit": v.limit, "passed": v.passed} for s, p, v in found]
        pd.DataFrame(rows).to_csv(folder / "verdicts.csv", index=False, float_format="%.4f")
        results.write_json(folder / "verdicts.json", {
            "version": 1, "bench": bench, "cluster": args.cluster, "seeds": args.seeds,
            "points": {p.name: asdict(p) for p in points},
            "source": results.source_state(), "elapsed_s": round(time.monotonic() - begin, 1),
            "passed": all(v.passed for _, _, v in found),
            "figures": {f"{s} {p.name} {v.what}": v.value for s, p, v in found}})
        print(f"results: {folder}")
    return 0 if all(v.passed for _, _, v in found) else 1
