# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The figures of analyzers: a few kinds, all in one style, always with units."""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ttlib.analysis import Plot, Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLE = Path(__file__).resolve().parents[2] / "perf" / "plot" / "style.mplstyle"
MANY = 3            # more lines than this need a legend beside the axes
FEW = 50            # points of a scatter that are drawn larger
WIDE = 20           # a range of so many times its beginning is shown on a logarithmic axis


def _legend(ax: Axes, count: int, beside: bool = False) -> None:
    if count > MANY or (beside and count > 1):
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    elif count > 1:
        ax.legend()


def lines(groups: dict[str, tuple], xlabel: str, ylabel: str, logy: bool = False) -> Plot:
    """A line for each name: (x, y)."""
    def draw(ax: Axes) -> None:
        for name, (x, y) in groups.items():
            ax.plot(np.asarray(x), np.asarray(y), label=str(name), linewidth=1.2)
        ax.set(xlabel=xlabel, ylabel=ylabel)
        if logy:
            ax.set_yscale("log")
        else:
            ax.set_ylim(bottom=0)
        _legend(ax, len(groups))
    return draw


def over_time(table: pd.DataFrame, value: str, ylabel: str, by: str = "host") -> Plot:
    """A line for each host, over the recording's time; `begin` is ns."""
    return lines({str(name): (part.begin / 1000, part[value]) for name, part in
                  table.groupby(by, observed=True)}, "time since the recording's start, us", ylabel)


def ccdf(groups: dict[str, pd.Series], xlabel: str) -> Plot:
    """How many are larger: tails are where one looks."""
    def draw(ax: Axes) -> None:
        shown, above = 0, []
        for name, values in groups.items():
            found = np.sort(np.asarray(values.dropna(), float))
            if not len(found):
                continue
            shown += 1
            ax.step(found, 1 - np.arange(len(found)) / len(found), where="post", label=str(name),
                    marker="." if len(found) < MANY else None)
            above += found[found > 0].tolist()
        ax.set(xlabel=xlabel, ylabel="fraction that is larger", yscale="log")
        if above and max(above) > WIDE * min(above):
            ax.set_xscale("log")
        _legend(ax, shown)
    return draw


def bars(values: pd.Series | pd.DataFrame, ylabel: str, xlabel: str) -> Plot:
    """A bar for each row; columns of a table are stacked."""
    def draw(ax: Axes) -> None:
        table = values.to_frame() if isinstance(values, pd.Series) else values
        names = [str(name) for name in table.index]
        base = np.zeros(len(table))
        for column in table.columns:
            height = table[column].fillna(0).to_numpy(float)
            ax.bar(range(len(table)), height, bottom=base, label=str(column))
            base += height
        ax.set_xticks(range(len(table)), names, rotation=45 if len(names) > 6 else 0,
                      ha="right" if len(names) > 6 else "center")
        ax.set(xlabel=xlabel, ylabel=ylabel)
        if not base.any():
            ax.set_ylim(0, 1)
        _legend(ax, table.shape[1], beside=True)
    return draw


def scatter(groups: dict[str, tuple], xlabel: str, ylabel: str, logx: bool = False) -> Plot:
    """Points for each name: (x, y)."""
    def draw(ax: Axes) -> None:
        for name, (x, y) in groups.items():
            size = 3 if len(x) > FEW else 7
            ax.plot(np.asarray(x), np.asarray(y), ".", markersize=size, label=str(name))
        ax.set(xlabel=xlabel, ylabel=ylabel)
        if logx:
            ax.set_xscale("log")
        _legend(ax, len(groups))
    return draw


def matrix(table: pd.DataFrame, label: str, xlabel: str, ylabel: str) -> Plot:
    """A coloured square for each value, with the value in it."""
    def draw(ax: Axes) -> None:
        values = table.to_numpy(float)
        image = ax.imshow(values, cmap="viridis", aspect="auto")
        ax.figure.colorbar(image, ax=ax, label=label)
        ax.set_xticks(range(table.shape[1]), [str(name) for name in table.columns])
        ax.set_yticks(range(table.shape[0]), [str(name) for name in table.index])
        ax.grid(False)
        for (row, column), value in np.ndenumerate(values):
            if not np.isnan(value):
                bright = image.norm(value) > 0.6
                ax.text(column, row, f"{value:.3g}", ha="center", va="center", fontsize=7,
                        color="black" if bright else "white")
        ax.set(xlabel=xlabel, ylabel=ylabel)
    return draw


def save(result: Result, name: str, path: Path) -> None:
    """Draw a result's figure into a file."""
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    with plt.style.context(str(STYLE) if STYLE.is_file() else "default"):
        figure, ax = plt.subplots()
        result.plot(ax)
        ax.set_title(name)
        figure.savefig(path)
        plt.close(figure)
