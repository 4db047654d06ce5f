# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Whether switch ports serve packets by priority."""
from __future__ import annotations

import numpy as np
import pandas as pd

from ttlib import queues
from ttlib.model import Tables

STEP_NS = 5_000
QUEUE_NS = 8_000
"""Others wait so long: then one sees what short packets do."""
SHORT = 1000
"""Bytes of messages that are of the highest priority in any workload."""


def moments(t: Tables) -> pd.DataFrame:
    """Times at which short unscheduled packets arrived as well as others that had queued
    at the port: host, begin, short, others (medians of the waits, ns).
    """
    seen = queues.queueing(t)
    seen["port"] = queues.port_excess(t, seen)
    length = t.messages.drop_duplicates(["id", "tx"]).set_index(["id", "tx"]).length
    size = length.reindex(pd.MultiIndex.from_frame(seen[["id", "tx"]])).to_numpy()
    seen["short"] = ~seen.sched & (size <= SHORT)
    seen["begin"] = seen.rcvd // STEP_NS * STEP_NS
    grouped = seen.groupby([seen.rx.rename("host"), "begin", "short"]).port.median()
    table = grouped.unstack("short").reindex(columns=[False, True]).dropna()
    table = table[table[False] >= QUEUE_NS].rename(columns={False: "others", True: "short"})
    table.columns.name = None
    return table.reset_index()


def port_order(t: Tables) -> pd.DataFrame:
    """For each receiver: host, moments, short_us, others_us (means), ratio, begin_us, end_us."""
    rows = []
    judged = moments(t)
    for host in t.hosts:
        part = judged[judged.host == host]
        short, others = part.short.mean() / 1000, part.others.mean() / 1000
        rows.append({"host": host, "moments": len(part), "short_us": short, "others_us": others,
                     "ratio": short / others if len(part) else np.nan,
                     "begin_us": part.begin.min() / 1000, "end_us": part.begin.max() / 1000})
    return pd.DataFrame(rows)
