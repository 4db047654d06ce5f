# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Traffic and delay between each two hosts."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from ttlib import plots
from ttlib.analysis import Result, analyzer
from ttlib.model import Tables


@analyzer("pairs", needs="arrived")
def pairs(t: Tables, _: SimpleNamespace) -> Result:
    """Packets, delay percentiles, and KB not yet arrived at the end, for each pair of hosts.

    Read: one bad row is a path or a pair of cores; all rows to one host: its port or its
    softirq; all rows from one host: its device.
    """
    packets = t.packets.assign(us=(t.packets.rcvd - t.packets.xmit) / 1000)
    grouped = packets.groupby(["tx", "rx"])
    left = packets[packets.rcvd.isna()].groupby(["tx", "rx"]).wire.sum() / 1e3
    table = pd.DataFrame({"packets": grouped.size(), "kb": grouped.wire.sum() / 1e3,
                          **{f"p{q}_us": grouped.us.quantile(q / 100) for q in (10, 50, 90, 99)},
                          "end_kb": left}).fillna({"end_kb": 0.0}).reset_index()
    worst = table.loc[table.p99_us.idxmax()]
    wide = table.pivot(index="tx", columns="rx", values="p90_us")
    return Result(f"From {worst.tx} to {worst.rx} P99 is highest: {worst.p99_us:.1f} us.", table,
                  plots.matrix(wide, "one-way delay, P90, us", "to", "from"))
