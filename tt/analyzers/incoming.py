# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What arrives at each core."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from ttlib import plots
from ttlib.analysis import Result, analyzer
from ttlib.intervals import STEP_NS
from ttlib.model import Tables


@analyzer("incoming", needs="arrived")
def incoming(t: Tables, _: SimpleNamespace) -> Result:
    """Gb/s and packets that arrive at each core, in intervals of 20 us.

    Read: max_gbps above the link's speed means that packets waited before they were taken
    in and then came all at once; see the same time in coregaps.
    """
    seen = t.packets.dropna(subset=["rcvd"])
    step = (seen.rcvd // STEP_NS * STEP_NS).rename("begin")
    grouped = seen.groupby([seen.rx.rename("host"), seen.rx_cpu.rename("core"), step])
    each = pd.DataFrame({"gbps": grouped.wire.sum() * 8 / STEP_NS, "pkts": grouped.size()})
    per_core = each.groupby(level=["host", "core"])
    table = pd.DataFrame({"mean_gbps": per_core.gbps.mean(), "max_gbps": per_core.gbps.max(),
                          "max_pkts": per_core.pkts.max()})
    table["at_us"] = per_core.gbps.idxmax().map(lambda where: where[2] / 1000)
    table = table.reset_index().astype({"core": int})
    top = table.max_gbps.max() if len(table) else 0.0
    return Result(f"The most that one core took in was {top:.1f} Gb/s (20 us); "
                  f"links have {t.gbps:g}.", table,
                  plots.over_time(each.reset_index(), "gbps", "arriving, Gb/s"))
