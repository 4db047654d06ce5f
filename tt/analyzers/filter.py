# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Packets that one asks for."""
from __future__ import annotations

from types import SimpleNamespace

from ttlib import plots, stats
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables
from ttlib.trace import TraceError

SHOWN = ["tx", "rx", "id", "offset", "length", "prio", "xmit", "rcvd", "us"]


@analyzer("filter", Opt("tx", str, "", "host that sent"), Opt("rx", str, "", "host that received"),
          Opt("rx_core", int, -1, "core that received"), Opt("min_us", float, 0.0, "least delay"),
          Opt("max_us", float, 1e12, "most delay"), Opt("min_len", int, 0, "least length"),
          Opt("where", str, "", "condition on columns, such as 'prio == 7 and resent'"))
def filter_packets(t: Tables, o: SimpleNamespace) -> Result:
    """Packets selected by host, core, size, delay or any condition, with their delays.

    Read: each row is a packet, the slowest first; compare the percentiles in the headline
    with those of another selection (the other hosts, the other cores).
    """
    table = t.packets.dropna(subset=["rcvd"])
    table = table.assign(us=(table.rcvd - table.xmit) / 1000)
    for column, value in (("tx", o.tx), ("rx", o.rx)):
        table = table[table[column] == value] if value else table
    table = table[table.rx_cpu == o.rx_core] if o.rx_core >= 0 else table
    table = table[table.us.between(o.min_us, o.max_us) & (table.length >= o.min_len)]
    try:
        table = table.query(o.where) if o.where else table
    except Exception as error:      # whatever pandas thinks of what the user wrote
        raise TraceError(f"--where: {error}".splitlines()[0]) from error
    some = stats.spread(table.us, by=table.us * 0).squeeze() if len(table) else None
    said = f"; delay P50 {some.p50:.1f}, P99 {some.p99:.1f}, max {some['max']:.1f} us" \
        if some is not None else ""
    table = table.sort_values("us", ascending=False, kind="stable", ignore_index=True)[SHOWN]
    return Result(f"{len(table)} packets{said}.", table,
                  plots.ccdf({"selected": table.us}, "one-way delay, us"))
