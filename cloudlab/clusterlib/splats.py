# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Find kernel reports (WARN, BUG, lockdep, KASAN, kmemleak ...) in a kernel log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from . import cache

KNOWN = cache.LAB / "known-splats.txt"
BEGIN = "lab: watching from here"
HEAD_LINES = 8                  # of a report: what tells whose it is
REPORT_LINES = 60               # of a report: what is shown at most

TRIGGER = re.compile(r"""
      \bWARNING: | \bBUG[ :] | \bOops\b | \bkernel\ BUG\ at | general\ protection\ fault
    | \bKASAN: | \bUBSAN: | \bODEBUG: | DEBUG_LOCKS_WARN | MAX_LOCK\w+\ too\ low
    | INFO:\ (?:possible|suspicious|task|rcu|trying\ to\ register|inconsistent|NMI)
    | refcount_t: | unreferenced\ object
    | unregister_netdevice:\ waiting | ref_tracker: | leaked\ reference
    | list_(?:add|del)\ corruption | Bad\ page\ state | Objects\ remaining
    | scheduling\ while\ atomic | sleeping\ function\ called
    | Kernel\ panic | detected\ stall | soft\ lockup | workqueue\ lockup
""", re.X)


@dataclass(frozen=True)
class Splat:
    """One report of the kernel."""

    title: str
    text: str


def known(path: Path = KNOWN) -> list[re.Pattern[str]]:
    """Return the patterns of reports that are not ours, one a line of the file."""
    return [re.compile(line) for line in path.read_text().splitlines()
            if line.strip() and not line.startswith("#")]


def plain(line: str) -> str:
    """Return a line of the log without its time stamp."""
    return re.sub(r"^(<\d+>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?", "", line)


def scan(log: str, foreign: list[re.Pattern[str]], begin: str = BEGIN) -> list[Splat]:
    """Return the reports after the line BEGIN, or all when there is no such line."""
    lines = [plain(line) for line in log.splitlines()]
    start = next((n + 1 for n, line in enumerate(lines) if begin in line), 0)
    found, resume = [], start
    for number in range(start, len(lines)):
        if number < resume or not TRIGGER.search(lines[number]):
            continue
        head = "\n".join(lines[number:number + HEAD_LINES])
        resume = number + HEAD_LINES
        if not any(pattern.search(head) for pattern in foreign):
            found.append(Splat(lines[number].strip(),
                               "\n".join(lines[number:number + REPORT_LINES])))
    return found
