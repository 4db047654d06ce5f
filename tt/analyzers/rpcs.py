# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""RPCs, and the phases of their lives."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from ttlib import plots, stats
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables

STAGES = [("send", "c_send", "c_xmit"), ("request net", "c_xmit", "s_rcvd"),
          ("request rest", "s_rcvd", "s_complete"), ("server thread", "s_complete", "s_found"),
          ("service", "s_found", "s_send"), ("reply", "s_send", "s_xmit"),
          ("response net", "s_xmit", "c_rcvd"), ("response rest", "c_rcvd", "c_complete"),
          ("client thread", "c_complete", "c_found"), ("recvmsg", "c_found", "c_done"),
          ("all", "c_send", "c_done")]
SHOWN = ["id", "client", "server", "request", "response", "begin_us", "rtt_us", "slow_phase",
         "slow_us", "c_resends"]


@analyzer("rpcs", Opt("client", str, "", "only of this host"),
          Opt("server", str, "", "only to this host"),
          Opt("min_us", float, 0.0, "least time"), Opt("max_us", float, 1e12, "most time"),
          Opt("min_len", int, 0, "least length of the longer message"),
          Opt("sort", str, "rtt_us", "column to sort by, greatest first"))
def rpcs(t: Tables, o: SimpleNamespace) -> Result:
    """RPCs selected by host, time and length, each with the phase that took longest.

    Read: the headline has medians of the phases; slow_phase says where an RPC lost its time,
    as far as the trace reaches. `tthoma why ID` tells one in full.
    """
    table = t.rpcs.dropna(subset=["rtt"])
    for column, value in (("client", o.client), ("server", o.server)):
        table = table[table[column] == value] if value else table
    longer = table[["request", "response"]].max(axis=1)
    table = table[(longer >= o.min_len) & (table.rtt / 1000).between(o.min_us, o.max_us)]
    phases = pd.DataFrame({n: (table[b] - table[a]) / 1000 for n, a, b in STAGES[:-1]})
    known = phases.notna().any(axis=1)
    table = table.assign(begin_us=table.c_send / 1000, rtt_us=table.rtt / 1000,
                         slow_us=phases.max(axis=1), slow_phase="-")
    if known.any():
        table.loc[known, "slow_phase"] = phases[known].idxmax(axis=1)
    medians = stats.phases(table, STAGES).p50
    said = ", ".join(f"{n} {v:.1f}" for n, v in medians.items() if v > 0)
    by = o.sort if o.sort in SHOWN else "rtt_us"
    shown = table.sort_values(by, ascending=False, kind="stable", ignore_index=True)[SHOWN]
    return Result(f"{len(shown)} RPCs; medians in us: {said}.", shown, plots.ccdf(
        {n: p / 1000 for n, p in table.rtt.groupby(stats.size_class(
            table[["request", "response"]].max(axis=1)))}, "time of an RPC, us"))
