# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What the devices of senders hold."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from ttlib import plots, queues
from ttlib.analysis import Result, analyzer
from ttlib.intervals import STEP_NS, level
from ttlib.model import Tables


def held(t: Tables, step: float = STEP_NS / 4) -> pd.DataFrame:
    """kB and packets in each host's device over time, with what went in and out."""
    parts = []
    packets = queues.device_times(t)
    packets["into"] = packets.nic.fillna(packets.xmit)
    for host, part in packets.groupby("tx"):
        times = np.arange(part.into.min(), part.left.max() + step, step)
        row = {"host": host, "begin": times}
        for name, size in (("kb", part.wire.to_numpy(float) / 1e3),
                           ("pkts", np.ones(len(part)))):
            into = level(part.into.to_numpy(float), times, size)
            out = level(part.left.to_numpy(float), times, size)
            row[name] = into - out
            if name == "kb":
                row["in_gbps"] = np.diff(into, prepend=0) * 8e3 / step
                row["out_gbps"] = np.diff(out, prepend=0) * 8e3 / step
        parts.append(pd.DataFrame(row))
    return pd.concat(parts, ignore_index=True)


@analyzer("nicbacklog", needs="packets")
def nicbacklog(t: Tables, _: SimpleNamespace) -> Result:
    """Packets and KB that each host's device holds, and rates into and out of it.

    Read: out_slow_gbps is the rate out while more than a packet was waiting, in the slowest
    tenth of intervals: below the link's speed the device is not keeping up. Without records
    of the device, what it holds is modelled at the link's speed.
    """
    table = held(t)
    busy = table[table.pkts > 1]
    grouped = table.groupby("host")
    slow = busy.groupby("host").out_gbps
    result = pd.DataFrame({"mean_kb": grouped.kb.mean(), "p99_kb": grouped.kb.quantile(.99),
                           "max_kb": grouped.kb.max(), "max_pkts": grouped.pkts.max(),
                           "busy_pct": 100 * busy.groupby("host").size() / grouped.size(),
                           "out_slow_gbps": slow.quantile(.1), "out_p50_gbps": slow.median()})
    how = "as recorded" if t.packets.nic_done.notna().any() else "modelled"
    return Result(f"A device held at most {result.max_kb.max():.0f} kB ({how}).",
                  result.fillna({"busy_pct": 0}), plots.over_time(table, "kb", "in the device, kB"))
