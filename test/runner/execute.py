# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Run jobs, a few at a time, while the kernels that others wait for are built.

A kernel is made ready in the background, one after the other; a job starts when
its kernels are ready and slots are free, the longest first. Times of earlier
runs (out/test/seconds.json) give the order and the ETA.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import OUT, TOP, count, kernels
from .jobs import Job

POLL_S = 0.05
HEARTBEAT_S = 30
GRACE_S = 15
# Time limits are for an idle machine. On a busy one (others use it, or it builds
# a kernel) they stretch, but not without end.
MOST_STRETCH = 4


def start(command: list[str], log: str) -> subprocess.Popen:
    """Start COMMAND in a process group of its own, with its output in a file."""
    with open(log, "wb") as out:
        return subprocess.Popen(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=out,
                                stderr=subprocess.STDOUT, start_new_session=True)


def end(process: subprocess.Popen) -> None:
    """End a process and what it started; first politely."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(GRACE_S)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def known_seconds() -> dict[str, float]:
    """Return how long jobs took in earlier runs."""
    path = OUT / "seconds.json"
    return json.loads(path.read_text()) if path.exists() else {}


def write_seconds(measured: dict[str, float]) -> None:
    """Add the times of this run; another run may have added its own meanwhile."""
    path = OUT / "seconds.json"
    merged = path.with_suffix(f".{os.getpid()}")
    merged.write_text(json.dumps({**known_seconds(), **measured}, indent=1, sort_keys=True))
    merged.replace(path)


def clock(seconds: float) -> str:
    """Format a duration as minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def stretch() -> float:
    """Return by how much longer things take than on an idle machine."""
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    return min(max(load, 1.0), MOST_STRETCH)


@dataclass
class Result:
    """How a job ended."""

    job: Job
    count: count.Count
    seconds: float
    why: str = ""


@dataclass
class Running:
    """A job under way."""

    job: Job
    process: subprocess.Popen
    since: float
    stretch: float = 1.0            # the most that was seen since it started


@dataclass
class Kernels:
    """The kernels that jobs wait for: ready, failed, and one being built."""

    todo: list[str]
    ready: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    name: str = ""
    process: subprocess.Popen | None = None

    def log(self) -> Path:
        """Return the file that the current build writes to."""
        return OUT / f"kernel.{self.name}.log"

    def progress(self) -> str:
        """Return what the current build says about itself."""
        lines = self.log().read_text(errors="replace").split("\n")
        said = next((line for line in reversed(lines) if line.startswith("lab: ")), "")
        return f"kernel {self.name} ({said.removeprefix('lab: ') or 'building'})"

    def step(self) -> None:
        """Note a finished build and start the next one."""
        if self.process and self.process.poll() is not None:
            done = self.ready if self.process.returncode == 0 else self.failed
            done.add(self.name)
            if done is self.failed:
                print(f"     kernel {self.name}: {complaint(self.log())}", flush=True)
            self.process = None
        if not self.process and self.todo:
            self.name = self.todo.pop(0)
            command = ["nice", "env", f"PYTHONPATH={TOP / 'test'}", sys.executable,
                       "-m", "runner.kernels", self.name]
            self.process = start(command, str(self.log()))


