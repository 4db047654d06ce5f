# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""How far clocks are apart."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from ttlib import plots
from ttlib.analysis import Result, analyzer
from ttlib.model import Tables


@analyzer("sync")
def sync(t: Tables, _: SimpleNamespace) -> Result:
    """How far each host's clock is ahead of the first host's, from one-way delays.

    Read: a clock is wrong if its offset exceeds max_error, and all times in other results
    were corrected by it; `ttsync` writes corrected traces.
    """
    if t.sync is None:
        return Result("The packets in this recording do not connect all hosts.", pd.DataFrame())
    table = pd.DataFrame({"offset_us": pd.Series(t.sync.offsets) / 1000,
                          "max_error_us": pd.Series(t.sync.errors) / 1000})
    table["corrected"] = [host in t.moved for host in table.index]
    wrong = ", ".join(t.moved) or "none"
    return Result(f"Clocks that were certainly wrong: {wrong}.", table,
                  plots.bars(table.offset_us, "clock ahead of the first host's, us", "host"))
