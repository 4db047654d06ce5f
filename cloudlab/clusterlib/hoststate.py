# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Settings of a host: what each is, how to change it, and what it was before.

Needs nothing but Python, so that it also runs where only `cperf install` has been. What a
setting was before it was first changed is in the state file; `restore` puts it back.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

STATE = "/var/lib/homa/config.json"


class ConfigError(Exception):
    """What went wrong, in one line."""


@dataclass
class System:
    """This machine, or one that a test has made up below a folder."""

    root: Path = Path("/")

    def path(self, name: str) -> Path:
        """A file of the machine."""
        return self.root / name.lstrip("/")

    def read(self, name: str) -> str | None:
        """A file's text without the last newline; None if it cannot be read."""
        try:
            return self.path(name).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None

    def write(self, name: str, text: str) -> None:
        """Write a file of the kernel's."""
        try:
            self.path(name).write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{name}: {error.strerror}") from None

    def glob(self, pattern: str) -> list:
        """Names of files that match, sorted as numbers are."""
        found = [f"/{p.relative_to(self.root)}" for p in self.root.glob(pattern.lstrip("/"))]
        return sorted(found, key=lambda n: [int(p) if p.isdigit() else p
                                            for p in re.split(r"(\d+)", n)])

    def run(self, *words: str) -> str | None:
        """A command's output; None if it fails or is not there."""
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  check=False, timeout=30)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout if done.returncode == 0 else None

    @property
    def cpus(self) -> int:
        """Processors."""
        return len(self.glob("/sys/devices/system/cpu/cpu[0-9]*")) or os.cpu_count() or 1


@dataclass(frozen=True)
class Setting:
    """One setting: a file of the kernel's, or what a tool reads and sets."""

    group: str
    name: str
    want: str
    file: str = ""
    read: tuple = ()                # words of a command that shows it
    pattern: str = ""               # where in that, or in the file, the value is
    change: tuple = ()              # words of a command that sets it; {} stands for the value
    absent: str | None = None       # what it is if the command works and the pattern is nowhere
    undo: tuple = ()                # the same, for putting back what was, if that takes another

    def now(self, system: System) -> str | None:
        """What it is; None if this machine does not have it."""
        text = system.read(self.file) if self.file else system.run(*self.read)
        if text is None or not self.pattern:
            return text
        match = re.search(self.pattern, text, re.M)
        return match[1] if match else self.absent

    def set(self, system: System, value: str) -> None:
        """Make it so."""
        if self.file:
            system.write(self.file, value)
        elif system.run(*(word.format(value) for word in self.change)) is None:
            raise ConfigError(f"{self.name}: cannot be set to {value}: "
                              + " ".join(self.change).format(value))


def rows(system: System, declared: Iterable) -> Iterator:
    """(setting, value now) of all that this machine has."""
    for setting in declared:
        now = setting.now(system)
        if now is not None:
            yield setting, now


def _saved(state: Path) -> dict:
    try:
        return json.loads(state.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{state}: {error}") from None


def _save(state: Path, saved: dict) -> None:
    try:
        state.parent.mkdir(parents=True, exist_ok=True)
        fresh = state.with_suffix(".new")
        fresh.write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")
        fresh.replace(state)
    except OSError as error:
        raise ConfigError(f"{state}: {error.strerror}") from None


def apply(system: System, declared: Iterable, state: Path) -> tuple:
    """Make everything as it is declared; (lines about changes, lines about what failed).

    In that order, each change before the next setting is asked for: there may be more of them
    then, or fewer.
    """
    saved, changed, failed = _saved(state), [], []
    for setting, now in rows(system, declared):
        if now == setting.want:
            continue
        # Before the change: it must be known what was, should we not get any further.
        saved.setdefault(setting.name, {"was": now, "file": setting.file,
                                        "change": list(setting.undo or setting.change)})
        _save(state, saved)
        try:
            setting.set(system, setting.want)
            changed.append(f"{setting.name}: {now} -> {setting.want}")
        except ConfigError as error:
            failed.append(str(error))
    return changed, failed


def restore(system: System, state: Path) -> tuple:
    """Put everything back that was changed, last first; as apply()."""
    saved, changed, failed = _saved(state), [], []
    for name, entry in reversed(list(saved.items())):
        setting = Setting("", name, entry["was"], entry["file"], change=tuple(entry["change"]))
        try:
            setting.set(system, entry["was"])
            changed.append(f"{name}: {entry['was']} again")
            del saved[name]
        except ConfigError as error:
            failed.append(str(error))
    if saved:
        _save(state, saved)
    else:
        state.unlink(missing_ok=True)
    return changed, failed
