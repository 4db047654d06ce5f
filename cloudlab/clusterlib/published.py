# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What others have published, to be drawn beside what is measured here.

A table has figures of groups of messages, those of the shortest half or tenth, over which they
are drawn: a dashed line from the shortest message to the longest of the group. Who compares
should know how each was measured, so each table says it.
"""

from dataclasses import dataclass

from .errors import ClusterError

# How much of the messages a group has, in percent: where its line ends.
SHARE = {"shortest_half": 50, "shortest_tenth": 10}


@dataclass(frozen=True)
class Value:
    """One figure: the key that a group of our summaries has for it, and workload -> value."""

    protocol: str
    group: str
    key: str
    values: dict


@dataclass(frozen=True)
class Table:
    """The figures of one publication."""

    title: str
    how: str
    rows: tuple

    def row(self, protocol: str, group: str, key: str) -> dict:
        """workload -> value of one figure; empty if it was not published."""
        return next((r.values for r in self.rows if (r.protocol, r.group, r.key)
                     == (protocol, group, key)), {})

    def lines(self, workload: str, protocols: list, column: str) -> list:
        """(protocol, p50 or p99, percent of the messages, value) of a picture of a column."""
        return [(r.protocol, r.key.removesuffix(f"_{column}"), SHARE[r.group], r.values[workload])
                for r in self.rows if r.protocol in protocols and workload in r.values
                and r.key.endswith(f"_{column}")]


TABLES = {
    "sigcomm18": Table(
        "SIGCOMM'18", "simulated messages one way, 144 hosts, 10 Gb/s, at the median size", (
            Value("homa", "shortest_half", "p99_slowdown",
                  {"w2": 2.67, "w3": 2.7, "w4": 2.18, "w5": 1.79}),)),
    "atc21": Table(
        "ATC'21", "40 machines, 25 Gb/s, MTU 3000, round trips with their software", (
            Value("homa", "shortest_tenth", "p50_us",
                  {"w2": 30.9, "w3": 41.9, "w4": 46.8, "w5": 55.4}),
            Value("homa", "shortest_tenth", "p99_us",
                  {"w2": 57.7, "w3": 98.5, "w4": 109, "w5": 139}),
            Value("tcp", "shortest_tenth", "p99_us",
                  {"w2": 4152, "w3": 5093, "w4": 2113, "w5": 4361}),
            Value("dctcp", "shortest_tenth", "p99_us",
                  {"w2": 4812, "w3": 6362, "w4": 881, "w5": 991}))),
    "c6620": Table(
        "reference, 2026", "6 machines, 100 Gb/s, 80% load counted both ways, with its qdisc", (
            Value("homa", "shortest_tenth", "p50_us", {"w4": 50.6}),
            Value("homa", "shortest_tenth", "p99_us", {"w4": 90.7}),
            Value("tcp", "shortest_tenth", "p50_us", {"w4": 157.1}),
            Value("tcp", "shortest_tenth", "p99_us", {"w4": 832.6}))),
}
HELP = "show figures that others have published, too: " + ", ".join(
    f"{name} ({table.how})" for name, table in TABLES.items())


def find(name: str | None) -> Table | None:
    """The table that a user names; None for none."""
    if name is None:
        return None
    if name not in TABLES:
        raise ClusterError(f"'{name}': published tables are {' '.join(TABLES)}", 2)
    return TABLES[name]
