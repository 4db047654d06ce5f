# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Pictures and report of a study: one style, PNG for the screen, PDF for paper."""

import base64
from pathlib import Path

import jinja2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from . import plots
from .repeats import FIGURES
from .report import TEMPLATES

MAX_CURVES = 8
WIDE = 20               # times the smallest value: more than a linear axis can show


def _name(workload: str) -> str:
    return Path(workload).stem


def _widths(part: pd.DataFrame, figure_name: str) -> np.ndarray | None:
    """Half widths of intervals; None where there was one seed."""
    values = part[f"{figure_name}_ci"]
    return values.fillna(0).to_numpy(dtype=float) if values.notna().any() else None


def _y_axis(axes, means: pd.DataFrame, figure_name: str) -> None:
    """From 0; logarithmic if the smallest time or slowdown would be no more than a line at 0."""
    values = means[figure_name]
    values = values[values > 0]
    wide = len(values) and values.max() > WIDE * values.min()
    if wide and ("us" in figure_name.split("_") or "slowdown" in figure_name):
        plots.decade_limits(axes, values.to_numpy(), 10 ** np.floor(np.log10(values.min())))
    else:
        top = (means[figure_name] + means[f"{figure_name}_ci"].fillna(0)).max()
        axes.set_ylim(0, 1.1 * top if top > 0 else 1)


def _x_axis(axes, means: pd.DataFrame, study, numeric: bool) -> None:
    """The numbers that were tried, or the names of cases."""
    if not numeric:
        names = means.case.unique()
        axes.set_xticks(np.arange(len(names)), names, rotation=20, ha="right",
                        rotation_mode="anchor")
        return
    axes.set_xlabel(study.x)
    if not study.log:
        return
    tried = sorted(means.x.dropna().unique())
    if tried[0] > 0:
        axes.set_xscale("log")
    else:
        axes.set_xscale("symlog", linthresh=tried[1])
    axes.set_xticks(tried, [f"{value:g}" for value in tried])
    axes.minorticks_off()


def _points(part: pd.DataFrame, numeric: bool, names: list, aside: float) -> tuple:
    """(rows with a place on the x axis, their places, the others)."""
    if not numeric:
        return part, np.array([names.index(c) + aside for c in part.case]), part[:0]
    placed = part[part.x.notna()].sort_values("x")
    return placed, placed.x.to_numpy(dtype=float), part[part.x.isna()]


def versus(means: pd.DataFrame, study, figure_name: str, title: str):
    """A figure over the cases, a curve a protocol, with its confidence interval."""
    numeric = bool(study.x) and means.x.notna().sum() > means.protocol.nunique()
    names, protocols = list(means.case.unique()), list(means.protocol.unique())
    with plt.style.context(plots.STYLE):
        figure, axes = plt.subplots()
        for i, protocol in enumerate(protocols):
            color = plots.COLORS.get(protocol, plots.OTHER)[0]
            part = means[means.protocol == protocol]
            placed, x, others = _points(part, numeric, names,
                                        0.12 * (i - (len(protocols) - 1) / 2))
            axes.errorbar(x, placed[figure_name], yerr=_widths(placed, figure_name), color=color,
                          marker="o", capsize=4, linestyle="-" if numeric else "none",
                          label=f"{plots.label(protocol)} (n={int(part.rpcs.min()):,} or more)")
            for row in others.itertuples():
                axes.axhline(getattr(row, figure_name), color=color, linestyle=(0, (4, 2)),
                             linewidth=1.4, label=f"{plots.label(protocol)}, {row.case}")
        _x_axis(axes, means, study, numeric)
        _y_axis(axes, means, figure_name)
        seeds = int(means.seeds.max())
        axes.set_ylabel(FIGURES[figure_name][0])
        axes.set_title(title + (f"\nmean of {seeds} seeds, 95% confidence interval"
                                if seeds > 1 else ""))
        _legend_below(axes, 0.12 if numeric else 0.22)
    return figure


def _legend_below(axes, distance: float, title: str = "") -> None:
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -distance), ncols=3, title=title)


