# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Where the lab keeps what is dear to make: kernel sources and kernels.

    ~/.cache/homa-lab/src/linux-6.1/              sources, edited by lab/uml_*.py
    ~/.cache/homa-lab/uml/6.1-fast-<hash>/linux   a kernel; the folder is its KDIR
    ~/.cache/homa-lab/x86/6.12-headers-<hash>/    a tree to compile against
    ~/.cache/homa-lab/vm/6.1.0-56-amd64/          a distribution's kernel, unpacked

A folder is complete when it holds the file `.done`; makers hold its lock.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from .units import duration_label

REPO = Path(__file__).resolve().parents[2]
LAB = REPO / "cloudlab" / "lab"


def root() -> Path:
    """Return the cache folder, which XDG_CACHE_HOME can move."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "homa-lab"


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold the cache's lock NAME; one maker at a time, others wait."""
    folder = root() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / name, "w", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another lab that makes {name}")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def making(folder: Path, resume: bool = False) -> Iterator[bool]:
    """Yield whether FOLDER must be made; mark it done when the body succeeds.

    What an interrupted maker left is deleted, unless RESUME says it is of use.
    """
    done = folder / ".done"
    if done.exists():
        yield False
        return
    with lock(f"{folder.parent.name}-{folder.name}"):
        if done.exists():
            yield False
            return
        if not resume:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        yield True
        done.touch()


def say(text: str) -> None:
    """Tell the user on stderr what the lab is doing."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


class Progress:
    """A line on stderr about long work: done, elapsed, left.

    On a terminal it is redrawn each second; into a file it goes every 10 s.
    """

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total = what, total
        self.start = self.shown = time.monotonic()
        self.tty = sys.stderr.isatty()

    def at(self, count: int) -> None:
        """COUNT of the total is done."""
        now = time.monotonic()
        if now - self.shown < (1 if self.tty else 10):
            return
        self.shown = now
        spent = now - self.start
        share = min(count / self.total, 0.99) if count else 0
        left = f", about {duration_label(spent / share - spent)} left" if share else ""
        text = f"lab: {self.what}: {100 * share:.0f}%, {duration_label(spent)}{left}"
        print(text.ljust(70) if self.tty else text, file=sys.stderr,
              end="\r" if self.tty else "\n", flush=True)

    def end(self) -> None:
        """The work is over."""
        if self.tty:
            print(" " * 70, file=sys.stderr, end="\r")
        say(f"{self.what}: took {duration_label(time.monotonic() - self.start)}")
