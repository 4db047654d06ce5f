# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What makes the slowest short RPCs slow."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from ttlib import plots, stats
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables

PHASES = [("send", "c_send", "c_xmit"), ("request", "c_xmit", "s_rcvd"),
          ("server_thread", "s_complete", "s_found"), ("service", "s_found", "s_send"),
          ("reply", "s_send", "s_xmit"), ("response", "s_xmit", "c_rcvd"),
          ("client_thread", "c_complete", "c_done")]


def short_rpcs(t: Tables, most: int = stats.ONE_PACKET) -> pd.DataFrame:
    """RPCs whose messages have one packet each, all stages known, with phases in us."""
    chosen = t.rpcs[(t.rpcs.request <= most) & (t.rpcs.response <= most)]
    chosen = chosen.dropna(subset=[c for _, a, b in PHASES for c in (a, b)])
    return chosen.assign(rtt_us=chosen.rtt / 1000,
                         **{n: (chosen[b] - chosen[a]) / 1000 for n, a, b in PHASES})


@analyzer("p99short", Opt("part", float, 0.01, "which part is called slow"))
def p99short(t: Tables, o: SimpleNamespace) -> Result:
    """The slowest hundredth of the RPCs with one packet each way, and their phases.

    Read: each row is an RPC, the slowest first; the phase that is far above the medians in
    the headline is where it lost its time. `tthoma why ID` tells one in full.
    """
    chosen = short_rpcs(t)
    names = [name for name, _, _ in PHASES]
    count = max(1, round(len(chosen) * o.part)) if len(chosen) else 0
    slow = chosen.nlargest(count, "rtt_us")
    table = slow[["id", "client", "server", "request", "response", "rtt_us", *names]] \
        .reset_index(drop=True)
    usual = ", ".join(f"{name} {chosen[name].median():.1f}" for name in names) \
        if len(chosen) else ""
    both = pd.DataFrame({"all": chosen[names].mean(), "slowest": slow[names].mean()}).T
    return Result(f"{len(chosen)} short RPCs; medians in us: {usual}.", table,
                  plots.bars(both, "mean time, us", "RPCs") if len(chosen) else None)
