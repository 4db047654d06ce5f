# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# kernels: fast
# size: full
# timeout: 3600
# slots: 2
"""The benches at the size that one would publish: 8 hosts, 10,000 RPCs a case, half an hour at most."""

import time
from pathlib import Path

import pandas as pd
import pytest

from bench_smoke import cperf

from clusterlib.registry import all_benches

MOST_S = 1800
BENCHES = [b.name for b in all_benches() if hasattr(b.run, "study")]


@pytest.mark.parametrize("bench", BENCHES)
def test_in_full(bench: str, tmp_path: Path) -> None:
    began = time.monotonic()
    done = cperf("run", bench, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    table = pd.read_csv(tmp_path / "out" / "cases.csv")
    assert (table.rpcs > 300).all() and table.short_p50_us.notna().all()
    assert time.monotonic() - began < MOST_S
