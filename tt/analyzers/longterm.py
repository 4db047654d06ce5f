# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""How load develops over the whole recording."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from ttlib import plots
from ttlib.analysis import Opt, Result, analyzer
from ttlib.intervals import level
from ttlib.model import Tables


@analyzer("longterm", Opt("parts", int, 20, "parts that the recording is divided into"),
          needs="messages")
def longterm(t: Tables, o: SimpleNamespace) -> Result:
    """Live requests and responses, MB pending, and how many begin and end, over the recording.

    Read: live or pending_mb that only grows means that more is offered than is done; begun
    and ended per ms should be equal in the long run.
    """
    begin, end = t.recording.common
    edges = np.linspace(begin, max(end, begin + 1), o.parts + 1)
    per_ms = 1e6 / (edges[1] - edges[0])
    parts = []
    for kind, part in t.messages.groupby("kind"):
        start, stop = part.send.to_numpy(float), part.complete.to_numpy(float)
        size = part.length.to_numpy(float)
        # What began before the recording is not known to be pending.
        stop = np.where(np.isnan(start), np.nan, stop)
        row = {"begin_us": edges[:-1] / 1000, "kind": kind,
               "live": level(start, edges[1:], np.ones(len(part)))
               - level(stop, edges[1:], np.ones(len(part))),
               "pending_mb": (level(start, edges[1:], size) - level(stop, edges[1:], size)) / 1e6,
               "begun_per_ms": np.histogram(start, edges)[0] * per_ms,
               "ended_per_ms": np.histogram(stop, edges)[0] * per_ms}
        parts.append(pd.DataFrame(row))
    table = pd.concat(parts, ignore_index=True)
    last = table.groupby("kind").live.last()
    return Result("At the end " + ", ".join(f"{n:.0f} {k}s" for k, n in last.items())
                  + " were on their way.", table, plots.lines(
                      {k: (p.begin_us, p.live) for k, p in table.groupby("kind")},
                      "time since the recording's start, us", "messages on their way"))
