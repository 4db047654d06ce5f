# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""How far the clocks of hosts are apart, from the packets between them.

A packet cannot arrive before it was sent. So if a's packets to b took at least
d(a,b) as the two clocks have it, b's clock is at most d(a,b) ahead of a's; and at
least -d(b,a). Bounds for all pairs together are made as narrow as they get, and
the middle is taken: right, if the fastest packets are equally fast both ways.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ttlib import packets
from ttlib.recording import Recording
from ttlib.trace import TraceError

MAX_ROUNDS = 100
SMALL_FRAME = 350
"""Bytes: packets above take notably longer on each link, and count only if need be."""


@dataclass(frozen=True)
class Sync:
    """What is known of the clocks; times in ns."""
    offsets: dict[str, float]
    """Host -> how far its clock is ahead of the first host's."""
    errors: dict[str, float]
    """Host -> how much its offset may be wrong at most."""
    minima: pd.DataFrame
    """tx, rx, ns, count: the fastest packet from host to host, as the clocks have it."""

    def wrong(self) -> list[str]:
        """Hosts whose clock cannot be equal to the first one's."""
        return [host for host, offset in self.offsets.items()
                if abs(offset) > self.errors[host]]


def minima(recording: Recording) -> pd.DataFrame:
    """The fastest packet of each pair of hosts: tx, rx, ns, count."""
    data = packets.data_packets(recording)
    data = data[~data.duplicated(["tx", "id", "offset"], keep=False) & data.rcvd.notna()]
    data = data.assign(ns=data.rcvd - data.xmit)
    grants = packets.grants(recording).dropna(subset=["rcvd"])
    small = pd.concat([data[data.wire <= SMALL_FRAME][["tx", "rx", "ns"]],
                       pd.DataFrame({"tx": grants.by, "rx": grants.to,
                                     "ns": grants.rcvd - grants.sent}),
                       packets.control_delays(recording)])
    found = [table.groupby(["tx", "rx"]).ns.agg(ns="min", count="count")
             for table in (small, data)]
    return found[0].combine_first(found[1]).reset_index()


def solve(hosts: list[str], fastest: pd.DataFrame) -> Sync:
    """Offsets of all hosts from the fastest packets between them."""
    count = len(hosts)
    index = {host: i for i, host in enumerate(hosts)}
    # ahead[a, b]: b's clock is at most so far ahead of a's.
    ahead = np.full((count, count), np.inf)
    np.fill_diagonal(ahead, 0.0)
    for row in fastest.itertuples():
        ahead[index[row.tx], index[row.rx]] = row.ns
    for _ in range(MAX_ROUNDS):
        through = (ahead[:, :, None] + ahead[None, :, :]).min(axis=1)
        if np.array_equal(through, ahead):
            break
        ahead = np.minimum(ahead, through)
        if (np.diag(ahead) < 0).any():
            host = hosts[int(np.argmin(np.diag(ahead)))]
            raise TraceError(f"the traces cannot be of one run: a round trip from {host} "
                             "takes less than no time")
    high, low = ahead[0], -ahead[:, 0]
    if not np.isfinite(high - low).all():
        lonely = [host for host, gap in zip(hosts, high - low) if not np.isfinite(gap)]
        raise TraceError(f"no packets both ways connect {hosts[0]} with {', '.join(lonely)}")
    return Sync(dict(zip(hosts, ((high + low) / 2).tolist())),
                dict(zip(hosts, ((high - low) / 2).tolist())), fastest)


def sync(recording: Recording) -> Sync:
    """Offsets of all hosts' clocks against the first one's."""
    return solve(recording.hosts, minima(recording))
