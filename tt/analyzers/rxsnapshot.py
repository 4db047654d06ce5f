# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What was coming in to a host at one time."""
from __future__ import annotations

from types import SimpleNamespace

from ttlib import plots
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables


@analyzer("rxsnapshot", Opt("host", str, "", "host (default: with most under way to it)"),
          Opt("at_us", float, -1.0, "time (default: when that was)"), needs="arrived")
def rxsnapshot(t: Tables, o: SimpleNamespace) -> Result:
    """Each message that was coming in to a host at one time, and how far it was.

    Read: a message with sent above received waits in the network; with granted above sent,
    for its sender; with granted at received and not the whole, for a grant. Bytes are those
    that the recording shows, so messages that began before it show fewer.
    """
    rows = t.intervals[t.intervals.host == o.host] if o.host else t.intervals
    peak = rows.loc[rows.inflight_kb.idxmax()]
    host, at = o.host or peak.host, o.at_us * 1000 if o.at_us >= 0 else peak.begin + 20_000
    begins = t.messages.rx.map({h: b for h, (b, _) in t.recording.spans.items()})
    known = t.messages.xmit >= begins
    live = t.messages[known & (t.messages.rx == host) & (t.messages.xmit <= at)
                      & ~(t.messages.complete <= at)]
    packets = t.packets[t.packets.rx == host]
    sent = packets[packets.xmit <= at].groupby(["tx", "id"]).length.sum()
    got = packets[packets.rcvd <= at].groupby(["tx", "id"]).length.sum()
    grants = t.grants[(t.grants.by == host) & (t.grants.sent <= at)].groupby("id").offset.max()
    keys = list(zip(live.tx, live.id))
    table = live[["id", "kind", "tx", "length"]].assign(
        begun_us=(live.xmit - at) / 1000, granted=live.id.map(grants).to_numpy(),
        sent=sent.reindex(keys).to_numpy(), received=got.reindex(keys).fillna(0).to_numpy())
    table["under_way"] = table.sent - table.received
    table = table.sort_values("under_way", ascending=False, kind="stable", ignore_index=True)
    return Result(f"At {at / 1000:.1f} us {len(table)} messages were coming in to {host}, "
                  f"{table.under_way.sum() / 1000:.0f} kB of them under way.", table,
                  plots.bars(table.assign(name=table.id.astype(str)).head(20).set_index("name")[
                      ["received", "under_way"]] / 1000, "bytes, kB", "message")
                  if len(table) else None)
