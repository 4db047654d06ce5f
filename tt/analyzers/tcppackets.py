# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The table of TCP packets itself."""
from __future__ import annotations

from types import SimpleNamespace

from ttlib import plots, tcp
from ttlib.analysis import Result, analyzer
from ttlib.model import Tables


@analyzer("tcppackets")
def tcppackets(t: Tables, _: SimpleNamespace) -> Result:
    """Every TCP packet with data, with its times from the qdisc to the application.

    Read: times are ns since the recording's start; source and dest are the low halves of
    address and port. Needs the records of kernel tracepoints.
    """
    table = tcp.packets(t)
    if table.empty:
        return Result(tcp.NOTHING, table)
    return Result(f"{len(table)} TCP packets, {table.bytes.sum() / 1e6:.3f} MB.", table,
                  plots.ccdf({h: p for h, p in table.bytes.groupby(table.tx)},
                             "data in a packet, bytes"))
