# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The traces of several hosts on one time axis, and their records by kind.

Times in tables are nanoseconds since the first record of any host (the base), as
floats, so that NaN stands for what was not recorded.
"""
from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

import pandas as pd

from ttlib import events
from ttlib.trace import Trace, TraceError, event_columns

Span = tuple[float, float]


@dataclass
class Recording:
    """What several hosts recorded."""
    traces: dict[str, Trace]
    """Host -> its trace."""
    base: float = 0.0
    """Absolute time of time 0 of all tables, in ns."""
    spans: dict[str, Span] = field(default_factory=dict)
    """Host -> times of its first and last record."""
    kinds: dict[str, pd.DataFrame] = field(default_factory=dict)
    """Name of an event -> its records: host, ns, cpu, and the values by name."""

    @staticmethod
    def make(traces: dict[str, Trace]) -> Recording:
        """Put traces on one time axis, as their clocks have it."""
        traces = {host: trace for host, trace in sorted(traces.items()) if len(trace)}
        if not traces:
            raise TraceError("there are no records")
        base = min(trace.start_ns() + trace.ns[0] for trace in traces.values())
        recording = Recording(traces, base)
        tables: dict[str, list[pd.DataFrame]] = {}
        catalog = events.load()
        for host, trace in traces.items():
            ns = trace.ns + (trace.start_ns() - base)
            recording.spans[host] = (float(ns[0]), float(ns[-1]))
            for code, where in trace.groups():
                event = catalog.by_text.get(trace.formats[code])
                if event:
                    tables.setdefault(event.name, []).append(pd.DataFrame(
                        {"host": host, "ns": ns[where], "cpu": trace.cpu[where],
                         **event_columns(trace, event, where)}))
        recording.kinds = {name: pd.concat(parts, ignore_index=True)
                           .sort_values("ns", kind="stable", ignore_index=True)
                           for name, parts in tables.items()}
        return recording

    def __post_init__(self) -> None:
        self.catalog = events.load()

    def event(self, *names: str) -> pd.DataFrame:
        """The records of some kinds, in order of time; empty if there are none."""
        empty = [pd.DataFrame(columns=["host", "ns", "cpu", *self.catalog.events[name].fields])
                 for name in names if name in self.catalog.events]
        found = [self.kinds[name].assign(event=name) for name in names if name in self.kinds]
        if not found:
            columns = list(dict.fromkeys(c for table in empty for c in table.columns))
            numbers = {c: pd.Series(dtype=float) for c in columns if c != "host"}
            return pd.DataFrame({"host": pd.Series(dtype=object), **numbers,
                                 "event": pd.Series(dtype=object)})
        return found[0] if len(found) == 1 else pd.concat(found, ignore_index=True) \
            .sort_values("ns", kind="stable", ignore_index=True)

    @property
    def hosts(self) -> list[str]:
        """Names of the hosts."""
        return list(self.traces)

    @property
    def common(self) -> Span:
        """From when to when all hosts recorded."""
        begins, ends = zip(*self.spans.values())
        return max(begins), min(ends)

    def moved(self, offsets: dict[str, float]) -> Recording:
        """The recording as it is when each host's clock is taken to be so many ns ahead."""
        return Recording.make({host: trace.delayed(-offsets.get(host, 0.0))
                               for host, trace in self.traces.items()})


def addresses(recording: Recording) -> dict[int, str]:
    """Address as records show it -> host.

    A packet tells both: its sender records where it goes, its receiver where it
    comes from.
    """
    found = {addr: host for host, trace in recording.traces.items() for addr in trace.addrs}
    sent = recording.event("DATA_SEND", "SENDMSG_REQUEST")[["host", "id", "peer"]] \
        .drop_duplicates()
    rcvd = recording.event("DATA_RCVD")[["host", "id", "peer"]].drop_duplicates()
    both = sent.merge(rcvd, on="id", suffixes=("_tx", "_rx"))
    both = both[both.host_tx != both.host_rx]
    votes = pd.concat([both[["host_tx", "peer_rx"]].set_axis(["host", "peer"], axis=1),
                       both[["host_rx", "peer_tx"]].set_axis(["host", "peer"], axis=1)])
    counts = votes.groupby(["peer", "host"]).size()
    for peer, group in counts.groupby(level="peer"):
        found.setdefault(int(peer), group.idxmax()[1])
    return found


def host_names(recording: Recording, peers: pd.Series) -> pd.Series:
    """The hosts that addresses are of; one that recorded nothing is called as its address."""
    known = addresses(recording)
    names = {int(peer): known.get(int(peer), str(ipaddress.IPv4Address(int(peer))))
             for peer in peers.dropna().unique()}
    return peers.map(names)
