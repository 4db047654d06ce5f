# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Figures of a run: tables in, matplotlib figures out."""

import matplotlib
import numpy as np
import pandas as pd

from .nodes import TOP
from .stats import ccdf, size_at
from .units import size_label

matplotlib.use("Agg")
import matplotlib.pyplot as plt      # noqa: E402  (the backend has to be chosen first)

STYLE = TOP / "perf" / "plot" / "style.mplstyle"
COLORS = {"homa": ("#1f5fbf", "#8fb8ee"), "tcp": ("#1b8a3e", "#8fcf9f"),
          "dctcp": ("#b5651d", "#e8b98a")}
OTHER = ("#7a4b1e", "#cfa982")
LABELS = {"homa": "Homa", "tcp": "TCP", "dctcp": "DCTCP"}


def label(protocol: str) -> str:
    """How a protocol is called in a picture."""
    return LABELS.get(protocol, protocol)


def _plain(value: float, _position: int) -> str:
    """A tick of a logarithmic axis, without an exponent."""
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


PLAIN = matplotlib.ticker.FuncFormatter(_plain)


def steps(cumulative: np.ndarray, values: np.ndarray) -> tuple:
    """Corners of a step curve whose value holds from one cumulative fraction to the next."""
    x = np.repeat(np.concatenate(([0.0], cumulative)), 2)[1:-1] * 100
    return x, np.repeat(values, 2)


def decade_limits(axes, values: np.ndarray, least: float) -> None:
    finite = values[np.isfinite(values) & (values > 0)]
    top = 10 ** np.ceil(np.log10(finite.max() * 1.05)) if len(finite) else 10 * least
    axes.set_yscale("log")
    axes.set_ylim(least, max(top, 10 * least))
    axes.yaxis.set_major_formatter(PLAIN)


def size_axis(axes, sizes: np.ndarray) -> None:
    """x: share of the messages; below it the sizes reached at each 10%, above it the share."""
    marks = np.arange(0, 101, 10)
    names = [size_label(int(np.min(sizes)))] + [size_label(size_at(sizes, m / 100))
                                                for m in marks[1:]]
    axes.set_xlim(0, 100)
    axes.set_xticks(marks, names)
    axes.set_xlabel("Message size in bytes (x scaled by number of messages)")
    above = axes.secondary_xaxis("top")
    above.set_xticks(marks, [f"{m}%" for m in marks])
    above.tick_params(labelsize=8, length=2, colors="#707070")


def print_counts(axes, table: pd.DataFrame) -> None:
    """n of each bucket, in its column at the bottom."""
    upper = table.cumulative.to_numpy() * 100
    lower = np.concatenate(([0.0], upper[:-1]))
    for i, (x, n) in enumerate(zip((lower + upper) / 2, table.n)):
        axes.annotate(f"{n}" if i else f"n={n}", (x, 0.012), ha="center", fontsize=7,
                      xycoords=("data", "axes fraction"), color="#808080")
    # Legends look for a place among rectangles and curves, not among texts.
    axes.add_patch(matplotlib.patches.Rectangle((0, 0), 1, 0.05, transform=axes.transAxes,
                                                visible=False))


def draw_published(axes, published: tuple | None, protocols: list, column: str) -> list:
    """Dashed lines where (table, workload) of others has figures of a column; their values."""
    if not published:
        return []
    table, workload = published
    drawn = table.lines(workload, protocols, column)
    for protocol, p, share, value in drawn:
        axes.hlines(value, 0, share, color=COLORS.get(protocol, OTHER)[p == "p50"],
                    linestyle=(0, (4, 2)), linewidth=1.6,
                    label=f"{table.title}: {label(protocol)} {p.upper()}")
    return [value for *_, value in drawn]


def size_curves(axes, buckets: dict, column: str, least: float, published: tuple | None) -> None:
    """Step curves of P50 and P99 of `column` (slowdown or us) for each protocol."""
    seen = []
    for protocol, table in buckets.items():
        dark, light = COLORS.get(protocol, OTHER)
        cumulative = table.cumulative.to_numpy()
        for p, color in (("p99", dark), ("p50", light)):
            values = table[f"{p}_{column}"].to_numpy(dtype=float)
            seen.append(values)
            axes.plot(*steps(cumulative, values), color=color,
                      label=f"{label(protocol)} {p.upper()}")
    seen.append(draw_published(axes, published, list(buckets), column))
    decade_limits(axes, np.concatenate(seen), least)


def versus_size(buckets: dict, sizes: np.ndarray, column: str, title: str, ylabel: str,
                published: tuple | None = None):
    """Slowdown or time over message size, of others, too, if (table, workload) is given."""
    with plt.style.context(STYLE):
        figure, axes = plt.subplots()
        size_curves(axes, buckets, column, 1, published)
        size_axis(axes, sizes)
        print_counts(axes, next(iter(buckets.values())))
        axes.set_ylabel(ylabel)
        axes.set_title(title, pad=26)
        axes.legend(ncols=2, loc="best")
    return figure


def short_ccdf(done: dict, up_to: int, title: str):
    """Fraction of the short messages that took longer, P50 and P99 marked."""
    with plt.style.context(STYLE):
        figure, axes = plt.subplots()
        fewest = 1
        for protocol, table in done.items():
            us = table[table["size"] <= up_to].us.to_numpy()
            x, y = ccdf(us)
            keep = y > 0
            axes.step(x[keep], y[keep], where="post", color=COLORS.get(protocol, OTHER)[0],
                      label=f"{label(protocol)} (n={len(us):,})")
            fewest = max(fewest, len(us))
        for fraction, name in ((0.5, "P50"), (0.01, "P99")):
            axes.axhline(fraction, color="#c0392b", linestyle="--", linewidth=0.9)
            axes.annotate(name, (0.995, fraction), xycoords=("axes fraction", "data"),
                          color="#c0392b", ha="right", va="bottom", fontsize=9)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_ylim(10 ** np.floor(np.log10(1 / fewest)), 1.2)
        axes.xaxis.set_major_formatter(PLAIN)
        axes.set_xlabel("Round-trip time from the intended start (us)")
        axes.set_ylabel("Fraction of messages that took longer")
        axes.set_title(title)
        axes.legend(loc="best")
    return figure


def all_figures(buckets: dict, done: dict, sizes: np.ndarray, short: int, what: str,
                published: tuple | None = None) -> dict:
    """Name -> (figure, caption) of every picture of a run."""
    one = next(iter(buckets.values()))
    per_bucket = f"{int(one.n.min()):,} to {int(one.n.max()):,}"
    others = f" Dashed, where it has some: {published[0].title} ({published[0].how})." \
        if published else ""
    return {
        "slowdown": (versus_size(buckets, sizes, "slowdown", f"Slowdown: {what}",
                                 "Slowdown (latency / unloaded latency)", published),
                     f"Each step is a bucket of {per_bucket} messages a protocol." + others),
        "rtt": (versus_size(buckets, sizes, "us", f"Round-trip time: {what}",
                            "Round-trip time (us)", published),
                "The same buckets in microseconds." + others),
        "short_ccdf": (short_ccdf(done, short, f"Messages of at most {size_label(short)} B: "
                                  f"{what}"),
                       "How much of the shortest messages takes longer than a given time."),
    }


def save_figure(figure, path) -> None:
    """Write a PNG that does not depend on when it was made."""
    # The style's own bbox counts while a figure is drawn, not when it is written.
    figure.savefig(path, metadata={"Software": None}, bbox_inches="tight")
    plt.close(figure)
