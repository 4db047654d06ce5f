# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""How much received data waits for applications."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from ttlib import plots
from ttlib.analysis import Result, analyzer
from ttlib.intervals import level
from ttlib.model import Tables


@analyzer("rxbufs", needs="arrived")
def rxbufs(t: Tables, _: SimpleNamespace) -> Result:
    """KB of packets that each core took in and that no recvmsg has given back.

    Read: peak_kb above what the device's ring and page cache hold (a few hundred KB of each
    queue) means that pages are allocated anew for each packet, which is slow.
    """
    seen = t.packets.dropna(subset=["rcvd"])
    freed = t.event("SKBS_FREED").groupby(["host", "id"]).ns.max()
    gone = freed.reindex(pd.MultiIndex.from_frame(seen[["rx", "id"]])).to_numpy()
    seen = seen.assign(gone=np.where(gone >= seen.rcvd, gone, np.nan))
    rows, curves = [], {}
    for (host, core), part in seen.groupby(["rx", "rx_cpu"]):
        times = np.sort(part.rcvd.to_numpy())
        kb = part.wire.to_numpy(float) / 1e3
        held = level(part.rcvd.to_numpy(float), times, kb) \
            - level(part.gone.to_numpy(float), times, kb)
        age = (part.gone - part.rcvd) / 1000
        rows.append({"host": host, "core": int(core), "mean_kb": held.mean(), "peak_kb": held.max(),
                     "at_us": times[held.argmax()] / 1000, "kept_p50_us": age.median(),
                     "kept_p99_us": age.quantile(.99)})
        curves[f"{host} C{core:.0f}"] = (times / 1000, held)
    table = pd.DataFrame(rows)
    return Result(f"At most {table.peak_kb.max() if rows else 0:.0f} kB of one core's packets "
                  "were held.", table, plots.lines(
                      curves, "time since the recording's start, us", "packets held, kB"))
