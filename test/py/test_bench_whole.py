# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# kernels: fast
# size: full
# timeout: 3600
# slots: 2
"""The benches at the size that one would publish: 8 hosts, 10,000 RPCs a case, half an hour at most."""

from pathlib import Path

import pytest

from bench_smoke import LONG, in_full

from clusterlib.registry import all_benches

BENCHES = [b.name for b in all_benches() if hasattr(b.run, "study") and b.name not in LONG]


@pytest.mark.parametrize("bench", BENCHES)
def test_in_full(bench: str, tmp_path: Path) -> None:
    in_full(bench, tmp_path / "out")
