# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Cores that did nothing for long."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from ttlib import plots
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables

TOP = 5


def gaps(t: Tables, least_ns: float) -> pd.DataFrame:
    """Gaps in the records of each core: host, cpu, begin_us, us, the longest first."""
    rows = []
    for host, trace in t.recording.traces.items():
        base = trace.start_ns() - t.recording.base
        for cpu in np.unique(trace.cpu):
            times = trace.ns[trace.cpu == cpu]
            step = np.diff(times)
            for i in np.argsort(-step, kind="stable")[:TOP]:
                if step[i] >= least_ns:
                    rows.append((host, int(cpu), (times[i] + base) / 1000, step[i] / 1000))
    table = pd.DataFrame(rows, columns=["host", "cpu", "begin_us", "us"])
    return table.sort_values("us", ascending=False, kind="stable", ignore_index=True)


@analyzer("coregaps", Opt("min_us", float, 5000.0, "shortest gap to list, in us"))
def coregaps(t: Tables, o: SimpleNamespace) -> Result:
    """The five longest times (from 5 ms on) without any record, of each core.

    Read: a core that is idle has gaps, too; suspect a gap that begins while packets for
    the host were on their way, or that all cores of a host share (see smis).
    """
    table = gaps(t, o.min_us * 1000)
    longest = f"the longest, {table.us[0]:.0f} us, on {table.host[0]}" if len(table) else "none"
    return Result(f"{len(table)} gaps of {o.min_us:g} us or more: {longest}.", table,
                  plots.bars(table.groupby("host").us.max(), "longest gap, us", "host")
                  if len(table) else None)
