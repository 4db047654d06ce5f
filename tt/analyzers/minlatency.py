# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The fastest packet between hosts."""
from __future__ import annotations

from types import SimpleNamespace

from ttlib import clocksync, plots
from ttlib.analysis import Result, analyzer
from ttlib.model import Tables


@analyzer("minlatency")
def minlatency(t: Tables, _: SimpleNamespace) -> Result:
    """The smallest one-way delay from each host to each other, in us.

    Read: rows send, columns receive. All values of one network should be nearly equal; a
    row that is low where its column is high is a clock that runs ahead (ttsync).
    """
    fastest = clocksync.minima(t.recording)
    table = (fastest.pivot(index="tx", columns="rx", values="ns") / 1000).rename_axis(
        index="from", columns="to")
    values = fastest.ns / 1000
    return Result(f"The fastest packets of {len(fastest)} pairs took {values.min():.2f} to "
                  f"{values.max():.2f} us.", table,
                  plots.matrix(table, "smallest one-way delay, us", "to", "from"))
