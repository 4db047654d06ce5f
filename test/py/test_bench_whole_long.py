# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# kernels: fast
# size: full
# timeout: 3600
# slots: 2
"""What test_bench_whole.py leaves out, so that both fit into an hour."""

from pathlib import Path

import pytest

from bench_smoke import LONG, in_full


@pytest.mark.parametrize("bench", LONG)
def test_in_full(bench: str, tmp_path: Path) -> None:
    in_full(bench, tmp_path / "out")
