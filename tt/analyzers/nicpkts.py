# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What else is in the device when a packet leaves it."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from ttlib import plots, queues
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables


@analyzer("nicpkts", Opt("host", str, "", "only this host"), needs="packets")
def nicpkts(t: Tables, o: SimpleNamespace) -> Result:
    """Each packet in order of leaving its device, with what was in it at that moment.

    Read: late is how many packets were given to the device after this one and left before
    it: above 0 the device does not keep the order. pkts and kb are behind it still.
    """
    packets = queues.device_times(t).dropna(subset=["left"])
    packets = packets[packets.tx == o.host] if o.host else packets
    parts = []
    for _, part in packets.groupby("tx"):
        part = part.sort_values(["xmit", "left"], kind="stable")
        total = np.concatenate([[0.0], np.cumsum(part.wire)]) / 1e3
        order = np.arange(len(part))
        leaving = part.assign(entered=order).sort_values(["left", "entered"], kind="stable")
        into = np.searchsorted(part.xmit.to_numpy(), leaving.left.to_numpy(), side="right")
        gone = np.arange(1, len(part) + 1)
        late = np.maximum(0, order - leaving.entered.to_numpy())
        parts.append(leaving.assign(pkts=into - gone, late=late, kb=total[into]
                                    - np.cumsum(leaving.wire.to_numpy()) / 1e3))
    shown = ["tx", "id", "offset", "xmit", "left", "pkts", "kb", "late"]
    table = pd.concat(parts, ignore_index=True)[shown] if parts else packets
    return Result(f"{len(table)} packets left; {(table.late > 0).sum()} of them after some that "
                  f"were given to the device later; at most {table.pkts.max()} were behind one.",
                  table, plots.ccdf({h: p.pkts for h, p in table.groupby("tx")},
                                    "packets in the device when one leaves"))
