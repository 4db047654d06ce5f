# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""How busy hosts were."""
from __future__ import annotations

from types import SimpleNamespace

import pandas as pd

from ttlib import plots
from ttlib.analysis import Result, analyzer
from ttlib.model import Tables


def host_row(t: Tables, host: str) -> dict[str, float]:
    """What one host did, in all of its recording."""
    begin, end = t.recording.spans[host]
    us = max((end - begin) / 1000, 1e-3)
    sent, got = t.packets[t.packets.tx == host], t.packets[t.packets.rx == host]
    got = got.dropna(subset=["rcvd"])
    mine = t.intervals[t.intervals.host == host]
    messages = t.messages[t.messages.tx == host]
    cores = got.groupby("rx_cpu").size()
    return {"us": us, "live_out": mine.live_out.mean(), "live_in": mine.live_in.mean(),
            "msgs_per_ms": messages.send.notna().sum() / us * 1000,
            "tx_gbps": sent.wire.sum() * 8 / us / 1000, "rx_gbps": got.wire.sum() * 8 / us / 1000,
            "tx_pkts_per_us": len(sent) / us, "rx_pkts_per_us": len(got) / us,
            "rx_cores": len(cores),
            "rx_top_core_pct": 100 * cores.max() / len(got) if len(got) else 0.0}


@analyzer("activity")
def activity(t: Tables, _: SimpleNamespace) -> Result:
    """Live RPCs, message rate, data and packet rates, and receiving cores of each host.

    Read: a host whose rates are near the link's speed queues by itself; one whose packets
    all arrive on one core (rx_top_core_pct 100 of several) has a hotspot.
    """
    table = pd.DataFrame({host: host_row(t, host) for host in t.hosts}).T
    busy = table.rx_gbps.idxmax()
    return Result(f"{busy} received most: {table.rx_gbps[busy]:.1f} of {t.gbps:g} Gb/s; "
                  f"all together sent {table.msgs_per_ms.sum():.0f} messages/ms.", table,
                  plots.over_time(t.intervals.assign(gbps=t.intervals.rx_kb * 8 / 20),
                                  "gbps", "received, Gb/s"))
