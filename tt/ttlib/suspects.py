# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What is wrong in a recording: one function for each kind of fault.

Each compares with what the rest of the same recording shows, so that it needs no
numbers of the machine. The limits are far above what recordings without faults
have (test/py/test_faults.py plants faults, and counts false alarms).
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ttlib import losses, ports, queues
from ttlib.model import Tables

STALL_NS = 100_000          # shorter silence of a host is not called a stall
STALL_PACKETS = 5           # so many packets must have waited for its end
BURST = 0.5                 # they came in this part of the time that the link needs
PORT_RATIO = 0.5            # short packets wait so much of what others do
PORT_MOMENTS = 3
THREAD_NS = 200_000         # a message waits so long for a thread, or a thread works
THREAD_TIMES = 20           # and so many times longer than usual
QUEUE_KB = 100              # in a device
CLOCK_NS = 1_000


@dataclass(frozen=True)
class Finding:
    """Something that is wrong."""
    kind: str
    """clock, stall, grant, data, port, thread, queue."""
    host: str
    begin_us: float
    end_us: float
    cost_us: float
    """What it cost somebody, about."""
    text: str
    look: str
    """What tells more: an analyzer, or a tool."""


def clocks(t: Tables) -> list[Finding]:
    """Clocks that cannot be right."""
    if not t.sync:
        return []
    # Most hosts agree: the one that does not is wrong, also if it is the first.
    usual = float(np.median(list(t.sync.offsets.values())))
    found = []
    for host, offset in t.sync.offsets.items():
        ahead = offset - usual
        if abs(ahead) > max(t.sync.errors[host], CLOCK_NS) and t.moved:
            way = "ahead of" if ahead > 0 else "behind"
            found.append(Finding("clock", host, 0.0, 0.0, abs(ahead) / 1000,
                                 f"clock of {host} is {abs(ahead) / 1000:.1f} us {way} "
                                 "the others'; times below are corrected", "ttsync"))
    return found


def stalls(t: Tables) -> list[Finding]:
    """Hosts that took nothing in for a while although packets were there."""
    found = []
    grants = t.grants.rename(columns={"to": "rx", "sent": "xmit"})[["rx", "xmit", "rcvd"]]
    grants["wire"] = queues.GRANT_WIRE
    arrivals = pd.concat([t.packets[["rx", "xmit", "rcvd", "wire"]], grants]).dropna()
    for host, part in arrivals.groupby("rx"):
        part = part.sort_values("rcvd", kind="stable")
        got, sent = part.rcvd.to_numpy(), part.xmit.to_numpy()
        wire = part.wire.to_numpy(float)
        for i in np.flatnonzero(np.diff(got) >= STALL_NS) + 1:
            begin, end = got[i - 1], got[i]
            burst = slice(i, min(i + 20, len(got)))
            waited = (sent[burst] < end - STALL_NS / 2).sum()
            needed = queues.serialization(wire[burst].sum(), t.gbps)
            if waited >= STALL_PACKETS and got[burst][-1] - end < BURST * needed:
                count = ((sent < end) & (got >= end)).sum()
                found.append(Finding(
                    "stall", host, begin / 1000, end / 1000, (end - begin) / 1000,
                    f"{host} took no packet in for {(end - begin) / 1000:.0f} us from "
                    f"{begin / 1000:.0f} us on, then {count} at once: its softirq stalled",
                    "smis, coregaps, incoming"))
    return found


def lost(t: Tables) -> list[Finding]:
    """Grants and data that did not arrive, by pair of hosts."""
    found = []
    for kind, table, names, begin in (
            ("grant", losses.lost_grants(t), ("by", "to"), "sent"),
            ("data", losses.lost_packets(t), ("tx", "rx"), "xmit")):
        for (source, target), part in table.groupby(list(names)):
            cost = part.cost.max() / 1000
            ids = ", ".join(str(i) for i in part.id.unique()[:3])
            said = f"up to {cost:.0f} us passed until it was made good" if cost == cost else \
                "it was never made good"
            what = "grant(s)" if kind == "grant" else "data packet(s)"
            found.append(Finding(
                kind, source, part[begin].min() / 1000, part[begin].max() / 1000,
                cost if cost == cost else 1e4, f"{len(part)} {what} from {source} to {target} "
                f"were lost (RPC {ids}); {said}", "lost"))
    return found


