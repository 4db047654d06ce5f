# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Timetraces as text, which has two forms. The kernel writes the raw one:

    cpu_khz: 1000000
    5123456789 [C03] DATA accepted, id 4242 peer 0xa000001 offset 0 length 1400

and ttprint makes the rendered one of it, with times since the first record and
since the previous one, under a heading that remembers the absolute start:

        0.000 us (+     0.000 us) [C03] First event has timestamp 5123456789 (cpu_ghz 1.000000)
        0.000 us (+     0.000 us) [C03] DATA accepted, id 4242 ...

Both are read as the same Trace. A record's format is found by its text without
numbers; a text that no format can give back exactly is a format by itself.
"""
from __future__ import annotations

import re
from typing import Iterable, Iterator

import numpy as np

from ttlib import events
from ttlib.trace import KHZ, THREADS, Trace, TraceError

RAW_HEAD = re.compile(r"cpu_khz: (\d+)$")
RAW_LINE = re.compile(r"(\d+) \[([^]]+)\] (.*)$")
RENDERED_HEAD = re.compile(
    r" *-?\d+\.\d+ us \(\+ *-?\d+\.\d+ us\) \[([^]]+)\] "
    r"First event has timestamp (\d+) \(cpu_ghz (\d+(?:\.\d+)?)\)$")
RENDERED_LINE = re.compile(
    r" *(-?\d+)\.(\d{3}) us \(\+ *-?\d+\.\d+ us\) \[([^]]+)\] (.*)$")
CPU_NAME = re.compile(r"C(\d+)$")
# Only numbers as printf() writes them: no zeros in front.
NUMBER = re.compile(r"((?<=0x)(?:0|[1-9a-f][0-9a-f]*)(?![0-9a-f])"
                    r"|(?:-?[1-9]\d*|0)(?![\dx]))")
VALUE_IN_FORMAT = re.compile(r"(%[uxd])")
LIMIT = 1 << 32


class Formats:
    """Finds the format of each text, and collects the values."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.numbers: dict[str, int] = {}           # of formats
        self.by_pieces: dict[tuple[str, ...], int] = {}
        self.values: list[list[list[str]]] = []     # for each format, for each record
        for text in events.load().by_text:
            self.by_pieces[tuple(VALUE_IN_FORMAT.split(text)[::2])] = self.number(text)

    def number(self, text: str) -> int:
        """The number of a format, which may be new."""
        if text not in self.numbers:
            self.numbers[text] = len(self.texts)
            self.texts.append(text)
            self.values.append([])
        return self.numbers[text]

    def take(self, text: str) -> int:
        """Take in a record's text; returns the number of its format."""
        pieces = NUMBER.split(text)
        code = self.by_pieces.get(tuple(pieces[::2]))
        values = pieces[1::2]
        if code is None:
            code, values = self._unknown(text, pieces)
        self.values[code].append(values)
        return code

    def _unknown(self, text: str, pieces: list[str]) -> tuple[int, list[str]]:
        made, values = "", pieces[1::2]
        for literal, value in zip(pieces[::2], values):
            base = 16 if literal.endswith("0x") else 10
            if not -LIMIT // 2 <= int(value, base) < LIMIT:
                values = []
                break
            made += literal.replace("%", "%%")
            made += "%x" if base == 16 else "%d" if value[0] == "-" else "%u"
        if not values or len(values) > events.VALUES_MAX:
            return self.number(text.replace("%", "%%")), []
        return self.number(made + pieces[-1].replace("%", "%%")), values

    def args(self, code: np.ndarray, name: str) -> np.ndarray:
        """The values of all records, whose formats are `code`."""
        result = np.zeros((len(code), events.VALUES_MAX), np.uint32)
        order = np.argsort(code, kind="stable")
        begin = 0
        for text, rows in zip(self.texts, self.values):
            where = order[begin:begin + len(rows)]
            begin += len(rows)
            for i, kind in enumerate(events.conversions(text) if rows else []):
                base = 16 if kind == "%x" else 10
                column = np.array([int(row[i], base) for row in rows], dtype=object)
                low = -LIMIT // 2 if kind == "%d" else 0
                if min(column) < low or max(column) >= LIMIT:
                    raise TraceError(f"{name}: a value has more than 32 bits: {text!r}")
                result[where, i] = (column & (LIMIT - 1)).astype(np.uint32)
        return result


def parse(lines: Iterable[str], name: str = "input") -> Trace:
    """Read a trace of either form; name is for messages."""
    first, rest = "", iter(lines)
    for first in rest:
        break
    head = first.rstrip("\n")
    if match := RAW_HEAD.match(head):
        return _parse(rest, RAW_LINE, None, _khz(int(match[1]), "cpu_khz", name), name)
    if match := RENDERED_HEAD.match(head):
        khz = _khz(round(float(match[3]) * KHZ), "cpu_ghz", name)
        return _parse(rest, RENDERED_LINE, int(match[2]), khz, name)
    raise TraceError(f"{name}: not a timetrace: it starts with neither \"cpu_khz:\", "
                     f"nor a line of ttprint, nor as the binary form does")


def _khz(khz: int, what: str, name: str) -> int:
    if khz == 0:
        raise TraceError(f"{name}:1: {what} is 0")
    return khz


def _parse(lines: Iterator[str], pattern: re.Pattern[str], start: int | None, khz: int,
           name: str) -> Trace:
    stamps, cpus, codes = [], [], []
    threads: dict[str, int] = {}
    rings: dict[str, int] = {}
    formats = Formats()
    match, take = pattern.match, formats.take
    for number, line in enumerate(lines, 2):
        found = match(line.rstrip("\n"))
        if not found:
            raise TraceError(f"{name}:{number}: not a record: {line.rstrip()[:60]!r}")
        *stamp, label, text = found.groups()
        stamps.append(int("".join(stamp)))
        if label not in rings:
            number = CPU_NAME.match(label)
            rings[label] = int(number[1]) if number else \
                THREADS + threads.setdefault(label, len(threads))
        cpus.append(rings[label])
        codes.append(take(text))
    code = np.array(codes, np.int32)
    if start is None:
        start = stamps[0] if stamps else 0
        ns = np.array([stamp - start for stamp in stamps], np.float64) * (KHZ / khz)
    else:
        ns = np.array(stamps, np.float64)
    trace = Trace(start, khz, ns, np.array(cpus, np.int32), code, formats.args(code, name),
                  formats.texts, threads=tuple(threads))
    catalog = events.load().events
    # The heading looks like records of this host.
    version = trace.args[trace.find(catalog["TRACE_VERSION"].text)]
    trace.lost = int(version[0, 1]) if len(version) else 0
    trace.addrs = tuple(trace.args[trace.find(catalog["TRACE_HOST"].text), 0].tolist())
    return trace


def render(trace: Trace) -> Iterator[str]:
    """The lines of the rendered form; no lines for an empty trace."""
    if not len(trace):
        return
    ghz = trace.khz / KHZ
    us = trace.ns / 1000
    step = np.diff(us, prepend=us[:1])
    labels = trace.labels()
    yield (f"{us[0]:9.3f} us (+ {0:9.3f} us) [{labels[0]}] "
           f"First event has timestamp {trace.start} (cpu_ghz {ghz:.6f})")
    rows = zip(us.tolist(), step.tolist(), labels, trace.texts())
    yield from map("%9.3f us (+ %9.3f us) [%s] %s".__mod__, rows)
