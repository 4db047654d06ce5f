# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# kernels: fast
# size: full
# timeout: 1500
# slots: 2
"""More is offered than fits: links are full thanks to overcommitment, and nothing starves."""

import json
import subprocess
from pathlib import Path

import pytest

from cperf_job import TOP

CPERF = TOP / "cloudlab" / "bin" / "cperf"


@pytest.mark.parametrize("words, claim", [
    (["starvation"], "1 starve times better thanks to the FIFO share, P99 of the largest"),
    (["saturation", "--cluster", "paper18:8", "--workloads", "w5"],
     "1 w5 received more thanks to overcommitment, of what fits"),
])
def test_overload(words: list, claim: str, tmp_path: Path) -> None:
    """All figures are within their limits, and the one that compares is among them."""
    done = subprocess.run([CPERF, "run", *words, "--out", tmp_path / "out"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts = json.loads((tmp_path / "out" / "verdicts.json").read_text())
    assert verdicts["passed"] and claim in verdicts["figures"]
