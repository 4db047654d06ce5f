# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Read from a log how many tests passed, failed and were skipped."""

from __future__ import annotations

import re
from dataclasses import dataclass

# A result in KTAP, maybe behind the kernel log's time stamp.
STAMP = r"^(?:\[ *\d+\.\d+\] )?"
RESULT = re.compile(STAMP + r"( *)(ok|not ok)(?: \d+)?(?: -)? +(\S.*)$")
PLAN = re.compile(STAMP + r"( *)1\.\.(\d+)\s*$")
TOTALS = re.compile(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?")
PYTEST = re.compile(r"(\d+) (passed|failed|skipped|errors?|xfailed|xpassed)\b")


@dataclass
class Count:
    """Tests that passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed,
                     self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


class Ktap:
    """Counts the innermost results of KTAP; a suite's own line adds nothing.

    Results that a plan ("1..N") promised and that never came have failed.
    """

    def __init__(self) -> None:
        self.count = Count()
        self.missing: dict[int, int] = {}       # by indent
        self.children: dict[int, bool] = {}     # by indent: had results; any failed

    def line(self, line: str) -> None:
        """Take one line of output."""
        if match := PLAN.match(line):
            self.plan(len(match[1]), int(match[2]))
        elif match := RESULT.match(line):
            self.result(len(match[1]), match[2] == "ok", match[3])

    def plan(self, indent: int, number: int) -> None:
        """Take a plan, which may come before its results or after them."""
        left = self.missing.get(indent, 0)
        self.count.failed += max(left, 0)
        self.missing[indent] = number + min(left, 0)

    def result(self, indent: int, ok: bool, text: str) -> None:
        """Take a result; deeper ones since the last at this depth belong to it."""
        self.finish(indent + 1)
        inner = [self.children.pop(depth) for depth in list(self.children) if depth > indent]
        self.missing[indent] = self.missing.get(indent, 0) - 1
        self.children[indent] = self.children.get(indent, False) or not ok
        if inner:
            self.count.failed += not ok and not any(inner)
        elif "# SKIP" in text:
            self.count.skipped += 1
        elif ok:
            self.count.passed += 1
        else:
            self.count.failed += 1

    def finish(self, indent: int = 0) -> None:
        """Nothing more comes at INDENT or deeper."""
        for depth in [depth for depth in self.missing if depth >= indent]:
            missing = max(self.missing.pop(depth), 0)
            self.count.failed += missing
            if missing:
                self.children[depth] = True


def ktap(text: str) -> Count:
    """Count the results in KTAP output."""
    counter = Ktap()
    for line in text.splitlines():
        counter.line(line)
    counter.finish()
    return counter.count


def pytest(text: str) -> Count:
    """Count from pytest's last line."""
    lines = [line for line in text.splitlines() if re.search(r" in [\d.]+s", line)]
    count = Count()
    for number, what in PYTEST.findall(lines[-1] if lines else ""):
        if what in ("passed", "xfailed"):
            count.passed += int(number)
        elif what == "skipped":
            count.skipped += int(number)
        else:
            count.failed += int(number)
    return count


def totals(text: str) -> Count:
    """Count from the last "N passed, N failed"."""
    found = TOTALS.findall(text)
    return Count(*(int(number or 0) for number in found[-1])) if found else Count()


def count(kind: str, text: str, status: int) -> Count:
    """Count a job's tests; one that reports none of its own is a test itself."""
    reader = {"py": pytest, "unit": totals, "mutants": totals}.get(kind, ktap)
    result = reader(text)
    if status and not result.failed:
        result.failed = 1
    elif not status and result == Count():
        # A runner of tests that ran none has shown nothing.
        return Count(failed=1) if kind in ("py", "unit", "kunit") else Count(passed=1)
    return result
