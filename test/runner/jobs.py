# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Find the tests. A test says in comments near its top how it wants to be run;
test/README.md lists the words.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import TOP, kernels

KINDS = ("check", "unit", "py", "kunit", "wire", "netns", "faults", "vm", "mutants")
SIZES = ("quick", "check", "full")
WORDS = "desc|lab|flavor|size|timeout|args|seeds|kernels|slots"
HEADER = re.compile(rf"^\s*(?:#|//|/\*|\*)\s*({WORDS}): *(.*?)\s*(?:\*/)?$")
HEADER_LINES = 40
# How much longer a test takes than on the fast kernel.
SLOWER = {"fast": 1, "debug": 8, "smp": 4}
# Kernels in real time, with two CPUs, need the machine to themselves.
SLOTS = {"smp": 2}
# The lab's own limit is the last resort: test/run knows how busy the machine is.
LAST_RESORT = 5


@dataclass
class Job:
    """One command to run, and what it needs."""

    kind: str
    name: str
    command: list[str]
    size: str = "check"
    seconds: float = 120            # time limit on an idle machine
    needs: frozenset[str] = frozenset()
    slots: int = 1
    log: Path = field(default=Path())

    @property
    def label(self) -> str:
        """Name of the log file and of the line in reports."""
        return f"{self.kind}.{self.name}"

    @property
    def guess(self) -> float:
        """Seconds that the job is likely to take if it has never run."""
        return self.seconds / 10


class BadHeader(Exception):
    """A test's comments ask for something that does not exist."""


def header(path: Path) -> dict[str, str]:
    """Return the words in the comments at the top of a test."""
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = [line for _, line in zip(range(HEADER_LINES), file)]
    matches = (HEADER.match(line) for line in lines)
    return {match[1]: match[2] for match in matches if match}


def checked_size(size: str, path: Path) -> str:
    """Return SIZE, or complain."""
    if size not in SIZES:
        raise BadHeader(f"{path}: size {size} is none of {' '.join(SIZES)}")
    return size


def flavors(words: dict[str, str], path: Path, known: dict[str, kernels.Kernel],
            default: str) -> Iterator[tuple[str, str]]:
    """Yield (flavor, size) of each kernel that the test wants to run on."""
    size = words.get("size", "check")
    for word in words.get("flavor", default).split():
        flavor, _, own = word.partition("@")
        if flavor not in known or "run" not in known[flavor].use:
            raise BadHeader(f"{path}: flavor {flavor} is not a kernel to run in kernels.conf")
        yield flavor, checked_size(own or size, path)
        if flavor == "fast" and (own or size) != "full":
            yield from ((name, "full") for name, kernel in known.items() if "suite" in kernel.use)


def boots(kernel: kernels.Kernel) -> list[str]:
    """Return the options of `lab run` that choose a kernel."""
    version = [] if kernel.version == "-" else ["--version", kernel.version]
    return ["--flavor", kernel.flavor, *version]


def in_kernels(kind: str, path: Path, known: dict[str, kernels.Kernel],
               program: str = "", default: str = "fast") -> Iterator[Job]:
    """Yield a job for each kernel and seed that the test at PATH asks for."""
    words = header(path)
    program = program or str(path.relative_to(TOP))
    seeds = words.get("seeds", "1").split()
    for flavor, size in flavors(words, path, known, default):
        # Kernels since 6.15 want one more word at boot before they run suites.
        if kind == "kunit" and "suite" in known[flavor].use:
            continue
        seconds = float(words.get("timeout", "120")) * SLOWER.get(flavor, 1)
        for seed in seeds:
            many = f".s{seed}" if len(seeds) > 1 else ""
            command = [kernels.LAB, "run", *shlex.split(words.get("lab", "--hosts 2")),
                       *boots(known[flavor]), "--seed", seed, "--timeout",
                       f"{seconds * LAST_RESORT:.0f}",
                       "--", program, *shlex.split(words.get("args", ""))]
            yield Job(kind, f"{path.stem}.{flavor}{many}", command, size, seconds + 60,
                      frozenset({flavor}), int(words.get("slots", SLOTS.get(flavor, 1))))


def scripts(kind: str) -> list[Path]:
    """Return the executable files of a kind."""
    return sorted(path for path in (TOP / "test" / kind).glob("*")
                  if path.is_file() and os.access(path, os.X_OK))


def scenarios(kind: str, known: dict[str, kernels.Kernel]) -> Iterator[Job]:
    """Yield the jobs of test/wire or test/netns: scripts, and C programs with a "desc:"."""
    found = scripts(kind)
    for path in found:
        yield from in_kernels(kind, path, known)
    stems = {path.stem for path in found}
    for path in sorted((TOP / "test" / kind).glob("*.c")):
        if path.stem not in stems and "desc" in header(path):
            yield from in_kernels(kind, path, known, f"out/bin/test/{path.stem}")


def on_host(kind: str, path: Path, command: list[str]) -> Job:
    """Return the job of a test that boots no kernel."""
    words = header(path)
    return Job(kind, path.stem, command + shlex.split(words.get("args", "")),
               checked_size(words.get("size", "check"), path),
               float(words.get("timeout", "120")),
               frozenset(words.get("kernels", "").split()), int(words.get("slots", "1")))


def in_vm(path: Path) -> Job:
    """Return the job of a test that boots a distribution's kernel."""
    words = header(path)
    seconds = float(words.get("timeout", "300"))
    command = [kernels.LAB, "vm", *shlex.split(words.get("lab", "--cpus 2")),
               "--timeout", f"{seconds * LAST_RESORT:.0f}", "--", str(path.relative_to(TOP)),
               *shlex.split(words.get("args", ""))]
    return Job("vm", path.stem, command, checked_size(words.get("size", "check"), path),
               seconds + 60, slots=int(words.get("slots", "2")))


def discover() -> list[Job]:
    """Return every job that the tree offers."""
    known = kernels.load()
    test = TOP / "test"
    jobs = [on_host("check", path, [str(path)]) for path in scripts("check")]
    jobs += [on_host("py", path, [sys.executable, "-m", "pytest", "-q", "-p",
                                  "no:cacheprovider", str(path)])
             for path in sorted((test / "py").glob("test_*.py"))]
    if (TOP / "util" / "Makefile").exists():
        jobs.append(Job("unit", "util", ["make", "-C", "util", "check"], "quick", 300))
    if list((test / "kunit").glob("*_test.c")):
        jobs += in_kernels("kunit", test / "kunit" / "run", known)
    jobs += [*scenarios("wire", known), *scenarios("netns", known)]
    jobs += [on_host("faults", path, [str(path)]) for path in scripts("faults")
             if path.name.startswith("inject")]
    jobs += [in_vm(path) for path in scripts("vm")]
    if (test / "mutants" / "run").exists():
        jobs.append(on_host("mutants", test / "mutants" / "run", ["test/mutants/run"]))
    return jobs


def select(jobs: list[Job], what: str, pattern: str, size: str) -> list[Job]:
    """Return the jobs of a size ("quick", "all", "full") or of a kind.

    A name picks its jobs whatever their size; else those up to SIZE run.
    """
    sizes = {"quick": "quick", "all": "check", "full": "full"}
    limit = SIZES.index(sizes.get(what, size))
    if what in KINDS:
        jobs = [job for job in jobs if job.kind == what]
    if pattern:
        jobs = [job for job in jobs if pattern in job.label]
        limit = SIZES.index("full") if what not in sizes else limit
    return [job for job in jobs if SIZES.index(job.size) <= limit]
