# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Draws the pictures of a result again, from its tables alone."""

import json
from pathlib import Path

import pandas as pd

from . import plots, published, studyplot
from .errors import ClusterError
from .registry import all_benches
from .repeats import over_seeds
from .stats import add_latency, common_baseline, size_at
from .study import named, options_of, place_of, read_cases
from .units import rate_label


def read_table(folder: Path, stem: str) -> pd.DataFrame:
    """A table of a result, compressed or not."""
    for name in (f"{stem}.csv.gz", f"{stem}.csv"):
        if (folder / name).is_file():
            return pd.read_csv(folder / name)
    raise ClusterError(f"{folder}: no table {stem}")


def _one(folder: Path, into: Path, others: published.Table | None) -> list:
    """The pictures of one experiment, with what others have published."""
    summary = json.loads((folder / "summary.json").read_text())
    setup, names = summary["setup"], list(summary["protocols"])
    rpcs = {name: read_table(folder, f"rpcs-{name}") for name in names}
    baseline = common_baseline({n: read_table(folder, f"unloaded-{n}") for n in names})
    sizes = rpcs[names[0]]["size"].to_numpy()
    done = {name: add_latency(table, baseline) for name, table in rpcs.items()}
    buckets = {name: read_table(folder, f"buckets-{name}") for name in names}
    what = (f"{setup['workload'].upper()}, {setup['load']:.0%} load, {setup['hosts']} hosts, "
            f"{rate_label(setup['link_bps'])} links, MTU {setup['mtu']}")
    made = plots.all_figures(buckets, done, sizes, size_at(sizes, 0.5), what,
                             others and (others, setup["workload"]))
    for name, (figure, _) in made.items():
        studyplot.save(figure, into, name)
    return [into / f"{name}.{kind}" for name in made for kind in ("png", "pdf")]


def _study(folder: Path, into: Path) -> list:
    """The pictures of a study."""
    plan = json.loads((folder / "plan.json").read_text())
    bench = plan["bench"]
    found = next((b.run.study for b in all_benches() if b.name == bench), None)
    if not found:
        raise ClusterError(f"{folder}: there is no bench {bench}")
    table = read_cases(folder)
    first = table[table.seed == table.seed.iloc[0]]
    buckets = {(row.case, row.workload, row.protocol): pd.read_csv(
        place_of(folder, row.case, row.workload, row.seed) / f"buckets-{row.protocol}.csv")
        for row in first.itertuples()}
    found = named(found, options_of(found, plan["arguments"][2:]))
    made = studyplot.draw(into, found, over_seeds(table), buckets)
    return [into / f"{stem}.{kind}" for _, stem, _ in made for kind in ("png", "pdf")]


def redraw(folder: Path, into: Path, beside: str | None = None) -> list:
    """Draw all pictures of a result into a folder, beside a published table; their paths."""
    others, of_study = published.find(beside), (folder / "cases.csv").is_file()
    if others and of_study:
        raise ClusterError(f"{folder}: published figures belong to one experiment, such as "
                           f"{min(folder.glob('*-s*')).name}", 2)
    if not (of_study or (folder / "summary.json").is_file()):
        raise ClusterError(f"{folder}: draw the pictures of one of its points, such as "
                           f"{min(folder.glob('*-s*'), default=folder).name}", 2)
    into.mkdir(parents=True, exist_ok=True)
    if of_study:
        return _study(folder, into)
    return _one(folder, into, others)
