# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The queue of each socket."""
from __future__ import annotations

from types import SimpleNamespace

from analyzers.handoffs import waits
from ttlib import plots
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables


@analyzer("sockqs", Opt("host", str, "", "only this host"))
def sockqs(t: Tables, o: SimpleNamespace) -> Result:
    """Each hand-off of a message to a thread: socket, messages ahead of it, wait.

    Read: rows in order of time; ahead that grows from row to row is a socket whose threads
    cannot keep up; one long wait without any ahead is a slow wake-up.
    """
    table = waits(t)
    table = table[table.host == o.host] if o.host else table
    table = table.assign(at_us=table.ns / 1000, wait_us=table.wait / 1000).sort_values(
        "ns", kind="stable", ignore_index=True)
    table = table[["host", "port", "id", "at_us", "ahead", "wait_us", "pid"]]
    top = table.ahead.max() if len(table) else 0
    return Result(f"{len(table)} hand-offs; at most {top} messages were ahead of one.", table,
                  plots.scatter({h: (p.at_us, p.wait_us) for h, p in table.groupby("host")},
                                "time since the recording's start, us", "wait for a thread, us"))
