# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""How long packets take, by phase."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from ttlib import devices, plots, stats
from ttlib.analysis import Result, analyzer
from ttlib.model import Tables

STAGES = [("xmit", "xmit", "nic"), ("qdisc", "qdisc", "nic"), ("net", "nic", "gro"),
          ("softirq", "gro", "rcvd"), ("free", "nic", "nic_done"), ("total", "xmit", "rcvd")]


def kinds(t: Tables) -> dict[str, pd.DataFrame]:
    """Packets of short and of long messages, and grants with the same columns."""
    length = t.messages.set_index(["id", "tx"]).length
    length = length[~length.index.duplicated()]
    of = length.reindex(pd.MultiIndex.from_frame(t.packets[["id", "tx"]])).to_numpy()
    grants = t.grants.rename(columns={"sent": "xmit"}).assign(
        **dict.fromkeys(devices.COLUMNS, float("nan")))
    return {"short": t.packets[of <= stats.SHORT], "long": t.packets[of > stats.SHORT],
            "grant": grants}


@analyzer("delay")
def delay(t: Tables, _: SimpleNamespace) -> Result:
    """Delays of packets by phase: of messages up to 1000 B, of longer ones, and of grants.

    Read: total of short messages and of grants should stay near its minimum, since they go
    first everywhere; the rows "P98-P99" say which phase makes the tail. Phases between need
    the kernel's records; without them there is only the total. qdisc is a part of xmit, and
    free the time until the device was done.
    """
    parts, tails = {}, {}
    for name, packets in kinds(t).items():
        parts[name] = stats.phases(packets, STAGES)
        total = (packets.rcvd - packets.xmit).dropna()
        if len(total) >= 50:
            low, high = total.quantile([.98, .99])
            chosen = packets.loc[total.index[(total >= low) & (total <= high)]]
            tails[f"{name} P98-P99"] = stats.phases(chosen, STAGES)
    table = pd.concat({**parts, **tails}, names=["packets", "phase"]).reset_index()
    totals = table[table.phase == "total"].set_index("packets")
    said = ", ".join(f"{n} {totals.p50[n]:.1f}/{totals.p99[n]:.1f}" for n in parts
                     if n in totals.index)
    return Result(f"One-way delay, P50/P99 in us: {said}.", table, plots.ccdf(
        {n: (p.rcvd - p.xmit) / 1000 for n, p in kinds(t).items()}, "one-way delay, us"))
