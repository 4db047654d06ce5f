# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Packets out of order."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from ttlib import plots
from ttlib.analysis import Result, analyzer
from ttlib.model import Tables


@analyzer("ooo")
def ooo(t: Tables, _: SimpleNamespace) -> Result:
    """Messages whose packets arrived out of order, and how long they waited for the late ones.

    Read: wait_us is from the last packet in order to the end; if the message was complete
    late because of it, it is the delay that reordering cost. Priorities reorder by design.
    """
    seen = t.packets.dropna(subset=["rcvd"]).sort_values("rcvd", kind="stable")
    keys = ["tx", "rx", "id"]
    seen = seen.assign(before=seen.groupby(keys).offset.cummax())
    late = seen[seen.offset < seen.before]
    others = seen[seen.offset == seen.before].groupby(keys).rcvd.max()
    grouped = late.groupby(keys)
    table = pd.DataFrame({"late": grouped.size(), "resent": grouped.resent.sum(),
                          "last_late": grouped.rcvd.max()})
    table["wait_us"] = ((table.last_late - others.reindex(table.index)) / 1000).clip(lower=0)
    table["packets"] = seen.groupby(keys).size().reindex(table.index)
    table = table.drop(columns="last_late").reset_index().sort_values(
        ["wait_us", "late"], ascending=False, kind="stable", ignore_index=True)
    delayed = table[table.wait_us > 0]
    return Result(f"{len(late)} of {len(seen)} packets came after later ones of their message; "
                  f"{len(delayed)} messages waited for such a packet, up to "
                  f"{delayed.wait_us.max() if len(delayed) else 0:.1f} us.", table,
                  plots.ccdf({"messages": table.wait_us}, "wait for the late packets, us")
                  if len(delayed) else None)
