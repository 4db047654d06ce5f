# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""How RPCs get to threads."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from ttlib import plots
from ttlib.analysis import Result, analyzer
from ttlib.model import Tables


def waits(t: Tables) -> pd.DataFrame:
    """Messages that a thread took: host, port, kind, blocked, wait (ns), ahead."""
    queued = t.event("QUEUED")[["host", "id", "ns", "port"]]
    found = t.event("WAIT_FOUND")[["host", "id", "ns", "pid", "blocked"]]
    both = queued.drop_duplicates(["host", "id"]).merge(
        found.drop_duplicates(["host", "id"]), on=["host", "id"], suffixes=("", "_found"))
    both["wait"] = both.ns_found - both.ns
    both["kind"] = np.where(both.port >= 0x8000, "response", "request")
    parts = []
    for _, part in both.groupby(["host", "port"]):
        part = part.sort_values("ns", kind="stable")
        taken = np.sort(part.ns_found.to_numpy())
        gone = np.searchsorted(taken, part.ns.to_numpy(), side="left")
        parts.append(part.assign(ahead=np.arange(len(part)) - gone))
    return pd.concat(parts) if parts else both.assign(ahead=0)


@analyzer("handoffs")
def handoffs(t: Tables, _: SimpleNamespace) -> Result:
    """How long complete messages wait for a thread, by port, and how many wait before them.

    Read: fast_pct is how often a thread was already waiting. Waits far above the cost of a
    wake-up, or ahead above 0, mean too few threads on that port, or slow ones.
    """
    both = waits(t)
    grouped = both.groupby(["host", "port", "kind"])
    table = pd.DataFrame({
        "count": grouped.size(), "fast_pct": 100 * grouped.blocked.mean().astype(float),
        "p50_us": grouped.wait.median() / 1000, "p99_us": grouped.wait.quantile(.99) / 1000,
        "max_us": grouped.wait.max() / 1000, "ahead_mean": grouped.ahead.mean(),
        "ahead_max": grouped.ahead.max()}).reset_index()
    table = table.sort_values("p99_us", ascending=False, kind="stable", ignore_index=True)
    worst = f"; the worst of port {table.port[0]:.0f} of {table.host[0]}, " \
            f"{table.max_us[0]:.1f} us" if len(table) else ""
    return Result(f"{len(both)} hand-offs{worst}.", table, plots.ccdf(
        {k: p.wait / 1000 for k, p in both.groupby("kind")}, "wait for a thread, us"))
