# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Which function each instruction of a recorded stream belongs to, and who called it."""

from __future__ import annotations

import bisect
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "cloudlab"))
from clusterlib.errors import ClusterError  # noqa: E402

# QEMU's line for a block of one instruction: the second number is its address.
ADDRESS = re.compile(r"\[[0-9a-f]+/([0-9a-f]+)/")
KERNEL = 1 << 47                # addresses below are of programs
USER = "[programs]"
# An RPC calls one of these twice: the client's and the server's program send.
SENDS = ("homa_sendmsg", "tcp_sendmsg", "udp_sendmsg")
CALLERS = 3                     # of a function that the text names


class Symbols:
    """The kernel's functions by address, from what /proc/kallsyms says."""

    def __init__(self, lines: Iterable[str]) -> None:
        found = {}
        for words in map(str.split, lines):
            if len(words) > 2 and words[1] in "tTwW":
                found.setdefault(int(words[0], 16), " ".join(words[2:4]))
        if not any(found):
            raise ClusterError("the guest does not tell where its functions are")
        self.starts = sorted(found)
        self.names = [found[start] for start in self.starts]

    def at(self, address: int) -> tuple[str, bool]:
        """Return the function that ADDRESS is in, and whether it is its first instruction."""
        if address < KERNEL:
            return USER, False
        number = bisect.bisect_right(self.starts, address) - 1
        if number < 0:
            return f"{address:#x}", False
        return self.names[number], self.starts[number] == address


@dataclass
class Function:
    """What an RPC spends in one function, without what that calls."""

    name: str
    instructions: float
    calls: float
    callers: list[tuple[str, float]] = field(default_factory=list)


@dataclass
class Profile:
    """All functions, the most expensive first."""

    rpcs: int
    instructions: float         # an RPC
    functions: list[Function]


def addresses(lines: Iterable[str]) -> Iterator[int]:
    """Return the addresses of the instructions that QEMU has logged."""
    for line in lines:
        match = ADDRESS.search(line)
        if match:
            yield int(match[1], 16)


def whole_rpcs(stream: list[tuple[str, bool]]) -> tuple[int, int, int]:
    """Return the part of STREAM that is made of whole RPCs, and how many these are."""
    sends = [number for number, (name, first) in enumerate(stream)
             if first and name.split()[0] in SENDS]
    rpcs = (len(sends) - 1) // 2
    if rpcs < 1:
        raise ClusterError("too few instructions for an RPC: give a larger --instructions")
    return sends[0], sends[2 * rpcs], rpcs


def profile(symbols: Symbols, lines: Iterable[str]) -> Profile:
    """Return what the RPCs in a log of instructions cost, function by function."""
    stream = [symbols.at(address) for address in addresses(lines)]
    begin, end, rpcs = whole_rpcs(stream)
    spent, calls = Counter(), Counter()
    callers: dict[str, Counter] = defaultdict(Counter)
    for number in range(begin, end):
        name, first = stream[number]
        spent[name] += 1
        if first:
            calls[name] += 1
            callers[name][stream[number - 1][0]] += 1
    functions = [Function(name, count / rpcs, calls[name] / rpcs,
                          [(who, times / rpcs)
                           for who, times in callers[name].most_common()])
                 for name, count in spent.most_common()]
    return Profile(rpcs, (end - begin) / rpcs, functions)


def table(found: Profile, most: int) -> str:
    """Return the first functions as text; what remains is the last line."""
    lines = [f"{found.instructions:,.0f} instructions an RPC, from {found.rpcs} RPCs", "",
             f"{'instr.':>9} {'share':>6} {'calls':>7}  function; who calls it how often"]
    for one in found.functions[:most]:
        who = ", ".join(f"{name} {times:.1f}" for name, times in one.callers[:CALLERS])
        lines.append(f"{one.instructions:9.0f} {one.instructions / found.instructions:6.1%}"
                     f" {one.calls:7.1f}  {one.name}{'; ' * bool(who)}{who}")
    rest = found.functions[most:]
    if rest:
        left = sum(one.instructions for one in rest)
        lines.append(f"{left:9.0f} {left / found.instructions:6.1%} {'':7}  {len(rest)} others")
    return "\n".join(lines) + "\n"


def dump(found: Profile, about: dict) -> str:
    """Return a profile as JSON."""
    return json.dumps({"about": about, **asdict(found)}, indent=1) + "\n"
