# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""How fast devices send, and what they hold then."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from analyzers.nicbacklog import held
from ttlib import plots
from ttlib.analysis import Result, analyzer
from ttlib.intervals import STEP_NS
from ttlib.model import Tables


@analyzer("nictx", needs="packets")
def nictx(t: Tables, _: SimpleNamespace) -> Result:
    """Throughput of each device against how much it holds (20 us intervals).

    Read: throughput should reach the link's speed as soon as the device holds some packets;
    a device that needs many kB to be fast wants a deeper queue, one that never is, another.
    """
    table = held(t, STEP_NS)
    edges = [-1, 0.5, 3, 10, 30, 100, float("inf")]
    names = ["0", "to 3", "3-10", "10-30", "30-100", "> 100"]
    table["holds_kb"] = pd.cut(table.kb, edges, labels=names).astype(object)
    grouped = table.groupby(["host", "holds_kb"], sort=False)
    result = pd.DataFrame({"intervals": grouped.size(), "p50_gbps": grouped.out_gbps.median(),
                           "max_gbps": grouped.out_gbps.max()}).reset_index()
    result = result.sort_values(["host", "holds_kb"], key=lambda c: c.map(names.index)
                                if c.name == "holds_kb" else c, ignore_index=True)
    return Result(f"Devices sent up to {table.out_gbps.max():.1f} Gb/s; links have {t.gbps:g}.",
                  result, plots.scatter({h: (p.kb, p.out_gbps) for h, p in table.groupby("host")},
                                        "in the device, kB", "throughput, Gb/s"))
