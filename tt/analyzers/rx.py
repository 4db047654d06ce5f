# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What each host receives, over time."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from ttlib import plots
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables


@analyzer("rx", Opt("host", str, "", "only this host"))
def rx(t: Tables, o: SimpleNamespace) -> Result:
    """Receive rate, live messages, grants and bytes under way of each host, by 20 us.

    Read: where gbps falls below the link's speed while inflight_kb is 0 but live_in is not,
    the host gave too few grants; where inflight_kb is high, the network held the data up.
    """
    table = t.intervals[t.intervals.host == o.host] if o.host else t.intervals
    table = table.assign(gbps=table.rx_kb * 8 / 20)[
        ["host", "begin", "gbps", "rx_pkts", "live_in", "live_out", "granted_kb", "inflight_kb"]]
    idle = table[(table.gbps < t.gbps / 2) & (table.granted_kb < 1) & (table.live_in > 0)]
    return Result(f"{100 * (table.gbps >= 0.9 * t.gbps).mean():.0f}% of the intervals were at the "
                  f"link's speed; {100 * len(idle) / max(len(table), 1):.0f}% were slow with live "
                  "messages and nothing granted.", pd.DataFrame(table).reset_index(drop=True),
                  plots.over_time(table, "gbps", "received, Gb/s"))
