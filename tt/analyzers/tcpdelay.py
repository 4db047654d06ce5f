# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""How long TCP packets take, by phase."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from ttlib import plots, stats, tcp
from ttlib.analysis import Result, analyzer
from ttlib.model import Tables

STAGES = [("qdisc", "queued", "nic"), ("net", "nic", "gro"), ("softirq", "gro", "softirq"),
          ("read", "softirq", "read"), ("total", "queued", "softirq")]


@analyzer("tcpdelay")
def tcpdelay(t: Tables, _: SimpleNamespace) -> Result:
    """Delays of TCP packets by phase and by size of the packet.

    Read: net has the devices and the switch; a total of small packets near that of large
    ones is queueing, since TCP has no priorities. The rows "P98-P99" are of the tail.
    """
    table = tcp.packets(t)
    if table.empty:
        return Result(tcp.NOTHING, table)
    parts = {}
    for name, part in table.groupby(stats.size_class(table.bytes)):
        parts[name] = stats.phases(part, STAGES)
        total = (part.softirq - part.queued).dropna()
        if len(total) >= 50:
            low, high = total.quantile([.98, .99])
            tail = part.loc[total.index[total.between(low, high)]]
            parts[f"{name} P98-P99"] = stats.phases(tail, STAGES)
    shown = pd.concat(parts, names=["packets", "phase"]).reset_index() if parts else table
    total = (table.softirq - table.queued) / 1000
    return Result(f"{len(table)} TCP packets; P50 {total.median():.1f}, P99 "
                  f"{total.quantile(.99):.1f} us to the other host.", shown,
                  plots.ccdf({n: total[p.index] for n, p in table.groupby(
                      stats.size_class(table.bytes))}, "one-way delay, us"))
