# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0+
# kernels: fast
# size: check
# slots: 2
# timeout: 300
"""tthoma finds faults that are planted in a loaded cluster: one of each kind."""
from __future__ import annotations

from pathlib import Path

import faults


def test_one_fault_of_each_kind_is_found(tmp_path: Path) -> None:
    plan = faults.record(tmp_path / "runs", 1, 1, 1, 600)
    found, planted, alarms = faults.judge(tmp_path / "runs", plan, 1)
    assert dict(found) == dict(planted) and len(planted) == 6
    assert alarms == []
