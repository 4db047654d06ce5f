# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Runs protocols on a cluster: prepares a job for each, watches them, and wants success back."""

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from . import interrupts
from .errors import ClusterError
from .job import CP_NODE, write_job
from .units import duration_label


class Progress:
    """A line on the terminal (or now and then one in a log) with the time that is left."""

    def __init__(self, stream=sys.stderr) -> None:
        self.stream, self.tty = stream, stream.isatty()
        self.begin, self.last, self.width = time.monotonic(), 0.0, 0

    def show(self, text: str, fraction: float) -> None:
        """Show how far we are; the rest is taken to go as fast as what is done."""
        spent = time.monotonic() - self.begin
        if time.monotonic() - self.last < (0.5 if self.tty else 10):
            return
        self.last = time.monotonic()
        left = f", {duration_label(spent / fraction - spent)} left" if fraction > 0.03 else ""
        line = f"cperf: {duration_label(spent)}{left}: {text}"
        self.stream.write(f"\r{line:<{self.width}}" if self.tty else line + "\n")
        self.stream.flush()
        self.width = len(line)

    def clear(self) -> None:
        """Leave the terminal's line empty."""
        if self.tty and self.width:
            self.stream.write("\r" + " " * self.width + "\r")
            self.stream.flush()


def job_progress(job: Path) -> tuple:
    """(text, fraction done) of a job, from what it reports."""
    try:
        words = (job / "progress").read_text().split()
        phase = words[0]
        done = int(words[1]) / int(words[2]) if phase == "load" else 0.0
    except (OSError, IndexError, ValueError):
        return "boot", 0.0
    base = {"start": 0.02, "unloaded": 0.04, "load": 0.12, "drain": 0.93}[phase]
    return (f"{phase} {done:.0%}" if phase == "load" else phase), base + 0.81 * done


def _check(protocol: str, running, job: Path) -> None:
    """A job has succeeded if its process says so and it left its last file."""
    if running.poll() == 0 and (job / "finished").is_file():
        return
    reason = f"exit code {running.poll()}"
    if (job / "failed").is_file():
        reason = (job / "failed").read_text().strip()
    tail = running.log.read_text(errors="replace").splitlines()[-12:]
    raise ClusterError(f"the {protocol} run failed: {reason} (its files: raw/{job.name} of the "
                       "results)\n    " + "\n    ".join(tail))


def last_line(log: Path) -> str:
    """What a log said last, cut to fit a terminal; a progress line counts from its last \\r."""
    text = log.read_text(errors="replace")[-4000:].replace("\r", "\n").strip()
    return text.splitlines()[-1].strip()[:70] if text else ""


def prepare(cluster, protocols: list, folder: Path) -> None:
    """Build kernel and module if that is still to be done, and prove that they boot."""
    if not CP_NODE.is_file():
        raise ClusterError(f"{CP_NODE} is missing: run 'make tools' first")
    progress, running = Progress(), None
    try:
        with interrupts.held():
            running = cluster.prepare("homa" in protocols, folder / "prepare.log")
        while running.poll() is None:
            said = last_line(running.log).removeprefix("lab: ")
            progress.show("preparing kernel and module" + (f": {said}" if said else ""), 0)
            time.sleep(0.1)
    finally:
        with interrupts.held():
            if running:
                running.stop()
            progress.clear()
    if running.poll():
        tail = running.log.read_text(errors="replace").splitlines()[-12:]
        raise ClusterError("the cluster does not start:\n    " + "\n    ".join(tail))


@dataclass(frozen=True)
class Task:
    """One protocol under one load, or several at the same time."""

    cluster: object
    streams: dict           # {protocol: load}

    @property
    def needs_module(self) -> bool:
        """Whether Homa is among them."""
        return "homa" in self.streams


def _show(progress: Progress, paths: dict, spent: dict) -> None:
    states = {n: ("done", 1.0) if n in spent else job_progress(p) for n, p in paths.items()}
    shown = {n: t for n, (t, _) in states.items() if t != "boot"} if len(states) > 4 else \
        {n: t for n, (t, _) in states.items()}
    progress.show(", ".join(f"{n} {t}" for n, t in shown.items()),
                  sum(f for _, f in states.values()) / len(states))


def run_tasks(tasks: dict, folder: Path, jobs: int = 0, timeout: float = 36000) -> dict:
    """Run named tasks, `jobs` at a time; name -> (job folder, seconds)."""
    jobs = jobs or min(len(tasks), os.cpu_count() or 1)
    paths = {name: folder / name for name in tasks}
    for name, task in tasks.items():
        write_job(task.cluster, task.streams, paths[name])
    waiting, active, spent, progress = list(tasks), {}, {}, Progress()
    try:
        while waiting or active:
            while waiting and len(active) < jobs:
                name, begin = waiting.pop(0), time.monotonic()
                task = tasks[name]
                with interrupts.held():
                    active[name] = (task.cluster.start(paths[name], task.needs_module, timeout),
                                    begin)
            for name in [n for n, (run, _) in active.items() if run.poll() is not None]:
                run, begin = active.pop(name)
                _check(name, run, paths[name])
                spent[name] = time.monotonic() - begin
            _show(progress, paths, spent)
            time.sleep(0.1)
    finally:
        with interrupts.held():
            for run, _ in active.values():
                run.stop()
            progress.clear()
    return {name: (paths[name], spent[name]) for name in tasks}

