# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Round trips of short RPCs."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from analyzers.p99short import PHASES, short_rpcs
from ttlib import plots
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables

QUANTILES = (0, 10, 50, 90, 99, 99.9, 100)


@analyzer("rtt", Opt("most", int, 1500, "greatest length of either message"))
def rtt(t: Tables, o: SimpleNamespace) -> Result:
    """Round-trip times of short RPCs, and phases of the fastest against the slowest tenth.

    Read: what the slowest column has more than the fastest is what to work on; if the
    fastest tenth is already slow, the cost is in every RPC.
    """
    chosen = short_rpcs(t, o.most)
    values = chosen.rtt_us.quantile([q / 100 for q in QUANTILES])
    count = max(1, len(chosen) // 10)
    names = [name for name, _, _ in PHASES]
    table = pd.DataFrame({"fastest": chosen.nsmallest(count, "rtt_us")[names].mean(),
                          "median": chosen[names].median(),
                          "slowest": chosen.nlargest(count, "rtt_us")[names].mean()})
    table["more"] = table.slowest - table.fastest
    said = ", ".join(f"P{q:g} {v:.1f}" for q, v in zip(QUANTILES, values))
    return Result(f"{len(chosen)} short RPCs, round trip in us: {said}.", table,
                  plots.ccdf({h: p.rtt_us for h, p in chosen.groupby("client")},
                             "round trip of short RPCs, us"))
