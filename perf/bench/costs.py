# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""What `bench` measures, what the guest says of it, and the tables made of that."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "cloudlab"))
from clusterlib.errors import ClusterError  # noqa: E402
from clusterlib.units import size_label  # noqa: E402

PROTOCOLS = ("homa", "tcp", "udp")
# A TCP that has its segments cut by the device gains most on veth, which cuts nothing.
LINKS = {"veth": "veth, as it comes: TCP's 64 kB frames cross whole",
         "veth-notso": "veth, TCP segmentation offload off",
         "vmxnet3": "vmxnet3 pair on a hub: NAPI and GRO, no segmentation offload"}

@dataclass(frozen=True)
class Growth:
    """What there may be many of, and by what factor an RPC may cost more then."""

    what: str
    numbers: tuple[int, ...]
    limit: float


# Of veth, too; the column "at a time" has these numbers.
GROWTH = {"veth-outstanding": Growth("outstanding RPCs", (1, 100, 10000, 100000), 1.3),
          "veth-peers": Growth("peers", (1, 100, 10000), 1.2),
          "veth-sockets": Growth("sockets of the client", (1, 10, 1000), 1.1)}
SIZES = (100, 1000, 10000, 50000, 100000, 500000)
OUTSTANDING = (1, 8)
MAX_UDP = 65507
TIMEOUT_S = 3600
# Medians of steady rows differ by less between two runs of the same code.
TOLERANCE = 0.03
STEADY_BYTES = 50000
INSTRUCTIONS_BASE = 45000       # a guess of what RPCs cost, for the progress line only
INSTRUCTIONS_A_BYTE = 14


