# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""How far the clocks of hosts are apart, from the packets between them.

A packet cannot arrive before it was sent. So if a's packets to b took at least
d(a,b) as the two clocks have it, b's clock is at most d(a,b) ahead of a's; and at
least -d(b,a). That is sure, but wide.

Narrower: no packet takes less than some time L. Then b's clock is at most d(a,b) - L
ahead of a's, and by way of c at most d(a,c) + d(c,b) - 2L, which is as good where no
packet from a to b was fast. L is the longest with which the bounds do not contradict
each other: what a hop of the fastest round trip takes, of two hosts or of more. The
middle of these bounds is right if L is as long both ways.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ttlib import packets
from ttlib.recording import Recording
from ttlib.trace import TraceError

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


def _fastest_hop(delays: np.ndarray) -> float:
    """The smallest mean of the delays in any round trip (Karp's algorithm)."""
    count = len(delays)
    # walks[k, b]: the fastest way to b in k hops, from anywhere.
    walks = np.zeros((count + 1, count))
    for k in range(count):
        walks[k + 1] = (walks[k][:, None] + delays).min(axis=0)
    ends = np.isfinite(walks[count])
    if not ends.any():
        return 0.0
    hops = count - np.arange(count)
    return float(((walks[count] - walks[:count])[:, ends] / hops[:, None]).max(axis=0).min())


def _bounds(delays: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By how much each clock is ahead of the first at least and at most."""
    ahead = delays.copy()
    np.fill_diagonal(ahead, 0.0)
    for _ in range(len(ahead).bit_length()):     # ways of 1, 2, 4, ... hops
        ahead = (ahead[:, :, None] + ahead[None, :, :]).min(axis=1)
    return -ahead[:, 0], ahead[0]


def solve(hosts: list[str], fastest: pd.DataFrame) -> Sync:
    """Offsets of all hosts from the fastest packets between them."""
    index = {host: i for i, host in enumerate(hosts)}
    delays = np.full((len(hosts), len(hosts)), np.inf)
    for row in fastest.itertuples():
        if row.tx != row.rx:
            delays[index[row.tx], index[row.rx]] = row.ns
    hop = _fastest_hop(delays)
    if hop < 0:
        raise TraceError("the traces cannot be of one run: a round trip takes less than no time")
    least, most = _bounds(delays)
    if not np.isfinite(most - least).all():
        lonely = [host for host, gap in zip(hosts, most - least) if not np.isfinite(gap)]
        raise TraceError(f"no packets both ways connect {hosts[0]} with {', '.join(lonely)}")
    offsets = sum(_bounds(delays - hop)) / 2
    errors = np.maximum(most - offsets, offsets - least)
    return Sync(dict(zip(hosts, offsets.tolist())), dict(zip(hosts, errors.tolist())), fastest)


def sync(recording: Recording) -> Sync:
    """Offsets of all hosts' clocks against the first one's."""
    return solve(recording.hosts, minima(recording))
