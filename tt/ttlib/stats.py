# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Numbers that many analyzers give: percentiles by group, in microseconds."""
from __future__ import annotations

import numpy as np
import pandas as pd

SHORT = 1000
"""Bytes of a short message, as the reference's tools have it."""
ONE_PACKET = 1400
QUANTILES = {"p50": .5, "p90": .9, "p99": .99}


def us(values: pd.Series) -> pd.Series:
    """Nanoseconds in microseconds."""
    return values / 1000


def spread(values: pd.Series, by: object) -> pd.DataFrame:
    """count, min, P50, P90, P99, max and mean of values, by group; NaN left out."""
    grouped = values.dropna().groupby(by, observed=True)
    table = grouped.agg(["count", "min"])
    for name, q in QUANTILES.items():
        table[name] = grouped.quantile(q)
    return table.assign(max=grouped.max(), mean=grouped.mean())


def phases(table: pd.DataFrame, stages: list[tuple[str, str, str]]) -> pd.DataFrame:
    """Percentiles in us of the time from one column to another: (name, from, to)."""
    rows = {name: us(table[end] - table[begin]) for name, begin, end in stages}
    frame = pd.DataFrame(rows).stack()
    if frame.empty:
        return pd.DataFrame(columns=["count", "min", *QUANTILES, "max", "mean"], dtype=float)
    frame.index.names = ["row", "phase"]
    return spread(frame, frame.index.get_level_values("phase")).reindex(
        [name for name, _, _ in stages if rows[name].notna().any()])


def size_class(length: pd.Series) -> pd.Series:
    """Names for classes of message lengths."""
    edges = [0, SHORT, 10_000, 100_000, np.inf]
    names = ["<= 1 kB", "1-10 kB", "10-100 kB", "> 100 kB"]
    return pd.cut(length, edges, labels=names).astype(object)


def share(part: float, whole: float) -> float:
    """Percentage; 0 of nothing."""
    return 100.0 * part / whole if whole else 0.0