def _some(chosen: dict) -> dict:
    """As many curves as can be told apart, the first and the last among them."""
    if len(chosen) <= MAX_CURVES:
        return chosen
    names, step = list(chosen), (len(chosen) - 1) / (MAX_CURVES - 1)
    return {names[round(i * step)]: chosen[names[round(i * step)]] for i in range(MAX_CURVES)}


def by_size(buckets: dict, workload: str, protocol: str, title: str, what: str = ""):
    """P99 slowdown by message size, a curve a case; in what the cases differ."""
    chosen = _some({case: table for (case, w, p), table in buckets.items()
                    if w == workload and p == protocol})
    first = next(iter(chosen.values()))
    with plt.style.context(plots.STYLE):
        figure, axes = plt.subplots()
        colors = plt.get_cmap("viridis")(np.linspace(0, 0.85, len(chosen)))
        for (case, table), color in zip(chosen.items(), colors):
            axes.plot(*plots.steps(table.cumulative.to_numpy(), table.p99_slowdown.to_numpy()),
                      color=color, label=case)
        values = np.concatenate([table.p99_slowdown.to_numpy() for table in chosen.values()])
        plots.decade_limits(axes, values, min(1, np.nanmin(values)))
        plots.size_axis(axes, np.repeat(first.up_to.to_numpy(), first.n.to_numpy()))
        plots.print_counts(axes, first)
        axes.set_ylabel("P99 slowdown (latency / unloaded latency)")
        axes.set_title(title, pad=26)
        _legend_below(axes, 0.13, what)
    return figure


def _has_sizes(table: pd.DataFrame) -> bool:
    """Whether there are several sizes, and enough messages of one for a P99."""
    return len(table) > 1 and bool(table.p99_slowdown.notna().any())


def save(figure, folder: Path, stem: str) -> str:
    """Write a figure as PNG and PDF, the same bytes whenever that is done; the PNG's data."""
    figure.savefig(folder / f"{stem}.pdf", bbox_inches="tight",
                   metadata={"CreationDate": None, "Producer": None})
    plots.save_figure(figure, folder / f"{stem}.png")
    return base64.b64encode((folder / f"{stem}.png").read_bytes()).decode()


def figures_of(study) -> list:
    """What is drawn; where only some hosts send, goodput of the mean host says nothing."""
    more = "krpcs_per_second" if study.y == "total_gbps" else "goodput_gbps"
    return list(dict.fromkeys((study.y, "short_p99_us", more)))


def draw(folder: Path, study, means: pd.DataFrame, buckets: dict) -> list:
    """All pictures: (title, file, data)."""
    made = []
    for workload, part in means.groupby("workload", sort=False):
        name = _name(workload)
        # The names of curves are the numbers of the x axis, or say themselves what they are.
        what = study.x if (part.case == part.x.map("{:g}".format)).all() else ""
        for figure_name in figures_of(study):
            if part[figure_name].notna().any():
                title = f"{study.name}, {name}: {FIGURES[figure_name][0]}"
                stem = f"{figure_name}_{name}"
                made.append((title, stem, save(versus(part, study, figure_name, title), folder,
                                               stem)))
        for protocol in part.protocol.unique():
            tables = [t for (_, w, p), t in buckets.items() if (w, p) == (workload, protocol)]
            if any(_has_sizes(t) for t in tables):
                title = f"{study.name}, {name}: slowdown by size, {plots.label(protocol)}" \
                    + (", first seed" if part.seeds.max() > 1 else "")
                stem = f"slowdown_{name}_{protocol}"
                made.append((title, stem, save(
                    by_size(buckets, workload, protocol, title, what), folder, stem)))
    return made


def write(folder: Path, study, means: pd.DataFrame, buckets: dict, wrong: list,
          text: str) -> Path:
    """Write pictures and report.html; returns its path."""
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True,
                                     trim_blocks=True, lstrip_blocks=True)
    figures = [{"title": t, "file": f, "data": d} for t, f, d in draw(folder, study, means, buckets)]
    path = folder / "report.html"
    path.write_text(environment.get_template("study.html.j2").render(
        title=study.name, about=study.help, figures=figures, failures=wrong, text=text,
        seeds=int(means.seeds.max())))
    return path
