# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The table of packets itself."""
from __future__ import annotations

from types import SimpleNamespace

from ttlib import plots
from ttlib.analysis import Result, analyzer
from ttlib.model import Tables


@analyzer("packets")
def packets(t: Tables, _: SimpleNamespace) -> Result:
    """Every data packet with its times, hosts, cores, length and priority.

    Read: times are ns since the recording's start; rcvd is "-" if the packet was not
    received within the recording; --data writes all of it as CSV.
    """
    table = t.packets
    lengths = table.groupby("tx").length
    return Result(f"{len(table)} packets, {table.length.sum() / 1e6:.1f} MB; "
                  f"{table.rcvd.isna().sum()} not received, {table.resent.sum()} sent again.",
                  table, plots.ccdf({h: p for h, p in lengths}, "data in a packet, bytes"))
