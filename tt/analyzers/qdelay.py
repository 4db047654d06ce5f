# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Queueing delay of each packet."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from ttlib import plots, queues
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables


@analyzer("qdelay", Opt("by", str, "rx", "tx or rx: whose packets one line is"), needs="arrived")
def qdelay(t: Tables, o: SimpleNamespace) -> Result:
    """Queueing delay (beyond what an idle network takes) by receiver, or by sender.

    Read: points that climb along a line are a queue that fills; all receivers of one sender
    at once: the sender's device; one receiver, many senders: its port.
    """
    seen = queues.queueing(t)
    seen["us"] = seen.excess / 1000
    grouped = seen.groupby("tx" if o.by == "tx" else "rx")
    table = pd.DataFrame({"packets": grouped.size(), **{
        f"p{q}_us": grouped.us.quantile(q / 100) for q in (50, 90, 99)},
        "max_us": grouped.us.max(),
        "at_us": grouped.us.idxmax().map(seen.rcvd) / 1000})
    waited = (seen.us > 10).mean() * 100
    return Result(f"{waited:.1f}% of the packets waited more than 10 us; the longest wait was "
                  f"{seen.us.max():.0f} us.", table, plots.scatter(
                      {k: (p.rcvd / 1000, p.us) for k, p in grouped},
                      "time since the recording's start, us", "queueing delay, us"))
