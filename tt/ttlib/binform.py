# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Timetraces in binary form: tt/kmod/tracefile.h says what it is."""
from __future__ import annotations

import ipaddress
import re

import numpy as np

from ttlib.trace import KHZ, THREADS, Trace, TraceError

MAGIC = b"HOMATT\r\n"
VERSION = 1
EVENT_BYTES = 32
ADDRS = 8
HEADER = np.dtype([
    ("magic", "S8"), ("version", "u4"), ("header_bytes", "u4"), ("event_bytes", "u4"),
    ("events_version", "u4"), ("events_offset", "u8"), ("num_events", "u8"), ("lost", "u8"),
    ("num_formats", "u4"), ("num_rings", "u4"), ("num_names", "u4"), ("num_addrs", "u4"),
    ("clock_khz", "u8"), ("clock_now", "u8"), ("wall_ns", "u8"), ("host", "S64"),
    ("addrs", "u1", (ADDRS, 16))])
CPU_NAME = re.compile(r"C\d+")
EVENT = np.dtype([("time", "u8"), ("format", "u4"), ("ring", "u2"), ("zero", "u2"),
                  ("arg", "u4", 4)])


def tag(address: bytes) -> int:
    """What records show of an address: IPv4 itself, else words 3 or 1 of IPv6."""
    words = np.frombuffer(address, ">u4")
    return int(words[3] or words[1])


def parse(data: bytes, name: str) -> Trace:
    """Read a trace; name is for messages."""
    def bad(why: str) -> TraceError:
        return TraceError(f"{name}: not a whole binary timetrace: {why}")

    if len(data) < HEADER.itemsize:
        raise bad("it ends within its header")
    order = "<" if data[8:12] == VERSION.to_bytes(4, "little") else ">"
    head = np.frombuffer(data, HEADER.newbyteorder(order), 1)[0]
    if head["version"] != VERSION:
        raise bad(f"its version is not {VERSION}")
    if head["event_bytes"] != EVENT_BYTES or not head["clock_khz"]:
        raise bad("its header makes no sense")
    begin, count = int(head["events_offset"]), int(head["num_events"])
    if begin + count * EVENT_BYTES > len(data) or head["header_bytes"] > begin:
        raise bad("it is shorter than its header says")
    texts = data[head["header_bytes"]:begin].split(b"\0")
    formats = [text.decode(errors="replace") for text in texts[:head["num_formats"]]]
    found = np.frombuffer(data, EVENT.newbyteorder(order), count, begin)
    if count and (len(formats) < head["num_formats"]
                  or found["format"].max() >= len(formats)):
        raise bad("a record has no format")
    names = [text.decode(errors="replace") for text in texts[
        head["num_formats"]:head["num_formats"] + head["num_names"]]]
    if names and count and found["ring"].max() >= len(names):
        raise bad("a ring has no name")
    return _trace(head, found, formats, names)


def _trace(head: np.void, found: np.ndarray, formats: list[str], names: list[str]) -> Trace:
    stamp = found["time"]
    order = np.argsort(stamp, kind="stable")
    start = int(stamp[order[0]]) if len(found) else 0
    khz = int(head["clock_khz"])
    addrs = head["addrs"][:min(int(head["num_addrs"]), ADDRS)]
    ns = (stamp[order] - np.uint64(start)).astype(np.float64) * (KHZ / khz)
    rings = found["ring"][order].astype(np.int32)
    threads = [name for name in names if not CPU_NAME.fullmatch(name)]
    if names:
        number = [THREADS + threads.index(name) if name in threads else int(name[1:])
                  for name in names]
        rings = np.array(number, np.int32)[rings]
    return Trace(start, khz, ns, rings,
                 found["format"][order].astype(np.int32), found["arg"][order].astype(np.uint32),
                 formats, head["host"].decode(errors="replace"),
                 tuple(tag(row.tobytes()) for row in addrs), int(head["lost"]), tuple(threads))


def write(trace: Trace) -> bytes:
    """The binary form of a trace; the rings are the CPUs, and the threads behind them."""
    cpus = int(trace.cpu[trace.cpu < THREADS].max(initial=-1)) + 1
    rings = np.where(trace.cpu < THREADS, trace.cpu, trace.cpu - THREADS + cpus)
    names = [*(f"C{cpu:02d}" for cpu in range(cpus)), *trace.threads] if trace.threads else []
    order = np.argsort(rings, kind="stable")
    found = np.zeros(len(trace), EVENT)
    stamp = trace.start + np.round(trace.ns * (trace.khz / KHZ)).astype(np.int64)
    found["time"] = stamp[order]
    found["format"], found["ring"] = trace.code[order], rings[order]
    found["arg"] = trace.args[order]
    texts = b"".join(text.encode() + b"\0" for text in [*trace.formats, *names])
    head = np.zeros(1, HEADER)
    begin = -(-(HEADER.itemsize + len(texts)) // EVENT_BYTES) * EVENT_BYTES
    values = {"magic": MAGIC, "version": VERSION, "header_bytes": HEADER.itemsize,
              "event_bytes": EVENT_BYTES, "events_offset": begin, "num_events": len(trace),
              "lost": trace.lost, "num_formats": len(trace.formats),
              "num_rings": cpus + len(trace.threads), "num_names": len(names), "clock_khz": trace.khz,
              "clock_now": int(stamp[-1]) if len(trace) else 0,
              "host": trace.host.encode()[:63], "num_addrs": min(len(trace.addrs), ADDRS)}
    for name, value in values.items():
        head[name] = value
    for i, addr in enumerate(trace.addrs[:ADDRS]):
        mapped = ipaddress.IPv6Address(f"::ffff:{ipaddress.IPv4Address(addr)}")
        head["addrs"][0, i] = np.frombuffer(mapped.packed, np.uint8)
    return head.tobytes() + texts.ljust(begin - HEADER.itemsize, b"\0") + found.tobytes()
