# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The slowdown figures of Homa's papers: ours beside the published values.

SIGCOMM'18: P99 slowdown at the median size, simulated, 10 Gb/s (bench slowdown18).
ATC'21: round trips of the shortest tenth, measured on 40 machines at 25 Gb/s, MTU 3000
(bench slowdown21). Those hosts' processors took time, ours take none: P50 is mostly that.
"""

import json
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from . import plots, studyplot
from .errors import ClusterError
from .registry import all_benches
from .repeats import interval


@dataclass(frozen=True)
class Figure:
    """A figure of a summary and what a paper says it was."""

    name: str
    label: str
    protocol: str
    group: str
    key: str
    published: dict             # workload -> value


@dataclass(frozen=True)
class Paper:
    """A paper's figures and the bench that measures them."""

    bench: str
    title: str
    figures: tuple


PAPERS = {
    "sigcomm18": Paper("slowdown18", "SIGCOMM'18", (
        Figure("homa_p99_slowdown", "P99 slowdown, messages up to the median", "homa",
               "shortest_half", "p99_slowdown", {"w2": 2.67, "w3": 2.7, "w4": 2.18, "w5": 1.79}),)),
    "atc21": Paper("slowdown21", "ATC'21", (
        Figure("homa_p50_us", "Homa, P50 of the shortest tenth, us", "homa", "shortest_tenth",
               "p50_us", {"w2": 30.9, "w3": 41.9, "w4": 46.8, "w5": 55.4}),
        Figure("homa_p99_us", "Homa, P99 of the shortest tenth, us", "homa", "shortest_tenth",
               "p99_us", {"w2": 57.7, "w3": 98.5, "w4": 109, "w5": 139}),
        Figure("tcp_p99_us", "TCP, P99 of the shortest tenth, us", "tcp", "shortest_tenth",
               "p99_us", {"w2": 4152, "w3": 5093, "w4": 2113, "w5": 4361}),
        Figure("dctcp_p99_us", "DCTCP, P99 of the shortest tenth, us", "dctcp", "shortest_tenth",
               "p99_us", {"w2": 4812, "w3": 6362, "w4": 881, "w5": 991}))),
}


def measured(folder: Path, figure: Figure) -> dict:
    """{workload: values, one a seed} of a sweep's folder."""
    found: dict = {}
    for path in sorted(folder.glob("*-s*/summary.json")):
        summary = json.loads(path.read_text())
        row = summary["protocols"].get(figure.protocol)
        value = row and row[figure.group][figure.key]
        if value is not None:
            found.setdefault(summary["setup"]["workload"], []).append(value)
    return found


def table(folder: Path, paper: Paper) -> pd.DataFrame:
    """A row a figure and workload: ours, its interval, the published value."""
    rows = []
    for figure in paper.figures:
        for workload, values in measured(folder, figure).items():
            mean, width = interval(np.array(values))
            published = figure.published.get(workload, float("nan"))
            rows.append({"figure": figure.name, "workload": workload, "seeds": len(values),
                         "ours": mean, "ours_ci": width, "published": published,
                         "ours_over_published": mean / published})
    if not rows:
        raise ClusterError(f"{folder}: no figures of {paper.title} in it")
    return pd.DataFrame(rows)


def draw(paper: Paper, figure: Figure, part: pd.DataFrame):
    """Bars: ours with its interval, and the paper's."""
    with plt.style.context(plots.STYLE):
        drawn, axes = plt.subplots()
        x = np.arange(len(part))
        color = plots.COLORS.get(figure.protocol, plots.OTHER)
        axes.bar(x - 0.2, part.ours, 0.38, color=color[0], label="this simulation", capsize=4,
                 yerr=part.ours_ci.fillna(0))
        axes.bar(x + 0.2, part.published, 0.38, color=color[1], label=paper.title)
        for offset, column in ((-0.2, "ours"), (0.2, "published")):
            for at, value in zip(x, part[column]):
                axes.annotate(f"{value:.3g}", (at + offset, value), ha="center", va="bottom")
        if part.ours.max() > 10 * part.ours.min() or part.published.max() > 10 * part.ours.min():
            axes.set_yscale("log")
        axes.set_xticks(x, part.workload.str.upper())
        axes.set_title(f"{figure.label}: ours beside {paper.title}")
        axes.legend(loc="best")
    return drawn


def write(folder: Path, paper: Paper) -> pd.DataFrame:
    """Write paper.csv and a picture a figure into a sweep's folder."""
    found = table(folder, paper)
    found.to_csv(folder / "paper.csv", index=False, float_format="%.6g")
    for figure in paper.figures:
        part = found[found.figure == figure.name]
        if len(part):
            studyplot.save(draw(paper, figure, part), folder, f"paper_{figure.name}")
    return found


def run(args: Namespace) -> int:
    """Run the paper's clusters, unless --from names a result, and draw its figures."""
    paper = PAPERS[args.paper]
    folder, code = Path(args.source or args.out or ""), 0
    if not args.source:
        if not args.out:
            raise ClusterError("paper: say where with --out DIR", 2)
        bench = next(b for b in all_benches() if b.name == paper.bench)
        code = bench.run(args)
    print(write(folder, paper).to_string(index=False))
    print(f"pictures: {folder}/paper_*.png and .pdf")
    return code
