# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Numbers counted from the text of the golden recording's records, by plain loops.

They share nothing with the model that analyzers work on but the reading of files.
"""
from __future__ import annotations

import re
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "test" / "golden" / "tt"
TRACES = [str(path) for path in sorted(GOLDEN.glob("h*.ttb.xz"))]
HOSTS = [f"h{i}" for i in range(1, 9)]
sys.path.insert(0, str(ROOT / "tt"))

from ttlib import files, textform  # noqa: E402


@cache
def lines() -> dict[str, list[tuple[int, str]]]:
    """Host -> (ns since the recording's start, text) of its records, from the text form."""
    found = {}
    for path in TRACES:
        trace = files.read(path)
        start = round(trace.start_ns())
        found[files.host_name(path)] = [
            (start + round(float(line[:line.index(" us")]) * 1000), line.split("] ", 1)[1])
            for line in list(textform.render(trace))[1:]]
    base = min(records[0][0] for records in found.values())
    return {host: [(ns - base, text) for ns, text in records] for host, records in found.items()}


@cache
def events(pattern: str, host: str = "") -> list[tuple[str, int, tuple[int, ...]]]:
    """(host, ns, numbers) of the records that match."""
    found = []
    for name, records in lines().items():
        for ns, text in records if host in ("", name) else []:
            if match := re.match(pattern, text):
                found.append((name, ns, tuple(int(v, 0) for v in match.groups())))
    return found


def count(pattern: str, host: str = "") -> int:
    return len(events(pattern, host))


@cache
def arrived() -> list[tuple[str, str, int, int, int, int]]:
    """(tx, rx, id, offset, xmit, rcvd) of data packets; the i-th host's address ends in i."""
    sent = {(f"h{peer & 255}", rpc, offset, host): ns for host, ns, (_, peer, rpc, offset) in
            events(r"DATA to IP, wire_bytes (\d+) peer (0x\w+) id (\d+) offset (\d+)")}
    found = []
    for host, ns, (rpc, peer, offset) in events(
            r"DATA accepted, id (\d+) peer (0x\w+) offset (\d+)"):
        key = (host, rpc, offset, f"h{peer & 255}")
        if key in sent:
            found.append((key[3], host, rpc, offset, sent[key], ns))
    return found


def wire_kb(host: str) -> float:
    """kB on the wire that a host sent: 58 bytes a packet beside what Homa made."""
    return sum(v[0] + 58 for _, _, v in events(r"DATA to IP, wire_bytes (\d+)", host)) / 1000


def departures(host: str) -> list[tuple[int, float, float]]:
    """(xmit, departure, bytes) at 25 Gb/s, first come first served."""
    found, free = [], 0.0
    for _, ns, (size,) in events(r"DATA to IP, wire_bytes (\d+)", host):
        free = max(free, ns) + (size + 58) * 8 / 25
        found.append((ns, free, size + 58))
    return found


def most_held_kb(host: str, step: int) -> float:
    sent = departures(host)
    times = range(sent[0][0], int(sent[-1][1]) + 2 * step, step)
    return max(sum(size for xmit, left, size in sent if xmit <= at < left) for at in times) / 1000


def messages(first: str, last: str, host: str = "") -> dict[tuple[str, int], tuple[int, int]]:
    """(host, id) -> times of two records of it, if there are both; of the first ones."""
    begin, end = {}, {}
    for pattern, table in ((first, begin), (last, end)):
        for name, ns, (rpc, *_) in events(pattern, host):
            table.setdefault((name, rpc), ns)
    return {key: (ns, end[key]) for key, ns in begin.items() if key in end}


SENDMSG = r"sendmsg request to peer \w+ port \d+ id (\d+)"
DONE = r"recvmsg returning, status 0 id (\d+)"
QUEUED, FOUND = r"RPC queued, id (\d+)", r"wait found RPC, id (\d+)"
NEW, COMPLETE = r"message begins, id (\d+)", r"message complete, id (\d+)"


@cache
def round_trips() -> dict[int, tuple[int, int]]:
    """id -> (ns, length of the request) of RPCs that began and ended here."""
    length = {v[0]: v[1] for _, _, v in events(SENDMSG + r" length (\d+)")}
    return {rpc: (end - begin, length[rpc])
            for (_, rpc), (begin, end) in messages(SENDMSG, DONE).items()}


def gaps(host: str, least: int) -> list[int]:
    times = [ns for ns, _ in lines()[host]]
    return [b - a for a, b in zip(times, times[1:]) if b - a >= least]


def late_packets() -> int:
    """Packets that came after one with a greater offset of their message."""
    top: dict[tuple, int] = {}
    late = 0
    for tx, rx, rpc, offset, _, _ in sorted(arrived(), key=lambda p: p[5]):
        late += offset < top.get((tx, rx, rpc), -1)
        top[tx, rx, rpc] = max(offset, top.get((tx, rx, rpc), -1))
    return late


def fastest(tx: str, rx: str) -> float:
    return min(rcvd - xmit for a, b, _, _, xmit, rcvd in arrived() if (a, b) == (tx, rx)) / 1000


def fastest_grant() -> float:
    got = {v: (host, ns) for host, ns, v in events(r"GRANT accepted, id (\d+) offset (\d+)")}
    return min(got[v][1] - ns for host, ns, v in events(r"GRANT to IP, id (\d+) offset (\d+)")
               if v in got and got[v][0] != host and got[v][1] > ns) / 1000


def one_packet_us(rpc: int, offset: int) -> float:
    return next(rcvd - xmit for _, _, a, b, xmit, rcvd in arrived()
                if (a, b) == (rpc, offset)) / 1000


def sent_before(host: str, rpc: int, at: int) -> int:
    return sum(v[0] - 56 for _, ns, v in events(
        r"DATA to IP, wire_bytes (\d+) peer \w+ id (\d+)", host) if v[1] == rpc and ns <= at)


def most_received_kb(host: str) -> float:
    """Most kB that were taken in and not freed yet, of one host."""
    size = defaultdict(list)
    for _, rx, rpc, _, _, rcvd in arrived():
        if rx == host:
            size[rpc].append(rcvd)
    freed = {v[0]: ns for _, ns, v in events(r"packets freed, count \d+ id (\d+)", host)}
    length = {(v[0], v[1]): v[2] for _, _, v in events(
        r"DATA accepted, id (\d+) peer \w+ offset (\d+) length (\d+)", host)}
    steps = []
    for _, rx, rpc, offset, _, rcvd in arrived():
        if rx == host:
            wire = length[rpc, offset] + 56 + 58
            steps.append((rcvd, wire))
            if freed.get(rpc, -1) >= rcvd:
                steps.append((freed[rpc], -wire))
    held, top = 0, 0
    for at in sorted({ns for ns, change in steps if change > 0}):
        held = sum(change for ns, change in steps if ns <= at)
        top = max(top, held)
    return top / 1000


def short_here() -> list[float]:
    """Round trips in us of RPCs with one packet each way."""
    return [ns / 1000 for ns, length in round_trips().values() if length <= 1400]


def in_common(times: list[int]) -> int:
    begin = max(records[0][0] for records in lines().values())
    end = min(records[-1][0] for records in lines().values())
    return sum(begin <= ns <= end for ns in times)


def complete_messages() -> list[int]:
    """Messages whose sendmsg, beginning, completion and recvmsg are all here."""
    sends = {(host, v[0]) for host, _, v in events(SENDMSG)} | {
        (host, v[0]) for host, _, v in events(r"sendmsg response for id (\d+)")}
    done = messages(COMPLETE, DONE)
    return [rpc for (host, rpc) in messages(NEW, COMPLETE) if (host, rpc) in done
            and any((other, rpc) in sends for other in HOSTS if other != host)]


def longest_request() -> float:
    """Longest time from a request's first packet to its last, of RPCs served here."""
    served = {key for key in messages(r"sendmsg response for id (\d+)", r"DATA to IP.* id (\d+)")}
    return max(end - begin for key, (begin, end) in messages(NEW, COMPLETE).items()
               if key in served) / 1000
