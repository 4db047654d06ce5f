# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Delay and backlog towards each receiving core."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from ttlib import plots
from ttlib.analysis import Result, analyzer
from ttlib.intervals import STEP_NS, level
from ttlib.model import Tables


@analyzer("net", needs="arrived")
def net(t: Tables, _: SimpleNamespace) -> Result:
    """One-way delay of packets, and KB that were sent and have not arrived, by core.

    Read: backlog_max_kb is what queues and cables held for that core at worst; much more
    than unscheduled and granted bytes allow would mean that receivers do not hold back.
    """
    seen = t.packets.dropna(subset=["rcvd"])
    rows, curves = [], {}
    for (host, core), part in seen.groupby(["rx", "rx_cpu"]):
        times = np.arange(part.xmit.min(), part.rcvd.max(), STEP_NS / 4)
        kb = part.wire.to_numpy(float) / 1e3
        held = level(part.xmit.to_numpy(float), times, kb) \
            - level(part.rcvd.to_numpy(float), times, kb)
        delay = (part.rcvd - part.xmit) / 1000
        rows.append({"host": host, "core": int(core), "packets": len(part),
                     "p50_us": delay.median(),
                     "p99_us": delay.quantile(.99), "max_us": delay.max(),
                     "backlog_mean_kb": held.mean(), "backlog_max_kb": held.max(initial=0)})
        curves[f"{host} C{core:.0f}"] = (times / 1000, held)
    table = pd.DataFrame(rows)
    top = table.loc[table.backlog_max_kb.idxmax()] if rows else None
    said = f"{top.host} had the most underway to it, {top.backlog_max_kb:.0f} kB" \
        if rows else "No packet arrived"
    return Result(f"{said}.", table, plots.lines(
        curves, "time since the recording's start, us", "sent and not yet received, kB"))
