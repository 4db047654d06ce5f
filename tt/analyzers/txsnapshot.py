# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What a host was sending at one time."""
from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from ttlib import plots
from ttlib.analysis import Opt, Result, analyzer
from ttlib.model import Tables


@analyzer("txsnapshot", Opt("host", str, "", "host (default: with most under way from it)"),
          Opt("at_us", float, -1.0, "time (default: when that was)"), needs="packets")
def txsnapshot(t: Tables, o: SimpleNamespace) -> Result:
    """Each message that a host was sending at one time, and what it waited for.

    Read: waits_for is "grant" if all that was granted had been sent, "device" if not, and
    "network" if all was sent but not received. Bytes are those that the recording shows.
    """
    rows = t.intervals[t.intervals.host == o.host] if o.host else t.intervals
    peak = rows.loc[rows.outgoing_kb.idxmax()]
    host, at = o.host or peak.host, o.at_us * 1000 if o.at_us >= 0 else peak.begin + 20_000
    begins = t.messages.rx.map({h: b for h, (b, _) in t.recording.spans.items()})
    known = t.messages.send >= begins
    live = t.messages[known & (t.messages.tx == host) & (t.messages.send <= at)
                      & ~(t.messages.complete <= at)]
    packets = t.packets[(t.packets.tx == host) & (t.packets.xmit <= at)]
    grants = t.grants[(t.grants.to == host) & (t.grants.rcvd <= at)].groupby("id").offset.max()
    keys = list(zip(live.rx, live.id))
    ends = (packets.offset + packets.length).groupby([packets.rx, packets.id]).max()
    got = packets[packets.rcvd <= at].groupby(["rx", "id"]).length.sum()
    table = live[["id", "kind", "rx", "length"]].assign(
        begun_us=(live.send - at) / 1000, sent=ends.reindex(keys).fillna(0).to_numpy(),
        received=got.reindex(keys).fillna(0).to_numpy(),
        granted=np.fmax(live.id.map(grants), live.unscheduled).to_numpy())
    table["waits_for"] = np.select(
        [table.sent >= table.length, table.sent >= table.granted], ["network", "grant"], "device")
    table = table.sort_values("length", kind="stable", ignore_index=True)
    kinds = table.waits_for.value_counts().to_dict()
    return Result(f"At {at / 1000:.1f} us {host} was sending {len(table)} messages; they waited "
                  f"for: {', '.join(f'{k} {n}' for k, n in kinds.items())}.", table,
                  plots.bars(table.assign(name=table.id.astype(str)).head(20).set_index("name")[
                      ["sent"]] / 1000, "sent so far, kB", "message") if len(table) else None)
