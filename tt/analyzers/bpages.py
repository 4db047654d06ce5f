# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Who holds receive buffers."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from ttlib import plots
from ttlib.analysis import Result, analyzer
from ttlib.intervals import level
from ttlib.model import Tables

BPAGE = 65536


@analyzer("bpages")
def bpages(t: Tables, _: SimpleNamespace) -> Result:
    """Receive buffer pages that messages hold, from being found to recvmsg's return.

    Read: at_end is what was held when the trace ended, with the oldest holder; failures
    mean that messages waited for buffers, so the region was too small or not given back.
    """
    found = t.event("BUFFER_ALLOC").groupby(["host", "id"], as_index=False).first()
    found["pages"] = np.ceil(found.length / BPAGE)
    done = t.event("RECVMSG_DONE").groupby(["host", "id"]).ns.max()
    found["done"] = done.reindex(list(zip(found.host, found.id))).to_numpy()
    failed = t.event("BUFFER_FAILED").groupby("host").size()
    rows, curves = {}, {}
    for host, part in found.groupby("host"):
        times = np.sort(np.concatenate([part.ns, part.done.dropna()]))
        held = level(part.ns.to_numpy(float), times, part.pages.to_numpy()) \
            - level(part.done.to_numpy(float), times, part.pages.to_numpy())
        left = part[part.done.isna()]
        rows[host] = {"messages": len(part), "peak_pages": held.max(),
                      "at_end_rpcs": len(left), "at_end_pages": left.pages.sum(),
                      "oldest_us": (t.recording.spans[host][1] - left.ns.min()) / 1000,
                      "failures": failed.get(host, 0)}
        curves[host] = (times / 1000, held)
    table = pd.DataFrame(rows).T
    top = table.peak_pages.max() if len(table) else 0
    return Result(f"At most {top:.0f} pages of 64 kB were held by one host; "
                  f"{failed.sum()} times there was none.", table,
                  plots.lines(curves, "time since the recording's start, us", "pages of 64 kB"))
