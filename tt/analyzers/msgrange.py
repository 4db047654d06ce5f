# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Where messages of some size spend their time."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from ttlib import plots
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables

BANDS = [(0, .1), (.1, .5), (.5, .9), (.9, .98), (.98, 1.0)]
PHASES = [("first_packet", "send", "rcvd"), ("rest", "rcvd", "complete"),
          ("thread", "complete", "found"), ("recvmsg", "found", "done")]


@analyzer("msgrange", Opt("min", int, 1, "least length"),
          Opt("max", int, 1_000_000, "greatest length"))
def msgrange(t: Tables, o: SimpleNamespace) -> Result:
    """Phases of messages of a range of lengths, by percentile of the whole time.

    Read: compare the last row (the slowest) with the first: the phase that grew is to blame;
    first_packet: the sender's device or the network; rest: grants or the receiver's link.
    """
    chosen = t.messages[t.messages.length.between(o.min, o.max)].dropna(
        subset=["send", "rcvd", "complete", "done"])
    total = chosen.done - chosen.send
    rank = total.rank(pct=True)
    rows = []
    for low, high in BANDS:
        band = chosen[(rank > low) & (rank <= high)]
        if len(band):
            rows.append({"band": f"P{low * 100:.0f}-P{high * 100:.0f}", "count": len(band),
                         "total_us": total[band.index].mean() / 1000, **{
                             f"{n}_us": (band[b] - band[a]).mean() / 1000 for n, a, b in PHASES}})
    table = pd.DataFrame(rows)
    said = f", P50 {total.median() / 1000:.1f}, P99 {total.quantile(.99) / 1000:.1f} us" \
        if len(chosen) else ""
    phases = [f"{name}_us" for name, _, _ in PHASES]
    return Result(f"{len(chosen)} messages of {o.min} to {o.max} B{said}.", table,
                  plots.bars(table.set_index("band")[phases], "mean time, us",
                             "messages by percentile of their time") if rows else None)
