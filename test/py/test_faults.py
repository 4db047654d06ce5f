# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# kernels: fast
# size: check
# slots: 2
# timeout: 300
"""tthoma finds faults that are planted in a loaded cluster: one of each kind. And of such a
recording, 8 hosts under W4 for 4 ms, all analyzers are quick, and the summary is a screen.
"""
from __future__ import annotations

import resource
import subprocess
from pathlib import Path

import faults

MOST_S = 20             # of CPU time
SCREEN = 40             # lines


def cpu_s_and_lines(*words: str) -> tuple[float, int]:
    """The CPU time that tthoma takes, and the lines that it prints."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([str(faults.ROOT / "tt/bin/tthoma"), *words], capture_output=True,
                          text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            len(done.stdout.splitlines()))


def test_one_fault_of_each_kind_is_found(tmp_path: Path) -> None:
    plan = faults.record(tmp_path / "runs", 1, 1, 1, 600)
    found, planted, alarms = faults.judge(tmp_path / "runs", plan, 1)
    assert dict(found) == dict(planted) and len(planted) == 6
    assert alarms == []
    clean = str(tmp_path / "runs" / "none0")
    spent, _ = cpu_s_and_lines("all", "--no-cache", clean)
    print(f"all analyzers: {spent:.1f} s")
    assert spent < MOST_S
    _, lines = cpu_s_and_lines("--no-cache", clean)
    assert 10 <= lines <= SCREEN
