# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The table of intervals itself."""
from __future__ import annotations

from types import SimpleNamespace

from ttlib import plots
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables


@analyzer("intervals", Opt("host", str, "", "only this host"))
def intervals(t: Tables, o: SimpleNamespace) -> Result:
    """Each host's traffic, live RPCs, and bytes under way, in intervals of 20 us.

    Read: inflight_kb is what waits for this host in the network and in senders; where it
    grows while rx_kb is at its maximum, the host's link is the bottleneck.
    """
    table = t.intervals[t.intervals.host == o.host] if o.host else t.intervals
    table = table.reset_index(drop=True)
    return Result(f"{len(table)} intervals; at most {table.inflight_kb.max():.0f} kB were on "
                  "their way to one host.", table,
                  plots.over_time(table, "inflight_kb", "sent and not yet received, kB"))
