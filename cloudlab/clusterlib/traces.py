# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""One slow RPC, told by the timetraces of its two hosts.

A ring holds the last few thousand records of a host, so a slow RPC is looked for among those
whose whole life the rings cover, unless all rings were frozen for the sake of one (--freeze).
All hosts of a simulated cluster share one clock: their records are merged by time, each with its
host in front, and rendered by tt/bin/ttprint.
"""

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from .nodes import TOP

TTPRINT = TOP / "tt" / "bin" / "ttprint"
RECORD = re.compile(r"^(\d+) (\[C\d+\]) (.*)$")
RPC_ID = re.compile(r"\bid (\d+)")
FROZE = "freeze wanted, type "
WHY = {1: "was sent again, since the server did not know it", 2: "was given up",
       3: "was slow", 4: "lost bytes"}                     # enum homa_freeze_type
BEGINS, ENDS = "sendmsg request", "recvmsg returning"     # as tt/events.h has them
LOW_BITS = 0xFFFFFFFF
MAX_LINES = 300


@dataclass
class HostTrace:
    """The records of one host that name an RPC, by the low bits of its id."""

    host: int
    khz: str = "1000000"
    first: int = 0
    records: dict = field(default_factory=dict)     # id -> [(stamp, core, text)]


@dataclass(frozen=True)
class SlowRpc:
    """A slow RPC and the rendered records of both its hosts."""

    rpc_id: int
    client: int
    server: int | None      # None: no other host's trace names it
    size: int               # 0: the trace does not reach back to its beginning
    us: float               # until it was done, or given up
    slowdown: float | None  # None: it was never done
    lines: list
    cut: int                # how many lines there are, if not all are shown
    why: str = ""           # if all traces were frozen when something happened to it: what


def load_trace(path: Path, host: int) -> HostTrace:
    """Read a trace as /proc/net/timetrace printed it."""
    trace = HostTrace(host)
    for line in path.read_text(errors="replace").splitlines():
        match = RECORD.match(line)
        if not match:
            if line.startswith("cpu_khz:"):
                trace.khz = line.split(":")[1].strip()
            continue
        trace.first = trace.first or int(match[1])
        named = RPC_ID.search(match[3])
        if named:
            trace.records.setdefault(int(named[1]) & ~1, []).append(
                (int(match[1]), match[2], match[3]))
    return trace


def _time_of(records: list, text: str) -> int | None:
    return next((stamp for stamp, _, said in records if said.startswith(text)), None)


def _text_of(records: list, text: str) -> str:
    return next((said for _, _, said in records if said.startswith(text)), "")


def _server_of(low: int, client: int, begin: int, traces: dict) -> int | None:
    """The other host that saw this RPC, if its ring reaches back to the RPC's start."""
    return next((host for host, trace in traces.items()
                 if host != client and low in trace.records and trace.first <= begin), None)


def _covered(done: pd.DataFrame, traces: dict) -> list:
    """(row, server) of the RPCs whose whole life is in the traces, the slowest first."""
    found = []
    for row in done.sort_values("slowdown", ascending=False).itertuples():
        low = int(row.rpc_id) & LOW_BITS & ~1
        mine = traces[row.host].records.get(low) if row.host in traces else None
        begin = _time_of(mine, BEGINS) if mine else None
        if begin is None or _time_of(mine, ENDS) is None:
            continue
        server = _server_of(low, row.host, begin, traces)
        if server is not None:
            found.append((row, server))
    return found


def trigger(traces: dict) -> tuple | None:
    """(host, low bits of the RPC's id, reason) of the first freeze that a host wanted."""
    found = [(stamp, host, low, text) for host, trace in traces.items()
             for low, records in trace.records.items()
             for stamp, _, text in records if text.startswith(FROZE)]
    if not found:
        return None
    _, host, low, text = min(found)
    return host, low, WHY.get(int(text[len(FROZE):].split()[0]), text)


class _NotDone:
    """What the traces tell of an RPC that no client has counted as done, as of one that is."""

    slowdown = None

    def __init__(self, low: int, wanted_by: int, traces: dict) -> None:
        self.rpc_id, self.host = low, wanted_by
        self.size, self.us = 0, 0.0
        for host, trace in traces.items():
            begin = _time_of(trace.records.get(low, []), BEGINS)
            if begin is not None:
                self.host = host
                self.size = int(_text_of(trace.records[low], BEGINS).rsplit(" ", 1)[1])
        mine = traces[self.host]
        times = [stamp for stamp, _, _ in mine.records[low]]
        self.us = (times[-1] - times[0]) * 1000 / int(mine.khz)


def _frozen(done: pd.DataFrame, traces: dict) -> tuple | None:
    """(row, server, reason) of the RPC for which all hosts froze their traces.

    The server is None if the trace of no other host names it.
    """
    wanted = trigger(traces)
    if not wanted:
        return None
    host, low, why = wanted
    ids = done.rpc_id.to_numpy() & (LOW_BITS & ~1)
    rows = list(done[ids == low].itertuples())
    rows.sort(key=lambda row: row.host != host)         # clients of other hosts have such ids, too
    for row in rows:
        server = next((h for h, t in traces.items() if h != row.host and low in t.records), None)
        if row.host in traces and server is not None:
            return row, server, why
    row = _NotDone(low, host, traces)
    return row, next((h for h, t in traces.items() if h != row.host and low in t.records),
                     None), why


def _render(low: int, ends: list, path: Path) -> list:
    """Merge the records of both hosts into `path` and print them as ttprint does."""
    merged = sorted(((stamp, core, f"h{trace.host} {text}") for trace in ends
                     for stamp, core, text in trace.records[low]), key=lambda r: r[0])
    path.write_text(f"cpu_khz: {ends[0].khz}\n"
                    + "".join(f"{stamp} {core} {text}\n" for stamp, core, text in merged))
    done = subprocess.run([str(TTPRINT), str(path)], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    path.with_suffix(".txt").write_text(done.stdout)
    return lines


def slow_rpc(folder: Path, done: pd.DataFrame, short: int) -> SlowRpc | None:
    """The RPC that froze the traces of `folder`, or the slowest short one that they tell, or None."""
    traces = {int(p.stem.split("-h")[1]): load_trace(p, int(p.stem.split("-h")[1]))
              for p in sorted((folder / "traces").glob("homa-h*.tt"))}
    if not traces:
        return None
    frozen = _frozen(done, traces)
    found = [frozen] if frozen else [
        (*one, "") for one in
        _covered(done[done["size"] <= short], traces) or _covered(done, traces)]
    if not found:
        return None
    row, server, why = found[0]
    ends = [traces[host] for host in (row.host, server) if host is not None]
    lines = _render(int(row.rpc_id) & LOW_BITS & ~1, ends, folder / "traces" / "slow-rpc.tt")
    return SlowRpc(int(row.rpc_id), int(row.host), server, int(row.size), row.us, row.slowdown,
                   lines[:MAX_LINES], len(lines) if len(lines) > MAX_LINES else 0, why)
