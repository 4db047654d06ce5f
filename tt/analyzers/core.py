# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What one core did."""
from __future__ import annotations

from types import SimpleNamespace

from ttlib import plots
from ttlib.analysis import Opt, Result, analyzer
from ttlib.intervals import STEP_NS
from ttlib.model import Tables

KINDS = {"rx_data": ["DATA_RCVD"], "rx_grants": ["GRANT_RCVD"], "tx_data": ["DATA_SEND"],
         "tx_grants": ["GRANT_SENT"], "copies": ["COPY_IN_START", "COPY_OUT_START"],
         "syscalls": ["SENDMSG_REQUEST", "SENDMSG_RESPONSE", "RECVMSG_START"]}


@analyzer("core", Opt("host", str, "", "host (default: the first)"),
          Opt("core", int, -1, "core (default: the busiest of the host)"))
def core(t: Tables, o: SimpleNamespace) -> Result:
    """What one core did in each interval of 20 us: packets, grants, copies, system calls.

    Read: rows where everything is 0 but others are busy are gaps (see coregaps); rx_data
    and copies high in the same rows mean that softirq and an application share the core.
    """
    host = o.host or t.hosts[0]
    records = t.event("DATA_RCVD", "GRANT_RCVD", *sum(KINDS.values(), []))
    records = records[records.host == host].drop_duplicates(["ns", "cpu", "event", "id"])
    cpu = o.core if o.core >= 0 else (int(records.cpu.mode()[0]) if len(records) else 0)
    records = records[records.cpu == cpu]
    step = (records.ns // STEP_NS * STEP_NS).rename("begin")
    table = records.assign(one=1).pivot_table(index=step, columns="event", values="one",
                                              aggfunc="sum", fill_value=0)
    for name, events in KINDS.items():
        table[name] = table[[e for e in events if e in table]].sum(axis=1)
    table = table[list(KINDS)].reset_index()
    table.columns.name = None
    return Result(f"Core {cpu} of {host} made {len(records)} of these records.", table,
                  plots.lines({k: (table.begin / 1000, table[k]) for k in KINDS},
                              "time since the recording's start, us", "records in 20 us"))
