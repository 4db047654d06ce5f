# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""How long the queue of each device is."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from ttlib import plots, queues
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables


@analyzer("nicqueues", Opt("gbps", float, 0.0, "speed of the links (default: as measured)"),
          needs="packets")
def nicqueues(t: Tables, o: SimpleNamespace) -> Result:
    """Each device's queue: modelled from what Homa gave it, and as its packets' delays show it.

    Read: the two should agree. A queue that only delays show (seen_kb) is of other traffic
    on that device, such as TCP; one that the model shows too is the pacer's doing.
    """
    gbps = o.gbps or t.gbps
    seen = queues.sender_queue(t)
    seen = seen[seen.targets >= 2]
    rows = {}
    for host, sent in t.packets.groupby("tx"):
        sent = sent.sort_values("xmit", kind="stable")
        wait = queues.departures(sent, gbps) - sent.xmit \
            - queues.serialization(sent.wire, gbps)
        mine = seen[seen.tx == host]
        worst = mine.excess.max() if len(mine) else 0.0
        rows[host] = {"p50_us": wait.median() / 1000, "p90_us": wait.quantile(.9) / 1000,
                      "p99_us": wait.quantile(.99) / 1000, "max_kb": wait.max() * gbps / 8e3,
                      "seen_kb": worst * gbps / 8e3,
                      "seen_at_us": mine.loc[mine.excess.idxmax()].window
                      * queues.WINDOW_NS / 1000 if len(mine) else float("nan")}
    table = pd.DataFrame(rows).T
    top = table.seen_kb.idxmax()
    return Result(f"The longest queue that delays show was {table.seen_kb[top]:.0f} kB, of {top}; "
                  f"the longest of Homa's own packets {table.max_kb.max():.0f} kB.", table,
                  plots.bars(table[["max_kb", "seen_kb"]].max(axis=1).rename("longest queue"),
                             "longest queue, kB", "host"))
