# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What waits in the network, by kind."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from ttlib import plots, queues
from ttlib.analysis import Result, analyzer
from ttlib.intervals import STEP_NS, level
from ttlib.model import Tables


@analyzer("qbytes", needs="arrived")
def qbytes(t: Tables, _: SimpleNamespace) -> Result:
    """KB that wait in the network over time: unscheduled, scheduled, and grants.

    Read: unscheduled bytes come whether there is room or not; scheduled ones should not be
    much more than what keeps links busy. Waiting is counted from when a packet on an idle
    network would have arrived.
    """
    seen = queues.queueing(t)
    grants = queues.express(t)
    grants = grants[grants.wire == queues.GRANT_WIRE]
    begin, end = t.recording.common
    times = np.arange(begin, max(end, begin + 1), STEP_NS / 4)
    table = pd.DataFrame({"begin": times})
    for name, part in (("unscheduled_kb", seen[~seen.sched]), ("scheduled_kb", seen[seen.sched]),
                       ("grants_kb", grants)):
        kb = part.wire.to_numpy(float) / 1e3
        table[name] = level((part.rcvd - part.excess).to_numpy(float), times, kb) \
            - level(part.rcvd.to_numpy(float), times, kb)
    means = table.drop(columns="begin").mean()
    return Result("On average " + ", ".join(f"{v:.1f} kB {n[:-3]}" for n, v in means.items())
                  + f" waited; at most {table.drop(columns='begin').sum(axis=1).max():.0f} kB.",
                  table, plots.lines({c: (times / 1000, table[c]) for c in means.index},
                                     "time since the recording's start, us", "waiting, kB"))
