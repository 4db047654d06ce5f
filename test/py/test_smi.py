# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
"""out/bin/smi: finds the time in which it was stopped, and says what is wrong with its options."""
from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

TOOL = Path(__file__).resolve().parents[2] / "out" / "bin" / "smi"


def wait_until_it_spins(pid: int) -> None:
    """Wait until a process has used 0.1 s of processor time."""
    for _ in range(1000):
        if int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split()[13]) >= 10:
            return
        time.sleep(0.01)
    raise AssertionError("smi does not spin")


def test_a_stop_of_all_cores_is_found() -> None:
    with subprocess.Popen([TOOL, "--seconds", "3", "--common-us", "90000", "--json"],
                          stdout=subprocess.PIPE, text=True) as smi:
        wait_until_it_spins(smi.pid)
        smi.send_signal(signal.SIGSTOP)
        time.sleep(0.15)
        smi.send_signal(signal.SIGCONT)
        said = json.loads(smi.communicate(timeout=30)[0])
    gaps = said["common"]
    assert smi.returncode == 0 and gaps
    assert any(140e3 < gap["us"] for gap in gaps), gaps
    assert all(core["gaps"] > 0 and core["longest_us"] > 140e3 for core in said["cores"])


def test_text_has_a_line_for_each_core() -> None:
    done = subprocess.run([TOOL, "--seconds", "0.05", "--cores", "0"], capture_output=True,
                          text=True, check=True)
    assert len([line for line in done.stdout.splitlines() if line.startswith("       0 ")]) == 1
    assert "of all 1 cores at once" in done.stdout


def test_errors_are_one_line() -> None:
    for words in (["--cores", "x"], ["--cores", "3-1"], ["--cores", "999"], ["word"],
                  ["--seconds", "0"]):
        done = subprocess.run([TOOL, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 1 and done.stderr.count("\n") == 1, words
