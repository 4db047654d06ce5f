# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Every packet that was sent, with what delayed it."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from ttlib import plots, queues
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables


@analyzer("txpkts", Opt("host", str, "", "only this host"),
          Opt("threshold_us", float, 50.0, "what is called a backlog"), needs="packets")
def txpkts(t: Tables, o: SimpleNamespace) -> Result:
    """Each data packet sent with its time in the device and to the receiver.

    Read: device_us is the time in the sender's device (modelled unless it was recorded),
    total_us that to the receiver's Homa. Packets above the threshold come first.
    """
    packets = queues.device_times(t)
    packets = packets[packets.tx == o.host] if o.host else packets
    table = packets.assign(at_us=packets.xmit / 1000, device_us=(packets.left - packets.xmit) / 1e3,
                           total_us=(packets.rcvd - packets.xmit) / 1000)
    late = table.total_us > o.threshold_us
    table = table.assign(late=late).sort_values(["late", "xmit"], ascending=[False, True],
                                                kind="stable")
    per_queue = table.groupby(["tx", "tx_cpu"]).late.mean().mul(100)
    worst = per_queue.idxmax()
    table = table[["tx", "tx_cpu", "rx", "id", "offset", "length", "prio", "at_us", "device_us",
                   "total_us"]].reset_index(drop=True)
    return Result(f"{len(table)} packets, {late.sum()} above {o.threshold_us:g} us; most of queue "
                  f"{worst[1]} of {worst[0]}: {per_queue.max():.1f}% of its packets.",
                  pd.DataFrame(table), plots.ccdf(
                      {h: p.total_us for h, p in table.groupby("tx")}, "one-way delay, us"))
