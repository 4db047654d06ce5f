# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""One packet, and those that it competed with."""
from __future__ import annotations

from types import SimpleNamespace

from ttlib import plots, queues
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables
from ttlib.trace import TraceError


def chosen(t: Tables, text: str) -> "object":
    """The packet ID:OFFSET, or the one that waited longest if text is empty."""
    seen = queues.queueing(t)
    if text:
        try:
            rpc, offset = (int(word) for word in text.split(":"))
        except ValueError:
            raise TraceError(f"'{text}' is not ID:OFFSET") from None
        seen = seen[(seen.id == rpc) & (seen.offset == offset)]
    if seen.empty:
        raise TraceError(f"no packet {text or 'at all'} arrived")
    return seen.loc[seen.excess.idxmax()]


@analyzer("packet", Opt("pkt", str, "", "ID:OFFSET (default: the one that waited longest)"),
          needs="arrived")
def packet(t: Tables, o: SimpleNamespace) -> Result:
    """A packet's way, and which packets to the same host arrived while it was underway.

    Read: rows are what arrived before it although it was sent when they were sent or later,
    by message: those of higher prio had the right to; "own" are from the same sender, so the
    wait was in its device.
    """
    one = chosen(t, o.pkt)
    seen = t.packets.dropna(subset=["rcvd"])
    rivals = seen[(seen.rx == one.rx) & (seen.rcvd > one.xmit) & (seen.rcvd <= one.rcvd)
                  & (seen.index != one.name)]
    rivals = rivals.assign(own=rivals.tx == one.tx, later=rivals.xmit > one.xmit)
    grouped = rivals.groupby(["tx", "id", "prio", "sched", "own"])
    table = grouped.agg(packets=("wire", "size"), kb=("wire", lambda w: w.sum() / 1e3),
                        sent_later=("later", "sum")).reset_index()
    table = table.sort_values("kb", ascending=False, kind="stable", ignore_index=True)
    kind = f"prio {one.prio}" if one.prio >= 0 else "unscheduled"
    return Result(
        f"Packet {one.id}:{one.offset} ({one.length} B, {kind}) left {one.tx} at "
        f"{one.xmit / 1000:.1f} us and was at {one.rx} {one.delay / 1000:.1f} us later, "
        f"{one.excess / 1000:.1f} us of that in queues; {rivals.wire.sum() / 1e3:.0f} kB of "
        "others arrived meanwhile.", table,
        plots.bars(table.groupby("tx").kb.sum(), "arrived before it, kB", "sender"))
