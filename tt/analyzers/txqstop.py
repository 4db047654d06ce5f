# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""How often senders wait for their devices."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from ttlib import plots
from ttlib.analysis import Result, analyzer
from ttlib.intervals import level
from ttlib.model import Tables


@analyzer("txqstop", needs="packets")
def txqstop(t: Tables, _: SimpleNamespace) -> Result:
    """Part of the time during which messages of a host waited because its device was full.

    Read: stopped_pct near the host's load is normal, since the pacer keeps devices short;
    with low load it is a device that is slow to report completions. limit_bytes is what the
    pacer let the device hold.
    """
    deferred = t.event("PACER_DEFER")
    sends = t.event("PACER_XMIT")
    rows, curves = {}, {}
    for host in t.hosts:
        mine = deferred[deferred.host == host]
        begin, end = t.recording.spans[host]
        after = sends[sends.host == host][["id", "ns"]].assign(until=lambda x: x.ns)
        mine = pd.merge_asof(mine, after, on="ns", by="id", direction="forward")
        ends = mine.until.fillna(end)
        times = np.arange(begin, end + 1, 1000.0)
        waiting = level(mine.ns.to_numpy(float), times, np.ones(len(mine))) \
            - level(ends.to_numpy(float), times, np.ones(len(mine)))
        wait = (ends.to_numpy(float) - mine.ns.to_numpy(float)) / 1000
        rows[host] = {"waits": len(mine), "stopped_pct": 100 * np.mean(waiting > 0)
                      if len(times) else 0.0, "p50_us": np.median(wait) if len(wait) else np.nan,
                      "max_us": wait.max(initial=0), "max_waiting": waiting.max(initial=0),
                      "limit_bytes": mine.limit.median() if len(mine) else np.nan}
        curves[host] = (times / 1000, waiting)
    table = pd.DataFrame(rows).T
    top = table.stopped_pct.idxmax()
    return Result(f"Messages of {top} waited for its device for {table.stopped_pct[top]:.0f}% of "
                  "the time.", table, plots.lines(
                      curves, "time since the recording's start, us",
                      "messages that wait for the device"))
