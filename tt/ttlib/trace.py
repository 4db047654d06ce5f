# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""A timetrace in memory: columns of numbers, and what tools do with them.

A record is a time, a CPU, and a text with up to four values; the texts without
their values ("formats") are kept once. textform.py and binform.py read and write
the forms that a trace has in files.
"""
from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ttlib import events

if TYPE_CHECKING:
    import pandas

KHZ = 1_000_000     # of a clock that counts nanoseconds
THREADS = 0x8000
"""Numbers from here on in Trace.cpu are those of named rings, of a program's threads."""


class TraceError(Exception):
    """The input is not a timetrace, or not fit for what is wanted; one line."""


def _column(dtype: type, width: int = 0) -> np.ndarray:
    return field(default_factory=lambda: np.zeros((0, width) if width else 0, dtype))


@dataclass
class Trace:
    """The records of one host in order of time, and when they began."""
    start: int = 0
    """Time of record time 0, in units of the clock that the trace comes from."""
    khz: int = KHZ
    """How many thousands of those units a second has."""
    ns: np.ndarray = _column(np.float64)
    """Time of each record since start, in nanoseconds."""
    cpu: np.ndarray = _column(np.int32)
    """Who made it."""
    code: np.ndarray = _column(np.int32)
    """Its format: an index into formats."""
    args: np.ndarray = _column(np.uint32, events.VALUES_MAX)
    """Its values, as the format's conversions want them; 0 where it has fewer."""
    formats: list[str] = field(default_factory=list)
    """Texts with %u, %d, %x in them, as printf() takes them."""
    host: str = ""
    """Name of the host that it is from, if the file told."""
    addrs: tuple[int, ...] = ()
    """The host's addresses, as records show those of peers."""
    lost: int = 0
    """Records that are not here because a ring overflowed."""
    threads: tuple[str, ...] = ()
    """Names of rings that are no CPU's: the first is number THREADS in cpu."""

    def __len__(self) -> int:
        return len(self.ns)

    def start_ns(self) -> float:
        """Absolute time of record time 0."""
        return self.start * KHZ / self.khz

    def shifted(self, ns: float) -> Trace:
        """The same trace with its time 0 moved by ns."""
        return replace(self, start=self.start + round(ns * self.khz / KHZ), ns=self.ns - ns)

    def delayed(self, ns: float) -> Trace:
        """The same trace as if the clock that made it had been ns ahead."""
        return replace(self, start=self.start + round(ns * self.khz / KHZ))

    def chosen(self, which: np.ndarray) -> Trace:
        """The records for which `which` is true, or that it lists."""
        return replace(self, ns=self.ns[which], cpu=self.cpu[which], code=self.code[which],
                       args=self.args[which])

    def labels(self) -> list[str]:
        """What is shown of each record's ring: C00 is a CPU, else it is a thread's name."""
        names = {int(cpu): f"C{cpu:02d}" if cpu < THREADS else self.threads[cpu - THREADS]
                 for cpu in np.unique(self.cpu)}
        return [names[cpu] for cpu in self.cpu.tolist()]

    def groups(self) -> list[tuple[int, np.ndarray]]:
        """(format, positions of its records) for each format that is in use."""
        order = np.argsort(self.code, kind="stable")
        codes, begins = np.unique(self.code[order], return_index=True)
        return list(zip(codes.tolist(), np.split(order, begins[1:])))

    def texts(self) -> list[str]:
        """The text of each record."""
        result = np.empty(len(self), dtype=object)
        for code, where in self.groups():
            result[where] = render_values(self.formats[code], self.args[where])
        return result.tolist()

    def find(self, text: str) -> np.ndarray:
        """Positions of the records of a format."""
        if text not in self.formats:
            return np.zeros(0, np.int64)
        return np.flatnonzero(self.code == self.formats.index(text))


def render_values(text: str, args: np.ndarray) -> list[str]:
    """The texts that a format makes of rows of values."""
    kinds = events.conversions(text)
    if not kinds:
        return [text.replace("%%", "%")] * len(args)
    columns = [args[:, i].astype(np.int32).tolist() if kind == "%d" else args[:, i].tolist()
               for i, kind in enumerate(kinds)]
    python = text.replace("%u", "%d")
    return [python % values for values in zip(*columns)]


def select(trace: Trace, pattern: str) -> Trace:
    """The records whose text matches; those of freezing stay always."""
    search = re.compile(pattern).search
    return trace.chosen(np.array([bool(search(text)) or text.startswith("Freez")
                                  for text in trace.texts()], dtype=bool))


def window(trace: Trace, begin_us: float, end_us: float) -> Trace:
    """The records from begin_us to end_us, both included."""
    return trace.chosen((trace.ns >= begin_us * 1000) & (trace.ns <= end_us * 1000))


def merge(traces: dict[str, Trace], tag: bool = False) -> Trace:
    """One trace of several that one clock made; tag puts names before texts.

    The result's time 0 is the earliest of all. It is of the host that one of them is of,
    if the others are of no host, as those of programs are.
    """
    if len({trace.khz for trace in traces.values()}) != 1:
        raise TraceError("the traces are from different clocks: cpu_ghz differs")
    base = min(traces.values(), key=lambda trace: trace.start)
    formats: dict[str, int] = {}
    codes, times, rings, threads = [], [], [], []
    for name, trace in traces.items():
        before = f"{name.replace('%', '%%')}: " if tag else ""
        numbers = [formats.setdefault(before + text, len(formats)) for text in trace.formats]
        codes.append(np.array(numbers, np.int32)[trace.code] if len(trace) else trace.code)
        rings.append(np.where(trace.cpu < THREADS, trace.cpu, trace.cpu + len(threads)))
        threads += trace.threads
        times.append(trace.ns + (trace.start - base.start) * KHZ / base.khz)
    ns = np.concatenate(times)
    merged = Trace(base.start, base.khz, ns, np.concatenate(rings).astype(np.int32),
                   np.concatenate(codes),
                   np.concatenate([trace.args for trace in traces.values()]), list(formats),
                   threads=tuple(threads))
    of_hosts = [trace for trace in traces.values() if trace.addrs]
    if len(of_hosts) == 1:
        merged = replace(merged, host=of_hosts[0].host, addrs=of_hosts[0].addrs,
                         lost=of_hosts[0].lost)
    return merged.chosen(np.argsort(ns, kind="stable"))


def event_columns(trace: Trace, event: events.Event, where: np.ndarray) -> dict[str, np.ndarray]:
    """The values of some records of an event, by name."""
    kinds = events.conversions(event.text)
    return {name: trace.args[where, i].astype(np.int32 if kinds[i] == "%d" else np.uint32)
            .astype(np.int64) for i, name in enumerate(event.fields)}


def frame(trace: Trace) -> pandas.DataFrame:
    """A table with a row for each record.

    Columns: ns (absolute), cpu, text, event (name in events.h, or missing), and
    one for each value's name in events.h ("id", "offset"), missing where the
    record has no such value.
    """
    import pandas

    catalog = events.load()
    names = np.full(len(trace), None, dtype=object)
    values = {name: pandas.array([pandas.NA] * len(trace), dtype="Int64")
              for name in catalog.field_names()}
    for code, where in trace.groups():
        event = catalog.by_text.get(trace.formats[code])
        if event:
            names[where] = event.name
            for name, column in event_columns(trace, event, where).items():
                values[name][where] = column
    absolute = np.round(trace.ns + trace.start_ns()).astype(np.int64)
    return pandas.DataFrame({"ns": absolute, "cpu": trace.cpu, "text": trace.texts(),
                             "event": names, **values})
