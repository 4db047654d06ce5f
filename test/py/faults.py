# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""Records simulated clusters with planted faults, and judges what tthoma finds in them.

A wrong clock is planted afterwards, in one host's trace: all hosts of a simulated cluster
have one clock. All other faults are real (test/lib/plant_faults.py).
"""
from __future__ import annotations

import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tt"))

from ttlib import clocksync, files, model, suspects  # noqa: E402
from ttlib.recording import Recording  # noqa: E402
from ttlib.trace import Trace  # noqa: E402

CLOCK_NS = 3e6
SYNC_NS = 1000          # ttsync may be so wrong


def record(folder: Path, draws: int, clean: int, seed: int, timeout: int) -> list[dict[str, str]]:
    """Record; returns what was planted where."""
    done = subprocess.run(
        [str(ROOT / "cloudlab/bin/lab"), "run", "--hosts", "8", "--seed", str(seed),
         "--timeout", str(timeout), "--", str(ROOT / "test/lib/plant_faults.py"),
         "--draws", str(draws), "--clean", str(clean), "--seed", str(seed), str(folder)],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads((folder / "plan.json").read_text())


def found_in(traces: dict[str, Trace]) -> list[suspects.Finding]:
    """What is wrong in a recording."""
    return suspects.find(model.build(Recording.make(traces)))


def load(folder: Path) -> dict[str, Trace]:
    return files.read_hosts(files.traces_in([str(folder)]))


def with_wrong_clock(traces: dict[str, Trace], rng: random.Random
                     ) -> tuple[dict[str, Trace], str, float]:
    """The traces with one clock wrong, whose, and how far ttsync is off."""
    host = rng.choice(sorted(traces))
    ahead = rng.choice([-CLOCK_NS, CLOCK_NS])
    moved = {**traces, host: traces[host].delayed(ahead)}
    found = clocksync.sync(Recording.make(moved)).offsets
    # Offsets are against h1, whose own clock may be the wrong one.
    want = {name: (ahead if name == host else 0.0) - (ahead if host == "h1" else 0.0)
            for name in traces}
    error = max(abs(found[name] - want[name]) for name in traces)
    return moved, host, error


def judge(folder: Path, plan: list[dict[str, str]], seed: int
          ) -> tuple[Counter, Counter, list[str]]:
    """(found, planted) by kind, and what was found where nothing is wrong."""
    found, planted, alarms = Counter(), Counter(), []
    rng = random.Random(seed)
    for entry in plan:
        traces = load(folder / entry["folder"])
        kind, host = entry["kind"], entry["host"]
        seen = found_in(traces)
        print(f"{kind} at {host}: " + ("; ".join(f"{f.kind} {f.host}" for f in seen) or "nothing"))
        if kind == "none":
            alarms += [finding.text for finding in seen]
            continue
        planted[kind] += 1
        found[kind] += any((f.kind, f.host) == (kind, host) for f in seen)
        moved, host, error = with_wrong_clock(traces, rng)
        planted["clock"] += 1
        found["clock"] += error < SYNC_NS and any(
            (f.kind, f.host) == ("clock", host) for f in found_in(moved))
    return found, planted, alarms
