# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""How many messages have grants."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from ttlib import plots
from ttlib.analysis import Result, analyzer
from ttlib.intervals import level
from ttlib.model import Tables


def granted_spans(t: Tables) -> pd.DataFrame:
    """For each message that had grants: rx, first grant, and when it was complete."""
    first = t.grants.groupby(["by", "id"]).sent.min().rename("first").reset_index()
    done = t.event("MSG_COMPLETE").groupby(["host", "id"]).ns.max().rename("complete")
    return first.merge(done, left_on=["by", "id"], right_index=True, how="left")


@analyzer("grants")
def grants(t: Tables, _: SimpleNamespace) -> Result:
    """How many incoming messages hold grants at once, KB granted, and how grants travel.

    Read: N_pct is the part of the time with N messages granted to. Often 0 on a busy host:
    grants come late. Much more than 8: more is promised than a port's buffer wants.
    """
    spans = granted_spans(t)
    ways = t.grants.assign(us=(t.grants.rcvd - t.grants.sent) / 1000).groupby("by").us
    rows, curves = {}, {}
    for host in t.hosts:
        begin, end = t.recording.spans[host]
        times = np.arange(begin, end + 1, 1000.0)
        part = spans[spans.by == host]
        count = level(part["first"].to_numpy(float), times, np.ones(len(part))) \
            - level(part.complete.to_numpy(float), times, np.ones(len(part)))
        mine = t.grants[t.grants.by == host]
        rows[host] = {"grants": len(mine), "kb": mine.increment.sum() / 1e3,
                      "messages": len(part), **{f"{n}_pct": 100 * np.mean(count == n)
                                                for n in range(4)},
                      "mean_n": count.mean() if len(count) else 0.0, "max_n": count.max(initial=0)}
        curves[host] = (times / 1000, count)
    table = pd.DataFrame(rows).T.assign(way_p50_us=ways.median(), way_p99_us=ways.quantile(.99))
    return Result(f"{len(t.grants)} grants for {len(spans)} messages; on average "
                  f"{table.mean_n.mean():.1f} messages of a host hold grants.", table,
                  plots.lines(curves, "time since the recording's start, us",
                              "messages with grants"))
