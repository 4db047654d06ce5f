# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Timetraces: from a file to records, and from records to text or a table.

A trace has one of two forms. The kernel writes the raw one:

    cpu_khz: 1000000
    5123456789 [C03] DATA accepted, id 4242 peer 0xa000001 offset 0 length 1400

and ttprint makes the rendered one of it, with times since the first record and
since the previous one, under a heading that remembers the absolute start:

        0.000 us (+     0.000 us) [C03] First event has timestamp 5123456789 (cpu_ghz 1.000000)
        0.000 us (+     0.000 us) [C03] DATA accepted, id 4242 ...

Both are read as the same Trace. pandas is imported only by who asks for a
table, because the tools also run where starting up must be quick.
"""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Iterable, Iterator, NamedTuple

if TYPE_CHECKING:
    import pandas

RAW_HEAD = re.compile(r"cpu_khz: (\d+)$")
RAW_LINE = re.compile(r"(\d+) \[C(\d+)\] (.*)$")
RENDERED_HEAD = re.compile(
    r" *-?\d+\.\d+ us \(\+ *-?\d+\.\d+ us\) \[C(\d+)\] "
    r"First event has timestamp (\d+) \(cpu_ghz (\d+(?:\.\d+)?)\)$")
RENDERED_LINE = re.compile(
    r" *(-?\d+)\.(\d{3}) us \(\+ *-?\d+\.\d+ us\) \[C(\d+)\] (.*)$")


class TraceError(Exception):
    """The input is not a timetrace; says where and why in one line."""


class Record(NamedTuple):
    """What happened when: ns since the trace's start, CPU, text."""
    ns: float
    cpu: int
    text: str


@dataclass
class Trace:
    """The records of one host in order of time, and when they began."""
    start: int = 0
    """Time of record time 0, in units of the clock that the trace comes from."""
    khz: int = 1_000_000
    """How many thousands of those units a second has."""
    records: list[Record] = field(default_factory=list)

    def start_ns(self) -> float:
        """Absolute time of record time 0."""
        return self.start * 1_000_000 / self.khz

    def shifted(self, ns: float) -> Trace:
        """The same trace with its time 0 moved by ns."""
        return Trace(self.start + round(ns * self.khz / 1_000_000), self.khz,
                     [r._replace(ns=r.ns - ns) for r in self.records])


def parse(lines: Iterable[str], name: str = "input") -> Trace:
    """Read a trace of either form; name is for messages."""
    numbered = enumerate((line.rstrip("\n") for line in lines), 1)
    number, head = next(numbered, (1, ""))
    if match := RAW_HEAD.match(head):
        return _parse_raw(numbered, int(match[1]), name)
    if match := RENDERED_HEAD.match(head):
        khz = round(float(match[3]) * 1_000_000)
        return _parse_rendered(numbered, int(match[2]), khz, name)
    raise TraceError(f"{name}: not a timetrace: it starts with neither "
                     f"\"cpu_khz:\" nor a line of ttprint")


def _bad_line(name: str, number: int, line: str) -> TraceError:
    return TraceError(f"{name}:{number}: not a record: {line[:60]!r}")


def _parse_raw(lines: Iterator[tuple[int, str]], khz: int, name: str) -> Trace:
    if khz == 0:
        raise TraceError(f"{name}:1: cpu_khz is 0")
    trace = Trace(khz=khz)
    for number, line in lines:
        match = RAW_LINE.match(line)
        if not match:
            raise _bad_line(name, number, line)
        stamp = int(match[1])
        if not trace.records:
            trace.start = stamp
        ns = (stamp - trace.start) * 1_000_000 / khz
        trace.records.append(Record(ns, int(match[2]), match[3]))
    return trace


def _parse_rendered(lines: Iterator[tuple[int, str]], start: int, khz: int,
                    name: str) -> Trace:
    if khz == 0:
        raise TraceError(f"{name}:1: cpu_ghz is 0")
    trace = Trace(start, khz)
    for number, line in lines:
        match = RENDERED_LINE.match(line)
        if not match:
            raise _bad_line(name, number, line)
        thousandths = int(match[1] + match[2])
        trace.records.append(Record(float(thousandths), int(match[3]), match[4]))
    return trace


def read(path: str) -> Trace:
    """Read the trace in a file; "-" is the standard input."""
    import sys
    if path == "-":
        return parse(sys.stdin, "standard input")
    with open(path, encoding="utf-8", errors="replace") as file:
        return parse(file, path)


def render(trace: Trace) -> Iterator[str]:
    """The lines of the rendered form; no lines for an empty trace."""
    records = trace.records
    if not records:
        return
    ghz = trace.khz / 1_000_000
    yield _line(records[0].ns, 0.0, records[0].cpu,
                f"First event has timestamp {trace.start} (cpu_ghz {ghz:.6f})")
    previous = records[0].ns
    for record in records:
        yield _line(record.ns, record.ns - previous, record.cpu, record.text)
        previous = record.ns


def _line(ns: float, delta_ns: float, cpu: int, text: str) -> str:
    return (f"{ns / 1000:9.3f} us (+ {delta_ns / 1000:9.3f} us) "
            f"[C{cpu:02d}] {text}")


def select(trace: Trace, pattern: str) -> Trace:
    """The records whose text matches; those of freezing stay always."""
    wanted = re.compile(pattern)
    return Trace(trace.start, trace.khz,
                 [r for r in trace.records
                  if wanted.search(r.text) or r.text.startswith("Freez")])


def window(trace: Trace, begin_us: float, end_us: float) -> Trace:
    """The records from begin_us to end_us, both included."""
    return Trace(trace.start, trace.khz,
                 [r for r in trace.records
                  if begin_us * 1000 <= r.ns <= end_us * 1000])


def merge(traces: dict[str, Trace], tag: bool = False) -> Trace:
    """One trace of several that one clock made; tag puts names before texts.

    The result's time 0 is the earliest of all.
    """
    khz = {trace.khz for trace in traces.values()}
    if len(khz) != 1:
        raise TraceError("the traces are from different clocks: cpu_ghz differs")
    base = min(traces.values(), key=lambda trace: trace.start)
    merged = Trace(base.start, base.khz)
    for name, trace in traces.items():
        offset = (trace.start - base.start) * 1_000_000 / base.khz
        for record in trace.records:
            text = f"{name}: {record.text}" if tag else record.text
            merged.records.append(Record(record.ns + offset, record.cpu, text))
    merged.records.sort(key=lambda record: record.ns)
    return merged


def frame(trace: Trace) -> pandas.DataFrame:
    """A table with a row for each record.

    Columns: ns (absolute), cpu, text, event (name in events.h, or missing), and
    one for each value's name in events.h ("id", "offset"), missing where the
    record has no such value.
    """
    import pandas
    from ttlib import events

    catalog = events.load()
    rows = []
    for record in trace.records:
        name, values = catalog.match(record.text)
        rows.append({"ns": round(record.ns + trace.start_ns()), "cpu": record.cpu,
                     "text": record.text, "event": name, **values})
    columns = ["ns", "cpu", "text", "event", *catalog.field_names()]
    table = pandas.DataFrame(rows, columns=columns)
    return table.astype({name: "Int64" for name in catalog.field_names()})
