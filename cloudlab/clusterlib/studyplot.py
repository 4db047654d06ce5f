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


def _name(workload: str) -> str:
    return Path(workload).stem


def _error(values: pd.Series) -> np.ndarray:
    """Widths of intervals; none where there was one seed."""
    return values.fillna(0).to_numpy(dtype=float)


def versus(means: pd.DataFrame, study, figure_name: str, title: str):
    """A figure over the cases, a curve a protocol, with its confidence interval."""
    label = FIGURES[figure_name][0]
    with plt.style.context(plots.STYLE):
        figure, axes = plt.subplots()
        numeric = bool(study.x) and means.x.notna().all()
        for i, (protocol, part) in enumerate(means.groupby("protocol", sort=False)):
            color = plots.COLORS.get(protocol, plots.OTHER)[0]
            part = part.sort_values("x") if numeric else part
            x = part.x.to_numpy(dtype=float) if numeric else np.arange(len(part)) + 0.06 * i
            axes.errorbar(x, part[figure_name], yerr=_error(part[f"{figure_name}_ci"]), color=color,
                          marker="o", capsize=4, linestyle="-" if numeric else "none",
                          label=f"{plots.label(protocol)} (n={int(part.rpcs.min()):,} or more)")
            if not numeric:
                axes.set_xticks(np.arange(len(part)), part.case, rotation=25, ha="right")
        if numeric and study.log:
            axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel(study.x if numeric else "")
        axes.set_ylabel(label)
        axes.set_title(title)
        axes.legend(loc="best")
    return figure


def by_size(buckets: dict, workload: str, protocol: str, title: str):
    """P99 slowdown by message size, a curve a case."""
    chosen = {case: table for (case, w, p), table in buckets.items()
              if w == workload and p == protocol}
    if len(chosen) > MAX_CURVES:
        step = (len(chosen) - 1) / (MAX_CURVES - 1)
        names = list(chosen)
        chosen = {names[round(i * step)]: chosen[names[round(i * step)]] for i in range(MAX_CURVES)}
    with plt.style.context(plots.STYLE):
        figure, axes = plt.subplots()
        colors = plt.get_cmap("viridis")(np.linspace(0, 0.85, max(len(chosen), 1)))
        for (case, table), color in zip(chosen.items(), colors):
            shown = table[table.p99_slowdown.notna()]
            axes.step(shown.cumulative * 100, shown.p99_slowdown, where="pre", color=color,
                      label=f"{case} (n={int(table.n.min()):,} or more a bucket)")
        axes.set_yscale("log")
        axes.set_xlim(0, 100)
        axes.set_xlabel("Messages up to this size, %")
        axes.set_ylabel("P99 slowdown")
        axes.set_title(title)
        if chosen:
            axes.legend(loc="best", fontsize=8)
    return figure


def save(figure, folder: Path, stem: str) -> str:
    """Write a figure as PNG and PDF, the same bytes whenever that is done; the PNG's data."""
    figure.savefig(folder / f"{stem}.pdf", metadata={"CreationDate": None, "Producer": None})
    plots.save_figure(figure, folder / f"{stem}.png")
    return base64.b64encode((folder / f"{stem}.png").read_bytes()).decode()


def draw(folder: Path, study, means: pd.DataFrame, buckets: dict) -> list:
    """All pictures: (title, file, data)."""
    made = []
    for workload, part in means.groupby("workload", sort=False):
        name = _name(workload)
        for figure_name in dict.fromkeys((study.y, "short_p99_us", "goodput_gbps")):
            if part[figure_name].notna().any():
                title = f"{study.name}, {name}: {FIGURES[figure_name][0]}"
                stem = f"{figure_name}_{name}"
                made.append((title, stem, save(versus(part, study, figure_name, title), folder,
                                               stem)))
        for protocol in part.protocol.unique():
            tables = [t for (_, w, p), t in buckets.items() if (w, p) == (workload, protocol)]
            if any(t.p99_slowdown.notna().any() for t in tables):
                title = f"{study.name}, {name}: slowdown by size, {plots.label(protocol)}"
                stem = f"slowdown_{name}_{protocol}"
                made.append((title, stem, save(by_size(buckets, workload, protocol, title), folder,
                                               stem)))
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
