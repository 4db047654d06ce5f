# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Where packets waited: in their host's device, or at the switch port to the other.

A packet that meets no other takes the same time always; what it takes longer is
its queueing. Queueing that all packets of a sender share, whoever they go to, is
the sender's; what is left is the port's.
"""
from __future__ import annotations

import numpy as np
import pandas as pd

from ttlib.model import Tables

WINDOW_NS = 20_000
GRANT_WIRE = 91
"""Bytes of a grant on an Ethernet wire."""
SHORT = 1000
"""Bytes of messages whose packets, as grants do, go first at every port."""


def serialization(wire: pd.Series | np.ndarray, gbps: float) -> pd.Series | np.ndarray:
    """How long a link is busy with so many bytes, in ns."""
    return wire * 8 / gbps


def _with_excess(seen: pd.DataFrame, gbps: float) -> pd.DataFrame:
    """`ahead`: what the packet's own frame has before it, bytes."""
    seen["delay"] = seen.rcvd - seen.xmit
    rest = seen.delay - serialization(2 * seen.wire + seen.ahead, gbps)
    # A frame may be faster than its packets one by one, where nothing cuts it.
    base = rest.where(seen.ahead == 0).groupby([seen.tx, seen.rx]).transform("min")
    seen["excess"] = (rest - base).clip(lower=0, upper=seen.delay).fillna(0)
    return seen


def queueing(t: Tables) -> pd.DataFrame:
    """Packets that arrived, with delay and excess (what was more than needed), ns."""
    ahead = t.packets.groupby(["tx", "id", "frame", "xmit"]).wire.cumsum() - t.packets.wire
    return _with_excess(t.packets.assign(ahead=ahead).dropna(subset=["rcvd"]), t.gbps)


def express(t: Tables) -> pd.DataFrame:
    """Packets that no port with priorities holds up: tx, rx, xmit, rcvd, delay, excess.

    Grants, and unscheduled packets of short messages.
    """
    length = t.messages.drop_duplicates(["id", "tx"]).set_index(["id", "tx"]).length
    size = length.reindex(pd.MultiIndex.from_frame(t.packets[["id", "tx"]])).to_numpy()
    columns = ["tx", "rx", "id", "wire", "xmit", "rcvd"]
    data = t.packets[(size <= SHORT) & ~t.packets.sched][columns]
    grants = t.grants.rename(columns={"by": "tx", "to": "rx", "sent": "xmit"})
    both = pd.concat([data, grants.assign(wire=GRANT_WIRE)[columns]], ignore_index=True)
    both = both.dropna(subset=["rcvd"]).sort_values("xmit", kind="stable", ignore_index=True)
    return _with_excess(both.assign(ahead=0.0), t.gbps)


def departures(sent: pd.DataFrame, gbps: float) -> np.ndarray:
    """When a device that sends in order would be done with each packet of a host.

    The packets are in order of time. d(i) = max(xmit(i), d(i-1)) + its own time.
    """
    busy = serialization(sent.wire.to_numpy(float), gbps)
    total = np.cumsum(busy)
    begin = np.maximum.accumulate(sent.xmit.to_numpy(float) - (total - busy))
    return begin + total


def device_times(t: Tables) -> pd.DataFrame:
    """Packets with `left`: when the device was done, as recorded, else as modelled."""
    parts = []
    for _, sent in t.packets.groupby("tx"):
        sent = sent.sort_values("xmit", kind="stable")
        left = pd.Series(departures(sent, t.gbps), index=sent.index)
        parts.append(sent.assign(left=sent.nic_done.where(sent.nic_done.notna(), left)))
    return pd.concat(parts).sort_index() if parts else t.packets.assign(left=np.nan)


def sender_queue(t: Tables) -> pd.DataFrame:
    """What the express packets of a host waited at least, by WINDOW_NS of sending: tx,
    window, excess (ns), targets (hosts that they went to), packets.
    """
    seen = express(t)
    window = (seen.xmit // WINDOW_NS).astype(np.int64).rename("window")
    grouped = seen.groupby([seen.tx, window])
    return pd.DataFrame({"excess": grouped.excess.min(), "targets": grouped.rx.nunique(),
                         "packets": grouped.size()}).reset_index()


def port_excess(t: Tables, seen: pd.DataFrame) -> pd.Series:
    """What packets waited beyond what their sender held all of its packets up, ns."""
    windows = sender_queue(t)
    sure = windows[windows.targets >= 2].set_index(["tx", "window"]).excess
    index = pd.MultiIndex.from_arrays([seen.tx, (seen.xmit // WINDOW_NS).astype(np.int64)])
    own = sure.reindex(index).fillna(0).to_numpy()
    return (seen.excess - own).clip(lower=0)
