# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What each host did in each interval of time, and how fast links are."""
from __future__ import annotations

import numpy as np
import pandas as pd

from ttlib.recording import Recording

STEP_NS = 20_000
SPEEDS = (1, 2.5, 5, 10, 20, 25, 40, 50, 100, 200, 400)
"""Gb/s that links have; what was measured is a little below one of them."""


def link_gbps(packets: pd.DataFrame) -> float:
    """The speed of the links, from how fast the fastest hosts received for 20 us."""
    seen = packets.dropna(subset=["rcvd"])
    if packets.empty:
        return float("nan")
    wire = seen.groupby([seen.rx, seen.rcvd // STEP_NS]).wire.sum() if len(seen) else \
        packets.groupby([packets.tx, packets.xmit // STEP_NS]).wire.sum()
    # A stalled host takes in more than the link's speed at once: not the maximum.
    fastest = float(np.quantile(wire * 8 / STEP_NS, 0.95))
    return next((speed for speed in SPEEDS if speed * 1.03 >= fastest), fastest)


def level(times: np.ndarray, steps: np.ndarray, change: np.ndarray) -> np.ndarray:
    """A quantity that changes at some times, as it is at each of `steps`."""
    known = ~np.isnan(times)
    order = np.argsort(times[known], kind="stable")
    total = np.concatenate([[0.0], np.cumsum(change[known][order])])
    return total[np.searchsorted(times[known][order], steps, side="right")]


def _between(table: pd.DataFrame, begin: str, end: str, steps: np.ndarray,
             amount: np.ndarray | float = 1.0) -> np.ndarray:
    """How much of a table's rows is between two of its times, at each of `steps`."""
    size = np.broadcast_to(np.asarray(amount, float), len(table))
    known = table[begin].notna().to_numpy()
    table, size = table[known], size[known]
    return level(table[begin].to_numpy(float), steps, size) \
        - level(table[end].to_numpy(float), steps, size)


def _sums(times: pd.Series, weights: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.histogram(times.to_numpy(float), edges, weights=weights)[0]


def intervals(recording: Recording, rpcs: pd.DataFrame, packets: pd.DataFrame,
              grants: pd.DataFrame, step: float = STEP_NS) -> pd.DataFrame:
    """The table of intervals; model.py says what its columns are."""
    parts = []
    both = packets.dropna(subset=["rcvd"])
    # Of messages that began earlier, it is not known what was granted before.
    whole = pd.MultiIndex.from_frame(recording.event("MSG_NEW")[["host", "id"]])
    granted = grants[pd.MultiIndex.from_frame(grants[["by", "id"]]).isin(whole)]
    granted = granted.drop_duplicates(["by", "id", "offset"])
    scheduled = both[both.sched & pd.MultiIndex.from_frame(both[["rx", "id"]]).isin(whole)]
    for host in recording.hosts:
        begin, end = recording.spans[host]
        edges = np.arange(begin, end + step, step)
        sent, got = packets[packets.tx == host], packets[packets.rx == host]
        arrived = [table.dropna(subset=["rcvd"]) for table in (got, sent)]
        mine, theirs = rpcs[rpcs.client == host], rpcs[rpcs.server == host]
        given, used = granted[granted.by == host], scheduled[scheduled.rx == host]
        steps = edges[1:]
        part = {"host": host, "begin": edges[:-1],
                "tx_kb": _sums(sent.xmit, sent.wire / 1e3, edges),
                "rx_kb": _sums(got.rcvd, got.wire / 1e3, edges),
                "tx_pkts": _sums(sent.xmit, np.ones(len(sent)), edges),
                "rx_pkts": _sums(got.rcvd, np.ones(len(got)), edges),
                "live_out": _between(mine, "c_send", "c_done", steps),
                "live_in": _between(theirs, "s_rcvd", "s_last_xmit", steps),
                "inflight_kb": _between(arrived[0], "xmit", "rcvd", steps,
                                        arrived[0].wire / 1e3),
                "outgoing_kb": _between(arrived[1], "xmit", "rcvd", steps,
                                        arrived[1].wire / 1e3),
                "granted_kb": level(given.sent.to_numpy(float), steps,
                                    given.increment.to_numpy(float) / 1e3)
                - level(used.rcvd.to_numpy(float), steps, used.length.to_numpy(float) / 1e3)}
        parts.append(pd.DataFrame(part))
    return pd.concat(parts, ignore_index=True)