@dataclass(frozen=True)
class Row:
    """One measurement to make."""

    link: str
    protocol: str
    size: int
    outstanding: int

    @property
    def count(self) -> int:
        """How many RPCs; a tick of the clock is a small part of long ones."""
        if self.link in GROWTH:
            return max(1000, self.outstanding // 5)
        return 1000 if self.size <= 10000 else 100 if self.size <= 100000 else 40

    @property
    def steady(self) -> bool:
        """Whether two runs agree: how several RPCs at a time form batches differs."""
        return self.outstanding == 1 and self.size <= STEADY_BYTES

    @property
    def work(self) -> int:
        """About how many instructions it takes."""
        warm = self.outstanding if self.link in GROWTH else self.count // 5
        return (self.count + warm) * (INSTRUCTIONS_BASE + INSTRUCTIONS_A_BYTE * self.size)

    def __str__(self) -> str:
        return f"{self.link} {self.protocol} {self.size} {self.outstanding} {self.count}"


@dataclass(frozen=True)
class Cost:
    """What an RPC of a row cost, in instructions of all code that ran."""

    link: str
    protocol: str
    size: int
    outstanding: int
    count: int
    mean: float
    p50: float
    min: float

    @property
    def row(self) -> Row:
        """Which measurement this was."""
        return Row(self.link, self.protocol, self.size, self.outstanding)


def plan(pattern: str = "") -> list[Row]:
    """Return the rows whose text the regular expression PATTERN matches."""
    rows = [Row(link, protocol, size, outstanding) for link in LINKS
            for protocol in PROTOCOLS for size in SIZES for outstanding in OUTSTANDING
            if (protocol != "udp" or size <= MAX_UDP)
            and (protocol == "tcp" or link != "veth-notso")]
    rows += [Row(link, "homa", SIZES[0], number) for link, growth in GROWTH.items()
             for number in growth.numbers]
    try:
        return [row for row in rows if re.search(pattern, str(row))]
    except re.error as error:
        raise ClusterError(f"'{pattern}' is not a regular expression: {error}", 2) from None


def check_here() -> None:
    """Complain in one line if the machine would boot in vain."""
    if os.geteuid():
        raise ClusterError("virtual machines are started by root only", 2)
    if not (TOP / "out/bin/rpc_cost").exists():
        raise ClusterError("out/bin/rpc_cost is missing: run 'make tools' first", 2)


def record_of(release: str) -> Path:
    """Return where the record of the kernel is that calls itself RELEASE ("Linux 6.1.0-56-amd64")."""
    version = re.search(r"\d+\.\d+", release)
    if not version:
        raise ClusterError(f"the guest's kernel has no version: '{release}'")
    return TOP / "perf/bench/records" / f"{version[0]}.json"


def machine(kernel: str, *options: str) -> list[str]:
    """Return the words that boot KERNEL with the links and run guest.sh; rows are to follow."""
    return [str(TOP / "cloudlab/bin/lab"), "vm", "--kernel", kernel, "--icount", "--nics", "2",
            "--nic-model", "vmxnet3", "--timeout", str(TIMEOUT_S), *options, "--",
            str(TOP / "perf/bench/guest.sh")]


def parse_line(line: str) -> Cost | tuple[str, int] | None:
    """Return the cost, or the count of a mishap, that the guest tells in LINE."""
    word, _, rest = line.strip().partition(" ")
    link, _, text = rest.partition(" ")
    try:
        if word == "cost":
            return Cost(link, **json.loads(text))
        if word == "count":
            what, number = text.split()
            return f"{link} {what}", int(number)
    except (ValueError, TypeError) as error:
        raise ClusterError(f"the guest said '{line.strip()}': {error}") from None
    return None


def amount(value: float) -> str:
    """Instructions in at most five characters: 26.7k, 4.75M."""
    if value < 999.5e3:
        return f"{value / 1e3:.1f}k" if value < 99.95e3 else f"{value / 1e3:.0f}k"
    return f"{value / 1e6:.2f}M"


def ratio(mine: Cost | None, other: Cost | None) -> str:
    """How many times what another protocol costs Homa costs."""
    return f"{mine.mean / other.mean:.2f}" if mine and other else "-"


def link_table(link: str, costs: dict[Row, Cost]) -> list[str]:
    """Return the lines about one link."""
    here = [name for name in PROTOCOLS if any(row.link == link and row.protocol == name
                                              for row in costs)]
    lines = ["", LINKS[link], f"{'bytes':>6} {'at a time':>9}"
             + "".join(f"{name + ' mean':>12} {'p50':>7}" for name in here)
             + (f"{'homa/tcp':>10}{'homa/udp':>10}" if "homa" in here else "")]
    for size, outstanding in sorted({(row.size, row.outstanding) for row in costs
                                     if row.link == link}, key=lambda pair: pair[::-1]):
        found = {name: costs.get(Row(link, name, size, outstanding)) for name in PROTOCOLS}
        text = f"{size_label(size):>6} {outstanding:>9}"
        for cost in (found[name] for name in here):
            text += f"{amount(cost.mean):>12} {amount(cost.p50):>7}" if cost else " " * 11 + "-" \
                + " " * 7 + "-"
        if "homa" in here:
            text += "".join(f"{ratio(found['homa'], found[name]):>10}" for name in ("tcp", "udp"))
        lines.append(text)
    return lines


def growth_table(costs: dict[Row, Cost]) -> list[str]:
    """Return the lines about what grows: costs with many of something, beside those with one."""
    lines = []
    for link, growth in GROWTH.items():
        found = [costs[row] for row in sorted((row for row in costs if row.link == link),
                                              key=lambda row: row.outstanding)]
        for cost in found[1:]:
            factor = cost.mean / found[0].mean
            lines.append(f"{cost.outstanding} {growth.what}: {amount(cost.mean)},"
                         f" {factor:.2f} times what one costs"
                         f"{'' if factor <= growth.limit else f': more than {growth.limit}'}")
    return ["", *lines] if lines else []


def table(costs: list[Cost], mishaps: dict[str, int]) -> str:
    """Return all tables, and a line about packets that were sent twice, if any."""
    by_row = {cost.row: cost for cost in costs}
    lines = ["instructions an RPC: request and response of that size, both ends and the kernel"]
    for link in LINKS:
        if any(row.link == link for row in by_row):
            lines += link_table(link, by_row)
    lines += growth_table(by_row)
    lines += [f"packets sent again, {what}: {number}"
              for what, number in sorted(mishaps.items()) if number]
    return "\n".join(lines) + "\n"


def load(path: Path) -> list[Cost]:
    """Return the costs in a file that dump() made."""
    try:
        return [Cost(**item) for item in json.loads(path.read_text())["costs"]]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ClusterError(f"cannot read costs from {path}: {error}", 2) from None


def dump(costs: list[Cost], mishaps: dict[str, int], manifest: dict) -> str:
    """Return what a file of results holds."""
    return json.dumps({"version": 1, "unit": "instructions an RPC", **manifest,
                       "resent_packets": mishaps,
                       "costs": [asdict(cost) for cost in costs]}, indent=1) + "\n"


def grown(before: list[Cost], after: list[Cost]) -> tuple[list[str], bool]:
    """Return a line for each steady row that changed, and whether any of Homa's grew.

    Medians are compared, for a tick of the clock may fall into one run and not into another.
    """
    old = {cost.row: cost for cost in before}
    lines, worse = [], False
    for cost in after:
        was = old.get(cost.row) if cost.row.steady else None
        change = cost.p50 / was.p50 - 1 if was else 0.0
        if abs(change) > TOLERANCE:
            lines.append(f"{cost.row}: {amount(was.p50)} -> {amount(cost.p50)} ({change:+.1%})")
            worse = worse or (change > 0 and cost.protocol == "homa")
    return lines, worse
