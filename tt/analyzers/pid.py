# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What one thread did."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from ttlib import plots
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables

OWN = ["RECVMSG_START", "RECVMSG_DONE", "SENDMSG_REQUEST", "SENDMSG_RESPONSE", "SENDMSG_DONE",
       "COPY_IN_START", "COPY_IN_DONE", "COPY_OUT_START", "COPY_OUT_DONE", "WAIT_FOUND"]


@analyzer("pid", Opt("host", str, "", "host (default: the first)"),
          Opt("pid", int, 0, "thread (default: the one with most RPCs)"))
def pid(t: Tables, o: SimpleNamespace) -> Result:
    """The system calls and copies of one thread, with the time from each to the next.

    Read: a long step after "recvmsg returning" is the application at work; after "recvmsg
    starting" the thread waited for messages; within a system call something held it up.
    """
    host = o.host or t.hosts[0]
    found = t.event("WAIT_FOUND")
    found = found[found.host == host]
    thread = o.pid or (int(found.pid.mode()[0]) if len(found) else 0)
    ids = set(found[found.pid == thread].id)
    records = t.event(*OWN)
    records = records[records.host == host]
    named = records.pid == thread if "pid" in records else np.zeros(len(records), bool)
    other = records.pid.notna() & ~named
    served = records.id.isin(ids) & ~other & (records.event != "SENDMSG_REQUEST")
    table = records[named | served].copy()
    table["us"] = table.ns / 1000
    table["step_us"] = -table.us.diff(-1)
    table = table[["us", "step_us", "event", "id", "length", "port", "cpu"]]
    table = table.reset_index(drop=True)
    idle = table[table.event == "RECVMSG_START"].step_us.sum()
    return Result(f"Thread {thread} of {host}: {len(ids)} messages; it waited {idle:.0f} us for "
                  "them.", table, plots.bars(table.groupby("event").step_us.sum(),
                                             "time until its next record, us", "record"))
