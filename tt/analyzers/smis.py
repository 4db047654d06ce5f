# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Times at which a whole host stood still."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from ttlib import plots
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables


def still(t: Tables, least_ns: float) -> pd.DataFrame:
    """Gaps in the records of a host: host, begin_us, us, waiting (packets that came during it)."""
    parts = []
    for host, trace in t.recording.traces.items():
        base = trace.start_ns() - t.recording.base
        step = np.diff(trace.ns)
        where = np.flatnonzero(step >= least_ns)
        begin = trace.ns[where] + base
        mine = t.packets[(t.packets.rx == host) & t.packets.rcvd.notna()]
        sent, got = np.sort(mine.xmit), np.sort(mine.rcvd)
        waiting = np.searchsorted(sent, begin + step[where]) - np.searchsorted(
            got, begin + step[where] - 1)
        parts.append(pd.DataFrame({"host": host, "begin_us": begin / 1000,
                                   "us": step[where] / 1000, "waiting": waiting.clip(min=0)}))
    table = pd.concat(parts, ignore_index=True)
    return table.sort_values("us", ascending=False, kind="stable", ignore_index=True)


@analyzer("smis", Opt("min_us", float, 50.0, "shortest gap to list, in us"))
def smis(t: Tables, o: SimpleNamespace) -> Result:
    """Times of 50 us or more without a record on any core of a host.

    Read: with nothing to do a host is silent, too; gaps with many packets waiting at their
    end are stalls of the whole machine (firmware, hypervisor), or of its only core.
    """
    table = still(t, o.min_us * 1000)
    busy = table[table.waiting >= 10]
    return Result(f"{len(table)} gaps of {o.min_us:g} us or more; {len(busy)} with packets "
                  "waiting at their end.", table,
                  plots.scatter({h: (p.begin_us, p.us) for h, p in table.groupby("host")},
                                "time since the recording's start, us", "length of the gap, us")
                  if len(table) else None)
