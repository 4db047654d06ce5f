# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""The end of a run: totals, and the dated record of check-full."""

from __future__ import annotations

import platform
import subprocess
import time
from pathlib import Path

from . import TOP
from .count import Count
from .execute import Result, clock
from .jobs import KINDS, Job

PART_S = 3600
# The share of its time limit that a job is given in a part, to be on the safe side.
PART_SHARE = 0.2


def total(results: list[Result]) -> Count:
    """Add up all counts."""
    return sum((result.count for result in results), Count())


def parts(jobs: list[Job], slots: int) -> list[list[Job]]:
    """Cut JOBS into parts of at most an hour, the same way whenever asked."""
    room = PART_S * slots
    cut: list[list[Job]] = [[]]
    spent = 0.0
    for job in sorted(jobs, key=lambda job: job.label):
        cost = job.seconds * PART_SHARE * job.slots
        if cut[-1] and spent + cost > room:
            cut.append([])
            spent = 0.0
        cut[-1].append(job)
        spent += cost
    return cut


def commit() -> str:
    """Return the short name of the commit, with a + if files differ from it."""
    try:
        return subprocess.run(["git", "describe", "--always", "--dirty=+"], cwd=TOP,
                              capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "no commit"


def record(results: list[Result], part: str, seconds: float,
           path: Path = TOP / "test" / "results.md") -> None:
    """Append a run of check-full to test/results.md."""
    lines = [f"\n## {time.strftime('%Y-%m-%d %H:%M')}, commit {commit()}, {part}, "
             f"{clock(seconds)} min\n",
             f"{platform.machine()}, {platform.release()}: {total(results)}\n",
             "| kind | tests |", "|---|---|"]
    for kind in KINDS:
        mine = [result for result in results if result.job.kind == kind]
        if mine:
            lines.append(f"| {kind} | {total(mine)} |")
    for result in results:
        if result.count.failed:
            lines.append(f"\nFailed: {result.job.label}: {result.count}"
                         f"{', ' + result.why if result.why else ''}")
    with open(path, "a", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
