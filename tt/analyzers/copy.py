# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""How long copies between applications and the kernel take."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from ttlib import plots, stats
from ttlib.analysis import Result, analyzer
from ttlib.model import Tables

LONG = 5000


def copies(t: Tables, begin: str, end: str) -> pd.DataFrame:
    """Copies (host, id, cpu, length, ns) from pairs of records of one thread."""
    keys = ["host", "id"]
    first, last = t.event(begin).drop_duplicates(keys), t.event(end).drop_duplicates(keys)
    last = last.rename(columns={"ns": "until"})
    if "end" in last:  # what was copied before that is not in these records
        last["length"] = last.end - last.start
    both = first[[*keys, "cpu", "ns"]].merge(last[[*keys, "until", "length"]], on=keys)
    return both.assign(ns=both.until - both.ns)


@analyzer("copy")
def copy(t: Tables, _: SimpleNamespace) -> Result:
    """Time of copies in and out (short: up to 1000 B), and throughput of long ones (5000 B on).

    Read: Gb/s of one core below the link's speed means that one thread cannot fill it;
    free is the time to give packets back after copying out. All are 0 in virtual time.
    """
    parts = {"in": copies(t, "COPY_IN_START", "COPY_IN_DONE"),
             "out": copies(t, "COPY_OUT_START", "COPY_OUT_DONE")}
    freed = t.event("SKBS_FREED").drop_duplicates(["host", "id"])[["host", "id", "ns"]]
    done = t.event("COPY_OUT_DONE").drop_duplicates(["host", "id"])[["host", "id", "ns", "end"]]
    free = done.merge(freed, on=["host", "id"], suffixes=("", "_f"))
    parts["free"] = free.assign(ns=free.ns_f - free.ns, length=free.end)
    rows = {}
    for name, part in parts.items():
        for size, some in (("short", part[part.length <= stats.SHORT]),
                           ("long", part[part.length >= LONG])):
            if len(some):
                total = some.ns.sum()
                rows[f"{name} {size}"] = {
                    "count": len(some), "p50_us": some.ns.median() / 1000,
                    "p99_us": some.ns.quantile(.99) / 1000, "mb": some.length.sum() / 1e6,
                    "gbps_of_a_core": some.length.sum() * 8 / total if total else float("nan")}
    table = pd.DataFrame(rows).T
    return Result(f"{len(parts['in'])} messages were copied in and {len(parts['out'])} out.",
                  table, plots.ccdf({name: part.ns / 1000 for name, part in parts.items()},
                                    "time of a copy, us"))
