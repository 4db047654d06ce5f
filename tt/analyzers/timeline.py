# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""When the stages of an RPC are reached."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from ttlib import plots, stats
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables

CLIENT = ["c_copied", "c_xmit", "c_last_xmit", "c_rcvd", "c_complete", "c_queued", "c_found",
          "c_copied_out", "c_done"]
SERVER = ["s_rcvd", "s_complete", "s_queued", "s_found", "s_copied_out", "s_done", "s_send",
          "s_copied", "s_xmit", "s_last_xmit"]


@analyzer("timeline", Opt("min_len", int, 0, "least length of both messages"),
          Opt("max_len", int, 1400, "greatest length of both messages"))
def timeline(t: Tables, o: SimpleNamespace) -> Result:
    """Mean, P50 and P90 time to each stage of RPCs (up to 1400 B), on client and server.

    Read: client stages count from sendmsg, server stages from the first packet; the
    greatest step between neighbours is where RPCs of this size spend their time.
    """
    chosen = t.rpcs[t.rpcs.request.between(o.min_len, o.max_len)
                    & t.rpcs.response.between(o.min_len, o.max_len)]
    rows = []
    for side, begin, stages in (("client", "c_send", CLIENT), ("server", "s_rcvd", SERVER)):
        for stage in stages:
            us = stats.us(chosen[stage] - chosen[begin]).dropna()
            if len(us):
                rows.append({"side": side, "stage": stage[2:], "count": len(us),
                             "mean_us": us.mean(), "p50_us": us.median(),
                             "p90_us": us.quantile(.9)})
    table = pd.DataFrame(rows)
    named = table.assign(name=table.side.str[0] + " " + table.stage).set_index("name") \
        if rows else table
    return Result(f"{len(chosen)} RPCs with messages of {o.min_len} to {o.max_len} B.", table,
                  plots.bars(named.mean_us, "mean time since the side's start, us",
                             "stage of client (c) and server (s)")
                  if rows else None)
