# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""One RPC's phases, or the means of many."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from analyzers.rpcs import STAGES
from ttlib import plots
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables
from ttlib.trace import TraceError


@analyzer("rpcid", Opt("ids", str, "", "ids with commas between (default: all of the recording)"))
def rpcid(t: Tables, o: SimpleNamespace) -> Result:
    """Phases of RPCs given by id, with the mean over them; of all, if none is given.

    Read: rows are phases in order of time, from sendmsg at the client to recvmsg's return
    there; "of_all_pct" is the phase's part of the whole.
    """
    chosen = t.rpcs.dropna(subset=["rtt"])
    if o.ids:
        try:
            wanted = [int(word) & 0xFFFFFFFF & ~1 for word in o.ids.split(",")]
        except ValueError:
            raise TraceError(f"'{o.ids}' is not a list of ids") from None
        chosen = chosen[chosen.id.isin(wanted)]
        missing = set(wanted) - set(chosen.id)
        if missing:
            raise TraceError(f"no whole RPC {sorted(missing)[0]} in this recording")
    phases = pd.DataFrame({n: (chosen[b] - chosen[a]) / 1000 for n, a, b in STAGES})
    table = pd.DataFrame({"mean_us": phases.mean(), "max_us": phases.max()})
    table["of_all_pct"] = 100 * table.mean_us / table.mean_us["all"]
    if 1 < len(chosen) <= 6:
        table = table.join(phases.T.set_axis(chosen.id.astype(str), axis=1))
    return Result(f"{len(chosen)} RPCs, on average {table.mean_us['all']:.1f} us.", table,
                  plots.bars(table.mean_us.drop("all").rename("mean"), "mean time, us", "phase"))
