# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Whether packets of higher priority overtake others."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from ttlib import plots
from ttlib.analysis import Result, analyzer
from ttlib.model import Tables
from ttlib.ports import port_order


@analyzer("pass", needs="arrived")
def passing(t: Tables, _: SimpleNamespace) -> Result:
    """How short unscheduled packets fare at each host's port while lower ones queue there.

    Read: when others wait (others_us), short ones should not (short_us): ratio near 0. Near
    1 the port serves all in order of arrival: its priorities are off, or not trusted.
    """
    table = port_order(t)
    judged = table[table.moments > 0]
    worst = judged.ratio.max() if len(judged) else np.nan
    return Result(f"Worst ratio of short packets' wait to that of others: {worst:.2f} "
                  f"({len(judged)} of {len(table)} ports had queues to judge by).",
                  pd.DataFrame(table), plots.bars(table.set_index("host")[["short_us",
                                                                           "others_us"]],
                                                  "wait at the port, us (one on the other)",
                                                  "receiver"))