def fifo_ports(t: Tables, stalled: list[Finding]) -> list[Finding]:
    """Switch ports that serve packets as they come."""
    moments = ports.moments(t)
    for stall in stalled:
        near = moments.begin.between(stall.begin_us * 1000, stall.end_us * 1000 + 500_000)
        moments = moments[~((moments.host == stall.host) & near)]
    found = []
    for host, part in moments.groupby("host"):
        bad = part[part.short >= PORT_RATIO * part.others]
        if len(bad) >= PORT_MOMENTS and len(bad) > len(part) / 4:
            found.append(Finding(
                "port", host, bad.begin.min() / 1000, bad.begin.max() / 1000,
                bad.short.max() / 1000, f"at the switch port to {host} short packets wait as "
                f"long as others ({bad.short.mean() / 1000:.0f} of {bad.others.mean() / 1000:.0f}"
                " us): its priorities are off", "pass"))
    return found


def slow_threads(t: Tables) -> list[Finding]:
    """Applications that do not take messages, or keep requests for long."""
    ends = {host: end for host, (_, end) in t.recording.spans.items()}
    m = t.messages
    open_end = m.rx.map(ends)
    waits = (m.found.fillna(open_end) - m.complete).where(m.queued.notna())
    works = t.rpcs.s_send - t.rpcs.s_found
    found = []
    for what, table, host, begin, took in (
            ("wait for a thread of", m, m.rx, m.complete, waits),
            ("are kept by the application on", t.rpcs, t.rpcs.server, t.rpcs.s_found, works)):
        usual = took.median()
        limit = max(THREAD_NS, THREAD_TIMES * usual if usual == usual else 0)
        late = took[took > limit]
        for name, part in late.groupby(host[late.index]):
            first = part.idxmax()
            found.append(Finding(
                "thread", name, begin[first] / 1000, (begin[first] + part.max()) / 1000,
                part.max() / 1000, f"{len(part)} messages {what} {name} for up to "
                f"{part.max() / 1000:.0f} us (usual: {usual / 1000:.1f}; RPC {table.id[first]}): "
                "slow application", "handoffs, sockqs, service"))
    return found


def deep_queues(t: Tables) -> list[Finding]:
    """Devices in whose queues every packet of a host waits."""
    windows = queues.sender_queue(t)
    windows["kb"] = windows.excess * t.gbps / 8e3
    high = windows[windows.kb >= QUEUE_KB].sort_values(["tx", "window"])
    runs = ((high.window.diff() > 3) | (high.tx != high.tx.shift())).cumsum()
    packets = queues.express(t)
    packets["window"] = packets.xmit // queues.WINDOW_NS
    found = []
    for _, run in high.groupby(runs):
        during = packets[(packets.tx == run.tx.iloc[0]) & packets.window.isin(run.window)]
        if during.rx.nunique() < 2:     # may be the port to that one host
            continue
        top = run.loc[run.kb.idxmax()]
        begin, end = run.window.min(), run.window.max() + 1
        found.append(Finding(
            "queue", top.tx, begin * queues.WINDOW_NS / 1000, end * queues.WINDOW_NS / 1000,
            top.excess / 1000, f"the device of {top.tx} held about {top.kb:.0f} kB: all its "
            f"packets waited, {top.excess / 1000:.0f} us", "nicqueues, nicbacklog, txpkts"))
    return found


def find(t: Tables) -> list[Finding]:
    """Everything that is wrong, the most costly first."""
    stalled = stalls(t)
    found = [*clocks(t), *stalled, *lost(t), *fifo_ports(t, stalled), *slow_threads(t),
             *deep_queues(t)]
    return sorted(found, key=lambda f: -f.cost_us)