class Runner:
    """Runs a list of jobs; results has how each ended."""

    def __init__(self, jobs: list[Job], slots: int) -> None:
        self.known = known_seconds()
        self.measured: dict[str, float] = {}
        self.pending = sorted(jobs, key=self.expected, reverse=True)
        self.running: list[Running] = []
        self.results: list[Result] = []
        self.total, self.slots = len(jobs), slots
        needs = {name for job in jobs for name in job.needs}
        self.kernels = Kernels([name for name in kernels.load() if name in needs])
        self.since = self.spoke = time.monotonic()

    def expected(self, job: Job) -> float:
        """Return the seconds that a job will probably take."""
        return self.known.get(job.label, job.guess)

    def run(self) -> list[Result]:
        """Run everything; on Ctrl-C end what runs and pass the exception on."""
        try:
            while self.pending or self.running:
                self.kernels.step()
                self.refuse()
                self.launch()
                for running in list(self.running):
                    self.collect(running)
                self.heartbeat()
                time.sleep(POLL_S)
        finally:
            for process in [running.process for running in self.running] + \
                    [self.kernels.process] * bool(self.kernels.process):
                end(process)
            write_seconds(self.measured)
        return self.results

    def refuse(self) -> None:
        """Fail the jobs whose kernel, or module for it, could not be built."""
        refused = [job for job in self.pending if job.needs & self.kernels.failed]
        for job in refused:
            self.pending.remove(job)
            self.results.append(Result(job, count.Count(failed=1), 0, "nothing to run it in"))
        if refused:
            print(f"[{len(self.results)}/{self.total}] FAIL {len(refused)} tests: "
                  "no kernel or module to run them in", flush=True)

    def launch(self) -> None:
        """Start the jobs that can start, the longest first."""
        free = self.slots - sum(running.job.slots for running in self.running)
        for job in list(self.pending):
            if job.needs <= self.kernels.ready and (job.slots <= free or not self.running):
                self.pending.remove(job)
                job.log = OUT / f"{job.label}.log"
                self.running.append(Running(job, start(job.command, str(job.log)),
                                            time.monotonic()))
                free -= job.slots
            if free <= 0:
                return

    def collect(self, running: Running) -> None:
        """Note a job that has ended, or end one that takes too long."""
        spent = time.monotonic() - running.since
        status, why = running.process.poll(), ""
        running.stretch = max(running.stretch, stretch())
        limit = running.job.seconds * running.stretch
        if status is None and spent < limit:
            return
        if status is None:
            end(running.process)
            status, why = 1, f"took longer than {limit:.0f} s"
        self.running.remove(running)
        text = running.job.log.read_text(errors="replace")
        result = Result(running.job, count.count(running.job.kind, text, status), spent, why)
        if not result.count.failed:
            self.measured[running.job.label] = round(spent, 1)
        self.note(result)

    def note(self, result: Result) -> None:
        """Keep a result and print its line."""
        self.results.append(result)
        job, failed = result.job, result.count.failed
        print(f"[{len(self.results)}/{self.total}] {'FAIL' if failed else 'ok  '} {job.label}"
              f"  {result.count}  {result.seconds:.1f} s{self.eta()}", flush=True)
        if failed:
            print(f"     {reason(result)}", flush=True)
        self.spoke = time.monotonic()

    def eta(self) -> str:
        """Return the expected time to the end, as text."""
        now = time.monotonic()
        left = sum(self.expected(job) * job.slots for job in self.pending)
        left += sum(max(self.expected(one.job) - (now - one.since), 1) for one in self.running)
        return f"  (at {clock(now - self.since)}, about {clock(left / self.slots)} left)" \
            if left else ""

    def heartbeat(self) -> None:
        """Say now and then what is under way, when nothing else is printed."""
        now = time.monotonic()
        if now - self.spoke < HEARTBEAT_S:
            return
        self.spoke = now
        names = [running.job.label for running in self.running]
        if self.kernels.process:
            names.append(self.kernels.progress())
        print(f"     running: {', '.join(names)}{self.eta()}", flush=True)


def complaint(log: Path) -> str:
    """Return what a build complained of first, and where the rest is."""
    lines = log.read_text(errors="replace").splitlines()
    said = next((line for line in lines if re.search(r"(?i)\berror\b|undefined", line)),
                lines[-1] if lines else "it printed nothing")
    return f"{said.strip()} (see {log.relative_to(TOP)})"


def reason(result: Result) -> str:
    """Return why a test failed, in a line that also names its log."""
    log = result.job.log
    where = f"; log: {log.relative_to(TOP)}" if log.name else ""
    return f"{result.why or first_failure(result)}{where}"


def first_failure(result: Result) -> str:
    """Return the line of a log that says best what went wrong."""
    lines = [line.strip() for line in
             result.job.log.read_text(errors="replace").splitlines() if line.strip()]
    for line in lines:
        if count.RESULT.match(line) and "not ok" in line or line.startswith("FAILED "):
            return line
    return lines[-1] if lines else "it printed nothing"
