# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What servers do with requests."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from ttlib import plots
from ttlib.analysis import Result, analyzer
from ttlib.model import Tables

PHASES = [("rest", "s_rcvd", "s_complete"), ("thread", "s_complete", "s_found"),
          ("copy_out", "s_found", "s_done"), ("application", "s_done", "s_send"),
          ("first_xmit", "s_send", "s_xmit"), ("last_xmit", "s_xmit", "s_last_xmit")]


@analyzer("service")
def service(t: Tables, _: SimpleNamespace) -> Result:
    """Time that RPCs spend at their server, from the first packet in to the last one out.

    Read: lag_us is the mean above the fastest RPC's time in that phase, share_pct its part
    of all lags: the phase with the greatest share is what slows servers down.
    """
    chosen = t.rpcs.dropna(subset=[c for _, a, b in PHASES for c in (a, b)])
    total = (chosen.s_last_xmit - chosen.s_rcvd) / 1000
    rows = {}
    for name, begin, end in PHASES:
        us = (chosen[end] - chosen[begin]) / 1000
        rows[name] = {"min_us": us.min(), "p50_us": us.median(), "p99_us": us.quantile(.99),
                      "max_us": us.max(), "lag_us": (us - us.min()).mean()}
    table = pd.DataFrame(rows).T
    table["share_pct"] = 100 * table.lag_us / table.lag_us.sum() if len(chosen) else 0.0
    grants = chosen.c_grants.gt(0)
    said = f"min {total.min():.1f}, P50 {total.median():.1f}, max {total.max():.1f} us" \
        if len(chosen) else "none is whole in this recording"
    return Result(f"{len(chosen)} RPCs were served ({grants.sum()} with granted requests): {said}.",
                  table, plots.bars(table.lag_us.rename("lag"), "mean lag, us", "phase"))
