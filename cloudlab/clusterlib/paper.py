# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The slowdown figures of Homa's papers: ours beside the published values.

SIGCOMM'18: P99 slowdown at the median size, simulated, 10 Gb/s (bench slowdown18).
ATC'21: round trips of the shortest tenth, measured on 40 machines at 25 Gb/s, MTU 3000
(bench slowdown21). What was published is in published.py; why ours differ is in ../paper.md.
"""

import json
import sys
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from . import plots, published, studyplot
from .errors import ClusterError
from .registry import all_benches
from .repeats import interval
from .stats import MIN_P99


@dataclass(frozen=True)
class Figure:
    """A figure of a summary, and where to find what a paper says it was."""

    name: str
    label: str
    protocol: str
    group: str
    key: str


@dataclass(frozen=True)
class Paper:
    """A paper's figures and the bench that measures them."""

    bench: str
    table: published.Table
    column: str                 # of the curves over message size: slowdown or us
    figures: tuple


PAPERS = {
    "sigcomm18": Paper("slowdown18", published.TABLES["sigcomm18"], "slowdown", (
        Figure("homa_p99_slowdown", "P99 slowdown, messages up to the median", "homa",
               "shortest_half", "p99_slowdown"),)),
    "atc21": Paper("slowdown21", published.TABLES["atc21"], "us", (
        Figure("homa_p50_us", "Homa, P50 of the shortest tenth, us", "homa", "shortest_tenth",
               "p50_us"),
        Figure("homa_p99_us", "Homa, P99 of the shortest tenth, us", "homa", "shortest_tenth",
               "p99_us"),
        Figure("tcp_p99_us", "TCP, P99 of the shortest tenth, us", "tcp", "shortest_tenth",
               "p99_us"),
        Figure("dctcp_p99_us", "DCTCP, P99 of the shortest tenth, us", "dctcp",
               "shortest_tenth", "p99_us"))),
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
        others = paper.table.row(figure.protocol, figure.group, figure.key)
        for workload, values in measured(folder, figure).items():
            mean, width = interval(np.array(values))
            rows.append({"figure": figure.name, "workload": workload, "seeds": len(values),
                         "ours": mean, "ours_ci": width,
                         "published": others.get(workload, float("nan"))})
    if not rows:
        raise ClusterError(f"{folder}: no figures of {paper.table.title} in it; a P99 is one of "
                           f"{MIN_P99} messages or more")
    found = pd.DataFrame(rows)
    return found.assign(ours_over_published=found.ours / found.published)


def draw(paper: Paper, figure: Figure, part: pd.DataFrame):
    """Bars: ours, with its interval over the seeds if there are some, and the paper's."""
    with plt.style.context(plots.STYLE):
        drawn, axes = plt.subplots()
        x = np.arange(len(part))
        color = plots.COLORS.get(figure.protocol, plots.OTHER)
        seeds = int(part.seeds.min())
        axes.bar(x - 0.2, part.ours, 0.38, color=color[0], capsize=4,
                 label=f"this simulation ({seeds} seed{'s' * (seeds > 1)})",
                 yerr=part.ours_ci if part.ours_ci.notna().all() else None)
        axes.bar(x + 0.2, part.published, 0.38, color=color[1], label=paper.table.title)
        for offset, column in ((-0.2, "ours"), (0.2, "published")):
            for at, value in zip(x, part[column]):
                text = f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
                axes.annotate(text, (at + offset, value), ha="center", va="bottom")
        values = part[["ours", "published"]].to_numpy()
        if np.nanmax(values) > 10 * np.nanmin(values):
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(plots.PLAIN)
        axes.margins(y=0.2)             # above the bars, for the legend
        axes.set_xticks(x, part.workload.str.upper())
        axes.set_ylabel(figure.label)
        axes.set_title(f"Ours beside {paper.table.title}")
        axes.legend(loc="upper right", ncols=2)
    return drawn


def draw_sizes(paper: Paper, points: dict):
    """A panel a workload as papers have it: P50 and P99 over size, and what was published."""
    with plt.style.context(plots.STYLE):
        rows = -(-len(points) // 2)
        drawn, panels = plt.subplots(rows, 2, figsize=(11, 4.2 * rows), squeeze=False)
        for axes, (workload, folder) in zip(panels.flat, points.items()):
            names = sorted(p.stem.removeprefix("buckets-") for p in folder.glob("buckets-*.csv"))
            names.sort(key=list(plots.COLORS).index)
            buckets = {n: pd.read_csv(folder / f"buckets-{n}.csv") for n in names}
            plots.size_curves(axes, buckets, paper.column, 1, (paper.table, workload))
            axes.set_xlim(0, 100)
            axes.set_xlabel("Messages up to this size, %")
            axes.set_ylabel("Slowdown" if paper.column == "slowdown" else "Round trip, us")
            fewest = int(min(t.n.min() for t in buckets.values()))
            axes.set_title(f"{workload.upper()} (n = {fewest:,} or more a step)")
        for axes in panels.flat[len(points):]:
            axes.set_visible(False)
        shown = {text: handle for axes in panels.flat[:len(points)]
                 for handle, text in zip(*axes.get_legend_handles_labels())}
        drawn.legend(shown.values(), shown.keys(), loc="lower center", ncols=5, fontsize=9)
        drawn.tight_layout(rect=(0, 0.07, 1, 1))
    return drawn


def write(folder: Path, paper: Paper) -> pd.DataFrame:
    """Write paper.csv and a picture a figure into a sweep's folder."""
    found = table(folder, paper)
    found.to_csv(folder / "paper.csv", index=False, float_format="%.6g")
    for figure in paper.figures:
        part = found[found.figure == figure.name]
        if len(part):
            studyplot.save(draw(paper, figure, part), folder, f"paper_{figure.name}")
    points: dict = {}
    for path in sorted(folder.glob("*-s*/summary.json")):
        points.setdefault(path.parent.name.split("-s")[0], path.parent)
    studyplot.save(draw_sizes(paper, points), folder, "paper_sizes")
    return found


def unsound(folder: Path) -> int:
    """1 if RPCs failed or were too few; what misses a limit of the bench is only named."""
    verdicts = pd.read_csv(folder / "verdicts.csv")
    missed = verdicts[~verdicts.passed.astype(bool)]
    broken = missed.what.str.startswith("failures") | (missed.what == "RPCs")
    for row in missed[~broken].itertuples():
        print(f"beyond the bench's own limit: {row.workload}, {row.what}: {row.value:.4g} "
              f"({row.limit})")
    for row in missed[broken].itertuples():
        print(f"cperf: {row.workload}: {row.what}: {row.value:g}", file=sys.stderr)
    return int(broken.any())


def run(args: Namespace) -> int:
    """Run the paper's clusters, unless --from names a result, and draw its figures.

    1 if these do not count, as RPCs failed. How good they are does not matter to that: the
    bench (`cperf run`) judges.
    """
    paper = PAPERS[args.paper]
    folder, code = Path(args.source or args.out or ""), 0
    if not args.source:
        if not args.out:
            raise ClusterError("paper: say where with --out DIR", 2)
        bench = next(b for b in all_benches() if b.name == paper.bench)
        code = bench.run(args) and unsound(folder)
    print(write(folder, paper).to_string(index=False))
    print(f"pictures: {folder}/paper_*.png and .pdf")
    return code
