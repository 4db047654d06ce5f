# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What the transmit queues of devices hold."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from ttlib import plots, queues
from ttlib.analysis import Result, analyzer
from ttlib.intervals import STEP_NS, level
from ttlib.model import Tables

TOP = 3


@analyzer("nicbacklog2", needs="packets")
def nicbacklog2(t: Tables, _: SimpleNamespace) -> Result:
    """KB in each transmit queue; a queue is the core that sent, unless the device tells.

    Read: devices serve queues in turn, so one with far more KB than others is the slow one.
    share_pct is the queue's part of all that its host sent.
    """
    packets = queues.device_times(t)
    rows, curves = [], {}
    packets["queue"] = packets.queue.fillna(packets.tx_cpu).astype(int)
    for (host, queue), part in packets.groupby(["tx", "queue"]):
        times = np.arange(part.xmit.min(), part.left.max() + STEP_NS, STEP_NS / 4)
        kb = part.wire.to_numpy(float) / 1e3
        held = level(part.xmit.to_numpy(float), times, kb) \
            - level(part.left.to_numpy(float), times, kb)
        whole = packets[packets.tx == host].wire.sum()
        rows.append({"host": host, "queue": queue, "packets": len(part), "mean_kb": held.mean(),
                     "max_kb": held.max(initial=0), "share_pct": 100 * part.wire.sum() / whole})
        curves[f"{host} q{queue}"] = (times / 1000, held)
    table = pd.DataFrame(rows).sort_values("max_kb", ascending=False, kind="stable",
                                           ignore_index=True)
    top = ", ".join(f"{r.host} q{r.queue} {r.max_kb:.0f} kB"
                    for r in table.head(TOP).itertuples())
    return Result(f"Fullest transmit queues: {top}.", table, plots.lines(
        curves, "time since the recording's start, us", "in the transmit queue, kB"))
