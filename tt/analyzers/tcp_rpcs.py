# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Exchanges over TCP."""
from __future__ import annotations

from types import SimpleNamespace

from ttlib import plots, tcp
from ttlib.analysis import Result, analyzer
from ttlib.model import Tables


@analyzer("tcp_rpcs")
def tcp_rpcs(t: Tables, _: SimpleNamespace) -> Result:
    """Requests and answers over TCP connections, with the time in each phase.

    Read: an exchange is what one end sends until the other answers, so requests that share
    a connection at a time count as one; service_us is from the request's last byte at the
    server to the answer's first.
    """
    table = tcp.exchanges(t)
    if table.empty:
        return Result(tcp.NOTHING, table)
    table = table.assign(begin_us=table.begin / 1000, rtt_us=(table.end - table.begin) / 1000,
                         request_us=(table.served - table.begin) / 1000,
                         service_us=(table.answered - table.served) / 1000,
                         response_us=(table.end - table.answered) / 1000)
    table = table[["client", "server", "request", "response", "begin_us", "rtt_us", "request_us",
                   "service_us", "response_us"]].sort_values("rtt_us", ascending=False,
                                                             kind="stable", ignore_index=True)
    return Result(f"{len(table)} exchanges; P50 {table.rtt_us.median():.1f} us, the longest "
                  f"{table.rtt_us.max():.1f} us.", table,
                  plots.ccdf({h: p for h, p in table.rtt_us.groupby(table.client)},
                             "time of an exchange, us"))
